//! Writes a change of a document: its item and all that goes with it, in one call.
//!
//! Needs `dynamodb:PutItem`, `dynamodb:UpdateItem` and `dynamodb:DeleteItem` on the table. (A transaction needs the
//! rights of the writes that it holds.)

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::{
    config,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
        error::TransactionCanceledException,
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
}

impl Documents {
    /// Writes a change over the very revision that it was made from, and with it, in the same call, what it
    /// replaces into the document's history, what it ends into the list of orphans, what it opens and ends
    /// into the counts of its tenant's quota, and the entries by which the document is found by the ids of others.
    ///
    /// [`Written::Lost`] and [`Written::Full`] are certain: nothing of the change has been, at any moment, the
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
                Ok(Sent::Full(place)) => match shard_at(change, place, more.len()) {
                    Some(shard) => Ok(Written::Full(shard)),
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
        if let Some(ended) = &change.ended {
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
        // Last, so that a refused one is known by its place.
        for &delta in &change.deltas {
            let update = self.count(&change.next, delta, quota)?;
            writes.push(TransactWriteItem::builder().update(update).build());
        }
        Ok(writes)
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
        let put = match next.revision - 1 {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            before => put
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", number(before.cast_signed())),
        };
        put.build().map_err(building)
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
    /// The write at this place of the transaction, of a shard's count, had no room.
    Full(usize),
    /// Another transaction was at work on the same item at that moment.
    Conflict,
}

/// Why a transaction came to nothing; the document's item is its first, and of the others only the counts have
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
    } else if let Some(place) = reasons.iter().position(|reason| refused(&reason)) {
        Ok(Sent::Full(place))
    } else {
        Err(Error::unavailable("writing a document's item with others", canceled))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion, types::AttributeValue};

    use super::*;
    use crate::document::{
        EndReason, Upload,
        tests::{at, content, empty, stamp, upload},
    };

    #[test]
    fn a_cancelled_transaction_says_what_stood_in_the_way() {
        let reason = |code: &str| {
            let item = Item::from([("pk".to_owned(), AttributeValue::S("x".to_owned()))]);
            CancellationReason::builder().code(code).set_item(Some(item)).build()
        };
        for (codes, expected) in [
            (&["ConditionalCheckFailed", "None"][..], "refused by 1"),
            (&["ConditionalCheckFailed", "TransactionConflict"], "refused by 1"),
            (&["TransactionConflict", "None"], "conflict"),
            (&["None", "ConditionalCheckFailed", "TransactionConflict"], "conflict"),
            (&["None", "None", "ConditionalCheckFailed"], "full at 2"),
            (&["None", "ThrottlingError"], "unavailable"),
            (&[], "unavailable"),
        ] {
            let reasons = codes.iter().map(|code| reason(code)).collect();
            let cancelled = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons)).build();
            let found = match canceled_by(cancelled) {
                Ok(Sent::Done) => "done".to_owned(),
                Ok(Sent::Refused(item)) => format!("refused by {}", item.len()),
                Ok(Sent::Full(place)) => format!("full at {place}"),
                Ok(Sent::Conflict) => "conflict".to_owned(),
                Err(_) => "unavailable".to_owned(),
            };
            assert_eq!(found, expected, "{codes:?}");
        }
    }

    /// The change by which an upload of one byte, counted by shard 2, takes the place of one that shard 1 counts.
    fn exchange() -> Change {
        let before = Document { upload: Some(upload(1, false, at(0))), ..empty() };
        let fresh = upload(2, false, at(1));
        match before.offer(fresh, crate::name::Name::DocumentId("1"), &stamp(1)) {
            crate::document::Offer::Begin(change) => change,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refused_count_is_known_by_its_place_among_the_last_writes() {
        let shards = [0, 3, 4, 5, 6].map(|place| shard_at(&exchange(), place, 5));
        assert_eq!(shards, [None, None, Some(1), Some(2), None]);
    }

    fn documents() -> Documents {
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
        Documents::of(Client::from_conf(config), "table".to_owned())
    }

    #[test]
    fn only_what_is_opened_is_counted_on_the_condition_that_there_is_room() {
        let quota = Quota { open_uploads: 10, bytes_in_flight: 100, client_percent: 50, document_size: 7 };
        let delta = |uploads, bytes| Delta { shard: 0, uploads, bytes };
        for (delta, quota, left) in [
            (delta(1, 7), Some(quota), Some(["9", "93", "4", "43"])),
            (delta(0, 2), Some(quota), Some(["10", "98", "5", "48"])),
            (delta(1, -2), Some(quota), Some(["9", "102", "4", "52"])),
            (delta(-1, -7), Some(quota), None),
            (delta(0, -2), Some(quota), None),
            (delta(1, 7), None, None),
        ] {
            let update = documents().count(&empty(), delta, quota).unwrap();
            let values = update.expression_attribute_values.unwrap();
            let value = |name: &str| values.get(name).and_then(|value| value.as_n().ok()).cloned();
            assert_eq!(value(":uploads"), Some(delta.uploads.to_string()));
            assert_eq!(value(":bytes"), Some(delta.bytes.to_string()));
            let limits = [":uploadsLeft", ":bytesLeft", ":uploadsOfClientLeft", ":bytesOfClientLeft"].map(value);
            assert_eq!(limits, left.map_or([const { None }; 4], |left| left.map(|left| Some(left.to_owned()))));
            assert_eq!(update.condition_expression.is_some(), left.is_some(), "{delta:?}");
        }
    }

    #[test]
    fn a_document_is_written_over_the_revision_that_the_change_was_made_from() {
        for (revision, condition, before) in [
            (1, "attribute_not_exists(pk)", None),
            (2, "revision = :before", Some("1")),
            (9, "revision = :before", Some("8")),
        ] {
            let put = documents().put(&Document { revision, ..empty() }).unwrap();
            assert_eq!(put.condition_expression.as_deref(), Some(condition));
            let value = put.expression_attribute_values.and_then(|values| values.get(":before")?.as_n().ok().cloned());
            assert_eq!(value.as_deref(), before, "{revision}");
        }
    }

    /// The writes beside a document's own item, in a word each.
    fn beside(change: &Change) -> Vec<String> {
        let name = |item: &Item| item["sk"].as_s().unwrap().split('#').next().unwrap().to_owned();
        let writes = documents().beside(change, None, at(1)).unwrap();
        let words = writes.iter().map(|write| match (&write.put, &write.delete, &write.update) {
            (Some(put), _, _) if put.item["pk"].as_s().unwrap().contains("#orphan#") => "orphan".to_owned(),
            (Some(put), _, _) => name(&put.item),
            (_, Some(_), _) => "unlink".to_owned(),
            (_, _, Some(update)) => name(&update.key),
            _ => "nothing".to_owned(),
        });
        words.collect()
    }

    #[test]
    fn what_a_change_puts_aside_is_written_with_it() {
        const LINK: &str = "00000000-0000-0000-0000-000000000000";
        let first = empty().receive(content(1, at(0)), &stamp(1)).unwrap();
        assert_eq!(beside(&first), [LINK; 2]);
        let second = first.next.receive(content(2, at(0)), &stamp(2)).unwrap();
        assert_eq!(beside(&second), ["content", "version", LINK, "unlink"]);
        let corrected = crate::document::Content { metadata: content(2, at(0)).metadata, ..content(1, at(0)) };
        let corrected = first.next.receive(corrected, &stamp(2)).unwrap();
        assert_eq!(beside(&corrected), ["content", LINK, "unlink"], "its object stays that of the current content");
        assert_eq!(beside(&exchange()), ["orphan", LINK, "unlink", "counter", "counter"]);
        let open = Upload { shard: None, ..upload(1, false, at(0)) };
        let begun = Document { upload: Some(open.clone()), ..empty() };
        assert_eq!(beside(&begun.end_upload(&open, EndReason::Aborted, &stamp(1))), ["orphan", "unlink", "unlink"]);
        let mut document = first.next;
        document.history = vec![document.history[0].clone(); 20];
        let moved = document.receive(content(1, at(0)), &stamp(2));
        assert_eq!(moved, None);
        let moved = document.end_upload(&open, EndReason::Aborted, &stamp(2));
        assert_eq!(beside(&moved), ["history"]);
    }
}
