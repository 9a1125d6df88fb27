//! A sweep reads no more than it must: what is due, and nothing of what is only pending.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use jiff::Timestamp;

use crate::harness::{Harness, Message};

/// Pending uploads like the real one `id`, due in a year.
async fn pretend(harness: &Harness, id: &str, count: usize) {
    let dynamodb = okd_local::setup::dynamodb_client(&harness.cloud.dynamodb_url, &harness.cloud.access_key);
    let table = &harness.cloud.table;
    let text = |value: String| AttributeValue::S(value);
    let item = harness.item(id).await;
    let due = Timestamp::now() + Duration::from_hours(365 * 24);
    let another = |number: usize| {
        let id = uuid::Uuid::from_u128(number as u128);
        let mut item = item.clone();
        item.insert("pk".to_owned(), text(format!("local-school#{id}")));
        item.insert("id".to_owned(), text(id.to_string()));
        item.insert("queue".to_owned(), text((number % 8).to_string()));
        item.insert("due".to_owned(), AttributeValue::N(due.as_second().to_string()));
        let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    let numbers: Vec<usize> = (1..=count).collect();
    for batch in numbers.chunks(25) {
        let requests = batch.iter().map(|&number| another(number)).collect();
        let write = dynamodb.batch_write_item().request_items(table, requests);
        let unprocessed = write.send().await.unwrap().unprocessed_items.unwrap_or_default();
        assert!(unprocessed.is_empty());
    }
}

#[tokio::test]
async fn of_10_000_pending_uploads_a_sweep_touches_the_10_that_are_due_and_asks_each_queue_once() {
    let harness = Harness::new();
    let file = harness.file(100);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(harness.offer(&Message::new(), &file, 0).await.0);
    }
    pretend(&harness, &ids[0], 10_000).await;
    let before = harness.cloud.faults.calls().len();
    harness.tick(Duration::from_mins(30)).await;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for call in harness.cloud.faults.calls().split_off(before) {
        if call.from == "ReconcileFunction" {
            *counts.entry(call.operation).or_default() += 1;
        }
    }
    // Once for all: the tenants, and one issuer's keys, which are fetched and written down.
    let expected = [("Query", 8), ("UpdateItem", 11), ("ListParts", 10), ("QueryTenants", 1), ("GetItem", 1)];
    let expected = expected.map(|(operation, count)| (operation.to_owned(), count));
    assert_eq!(counts, HashMap::from(expected));
}
