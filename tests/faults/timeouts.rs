//! Whatever hangs, there is an answer before the gateway gives up (29 s), and it says what to do.

use std::time::{Duration, Instant};

use okd_faults::Fault;

use crate::harness::{Harness, Message, call};

/// More than any SDK tries.
const FOREVER: usize = 100;
const GATEWAY: Duration = Duration::from_secs(29);

#[tokio::test]
async fn complete_says_202_while_s3_takes_long_or_its_answer_is_lost_and_finds_out_the_next_time() {
    for fault in [Fault::Hang, Fault::LoseAnswer] {
        let harness = Harness::new();
        let file = harness.file(100);
        let (id, upload) = harness.offer(&Message::new(), &file, 1).await;
        harness.cloud.events.pause(true);
        let join = call("ApiFunction", "CompleteMultipartUpload");
        harness.cloud.faults.inject(join, 0, FOREVER, fault);
        let began = Instant::now();
        let (status, answer) = harness.sender.follow(&upload["complete"]).await.unwrap();
        assert_eq!((status, &answer["upload"]["state"]), (202, &"completing".into()));
        assert!(began.elapsed() < GATEWAY, "{:?}", began.elapsed());
        harness.cloud.faults.clear();
        assert_eq!(harness.sender.follow(&upload["complete"]).await.unwrap().0, 200);
        assert_eq!(harness.document(&id).await.current, Some(file.sha256()));
    }
}

#[tokio::test]
async fn a_put_says_503_when_a_store_hangs_and_stores_nothing_twice_when_it_is_repeated() {
    for hangs in ["PutObject", "TransactWriteItems"] {
        let harness = Harness::new();
        let (message, file) = (Message::new(), harness.file(100));
        harness.cloud.faults.inject(call("ApiFunction", hangs), 0, FOREVER, Fault::Hang);
        let began = Instant::now();
        let error = harness.impatient.hand_in_inline(&message.0, &file.0).await.unwrap_err();
        assert!(began.elapsed() < GATEWAY, "{:?}", began.elapsed());
        assert!(error.refused().is_none(), "{error}");
        assert!(error.to_string().contains("urn:problem-type:okd:try-again"), "{error}");
        harness.cloud.faults.clear();
        let id = harness.inline(&message, &file).await;
        let findings = harness.close().await;
        assert_eq!((findings.documents.len(), findings.objects), (1, 1));
        assert_eq!(findings.documents[&id].current, Some(file.sha256()));
    }
}

#[tokio::test]
async fn a_request_whose_calls_are_all_slow_is_answered_before_the_gateway_gives_up() {
    let harness = Harness::new();
    let file = harness.file(100);
    let (_, upload) = harness.offer(&Message::new(), &file, 1).await;
    for slow in ["GetItem", "ListParts", "TransactWriteItems"] {
        // Each is tried again after 3 s, and answered after 3 s and a half.
        harness.cloud.faults.inject(call("ApiFunction", slow), 0, 1, Fault::Late);
    }
    let join = call("ApiFunction", "CompleteMultipartUpload");
    harness.cloud.faults.inject(join, 0, FOREVER, Fault::Hang);
    let began = Instant::now();
    let (status, answer) = harness.sender.follow(&upload["complete"]).await.unwrap();
    assert_eq!(status, 202, "{answer}");
    assert!(began.elapsed() < GATEWAY, "{:?}", began.elapsed());
    harness.cloud.faults.clear();
    harness.close().await;
}
