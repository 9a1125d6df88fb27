//! What is only declared proves nothing: of no bytes is anybody told "stored" before they were compared.

use serde_json::json;

use support::{
    cloud::own_cloud,
    sender::{Answer, Sender, offer, sha256, with},
};

fn is_verifying(answer: &Answer) {
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "2");
    assert_eq!(answer.headers["location"], answer.href("status"));
    let upload = &answer.body["upload"];
    assert_eq!((&upload["state"], &upload["documentSize"]), (&json!("verifying"), &json!(5)));
    assert_eq!(upload.get("parts"), None);
}

#[tokio::test]
async fn nobody_is_told_stored_before_the_bytes_were_compared_and_the_right_file_gets_in_at_last() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let metadata = with(&offer(5), "documentChecksum", json!(sha256(b"right")));
    cloud.events.pause(true);
    let wrong = sender.offer_and_send(&metadata, b"wrong").await;
    let completed = sender.call("POST", wrong.href("complete")).await;
    is_verifying(&completed);
    is_verifying(&sender.call("POST", wrong.href("complete")).await);
    let status = sender.call("GET", wrong.href("status")).await.ok();
    assert_eq!(status.body["upload"], completed.body["upload"]);
    // The same document again, with other metadata too, and in whatever form: nothing of it is proven yet.
    is_verifying(&sender.offer(&metadata).await);
    let corrected = with(&metadata, "documentName", json!("beter.pdf"));
    is_verifying(&sender.offer(&corrected).await);

    cloud.events.pause(false);
    cloud.events.drained().await;
    let refused = sender.call("POST", wrong.href("complete")).await;
    refused.problem(422, "checksum-mismatch");
    let right = sender.offer_and_send(&metadata, b"right").await;
    assert_eq!(right.id(), wrong.id());
    sender.complete(&right).await.ok();
    sender.offer(&metadata).await.ok();
}

#[tokio::test]
async fn a_file_that_comes_whole_is_stored_at_once_whatever_is_being_verified() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let declaring = with(&offer(5), "documentChecksum", json!(sha256(b"right")));
    cloud.events.pause(true);
    let wrong = sender.offer_and_send(&declaring, b"wrong").await;
    is_verifying(&sender.call("POST", wrong.href("complete")).await);
    sender.hand_in(&declaring, b"right").await.ok();
    // What it replaced is another matter.
    is_verifying(&sender.call("POST", wrong.href("complete")).await);
    sender.offer(&declaring).await.ok();
    cloud.events.pause(false);
}
