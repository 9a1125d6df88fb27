//! The documents' items in DynamoDB: one table, one partition a document.
//!
//! Needs `dynamodb:GetItem`, `dynamodb:PutItem` and `dynamodb:Query` on the table. (A transaction needs the rights of the
//! writes that it holds.)
//!
//! | `pk` | `sk` | what |
//! |-|-|-|
//! | `{tenant}#{dmsDocumentId}` | `document` | the [`Document`]: current content and pending upload |
//! | `{tenant}#{dmsDocumentId}` | `content#{sequence}` | a [`Content`] that was current once |

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, error::TransactionCanceledException,
    },
};
use serde::Serialize;

use crate::{
    Error, Result,
    document::{Change, Content, Document, DocumentId, Version},
    tenant::TenantId,
};

type Item = std::collections::HashMap<String, AttributeValue>;

/// The table of documents.
pub struct Documents {
    client: Client,
    table: String,
}

/// What became of a conditional write.
#[derive(Debug)]
pub enum Written {
    /// It is the document's state now.
    Done,
    /// Another request was first; this is the state that it left.
    Lost(Box<Document>),
}

impl Documents {
    pub(super) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self {
            client: Client::new(sdk),
            table,
        }
    }

    /// The document as it is now (a consistent read).
    pub async fn load(&self, tenant: &TenantId, id: DocumentId) -> Result<Option<Document>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(tenant.partition_key(id)))
            .key("sk", AttributeValue::S("document".to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Error::unavailable("reading a document's item", error))?;
        answer.item.map(read).transpose()
    }

    /// Whether `version` was once the document's current content, and was replaced.
    pub async fn was_replaced(&self, document: &Document, version: &Version) -> Result<bool> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :content)")
            .filter_expression("version = :version")
            .expression_attribute_values(
                ":pk",
                AttributeValue::S(document.tenant.partition_key(document.id)),
            )
            .expression_attribute_values(":content", AttributeValue::S("content#".to_owned()))
            .expression_attribute_values(":version", AttributeValue::S(version.to_string()))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| Error::unavailable("reading a document's history", error))?;
            if page.count() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a change over the very revision that it was made from, and what it replaces into the
    /// document's history, in one call.
    pub async fn write(&self, change: &Change) -> Result<Written> {
        let next = &change.next;
        let put = self.put(next)?;
        let sent = match &change.replaced {
            None => self.send_alone(put).await?,
            Some(replaced) => self.send_with_history(put, next, replaced).await?,
        };
        let current = match sent {
            Sent::Done => return Ok(Written::Done),
            Sent::Refused(item) => read(item)?,
            Sent::Conflict => {
                let current = self.load(&next.tenant, next.id).await?;
                current.ok_or(Error::Contended)?
            }
        };
        if current == *next {
            // Our own write, whose first answer was lost.
            return Ok(Written::Done);
        }
        Ok(Written::Lost(Box::new(current)))
    }

    async fn send_alone(&self, put: Put) -> Result<Sent> {
        let sent = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .set_return_values_on_condition_check_failure(
                put.return_values_on_condition_check_failure,
            )
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Sent::Done);
        };
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(failed) => {
                Ok(Sent::Refused(failed.item.unwrap_or_default()))
            }
            PutItemError::TransactionConflictException(_) => Ok(Sent::Conflict),
            error => Err(Error::unavailable("writing a document's item", error)),
        }
    }

    async fn send_with_history(
        &self,
        put: Put,
        next: &Document,
        replaced: &Content,
    ) -> Result<Sent> {
        let sk = format!("content#{:06}", replaced.sequence);
        let history = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item(next, &sk, replaced)?))
            .build()
            .map_err(|error| Error::unavailable("building a history item", error))?;
        let sent = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().put(history).build())
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Sent::Done);
        };
        match error.into_service_error() {
            TransactWriteItemsError::TransactionCanceledException(canceled) => {
                canceled_by(canceled)
            }
            error => Err(Error::unavailable(
                "writing a document's item and history",
                error,
            )),
        }
    }

    /// The conditional put of a document's item.
    fn put(&self, next: &Document) -> Result<Put> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item(next, "document", next)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match next.revision - 1 {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            before => put
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string())),
        };
        put.build()
            .map_err(|error| Error::unavailable("building a document's item", error))
    }
}

/// What became of one attempt to write.
enum Sent {
    Done,
    /// This item stood in the way.
    Refused(Item),
    /// Another transaction was at work on the same item at that moment.
    Conflict,
}

/// Why a transaction came to nothing; the document's item is its first.
fn canceled_by(canceled: TransactionCanceledException) -> Result<Sent> {
    let reason = canceled.cancellation_reasons().first();
    match reason.and_then(CancellationReason::code) {
        Some("ConditionalCheckFailed") => {
            let item = reason.and_then(CancellationReason::item).cloned();
            Ok(Sent::Refused(item.unwrap_or_default()))
        }
        Some("TransactionConflict") => Ok(Sent::Conflict),
        _ => Err(Error::unavailable(
            "writing a document's item and history",
            canceled,
        )),
    }
}

/// `value` as an item of the document's partition.
fn item(document: &Document, sk: &str, value: &impl Serialize) -> Result<Item> {
    let mut item: Item = serde_dynamo::to_item(value)
        .map_err(|error| Error::unavailable("writing a document as an item", error))?;
    item.insert(
        "pk".to_owned(),
        AttributeValue::S(document.tenant.partition_key(document.id)),
    );
    item.insert("sk".to_owned(), AttributeValue::S(sk.to_owned()));
    Ok(item)
}

fn read(item: Item) -> Result<Document> {
    serde_dynamo::from_item(item)
        .map_err(|error| Error::unavailable("reading an item as a document", error))
}
