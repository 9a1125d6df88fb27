//! The Lambda Runtime API, as one process asks it for work and answers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware::from_fn_with_state,
    routing::{get, post},
};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    answers::{self, Answer},
    guard::{self, Guard},
};

/// The header of an answer that comes as a stream.
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";

/// Why an invocation has no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// The process ended, or could not be started.
    Crashed,
    /// It took longer than the function's timeout, and was killed.
    TimedOut,
    /// The function answered with an error instead of a response.
    Error,
}

/// The end of an invocation.
pub(crate) type Outcome = std::result::Result<Answer, Failed>;

/// Work for a process.
pub(crate) struct Invocation {
    pub(crate) event: Bytes,
    pub(crate) reply: oneshot::Sender<Outcome>,
    /// Dropped when the process asks for work again.
    pub(crate) ended: oneshot::Sender<()>,
}

/// The request that a process has in hand.
struct InHand {
    /// Taken by the answer.
    reply: Option<oneshot::Sender<Outcome>>,
    _ended: oneshot::Sender<()>,
}

/// The state of an endpoint: the source of work, and the receiver of the answer to what was given out.
pub(crate) struct Endpoint {
    /// Told when the process asks for work.
    pub(crate) ready: Notify,
    work: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    in_hand: Mutex<Option<InHand>>,
    timeout: Duration,
}

/// The Runtime API, version 2018-06-01, as Lambda's custom runtimes use it.
pub(crate) fn routes(endpoint: Arc<Endpoint>) -> Router {
    let base = "/2018-06-01/runtime";
    Router::new()
        .route(&format!("{base}/invocation/next"), get(next))
        .route(&format!("{base}/invocation/{{id}}/response"), post(respond))
        .route(&format!("{base}/invocation/{{id}}/error"), post(fail))
        .route(&format!("{base}/init/error"), post(fail_to_start))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::new(Guard::default()), guard::check))
        .with_state(endpoint)
}

async fn next(State(endpoint): State<Arc<Endpoint>>) -> (StatusCode, HeaderMap, Bytes) {
    endpoint.ready.notify_one();
    endpoint.in_hand().take();
    let Some(invocation) = endpoint.work.lock().await.recv().await else {
        return (StatusCode::GONE, HeaderMap::new(), Bytes::new());
    };
    let id = uuid::Uuid::new_v4().to_string();
    let in_hand = InHand { reply: Some(invocation.reply), _ended: invocation.ended };
    *endpoint.in_hand() = Some(in_hand);
    let deadline = (SystemTime::now() + endpoint.timeout).duration_since(UNIX_EPOCH).unwrap_or_default();
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-trace-id", trace_id()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:local:000000000000:function:local".to_owned()),
    ];
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?)))
        .collect();
    (StatusCode::OK, headers, invocation.event)
}

/// Made as X-Ray's: a time and 96 bits. It goes no further here than into the log.
fn trace_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let now = jiff::Timestamp::now().as_second();
    format!("Root=1-{now:08x}-{};Sampled=0", &id[..24])
}

async fn respond(
    State(endpoint): State<Arc<Endpoint>>,
    Path(_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    if headers.get(RESPONSE_MODE).is_some_and(|mode| mode == "streaming") {
        answers::stream(body, |answer| settle(&endpoint, Ok(answer))).await;
        return StatusCode::ACCEPTED;
    }
    let answer = answers::whole(body).await;
    settle(&endpoint, answer.map_err(|_| Failed::Crashed));
    StatusCode::ACCEPTED
}

async fn fail(State(endpoint): State<Arc<Endpoint>>, Path(_id): Path<String>, body: Bytes) -> StatusCode {
    tracing::error!(error = %String::from_utf8_lossy(&body), "a function answered with an error");
    settle(&endpoint, Err(Failed::Error));
    StatusCode::ACCEPTED
}

async fn fail_to_start(State(endpoint): State<Arc<Endpoint>>, body: Bytes) -> StatusCode {
    tracing::error!(error = %String::from_utf8_lossy(&body), "a function failed to start");
    settle(&endpoint, Err(Failed::Crashed));
    StatusCode::ACCEPTED
}

fn settle(endpoint: &Endpoint, outcome: Outcome) {
    if let Some(reply) = endpoint.in_hand().as_mut().and_then(|in_hand| in_hand.reply.take()) {
        // No request waits any more after a timeout.
        let _ = reply.send(outcome);
    }
}

impl Endpoint {
    /// The endpoint of a process that gets its work from there and has so long for each.
    pub(crate) fn new(work: mpsc::Receiver<Invocation>, timeout: Duration) -> Self {
        Self { ready: Notify::new(), work: work.into(), in_hand: Mutex::default(), timeout }
    }
    fn in_hand(&self) -> MutexGuard<'_, Option<InHand>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
