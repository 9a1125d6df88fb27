//! Identity of documents: by type, by the sender's key, and by the message where there is no key.

use serde_json::{Value, json};

use support::cloud::own_cloud;
use support::sender::{Answer, Sender, association, bytes, file_form, form, metadata, offer, sha256, with, without};

const TWO_PARTS: usize = (16 << 20) + 5;

/// Form A with this `Idempotency-Key`.
async fn hand_in_with(sender: &Sender, key: &str, metadata: &Value, file: &[u8]) -> Answer {
    let request = sender.form_request("PUT", &association(), file_form(metadata, "", file));
    sender.send(request.header("idempotency-key", key)).await
}

/// Form B with this `Idempotency-Key`.
async fn offer_with(sender: &Sender, key: &str, metadata: &Value) -> Answer {
    let request = sender.request("PUT", &association()).json(metadata);
    sender.send(request.header("idempotency-key", key)).await
}

#[tokio::test]
async fn documents_of_different_type_are_different_documents_whatever_they_are_called() {
    let sender = Sender::new();
    let types = ["examination", "enrollment", "bpv", "graduation", "other"];
    let mut ids = std::collections::BTreeSet::new();
    let named = metadata();
    for metadata in [named.clone(), without(&named, "documentId")] {
        for document_type in types {
            let metadata = with(&metadata, "documentType", json!(document_type));
            let id = sender.hand_in(&metadata, b"file").await.ok().id();
            assert_eq!(sender.hand_in(&metadata, b"file").await.ok().id(), id);
            ids.insert(id);
        }
    }
    assert_eq!(ids.len(), 10);
    // The two words for one type are one type.
    let [english, dutch] = ["graduation", "diplomering"].map(|word| with(&named, "documentType", json!(word)));
    let id = sender.hand_in(&english, b"file").await.ok().id();
    assert_eq!(sender.hand_in(&dutch, b"file").await.ok().id(), id);
}

#[tokio::test]
async fn with_scopes_that_are_split_nobody_is_refused_for_anothers_type() {
    let sender = Sender::new();
    let scoped = |scope: &str| {
        let mut narrow = sender.clone();
        narrow.token = sender.cloud.issuer.token(&sender.client, scope).unwrap();
        narrow
    };
    let metadata = metadata();
    let of_type = |document_type: &str| with(&metadata, "documentType", json!(document_type));
    let contract = scoped("okd:bpvdocuments").hand_in(&of_type("bpv"), b"contract").await.ok();
    let diploma = scoped("okd:graduationdocuments").hand_in(&of_type("graduation"), b"diploma").await.ok();
    assert_ne!(contract.id(), diploma.id());
    assert_eq!(sender.stored_bytes(&contract.id()).await, b"contract");
}

#[tokio::test]
async fn a_put_without_any_key_that_is_repeated_is_one_document_and_another_file_is_another() {
    let sender = Sender::new();
    let metadata = without(&metadata(), "documentId");
    let first = sender.hand_in(&metadata, b"file").await.ok().id();
    let item = sender.item(&first).await;
    assert_eq!(sender.hand_in(&metadata, b"file").await.ok().id(), first);
    assert_eq!(sender.item(&first).await, item, "a repeat changes nothing");
    assert_ne!(sender.hand_in(&metadata, b"other").await.ok().id(), first);
    let renamed = with(&metadata, "documentName", json!("ander.pdf"));
    assert_ne!(sender.hand_in(&renamed, b"file").await.ok().id(), first);
    assert_ne!(Sender::new().hand_in(&metadata, b"file").await.ok().id(), first, "another client's is another");
}

#[tokio::test]
async fn an_offer_without_any_key_that_is_repeated_resumes_its_upload() {
    let sender = Sender::new();
    let metadata = without(&offer(TWO_PARTS), "documentId");
    let file = bytes(TWO_PARTS, 1);
    let first = sender.offer(&metadata).await.accepted();
    sender.send_parts(&first.body["upload"], &file, Some(&[2])).await;
    let second = sender.offer(&metadata).await.accepted();
    assert_eq!((second.id(), second.href("complete")), (first.id(), first.href("complete")));
    assert_eq!(second.body["upload"]["partsReceived"], 1);
    assert_eq!(sender.open_uploads(&first.id()).await.len(), 1);
    sender.send_parts(&second.body["upload"], &file, None).await;
    sender.complete(&second).await.ok();
    assert!(sender.stored_bytes(&first.id()).await == file);
}

#[tokio::test]
async fn once_it_is_stored_the_same_offer_without_any_key_means_another_document() {
    let sender = Sender::new();
    let metadata = without(&offer(5), "documentId");
    let mut ids = Vec::new();
    for file in [b"first", b"other", b"third"] {
        let offered = sender.offer_and_send(&metadata, file).await;
        sender.complete(&offered).await.ok();
        assert_eq!(sender.stored_bytes(&offered.id()).await, file);
        assert!(!ids.contains(&offered.id()), "{ids:?}");
        ids.push(offered.id());
    }
    // But bytes that are known to be there need not come again.
    let declared = with(&metadata, "documentChecksum", json!(sha256(b"first")));
    let offered = sender.offer_and_send(&declared, b"first").await;
    sender.complete(&offered).await.ok();
    sender.cloud.events.drained().await;
    assert_eq!(sender.offer(&declared).await.ok().id(), offered.id());
}

#[tokio::test]
async fn an_aborted_offer_without_any_key_begins_again_under_the_same_id() {
    let sender = Sender::new();
    let metadata = without(&offer(5), "documentId");
    let first = sender.offer(&metadata).await.accepted();
    assert_eq!(sender.follow(&first.body["upload"], "abort").await.status, 204);
    let second = sender.offer(&metadata).await.accepted();
    assert_eq!(second.id(), first.id());
    assert_ne!(second.href("complete"), first.href("complete"));
}

#[tokio::test]
async fn eight_offers_without_any_key_at_once_meet_in_one_upload() {
    let sender = Sender::new();
    let metadata = without(&offer(5), "documentId");
    let answers = futures_util::future::join_all((0..8).map(|_| sender.offer(&metadata))).await;
    let id = answers[0].id();
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.id() == id), "{answers:?}");
    assert_eq!(sender.open_uploads(&id).await.len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_takes_the_place_of_a_missing_document_id() {
    let sender = Sender::new();
    let metadata = without(&metadata(), "documentId");
    let mut ids = Vec::new();
    for key in ["a", "a", "b"] {
        ids.push(hand_in_with(&sender, key, &metadata, b"file").await.ok().id());
    }
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[tokio::test]
async fn an_idempotency_key_with_another_payload_is_refused_and_changes_nothing() {
    let sender = Sender::new();
    let metadata = without(&metadata(), "documentId");
    let id = hand_in_with(&sender, "k", &metadata, b"student 1").await.ok().id();
    let item = sender.item(&id).await;
    let other_student = with(&metadata, "studentNumber", json!("2"));
    let other_type = with(&metadata, "documentType", json!("bpv"));
    for (metadata, file) in
        [(&metadata, &b"student 2"[..]), (&other_student, b"student 1"), (&other_type, b"student 1")]
    {
        let answer = hand_in_with(&sender, "k", metadata, file).await;
        let detail = answer.problem(422, "idempotency-key-reused");
        assert!(detail.contains("new key"), "{detail}");
    }
    let mut elsewhere = metadata.clone();
    elsewhere["associationId"] = Value::Null;
    let path = format!("/okd/v1/associations/{}", support::sender::OFFERING);
    let request =
        sender.form_request("PUT", &path, file_form(&elsewhere, "", b"student 1")).header("idempotency-key", "k");
    sender.send(request).await.problem(422, "idempotency-key-reused");
    offer_with(&sender, "k", &with(&metadata, "documentSize", json!(9))).await.problem(422, "idempotency-key-reused");
    assert_eq!(sender.item(&id).await, item);
    assert_eq!(sender.stored_bytes(&id).await, b"student 1");
    assert!(sender.open_uploads(&id).await.is_empty());
}

#[tokio::test]
async fn an_offer_repeated_with_its_idempotency_key_is_resumed_and_then_stored() {
    let sender = Sender::new();
    let metadata = without(&offer(TWO_PARTS), "documentId");
    let file = bytes(TWO_PARTS, 2);
    let first = offer_with(&sender, "k", &metadata).await.accepted();
    sender.send_parts(&first.body["upload"], &file, Some(&[1])).await;
    let other = with(&metadata, "documentName", json!("ander.pdf"));
    offer_with(&sender, "k", &other).await.problem(422, "idempotency-key-reused");
    let second = offer_with(&sender, "k", &metadata).await.accepted();
    assert_eq!((second.id(), second.href("complete")), (first.id(), first.href("complete")));
    sender.send_parts(&second.body["upload"], &file, None).await;
    sender.complete(&second).await.ok();
    assert_eq!(offer_with(&sender, "k", &metadata).await.ok().id(), first.id());
    offer_with(&sender, "k", &other).await.problem(422, "idempotency-key-reused");
    assert!(sender.stored_bytes(&first.id()).await == file);
}

#[tokio::test]
async fn an_idempotency_key_names_what_is_sent_and_not_how() {
    let sender = Sender::new();
    let metadata = without(&offer(5), "documentId");
    let offered = offer_with(&sender, "k", &metadata).await.accepted();
    sender.follow(&offered.body["upload"], "abort").await;
    let id = hand_in_with(&sender, "k", &metadata, b"12345").await.ok();
    assert_eq!(id.id(), offered.id());
    // A library that repeats may give the file's part another name and type.
    let head = "; filename=\"tmp7.pdf\"\r\ncontent-type: application/pdf";
    let parts = file_form(&metadata, head, b"12345");
    let item = sender.item(&offered.id()).await;
    let request = sender.form_request("PUT", &association(), parts);
    let repeat = sender.send(request.header("idempotency-key", "k")).await;
    assert_eq!(repeat.ok().id(), offered.id());
    assert_eq!(sender.item(&offered.id()).await, item, "a repeat changes nothing");
    hand_in_with(&sender, "k", &metadata, b"54321").await.problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn what_was_uploaded_under_an_idempotency_key_may_come_again_whole() {
    let sender = Sender::new();
    let metadata = without(&offer(5), "documentId");
    let offered = offer_with(&sender, "k", &metadata).await.accepted();
    let upload = &offered.body["upload"];
    sender.send_parts(upload, b"12345", None).await;
    sender.follow(upload, "complete").await.ok();
    let repeat = hand_in_with(&sender, "k", &metadata, b"12345").await;
    assert_eq!(repeat.ok().id(), offered.id());
    assert_eq!(sender.objects(&offered.id()).await.len(), 1);
    hand_in_with(&sender, "k", &metadata, b"54321").await.problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn a_message_that_has_named_16_documents_is_asked_for_a_name() {
    let sender = Sender::new();
    let metadata = without(&offer(5), "documentId");
    for _ in 0..16 {
        let offered = sender.offer_and_send(&metadata, b"12345").await;
        sender.complete(&offered).await.ok();
    }
    let answer = sender.offer(&metadata).await;
    let detail = answer.problem(422, "document-id-needed");
    assert!(detail.contains("documentId"), "{detail}");
    offer_with(&sender, "k", &metadata).await.accepted();
}

#[tokio::test]
async fn a_document_id_makes_an_idempotency_key_unnecessary() {
    let sender = Sender::new();
    let metadata = metadata();
    let first = hand_in_with(&sender, "k", &metadata, b"first").await.ok();
    let second = hand_in_with(&sender, "k", &metadata, b"second").await.ok();
    assert_eq!(first.id(), second.id(), "a new version of the one document");
}

#[tokio::test]
async fn two_numbers_that_are_nearly_the_same_are_two() {
    let sender = Sender::new();
    let metadata = metadata().to_string();
    let graded = |grade: &str| metadata.replacen('{', &format!("{{\"grade\":{grade},"), 1);
    let send = async |grade: &str| {
        let body = form(&[
            ("content-disposition: form-data; name=\"metadata\"", graded(grade).as_bytes()),
            ("content-disposition: form-data; name=\"file\"", b"file"),
        ]);
        sender.send_form(&association(), body).await.ok().id()
    };
    let id = send("7.49999999999999999").await;
    assert_eq!(send("7.5").await, id);
    assert_eq!(sender.metadata_of(&id).await["asSent"], graded("7.5"));
}

#[tokio::test]
async fn a_key_whose_bytes_are_only_declared_yet_takes_the_file_itself() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let metadata = without(&offer(5), "documentId");
    let metadata = with(&metadata, "documentChecksum", json!(sha256(b"right")));
    cloud.events.pause(true);
    let wrong = offer_with(&sender, "k", &metadata).await.accepted();
    let upload = &wrong.body["upload"];
    sender.send_parts(upload, b"wrong", None).await;
    sender.follow(upload, "complete").await.accepted();
    hand_in_with(&sender, "k", &metadata, b"right").await.ok();
    cloud.events.pause(false);
    let objects = sender.objects(&wrong.id()).await;
    assert_eq!(objects.len(), 2, "{objects:?}");
    let other = with(&metadata, "documentChecksum", json!(sha256(b"other")));
    let refused = hand_in_with(&sender, "k", &other, b"other").await;
    refused.problem(422, "idempotency-key-reused");
}
