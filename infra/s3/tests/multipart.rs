//! Multipart uploads: what S3 takes, what it refuses, and what is left afterwards.

use aws_sdk_s3::types::CompletedPart;
use okd_s3::Reason;
use tokio::io::AsyncWriteExt as _;

use crate::{BUCKET, MIB, Server, bytes, code, data_files, refused, until};

#[tokio::test]
async fn parts_in_any_order_become_one_object_in_the_order_of_their_numbers() {
    let server = Server::start().await;
    let id = server.create_upload("a/b").await;
    let second = server.upload_part("a/b", &id, 7, bytes(100, 2)).await;
    let first = server.upload_part("a/b", &id, 3, bytes(5 * MIB, 1)).await;
    let done = server.complete("a/b", &id, vec![first, second]).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{:?}", done.e_tag());
    assert_eq!(done.location().unwrap(), format!("{}/documents/a/b", server.endpoint));
    assert_eq!(server.get("a/b").await, [bytes(5 * MIB, 1), bytes(100, 2)].concat());
    assert_eq!(server.data_files(), 2);
}

#[tokio::test]
async fn the_etag_is_the_md5_of_the_parts_md5s() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let part = server.upload_part("key", &id, 1, b"hello".to_vec()).await;
    assert_eq!(part.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let done = server.complete("key", &id, vec![part]).send().await.unwrap();
    // `printf hello | md5sum | xxd -r -p | md5sum`
    assert_eq!(done.e_tag(), Some("\"62109206880d38a4010a98e11243924a-1\""));
}

#[tokio::test]
async fn a_part_smaller_than_5_mib_in_the_middle_is_refused_at_complete() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let mut parts = vec![server.upload_part("key", &id, 1, bytes(5 * MIB - 1, 1)).await];
    parts.push(server.upload_part("key", &id, 2, bytes(10, 2)).await);
    let result = server.complete("key", &id, parts.clone()).send().await;
    assert_eq!(refused(result), code(400, "EntityTooSmall"));
    // The upload is as it was: a larger part 1 mends it.
    parts[0] = server.upload_part("key", &id, 1, bytes(5 * MIB, 1)).await;
    server.complete("key", &id, parts).send().await.unwrap();
}

#[tokio::test]
async fn a_part_that_is_missing_or_has_another_etag_is_refused_at_complete() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let part = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    let missing = CompletedPart::builder().part_number(2).e_tag(part.e_tag().unwrap()).build();
    let result = server.complete("key", &id, vec![part.clone(), missing]).send().await;
    assert_eq!(refused(result), code(400, "InvalidPart"));
    let other = "\"0123456789abcdef0123456789abcdef\"";
    let other = CompletedPart::builder().part_number(1).e_tag(other).build();
    let result = server.complete("key", &id, vec![other]).send().await;
    assert_eq!(refused(result), code(400, "InvalidPart"));
}

#[tokio::test]
async fn parts_listed_out_of_order_or_twice_are_refused() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let first = server.upload_part("key", &id, 1, bytes(5 * MIB, 1)).await;
    let second = server.upload_part("key", &id, 2, bytes(10, 2)).await;
    for list in [vec![second, first.clone()], vec![first.clone(), first]] {
        let result = server.complete("key", &id, list).send().await;
        assert_eq!(refused(result), code(400, "InvalidPartOrder"));
    }
}

#[tokio::test]
async fn a_complete_without_parts_is_malformed() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let result = server.complete("key", &id, vec![]).send().await;
    assert_eq!(refused(result), code(400, "MalformedXML"));
}

#[tokio::test]
async fn part_numbers_go_from_1_to_10000() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    server.upload_part("key", &id, 10_000, b"last".to_vec()).await;
    for number in [0, -1, 10_001] {
        let request = server.client.upload_part().bucket(BUCKET).key("key").upload_id(&id);
        let result = request.part_number(number).body(b"x".to_vec().into()).send().await;
        assert_eq!(refused(result), code(400, "InvalidArgument"), "{number}");
    }
}

#[tokio::test]
async fn a_part_for_an_unknown_upload_is_refused_even_while_the_body_is_still_coming() {
    let server = Server::start().await;
    let request = server.client.upload_part().bucket(BUCKET).key("key").upload_id("nope");
    let result = request.part_number(1).body(bytes(20 * MIB, 1).into()).send().await;
    assert_eq!(refused(result), code(404, "NoSuchUpload"));
    assert_eq!(server.data_files(), 0);
}

#[tokio::test]
async fn an_upload_id_is_of_no_use_for_another_key() {
    let server = Server::start().await;
    let id = server.create_upload("mine").await;
    let request = server.client.upload_part().bucket(BUCKET).key("other").upload_id(&id);
    let result = request.part_number(1).body(b"x".to_vec().into()).send().await;
    assert_eq!(refused(result), code(404, "NoSuchUpload"));
}

#[tokio::test]
async fn a_part_uploaded_again_replaces_the_first_and_its_bytes() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let first = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    let second = server.upload_part("key", &id, 1, bytes(20, 2)).await;
    assert_eq!(server.data_files(), 1);
    let result = server.complete("key", &id, vec![first]).send().await;
    assert_eq!(refused(result), code(400, "InvalidPart"));
    server.complete("key", &id, vec![second]).send().await.unwrap();
    assert_eq!(server.get("key").await, bytes(20, 2));
}

#[tokio::test]
async fn a_part_whose_connection_breaks_leaves_nothing() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let url = server.presigned_part("key", &id, 1).await;
    let path = url.strip_prefix(&server.endpoint).unwrap();
    let host = server.endpoint.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 9000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&bytes(3 * MIB, 1)).await.unwrap();
    until("the part is being written", || server.data_files() == 1).await;
    drop(stream);
    until("the rest of the part is gone", || server.data_files() == 0).await;
    let parts = server.client.list_parts().bucket(BUCKET).key("key").upload_id(&id);
    assert!(parts.send().await.unwrap().parts().is_empty());
}

#[tokio::test]
async fn a_wrong_total_size_is_refused_and_the_right_one_is_not() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let part = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    let wrong = server.complete("key", &id, vec![part.clone()]).mpu_object_size(11).send().await;
    assert_eq!(refused(wrong), code(400, "InvalidRequest"));
    server.complete("key", &id, vec![part]).mpu_object_size(10).send().await.unwrap();
}

#[tokio::test]
async fn a_repeated_complete_gets_the_same_answer_even_after_a_restart() {
    let server = Server::versioned().await;
    let id = server.create_upload("key").await;
    let part = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    let first = server.complete("key", &id, vec![part.clone()]).send().await.unwrap();
    let again = server.complete("key", &id, vec![part.clone()]).send().await.unwrap();
    assert_eq!((first.e_tag(), first.version_id()), (again.e_tag(), again.version_id()));
    let server = server.restart().await;
    let later = server.complete("key", &id, vec![part.clone()]).send().await.unwrap();
    assert_eq!(first.version_id(), later.version_id());
    let other = CompletedPart::builder().part_number(2).e_tag(part.e_tag().unwrap()).build();
    let result = server.complete("key", &id, vec![other]).send().await;
    assert_eq!(refused(result), code(404, "NoSuchUpload"));
}

#[tokio::test]
async fn an_aborted_upload_is_unknown_and_its_bytes_are_gone() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let part = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    let abort = || server.client.abort_multipart_upload().bucket(BUCKET).key("key").upload_id(&id);
    abort().send().await.unwrap();
    assert_eq!(server.data_files(), 0);
    assert_eq!(refused(abort().send().await), code(404, "NoSuchUpload"));
    let result = server.complete("key", &id, vec![part]).send().await;
    assert_eq!(refused(result), code(404, "NoSuchUpload"));
    let parts = server.client.list_parts().bucket(BUCKET).key("key").upload_id(&id);
    assert_eq!(refused(parts.send().await), code(404, "NoSuchUpload"));
}

#[tokio::test]
async fn parts_that_complete_does_not_list_are_thrown_away() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let kept = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    server.upload_part("key", &id, 2, bytes(10, 2)).await;
    server.complete("key", &id, vec![kept]).send().await.unwrap();
    assert_eq!(server.data_files(), 1);
    assert_eq!(server.get("key").await, bytes(10, 1));
}

#[tokio::test]
async fn complete_takes_the_headers_the_tags_and_the_date_of_create() {
    let server = Server::start().await;
    let create = server.client.create_multipart_upload().bucket(BUCKET).key("key");
    let create = create.content_type("application/pdf").metadata("sha", "1").tagging("a=b%20c");
    let id = create.send().await.unwrap().upload_id.unwrap();
    let part = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    server.complete("key", &id, vec![part]).send().await.unwrap();
    let head = server.client.head_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!(head.content_type(), Some("application/pdf"));
    assert_eq!(head.metadata().unwrap()["sha"], "1");
    let tags = server.client.get_object_tagging().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!((tags.tag_set()[0].key(), tags.tag_set()[0].value()), ("a", "b c"));
}

#[tokio::test]
async fn an_upload_survives_a_restart_and_can_be_completed() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let first = server.upload_part("key", &id, 1, bytes(5 * MIB, 1)).await;
    let server = server.restart().await;
    let second = server.upload_part("key", &id, 2, bytes(10, 2)).await;
    server.complete("key", &id, vec![first, second]).send().await.unwrap();
    let server = server.restart().await;
    assert_eq!(server.get("key").await, [bytes(5 * MIB, 1), bytes(10, 2)].concat());
    assert_eq!(data_files(server.folder.path()), 2);
}

#[tokio::test]
async fn completing_tells_subscribers_what_was_created() {
    let server = Server::versioned().await;
    let mut events = server.s3.subscribe();
    let id = server.create_upload("key").await;
    let part = server.upload_part("key", &id, 1, bytes(10, 1)).await;
    let done = server.complete("key", &id, vec![part]).send().await.unwrap();
    let event = events.recv().await.unwrap();
    assert_eq!((event.bucket.as_str(), event.key.as_str(), event.size), (BUCKET, "key", 10));
    assert_eq!(event.reason, Reason::CompleteMultipartUpload);
    assert_eq!(event.version_id.as_deref(), done.version_id());
    assert_eq!(format!("\"{}\"", event.etag), done.e_tag().unwrap());
}
