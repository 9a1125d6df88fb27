//! Writes a change of a document: its item and all that goes with it, in one call.
//!
//! Needs `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem` and `dynamodb:ConditionCheckItem` on the table. (A transaction needs the
//! rights of the writes that it holds.)

#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_sdk_dynamodb::{
    config::{self, retry::RetryConfig},
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update, error::TransactionCanceledException,
    },
};
use jiff::Timestamp;

use super::{
    documents::Documents,
    table::{
        History, Item, ItemKey, Pointer, content_item, counts_of_client, document_item, item, number, orphan_item, read,
    },
};
use crate::{
    Error, Result,
    association::Association,
    document::{Change, Document, Orphan},
    quota::{Delta, Quota},
};

/// The time to wait after each try of a conditional write.
const PAUSES: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::ZERO];
/// The number of times that a write is repeated because another transaction was at work on the same item.
const CONFLICTS: u32 = 10;

/// The end of a conditional write.
#[derive(Debug)]
pub enum Written {
    /// It is the document's state now.
    Done,
    /// Another request was first; this is the state that it left.
    Lost(Box<Document>),
    /// This shard of the tenant's quota has no room for the upload that the change opens.
    Full(u8),
    /// This was reported of an enrolment that the change links the document to, and the change does not know.
    Reported(Box<Association>),
}

impl Documents {
    /// Writes a change over the very revision that it was made from, and with it, in the same call, what it
    /// replaces into the document's history, what it ends into the list of orphans, what it opens and ends
    /// into the counts of its tenant's quota, and the entries by which the document is found by the ids of others.
    ///
    /// [`Written::Lost`], [`Written::Full`] and [`Written::Reported`] are certain: nothing of the change has been, at any moment, the
    /// document's state. After an error nothing is certain.
    pub async fn write(&self, change: &Change, quota: Option<Quota>, now: Timestamp) -> Result<Written> {
        let next = &change.next;
        let put = self.put(next)?;
        let more = self.beside(change, quota, now)?;
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
                Ok(Sent::OtherRefused(place, item)) => match shard_at(change, place, more.len()) {
                    Some(shard) => Ok(Written::Full(shard)),
                    None if item.is_some() => Ok(Written::Reported(Box::new(read(item.unwrap_or_default())?))),
                    None => Err(Error::unavailable(
                        "writing a document's item with others",
                        "a write without a condition was refused",
                    )),
                },
                // One of two transactions on one item has no effect: ours, this time.
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
            // A try that we know nothing of may have had its effect and been overwritten, so this refusal proves
            // nothing.
            return unsure.map_or(certain, Err);
        }
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

    /// The writes of a change beside the document's own item.
    fn beside(&self, change: &Change, quota: Option<Quota>, now: Timestamp) -> Result<Vec<TransactWriteItem>> {
        let key = change.next.key();
        let mut items = Vec::new();
        if let Some(replaced) = &change.replaced {
            items.push(content_item(&key, replaced)?);
            let current = change.next.content.as_ref();
            // The document's own item leads to a content that stays current.
            if current.is_none_or(|current| current.content_id != replaced.content_id) {
                let pointer = Pointer { sequence: replaced.sequence };
                items.push(item(ItemKey::pointer(&key, &replaced.content_id), &pointer)?);
            }
        }
        if let Some(ended) = change.ended.as_ref().filter(|_| change.leaves_orphan) {
            items.push(orphan_item(&key, &Orphan::of_upload(ended, now))?);
        }
        if let Some(first) = change.archived.first() {
            let history = History { entries: change.archived.clone() };
            items.push(item(ItemKey::history(&key, first.revision), &history)?);
        }
        items.extend(change.linked.iter().map(|link| ItemKey::link(&key, link).into_item()));
        let mut writes = Vec::new();
        for item in items {
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = put.build().map_err(building)?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        for link in &change.unlinked {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(ItemKey::link(&key, link).into_item()));
            let delete = delete.build().map_err(building)?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        for (&association, &revision) in &change.enrollments {
            let check = self.knows(ItemKey::association(&key.tenant, association), revision)?;
            writes.push(TransactWriteItem::builder().condition_check(check).build());
        }
        // Last, so that a refused one is known by its place.
        for &delta in &change.deltas {
            let update = self.count(&change.next, delta, quota)?;
            writes.push(TransactWriteItem::builder().update(update).build());
        }
        Ok(writes)
    }

    /// Asks that this revision of an association is its last.
    fn knows(&self, key: ItemKey, revision: u64) -> Result<ConditionCheck> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key.into_item()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (condition, values) = at_revision(revision);
        check.condition_expression(condition).set_expression_attribute_values(values).build().map_err(building)
    }

    /// Counts what is opened and what has ended, for the tenant and for the document's client; what is opened only
    /// where both have room.
    fn count(&self, of: &Document, delta: Delta, quota: Option<Quota>) -> Result<Update> {
        let [uploads, bytes] = counts_of_client(&of.client);
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(ItemKey::shard(&of.tenant, delta.shard).into_item()))
            .update_expression("ADD uploads :uploads, bytes :bytes, #uploads :uploads, #bytes :bytes")
            .expression_attribute_names("#uploads", uploads)
            .expression_attribute_names("#bytes", bytes)
            .expression_attribute_values(":uploads", number(delta.uploads))
            .expression_attribute_values(":bytes", number(delta.bytes));
        let Some(quota) = quota.filter(|_| delta.uploads > 0 || delta.bytes > 0) else {
            return update.build().map_err(building);
        };
        let all = quota.share(delta.shard);
        let of_client = quota.share_of_client(delta.shard);
        let left = |share: u64, more: i64| number(share.cast_signed() - more);
        let update = update
            .condition_expression(
                "(attribute_not_exists(uploads) OR uploads <= :uploadsLeft) \
                 AND (attribute_not_exists(bytes) OR bytes <= :bytesLeft) \
                 AND (attribute_not_exists(#uploads) OR #uploads <= :uploadsOfClientLeft) \
                 AND (attribute_not_exists(#bytes) OR #bytes <= :bytesOfClientLeft)",
            )
            .expression_attribute_values(":uploadsLeft", left(all.uploads, delta.uploads))
            .expression_attribute_values(":bytesLeft", left(all.bytes, delta.bytes))
            .expression_attribute_values(":uploadsOfClientLeft", left(of_client.uploads, delta.uploads))
            .expression_attribute_values(":bytesOfClientLeft", left(of_client.bytes, delta.bytes));
        update.build().map_err(building)
    }

    /// The conditional put of a document's item.
    fn put(&self, next: &Document) -> Result<Put> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(document_item(next)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (condition, values) = at_revision(next.revision - 1);
        put.condition_expression(condition).set_expression_attribute_values(values).build().map_err(building)
    }
}

/// The condition that an item is at this revision, with its values; 0 is that there is none.
pub(super) fn at_revision(revision: u64) -> (&'static str, Option<Item>) {
    match revision {
        0 => ("attribute_not_exists(pk)", None),
        before => ("revision = :before", Some([(":before".to_owned(), number(before.cast_signed()))].into())),
    }
}

/// The shard whose count stood at this place of a transaction of the document's item and so many more writes.
fn shard_at(change: &Change, place: usize, more: usize) -> Option<u8> {
    let counts_begin = 1 + more - change.deltas.len();
    let refused = place.checked_sub(counts_begin).and_then(|place| change.deltas.get(place));
    refused.map(|delta| delta.shard)
}

fn building(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::unavailable("building a document's item", error)
}

/// Tries a call once only.
fn once() -> config::Builder {
    config::Builder::new().retry_config(RetryConfig::disabled())
}

/// The outcome of one attempt to write.
enum Sent {
    Done,
    /// This item stood in the way.
    Refused(Item),
    /// The condition at this place of the transaction did not hold, and this is what stood there, where that was asked for.
    OtherRefused(usize, Option<Item>),
    /// Another transaction was at work on the same item at that moment.
    Conflict,
}

/// Why a transaction came to nothing; the document's item is its first.
fn canceled_by(canceled: TransactionCanceledException) -> Result<Sent> {
    let reasons = canceled.cancellation_reasons();
    let refused = |reason: &&CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let conflict = |reason: &CancellationReason| reason.code() == Some("TransactionConflict");
    if let Some(document) = reasons.first().filter(refused) {
        let item = document.item().cloned();
        Ok(Sent::Refused(item.unwrap_or_default()))
    } else if reasons.iter().any(conflict) {
        Ok(Sent::Conflict)
    } else if let Some(place) = reasons.iter().position(|reason| refused(&reason)) {
        Ok(Sent::OtherRefused(place, reasons[place].item().cloned()))
    } else {
        Err(Error::unavailable("writing a document's item with others", canceled))
    }
}
