//! Tests of the index of what is pending.

use serde_json::{Value, json};

use super::*;
use crate::{
    document::tests::{at, content, empty, upload},
    stores::{
        answers::{Answers, error, json_of},
        table::{content_item, document_item, orphan_item, text},
    },
};

#[test]
fn a_work_item_is_late_by_whole_seconds_and_never_early() {
    let item = WorkItem { key: ItemKey::document(&empty().key()), due: 100 };
    assert_eq!([99, 100, 107].map(|second| item.seconds_late(at(second))), [0, 0, 7]);
}

#[test]
fn an_entry_of_the_index_has_a_key_and_a_time() {
    let key = ItemKey::document(&empty().key());
    let mut item = key.clone().into_item();
    assert!(WorkItem::read(&item).is_none());
    item.insert("due".to_owned(), number(100));
    let read = WorkItem::read(&item).unwrap();
    assert_eq!((read.key, read.due), (key, 100));
    item.insert("due".to_owned(), text("soon"));
    assert!(WorkItem::read(&item).is_none());
}

fn documents(answers: &Answers) -> Documents {
    Documents::of(answers.dynamodb(), "table".to_owned())
}

/// A document with an upload open.
fn begun() -> Document {
    Document { upload: Some(upload(1, false, at(0))), ..empty() }
}

#[tokio::test]
async fn a_work_item_is_leased_by_one_sweep_for_a_quarter_of_an_hour() {
    let document = begun();
    let key = document.key();
    let orphan = Orphan::of_upload(&upload(1, false, at(0)), at(0));
    let link = ItemKey::link(&key, document.links().first().unwrap());
    let attributes = |item: &Item| json!({ "Attributes": json_of(item) });
    for (item_key, answer, expected) in [
        (ItemKey::document(&key), attributes(&document_item(&document).unwrap()), "document"),
        (ItemKey::content(&key, 1), attributes(&content_item(&key, &content(1, at(0))).unwrap()), "past"),
        (ItemKey::orphan(&key, &orphan), attributes(&orphan_item(&key, &orphan).unwrap()), "orphan"),
        (ItemKey::document(&key), error("ConditionalCheckFailedException", &json!({})), "nothing"),
        (ItemKey::document(&key), error("InternalServerError", &json!({})), "unavailable"),
        (link.clone(), attributes(&link.into_item()), "unavailable"),
    ] {
        let answers = Answers::of_dynamodb(&[answer]);
        let leased = documents(&answers).lease(&WorkItem { key: item_key, due: 100 }, at(1000)).await;
        let word = match leased {
            Ok(Some(Work::Document(leased))) if *leased == document => "document",
            Ok(Some(Work::Past(of, _))) if of == key => "past",
            Ok(Some(Work::Orphan(of, leased))) if of == key && leased == orphan => "orphan",
            Ok(None) => "nothing",
            Err(_) => "unavailable",
            other => panic!("{other:?}"),
        };
        assert_eq!(word, expected);
        let request = &answers.requests()[0];
        assert!(
            request.contains(r#"":later":{"N":"1900"}"#) && request.contains(r#"":seen":{"N":"100"}"#),
            "{request}"
        );
    }
}

#[tokio::test]
async fn what_is_due_comes_in_pages() {
    let mut item = ItemKey::document(&begun().key()).into_item();
    item.insert("due".to_owned(), number(100));
    let page = json!({ "Items": [json_of(&item), {}], "LastEvaluatedKey": { "pk": { "S": "x" } } });
    let answers = Answers::of_dynamodb(&[page, json!({ "Items": [] })]);
    let page = documents(&answers).due(3, at(1000), None).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.seconds_late(at(1000))).collect::<Vec<_>>(), [900]);
    let last = documents(&answers).due(3, at(1000), page.next).await.unwrap();
    assert!(last.items.is_empty() && last.next.is_none());
    assert!(answers.requests()[1].contains("ExclusiveStartKey"));
}

#[tokio::test]
async fn the_documents_of_one_tenant_that_have_work_pending_are_listed() {
    let document = begun();
    let mut entry = ItemKey::document(&document.key()).into_item();
    entry.insert("due".to_owned(), number(100));
    let mut of_another = entry.clone();
    of_another.insert("pk".to_owned(), text(format!("other#{}", document.id)));
    let mut past = entry.clone();
    past.insert("sk".to_owned(), text("content#0000000001"));
    let items = json!({ "Items": [json_of(&entry), json_of(&of_another), json_of(&past)] });
    let mut given: Vec<Value> = vec![items, json!({ "Item": json_of(&document_item(&document).unwrap()) })];
    given.extend(vec![json!({ "Items": [] }); usize::from(QUEUES) - 1]);
    let answers = Answers::of_dynamodb(&given);
    assert_eq!(documents(&answers).pending(&document.tenant).await.unwrap(), [document]);
    assert_eq!(answers.requests().len(), given.len());
}

#[tokio::test]
async fn an_orphan_is_forgotten_or_the_store_is_unavailable() {
    let orphan = Orphan::of_upload(&upload(1, false, at(0)), at(0));
    let answers = Answers::of_dynamodb(&[json!({}), error("InternalServerError", &json!({}))]);
    documents(&answers).forget(&begun().key(), &orphan).await.unwrap();
    assert!(documents(&answers).forget(&begun().key(), &orphan).await.is_err());
}
