//! What AWS leaves open: the clocks of the functions differ, an index shows the state of some writes ago, and a batch
//! of the stream comes twice.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::bench::{Bench, Paper};

#[tokio::test]
async fn a_document_s_history_runs_forwards_when_the_clock_of_one_function_is_behind_that_of_another() {
    let bench = Bench::new();
    bench.cloud.functions["ApiFunction"].skew(20);
    let (first, second) = (bench.sheet(100), bench.sheet(200));
    let paper = Paper::new();
    let began = Timestamp::now();
    // The bytes are all there, and the reconcile function, whose clock is right, completes the upload.
    let (id, _) = bench.offer(&paper, &first, 1).await;
    bench.strike(Duration::ZERO).await;
    bench.strike(Duration::from_mins(30)).await;
    bench.inline(&paper, &second).await;
    let item: Value = serde_dynamo::from_item(bench.item(&id).await).unwrap();
    let entries = item["history"].as_array().unwrap();
    let times: Vec<Timestamp> = entries.iter().map(|entry| entry["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times[0] < began - SignedDuration::from_secs(10), "the clock is not behind: {times:?}, begun {began}");
    assert!(times.len() == 3 && times.is_sorted_by(|before, after| before < after), "{times:?}");
    assert_eq!(bench.document(&id).await.current, Some(second.sha256()));
}

#[tokio::test]
async fn what_the_index_does_not_show_yet_or_still_shows_is_seen_to_once_and_by_a_later_sweep() {
    let bench = Bench::new();
    for seed in 0..8 {
        bench.cloud.tables.lag(Some(seed)).unwrap();
        let sheet = bench.sheet(100);
        let paper = Paper::new();
        let (id, _) = bench.offer(&paper, &sheet, 1).await;
        let mut sweeps = 0;
        while bench.item(&id).await.contains_key("upload") {
            bench.strike(Duration::from_mins(30 + 15 * sweeps)).await;
            sweeps += 1;
            assert!(sweeps < 50, "the sweep never sees it");
        }
        let completed = bench.item(&id).await;
        for again in 0..4 {
            bench.strike(Duration::from_mins(30 + 15 * (sweeps + again))).await;
        }
        assert_eq!(bench.item(&id).await, completed, "a sweep changed what was completed");
        bench.cloud.tables.lag(None).unwrap();
        assert_eq!(bench.document(&id).await.current, Some(sheet.sha256()));
    }
}

#[tokio::test]
async fn what_comes_twice_and_in_no_order_from_the_stream_is_announced_as_it_was_written() {
    let bench = Bench::new();
    let paper = Paper::new();
    let mut last = bench.sheet(100);
    bench.inline(&paper, &last).await;
    for size in 101..120 {
        last = bench.sheet(size);
        bench.inline(&paper, &last).await;
    }
    bench.cloud.stream.as_ref().unwrap().shuffle(Some(1));
    bench.announce().await;
    let announced = std::fs::read_to_string(bench.cloud.data.join(okd_local::bus::ANNOUNCED)).unwrap();
    let revisions: Vec<u64> = announced
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["detail"]["revision"].as_u64().unwrap()
        })
        .collect();
    assert!(!revisions.is_sorted(), "they came in the order of the writes");
    // The books compare what was announced, put in the order of the revisions, with the item.
    let document = bench.close().await.documents.into_values().next().unwrap();
    assert_eq!(document.current, Some(last.sha256()));
}
