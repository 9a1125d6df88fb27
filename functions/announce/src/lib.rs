//! The Lambda function behind the table's stream. Every change of a document is a write of its item, and the
//! stream has every write, in order, for a day: so each change is announced at least once, also after a crash.
//! [`change`] reads what a write says, [`bus`] is where the school's own DMS hears of it; and of every document and
//! upload it is counted how it came and what became of it.

pub mod bus;
pub mod change;

use std::collections::BTreeMap;

use lambda_runtime::{LambdaEvent, service_fn};
use okd_core::{
    config::{BusConfig, MetricsConfig},
    lambda,
    metrics::{Measured, Meter, Metric},
    stores,
};
use serde_json::{Value, json};

use bus::Bus;
use change::{Batch, Change, StreamRecord};

/// Cold start, then batches until Lambda ends the process. Settings come from the environment; see [`BusConfig`].
pub async fn run() -> Result<(), lambda_runtime::Error> {
    lambda::start_log();
    let bus = &Bus::new(&stores::connect_in_lambda()?, BusConfig::from_env()?.bus);
    let meter = &Meter::new(MetricsConfig::from_env()?);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Batch>| {
        let mut measured = meter.begin();
        let calls = measured.calls();
        let answer = calls.of(handle(bus, &event.payload.records, meter, &mut measured)).await;
        measured.write();
        Ok::<_, lambda_runtime::Error>(answer)
    }))
    .await
}

/// Announces what the records say, in their order, up to the first of which that cannot be done. From that one on
/// Lambda sends them again: `ReportBatchItemFailures`.
async fn handle(bus: &Bus, records: &[StreamRecord], meter: &Meter, measured: &mut Measured) -> Value {
    let mut changes = Vec::new();
    for record in records {
        match record.change() {
            Ok(change) => changes.push(change),
            Err(reason) => {
                // A version of this function that can read it may be on its way: it is not for us to drop it.
                tracing::error!(reason, "a write cannot be read");
                break;
            }
        }
    }
    let done = announce(bus, &changes).await;
    count(&changes[..done], meter);
    let announced = changes[..done].iter().filter(|change| change.announced.is_some());
    let announced = announced.count();
    tracing::info!(records = records.len(), done, announced, "announced");
    measured.add(&[], &[(Metric::Announced, announced as u64)]);
    let failed = records.get(done).map(StreamRecord::sequence_number);
    let failures: Vec<Value> = failed.map(|number| json!({ "itemIdentifier": number })).into_iter().collect();
    json!({ "batchItemFailures": failures })
}

/// Says how many of the changes, from the first, are done with.
async fn announce<'a>(bus: &Bus, changes: &'a [Change]) -> usize {
    let announced = |(index, change): (usize, &'a Change)| Some((index, change.announced.as_ref()?));
    let announcements: Vec<_> = changes.iter().enumerate().filter_map(announced).collect();
    for some in announcements.chunks(bus::AT_ONCE) {
        let those: Vec<_> = some.iter().map(|&(_, announcement)| announcement).collect();
        let there = bus.announce(&those).await.unwrap_or_else(|error| {
            let cause = error.to_string();
            tracing::error!(cause, "nothing announced");
            0
        });
        if let Some(&(index, _)) = some.get(there) {
            return index;
        }
    }
    changes.len()
}

/// Writes a line of metrics for every outcome, and for every form where all metrics are asked for.
fn count(changes: &[Change], meter: &Meter) {
    let mut totals: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for counted in changes.iter().filter_map(|change| change.counted) {
        let form = meter.has_all().then_some(counted.form);
        let (documents, bytes) = totals.entry((form, counted.outcome)).or_default();
        *documents += 1;
        *bytes += counted.bytes;
    }
    for ((form, outcome), (documents, bytes)) in totals {
        let form = form.map(|form| ("Form", form));
        let dimensions: Vec<_> = form.into_iter().chain([("Outcome", outcome)]).collect();
        let mut line = meter.line();
        line.add(&dimensions, &[(Metric::Documents, documents), (Metric::Bytes, bytes)]);
        line.write();
    }
}
