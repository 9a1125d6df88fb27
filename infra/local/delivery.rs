//! An event as `EventBridge` delivers it to a function: Lambda's asynchronous kind, in which a failed invocation is tried twice
//! more.

use std::{sync::Arc, time::Duration};

use okd_cli::REGION;
use serde_json::{Value, json};

use crate::runtime::Function;

/// The number of times that Lambda invokes a function that fails.
const TRIES: usize = 3;
/// Lambda waits a minute, then two; no test here has that long.
const PAUSE: Duration = Duration::from_millis(50);

/// Invokes a function on an event, as often as Lambda would.
pub(crate) async fn invoke(function: &Arc<Function>, event: &str) {
    for _ in 0..TRIES {
        if function.invoke(event.to_owned().into()).await.is_ok() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!("an event was given up: what it was about is left to the sweep");
}

/// Puts a detail into the envelope that `EventBridge` has for every event.
pub(crate) fn event(source: &str, kind: &str, time: jiff::Timestamp, detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4(),
        "detail-type": kind,
        "source": source,
        "account": "000000000000",
        "time": time,
        "region": REGION,
        "resources": [],
        "detail": detail,
    })
}
