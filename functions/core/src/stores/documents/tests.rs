//! Tests of what each answer of DynamoDB to a read means.

use serde_json::{Value, json};

use super::*;
use crate::{
    document::{
        Screening,
        tests::{at, content, empty, stamp, upload},
    },
    stores::{
        answers::{Answers, error, json_of},
        table::document_item,
    },
};

fn documents(answers: &Answers) -> Documents {
    Documents::of(answers.dynamodb(), "table".to_owned())
}

/// A stored document.
fn stored() -> Document {
    empty().receive(content(1, at(0)), &stamp(1)).unwrap().next
}

/// An item of this key in DynamoDB's JSON.
fn written(key: ItemKey, value: &impl serde::Serialize) -> Value {
    json_of(&item(key, value).unwrap())
}

fn unavailable() -> Value {
    error("InternalServerError", &json!({}))
}

#[tokio::test]
async fn a_document_is_read_where_it_is_there() {
    let (document, key) = (stored(), stored().key());
    let there = json_of(&document_item(&document).unwrap());
    for (answer, expected) in [(json!({ "Item": there }), Some(&document)), (json!({}), None)] {
        let answers = Answers::of_dynamodb(&[answer]);
        assert_eq!(documents(&answers).load(&key).await.unwrap().as_ref(), expected);
    }
    assert!(documents(&Answers::of_dynamodb(&[unavailable()])).load(&key).await.is_err());
    for (answer, expected) in [(json!({ "Items": [there] }), Some(&document)), (json!({ "Items": [] }), None)] {
        for client in [None, Some("sis")] {
            let answers = Answers::of_dynamodb(std::slice::from_ref(&answer));
            assert_eq!(documents(&answers).load_of(&key, client).await.unwrap().as_ref(), expected);
            let asks_for_client = answers.requests()[0].contains("client = :client");
            assert_eq!(asks_for_client, client.is_some(), "{:?}", answers.requests());
        }
    }
}

#[tokio::test]
async fn a_content_of_the_history_is_found_by_its_id_or_as_the_newest() {
    let (key, past) = (stored().key(), stored().content.unwrap());
    let pointer = written(ItemKey::pointer(&key, &past.content_id), &Pointer { sequence: 1 });
    let item = written(ItemKey::content(&key, 1), &past);
    for (given, expected) in [
        (vec![json!({ "Item": pointer }), json!({ "Item": item })], Some(&past)),
        (vec![json!({})], None),
        (vec![json!({ "Item": pointer }), json!({})], None),
    ] {
        let answers = Answers::of_dynamodb(&given);
        assert_eq!(documents(&answers).past(&key, &past.content_id).await.unwrap().as_ref(), expected);
        assert_eq!(answers.requests().len(), given.len());
    }
    for (items, expected) in [(json!([item]), Some(&past)), (json!([]), None)] {
        let answers = Answers::of_dynamodb(&[json!({ "Items": items }), json!({ "Items": items })]);
        assert_eq!(documents(&answers).newest_past(&key).await.unwrap().as_ref(), expected);
        let sound = documents(&answers).last_sound(&key, Some(&content(2, at(0)).content_id)).await.unwrap();
        assert_eq!(sound.as_ref(), expected);
    }
}

#[tokio::test]
async fn older_entries_of_the_history_are_read_from_their_newest_item() {
    let (key, entries) = (stored().key(), stored().history);
    let item = written(ItemKey::history(&key, 1), &History { entries: entries.clone() });
    for (items, expected) in [(json!([item]), entries), (json!([]), Vec::new())] {
        let answers = Answers::of_dynamodb(&[json!({ "Items": items })]);
        assert_eq!(documents(&answers).newest_history(&key).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_tenant_s_usage_is_the_sum_of_its_shards() {
    let shard = |uploads: &str, bytes: &str| json!({ "uploads": { "N": uploads }, "bytes": { "N": bytes } });
    let answers = Answers::of_dynamodb(&[json!({ "Items": [shard("2", "30"), {}, shard("3", "40")] })]);
    let usage = documents(&answers).usage(&stored().tenant).await.unwrap();
    assert_eq!(usage, Usage { uploads: 5, bytes: 70 });
}

#[tokio::test]
async fn what_was_found_of_a_content_is_noted_once() {
    let (key, content) = (stored().key(), content(1, at(0)));
    let refused = error("ConditionalCheckFailedException", &json!({}));
    let unscreened = Content { screening: Some(Screening::Pending), ..content.clone() };
    for before in [&content, &unscreened] {
        for (answer, expected) in [(json!({}), Some(true)), (refused.clone(), Some(false)), (unavailable(), None)] {
            let answers = Answers::of_dynamodb(&[answer]);
            assert_eq!(documents(&answers).note_finding(&key, before, &content).await.ok(), expected);
        }
    }
}

#[tokio::test]
async fn orphans_and_listings_are_noted_or_the_store_is_unavailable() {
    let key = stored().key();
    let orphan = Orphan::of_upload(&upload(1, false, at(0)), at(0));
    let listing = Listing::next(None, at(0)).unwrap();
    let answers = Answers::of_dynamodb(&[json!({}), unavailable(), json!({}), unavailable()]);
    let documents_of = documents(&answers);
    documents_of.note_orphan(&key, &orphan).await.unwrap();
    assert!(documents_of.note_orphan(&key, &orphan).await.is_err());
    documents_of.save_listing(&listing).await.unwrap();
    assert!(documents_of.save_listing(&listing).await.is_err());
    let item = written(ItemKey::listing(), &listing);
    for (answer, expected) in [(json!({ "Item": item }), Some(listing)), (json!({}), None)] {
        let answers = Answers::of_dynamodb(&[answer]);
        assert_eq!(documents(&answers).last_listing().await.unwrap(), expected);
    }
}
