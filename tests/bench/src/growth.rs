//! Requests to a function whose tables are empty and to one whose are full, turn by turn; and sweeps over many pending
//! uploads.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use okd_cli::{DOCUMENTS, physical_name};
use okd_core::{ids::DocumentKey, stores::ItemKey};
use okd_local::{Result, events};

use crate::{
    calls::send,
    cloud::{Cloud, Wire},
    compare::GIB,
    contenders::{Contender, build_reconcile},
    events::{ASSOCIATION, Requests},
    figures::{Grown, PUT_64, Swept, ms, quantile},
    folders::ours,
    function::Function,
};

type Item = HashMap<String, AttributeValue>;

/// The person of the sample's metadata.
const PERSON: &str = "5ab399b8-c499-4da8-af6d-b55e66251f31";
/// Documents stored, step by step.
pub(crate) const STEPS: [u64; 3] = [10_000, 100_000, 1_000_000];
/// Rounds in which both functions take turns, and requests of a kind in each.
const ROUNDS: usize = 5;
const EACH: usize = 20;
/// The kinds of requests.
const KINDS: [&str; 5] = [PUT_64, "PUT inline, 8 KiB", "GET metadata", "GET list", "GET list, by retention"];
/// Items that one call writes, and calls at once.
const AT_ONCE: usize = 25;
const WRITERS: usize = 4;
/// Uploads over which a sweep goes.
const PENDING: u64 = 100_000;

/// A cloud, the function on it, and one document that is stored there.
struct Side<'a> {
    cloud: &'a Cloud,
    function: Function,
    document: String,
    took: HashMap<&'static str, Vec<f64>>,
    cpu: HashMap<&'static str, f64>,
}

/// Fills one cloud step by step, from where it is, and compares it with the one that stays empty; then has it sweep.
pub(crate) async fn measure(
    empty: &Cloud,
    full: &Cloud,
    mut there: u64,
    steps: &[u64],
) -> Result<(Vec<Grown>, Vec<Swept>)> {
    let mut grown = Vec::new();
    let mut empty = Side::start(empty).await?;
    let mut full = Side::start(full).await?;
    // Of the one where a look at all items takes no time.
    let stored = empty.items_of_document().await?;
    for &documents in steps {
        if documents < there {
            continue;
        }
        fill(full.cloud, documents - there, |_| stored.clone()).await?;
        there = documents;
        grown.extend(compare(&mut empty, &mut full, documents).await?);
    }
    Ok((grown, sweep(full.cloud, &mut full.function).await?))
}

impl<'a> Side<'a> {
    async fn start(cloud: &'a Cloud) -> Result<Self> {
        let mut function = Contender::Ours.start(cloud, Wire::Plain, &[]).await?;
        let requests = Requests { token: cloud.token(Wire::Plain) };
        let stored = function.expect(requests.inline(b"%PDF-1.4 one"), 200).await?;
        let document = stored.body()?["dmsDocumentId"].as_str().unwrap_or_default().to_owned();
        Ok(Self { cloud, function, document, took: HashMap::new(), cpu: HashMap::new() })
    }

    /// All items of the one document: its own, and those by which it is found.
    async fn items_of_document(&self) -> Result<Vec<Item>> {
        let scan = self.cloud.stores.dynamodb_client.scan().table_name(physical_name(DOCUMENTS));
        let items: Vec<Item> = scan.into_paginator().items().send().collect::<Result<_, _>>().await?;
        Ok(items.into_iter().filter(|item| format!("{item:?}").contains(&self.document)).collect())
    }

    async fn ask(&mut self, what: &'static str) -> Result<()> {
        let requests = Requests { token: self.cloud.token(Wire::Plain) };
        let events: Vec<(Bytes, u16)> = (0..EACH)
            .map(|number| match what {
                PUT_64 => (requests.offer(GIB), 202),
                "PUT inline, 8 KiB" => (requests.inline(&[&number.to_le_bytes()[..], &[b'x'; 8192]].concat()), 200),
                "GET metadata" => (requests.metadata(&self.document), 200),
                "GET list, by retention" => (requests.due_before("2099-01-01"), 200),
                _ => (requests.list(), 200),
            })
            .collect();
        let before = self.function.used()?.cpu;
        for (event, status) in events {
            let answered = self.function.expect(event, status).await?;
            self.took.entry(what).or_default().push(ms(answered.took));
        }
        *self.cpu.entry(what).or_default() += self.function.used()?.cpu - before;
        Ok(())
    }
}

async fn compare<'a>(empty: &mut Side<'a>, full: &mut Side<'a>, documents: u64) -> Result<Vec<Grown>> {
    for side in [&mut *empty, &mut *full] {
        (side.took, side.cpu) = (HashMap::new(), HashMap::new());
    }
    for _ in 0..ROUNDS {
        for what in KINDS {
            empty.ask(what).await?;
            full.ask(what).await?;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "some hundred")]
    let per_request = |cpu: f64| cpu / (ROUNDS * EACH) as f64;
    Ok(KINDS
        .iter()
        .map(|&what| Grown {
            documents,
            request: what.to_owned(),
            p50: quantile(&full.took[what], 0.5),
            p50_empty: quantile(&empty.took[what], 0.5),
            cpu: per_request(full.cpu[what]),
            cpu_empty: per_request(empty.cpu[what]),
        })
        .collect())
}

/// Writes so many documents, each as the items that `like` gives for its number, under ids of their own.
async fn fill(cloud: &Cloud, documents: u64, like: impl Fn(u64) -> Vec<Item>) -> Result<()> {
    let renamed = (0..documents).flat_map(|number| {
        let items = like(number);
        let id = items.iter().find_map(|item| item.get("id")?.as_s().ok().cloned()).unwrap_or_default();
        // Each is another's, on another association: an association has a handful of documents.
        let new = [id, ASSOCIATION.to_owned(), PERSON.to_owned()].map(|old| (old, uuid::Uuid::new_v4().to_string()));
        items.into_iter().map(move |item| item.into_iter().map(|(name, value)| (name, rename(value, &new))).collect())
    });
    let mut batches = Vec::new();
    let mut written = 0_usize;
    let mut renamed = renamed.peekable();
    while renamed.peek().is_some() {
        batches.push(renamed.by_ref().take(AT_ONCE).collect::<Vec<Item>>());
        // Not all of a million at once.
        if batches.len() == 1000 || renamed.peek().is_none() {
            written += batches.len();
            stream::iter(std::mem::take(&mut batches))
                .map(|batch| write(cloud, batch))
                .buffer_unordered(WRITERS)
                .try_collect::<Vec<()>>()
                .await?;
            eprint!("\r{written} batches of items");
        }
    }
    eprintln!();
    Ok(())
}

async fn write(cloud: &Cloud, items: Vec<Item>) -> Result<()> {
    let put = |item| -> Result<WriteRequest> {
        let put = PutRequest::builder().set_item(Some(item)).build()?;
        Ok(WriteRequest::builder().put_request(put).build())
    };
    let writes = items.into_iter().map(put).collect::<Result<_>>()?;
    let client = &cloud.stores.dynamodb_client;
    client.batch_write_item().request_items(physical_name(DOCUMENTS), writes).send().await?;
    Ok(())
}

/// The value with other ids in it: pairs of an old one and a new one.
fn rename(value: AttributeValue, ids: &[(String, String)]) -> AttributeValue {
    match value {
        AttributeValue::S(text) => AttributeValue::S(ids.iter().fold(text, |text, (old, new)| text.replace(old, new))),
        AttributeValue::L(list) => AttributeValue::L(list.into_iter().map(|value| rename(value, ids)).collect()),
        AttributeValue::M(map) => {
            AttributeValue::M(map.into_iter().map(|(name, value)| (name, rename(value, ids))).collect())
        }
        other => other,
    }
}

/// Sweeps over many pending uploads of which none, ten or a thousand are due.
async fn sweep(cloud: &Cloud, function: &mut Function) -> Result<Vec<Swept>> {
    build_reconcile()?;
    let requests = Requests { token: cloud.token(Wire::Plain) };
    let offered = function.expect(requests.offer(5), 202).await?.body()?;
    // One part is there, so that it is looked at as an upload on its way.
    send(&offered["upload"]["parts"][0], b"12345").await?;
    let id = offered["dmsDocumentId"].as_str().unwrap_or_default();
    let ItemKey { pk, sk } = ItemKey::document(&DocumentKey::parse(Wire::Plain.tenant(), id).ok_or("no id")?);
    let item = cloud.stores.dynamodb_client.get_item().table_name(physical_name(DOCUMENTS));
    let item = item.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk)).send().await?;
    let pending = item.item.filter(|item| item.contains_key("due")).ok_or("no item is pending")?;

    let now = Timestamp::now();
    let mut swept = Vec::new();
    let later = |minutes: i64| AttributeValue::N((now + SignedDuration::from_mins(minutes)).as_second().to_string());
    fill(cloud, PENDING, |_| {
        let mut item = pending.clone();
        item.insert("due".to_owned(), later(24 * 60));
        vec![item]
    })
    .await?;
    for due in [0, 10, 1000] {
        fill(cloud, due, |_| {
            let mut item = pending.clone();
            item.insert("due".to_owned(), later(-1));
            vec![item]
        })
        .await?;
        let environment = cloud.environment("ReconcileFunction", Wire::Plain);
        let environment =
            environment.into_iter().chain([("AWS_SDK_UA_APP_ID".to_owned(), "ReconcileFunction-bench".to_owned())]);
        let command = [ours("reconcile").display().to_string()];
        let mut reconcile =
            Function::start(&command, &environment.collect(), &cloud.folder.join("reconcile.log")).await?;
        let (before, used) = (cloud.calls(), reconcile.used()?.cpu);
        let answered = reconcile.invoke(events::clock(now)).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        swept.push(Swept {
            pending: PENDING,
            due,
            calls: cloud.calls_since(before).len(),
            cpu: reconcile.used()?.cpu - used,
            took: ms(answered.took),
        });
    }
    Ok(swept)
}
