//! The index of what is pending: uploads, contents to verify and to screen, orphans to remove, enrolments to tell documents of.
//!
//! It is sparse: an item is in it only while it has the attributes `queue` (one of `QUEUES`, by the document's id, so
//! that no partition of the index is hot) and `due` (epoch seconds, the time to look after it). The write that makes a
//! thing pending or settles it writes these too, so the index cannot forget.
//!
//! The sweep needs `dynamodb:Query` on the index, and `dynamodb:UpdateItem` and `dynamodb:DeleteItem` on the table.

#[cfg(test)]
mod tests;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{query::QueryError, update_item::UpdateItemError},
    types::ReturnValue,
};
use jiff::Timestamp;

use super::{
    documents::Documents,
    table::{Item, ItemKey, Place, QUEUES, Record, number, queue},
};
use crate::{
    Error, Result,
    association::Association,
    document::{Content, Document, LOOK_AGAIN, Orphan},
    ids::{DocumentKey, TenantId},
};

/// Work items read at once.
const PAGE: i32 = 100;

/// An entry of the index, as it was when it was read.
#[derive(Debug, Clone)]
pub struct WorkItem {
    key: ItemKey,
    due: i64,
}

/// Some work items of a queue, the most overdue first, and where to go on.
pub struct Page {
    /// The work items.
    pub items: Vec<WorkItem>,
    /// The beginning of the next page; `None` at the queue's end.
    pub next: Option<Item>,
}

/// Work that is due.
#[derive(Debug)]
pub enum Work {
    /// A document with a pending upload, or a content that is unverified or unscreened.
    Document(Box<Document>),
    /// A content in a document's history that has yet to be verified or screened.
    Past(DocumentKey, Box<Content>),
    /// Something to remove from S3.
    Orphan(DocumentKey, Orphan),
    /// An association whose documents may not know of its last report.
    Association(Box<Association>),
}

impl WorkItem {
    /// The delay, in whole seconds.
    pub fn seconds_late(&self, now: Timestamp) -> u64 {
        u64::try_from(now.as_second() - self.due).unwrap_or_default()
    }

    fn read(item: &Item) -> Option<Self> {
        let key = ItemKey::of(item)?;
        Some(Self { key, due: item.get("due")?.as_n().ok()?.parse().ok()? })
    }
}

impl Documents {
    /// The documents of a tenant about which something is pending, whenever it is due.
    pub async fn pending(&self, tenant: &TenantId) -> Result<Vec<Document>> {
        let mut documents = Vec::new();
        for queue_number in 0..QUEUES {
            let query = self.client.query().table_name(&self.table);
            let query = query.index_name("due").key_condition_expression("queue = :queue");
            let query = query.expression_attribute_values(":queue", queue(queue_number));
            let mut items = query.into_paginator().items().send();
            while let Some(item) = items.next().await.transpose().map_err(reading)? {
                let place = WorkItem::read(&item).and_then(|item| item.key.parse());
                if let Some(Place::Document(key)) = place
                    && key.tenant == *tenant
                {
                    documents.extend(self.load(&key).await?);
                }
            }
        }
        Ok(documents)
    }

    /// A page of what is due in a queue at `now`.
    pub async fn due(&self, queue_number: u8, now: Timestamp, from: Option<Item>) -> Result<Page> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("queue = :queue AND due <= :now")
            .expression_attribute_values(":queue", queue(queue_number))
            .expression_attribute_values(":now", number(now.as_second()))
            .limit(PAGE)
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(reading)?;
        let items = answer.items().iter().filter_map(WorkItem::read).collect();
        Ok(Page { items, next: answer.last_evaluated_key })
    }

    /// Leases a work item by moving its `due` ahead ([`LOOK_AGAIN`]): after a crash it becomes visible again then.
    /// `None` where another sweep has leased it, or where nothing is pending any more.
    pub(crate) async fn lease(&self, item: &WorkItem, now: Timestamp) -> Result<Option<Work>> {
        let during = "leasing what is due";
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item.key.clone().into_item()))
            .update_expression("SET due = :later")
            .condition_expression("due = :seen")
            .expression_attribute_values(":later", number((now + LOOK_AGAIN).as_second()))
            .expression_attribute_values(":seen", number(item.due))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let attributes = match sent.map_err(SdkError::into_service_error) {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(None),
            Err(error) => return Err(Error::unavailable(during, error)),
        };
        Ok(Some(match Record::read(&item.key, attributes)? {
            Record::Document(document) => Work::Document(document),
            Record::Content(key, content) => Work::Past(key, content),
            Record::Orphan(key, orphan) => Work::Orphan(key, orphan),
            Record::Association(association) => Work::Association(association),
            _ => return Err(Error::unavailable(during, "an item that is never pending")),
        }))
    }

    /// Forgets an orphan: it is gone from S3, or turned out to be a document's.
    pub async fn forget(&self, key: &DocumentKey, orphan: &Orphan) -> Result<()> {
        self.delete_item(ItemKey::orphan(key, orphan), "forgetting an orphan").await
    }
}

fn reading(error: SdkError<QueryError>) -> Error {
    Error::unavailable("reading what is due", error)
}
