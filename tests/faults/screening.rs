//! Where files are screened, no reader gets at one that the scanner has not found clean, and no event tells of it: whatever
//! fails, and however long the scanner is down.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use okd_faults::Fault;
use okd_local::{
    SCREENING,
    bus::ANNOUNCED,
    sample,
    scanner::{Scanner, VERDICT, eicar},
    sender::Source,
};
use serde_json::{Value, json};
use support::{
    cloud::start,
    sender::{Answer, Sender, association, metadata, offer, sha256, with},
};

use crate::harness::{Harness, Message, TestFile, call};

const HOUR: Duration = Duration::from_hours(1);

/// A cloud that screens, its sender, and its scanner, which is down.
fn screening() -> (Harness, Sender, Arc<Scanner>) {
    let cloud = start(|options| {
        options.parameters.insert(SCREENING.to_owned(), "on".to_owned());
    });
    let scanner = cloud.scanner.clone().unwrap();
    scanner.down(true);
    (Harness::of(cloud), Sender::to(cloud), scanner)
}

/// Has the scanner say what it thinks of everything.
async fn judge(harness: &Harness, scanner: &Scanner) {
    // It hears of a file by the same way as the functions.
    harness.cloud.events.drained().await;
    scanner.down(false);
    scanner.drained().await;
    scanner.down(true);
}

/// The kinds of the events of a document, and what they say of its screening.
async fn announced(harness: &Harness, id: &str) -> Vec<(String, Value)> {
    harness.announce().await;
    let text = std::fs::read_to_string(harness.cloud.data.join(ANNOUNCED)).unwrap_or_default();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_it = events.filter(|event| event["detail"]["dmsDocumentId"] == id);
    let said = of_it.map(|event| {
        let kind = event["detail-type"].as_str().unwrap().to_owned();
        (kind, event["detail"]["object"]["screening"].clone())
    });
    said.collect()
}

fn said(kind: &str, screening: &str) -> (String, Value) {
    (kind.to_owned(), json!(screening))
}

async fn read(sender: &Sender, id: &str, query: &str) -> Answer {
    sender.call("GET", &format!("/okd/v1/documents/{id}{query}")).await
}

/// A document that cannot be read, and is in this state.
fn is_not_readable(answer: &Answer, state: &str) {
    answer.problem(409, "not-stored");
    assert_eq!(answer.body["upload"]["state"], state);
}

async fn listed(sender: &Sender) -> usize {
    let list = sender.call("GET", &format!("{}/documents", association())).await.ok().body;
    list["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_file_is_safe_at_once_and_read_listed_and_announced_when_it_is_found_clean() {
    let (harness, sender, scanner) = screening();
    let inline = sender.hand_in(&metadata(), b"an exam").await.ok().id();
    let offered = sender.offer_and_send(&offer(7), b"an exam").await;
    sender.complete(&offered).await.ok();
    let ids = [inline, offered.id()];
    harness.know(okd_core::checksum::Checksum::sha256(b"an exam"));
    for later in [Duration::ZERO, HOUR, 24 * HOUR] {
        harness.tick(later).await;
        for id in &ids {
            is_not_readable(&read(&sender, id, "").await, "screening");
            is_not_readable(&read(&sender, id, "/metadata").await, "screening");
            assert_eq!(announced(&harness, id).await, []);
        }
        assert_eq!(listed(&sender).await, 0);
    }
    assert_eq!(read(&sender, &ids[0], "").await.headers["retry-after"], "30");
    judge(&harness, &scanner).await;
    for id in &ids {
        assert_eq!(read(&sender, id, "").await.ok().body, "an exam");
        let known = read(&sender, id, "/metadata").await.ok().body;
        assert_eq!(known["ext"]["okd"]["screening"], "clean");
        assert_eq!(announced(&harness, id).await, [said("document.stored", "clean")]);
    }
    assert_eq!(listed(&sender).await, 2);
    assert_eq!(harness.cloud.policies.audit().1, []);
    harness.close().await;
}

#[tokio::test]
async fn malware_is_handed_out_to_nobody_and_what_was_there_before_it_is_read_again() {
    let (harness, sender, scanner) = screening();
    let metadata = metadata();
    for bytes in [b"an exam".to_vec(), eicar()] {
        harness.know(okd_core::checksum::Checksum::sha256(&bytes));
    }
    let id = sender.hand_in(&metadata, b"an exam").await.ok().id();
    judge(&harness, &scanner).await;
    let size = eicar().len();
    let in_parts = with(&metadata, "documentSize", json!(size));
    let offered = sender.offer_and_send(&in_parts, &eicar()).await;
    sender.complete(&offered).await.ok();
    let version = offered.href("status").split_once("upload=").unwrap().1.to_owned();
    assert_eq!(read(&sender, &id, "").await.ok().body, "an exam", "it waits for the scanner");
    is_not_readable(&read(&sender, &id, &format!("?version={version}")).await, "screening");
    judge(&harness, &scanner).await;
    assert_eq!(read(&sender, &id, "").await.ok().body, "an exam", "it is malware");
    read(&sender, &id, &format!("?version={version}")).await.problem(404, "no-such-version");
    let status = sender.call("GET", offered.href("status")).await.ok().body;
    assert_eq!(status["upload"], json!({ "state": "quarantined" }));
    sender.call("POST", offered.href("complete")).await.problem(422, "quarantined");

    let alone = sender.hand_in(&support::sender::metadata(), &eicar()).await.ok().id();
    judge(&harness, &scanner).await;
    is_not_readable(&read(&sender, &alone, "").await, "quarantined");
    assert_eq!(announced(&harness, &alone).await, [said("document.quarantined", "threat")]);
    let mut kinds = announced(&harness, &id).await;
    kinds.sort_by_key(|(kind, _)| kind.clone());
    let expected = [
        said("document.quarantined", "threat"),
        said("document.stored", "clean"),
        // What was there before is current again.
        said("document.stored", "clean"),
    ];
    assert_eq!(kinds, expected);
    let findings = harness.close().await;
    assert_eq!(findings.documents[&alone].corrupt + findings.documents[&id].corrupt, 2);
}

#[tokio::test]
async fn what_waits_for_the_scanner_is_replaced_all_the_same_and_hides_nothing_that_was_clean_before() {
    let (harness, sender, scanner) = screening();
    for bytes in [&b"clean"[..], b"second", b"third"] {
        harness.know(okd_core::checksum::Checksum::sha256(bytes));
    }
    let id = sender.hand_in(&metadata(), b"clean").await.ok().id();
    let replace = async |bytes: &'static [u8]| {
        let request = sender.request("PATCH", &format!("/okd/v1/documents/{id}")).bearer_auth(&sender.token);
        let request = request.header("content-type", "application/pdf").body(bytes);
        assert_eq!(request.send().await.unwrap().status(), 204);
    };
    replace(b"second").await;
    is_not_readable(&read(&sender, &id, "").await, "screening");
    replace(b"clean").await;
    judge(&harness, &scanner).await;
    harness.tick(HOUR).await;
    assert_eq!(read(&sender, &id, "").await.ok().body, "clean");
    replace(b"second").await;
    replace(b"third").await;
    assert_eq!(read(&sender, &id, "").await.ok().body, "clean", "two wait");
    assert_eq!(listed(&sender).await, 1);
    judge(&harness, &scanner).await;
    harness.tick(HOUR).await;
    assert_eq!(read(&sender, &id, "").await.ok().body, "third");
    harness.close().await;
}

#[tokio::test]
async fn what_cannot_be_scanned_is_kept_from_its_readers_too() {
    let (harness, sender, scanner) = screening();
    let with_password = b"PK\x03\x04\x14\x00\x01\x00";
    harness.know(okd_core::checksum::Checksum::sha256(with_password));
    let id = sender.hand_in(&metadata(), with_password).await.ok().id();
    judge(&harness, &scanner).await;
    is_not_readable(&read(&sender, &id, "").await, "quarantined");
    assert_eq!(announced(&harness, &id).await, [said("document.quarantined", "unscannable")]);
    harness.close().await;
}

#[tokio::test]
async fn a_verdict_counts_once_however_often_it_comes_and_one_that_is_lost_the_sweep_finds() {
    let (harness, sender, scanner) = screening();
    for bytes in [b"an exam".to_vec(), eicar()] {
        harness.know(okd_core::checksum::Checksum::sha256(&bytes));
    }
    let faults = &harness.cloud.faults;
    for fault in [Fault::Never, Fault::Twice] {
        for (bytes, kind, verdict) in
            [(b"an exam".to_vec(), "document.stored", "clean"), (eicar(), "document.quarantined", "threat")]
        {
            let id = sender.hand_in(&metadata(), &bytes).await.ok().id();
            faults.inject(call("", VERDICT), 0, 1, fault);
            judge(&harness, &scanner).await;
            harness.tick(HOUR).await;
            harness.tick(2 * HOUR).await;
            assert_eq!(announced(&harness, &id).await, [said(kind, verdict)], "{fault:?}");
        }
    }
    let (idle, in_vain) = harness.cloud.policies.audit();
    assert_eq!(in_vain, []);
    assert!(idle.iter().all(|allowed| allowed.need.action != "s3:GetObjectTagging"), "{idle:?}");
    harness.close().await;
}

#[tokio::test]
async fn what_was_replaced_before_it_was_screened_is_screened_all_the_same() {
    let (harness, sender, scanner) = screening();
    for lose in [false, true] {
        let metadata = metadata();
        let mut versions = Vec::new();
        for bytes in [eicar(), b"the first".to_vec(), b"the second".to_vec()] {
            harness.know(okd_core::checksum::Checksum::sha256(&bytes));
            versions.push(sha256(&bytes).split_once(':').unwrap().1.to_owned());
            sender.hand_in(&metadata, &bytes).await.ok();
        }
        let id = sender.hand_in(&metadata, b"the second").await.ok().id();
        if lose {
            harness.cloud.faults.inject(call("", VERDICT), 0, 3, Fault::Never);
        }
        judge(&harness, &scanner).await;
        harness.tick(HOUR).await;
        harness.tick(2 * HOUR).await;
        assert_eq!(read(&sender, &id, "").await.ok().body, "the second");
        assert_eq!(read(&sender, &id, &format!("?version={}", versions[1])).await.ok().body, "the first");
        read(&sender, &id, &format!("?version={}", versions[0])).await.problem(404, "no-such-version");
        let said_of_it = announced(&harness, &id).await;
        assert!(said_of_it.contains(&said("document.quarantined", "threat")), "{said_of_it:?}");
    }
    harness.close().await;
}

#[tokio::test]
async fn a_content_that_is_both_unverified_and_unscreened_is_read_when_it_is_neither() {
    let (harness, sender, scanner) = screening();
    harness.know(okd_core::checksum::Checksum::sha256(b"right"));
    let declaring = with(&offer(5), "documentChecksum", json!(sha256(b"right")));
    harness.cloud.events.pause(true);
    let offered = sender.offer_and_send(&declaring, b"right").await;
    sender.call("POST", offered.href("complete")).await.accepted();
    is_not_readable(&read(&sender, &offered.id(), "").await, "verifying");
    harness.cloud.events.pause(false);
    harness.cloud.events.drained().await;
    sender.complete(&offered).await.ok();
    is_not_readable(&read(&sender, &offered.id(), "").await, "screening");
    judge(&harness, &scanner).await;
    assert_eq!(read(&sender, &offered.id(), "").await.ok().body, "right");
    harness.close().await;
}

/// Hands in documents, every third malware, while a fifth of all calls and events go wrong and the scanner is down half the
/// time, and reads them all the while.
#[tokio::test]
async fn while_everything_goes_wrong_nothing_is_read_that_the_scanner_did_not_find_clean() {
    let (harness, mut reader, scanner) = screening();
    reader.token = harness.cloud.issuer.token("test-sis", "okd:alldocuments").unwrap();
    let reader = &reader;
    let seed = fastrand::u64(..1 << 32);
    tell!("screening: seed {seed}");
    harness.cloud.faults.chaos(seed, 20);
    let one = async |number: usize| {
        let is_malware = number.is_multiple_of(3);
        let mut bytes = format!("document {number} ").into_bytes();
        if is_malware {
            bytes.extend(eicar());
        }
        let file = TestFile(bytes.into());
        harness.know(file.sha256());
        let message = Message(sample::metadata("verslag.pdf", None));
        let id = if number.is_multiple_of(2) {
            harness.sender.hand_in_inline(&message.0, &file.0).await.unwrap()
        } else {
            let source = Source::Bytes(file.0.clone());
            harness.sender.hand_in_by_parts(&message.of_size(&file).0, &source).await.unwrap().id
        };
        if number.is_multiple_of(5) {
            scanner.down(number.is_multiple_of(10));
        }
        let answer = read(reader, &id, "").await;
        assert!(!is_malware || answer.status != 200, "{id} is malware, and was read");
        (id, is_malware)
    };
    let mut handed_in = Vec::new();
    for wave in 0..4 {
        handed_in.extend(join_all((0..6).map(|number| one(6 * wave + number))).await);
    }
    harness.cloud.faults.chaos(seed, 0);
    judge(&harness, &scanner).await;
    let findings = harness.close().await;
    for (id, is_malware) in handed_in {
        let found = read(reader, &id, "").await;
        assert_eq!(found.status, if is_malware { 409 } else { 200 }, "{id}: {:?}", found.body);
        let stored = &findings.documents[&id];
        assert_eq!((stored.current.is_some(), stored.unverified), (!is_malware, false));
    }
}
