//! Form A: the file inside, and what a repeat does.

use serde_json::json;

use support::sender::{MIB, Sender, bytes, crc64nvme, metadata, sha256, with, without};

#[tokio::test]
async fn a_file_of_exactly_4_mib_is_stored() {
    let sender = Sender::new();
    let file = bytes(4 * MIB, 1);
    let id = sender.hand_in(&metadata(), &file).await.ok().id();
    assert!(sender.stored_bytes(&id).await == file);
}

#[tokio::test]
async fn one_byte_more_is_refused_by_the_function_with_the_way_out() {
    let sender = Sender::new();
    let detail = sender.hand_in(&metadata(), &bytes(4 * MIB + 1, 1)).await.problem(413, "file-too-large-inline");
    assert!(detail.contains("\"documentSize\": 4194305"), "{detail}");
}

#[tokio::test]
async fn a_file_that_the_platform_cannot_carry_is_refused_by_the_gateway_with_the_way_out() {
    let answer = Sender::new().hand_in(&metadata(), &bytes(5 * MIB, 1)).await;
    let detail = answer.problem(413, "file-too-large-inline");
    assert!(detail.contains("documentSize"), "{detail}");
}

#[tokio::test]
async fn an_empty_file_is_refused() {
    Sender::new().hand_in(&metadata(), b"").await.problem(422, "empty-file");
}

#[tokio::test]
async fn another_file_under_the_same_key_becomes_current_and_the_first_is_kept() {
    let sender = Sender::new();
    let metadata = metadata();
    let first = sender.hand_in(&metadata, b"first").await.ok();
    let second = sender.hand_in(&metadata, b"second").await.ok();
    assert_eq!(first.id(), second.id());
    assert_eq!(sender.objects(&first.id()).await.len(), 2);
    let content = sender.item(&first.id()).await.unwrap()["content"].as_m().unwrap().clone();
    assert_eq!(content["sequence"].as_n().unwrap(), "2");
    assert_eq!(content["size"].as_n().unwrap(), "6");
}

#[tokio::test]
async fn the_first_file_again_is_current_again_without_being_stored_again() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    sender.hand_in(&metadata, b"second").await.ok();
    sender.hand_in(&metadata, b"first").await.ok();
    let content = sender.item(&id).await.unwrap()["content"].as_m().unwrap().clone();
    assert_eq!((content["sequence"].as_n().unwrap().as_str(), content["size"].as_n().unwrap().as_str()), ("3", "5"));
    assert_eq!(sender.objects(&id).await.len(), 2);
}

#[tokio::test]
async fn corrected_metadata_with_the_same_file_is_kept_and_the_file_is_not_stored_again() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"file").await.ok().id();
    sender.hand_in(&with(&metadata, "documentName", json!("beter.pdf")), b"file").await.ok();
    let content = sender.item(&id).await.unwrap()["content"].as_m().unwrap().clone();
    let name = &content["metadata"].as_m().unwrap()["okd"].as_m().unwrap()["documentName"];
    assert_eq!(name.as_s().unwrap(), "beter.pdf");
    assert_eq!(sender.objects(&id).await.len(), 1);
}

#[tokio::test]
async fn the_same_metadata_in_another_order_of_keys_is_a_repeat() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"file").await.ok().id();
    let item = sender.item(&id).await;
    let mut text = metadata.to_string();
    text.insert(1, ' ');
    let reordered = text.replace("\"associationType\":\"programOfferingAssociation\",", "");
    let reordered = reordered.replacen('{', "{\"associationType\":\"programOfferingAssociation\",", 1);
    let body = support::sender::form(&[
        ("content-disposition: form-data; name=\"metadata\"", reordered.as_bytes()),
        ("content-disposition: form-data; name=\"file\"", b"file"),
    ]);
    sender.send_form(&support::sender::association(), body).await.ok();
    assert_eq!(sender.item(&id).await, item);
}

#[tokio::test]
async fn an_idempotency_key_that_is_none_is_refused_also_where_none_is_needed() {
    let sender = Sender::new();
    let named = with(&metadata(), "documentSize", json!(1));
    for metadata in [&named, &without(&named, "documentId")] {
        for key in ["", "a\tb"] {
            let request = sender.request("PUT", &support::sender::association()).header("idempotency-key", key);
            sender.send(request.json(metadata)).await.problem(400, "invalid-idempotency-key");
        }
    }
}

#[tokio::test]
async fn two_clients_with_the_same_document_id_have_two_documents() {
    let (one, other) = (Sender::new(), Sender::new());
    let metadata = metadata();
    assert_ne!(one.hand_in(&metadata, b"a").await.ok().id(), other.hand_in(&metadata, b"a").await.ok().id());
}

#[tokio::test]
async fn declared_checksums_and_size_that_hold_are_accepted() {
    let sender = Sender::new();
    for checksum in [sha256(b"file"), crc64nvme(b"file")] {
        let metadata = with(&with(&metadata(), "documentChecksum", json!(checksum)), "documentSize", json!(4));
        sender.hand_in(&metadata, b"file").await.ok();
    }
}

#[tokio::test]
async fn a_declared_checksum_that_does_not_hold_is_refused() {
    let sender = Sender::new();
    for checksum in [sha256(b"other"), crc64nvme(b"other")] {
        let metadata = with(&metadata(), "documentChecksum", json!(checksum));
        sender.hand_in(&metadata, b"file").await.problem(422, "checksum-mismatch");
    }
}

#[tokio::test]
async fn a_declared_size_that_does_not_hold_is_refused() {
    let metadata = with(&metadata(), "documentSize", json!(5));
    Sender::new().hand_in(&metadata, b"file").await.problem(422, "size-mismatch");
}

#[tokio::test]
async fn eight_senders_of_the_same_message_at_once_all_get_the_one_id_and_one_object_is_stored() {
    let sender = Sender::new();
    let metadata = metadata();
    let racing = (0..8).map(|_| sender.hand_in(&metadata, b"file"));
    let answers = futures_util::future::join_all(racing).await;
    let id = answers[0].id();
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.id() == id), "{answers:?}");
    assert_eq!(sender.item(&id).await.unwrap()["revision"].as_n().unwrap(), "1");
    assert_eq!(sender.objects(&id).await.len(), 1);
}

#[tokio::test]
async fn an_inline_file_ends_a_pending_upload_of_the_same_document() {
    let sender = Sender::new();
    let metadata = metadata();
    let offer = sender.offer(&with(&metadata, "documentSize", json!(10))).await.accepted();
    sender.hand_in(&metadata, b"file").await.ok();
    assert!(sender.open_uploads(&offer.id()).await.is_empty());
    sender.url_leads_nowhere(&offer.body["upload"]["parts"][0], b"0123456789").await;
    assert_eq!(sender.stored_bytes(&offer.id()).await, b"file");
}

#[tokio::test]
async fn sixteen_different_files_for_one_document_at_once_are_all_accepted_and_all_kept() {
    let sender = Sender::new();
    let metadata = metadata();
    let files: Vec<Vec<u8>> = (0..16).map(|seed| bytes(100, seed)).collect();
    let racing = files.iter().map(|file| sender.hand_in(&metadata, file));
    let answers = futures_util::future::join_all(racing).await;
    let id = answers[0].id();
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.id() == id), "{answers:?}");
    assert_eq!(sender.objects(&id).await.len(), 16);
    let content = sender.item(&id).await.unwrap()["content"].as_m().unwrap().clone();
    assert_eq!(content["sequence"].as_n().unwrap(), "16");
}
