//! The documents' items in DynamoDB: one table, one partition a document.
//!
//! Needs `dynamodb:GetItem`, `dynamodb:PutItem` and `dynamodb:Query` on the table. (A transaction needs the
//! rights of the writes that it holds.) What the sweep needs besides: see `due.rs`.
//!
//! | `pk` | `sk` | what |
//! |-|-|-|
//! | `{tenant}#{dmsDocumentId}` | `document` | the [`Document`]: current content and pending upload |
//! | `{tenant}#{dmsDocumentId}` | `content#{sequence}` | a [`Content`] that was current once |
//! | `{tenant}#{dmsDocumentId}` | `leftover#{name}` | a [`Leftover`], until it is removed from S3 |
//!
//! An item about which something is pending has the attributes `queue` and `due` besides, by which the
//! index `due` lists it.

use std::time::Duration;

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::{
    Client, config,
    operation::{
        put_item::PutItemError, query::builders::QueryFluentBuilder,
        transact_write_items::TransactWriteItemsError,
    },
    types::{
        AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem, error::TransactionCanceledException,
    },
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::due;
use crate::{
    Error, Result,
    document::{Change, Content, Document, Leftover, Verification, Version},
    tenant::DocumentKey,
};

pub(super) type Item = std::collections::HashMap<String, AttributeValue>;

/// How long to wait after each try of a conditional write.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::ZERO,
];

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

impl Documents {
    pub(super) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self {
            client: Client::new(sdk),
            table,
        }
    }

    /// The document as it is now (a consistent read).
    pub async fn load(&self, key: &DocumentKey) -> Result<Option<Document>> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(key.partition()))
            .key("sk", text("document"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Error::unavailable("reading a document's item", error))?;
        answer.item.map(read).transpose()
    }

    /// The newest content in the document's history, of this version or of any.
    pub async fn past(
        &self,
        key: &DocumentKey,
        version: Option<&Version>,
    ) -> Result<Option<Content>> {
        let query = self.history(key);
        let query = match version {
            None => query,
            Some(version) => query
                .filter_expression("version = :version")
                .expression_attribute_values(":version", text(version.to_string())),
        };
        first(query).await
    }

    /// The newest content in the document's history that is not known to be corrupt, and not the one that is just
    /// being found to be.
    pub async fn last_sound(
        &self,
        key: &DocumentKey,
        corrupt_version: &Version,
    ) -> Result<Option<Content>> {
        let corrupt = serde_dynamo::to_attribute_value(Verification::Corrupt)
            .map_err(|error| Error::unavailable("reading a document's history", error))?;
        let query = self
            .history(key)
            .filter_expression("verification <> :corrupt AND version <> :version")
            .expression_attribute_values(":corrupt", corrupt)
            .expression_attribute_values(":version", text(corrupt_version.to_string()));
        first(query).await
    }

    /// The document's history, newest first.
    fn history(&self, key: &DocumentKey) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("pk = :pk AND begins_with(sk, :content)")
            .expression_attribute_values(":pk", text(key.partition()))
            .expression_attribute_values(":content", text("content#"))
    }

    /// Writes a change over the very revision that it was made from, and with it, in the same call, what it
    /// replaces into the document's history and what it ends into the list of leftovers.
    ///
    /// [`Written::Lost`] is certain: nothing of the change has been, at any moment, the document's state. After an
    /// error nothing is.
    pub async fn write(&self, change: &Change, now: Timestamp) -> Result<Written> {
        let next = &change.next;
        let put = self.put(next)?;
        let mut more = Vec::new();
        if let Some(replaced) = &change.replaced {
            more.push(content_item(&next.key(), replaced)?);
        }
        if let Some(ended) = &change.ended {
            let leftover = Leftover::of_upload(ended, now);
            more.push(leftover_item(&next.key(), &leftover)?);
        }
        // Tried again here and not by the SDK: once a try may have had its effect unseen, a refusal no longer
        // says that it had none.
        let mut unsure = None;
        for pause in PAUSES {
            let sent = if more.is_empty() {
                self.send_alone(put.clone()).await
            } else {
                self.send_with(put.clone(), more.clone()).await
            };
            let current = match sent {
                Ok(Sent::Done) => return Ok(Written::Done),
                Ok(Sent::Refused(item)) => read(item)?,
                Ok(Sent::Conflict) => {
                    let current = self.load(&next.key()).await?;
                    current.ok_or(Error::Contended)?
                }
                Err(error) => {
                    unsure = Some(error);
                    tokio::time::sleep(pause).await;
                    continue;
                }
            };
            if current == *next {
                // Our own write, whose first answer was lost.
                return Ok(Written::Done);
            }
            return match unsure {
                None => Ok(Written::Lost(Box::new(current))),
                // Ours was first and has been built upon, or never was: the request, sent again, will see.
                Some(error) => Err(error),
            };
        }
        Err(unsure.unwrap_or(Error::Contended))
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
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(leftover_item(key, leftover)?))
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| Error::unavailable("noting a leftover", error))
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
            .customize()
            .config_override(once())
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

    async fn send_with(&self, put: Put, more: Vec<Item>) -> Result<Sent> {
        let mut transaction = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build());
        for item in more {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .build()
                .map_err(|error| Error::unavailable("building an item", error))?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        let sent = transaction.customize().config_override(once()).send();
        let Err(error) = sent.await else {
            return Ok(Sent::Done);
        };
        match error.into_service_error() {
            TransactWriteItemsError::TransactionCanceledException(canceled) => {
                canceled_by(canceled)
            }
            error => Err(Error::unavailable(
                "writing a document's item with others",
                error,
            )),
        }
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
        put.build()
            .map_err(|error| Error::unavailable("building a document's item", error))
    }
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
            "writing a document's item with others",
            canceled,
        )),
    }
}

async fn first(query: QueryFluentBuilder) -> Result<Option<Content>> {
    let mut items = query.into_paginator().items().send();
    let item = items.next().await.transpose();
    item.map_err(|error| Error::unavailable("reading a document's history", error))?
        .map(read)
        .transpose()
}

fn content_item(key: &DocumentKey, content: &Content) -> Result<Item> {
    let sk = format!("content#{:06}", content.sequence);
    item(key, &sk, content, content.due())
}

fn leftover_item(key: &DocumentKey, leftover: &Leftover) -> Result<Item> {
    let sk = format!("leftover#{}", leftover.name());
    item(key, &sk, leftover, Some(leftover.due()))
}

/// `value` as an item of the document's partition, listed by the index if it is due some time.
fn item(
    key: &DocumentKey,
    sk: &str,
    value: &impl Serialize,
    due: Option<Timestamp>,
) -> Result<Item> {
    let mut item: Item = serde_dynamo::to_item(value)
        .map_err(|error| Error::unavailable("writing a document as an item", error))?;
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
