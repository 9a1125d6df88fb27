//! Form B repeated under the same key: the design's table of known states.

use serde_json::json;

use support::sender::{MIB, Sender, bytes, crc64nvme, offer, sha256, with, without};

#[tokio::test]
async fn pending_and_the_same_checksum_resumes_with_only_the_missing_parts() {
    let sender = Sender::new();
    let file = bytes(16 * MIB + 10, 1);
    let metadata = with(&offer(file.len()), "documentChecksum", json!(sha256(&file)));
    let first = sender.offer(&metadata).await.accepted();
    sender.send_parts(&first.body["upload"], &file, Some(&[1])).await;
    let second = sender.offer(&metadata).await.accepted();
    assert_eq!(second.id(), first.id());
    assert_eq!(second.body["upload"]["partsReceived"], 1);
    assert_eq!(second.body["upload"]["parts"].as_array().unwrap().len(), 1);
    assert_eq!(sender.open_uploads(&first.id()).await.len(), 1, "no second upload is left open");
    sender.send_parts(&second.body["upload"], &file, None).await;
    sender.complete(&second).await.ok();
    assert!(sender.stored_bytes(&first.id()).await == file);
}

#[tokio::test]
async fn pending_and_another_checksum_begins_afresh_and_ends_the_old_upload() {
    let sender = Sender::new();
    let metadata = offer(5);
    let first = sender.offer_and_send(&with(&metadata, "documentChecksum", json!(sha256(b"11111"))), b"11111").await;
    let second = sender.offer(&with(&metadata, "documentChecksum", json!(sha256(b"22222")))).await.accepted();
    assert_eq!((second.id(), &second.body["upload"]["partsReceived"]), (first.id(), &json!(0)));
    sender.url_leads_nowhere(&first.body["upload"]["parts"][0], b"11111").await;
    sender.send_parts(&second.body["upload"], b"22222", None).await;
    sender.complete(&second).await.ok();
    assert_eq!(sender.stored_bytes(&first.id()).await, b"22222");
}

#[tokio::test]
async fn pending_without_a_checksum_begins_afresh_since_an_equal_size_proves_nothing() {
    let sender = Sender::new();
    let metadata = offer(5);
    let first = sender.offer_and_send(&metadata, b"11111").await;
    let second = sender.offer(&metadata).await.accepted();
    assert_eq!(second.body["upload"]["partsReceived"], 0);
    assert_eq!(sender.open_uploads(&first.id()).await.len(), 1);
    sender.call("POST", second.href("complete")).await.problem(409, "upload-incomplete");
}

#[tokio::test]
async fn stored_and_the_same_checksum_has_nothing_to_send() {
    let sender = Sender::new();
    for checksum in [sha256(b"12345"), crc64nvme(b"12345")] {
        let metadata = with(&offer(5), "documentChecksum", json!(checksum));
        let first = sender.offer_and_send(&metadata, b"12345").await;
        sender.complete(&first).await.ok();
        let again = sender.offer(&metadata).await.ok();
        assert_eq!(again.body, json!({ "dmsDocumentId": first.id() }));
        assert!(sender.open_uploads(&first.id()).await.is_empty());
    }
}

#[tokio::test]
async fn a_file_stored_inline_need_not_be_sent_again_by_parts() {
    let sender = Sender::new();
    let metadata = with(&offer(5), "documentChecksum", json!(sha256(b"12345")));
    let stored = sender.hand_in(&metadata, b"12345").await.ok();
    assert_eq!(sender.offer(&metadata).await.ok().id(), stored.id());
}

#[tokio::test]
async fn a_file_that_came_by_parts_is_not_stored_again_when_it_comes_whole() {
    let cloud = support::cloud::own_cloud();
    let sender = Sender::to(cloud);
    let declared = with(&offer(5), "documentChecksum", json!(sha256(b"12345")));
    let first = sender.offer_and_send(&declared, b"12345").await;
    sender.complete(&first).await.ok();
    let (id, other) = (first.id(), with(&declared, "documentSize", json!(7)));
    let other = sender.offer(&without(&other, "documentChecksum")).await;
    let version = async || {
        let item = sender.item(&id).await.unwrap();
        item["content"].as_m().unwrap()["version"].clone()
    };
    let by_parts = version().await;

    let whole = sender.hand_in(&declared, b"12345").await.ok();
    assert_eq!(whole.id(), id);
    assert_eq!(version().await, by_parts);
    // Only the name of the file was new.
    let before = sender.item(&id).await;
    sender.hand_in(&declared, b"12345").await.ok();
    assert_eq!(sender.item(&id).await, before);
    // Other metadata are a correction, and the other file may still come.
    let better = with(&declared, "documentName", json!("better.pdf"));
    sender.hand_in(&better, b"12345").await.ok();
    sender.send_parts(&other.body["upload"], b"another", None).await;
    sender.complete(&other).await.ok();
    assert_ne!(version().await, by_parts);
    // What was put for nothing is removed.
    let later = jiff::Timestamp::now() + std::time::Duration::from_hours(3);
    cloud.events.drained().await;
    cloud.tick(later).await.unwrap();
    assert_eq!(sender.objects(&id).await.len(), 2);
}

#[tokio::test]
async fn a_file_whose_checksum_is_only_a_crc_is_stored_when_it_comes_whole() {
    let sender = Sender::new();
    let declared = with(&offer(5), "documentChecksum", json!(crc64nvme(b"12345")));
    let first = sender.offer_and_send(&declared, b"12345").await;
    sender.complete(&first).await.ok();
    sender.hand_in(&declared, b"12345").await.ok();
    assert_eq!(sender.objects(&first.id()).await.len(), 2);
}

#[tokio::test]
async fn stored_and_anything_else_is_a_new_version_while_the_stored_one_stays_current() {
    let sender = Sender::new();
    let metadata = offer(5);
    let stored = sender.hand_in(&metadata, b"first").await.ok();
    let offer = sender.offer(&metadata).await.accepted();
    assert_eq!(offer.id(), stored.id());
    let item = sender.item(&stored.id()).await.unwrap();
    assert!(item.contains_key("content") && item.contains_key("upload"));
    sender.send_parts(&offer.body["upload"], b"other", None).await;
    sender.complete(&offer).await.ok();
    let item = sender.item(&stored.id()).await.unwrap();
    assert_eq!(item["content"].as_m().unwrap()["sequence"].as_n().unwrap(), "2");
    assert_eq!(sender.objects(&stored.id()).await.len(), 2, "the first stays kept");
}

#[tokio::test]
async fn what_was_replaced_is_listed_in_the_history() {
    let sender = Sender::new();
    let metadata = offer(5);
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    sender.hand_in(&metadata, b"other").await.ok();
    let query = sender.dynamodb.query().table_name(&sender.cloud.table);
    let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :content)");
    let query = query
        .expression_attribute_values(":pk", aws_sdk_dynamodb::types::AttributeValue::S(format!("local-school#{id}")));
    let query = query
        .expression_attribute_values(":content", aws_sdk_dynamodb::types::AttributeValue::S("content#".to_owned()));
    let history = query.send().await.unwrap().items.unwrap();
    assert_eq!(history.len(), 1);
    let known = history[0]["checksums"].as_l().unwrap()[0].as_s().unwrap();
    assert_eq!(known, &sha256(b"first"));
}

#[tokio::test]
async fn corrected_metadata_travels_with_a_resumed_upload() {
    let sender = Sender::new();
    let metadata = with(&offer(5), "documentChecksum", json!(sha256(b"12345")));
    let first = sender.offer(&metadata).await.accepted();
    let second = sender.offer(&with(&metadata, "documentName", json!("beter.pdf"))).await.accepted();
    sender.send_parts(&first.body["upload"], b"12345", None).await;
    sender.complete(&second).await.ok();
    let item = sender.item(&first.id()).await.unwrap();
    let okd = item["content"].as_m().unwrap()["metadata"].as_m().unwrap()["okd"].as_m().unwrap();
    assert_eq!(okd["documentName"].as_s().unwrap(), "beter.pdf");
}

#[tokio::test]
async fn eight_offers_of_the_same_file_at_once_meet_in_one_upload() {
    let sender = Sender::new();
    let metadata = with(&offer(5), "documentChecksum", json!(sha256(b"12345")));
    let racing = (0..8).map(|_| sender.offer(&metadata));
    let answers = futures_util::future::join_all(racing).await;
    let id = answers[0].id();
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.id() == id), "{answers:?}");
    assert_eq!(sender.open_uploads(&id).await.len(), 1);
    // Whichever answer a sender goes on with, it is the same upload.
    sender.send_parts(&answers[3].body["upload"], b"12345", None).await;
    sender.complete(&answers[7]).await.ok();
}
