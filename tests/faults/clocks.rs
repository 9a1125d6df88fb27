//! What AWS leaves open: the clocks of the functions differ, an index shows the state of some writes ago, and a batch
//! of the stream comes twice.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::harness::{Harness, Message};

#[tokio::test]
async fn a_document_s_history_runs_forwards_when_the_clock_of_one_function_is_behind_that_of_another() {
    let harness = Harness::new();
    harness.cloud.functions["ApiFunction"].skew(20);
    let (first, second) = (harness.file(100), harness.file(200));
    let message = Message::new();
    let began = Timestamp::now();
    // The bytes are all there, and the reconcile function, whose clock is right, completes the upload.
    let (id, _) = harness.offer(&message, &first, 1).await;
    harness.tick(Duration::ZERO).await;
    harness.tick(Duration::from_mins(30)).await;
    harness.inline(&message, &second).await;
    let item: Value = serde_dynamo::from_item(harness.item(&id).await).unwrap();
    let entries = item["history"].as_array().unwrap();
    let times: Vec<Timestamp> = entries.iter().map(|entry| entry["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times[0] < began - SignedDuration::from_secs(10), "the clock is not behind: {times:?}, begun {began}");
    assert!(times.len() == 3 && times.is_sorted_by(|before, after| before < after), "{times:?}");
    assert_eq!(harness.document(&id).await.current, Some(second.sha256()));
}

#[tokio::test]
async fn what_the_index_does_not_show_yet_or_still_shows_is_seen_to_once_and_by_a_later_sweep() {
    let harness = Harness::new();
    for seed in 0..8 {
        harness.cloud.tables.lag(Some(seed)).unwrap();
        let file = harness.file(100);
        let message = Message::new();
        let (id, _) = harness.offer(&message, &file, 1).await;
        let mut sweeps = 0;
        while harness.item(&id).await.contains_key("upload") {
            harness.tick(Duration::from_mins(30 + 15 * sweeps)).await;
            sweeps += 1;
            assert!(sweeps < 50, "the sweep never sees it");
        }
        let completed = harness.item(&id).await;
        for again in 0..4 {
            harness.tick(Duration::from_mins(30 + 15 * (sweeps + again))).await;
        }
        assert_eq!(harness.item(&id).await, completed, "a sweep changed what was completed");
        harness.cloud.tables.lag(None).unwrap();
        assert_eq!(harness.document(&id).await.current, Some(file.sha256()));
    }
}

#[tokio::test]
async fn what_comes_twice_and_in_no_order_from_the_stream_is_announced_as_it_was_written() {
    let harness = Harness::new();
    let message = Message::new();
    let mut last = harness.file(100);
    harness.inline(&message, &last).await;
    for size in 101..120 {
        last = harness.file(size);
        harness.inline(&message, &last).await;
    }
    harness.cloud.stream.as_ref().unwrap().shuffle(Some(1));
    harness.announce().await;
    let announced = std::fs::read_to_string(harness.cloud.data.join(okd_local::bus::ANNOUNCED)).unwrap();
    let revisions: Vec<u64> = announced
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["detail"]["revision"].as_u64().unwrap()
        })
        .collect();
    assert!(!revisions.is_sorted(), "they came in the order of the writes");
    // The findings compare what was announced, put in the order of the revisions, with the item.
    let document = harness.close().await.documents.into_values().next().unwrap();
    assert_eq!(document.current, Some(last.sha256()));
}
