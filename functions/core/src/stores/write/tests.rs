//! Tests of the writes of a change, and of what each answer to them means.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::*;
use crate::{
    document::{
        Content, EndReason, Upload, Verification,
        tests::{at, content, empty, stamp, upload},
    },
    stores::answers::{Answers, error, json_of},
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
        (&["None", "None", "ConditionalCheckFailed"], "refused at 2"),
        (&["None", "ThrottlingError"], "unavailable"),
        (&[], "unavailable"),
    ] {
        let reasons = codes.iter().map(|code| reason(code)).collect();
        let cancelled = TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons)).build();
        let found = match canceled_by(cancelled) {
            Ok(Sent::Done) => "done".to_owned(),
            Ok(Sent::Refused(item)) => format!("refused by {}", item.len()),
            Ok(Sent::OtherRefused(place, _)) => format!("refused at {place}"),
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
    Documents::of(Answers::of_dynamodb(&[]).dynamodb(), "table".to_owned())
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
        _ if write.condition_check.is_some() => "check".to_owned(),
        _ => "nothing".to_owned(),
    });
    words.collect()
}

#[test]
fn what_a_change_puts_aside_is_written_with_it() {
    const LINK: &str = "00000000-0000-0000-0000-000000000000";
    let first = empty().receive(content(1, at(0)), &stamp(1)).unwrap();
    assert_eq!(beside(&first), [LINK, LINK, "check"]);
    let second = first.next.receive(content(2, at(0)), &stamp(2)).unwrap();
    assert_eq!(beside(&second), ["content", "version", LINK, "unlink"]);
    let corrected = Content { metadata: content(2, at(0)).metadata, ..content(1, at(0)) };
    let corrected = first.next.receive(corrected, &stamp(2)).unwrap();
    assert_eq!(beside(&corrected), ["content", LINK, "unlink"], "its object stays that of the current content");
    assert_eq!(beside(&exchange()), ["orphan", LINK, "unlink", "counter", "counter"]);
    let open = Upload { shard: None, ..upload(1, false, at(0)) };
    let begun = Document { upload: Some(open.clone()), ..empty() };
    let mut ended = begun.end_upload(&open, EndReason::Aborted, &stamp(1));
    assert_eq!(beside(&ended), ["orphan", "unlink", "unlink"]);
    ended.leaves_orphan = false;
    assert_eq!(beside(&ended), ["unlink", "unlink"], "S3 has nothing of it");
    let mut document = first.next;
    document.history = vec![document.history[0].clone(); 20];
    let moved = document.receive(content(1, at(0)), &stamp(2));
    assert_eq!(moved, None);
    let moved = document.end_upload(&open, EndReason::Aborted, &stamp(2));
    assert_eq!(beside(&moved), ["history"]);
}

/// A change that writes the document's item and nothing beside it.
fn alone() -> Change {
    let unverified = Content { verification: Verification::Pending, ..content(1, at(0)) };
    let stored = empty().receive(unverified, &stamp(1)).unwrap().next;
    stored.verified(&content(1, at(0)).content_id, &stamp(2)).unwrap()
}

/// The end of a write, in a word.
async fn write(change: &Change, given: &[Value]) -> (String, usize) {
    let answers = Answers::of_dynamodb(given);
    let documents = Documents::of(answers.dynamodb(), "table".to_owned());
    let word = match documents.write(change, None, at(9)).await {
        Ok(Written::Done) => "done".to_owned(),
        Ok(Written::Lost(there)) => format!("lost to revision {}", there.revision),
        Ok(Written::Full(shard)) => format!("full: {shard}"),
        Ok(Written::Reported(association)) => format!("reported: {}", association.revision),
        Err(Error::Contended) => "contended".to_owned(),
        Err(Error::Unavailable { .. }) => "unavailable".to_owned(),
        Err(other) => panic!("{other:?}"),
    };
    (word, answers.requests().len())
}

#[tokio::test]
async fn a_refusal_is_believed_unless_an_earlier_try_may_have_had_its_effect() {
    let (done, fault) = (json!({}), error("InternalServerError", &json!({})));
    let conflict = || error("TransactionConflictException", &json!({}));
    let refused_by = |document: &Document| {
        let item = json_of(&document_item(document).unwrap());
        error("ConditionalCheckFailedException", &json!({ "Item": item }))
    };
    let change = alone();
    let (own, other) = (refused_by(&change.next), refused_by(&Document { revision: 9, ..change.next.clone() }));
    for (given, expected) in [
        (vec![done.clone()], "done"),
        (vec![other.clone()], "lost to revision 9"),
        (vec![own.clone()], "done"),
        (vec![conflict(), conflict(), done.clone()], "done"),
        (vec![conflict(), other.clone()], "lost to revision 9"),
        (vec![conflict(); 11], "contended"),
        (vec![fault.clone(), done], "done"),
        (vec![fault.clone(), own], "done"),
        (vec![fault.clone(), other], "unavailable"),
        (vec![fault; 4], "unavailable"),
    ] {
        let calls = given.len();
        assert_eq!(write(&change, &given).await, (expected.to_owned(), calls), "{given:?}");
    }
}

#[tokio::test]
async fn a_transaction_is_written_whole_or_says_what_stood_in_its_way() {
    let cancelled = |codes: [Value; 6]| error("TransactionCanceledException", &json!({ "CancellationReasons": codes }));
    let none = || json!({ "Code": "None" });
    let refused = |more: &Value| {
        let mut reason = json!({ "Code": "ConditionalCheckFailed" });
        if !more.is_null() {
            reason["Item"] = more.clone();
        }
        reason
    };
    let change = exchange();
    let item = json_of(&document_item(&Document { revision: 9, ..change.next.clone() }).unwrap());
    let conflict = || cancelled([none(), none(), json!({ "Code": "TransactionConflict" }), none(), none(), none()]);
    for (given, expected) in [
        (vec![json!({})], "done"),
        (vec![cancelled([refused(&item), none(), none(), none(), none(), none()])], "lost to revision 9"),
        (vec![cancelled([none(), none(), none(), none(), none(), refused(&json!(null))])], "full: 2"),
        (vec![cancelled([none(), none(), none(), none(), refused(&json!(null)), none()])], "full: 1"),
        (vec![cancelled([none(), refused(&json!(null)), none(), none(), none(), none()])], "unavailable"),
        (vec![conflict(), json!({})], "done"),
        (vec![error("InternalServerError", &json!({})), json!({})], "done"),
    ] {
        let calls = given.len();
        assert_eq!(write(&change, &given).await, (expected.to_owned(), calls), "{given:?}");
    }
}
