//! The documents' items in DynamoDB: one table, one partition a document.
//!
//! Needs `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem` and `dynamodb:Query` on
//! the table. (A transaction needs the rights of the writes that it holds.) What the sweep needs besides: see `due.rs`.
//!
//! | `pk` | `sk` | what |
//! |-|-|-|
//! | `{tenant}#{dmsDocumentId}` | `document` | the [`Document`]: current content and pending upload |
//! | `{tenant}#{dmsDocumentId}` | `content#{sequence}` | a [`Content`] that was current once |
//! | `{tenant}#{dmsDocumentId}` | `version#{version}` | the `sequence` of the last such content of this version |
//! | `{tenant}#{dmsDocumentId}` | `history#{revision}` | what the document's own [`Entry`]s were once |
//! | `{tenant}#leftover#{dmsDocumentId}` | `{name}` | a [`Leftover`], until it is removed from S3 |
//! | `{tenant}#association#{id}`, `...#offering#...`, `...#person#...`, `...#student#...` | `{dmsDocumentId}` | the document is found by this id (a [`Link`]) |
//! | `#look-through` | `#look-through` | how far the bucket is listed (a [`Listing`]) |
//! | `{tenant}#usage` | `counter#{number}` | how many `uploads` are open, of how many `bytes` together; of each client the same as `uploads#{client}` and `bytes#{client}` |
//!
//! An item about which something is pending has the attributes `queue` and `due` besides, by which the
//! index `due` lists it.

use std::time::Duration;

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::{
    Client, config,
    operation::{
        put_item::PutItemError, query::builders::QueryFluentBuilder, transact_write_items::TransactWriteItemsError,
    },
    types::{
        AttributeValue, CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update, error::TransactionCanceledException,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::due;
use crate::{
    Error, Result,
    document::{Change, Content, Count, Document, Entry, Leftover, Verification, Version},
    listing::Listing,
    metadata::Link,
    tenant::{DocumentKey, Limits, TenantId},
};

pub(super) type Item = std::collections::HashMap<String, AttributeValue>;

/// How long to wait after each try of a conditional write.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::ZERO];
/// The one item that is no tenant's.
const LISTING: &str = "#look-through";
/// How often a write is tried that others stand in the way of.
const CONFLICTS: u32 = 10;

/// The table of documents.
pub struct Documents {
    pub(super) client: Client,
    pub(super) table: String,
}

/// What became of a conditional write.
#[derive(Debug)]
pub enum Written {
    /// It is the document's state now.
    Done,
    /// Another request was first; this is the state that it left.
    Lost(Box<Document>),
}

/// What one tenant has open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Uploads.
    pub uploads: i64,
    /// The bytes that they declare together.
    pub bytes: i64,
}

impl Documents {
    pub(super) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self::of(super::dynamodb(sdk), table)
    }

    /// The table of this name, through this client.
    pub fn of(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The document as it is now (a consistent read).
    pub async fn load(&self, key: &DocumentKey) -> Result<Option<Document>> {
        let item = self.item_of(key, "document").await?;
        item.map(read).transpose()
    }

    /// The document as it is now, if `client` handed it in, or whoever did where none is given. Of another's document nothing
    /// is read that an absent one would not have, so the time that it takes tells nothing either.
    pub async fn load_of(&self, key: &DocumentKey, client: Option<&str>) -> Result<Option<Document>> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", text(key.partition()))
            .expression_attribute_values(":sk", text("document"));
        let query = match client {
            None => query,
            Some(client) => {
                query.filter_expression("client = :client").expression_attribute_values(":client", text(client))
            }
        };
        let answer = query.send().await;
        let answer = answer.map_err(|error| Error::unavailable("reading a document", error))?;
        let item = answer.items.unwrap_or_default().pop();
        item.map(read).transpose()
    }

    /// One item of the document's partition (a consistent read).
    async fn item_of(&self, key: &DocumentKey, sk: &str) -> Result<Option<Item>> {
        let during = "reading an item of a document";
        self.item_at(key.partition(), sk, during).await
    }

    async fn item_at(&self, pk: impl Into<String>, sk: &str, during: &'static str) -> Result<Option<Item>> {
        let sent = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(pk))
            .key("sk", text(sk))
            .consistent_read(true)
            .send()
            .await;
        let answer = sent.map_err(|error| Error::unavailable(during, error))?;
        Ok(answer.item)
    }

    /// The newest content of this version in the document's history: two reads, however long that is.
    pub async fn past(&self, key: &DocumentKey, version: &Version) -> Result<Option<Content>> {
        let pointer = self.item_of(key, &version_key(version)).await?;
        let Some(pointer) = pointer else {
            return Ok(None);
        };
        let Pointer { sequence } = read(pointer)?;
        let content = self.item_of(key, &content_key(sequence)).await?;
        content.map(read).transpose()
    }

    /// The newest content in the document's history.
    pub async fn newest_past(&self, key: &DocumentKey) -> Result<Option<Content>> {
        first(self.history(key).limit(1)).await
    }

    /// The last entries of the document's history that its own item no longer holds.
    pub async fn newest_history(&self, key: &DocumentKey) -> Result<Vec<Entry>> {
        let newest = self.newest(key, "history#").limit(1).send().await;
        let newest = newest.map_err(|error| Error::unavailable("reading a document's history", error))?;
        let item = newest.items.unwrap_or_default().pop();
        let history = item.map(read::<History>).transpose()?;
        Ok(history.unwrap_or_default().entries)
    }

    /// The newest content in the document's history that is not known to be corrupt, and not the one that is just
    /// being found to be.
    pub async fn last_sound(&self, key: &DocumentKey, corrupt_version: &Version) -> Result<Option<Content>> {
        let corrupt = serde_dynamo::to_attribute_value(Verification::Corrupt)
            .map_err(|error| Error::unavailable("reading a document's history", error))?;
        let query = self
            .history(key)
            .filter_expression("verification <> :corrupt AND version <> :version")
            .expression_attribute_values(":corrupt", corrupt)
            .expression_attribute_values(":version", text(corrupt_version.to_string()));
        first(query).await
    }

    /// The contents that were current once, newest first.
    fn history(&self, key: &DocumentKey) -> QueryFluentBuilder {
        self.newest(key, "content#")
    }

    /// The items of the document's partition of this kind, newest first.
    fn newest(&self, key: &DocumentKey, kind: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("pk = :pk AND begins_with(sk, :kind)")
            .expression_attribute_values(":pk", text(key.partition()))
            .expression_attribute_values(":kind", text(kind))
    }

    /// Writes a change over the very revision that it was made from, and with it, in the same call, what it
    /// replaces into the document's history, what it ends into the list of leftovers, what it opens and ends
    /// into its tenant's counters, and the entries by which the document is found by the ids of others.
    ///
    /// [`Written::Lost`] is certain: nothing of the change has been, at any moment, the document's state. So is
    /// [`Error::TooManyUploads`], where the counter that the change names has no room. After any other error
    /// nothing is.
    pub async fn write(&self, change: &Change, now: Timestamp) -> Result<Written> {
        let next = &change.next;
        let put = self.put(next)?;
        let more = self.beside(change, now)?;
        let mut pauses = PAUSES.iter();
        let mut conflicts = 0;
        // Tried again here and not by the SDK: once a try may have had its effect unseen, a refusal no longer
        // says that it had none.
        let mut unsure = None;
        loop {
            let sent = if more.is_empty() {
                self.send_alone(put.clone()).await
            } else {
                self.send_with(put.clone(), more.clone()).await
            };
            let certain = match sent {
                Ok(Sent::Done) => return Ok(Written::Done),
                Ok(Sent::Refused(item)) => match read(item)? {
                    // Our own write, whose first answer was lost.
                    current if current == *next => return Ok(Written::Done),
                    current => Ok(Written::Lost(Box::new(current))),
                },
                Ok(Sent::Full) => Err(Error::TooManyUploads),
                // Of two transactions on one item one has no effect: ours, this time.
                Ok(Sent::Conflict) if conflicts < CONFLICTS => {
                    let pause = fastrand::u64(5..30) << conflicts.min(4);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    conflicts += 1;
                    continue;
                }
                Ok(Sent::Conflict) => return Err(unsure.unwrap_or(Error::Contended)),
                Err(error) => {
                    let Some(pause) = pauses.next() else {
                        return Err(unsure.unwrap_or(error));
                    };
                    unsure = Some(error);
                    tokio::time::sleep(*pause).await;
                    continue;
                }
            };
            // Ours was first and has been built upon, or never was: the request, sent again, will see.
            return unsure.map_or(certain, Err);
        }
    }

    /// What a tenant has open, by all of its counters.
    pub async fn usage(&self, tenant: &TenantId) -> Result<Usage> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(tenant.usage_partition()));
        let answer = query.send().await.map_err(|error| Error::unavailable("reading a tenant's counters", error))?;
        let mut usage = Usage::default();
        for item in answer.items() {
            let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
            usage.uploads += number("uploads").unwrap_or_default();
            usage.bytes += number("bytes").unwrap_or_default();
        }
        Ok(usage)
    }

    /// Writes into the history what a verification found. Nothing, if it was found before.
    pub async fn note_verification(&self, key: &DocumentKey, content: &Content) -> Result<bool> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(content_item(key, content)?))
            .condition_expression("verification = :pending")
            .expression_attribute_values(":pending", text("pending"))
            .send()
            .await;
        let Err(error) = sent else { return Ok(true) };
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(_) => Ok(false),
            error => Err(Error::unavailable("writing a history item", error)),
        }
    }

    /// Notes something that is to be removed from S3, unless a document points to it by then.
    pub async fn note_leftover(&self, key: &DocumentKey, leftover: &Leftover) -> Result<()> {
        let item = leftover_item(key, leftover)?;
        self.put_item(item, "noting a leftover").await
    }

    /// How far the last listing of the bucket is; `None` where there was none.
    pub async fn last_listing(&self) -> Result<Option<Listing>> {
        let during = "reading how far the bucket is listed";
        let item = self.item_at(LISTING, LISTING, during).await?;
        item.map(read).transpose()
    }

    /// Notes how far a listing of the bucket is.
    pub async fn save_listing(&self, listing: &Listing) -> Result<()> {
        let during = "noting how far the bucket is listed";
        let mut item: Item = serde_dynamo::to_item(listing).map_err(|error| Error::unavailable(during, error))?;
        item.insert("pk".to_owned(), text(LISTING));
        item.insert("sk".to_owned(), text(LISTING));
        self.put_item(item, during).await
    }

    /// Writes an item, whatever was there.
    async fn put_item(&self, item: Item, during: &'static str) -> Result<()> {
        let put = self.client.put_item().table_name(&self.table);
        let sent = put.set_item(Some(item)).send().await;
        sent.map(drop).map_err(|error| Error::unavailable(during, error))
    }

    async fn send_alone(&self, put: Put) -> Result<Sent> {
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .set_return_values_on_condition_check_failure(put.return_values_on_condition_check_failure)
            .customize()
            .config_override(once())
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Sent::Done);
        };
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(failed) => Ok(Sent::Refused(failed.item.unwrap_or_default())),
            PutItemError::TransactionConflictException(_) => Ok(Sent::Conflict),
            error => Err(Error::unavailable("writing a document's item", error)),
        }
    }

    async fn send_with(&self, put: Put, more: Vec<TransactWriteItem>) -> Result<Sent> {
        let document = TransactWriteItem::builder().put(put).build();
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some([vec![document], more].concat()))
            .customize()
            .config_override(once())
            .send();
        let Err(error) = sent.await else {
            return Ok(Sent::Done);
        };
        match error.into_service_error() {
            TransactWriteItemsError::TransactionCanceledException(canceled) => canceled_by(canceled),
            error => Err(Error::unavailable("writing a document's item with others", error)),
        }
    }

    /// What a change writes beside the document's own item.
    fn beside(&self, change: &Change, now: Timestamp) -> Result<Vec<TransactWriteItem>> {
        let key = change.next.key();
        let mut items = Vec::new();
        if let Some(replaced) = &change.replaced {
            items.push(content_item(&key, replaced)?);
            let current = change.next.content.as_ref();
            // Of a version that stays current the document's own item tells.
            if current.is_none_or(|current| current.version != replaced.version) {
                let sequence = replaced.sequence;
                let sk = version_key(&replaced.version);
                items.push(item(&key, &sk, &Pointer { sequence }, None)?);
            }
        }
        if let Some(ended) = &change.ended {
            items.push(leftover_item(&key, &Leftover::of_upload(ended, now))?);
        }
        if let Some(first) = change.archived.first() {
            items.push(history_item(&key, first.revision, &change.archived)?);
        }
        items.extend(change.linked.iter().map(|link| link_key(&key, link)));
        let mut writes = Vec::new();
        for item in items {
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = put.build().map_err(building)?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        for link in &change.unlinked {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(link_key(&key, link)));
            let delete = delete.build().map_err(building)?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        for &count in &change.counted {
            let update = self.count(&change.next, count, change.within)?;
            writes.push(TransactWriteItem::builder().update(update).build());
        }
        Ok(writes)
    }

    /// Counts what is opened and what has ended, for the tenant and for the document's client; what is opened only where
    /// both have room.
    fn count(&self, of: &Document, count: Count, within: Option<Limits>) -> Result<Update> {
        let number = |number: i64| AttributeValue::N(number.to_string());
        let [uploads, bytes] = counted_of_client(&of.client);
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(of.tenant.usage_partition()))
            .key("sk", text(format!("counter#{}", count.counter)))
            .update_expression("ADD uploads :uploads, bytes :bytes, #uploads :uploads, #bytes :bytes")
            .expression_attribute_names("#uploads", uploads)
            .expression_attribute_names("#bytes", bytes)
            .expression_attribute_values(":uploads", number(count.uploads))
            .expression_attribute_values(":bytes", number(count.bytes));
        let Some(limits) = within.filter(|_| count.uploads > 0 || count.bytes > 0) else {
            return update.build().map_err(building);
        };
        let room = limits.room(count.counter);
        let of_client = limits.room_of_client(count.counter);
        let left = |room: u64, more: i64| number(room.cast_signed() - more);
        let update = update
            .condition_expression(
                "(attribute_not_exists(uploads) OR uploads <= :uploadsLeft) \
                 AND (attribute_not_exists(bytes) OR bytes <= :bytesLeft) \
                 AND (attribute_not_exists(#uploads) OR #uploads <= :uploadsOfClientLeft) \
                 AND (attribute_not_exists(#bytes) OR #bytes <= :bytesOfClientLeft)",
            )
            .expression_attribute_values(":uploadsLeft", left(room.uploads, count.uploads))
            .expression_attribute_values(":bytesLeft", left(room.bytes, count.bytes))
            .expression_attribute_values(":uploadsOfClientLeft", left(of_client.uploads, count.uploads))
            .expression_attribute_values(":bytesOfClientLeft", left(of_client.bytes, count.bytes));
        update.build().map_err(building)
    }

    /// The conditional put of a document's item.
    fn put(&self, next: &Document) -> Result<Put> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item(&next.key(), "document", next, next.due())?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match next.revision - 1 {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            before => put
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string())),
        };
        put.build().map_err(building)
    }
}

fn building(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::unavailable("building a document's item", error)
}

/// Tries a call once only.
fn once() -> config::Builder {
    config::Builder::new().retry_config(RetryConfig::disabled())
}

/// What became of one attempt to write.
enum Sent {
    Done,
    /// This item stood in the way.
    Refused(Item),
    /// A counter had no room.
    Full,
    /// Another transaction was at work on the same item at that moment.
    Conflict,
}

/// Why a transaction came to nothing; the document's item is its first, and of the others only the counters have
/// conditions.
fn canceled_by(canceled: TransactionCanceledException) -> Result<Sent> {
    let reasons = canceled.cancellation_reasons();
    let refused = |reason: &&CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let conflict = |reason: &CancellationReason| reason.code() == Some("TransactionConflict");
    if let Some(document) = reasons.first().filter(refused) {
        let item = document.item().cloned();
        Ok(Sent::Refused(item.unwrap_or_default()))
    } else if reasons.iter().any(conflict) {
        Ok(Sent::Conflict)
    } else if reasons.iter().any(|reason| refused(&reason)) {
        Ok(Sent::Full)
    } else {
        Err(Error::unavailable("writing a document's item with others", canceled))
    }
}

async fn first(query: QueryFluentBuilder) -> Result<Option<Content>> {
    let mut items = query.into_paginator().items().send();
    let item = items.next().await.transpose();
    item.map_err(|error| Error::unavailable("reading a document's history", error))?.map(read).transpose()
}

fn content_item(key: &DocumentKey, content: &Content) -> Result<Item> {
    item(key, &content_key(content.sequence), content, content.due())
}

fn content_key(sequence: u32) -> String {
    format!("content#{sequence:010}")
}

fn version_key(version: &Version) -> String {
    format!("version#{version}")
}

/// Entries of a document's history that were moved out of its own item.
#[derive(Default, Serialize, Deserialize)]
struct History {
    entries: Vec<Entry>,
}

/// Where in the history the last content of a version is.
#[derive(Serialize, Deserialize)]
struct Pointer {
    sequence: u32,
}

fn history_item(key: &DocumentKey, first: u64, entries: &[Entry]) -> Result<Item> {
    let entries = entries.to_vec();
    item(key, &format!("history#{first:010}"), &History { entries }, None)
}

fn leftover_item(key: &DocumentKey, leftover: &Leftover) -> Result<Item> {
    let mut item = item(key, &leftover.name(), leftover, Some(leftover.due()))?;
    item.insert("pk".to_owned(), text(key.leftover_partition()));
    Ok(item)
}

/// The names under which a counter has the uploads and the bytes of one client.
pub fn counted_of_client(client: &str) -> [String; 2] {
    [format!("uploads#{client}"), format!("bytes#{client}")]
}

/// The entry by which the document is found by an id of others: nothing but its key.
fn link_key(key: &DocumentKey, link: &Link) -> Item {
    [("pk", key.tenant.link_partition(link)), ("sk", key.id.to_string())]
        .map(|(name, value)| (name.to_owned(), text(value)))
        .into()
}

/// `value` as an item of the document's partition, listed by the index if it is due some time.
fn item(key: &DocumentKey, sk: &str, value: &impl Serialize, due: Option<Timestamp>) -> Result<Item> {
    let mut item: Item =
        serde_dynamo::to_item(value).map_err(|error| Error::unavailable("writing a document as an item", error))?;
    item.insert("pk".to_owned(), text(key.partition()));
    item.insert("sk".to_owned(), text(sk));
    if let Some(due) = due {
        item.extend(due::attributes(key, due));
    }
    Ok(item)
}

pub(super) fn read<T: DeserializeOwned>(item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(|error| Error::unavailable("reading an item", error))
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
