//! The relay while things go wrong: what it answered 200 is there, and nothing is there by half.

use std::collections::BTreeSet;

use bytes::Bytes;
use okd_faults::{Call, Fault};
use okd_local::invariants::{check_invariants, drain};
use reqwest::Body;

use crate::{
    MIB, Scene,
    relay::{Relay, document, id, metric},
    sha256, until,
};

fn call(from: &str, operation: &str) -> Call {
    Call { from: from.to_owned(), operation: operation.to_owned() }
}

/// Checks the cloud after a sweep: every document of these is there, with these bytes, and nothing else is.
async fn check(relay: &Relay, files: &[(String, String)]) {
    relay.cloud.faults.clear();
    drain(relay.cloud).await.unwrap();
    let handed_in: BTreeSet<String> = files.iter().map(|(_, sha256)| format!("sha-256:{sha256}")).collect();
    let findings = check_invariants(relay.cloud, &handed_in).await.unwrap();
    assert!(findings.faults.is_empty(), "{:?}", findings.faults);
    assert_eq!(findings.documents.len(), files.len(), "{:?}", findings.documents.keys());
}

#[tokio::test]
async fn a_file_gets_through_while_the_service_and_its_stores_fail_now_and_then() {
    let relay = Relay::start(&[]);
    let faults = &relay.cloud.faults;
    let mut files = Vec::new();
    for (number, (from, operation, fault)) in [
        ("", "UploadPart", Fault::Fail),
        ("", "UploadPart", Fault::LoseAnswer),
        ("ApiFunction", "CreateMultipartUpload", Fault::Fail),
        ("ApiFunction", "TransactWriteItems", Fault::KillAfter),
        ("ApiFunction", "CompleteMultipartUpload", Fault::LoseAnswer),
        ("ApiFunction", "ListParts", Fault::Throttle),
    ]
    .into_iter()
    .enumerate()
    {
        let path = relay.file("recording", 40 * MIB);
        faults.inject(call(from, operation), 0, 4, fault);
        let name = format!("document-{number}");
        let answer = relay.put(document(&name, &std::fs::read(&path).unwrap())).send().await.unwrap();
        let id = id(answer).await;
        relay.compare(&id, &path).await;
        files.push((id, sha256(&path)));
        faults.clear();
    }
    check(&relay, &files).await;
}

#[tokio::test]
async fn a_sender_that_dies_in_the_middle_leaves_nothing() {
    let relay = Relay::start(&[]);
    let body = document("dies", &std::fs::read(relay.file("recording", 40 * MIB)).unwrap());
    let pieces = futures_util::stream::iter([
        Ok(Bytes::copy_from_slice(&body[..30 * MIB])),
        Err(std::io::Error::other("the sender dies")),
    ]);
    let died = relay.put(Body::wrap_stream(pieces)).header("content-length", body.len()).send().await;
    assert!(died.is_err());
    until("its place is free", async || metric(&relay, "okd_relay_files_in_flight").await == 0).await;
    check(&relay, &[]).await;
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_said_to_be_so_and_a_repeat_goes_on_where_it_was() {
    let relay = Relay::start(&["--patience", "1"]);
    let path = relay.file("recording", 40 * MIB);
    let body = document("again", &std::fs::read(&path).unwrap());
    let send = || relay.put(body.clone()).send();
    relay.cloud.faults.inject(call("ApiFunction", "CompleteMultipartUpload"), 0, 1000, Fault::Fail);
    let answer = send().await.unwrap();
    assert_eq!(answer.status(), 503, "{}", answer.text().await.unwrap());
    let arrived = relay.parts_sent().len();
    relay.cloud.faults.clear();
    let id = id(send().await.unwrap()).await;
    assert_eq!(relay.parts_sent().len(), arrived, "no part is sent again");
    relay.compare(&id, &path).await;
    check(&relay, &[(id, sha256(&path))]).await;
}

#[tokio::test]
async fn a_relay_that_is_killed_leaves_what_another_goes_on_with() {
    let scene = Scene::new();
    let path = scene.file("recording", 80 * MIB);
    let body = document("killed", &std::fs::read(&path).unwrap());
    let mut relay = Relay::before(scene, &[]);
    // The fourth part hangs: the relay is killed with the others there.
    relay.cloud.faults.inject(call("", "UploadPart"), 3, 1, Fault::Hang);
    let sending = tokio::spawn(relay.put(body.clone()).send());
    until("some parts have arrived", async || relay.parts_sent().len() >= 3).await;
    relay.process.kill().unwrap();
    assert!(sending.await.unwrap().is_err());
    relay.cloud.faults.clear();
    let spool: Vec<_> = std::fs::read_dir(relay.folder.path().join("spool")).unwrap().collect();
    assert!(spool.is_empty(), "nothing stays on its disk");

    let next = Relay::before(Scene::beside(&relay), &[]);
    let id = id(next.put(body).send().await.unwrap()).await;
    let sent = next.parts_sent();
    let different: BTreeSet<u32> = sent.iter().copied().collect();
    assert_eq!((sent.len(), different.len()), (5, 5), "no part is sent twice: {sent:?}");
    next.compare(&id, &path).await;
    check(&next, &[(id, sha256(&path))]).await;
}
