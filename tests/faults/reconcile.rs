//! What the function behind the senders' backs does, by what its senders see of it.

use std::{path::Path, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use okd_core::checksum::Checksum;
use okd_faults::Fault;
use okd_local::{invariants::Stored, setup};
use serde_json::{Value, json};

use crate::harness::{Harness, Message, TWO_PARTS, TestFile, call};

const HOUR: Duration = Duration::from_hours(1);

async fn state(harness: &Harness, upload: &Value) -> Value {
    let (status, answer) = harness.sender.follow(&upload["status"]).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    answer["upload"].clone()
}

async fn complete(harness: &Harness, upload: &Value) -> (u16, Value) {
    harness.sender.follow(&upload["complete"]).await.unwrap()
}

#[tokio::test]
async fn a_sender_that_dies_after_its_last_part_has_its_document_stored_by_one_sweep() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(TWO_PARTS));
    let (id, upload) = harness.offer(&message, &file, 2).await;
    let received = state(&harness, &upload).await;
    assert_eq!((&received["state"], &received["parts"]), (&json!("received"), &json!([])));
    harness.tick(HOUR).await;
    let stored = json!({ "state": "stored", "documentSize": TWO_PARTS });
    assert_eq!(state(&harness, &upload).await, stored);
    assert_eq!(complete(&harness, &upload).await.0, 200);
    assert_eq!(harness.document(&id).await.current, Some(file.sha256()));
}

#[tokio::test]
async fn an_upload_is_left_alone_until_its_time_is_over_and_then_expires_and_leaves_nothing() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(TWO_PARTS));
    let (_, upload) = harness.offer(&message, &file, 1).await;
    harness.tick(23 * HOUR).await;
    assert_eq!(state(&harness, &upload).await["partsReceived"], 1);
    harness.tick(25 * HOUR).await;
    assert_eq!(state(&harness, &upload).await, json!({ "state": "expired" }));
    let source = okd_local::sender::Source::Bytes(file.0.clone());
    let sent = harness.sender.send_parts(&source, &upload).await.unwrap();
    assert!(!sent, "S3 takes parts of an upload that has expired");
    let (status, problem) = complete(&harness, &upload).await;
    assert_eq!((status, &problem["type"]), (410, &json!("urn:problem-type:okd:upload-gone")));
    assert_eq!(harness.close().await.objects, 0);
}

#[tokio::test]
async fn what_arrived_whole_before_its_time_was_over_is_stored_however_late_that_is_noticed() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    let (id, upload) = harness.offer(&message, &file, 1).await;
    harness.tick(25 * HOUR).await;
    assert_eq!(state(&harness, &upload).await["state"], "stored");
    assert_eq!(harness.document(&id).await.current, Some(file.sha256()));
}

/// A document whose declared SHA-256 is another file's, after it was read back.
async fn corrupt(harness: &Harness, message: &Message, file: &TestFile) -> (String, Value) {
    let declaring = message.declaring(harness.file(1).sha256());
    let (id, upload) = harness.offer(&declaring, file, 1).await;
    harness.cloud.events.pause(true);
    let (status, answer) = complete(harness, &upload).await;
    assert_eq!((status, &answer["upload"]["state"]), (202, &json!("verifying")), "{answer}");
    harness.cloud.events.pause(false);
    harness.cloud.events.drained().await;
    (id, upload)
}

#[tokio::test]
async fn a_declared_sha256_that_holds_is_verified_when_s3_tells_of_the_object() {
    let harness = Harness::new();
    let file = harness.file(100);
    let message = Message::new().declaring(file.sha256());
    harness.cloud.events.pause(true);
    let id = harness.by_parts(&message, &file).await;
    assert!(pending(&harness, &id).await);
    harness.cloud.events.pause(false);
    harness.cloud.events.drained().await;
    assert!(!pending(&harness, &id).await);
    assert_eq!(harness.document(&id).await.current, Some(file.sha256()));
}

/// Whether the document says that its verification is pending.
async fn pending(harness: &Harness, id: &str) -> bool {
    let item = harness.item(id).await;
    let verification = item["content"].as_m().unwrap()["verification"].as_s().unwrap().clone();
    assert!(["pending", "done"].contains(&verification.as_str()), "{verification}");
    verification == "pending"
}

#[tokio::test]
async fn a_declared_sha256_that_does_not_hold_makes_the_previous_document_current_again() {
    let harness = Harness::new();
    let (message, good, bad) = (Message::new(), harness.file(100), harness.file(100));
    harness.inline(&message, &good).await;
    let (id, upload) = corrupt(&harness, &message, &bad).await;
    assert_eq!(state(&harness, &upload).await, json!({ "state": "corrupt" }));
    let (status, problem) = complete(&harness, &upload).await;
    assert_eq!((status, &problem["type"]), (422, &json!("urn:problem-type:okd:checksum-mismatch")));
    let stored = harness.document(&id).await;
    assert_eq!((stored.current, stored.corrupt), (Some(good.sha256()), 1));
    // The right file, sent at last.
    harness.by_parts(&message.declaring(bad.sha256()), &bad).await;
    assert_eq!(harness.document(&id).await.current, Some(bad.sha256()));
}

/// Has the document's content look as where S3 told no checksum: `declared` is all that there is, and has to be
/// compared.
async fn only_declare(harness: &Harness, id: &str, declared: Checksum) {
    let dynamodb = setup::dynamodb_client(&harness.cloud.dynamodb_url, &harness.cloud.access_key);
    let update = dynamodb.update_item().table_name(&harness.cloud.table);
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let update = update.key("pk", text(&format!("local-school#{id}")));
    let update = update.key("sk", text("document"));
    let update = update.update_expression("SET content.checksums = :declared, content.verification = :pending");
    let declared = AttributeValue::L(vec![text(&declared.to_string())]);
    let update = update.expression_attribute_values(":declared", declared);
    let update = update.expression_attribute_values(":pending", text("pending"));
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_declared_crc64nvme_that_s3_does_not_compute_is_compared_by_reading_too() {
    let harness = Harness::new();
    for (declared_right, state_then) in [(true, "stored"), (false, "corrupt")] {
        let (message, file) = (Message::new(), harness.file(100));
        let (id, upload) = harness.offer(&message, &file, 1).await;
        harness.cloud.events.pause(true);
        assert_eq!(complete(&harness, &upload).await.0, 200);
        let declared = if declared_right { file.clone() } else { harness.file(1) };
        only_declare(&harness, &id, declared.crc64nvme()).await;
        assert_eq!(complete(&harness, &upload).await.0, 202);
        harness.cloud.events.pause(false);
        harness.cloud.events.drained().await;
        assert_eq!(state(&harness, &upload).await["state"], state_then);
    }
}

#[tokio::test]
async fn an_upload_that_s3_does_not_come_to_join_expires_all_the_same() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    let (id, upload) = harness.offer(&message, &file, 1).await;
    let join = call("ReconcileFunction", "CompleteMultipartUpload");
    for (later, expected) in [(HOUR, "received"), (25 * HOUR, "expired")] {
        // The SDK itself tries three times.
        harness.cloud.faults.inject(join.clone(), 0, 3, Fault::FailInside);
        harness.tick(later).await;
        assert_eq!(harness.cloud.faults.clear(), 0);
        assert_eq!(state(&harness, &upload).await["state"], expected);
    }
    assert_eq!(harness.document(&id).await, Stored::default());
}

#[tokio::test]
async fn a_first_document_that_turns_out_corrupt_leaves_none_and_says_so() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    let (id, upload) = corrupt(&harness, &message, &file).await;
    let without_link = json!({ "method": "GET", "href": format!("/okd/v1/documents/{id}/upload") });
    for link in [&upload["status"], &without_link] {
        let (_, answer) = harness.sender.follow(link).await.unwrap();
        assert_eq!(answer["upload"]["state"], "corrupt");
    }
    let stored = harness.document(&id).await;
    assert_eq!((stored.current, stored.corrupt), (None, 1));
}

#[tokio::test]
async fn a_content_that_was_replaced_before_it_was_verified_is_verified_all_the_same() {
    let harness = Harness::new();
    let (message, bad, good) = (Message::new(), harness.file(100), harness.file(100));
    harness.lose_an_event(0);
    harness.by_parts(&message.declaring(harness.file(1).sha256()), &bad).await;
    let id = harness.inline(&message, &good).await;
    let stored = harness.document(&id).await;
    assert_eq!((stored.current, stored.past, stored.corrupt), (Some(good.sha256()), vec![], 1));
}

#[tokio::test]
async fn an_event_that_comes_twice_or_late_changes_nothing() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    harness.cloud.faults.inject(call("", okd_local::events::EVENT), 0, 2, Fault::Twice);
    harness.cloud.events.pause(true);
    let declaring = message.declaring(file.sha256());
    let id = harness.by_parts(&declaring, &file).await;
    let other = harness.file(100);
    harness.inline(&message, &other).await;
    let stored = harness.document(&id).await;
    assert_eq!((stored.current, stored.past), (Some(other.sha256()), vec![file.sha256()]));
}

#[tokio::test]
async fn what_a_dead_request_left_is_removed_and_the_same_file_sent_again_meanwhile_stays() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    harness.strand(&message, &file).await;
    harness.strand(&Message::new(), &harness.file(100)).await;
    harness.cloud.events.drained().await;
    let id = harness.inline(&message, &file).await;
    let findings = harness.close().await;
    assert_eq!((findings.objects, findings.documents[&id].current), (1, Some(file.sha256())));
}

#[tokio::test]
async fn what_a_dead_request_left_and_s3_did_not_tell_of_is_found_within_a_day_and_removed_after_35_days() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    let stored = harness.inline(&message, &file).await;
    harness.cloud.events.drained().await;
    harness.lose_an_event(0);
    harness.strand(&Message::new(), &harness.file(100)).await;
    let hours = |hours| Timestamp::now() + Duration::from_hours(hours);
    harness.cloud.tick(hours(3)).await.unwrap();
    let objects = async || {
        let s3 = setup::s3_client(&harness.cloud.s3_url, &harness.cloud.access_key);
        let listed = s3.list_objects_v2().bucket(&harness.cloud.bucket);
        listed.send().await.unwrap().contents().len()
    };
    assert_eq!(objects().await, 2, "nobody has told of the second");
    harness.cloud.look_through(hours(3)).await.unwrap();
    harness.cloud.tick(hours(34 * 24)).await.unwrap();
    assert_eq!(objects().await, 2, "a restored table may lack its item");
    harness.cloud.tick(hours(36 * 24)).await.unwrap();
    assert_eq!(objects().await, 1);
    let log = support::cloud::log(harness.cloud);
    assert!(log.contains(r#""Strays":1"#), "{log}");
    let current = harness.document(&stored).await.current;
    assert_eq!(current, Some(file.sha256()));
}

#[tokio::test]
async fn an_event_that_a_kill_of_the_whole_cloud_left_undelivered_comes_at_the_next_start() {
    let harness = Harness::new();
    harness.inline(&Message::new(), &harness.file(100)).await;
    harness.cloud.events.drained().await;
    harness.cloud.events.pause(true);
    harness.strand(&Message::new(), &harness.file(100)).await;
    harness.cloud.faults.idle().await;
    // What a kill would leave on the disk.
    let copy = harness.cloud.data.with_extension("copy");
    copy_folder(&harness.cloud.data, &copy);
    let again = support::cloud::start(|options| options.data = copy);
    again.events.drained().await;
    let later = Timestamp::now() + Duration::from_hours(3);
    again.tick(later).await.unwrap();
    let s3 = setup::s3_client(&again.s3_url, &again.access_key);
    let listed = s3.list_objects_v2().bucket(&again.bucket).send().await;
    assert_eq!(listed.unwrap().contents().len(), 1);
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_done_with_and_a_failing_one_comes_again() {
    let harness = Harness::new();
    let reconcile = &harness.cloud.functions["ReconcileFunction"];
    for event in ["null", "{}", r#"{"source":"aws.s3","detail-type":"Object Created"}"#] {
        assert!(reconcile.invoke(event.into()).await.is_ok(), "{event}");
    }
    let file = harness.file(100);
    // Twice it fails to read the item, three tries each; the third delivery finds it.
    let read = call("ReconcileFunction", "GetItem");
    harness.cloud.events.pause(true);
    let id = harness.by_parts(&Message::new().declaring(file.sha256()), &file).await;
    harness.cloud.faults.inject(read, 0, 6, Fault::Fail);
    harness.cloud.events.pause(false);
    harness.cloud.events.drained().await;
    assert_eq!(harness.cloud.faults.clear(), 0);
    assert!(!pending(&harness, &id).await);
}

#[tokio::test]
async fn the_log_tells_how_many_of_each_and_the_metrics_the_same() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    harness.offer(&message, &file, 1).await;
    harness.offer(&Message::new(), &file, 0).await;
    harness.tick(25 * HOUR).await;
    let log = support::cloud::log(harness.cloud);
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let metrics: Vec<Value> = lines.filter(|line| line.get("_aws").is_some()).collect();
    let swept = metrics.iter().find(|line| line.get("Expired").is_some()).unwrap();
    assert_eq!((&swept["Completed"], &swept["Expired"]), (&json!(1), &json!(1)));
    assert_eq!(swept.get("Failed"), None, "what did not happen is no metric");
    let late = swept["SecondsLate"].as_u64().unwrap();
    assert!((86_400..90_000).contains(&late), "{late}");
    let directives = swept["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let mut declared = directives.iter().flat_map(|directive| directive["Metrics"].as_array().unwrap());
    assert!(declared.any(|metric| metric["Name"] == "SecondsLate"));
    let told = log.lines().find(|line| line.contains(r#""message":"swept""#)).unwrap();
    assert!(told.contains("completed: 1") && told.contains("expired: 1") && told.contains("failed: 0"), "{told}");
}

#[tokio::test]
async fn two_dead_requests_of_the_same_file_leave_two_versions_of_one_object_and_both_are_removed() {
    let harness = Harness::new();
    let (message, file) = (Message::new(), harness.file(100));
    harness.strand(&message, &file).await;
    // The second finds the object there, stores it as a version of its own, and dies too.
    let put = call("ApiFunction", "PutObject");
    harness.cloud.faults.inject(put, 1, 1, Fault::KillAfter);
    harness.impatient.hand_in_inline(&message.0, &file.0).await.unwrap_err();
    assert_eq!(harness.close().await.objects, 0);
}
