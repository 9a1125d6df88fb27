//! Events: S3's "Object Created" and the clock, as `EventBridge` [delivers](crate::delivery) them to the functions that the
//! template subscribes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use okd_reconcile::event::LOOK_THROUGH;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc};

use okd_faults::Faults;

use okd_s3::{ObjectCreated, Reason, S3};

use crate::{
    Result,
    delivery::{event, invoke},
    runtime::Function,
    scanner::Scanner,
    template::Template,
};

/// The name by which an event of a new object passes the fault layer.
pub const EVENT: &str = "ObjectCreated";
/// A file in the data folder.
const TOLD: &str = "s3-told";
/// The number of events that are delivered at once.
const AT_ONCE: usize = 8;

/// The way of events from S3 to the functions.
pub struct Events {
    faults: Arc<Faults>,
    subscribers: Vec<Arc<Function>>,
    s3: Option<S3>,
    scanner: Option<Arc<Scanner>>,
    /// Holds the number of the object up to which all events are delivered, for the next start after a kill.
    told: PathBuf,
    paused: AtomicBool,
    /// Events delivered, lost or given up.
    done: AtomicUsize,
    changed: Notify,
}

impl Events {
    /// Delivers what S3 tells to the functions that have an `EventBridgeRule` for new objects, and to the scanner.
    pub(crate) fn start(
        template: &Template,
        function: impl Fn(&str) -> Option<Arc<Function>>,
        faults: Arc<Faults>,
        (s3, scanner): (Option<S3>, Option<Arc<Scanner>>),
        folder: &Path,
    ) -> Arc<Self> {
        let rules = template.events("EventBridgeRule");
        let of_objects = rules.filter(|(_, rule)| rule["Pattern"]["detail-type"][0] == "Object Created");
        let events = Arc::new(Self {
            faults,
            subscribers: of_objects.filter_map(|(name, _)| function(name)).collect(),
            s3,
            scanner,
            told: folder.join(TOLD),
            paused: AtomicBool::new(false),
            done: AtomicUsize::new(0),
            changed: Notify::new(),
        });
        if let Some(s3) = &events.s3 {
            // A queue without end, for S3's own loses the oldest.
            let (sender, receiver) = mpsc::unbounded_channel();
            tokio::spawn(collect(events.clone(), s3.subscribe(), sender));
            let told = fs::read_to_string(&events.told).unwrap_or_default();
            // Numbers of objects that are gone come again.
            let told = s3.newest().min(told.parse().unwrap_or_default());
            let _ = fs::write(&events.told, told.to_string());
            s3.tell_again(told);
            tokio::spawn(deliver(events.clone(), receiver));
        }
        events
    }

    /// Keeps events back, or lets them go again.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Returns when no event of an object that is there is under way.
    pub async fn drained(&self) {
        let told = || self.s3.as_ref().map_or(0, S3::events_told);
        while self.done.load(Ordering::SeqCst) < told() {
            // Not every change finds us listening.
            let changed = self.changed.notified();
            let _ = tokio::time::timeout(Duration::from_millis(20), changed).await;
        }
    }

    fn done(&self, count: usize) {
        self.done.fetch_add(count, Ordering::SeqCst);
        if let Some(s3) = &self.s3 {
            let newest = s3.newest();
            if self.done.load(Ordering::SeqCst) >= s3.events_told() {
                // A failure here has some events come once more.
                let _ = fs::write(&self.told, newest.to_string());
            }
        }
        self.changed.notify_waiters();
    }
}

async fn collect(
    events: Arc<Events>,
    mut source: broadcast::Receiver<ObjectCreated>,
    sender: mpsc::UnboundedSender<ObjectCreated>,
) {
    loop {
        match source.recv().await {
            Ok(created) => {
                if sender.send(created).is_err() {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                tracing::warn!(lost, "events of new objects were lost");
                events.done(usize::try_from(lost).unwrap_or(usize::MAX));
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn deliver(events: Arc<Events>, mut queue: mpsc::UnboundedReceiver<ObjectCreated>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(created) = queue.recv().await {
        while events.paused.load(Ordering::SeqCst) {
            let changed = events.changed.notified();
            let _ = tokio::time::timeout(Duration::from_millis(20), changed).await;
        }
        let event = object_created(&created).to_string();
        if let Some(scanner) = &events.scanner {
            scanner.enqueue(created.key, created.version_id);
        }
        let times = events.faults.deliveries(EVENT);
        let (events, turns) = (events.clone(), turns.clone());
        tokio::spawn(async move {
            let _turn = turns.acquire().await;
            for _ in 0..times {
                for function in &events.subscribers {
                    invoke(function, &event).await;
                }
            }
            events.done(1);
        });
    }
}

/// Invokes the functions with a `Schedule` each time its rate says so, until the process ends: with its `Input`, or
/// else with the time.
pub(crate) fn schedule(template: &Template, function: impl Fn(&str) -> Option<Arc<Function>>) -> Result<()> {
    for (name, schedule) in template.events("Schedule") {
        let Some(function) = function(name) else {
            continue;
        };
        let rate = schedule["Schedule"].as_str().unwrap_or_default();
        let minutes = rate.strip_prefix("rate(").and_then(|rate| rate.strip_suffix(')'));
        let minutes = minutes.and_then(|rate| rate.strip_suffix(" minutes").or(rate.strip_suffix(" minute")));
        let minutes = minutes.and_then(|minutes| minutes.parse().ok());
        let minutes: u64 = minutes.ok_or_else(|| format!("{rate:?} is not rate(N minutes)"))?;
        let input = schedule["Input"].as_str().map(str::to_owned);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
                let input = input.clone().map(Into::into);
                let event = input.unwrap_or_else(|| clock(jiff::Timestamp::now()));
                // One that failed is made good by the next.
                let _ = function.invoke(event).await;
            }
        });
    }
    Ok(())
}

/// A schedule's event, for a clock that says `time`.
pub fn clock(time: jiff::Timestamp) -> bytes::Bytes {
    event("aws.events", "Scheduled Event", time, &json!({})).to_string().into()
}

/// The event that has the bucket looked through, as if it were `time`.
pub fn look_through(time: jiff::Timestamp) -> bytes::Bytes {
    json!({ "detail-type": LOOK_THROUGH, "time": time }).to_string().into()
}

fn object_created(created: &ObjectCreated) -> Value {
    let reason = match created.reason {
        Reason::PutObject => "PutObject",
        Reason::CopyObject => "CopyObject",
        Reason::CompleteMultipartUpload => "CompleteMultipartUpload",
    };
    let detail = json!({
        "version": "0",
        "bucket": { "name": created.bucket },
        "object": {
            "key": created.key, "size": created.size, "etag": created.etag, "version-id": created.version_id,
        },
        "reason": reason,
    });
    event("aws.s3", "Object Created", jiff::Timestamp::now(), &detail)
}
