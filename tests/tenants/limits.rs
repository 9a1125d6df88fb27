//! What a tenant may have, and that it gets back what it no longer uses.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

use support::{
    cloud::{own_cloud, start},
    sender::{Answer, Sender, bytes, metadata, offer, sha256, with},
};

use crate::school::{School, limits};

fn refused(answer: &Answer) {
    let detail = answer.problem(429, "too-many-uploads");
    assert!(detail.contains("Complete or abort"), "{detail}");
    assert_eq!(answer.headers["retry-after"], "60");
}

/// What the school has open: uploads and bytes.
async fn open(school: &School) -> (i64, i64) {
    let table = okd_core::stores::Documents::of(
        okd_local::setup::dynamodb_client(&school.cloud.dynamodb_url, &school.cloud.access_key),
        school.cloud.table.clone(),
    );
    let usage = table.usage(&school.tenant.tenant).await.unwrap();
    (usage.uploads, usage.bytes)
}

async fn nothing_is_left(sender: &Sender, answer: &Answer) {
    assert_eq!(answer.body.get("dmsDocumentId"), None);
    let uploads = sender.s3.list_multipart_uploads().bucket(&sender.cloud.bucket);
    let open = uploads.send().await.unwrap();
    let items = sender.items().await;
    let pending = items.iter().filter(|item| item["upload"]["state"] == "uploading");
    assert_eq!(open.uploads().len(), pending.count());
}

#[tokio::test]
async fn a_tenant_with_as_many_uploads_open_as_it_may_is_asked_to_wait() {
    let cloud = own_cloud();
    let three = |limits: &mut okd_core::tenant::UncheckedLimits| {
        limits.open_uploads = 3;
        limits.client_percent = 100;
    };
    let school = School::with(cloud, |tenant| tenant.limits = limits(three)).await;
    let other = School::new(cloud).await;
    let sender = school.client("sis");
    let messages: Vec<Value> = (0..5).map(|_| offer(5)).collect();
    let mut offered = Vec::new();
    for message in &messages[..3] {
        offered.push(sender.offer(message).await.accepted());
    }
    let answer = sender.offer(&messages[3]).await;
    refused(&answer);
    nothing_is_left(&sender, &answer).await;
    assert_eq!(open(&school).await, (3, 15));
    // Neither another tenant, nor a repeat, nor form A has to wait.
    other.client("sis").offer(&offer(5)).await.accepted();
    sender.offer(&messages[0]).await.accepted();
    sender.hand_in(&metadata(), b"inline").await.ok();
    assert_eq!(open(&school).await, (3, 15));

    // Each end of an upload makes room: abort...
    assert_eq!(sender.follow(&offered[1].body["upload"], "abort").await.status, 204);
    sender.offer(&messages[3]).await.accepted();
    refused(&sender.offer(&messages[4]).await);
    // ...completion...
    sender.send_parts(&offered[2].body["upload"], b"12345", None).await;
    for _ in 0..2 {
        sender.complete(&offered[2]).await.ok();
    }
    sender.offer(&messages[4]).await.accepted();
    refused(&sender.offer(&offer(5)).await);
    assert_eq!(open(&school).await, (3, 15));
    // ...form A under the same key...
    let inline = messages[4].clone();
    sender.hand_in(&support::sender::without(&inline, "documentSize"), b"inline").await.ok();
    assert_eq!(open(&school).await, (2, 10));
    // ...and its time.
    let tomorrow = Timestamp::now() + Duration::from_hours(25);
    cloud.tick(tomorrow).await.unwrap();
    assert_eq!(open(&school).await, (0, 0));
}

#[tokio::test]
async fn clients_of_a_tenant_that_trusts_them_are_told_stored_at_once() {
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| tenant.trust_unverified = true).await;
    let sender = school.client("sis");
    let message = with(&offer(5), "documentChecksum", json!(sha256(b"right")));
    cloud.events.pause(true);
    let offered = sender.offer_and_send(&message, b"right").await;
    let upload = &offered.body["upload"];
    sender.follow(upload, "complete").await.ok();
    sender.offer(&message).await.ok();
    let status = sender.follow(upload, "status").await.ok();
    assert_eq!(status.body["upload"]["state"], "stored");
    cloud.events.pause(false);
}

#[tokio::test]
async fn the_bytes_on_their_way_are_limited_too() {
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| {
        tenant.limits = limits(|limits| {
            limits.document_size = 1000;
            limits.bytes_in_flight = 1500;
            limits.client_percent = 100;
        });
    })
    .await;
    let sender = school.client("sis");
    let message = offer(1000);
    sender.offer(&message).await.accepted();
    refused(&sender.offer(&offer(501)).await);
    sender.offer(&offer(500)).await.accepted();
    // A smaller file in the place of a larger one makes room for the difference.
    sender.offer(&with(&message, "documentSize", json!(600))).await.accepted();
    assert_eq!(open(&school).await, (2, 1100));
    refused(&sender.offer(&offer(401)).await);
    sender.offer(&offer(400)).await.accepted();
    // A larger one in its place asks for it.
    refused(&sender.offer(&with(&message, "documentSize", json!(601))).await);
}

#[tokio::test]
async fn a_tenant_may_have_documents_far_larger_than_the_standard_s() {
    const GIB: usize = 1 << 30;
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| {
        tenant.limits = limits(|limits| {
            limits.document_size = 5000 << 30;
            limits.bytes_in_flight = 20_000 << 30;
        });
    })
    .await;
    let sender = school.client("sis");
    for (size, parts, part_size) in [(GIB, 64, GIB / 64), (16 * GIB, 964, 17 << 20), (5000 * GIB, 1000, 5 * GIB)] {
        let answer = sender.offer(&offer(size)).await.accepted();
        let upload = &answer.body["upload"];
        assert_eq!((&upload["partCount"], &upload["partSize"]), (&json!(parts), &json!(part_size)));
        assert_eq!(upload["parts"].as_array().unwrap().len(), parts);
        assert_eq!(upload["parts"][parts - 1]["size"], json!(size - part_size * (parts - 1)));
    }
    sender.offer(&offer(5000 * GIB + 1)).await.problem(413, "document-too-large");
    // Nobody could read that much back to compare it with a SHA-256; a CRC64NVME S3 computes.
    let large = offer(GIB + 1);
    let declared = with(&large, "documentChecksum", json!(support::sender::sha256(b"x")));
    let refused = sender.offer(&declared).await;
    refused.problem(422, "invalid-metadata");
    assert_eq!(refused.body["pointer"], "/consumers/0/documentChecksum");
    let crc = "crc64nvme:0000000000000000";
    sender.offer(&with(&large, "documentChecksum", json!(crc))).await.accepted();
}

#[tokio::test]
async fn a_tenant_that_asks_too_much_is_asked_to_wait_and_the_others_are_not() {
    let cloud = own_cloud();
    let rare = |limits: &mut okd_core::tenant::UncheckedLimits| limits.requests_per_second = 1;
    let school = School::with(cloud, |tenant| tenant.limits = limits(rare)).await;
    let other = School::new(cloud).await;
    let sender = school.client("sis");
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(sender.offer(&offer(5)).await);
    }
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 202).collect();
    assert!(refused.len() >= 5, "{answers:?}");
    for answer in refused {
        answer.problem(429, "too-many-requests");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    other.client("sis").offer(&offer(5)).await.accepted();
}

#[tokio::test]
async fn one_client_that_fills_its_share_leaves_the_others_theirs() {
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| {
        tenant.limits = limits(|limits| {
            limits.document_size = 1000;
            limits.open_uploads = 7;
            limits.bytes_in_flight = 9000;
        });
    })
    .await;
    let (careless, other) = (school.client("sis"), school.client("exams"));
    // Half of seven uploads, rounded up...
    for _ in 0..4 {
        careless.offer(&offer(1)).await.accepted();
    }
    refused(&careless.offer(&offer(1)).await);
    // ...and half of 9,000 bytes.
    for _ in 0..3 {
        other.offer(&offer(1000)).await.accepted();
    }
    refused(&school.client("third").offer(&offer(1)).await);
    assert_eq!(open(&school).await, (7, 3004));
    // What nobody has sent a part of in an hour is over, and its room is free.
    let later = Timestamp::now() + Duration::from_mins(61);
    cloud.tick(later).await.unwrap();
    assert_eq!(open(&school).await, (0, 0));
    for _ in 0..4 {
        other.offer(&offer(1000)).await.accepted();
    }
    refused(&other.offer(&offer(1000)).await);
}

#[tokio::test]
async fn an_upload_that_is_begun_and_aborted_over_and_over_leaves_nothing_to_clear_away() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let message = offer(5);
    for _ in 0..30 {
        let offered = sender.offer(&message).await.accepted();
        let aborted = sender.follow(&offered.body["upload"], "abort").await;
        assert_eq!(aborted.status, 204);
    }
    let items = sender.items().await;
    let orphans = items.iter().filter(|item| item["pk"].as_str().unwrap().contains("orphan"));
    assert_eq!(orphans.count(), 0);
    // Of one that has a part something may yet land.
    let offered = sender.offer_and_send(&message, b"12345").await;
    sender.follow(&offered.body["upload"], "abort").await;
    let items = sender.items().await;
    let mut orphans = items.iter().filter(|item| item["pk"].as_str().unwrap().contains("orphan"));
    assert!(orphans.next().is_some());
}

#[tokio::test]
async fn many_at_once_get_no_more_than_there_is_and_all_of_it() {
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| {
        tenant.limits = limits(|limits| limits.open_uploads = 250);
    })
    .await;
    assert_eq!(school.tenant.limits.quota().shards(), 2);
    let school = std::sync::Arc::new(school);
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..10 {
        let sender = school.client(["sis", "exams"][number % 2]);
        senders.spawn(async move {
            let mut begun = 0;
            for _ in 0..30 {
                loop {
                    let answer = sender.offer(&offer(7)).await;
                    match answer.status {
                        202 => begun += 1,
                        429 => refused(&answer),
                        // Too many at once on one counter.
                        503 => continue,
                        _ => panic!("{answer:?}"),
                    }
                    break;
                }
            }
            begun
        });
    }
    let begun: i64 = senders.join_all().await.into_iter().sum();
    assert_eq!((begun, open(&school).await), (250, (250, 250 * 7)));
}

#[tokio::test]
async fn the_size_of_documents_and_metadata_and_the_life_of_urls_are_the_tenants() {
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| {
        tenant.limits = limits(|limits| {
            limits.document_size = 1000;
            limits.metadata_size = 1024;
            limits.part_url_seconds = 60;
        });
    })
    .await;
    let sender = school.client("sis");
    let detail = sender.offer(&offer(1001)).await.problem(413, "document-too-large");
    assert!(detail.contains("1000"), "{detail}");
    sender.hand_in(&metadata(), &bytes(1001, 1)).await.problem(413, "document-too-large");
    let mut long = metadata();
    long["name"] = json!("x".repeat(1000));
    sender.hand_in(&long, b"x").await.problem(413, "metadata-too-large");
    sender.offer(&with(&long, "documentSize", json!(5))).await.problem(413, "metadata-too-large");
    let offered = sender.offer(&offer(1000)).await.accepted();
    let expires: Timestamp = offered.body["upload"]["parts"][0]["expiresAt"].as_str().unwrap().parse().unwrap();
    assert!(expires <= Timestamp::now() + Duration::from_mins(1), "{expires}");
}

#[tokio::test]
async fn the_gateway_lets_through_what_it_is_told_to_and_answers_429_to_the_rest() {
    let limits = [("RequestsPerSecond", "1"), ("RequestBurst", "3")];
    let limits = limits.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let cloud = start(|options| options.parameters = limits.into());
    let sender = Sender::to(cloud);
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(sender.call("GET", "/okd/v1/documents/4e12169d-84b9-4d21-a987-f373bbbe4e6e/upload").await);
    }
    let throttled: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(answers[..3].iter().all(|answer| answer.status == 404), "{answers:?}");
    assert!(throttled.len() >= 5, "{answers:?}");
    throttled[0].problem(429, "too-many-requests");
    assert_eq!(throttled[0].headers["retry-after"], "1");
}
