//! Form B from the offer to the stored document, and the three calls on the way.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use okd_faults::{Call, Fault};
use okd_local::dynamodb::TENANTS_READ;
use serde_json::{Value, json};

use support::cloud::own_cloud;
use support::sender::{MIB, Sender, bytes, crc64nvme, metadata, offer, sha256, with, without};

const TWO_PARTS: usize = 16 * MIB + 100;

#[tokio::test]
async fn a_file_in_two_parts_sent_in_any_order_is_stored_byte_for_byte() {
    let sender = Sender::new();
    let file = bytes(TWO_PARTS, 7);
    let offer = sender.offer(&offer(file.len())).await.accepted();
    sender.send_parts(&offer.body["upload"], &file, Some(&[2])).await;
    sender.send_parts(&offer.body["upload"], &file, Some(&[1])).await;
    let done = sender.complete(&offer).await.ok();
    assert_eq!(done.body, json!({ "dmsDocumentId": offer.id() }));
    assert!(sender.stored_bytes(&offer.id()).await == file);
}

#[tokio::test]
async fn the_offer_is_answered_as_designed() {
    let sender = Sender::new();
    let answer = sender.offer(&offer(TWO_PARTS)).await.accepted();
    let (id, upload) = (answer.id(), &answer.body["upload"]);
    let own = format!("/okd/v1/documents/{id}/upload");
    let status = upload["status"]["href"].as_str().unwrap();
    let (path, version) = status.split_once("?upload=").unwrap();
    assert_eq!(path, own);
    assert_eq!(answer.headers["location"], status);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(upload["state"], "uploading");
    assert_eq!(upload["documentSize"], TWO_PARTS);
    assert_eq!(
        (&upload["partSize"], &upload["partCount"], &upload["partsReceived"]),
        (&json!(16 * MIB), &json!(2), &json!(0))
    );
    let last = &upload["parts"][1];
    assert_eq!((&last["partNumber"], &last["offset"], &last["size"]), (&json!(2), &json!(16 * MIB), &json!(100)));
    assert_eq!((&last["method"], &last["headers"]), (&json!("PUT"), &json!({})));
    let complete = format!("{own}/complete?upload={version}");
    assert_eq!(upload["complete"], json!({ "method": "POST", "href": complete }));
    assert_eq!(upload["status"]["method"], "GET");
    assert_eq!(upload["abort"], json!({ "method": "DELETE", "href": status }));
}

#[tokio::test]
async fn a_part_url_signs_host_and_content_length_only_and_lives_an_hour_at_most() {
    let sender = Sender::new();
    let answer = sender.offer(&offer(10)).await.accepted();
    let href = answer.body["upload"]["parts"][0]["href"].as_str().unwrap().to_owned();
    assert!(href.contains("X-Amz-SignedHeaders=content-length%3Bhost&"), "{href}");
    assert!(href.contains("X-Amz-Expires=3600&"), "{href}");
    assert!(!href.to_lowercase().contains("checksum"), "{href}");
}

#[tokio::test]
async fn a_part_of_another_length_than_signed_is_refused_by_s3() {
    let sender = Sender::new();
    let answer = sender.offer(&offer(10)).await.accepted();
    let part = with_size(&answer.body["upload"]["parts"][0], 9);
    let (status, _) = sender.send_part(&part, b"012345678").await;
    assert_eq!(status, 403);
}

fn with_size(part: &Value, size: u64) -> Value {
    let mut part = part.clone();
    part["size"] = json!(size);
    part
}

#[tokio::test]
async fn completing_twice_gives_the_same_answer() {
    let sender = Sender::new();
    let offer = sender.offer_and_send(&offer(5), b"12345").await;
    let first = sender.complete(&offer).await.ok();
    let second = sender.complete(&offer).await.ok();
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn completing_at_once_from_eight_places_stores_the_document_once() {
    let sender = Sender::new();
    let offer = sender.offer_and_send(&offer(5), b"12345").await;
    let racing = (0..8).map(|_| sender.call("POST", offer.href("complete")));
    let answers = futures_util::future::join_all(racing).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 202)), "{answers:?}");
    sender.complete(&offer).await.ok();
    let content = sender.item(&offer.id()).await.unwrap()["content"].as_m().unwrap().clone();
    assert_eq!(content["sequence"].as_n().unwrap(), "1");
}

#[tokio::test]
async fn completing_too_early_names_the_missing_parts_with_fresh_urls() {
    let sender = Sender::new();
    let file = bytes(TWO_PARTS, 8);
    let offer = sender.offer(&offer(file.len())).await.accepted();
    sender.send_parts(&offer.body["upload"], &file, Some(&[1])).await;
    let early = sender.call("POST", offer.href("complete")).await;
    early.problem(409, "upload-incomplete");
    let upload = &early.body["upload"];
    assert_eq!(upload["partsReceived"], 1);
    assert_eq!(upload["parts"].as_array().unwrap().len(), 1);
    assert_eq!(upload["parts"][0]["partNumber"], 2);
    sender.send_parts(upload, &file, None).await;
    sender.complete(&offer).await.ok();
    assert!(sender.stored_bytes(&offer.id()).await == file);
}

#[tokio::test]
async fn the_status_shows_what_is_there_and_what_is_missing() {
    let sender = Sender::new();
    let file = bytes(TWO_PARTS, 9);
    let offer = sender.offer(&offer(file.len())).await.accepted();
    sender.send_parts(&offer.body["upload"], &file, Some(&[2])).await;
    let status = sender.call("GET", offer.href("status")).await.ok();
    assert_eq!(status.id(), offer.id());
    let upload = &status.body["upload"];
    assert_eq!((&upload["state"], &upload["partsReceived"]), (&json!("uploading"), &json!(1)));
    assert_eq!(upload["parts"][0]["partNumber"], 1);
    sender.send_parts(upload, &file, None).await;
    let status = sender.call("GET", offer.href("status")).await.ok();
    assert_eq!((&status.body["upload"]["partsReceived"], &status.body["upload"]["parts"]), (&json!(2), &json!([])));
}

#[tokio::test]
async fn the_status_of_a_stored_document_says_so() {
    let sender = Sender::new();
    let offer = sender.offer_and_send(&offer(5), b"12345").await;
    sender.complete(&offer).await.ok();
    let status = sender.call("GET", offer.href("status")).await.ok();
    assert_eq!(status.body["upload"], json!({ "state": "stored", "documentSize": 5 }));
}

#[tokio::test]
async fn an_aborted_upload_is_gone_and_aborting_again_is_fine() {
    let sender = Sender::new();
    let offer = sender.offer(&offer(5)).await.accepted();
    for _ in 0..2 {
        let aborted = sender.call("DELETE", offer.href("abort")).await;
        assert_eq!((aborted.status, &aborted.body), (204, &json!("")));
    }
    assert!(sender.open_uploads(&offer.id()).await.is_empty());
    let status = sender.call("GET", offer.href("status")).await.ok();
    assert_eq!(status.body["upload"], json!({ "state": "aborted" }));
    let detail = sender.call("POST", offer.href("complete")).await.problem(410, "upload-gone");
    assert!(detail.contains("aborted"), "{detail}");
}

#[tokio::test]
async fn aborting_leaves_what_was_stored_before() {
    let sender = Sender::new();
    let metadata = offer(4);
    let id = sender.hand_in(&metadata, b"file").await.ok().id();
    let replacing = sender.offer(&with(&metadata, "documentSize", json!(9))).await.accepted();
    sender.call("DELETE", replacing.href("abort")).await;
    assert_eq!(sender.stored_bytes(&id).await, b"file");
    assert!(sender.item(&id).await.unwrap().contains_key("content"));
}

#[tokio::test]
async fn aborting_after_completion_changes_nothing() {
    let sender = Sender::new();
    let offer = sender.offer_and_send(&offer(5), b"12345").await;
    sender.complete(&offer).await.ok();
    assert_eq!(sender.call("DELETE", offer.href("abort")).await.status, 204);
    sender.complete(&offer).await.ok();
    assert_eq!(sender.stored_bytes(&offer.id()).await, b"12345");
}

/// Makes a pending upload look as it will when its time is over.
async fn expire(sender: &Sender, id: &str) {
    let update = sender.dynamodb.update_item().table_name(&sender.cloud.table);
    let update = update.key("pk", AttributeValue::S(format!("local-school#{id}")));
    let update = update.key("sk", AttributeValue::S("document".to_owned()));
    let update = update.update_expression("SET upload.expiresAt = :past");
    update
        .expression_attribute_values(":past", AttributeValue::S("2026-01-01T00:00:00Z".to_owned()))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_upload_past_its_time_is_gone_and_the_put_repeated_begins_a_new_one() {
    let sender = Sender::new();
    let metadata = with(&offer(5), "documentChecksum", json!(sha256(b"12345")));
    let first = sender.offer(&metadata).await.accepted();
    expire(&sender, &first.id()).await;
    let detail = sender.call("POST", first.href("complete")).await.problem(410, "upload-gone");
    assert!(detail.contains("24 hours"), "{detail}");
    let status = sender.call("GET", first.href("status")).await.ok();
    assert_eq!(status.body["upload"]["state"], "expired");
    let second = sender.offer(&metadata).await.accepted();
    assert_eq!(second.id(), first.id());
    assert_eq!(sender.open_uploads(&first.id()).await.len(), 1, "the old one is aborted");
    sender.send_parts(&second.body["upload"], b"12345", None).await;
    sender.complete(&second).await.ok();
}

/// S3's id and key of the document's pending upload.
async fn in_s3(sender: &Sender, id: &str) -> (String, String) {
    let upload = sender.item(id).await.unwrap()["upload"].as_m().unwrap().clone();
    let key = format!("local-school/{id}/{}", upload["version"].as_s().unwrap());
    (upload["uploadId"].as_s().unwrap().clone(), key)
}

/// What S3 has done when the function dies before it hears of it.
async fn join_behind_its_back(sender: &Sender, id: &str) {
    let (upload_id, key) = in_s3(sender, id).await;
    let (s3, bucket) = (&sender.s3, &sender.cloud.bucket);
    let list = s3.list_parts().bucket(bucket).key(&key).upload_id(&upload_id);
    let listed = list.send().await.unwrap();
    let etag = listed.parts()[0].e_tag().unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = s3.complete_multipart_upload().bucket(bucket).key(&key).upload_id(upload_id);
    complete.multipart_upload(parts).send().await.unwrap();
}

#[tokio::test]
async fn a_completion_that_s3_did_and_nobody_wrote_down_is_found_out() {
    let sender = Sender::new();
    let offer = sender.offer_and_send(&offer(5), b"12345").await;
    join_behind_its_back(&sender, &offer.id()).await;

    let status = sender.call("GET", offer.href("status")).await.ok();
    assert_eq!((&status.body["upload"]["partsReceived"], &status.body["upload"]["parts"]), (&json!(1), &json!([])));
    sender.complete(&offer).await.ok();
    assert_eq!(sender.stored_bytes(&offer.id()).await, b"12345");
}

#[tokio::test]
async fn an_upload_that_s3_has_forgotten_is_gone_and_the_put_repeated_begins_a_new_one() {
    let sender = Sender::new();
    let metadata = with(&offer(5), "documentChecksum", json!(sha256(b"12345")));
    let first = sender.offer(&metadata).await.accepted();
    let (upload_id, key) = in_s3(&sender, &first.id()).await;
    let abort = sender.s3.abort_multipart_upload().bucket(&sender.cloud.bucket).key(key);
    abort.upload_id(upload_id).send().await.unwrap();

    assert_eq!(sender.call("GET", first.href("status")).await.ok().body["upload"]["state"], "aborted");
    sender.call("POST", first.href("complete")).await.problem(410, "upload-gone");
    let second = sender.offer_and_send(&metadata, b"12345").await;
    sender.complete(&second).await.ok();
}

#[tokio::test]
async fn a_declared_crc64nvme_that_holds_is_accepted_at_completion() {
    let sender = Sender::new();
    let offer = sender.offer_and_send(&with(&offer(5), "documentChecksum", json!(crc64nvme(b"12345"))), b"12345").await;
    sender.complete(&offer).await.ok();
}

#[tokio::test]
async fn a_declared_crc64nvme_that_does_not_hold_refuses_the_completion_and_keeps_what_was_stored() {
    let sender = Sender::new();
    let metadata = offer(5);
    let id = sender.hand_in(&metadata, b"first").await.ok().id();
    let offer = sender.offer_and_send(&with(&metadata, "documentChecksum", json!(crc64nvme(b"12345"))), b"54321").await;
    sender.call("POST", offer.href("complete")).await.problem(422, "checksum-mismatch");
    let versions = sender.s3.list_object_versions().bucket(&sender.cloud.bucket);
    let versions = versions.prefix(format!("local-school/{id}/"));
    let versions = versions.send().await.unwrap();
    let there: Vec<i64> = versions.versions().iter().filter_map(aws_sdk_s3::types::ObjectVersion::size).collect();
    assert_eq!(there, [5], "the wrong bytes were never an object");
    assert_eq!(sender.stored_bytes(&id).await, b"first");
    sender.call("POST", offer.href("complete")).await.problem(422, "checksum-mismatch");
}

#[tokio::test]
async fn an_upload_of_nobody_or_of_another_client_is_not_found() {
    let (owner, other) = (Sender::new(), Sender::new());
    let offer = owner.offer(&offer(5)).await.accepted();
    let nobodys = "/okd/v1/documents/4e12169d-84b9-4d21-a987-f373bbbe4e6e/upload";
    let owners = format!("/okd/v1/documents/{}/upload", offer.id());
    for path in [owners.as_str(), nobodys] {
        other.call("GET", path).await.problem(404, "no-such-document");
        other.call("DELETE", path).await.problem(404, "no-such-document");
        other.call("POST", &format!("{path}/complete")).await.problem(404, "no-such-document");
    }
    assert_eq!(owner.open_uploads(&offer.id()).await.len(), 1);
}

#[tokio::test]
async fn a_size_of_1_gib_is_accepted_in_64_parts_and_one_byte_more_is_not() {
    let sender = Sender::new();
    let whole = sender.offer(&offer(1024 * MIB)).await.accepted();
    assert_eq!(whole.body["upload"]["parts"].as_array().unwrap().len(), 64);
    sender.call("DELETE", whole.href("abort")).await;
    sender.offer(&offer(1024 * MIB + 1)).await.problem(413, "document-too-large");
}

#[tokio::test]
async fn a_put_makes_two_aws_calls_in_either_form_and_complete_four() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let mut before = 0;
    let mut since = || {
        // What the new objects' events make of themselves is not the sender's to wait for.
        let calls = cloud.faults.calls().into_iter();
        let calls: Vec<String> = calls
            // Whose token it is, a process asks once in a while.
            .filter(|call| call.operation != TENANTS_READ)
            .filter(|call| call.from == "ApiFunction" || call.operation == "UploadPart")
            .map(|call| call.operation)
            .collect();
        let new = calls[before..].to_vec();
        before = calls.len();
        new
    };
    let metadata = support::sender::metadata();
    sender.hand_in(&metadata, b"file").await.ok();
    // With the document's item the entries by which it is found.
    assert_eq!(since(), ["PutObject", "TransactWriteItems"], "form A, new");
    sender.hand_in(&metadata, b"file").await.ok();
    assert_eq!(since(), ["PutObject", "GetItem"], "form A, repeated");
    let file = bytes(TWO_PARTS, 3);
    let offer = sender.offer(&offer(file.len())).await.accepted();
    let begun = ["CreateMultipartUpload", "TransactWriteItems"];
    assert_eq!(since(), begun, "form B, new");
    sender.send_parts(&offer.body["upload"], &file, None).await;
    assert_eq!(since(), ["UploadPart", "UploadPart"]);
    sender.complete(&offer).await.ok();
    assert_eq!(since(), ["Query", "ListParts", "CompleteMultipartUpload", "TransactWriteItems"], "complete");
    sender.complete(&offer).await.ok();
    assert_eq!(since(), ["Query"], "complete, repeated");
}

#[tokio::test]
async fn a_repeated_put_makes_four_calls_where_parts_are_missing_and_three_where_all_is_stored() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let file = bytes(100, 3);
    let message = with(&offer(file.len()), "documentChecksum", json!(crc64nvme(&file)));
    let offered = sender.offer(&message).await.accepted();
    let made_by = async |message: &Value| {
        let before = cloud.faults.calls().len();
        let answer = sender.offer(message).await;
        let calls = cloud.faults.calls().split_off(before).into_iter();
        let calls = calls.filter(|call| call.from == "ApiFunction" && call.operation != TENANTS_READ);
        (answer.status, calls.map(|call| call.operation).collect::<Vec<_>>())
    };
    let resumed = ["CreateMultipartUpload", "TransactWriteItems", "ListParts", "AbortMultipartUpload"];
    assert_eq!(made_by(&message).await, (202, resumed.map(str::to_owned).to_vec()));
    sender.send_parts(&offered.body["upload"], &file, None).await;
    sender.complete(&offered).await.ok();
    let stored = ["CreateMultipartUpload", "TransactWriteItems", "AbortMultipartUpload"];
    assert_eq!(made_by(&message).await, (200, stored.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn a_sender_that_was_overtaken_gets_410_and_never_the_other_ones_parts() {
    let sender = Sender::new();
    let (mine, theirs) = (vec![b'a'; TWO_PARTS], vec![b'b'; TWO_PARTS]);
    let metadata = offer(TWO_PARTS);
    let first = sender.offer(&metadata).await.accepted();
    sender.send_parts(&first.body["upload"], &mine, Some(&[1])).await;
    let second = sender.offer(&metadata).await.accepted();
    sender.send_parts(&second.body["upload"], &theirs, Some(&[1])).await;

    let detail = sender.call("POST", first.href("complete")).await.problem(410, "upload-gone");
    assert!(detail.contains("newer PUT"), "{detail}");
    let status = sender.call("GET", first.href("status")).await.ok();
    assert_eq!(status.body["upload"], json!({ "state": "superseded" }));
    assert_eq!(sender.call("DELETE", first.href("abort")).await.status, 204);

    sender.send_parts(&second.body["upload"], &theirs, Some(&[2])).await;
    sender.complete(&second).await.ok();
    assert!(sender.stored_bytes(&first.id()).await == theirs);
}

/// The upload is overtaken after its item was read, and before S3 is asked for its parts.
#[tokio::test]
async fn a_sender_that_is_overtaken_while_it_asks_is_told_that_and_not_that_it_was_aborted() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    for link in ["status", "complete"] {
        let message = with(&offer(5), "documentId", json!(link));
        let first = sender.offer_and_send(&message, b"first").await;
        let list = Call { from: "ApiFunction".to_owned(), operation: "ListParts".to_owned() };
        let hits = |cloud: &okd_local::Cloud| -> u64 { cloud.faults.hits().iter().map(|(_, count)| count).sum() };
        let before = hits(cloud);
        cloud.faults.inject(list, 0, 1, Fault::Late);
        let (asks, upload) = (sender.clone(), first.body["upload"].clone());
        let asked = tokio::spawn(async move { asks.follow(&upload, link).await });
        let listed = async {
            while hits(cloud) == before {
                tokio::task::yield_now().await;
            }
        };
        let listed = tokio::time::timeout(std::time::Duration::from_secs(10), listed);
        listed.await.unwrap();
        sender.hand_in(&without(&message, "documentSize"), b"newer").await.ok();
        let answer = asked.await.unwrap();
        match link {
            "status" => assert_eq!(answer.body["upload"], json!({ "state": "superseded" })),
            _ => {
                let detail = answer.problem(410, "upload-gone");
                assert!(detail.contains("newer PUT"), "{detail}");
            }
        }
    }
}

#[tokio::test]
async fn an_upload_that_an_inline_file_ended_cannot_be_completed() {
    let sender = Sender::new();
    let metadata = offer(10);
    let offered = sender.offer_and_send(&metadata, b"0123456789").await;
    sender.hand_in(&support::sender::without(&metadata, "documentSize"), b"file").await.ok();
    sender.call("POST", offered.href("complete")).await.problem(410, "upload-gone");
}

#[tokio::test]
async fn completing_again_what_was_stored_and_then_replaced_is_the_same_200() {
    let sender = Sender::new();
    let metadata = offer(5);
    let offered = sender.offer_and_send(&metadata, b"12345").await;
    sender.complete(&offered).await.ok();
    sender.hand_in(&metadata, b"other").await.ok();
    sender.complete(&offered).await.ok();
}

#[tokio::test]
async fn bytes_that_were_joined_and_then_aborted_do_not_stay() {
    let cloud = own_cloud();
    // The new object's event would have it stored, and might be quicker than the abort.
    cloud.events.pause(true);
    let sender = Sender::to(cloud);
    let offered = sender.offer_and_send(&offer(5), b"12345").await;
    join_behind_its_back(&sender, &offered.id()).await;
    assert_eq!(sender.call("DELETE", offered.href("abort")).await.status, 204);
    assert!(sender.objects(&offered.id()).await.is_empty());
}

#[tokio::test]
async fn a_link_with_a_made_up_upload_is_refused_or_finds_nothing() {
    let sender = Sender::new();
    let offered = sender.offer(&offer(5)).await.accepted();
    let path = format!("/okd/v1/documents/{}/upload", offered.id());
    sender.call("GET", &format!("{path}?upload=x")).await.problem(400, "invalid-id");
    let other = format!("{path}/complete?upload=4e12169d-84b9-4d21-a987-f373bbbe4e6e");
    for (method, path) in
        [("POST", other.clone()), ("GET", other.replace("/complete", "")), ("DELETE", other.replace("/complete", ""))]
    {
        let answer = sender.call(method, &path).await;
        answer.problem(404, "no-such-upload");
    }
    sender.call("GET", &path).await.ok();
}

#[tokio::test]
async fn a_made_up_upload_costs_no_more_where_the_document_was_replaced_often() {
    let sender = Sender::to(own_cloud());
    let metadata = offer(5);
    let first = sender.offer_and_send(&metadata, b"first").await;
    sender.complete(&first).await.ok();
    for number in 0..30 {
        let file = format!("file {number}");
        sender.hand_in(&without(&metadata, "documentSize"), file.as_bytes()).await.ok();
    }
    let before = sender.cloud.faults.calls().len();
    let made_up = first.href("status").split_once("?upload=").unwrap().0;
    let made_up = format!("{made_up}?upload=4e12169d-84b9-4d21-a987-f373bbbe4e6e");
    let answer = sender.call("GET", &made_up).await;
    answer.problem(404, "no-such-upload");
    // The upload of before all these is found as cheaply.
    let status = sender.call("GET", first.href("status")).await.ok();
    assert_eq!(status.body["upload"]["state"], "stored");
    let calls = sender.cloud.faults.calls().split_off(before);
    let calls = calls.iter().filter(|call| call.from == "ApiFunction");
    let calls: Vec<&str> = calls.map(|call| call.operation.as_str()).collect();
    assert_eq!(calls, ["Query", "GetItem", "Query", "Query", "GetItem", "GetItem"]);
}

#[tokio::test]
async fn a_document_that_was_replaced_too_often_stays_as_it_is_and_its_repeats_are_answered() {
    let sender = Sender::new();
    let metadata = metadata();
    let id = sender.hand_in(&metadata, b"file").await.ok().id();
    let update = sender.dynamodb.update_item();
    let update = update.table_name(&sender.cloud.table);
    let update = update.key("pk", AttributeValue::S(format!("local-school#{id}")));
    let update = update.key("sk", AttributeValue::S("document".to_owned()));
    let update = update.update_expression("SET contents = :most");
    let most = AttributeValue::N("1000".to_owned());
    let update = update.expression_attribute_values(":most", most);
    update.send().await.unwrap();

    let better = with(&metadata, "documentName", json!("beter.pdf"));
    for refused in [
        sender.hand_in(&metadata, b"other").await,
        sender.hand_in(&better, b"file").await,
        sender.offer(&with(&metadata, "documentSize", json!(7))).await,
    ] {
        refused.problem(409, "too-many-versions");
    }
    assert_eq!(sender.hand_in(&metadata, b"file").await.ok().id(), id);
    assert_eq!(sender.open_uploads(&id).await, [] as [String; 0]);
}
