//! The stream of the table of documents, and how Lambda feeds a function with it: in order, in batches, what the
//! template's filter lets through, again and again from the first record on that the function says failed.
//!
//! The records are dynoxide's. It keeps them with the items, written in the same transaction, and would keep them for
//! ever: a record that the function is done with is deleted, so that those that are left are to be done, also after a
//! kill.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::Notify;

use okd_cli::REGION;

use crate::{
    Result,
    policies::{Policies, Principal, needs_of_stream},
    runtime::Function,
    template::{Template, word},
};

/// Until a batch is tried again for the first time; then twice as long each time, up to...
const PAUSE: Duration = Duration::from_millis(50);
/// ...this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The time after which waiting for the stream ends.
const PATIENCE: Duration = Duration::from_mins(1);
/// The time between two looks while waiting for the stream.
const MOMENT: Duration = Duration::from_millis(20);

/// With each write dynoxide looks for the last record's number, and without this at every record.
const INDEX: &str = "CREATE INDEX IF NOT EXISTS okd_stream
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

/// The stream, and the function that is fed with it.
pub struct Stream {
    file: PathBuf,
    function: Arc<Function>,
    filters: Vec<Value>,
    batch: u64,
    paused: AtomicBool,
    /// The random numbers by which batches come twice and their records in any order.
    shuffled: Mutex<Option<fastrand::Rng>>,
    written: Arc<Notify>,
    delivered: Notify,
}

/// A record, by dynoxide's number for it.
struct Record {
    number: i64,
    event: Value,
}

impl Stream {
    /// Feeds the function that the template feeds, if there is one, with the stream of the tables in `file`, each time
    /// that `written` is notified.
    pub(crate) async fn start(
        template: &Template,
        function: impl Fn(&str) -> Option<Arc<Function>>,
        file: &Path,
        written: Arc<Notify>,
        policies: &Policies,
    ) -> Result<Option<Arc<Self>>> {
        let Some((name, source)) = template.events("DynamoDB").next() else {
            return Ok(None);
        };
        // Lambda reads it with the function's rights.
        let needs = needs_of_stream(&word(&source["Stream"]));
        if !policies.allow(Principal::function(name), &needs) {
            return Err(format!("the policy of {name} does not let it read the stream").into());
        }
        let filters = source["FilterCriteria"]["Filters"].as_array();
        let filters = filters.into_iter().flatten();
        let filters = filters.map(|filter| serde_json::from_str(&word(&filter["Pattern"])));
        let stream = Arc::new(Self {
            file: file.to_owned(),
            function: function(name).ok_or("no function is fed with the stream")?,
            filters: filters.map(|filter| known(filter?)).collect::<Result<_>>()?,
            batch: source["BatchSize"].as_u64().unwrap_or(100),
            paused: AtomicBool::new(false),
            shuffled: Mutex::default(),
            written,
            delivered: Notify::new(),
        });
        stream.with(|tables| tables.execute_batch(INDEX)).await?;
        tokio::spawn(stream.clone().feed());
        Ok(Some(stream))
    }

    /// Keeps the records back, or lets them go again.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
        self.written.notify_one();
    }

    /// Has batches come twice and their records in any order, drawn from the seed; with `None` each comes once again,
    /// in the order of the writes.
    pub fn shuffle(&self, seed: Option<u64>) {
        let mut shuffled = self.shuffled.lock().unwrap_or_else(PoisonError::into_inner);
        *shuffled = seed.map(fastrand::Rng::with_seed);
    }

    /// Returns when the function is done with every record that is there; an error when it is not for too long.
    pub async fn drained(&self) -> Result<()> {
        let began = Instant::now();
        while !self.read().await?.is_empty() {
            if began.elapsed() > PATIENCE {
                return Err("the stream does not settle".into());
            }
            let delivered = self.delivered.notified();
            let _ = tokio::time::timeout(MOMENT, delivered).await;
        }
        Ok(())
    }

    async fn feed(self: Arc<Self>) {
        let mut pause = PAUSE;
        loop {
            let fed = if self.paused.load(Ordering::SeqCst) { Ok(true) } else { self.feed_once().await };
            match fed {
                Ok(true) => self.written.notified().await,
                Ok(false) => pause = PAUSE,
                Err(error) => {
                    tracing::debug!(%error, "the stream's records are to be tried again");
                    tokio::time::sleep(pause).await;
                    pause = LONGEST_PAUSE.min(2 * pause);
                }
            }
            self.delivered.notify_waiters();
        }
    }

    /// Feeds the function with one batch; says whether there was none.
    async fn feed_once(&self) -> Result<bool> {
        let records = self.read().await?;
        let Some(last) = records.last().map(|record| record.number) else {
            return Ok(true);
        };
        let wanted = |record: &&Record| self.filters.iter().any(|filter| matches(filter, &record.event));
        let mut passed: Vec<&Record> = records.iter().filter(wanted).collect();
        if passed.is_empty() {
            self.delete(last).await?;
            return Ok(false);
        }
        let is_shuffled = self.shuffle_batch(&mut passed);
        let events: Vec<&Value> = passed.iter().map(|record| &record.event).collect();
        let batch = json!({ "Records": events }).to_string();
        let answer = self.function.invoke(batch.into()).await;
        let answer = answer.map_err(|failed| format!("the function failed: {failed:?}"))?;
        let answer: Value = serde_json::from_slice(&answer.head)?;
        let failed = &answer["batchItemFailures"][0]["itemIdentifier"];
        if failed.is_null() {
            let comes_again = is_shuffled && fastrand::bool();
            if !comes_again {
                self.delete(last).await?;
            }
            return Ok(false);
        }
        if is_shuffled {
            return Err("all of a batch in no order come again".into());
        }
        let is_failed = |record: &&&Record| record.event["dynamodb"]["SequenceNumber"] == *failed;
        let failed = passed.iter().find(is_failed);
        let failed = failed.ok_or("the function names a record that was not in its batch")?;
        self.delete(failed.number - 1).await?;
        Err("the function has not seen to all of them".into())
    }

    /// Brings a batch out of order, where that is asked for.
    fn shuffle_batch(&self, batch: &mut [&Record]) -> bool {
        let mut shuffled = self.shuffled.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *shuffled {
            Some(random) => {
                random.shuffle(batch);
                true
            }
            None => false,
        }
    }

    async fn read(&self) -> Result<Vec<Record>> {
        let batch = self.batch;
        self.with(move |tables| read(tables, batch)).await
    }

    /// Deletes what is not after this record.
    async fn delete(&self, number: i64) -> Result<()> {
        let delete = "DELETE FROM _stream_records WHERE id <= ?1";
        self.with(move |tables| tables.execute(delete, [number]).map(drop)).await
    }

    async fn with<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = self.file.clone();
        let done = tokio::task::spawn_blocking(move || {
            let tables = Connection::open(file)?;
            tables.busy_timeout(Duration::from_secs(5))?;
            task(&tables)
        });
        Ok(done.await??)
    }
}

fn read(tables: &Connection, batch: u64) -> rusqlite::Result<Vec<Record>> {
    let mut query = tables.prepare_cached(
        "SELECT id, event_name, keys_json, new_image, old_image, created_at
        FROM _stream_records ORDER BY id LIMIT ?1",
    )?;
    let parsed =
        |text: Option<String>| -> Value { text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default() };
    let record = |row: &rusqlite::Row<'_>| {
        let number: i64 = row.get(0)?;
        let mut event = json!({
            "eventID": number.to_string(), "eventName": row.get::<_, String>(1)?, "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": row.get::<_, i64>(5)?, "Keys": parsed(row.get(2)?),
                "SequenceNumber": format!("{number:021}"), "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        });
        for (name, column) in [("NewImage", 3), ("OldImage", 4)] {
            let image = parsed(row.get(column)?);
            if !image.is_null() {
                event["dynamodb"][name] = image;
            }
        }
        Ok(Record { number, event })
    };
    query.query_map([batch.cast_signed()], record)?.collect()
}

/// A filter, if it uses no more of their language than is known here.
fn known(filter: Value) -> Result<Value> {
    fn is_known(filter: &Value) -> bool {
        match filter {
            Value::Object(fields) => fields.values().all(is_known),
            Value::Array(wanted) => wanted.iter().all(|wanted| !wanted.is_object()),
            _ => false,
        }
    }
    if is_known(&filter) {
        Ok(filter)
    } else {
        Err(format!("infra/local/stream.rs knows less than the filter {filter} uses").into())
    }
}

/// Returns whether an event has what a filter asks for: every field, with one of the values listed there.
fn matches(filter: &Value, event: &Value) -> bool {
    match filter {
        Value::Object(fields) => fields.iter().all(|(name, wanted)| matches(wanted, &event[name])),
        Value::Array(wanted) => wanted.contains(event),
        _ => false,
    }
}
