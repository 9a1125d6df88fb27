//! The index of what is pending: uploads, contents to verify, leftovers to remove.
//!
//! It is sparse: an item is in it only while it has the attributes `queue` (one of [`QUEUES`], by the
//! document's id, so that no partition of the index is hot) and `due` (epoch seconds, when the sweep is to
//! look after it). Whatever makes a thing pending or settles it writes the item, so the index cannot forget.
//!
//! The sweep needs `dynamodb:Query` on the index, and `dynamodb:UpdateItem` and `dynamodb:DeleteItem` on the
//! table.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{query::QueryError, update_item::UpdateItemError},
    types::{AttributeValue, ReturnValue},
};
use jiff::Timestamp;

use super::documents::{Documents, Item, read, text};
use crate::{
    Error, Result,
    document::{Content, Document, LOOK_AGAIN, Leftover},
    tenant::{DocumentKey, TenantId},
};

/// How many queues the index has.
pub const QUEUES: u8 = 8;
/// Entries read at once.
const PAGE: i32 = 100;

/// An entry of the index, as it was when it was read.
#[derive(Debug, Clone)]
pub struct Entry {
    pk: String,
    sk: String,
    due: i64,
}

/// Some entries of a queue, the most overdue first, and where to go on.
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` at the queue's end.
    pub next: Option<Item>,
}

/// What an entry leads to.
#[derive(Debug)]
pub enum Due {
    /// A document with a pending upload, an unverified content or both.
    Document(Box<Document>),
    /// A content in a document's history that has yet to be verified.
    Past(DocumentKey, Box<Content>),
    /// Something to remove from S3.
    Leftover(DocumentKey, Leftover),
}

impl Entry {
    /// How late it is, in whole seconds.
    pub fn seconds_late(&self, now: Timestamp) -> u64 {
        u64::try_from(now.as_second() - self.due).unwrap_or_default()
    }

    fn read(item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        Some(Self { pk: text("pk")?, sk: text("sk")?, due: item.get("due")?.as_n().ok()?.parse().ok()? })
    }
}

/// What puts an item of this document into the index.
pub(super) fn attributes(key: &DocumentKey, due: Timestamp) -> [(String, AttributeValue); 2] {
    [("queue".to_owned(), queue(key.id.queue(QUEUES))), ("due".to_owned(), seconds(due))]
}

impl Documents {
    /// The documents of a tenant about which something is pending, whenever it is due.
    pub async fn pending(&self, tenant: &TenantId) -> Result<Vec<Document>> {
        let mut documents = Vec::new();
        for number in 0..QUEUES {
            let query = self.client.query().table_name(&self.table);
            let query = query.index_name("due").key_condition_expression("queue = :queue");
            let query = query.expression_attribute_values(":queue", queue(number));
            let mut items = query.into_paginator().items().send();
            while let Some(item) = items.next().await.transpose().map_err(reading)? {
                let entry = Entry::read(&item).filter(|entry| entry.sk == "document");
                let key = entry.and_then(|entry| DocumentKey::of_partition(&entry.pk));
                if let Some(key) = key.filter(|key| key.tenant == *tenant) {
                    documents.extend(self.load(&key).await?);
                }
            }
        }
        Ok(documents)
    }

    /// A page of what is due in a queue at `now`.
    pub async fn due(&self, number: u8, now: Timestamp, from: Option<Item>) -> Result<Page> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("queue = :queue AND due <= :now")
            .expression_attribute_values(":queue", queue(number))
            .expression_attribute_values(":now", seconds(now))
            .limit(PAGE)
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(reading)?;
        Ok(Page { entries: answer.items().iter().filter_map(Entry::read).collect(), next: answer.last_evaluated_key })
    }

    /// Takes an entry: it will be due again only after a while, so that whatever happens to us it gets its
    /// turn again, and does not keep the others from theirs. `None` where somebody else has taken it, or where
    /// nothing is pending any more.
    pub async fn take(&self, entry: &Entry, now: Timestamp) -> Result<Option<Due>> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(&entry.pk))
            .key("sk", text(&entry.sk))
            .update_expression("SET due = :later")
            .condition_expression("due = :seen")
            .expression_attribute_values(":later", seconds(now + LOOK_AGAIN))
            .expression_attribute_values(":seen", AttributeValue::N(entry.due.to_string()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let item = match sent.map_err(SdkError::into_service_error) {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(None),
            Err(error) => return Err(Error::unavailable("taking what is due", error)),
        };
        if let Some(key) = DocumentKey::of_leftover_partition(&entry.pk) {
            return Ok(Some(Due::Leftover(key, read(item)?)));
        }
        if !entry.sk.starts_with("content#") {
            return Ok(Some(Due::Document(read(item)?)));
        }
        let unknown = || Error::unavailable("taking what is due", "not a key of ours");
        let key = DocumentKey::of_partition(&entry.pk).ok_or_else(unknown)?;
        Ok(Some(Due::Past(key, read(item)?)))
    }

    /// Forgets a leftover: it is gone from S3, or turned out to be a document's.
    pub async fn forget(&self, key: &DocumentKey, leftover: &Leftover) -> Result<()> {
        let sent = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", text(key.leftover_partition()))
            .key("sk", text(leftover.name()))
            .send()
            .await;
        sent.map(drop).map_err(|error| Error::unavailable("forgetting a leftover", error))
    }
}

fn reading(error: SdkError<QueryError>) -> Error {
    Error::unavailable("reading what is due", error)
}

fn queue(number: u8) -> AttributeValue {
    text(number.to_string())
}

fn seconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_second().to_string())
}
