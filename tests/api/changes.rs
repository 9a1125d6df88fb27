//! Stored documents changed: their bytes replaced (flow y), deleted and handed in again (flow z).

use serde_json::{Value, json};

use support::{
    cloud::own_cloud,
    sender::{Answer, Sender, bytes, form, metadata, offer, sha256, with},
};

fn path(id: &str) -> String {
    format!("/okd/v1/documents/{id}")
}

/// New bytes for a document, of this media type.
async fn replace(sender: &Sender, method: &str, id: &str, media_type: &str, file: &[u8]) -> Answer {
    let request = sender.request(method, &path(id)).header("content-type", media_type).body(file.to_vec());
    sender.send(request).await
}

fn no_content(answer: &Answer) {
    assert_eq!((answer.status, &answer.body), (204, &json!("")), "{answer:?}");
}

async fn known(sender: &Sender, id: &str) -> Value {
    sender.call("GET", &format!("{}/metadata", path(id))).await.ok().body
}

#[tokio::test]
async fn new_bytes_are_a_new_version_with_the_metadata_of_before() {
    let sender = Sender::new();
    // The size that was declared of the old bytes says nothing of the new ones.
    let metadata = with(&metadata(), "documentSize", json!(8));
    let id = sender.hand_in(&metadata, b"%PDF-1.7").await.ok().id();
    let before = known(&sender, &id).await;
    for (method, media_type, file, format) in [
        ("PATCH", "application/octet-stream", &b"%PDF-1.7 two"[..], "application/pdf"),
        ("PATCH", "image/png", b"\x89PNG three", "image/png"),
        ("PUT", "application/pdf", b"%PDF-1.7 four", "application/pdf"),
    ] {
        no_content(&replace(&sender, method, &id, media_type, file).await);
        let after = known(&sender, &id).await;
        assert_eq!(after["documentSize"], file.len());
        assert_eq!(after["format"], format, "{method} {media_type}");
        assert_eq!(after["documentName"], before["documentName"]);
        assert_eq!(after["ext"]["okd"]["documentId"], metadata["consumers"][0]["documentId"]);
        assert!(after["ext"]["okd"]["checksums"].as_array().unwrap().contains(&json!(sha256(file))), "{after}");
        let url = after["documentTempDownloadUrl"].as_str().unwrap();
        assert_eq!(&reqwest::get(url).await.unwrap().bytes().await.unwrap()[..], file);
    }
    let first = before["ext"]["okd"]["version"].as_str().unwrap();
    assert_eq!(sender.call("GET", &format!("{}?version={first}", path(&id))).await.ok().body, "%PDF-1.7");
}

#[tokio::test]
async fn the_same_bytes_again_are_no_new_version() {
    let sender = Sender::new();
    let id = sender.hand_in(&metadata(), b"%PDF-1.7").await.ok().id();
    no_content(&replace(&sender, "PATCH", &id, "application/pdf", b"%PDF-1.7 two").await);
    let item = sender.item(&id).await;
    no_content(&replace(&sender, "PATCH", &id, "application/pdf", b"%PDF-1.7 two").await);
    no_content(&replace(&sender, "PATCH", &id, "application/octet-stream", b"%PDF-1.7 two").await);
    assert_eq!(sender.item(&id).await, item);
}

#[tokio::test]
async fn a_large_file_replaces_by_parts_and_the_old_one_is_read_until_it_is_complete() {
    let sender = Sender::new();
    let id = sender.hand_in(&metadata(), b"first").await.ok().id();
    let file = bytes((4 << 20) + 1, 3);
    let too_large = replace(&sender, "PATCH", &id, "application/pdf", &file).await;
    assert!(too_large.problem(413, "file-too-large-inline").contains("{\"documentSize\": 4194305}"), "{too_large:?}");
    let body = json!({ "documentSize": file.len(), "documentChecksum": sha256(&file) });
    let offered = sender.send(sender.request("PATCH", &path(&id)).json(&body)).await.accepted();
    assert_eq!(offered.id(), id);
    // Repeated, it goes on.
    let again = sender.send(sender.request("PATCH", &path(&id)).json(&body)).await.accepted();
    assert_eq!(again.href("complete"), offered.href("complete"));
    assert_eq!(sender.call("GET", &path(&id)).await.ok().body, "first");
    sender.send_parts(&offered.body["upload"], &file, None).await;
    sender.complete(&offered).await.ok();
    let after = known(&sender, &id).await;
    assert_eq!((&after["documentSize"], &after["title"]), (&json!(file.len()), &json!("beoordeling-100245")));
    // It is there: nothing to send.
    sender.send(sender.request("PATCH", &path(&id)).json(&body)).await.ok();
}

#[tokio::test]
async fn bytes_are_replaced_by_bytes_alone_and_only_of_a_document_that_is_stored() {
    let sender = Sender::new();
    let id = sender.hand_in(&metadata(), b"first").await.ok().id();
    let item = sender.item(&id).await;
    let a_form = form(&[("content-disposition: form-data; name=\"file\"", b"x")]);
    let refused = sender.send(sender.form_request("PATCH", &path(&id), a_form)).await;
    refused.problem(415, "unsupported-media-type");
    replace(&sender, "PATCH", &id, "application/pdf", b"").await.problem(422, "empty-file");
    for body in ["{}", "[]", r#"{"documentSize": 0}"#, r#"{"documentSize": 5, "documentChecksum": "x"}"#] {
        replace(&sender, "PATCH", &id, "application/json", body.as_bytes()).await.problem(422, "invalid-metadata");
    }
    replace(&sender, "PATCH", &id, "application/json", b"{").await.problem(400, "malformed-json");
    assert_eq!(sender.item(&id).await, item);
    let never = "7d0a4c1e-1b52-4f0e-9a61-2f6f0c1e5a10";
    replace(&sender, "PATCH", never, "application/pdf", b"x").await.problem(404, "no-such-document");
    let pending = sender.offer(&offer(5)).await.accepted().id();
    replace(&sender, "PATCH", &pending, "application/pdf", b"x").await.problem(409, "not-stored");
    assert_eq!(sender.objects(never).await, [] as [String; 0]);
    assert_eq!(sender.objects(&pending).await, [] as [String; 0]);
}

#[tokio::test]
async fn a_deleted_document_is_gone_for_its_readers_and_deleting_it_again_is_no_error() {
    let sender = Sender::new();
    let subject = "8d0a4c1e-1b52-4f0e-9a61-2f6f0c1e5a11";
    let mut metadata = metadata();
    metadata["person"] = json!(subject);
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    let version = known(&sender, &id).await["ext"]["okd"]["version"].as_str().unwrap().to_owned();
    assert!(sender.found_by("person", subject).await.contains(&id));
    no_content(&sender.call("DELETE", &path(&id)).await);
    let item = sender.item(&id).await;
    no_content(&sender.call("DELETE", &path(&id)).await);
    assert_eq!(sender.item(&id).await, item);
    for path in [path(&id), format!("{}/metadata", path(&id)), format!("{}?version={version}", path(&id))] {
        let answer = sender.call("GET", &path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    replace(&sender, "PATCH", &id, "application/pdf", b"x").await.problem(404, "no-such-document");
    let by_parts = sender.request("PATCH", &path(&id)).json(&json!({ "documentSize": 5 }));
    sender.send(by_parts).await.problem(404, "no-such-document");
    assert!(!sender.found_by("person", subject).await.contains(&id));
    let never = "7d0a4c1e-1b52-4f0e-9a61-2f6f0c1e5a10";
    sender.call("DELETE", &path(never)).await.problem(404, "no-such-document");
}

#[tokio::test]
async fn what_is_handed_in_again_after_it_was_deleted_is_there_again_and_its_older_versions_are_not() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    let first = known(&sender, &id).await["ext"]["okd"]["version"].as_str().unwrap().to_owned();
    sender.hand_in(&metadata, b"second").await.ok();
    no_content(&sender.call("DELETE", &path(&id)).await);
    assert_eq!(sender.hand_in(&metadata, b"second").await.ok().id(), id);
    assert_eq!(sender.call("GET", &path(&id)).await.ok().body, "second");
    let old = sender.call("GET", &format!("{}?version={first}", path(&id))).await;
    old.problem(404, "no-such-version");
    // And the other way, by parts.
    no_content(&sender.call("DELETE", &path(&id)).await);
    let offered = sender.offer_and_send(&with(&metadata, "documentSize", json!(5)), b"third").await;
    assert_eq!(offered.id(), id);
    sender.call("GET", &path(&id)).await.problem(409, "not-stored");
    sender.complete(&offered).await.ok();
    assert_eq!(sender.call("GET", &path(&id)).await.ok().body, "third");
}

#[tokio::test]
async fn deleting_a_document_ends_its_upload() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    let offered = sender.offer(&with(&metadata, "documentSize", json!(5))).await.accepted();
    no_content(&sender.call("DELETE", &path(&id)).await);
    let part = &offered.body["upload"]["parts"][0];
    sender.url_leads_nowhere(part, b"right").await;
    sender.call("POST", offered.href("complete")).await.problem(410, "upload-gone");
    let status = sender.call("GET", offered.href("status")).await.ok();
    assert_eq!(status.body["upload"]["state"], "aborted");
    sender.call("GET", &path(&id)).await.problem(404, "no-such-document");
    // One that was never stored, too.
    let offered = sender.offer(&offer(5)).await.accepted();
    no_content(&sender.call("DELETE", &path(&offered.id())).await);
    sender.call("GET", &path(&offered.id())).await.problem(404, "no-such-document");
}

#[tokio::test]
async fn a_deleted_version_does_not_come_back_where_the_next_one_is_corrupt() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    no_content(&sender.call("DELETE", &path(&id)).await);
    let declaring = with(&with(&metadata, "documentSize", json!(5)), "documentChecksum", json!(sha256(b"right")));
    let offered = sender.offer_and_send(&declaring, b"wrong").await;
    assert_eq!(offered.id(), id);
    sender.complete(&offered).await.problem(422, "checksum-mismatch");
    let read = sender.call("GET", &path(&id)).await;
    read.problem(409, "not-stored");
    assert_eq!(read.body["upload"]["state"], "corrupt");
}

#[tokio::test]
async fn who_may_not_see_a_document_can_neither_replace_nor_delete_it() {
    let sender = Sender::new();
    let id = sender.hand_in(&metadata(), b"an exam").await.ok().id();
    let item = sender.item(&id).await;
    for (client, scope, status) in
        [(sender.client.as_str(), "okd:bpvdocuments", 403), ("another", "okd:alldocuments", 404)]
    {
        let mut stranger = sender.clone();
        stranger.token = sender.cloud.issuer.token(client, scope).unwrap();
        for method in ["PATCH", "PUT"] {
            assert_eq!(replace(&stranger, method, &id, "application/pdf", b"x").await.status, status);
        }
        assert_eq!(stranger.call("DELETE", &path(&id)).await.status, status);
    }
    assert_eq!(sender.item(&id).await, item);
}

#[tokio::test]
async fn a_replacement_takes_three_calls_to_aws_and_a_deletion_two() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let id = sender.hand_in(&metadata(), b"an exam").await.ok().id();
    let before = cloud.faults.calls().len();
    no_content(&replace(&sender, "PATCH", &id, "application/pdf", b"another").await);
    no_content(&sender.call("DELETE", &path(&id)).await);
    let calls = cloud.faults.calls().split_off(before);
    let calls = calls.iter().filter(|call| call.from == "ApiFunction");
    let calls: Vec<&str> = calls.map(|call| call.operation.as_str()).collect();
    assert_eq!(calls, ["Query", "PutObject", "TransactWriteItems", "Query", "TransactWriteItems"]);
}
