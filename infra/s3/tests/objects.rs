//! Whole objects: versions, ranges, conditions, tags, keys.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{BucketVersioningStatus, Delete, ObjectIdentifier, Tag, Tagging};
use okd_s3::Reason;

use crate::{BUCKET, MIB, Server, bytes, code, refused};

#[tokio::test]
async fn without_versioning_a_put_overwrites_and_has_no_version_id() {
    let server = Server::start().await;
    assert_eq!(server.put("key", "one").await, None);
    assert_eq!(server.put("key", "two").await, None);
    assert_eq!(server.get("key").await, b"two");
    assert_eq!(server.data_files(), 1);
}

#[tokio::test]
async fn with_versioning_nothing_is_overwritten() {
    let server = Server::versioned().await;
    let first = server.put("key", "one").await.unwrap();
    let second = server.put("key", "two").await.unwrap();
    assert_ne!(first, second);
    let server = server.restart().await;
    assert_eq!(server.get("key").await, b"two");
    let old = server.client.get_object().bucket(BUCKET).key("key").version_id(&first);
    assert_eq!(&old.send().await.unwrap().body.collect().await.unwrap().to_vec()[..], b"one");
}

#[tokio::test]
async fn a_delete_in_a_versioned_bucket_only_hides_the_object() {
    let server = Server::versioned().await;
    let version = server.put("key", "one").await.unwrap();
    let delete = || server.client.delete_object().bucket(BUCKET).key("key");
    let marker = delete().send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    let get = || server.client.get_object().bucket(BUCKET).key("key");
    assert_eq!(refused(get().send().await), code(404, "NoSuchKey"));
    let marker = marker.version_id().unwrap();
    assert_eq!(refused(get().version_id(marker).send().await), code(405, "MethodNotAllowed"));
    get().version_id(&version).send().await.unwrap();
    delete().version_id(marker).send().await.unwrap();
    assert_eq!(server.get("key").await, b"one");
    delete().version_id(&version).send().await.unwrap();
    assert_eq!(refused(get().version_id(&version).send().await), code(404, "NoSuchVersion"));
    assert_eq!(server.data_files(), 0);
}

#[tokio::test]
async fn suspending_versioning_keeps_old_versions_and_overwrites_only_the_null_version() {
    let server = Server::versioned().await;
    let old = server.put("key", "old").await.unwrap();
    server.set_versioning(BucketVersioningStatus::Suspended).await;
    server.put("key", "null one").await;
    server.put("key", "null two").await;
    let listed = server.client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let ids: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    assert_eq!(ids, ["null", old.as_str()]);
    assert_eq!(server.get("key").await, b"null two");
}

#[tokio::test]
async fn a_range_reads_across_the_borders_of_parts() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let mut parts = Vec::new();
    for number in 1..=3 {
        let body = bytes(5 * MIB, usize::try_from(number).unwrap());
        parts.push(server.upload_part("key", &id, number, body).await);
    }
    server.complete("key", &id, parts).send().await.unwrap();
    let whole = server.get("key").await;
    assert_eq!(whole, [bytes(5 * MIB, 1), bytes(5 * MIB, 2), bytes(5 * MIB, 3)].concat());
    let (size, border) = (15 * MIB, 5 * MIB);
    let ranges = [
        (format!("bytes={}-{}", border - 3, 2 * border + 3), border - 3..2 * border + 4),
        (format!("bytes={border}-{border}"), border..border + 1),
        (format!("bytes={}-", size - 9), size - 9..size),
        ("bytes=-7".to_owned(), size - 7..size),
        (format!("bytes=10-{}", size * 2), 10..size),
    ];
    for (range, expected) in ranges {
        let get = server.client.get_object().bucket(BUCKET).key("key").range(&range);
        let got = get.send().await.unwrap();
        let content_range = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
        assert_eq!(got.content_range(), Some(content_range.as_str()), "{range}");
        assert!(got.body.collect().await.unwrap().to_vec() == whole[expected], "{range}");
    }
    let get = server.client.get_object().bucket(BUCKET).key("key").range(format!("bytes={size}-"));
    assert_eq!(refused(get.send().await), code(416, "InvalidRange"));
}

#[tokio::test]
async fn reads_are_conditional_on_the_etag_and_the_date() {
    let server = Server::start().await;
    server.put("key", "one").await;
    let get = || server.client.get_object().bucket(BUCKET).key("key");
    let etag = get().send().await.unwrap().e_tag.unwrap();
    get().if_match(&etag).send().await.unwrap();
    assert_eq!(refused(get().if_match("\"00\"").send().await), code(412, "PreconditionFailed"));
    assert_eq!(refused(get().if_none_match(&etag).send().await).0, 304);
    get().if_none_match("\"00\"").send().await.unwrap();
    let later = DateTime::from_secs(4_000_000_000);
    assert_eq!(refused(get().if_modified_since(later).send().await).0, 304);
    get().if_modified_since(DateTime::from_secs(0)).send().await.unwrap();
    let head = server.client.head_object().bucket(BUCKET).key("key").if_match("\"00\"");
    assert_eq!(refused(head.send().await).0, 412);
}

#[tokio::test]
async fn writes_are_conditional_on_what_is_there() {
    let server = Server::start().await;
    let put = || server.client.put_object().bucket(BUCKET).key("key").body(b"x".to_vec().into());
    assert_eq!(refused(put().if_match("\"00\"").send().await), code(404, "NoSuchKey"));
    let etag = put().if_none_match("*").send().await.unwrap().e_tag.unwrap();
    assert_eq!(refused(put().if_none_match("*").send().await), code(412, "PreconditionFailed"));
    assert_eq!(refused(put().if_match("\"00\"").send().await), code(412, "PreconditionFailed"));
    put().if_match(etag).send().await.unwrap();
    assert_eq!(refused(put().if_none_match("\"00\"").send().await), code(501, "NotImplemented"));
    assert_eq!(server.data_files(), 1);
}

#[tokio::test]
async fn any_key_s3_takes_is_a_key_here() {
    let server = Server::start().await;
    let long = "x".repeat(1024);
    let keys = [
        "tenant/5f0c/9d2e",
        "../../etc/passwd",
        "..",
        ".",
        "/leading",
        "a//b",
        "trailing/",
        "naïve 文書 🗂.pdf",
        "plus+and space",
        "100%",
        "quote\"'<&>",
        "a?b=c#d",
        "null.json",
        &long,
    ];
    for key in keys {
        server.put(key, key).await;
    }
    let server = server.restart().await;
    for key in keys {
        assert_eq!(server.get(key).await, key.as_bytes(), "{key}");
    }
    let listed = server.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let mut sorted: Vec<&str> = keys.to_vec();
    sorted.sort_unstable();
    let listed: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(listed, sorted);
    let calls = server.s3.calls();
    assert!(calls.iter().any(|call| call.key == "naïve 文書 🗂.pdf" && call.operation == "GetObject"));
    let too_long = server.client.put_object().bucket(BUCKET).key("x".repeat(1025)).send().await;
    assert_eq!(refused(too_long), code(400, "KeyTooLongError"));
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let server = Server::start().await;
    let get = server.client.get_object().bucket(BUCKET).key("nope").send().await;
    assert_eq!(refused(get), code(404, "NoSuchKey"));
    let get = server.client.get_object().bucket("elsewhere").key("nope").send().await;
    assert_eq!(refused(get), code(404, "NoSuchBucket"));
    let head = server.client.head_object().bucket(BUCKET).key("nope").send().await;
    assert_eq!(refused(head).0, 404);
    server.put("key", "x").await;
    let get = server.client.get_object().bucket(BUCKET).key("key").version_id("nope").send().await;
    assert_eq!(refused(get), code(404, "NoSuchVersion"));
}

#[tokio::test]
async fn an_operation_or_option_that_is_not_here_is_refused_and_not_ignored() {
    let server = Server::start().await;
    let acl = server.client.get_object_acl().bucket(BUCKET).key("key").send().await;
    assert_eq!(refused(acl), code(501, "NotImplemented"));
    server.put("key", "x").await;
    let part = server.client.get_object().bucket(BUCKET).key("key").part_number(1).send().await;
    assert_eq!(refused(part), code(501, "NotImplemented"));
}

#[tokio::test]
async fn headers_and_metadata_come_back_and_the_default_type_is_s3s() {
    let server = Server::start().await;
    let put = server.checksumming().put_object().bucket(BUCKET).key("key").body(b"x".to_vec().into());
    let put = put.content_type("text/plain").cache_control("no-store").metadata("name", "value");
    put.content_disposition("attachment").content_encoding("identity").send().await.unwrap();
    let got = server.client.get_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.cache_control(), Some("no-store"));
    assert_eq!(got.content_disposition(), Some("attachment"));
    assert_eq!(got.content_encoding(), Some("identity"));
    assert_eq!(got.metadata().unwrap()["name"], "value");
    let raw = server.presigned_put("raw").await;
    let put = reqwest::Client::new().put(raw).body("x").send().await.unwrap();
    assert_eq!(put.status(), 200);
    let head = server.client.head_object().bucket(BUCKET).key("raw").send().await.unwrap();
    assert_eq!(head.content_type(), Some("binary/octet-stream"));
}

#[tokio::test]
async fn tags_can_be_put_with_the_object_replaced_and_removed() {
    let server = Server::start().await;
    let put = server.client.put_object().bucket(BUCKET).key("key").tagging("a=1&b=two%2F2");
    put.send().await.unwrap();
    let tags = || async {
        let got = server.client.get_object_tagging().bucket(BUCKET).key("key").send().await.unwrap();
        let pair = |tag: &Tag| format!("{}={}", tag.key(), tag.value());
        got.tag_set().iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(tags().await, ["a=1", "b=two/2"]);
    let tag = Tag::builder().key("c").value("3").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag.clone()).build().unwrap();
    let replace = server.client.put_object_tagging().bucket(BUCKET).key("key").tagging(tagging);
    replace.send().await.unwrap();
    assert_eq!(tags().await, ["c=3"]);
    let twice = Tagging::builder().tag_set(tag.clone()).tag_set(tag).build().unwrap();
    let twice = server.client.put_object_tagging().bucket(BUCKET).key("key").tagging(twice);
    assert_eq!(refused(twice.send().await), code(400, "InvalidTag"));
    server.client.delete_object_tagging().bucket(BUCKET).key("key").send().await.unwrap();
    assert!(tags().await.is_empty());
}

#[tokio::test]
async fn a_copy_has_the_bytes_and_outlives_its_source() {
    let server = Server::start().await;
    server.put("a b/source", "content").await;
    let copy = server.client.copy_object().bucket(BUCKET).key("copy");
    let copied = copy.copy_source(format!("{BUCKET}/a%20b/source")).send().await.unwrap();
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), Some("\"9a0364b9e99bb480dd25e1f0284c8555\""));
    server.client.delete_object().bucket(BUCKET).key("a b/source").send().await.unwrap();
    assert_eq!(server.get("copy").await, b"content");
}

#[tokio::test]
async fn many_deletes_in_one_request_answer_for_each_key() {
    let server = Server::start().await;
    for key in ["a", "b", "c"] {
        server.put(key, key).await;
    }
    let id = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let list = Delete::builder().objects(id("a")).objects(id("c")).objects(id("never")).build().unwrap();
    let done = server.client.delete_objects().bucket(BUCKET).delete(list).send().await.unwrap();
    assert_eq!(done.deleted().len(), 3);
    assert!(done.errors().is_empty());
    let left = server.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(left.contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn a_read_under_way_ends_well_though_the_object_is_deleted() {
    let server = Server::start().await;
    let content = bytes(20 * MIB, 1);
    server.put("key", content.clone()).await;
    let got = server.client.get_object().bucket(BUCKET).key("key").send().await.unwrap();
    server.client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == content);
}

#[tokio::test]
async fn a_put_is_told_to_subscribers_and_to_the_call_log() {
    let server = Server::start().await;
    let mut events = server.s3.subscribe();
    server.put("a/b", "hello").await;
    let event = events.recv().await.unwrap();
    assert_eq!((event.key.as_str(), event.size, event.reason), ("a/b", 5, Reason::PutObject));
    assert_eq!(event.etag, "5d41402abc4b2a76b9719d911017c592");
    let call = server.s3.calls().pop().unwrap();
    assert_eq!((call.operation.as_str(), call.status), ("PutObject", 200));
    assert_eq!((call.bucket.as_str(), call.key.as_str()), (BUCKET, "a/b"));
}
