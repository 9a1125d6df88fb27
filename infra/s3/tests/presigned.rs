//! Presigned URLs, as a plain HTTP client uses them.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;

use crate::{BUCKET, MIB, Server, bytes};

const HOUR: Duration = Duration::from_hours(1);

impl Server {
    pub(crate) async fn presigned_put(&self, key: &str) -> String {
        let config = PresigningConfig::expires_in(HOUR).unwrap();
        let put = self.client.put_object().bucket(BUCKET).key(key);
        put.presigned(config).await.unwrap().uri().to_owned()
    }

    pub(crate) async fn presigned_part(&self, key: &str, id: &str, number: i32) -> String {
        self.presigned(key, id, number, SystemTime::now(), None).await
    }

    async fn presigned(&self, key: &str, id: &str, number: i32, from: SystemTime, length: Option<i64>) -> String {
        let config = PresigningConfig::builder().start_time(from).expires_in(HOUR).build().unwrap();
        let part = self.client.upload_part().bucket(BUCKET).key(key).upload_id(id);
        let part = part.part_number(number).set_content_length(length);
        part.presigned(config).await.unwrap().uri().to_owned()
    }
}

async fn put(url: &str, body: Vec<u8>) -> (u16, String) {
    let answer = reqwest::Client::new().put(url).body(body).send().await.unwrap();
    assert!(answer.headers().contains_key("x-amz-request-id"));
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_presigned_part_is_taken_from_a_plain_client() {
    let server = Server::start().await;
    let id = server.create_upload("tenant/a b+c").await;
    let url = server.presigned_part("tenant/a b+c", &id, 1).await;
    let answer = reqwest::Client::new().put(&url).body("hello").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["etag"], "\"5d41402abc4b2a76b9719d911017c592\"");
}

#[tokio::test]
async fn an_expired_url_is_denied_even_while_the_body_is_still_coming() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let past = SystemTime::now() - 2 * HOUR;
    let url = server.presigned("key", &id, 1, past, None).await;
    let (status, body) = put(&url, bytes(20 * MIB, 1)).await;
    assert_eq!(status, 403);
    assert!(body.contains("<Code>AccessDenied</Code>"), "{body}");
    assert!(body.contains("Request has expired"), "{body}");
    let refused = server.s3.calls().pop().unwrap();
    assert_eq!((refused.status, refused.key.as_str()), (403, "key"));
}

#[tokio::test]
async fn a_body_longer_than_the_signed_length_is_denied() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let url = server.presigned("key", &id, 1, SystemTime::now(), Some(5)).await;
    let (status, body) = put(&url, b"too long".to_vec()).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("<Code>SignatureDoesNotMatch</Code>"), "{body}");
    assert_eq!(put(&url, b"hello".to_vec()).await.0, 200);
}

#[tokio::test]
async fn an_altered_url_is_denied() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let url = server.presigned_part("key", &id, 1).await;
    let other_part = url.replace("partNumber=1", "partNumber=2");
    let (status, body) = put(&other_part, b"hello".to_vec()).await;
    assert_eq!(status, 403);
    assert!(body.contains("<Code>SignatureDoesNotMatch</Code>"), "{body}");
}

#[tokio::test]
async fn an_unknown_key_id_is_denied() {
    let server = Server::start().await;
    let url = server.presigned_put("key").await.replace("AKIDLOCAL", "AKIDOTHER");
    let (status, body) = put(&url, b"hello".to_vec()).await;
    assert_eq!(status, 403);
    assert!(body.contains("<Code>InvalidAccessKeyId</Code>"), "{body}");
}

#[tokio::test]
async fn a_request_without_a_signature_is_denied() {
    let server = Server::start().await;
    let (status, body) = put(&format!("{}/{BUCKET}/key", server.endpoint), b"x".to_vec()).await;
    assert_eq!(status, 403);
    assert!(body.contains("<Code>AccessDenied</Code>"), "{body}");
}

#[tokio::test]
async fn the_call_log_holds_no_query_string_and_no_signature() {
    let server = Server::start().await;
    put(&server.presigned_put("key").await, b"x".to_vec()).await;
    let log = format!("{:?}", server.s3.calls());
    assert!(log.contains("PutObject"), "{log}");
    assert!(!log.contains("X-Amz") && !log.contains('?'), "{log}");
}

#[tokio::test]
async fn a_presigned_part_needs_its_checksum_if_the_upload_was_created_with_a_composite_one() {
    let server = Server::start().await;
    let create = server.client.create_multipart_upload().bucket(BUCKET).key("key");
    let algorithm = aws_sdk_s3::types::ChecksumAlgorithm::Crc32;
    let id = create.checksum_algorithm(algorithm).send().await.unwrap().upload_id.unwrap();
    let url = server.presigned_part("key", &id, 1).await;
    let (status, body) = put(&url, b"hello".to_vec()).await;
    assert_eq!(status, 400);
    assert!(body.contains("expected checksum Type: crc32, actual checksum Type: null"), "{body}");
    // Its header is signed with the URL, or refused.
    let part = server.client.upload_part().bucket(BUCKET).key("key");
    let part = part.upload_id(id).part_number(1).checksum_crc32("NhCmhg==");
    let config = PresigningConfig::expires_in(HOUR).unwrap();
    let signed = part.presigned(config).await.unwrap();
    let mut put = reqwest::Client::new().put(signed.uri());
    for (name, value) in signed.headers() {
        put = put.header(name, value);
    }
    let answer = put.body("hello").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn headers_of_amazons_that_the_url_does_not_sign_are_refused_by_name() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let (part, object) = (server.presigned_part("key", &id, 1).await, server.presigned_put("key").await);
    for url in [&part, &object] {
        for (names, listed) in [
            (&["x-amz-acl"][..], "x-amz-acl"),
            (&["X-Amz-Content-Sha256"], "x-amz-content-sha256"),
            (&["x-amz-checksum-crc32"], "x-amz-checksum-crc32"),
            (&["x-amz-meta-a", "x-amz-tagging"], "x-amz-meta-a, x-amz-tagging"),
        ] {
            let mut put = reqwest::Client::new().put(url);
            for name in names {
                put = put.header(*name, "UNSIGNED-PAYLOAD");
            }
            let answer = put.body("hello").send().await.unwrap();
            assert_eq!(answer.status(), 403);
            let body = answer.text().await.unwrap();
            assert!(body.contains("<Code>AccessDenied</Code>"), "{body}");
            let message = "There were headers present in the request which were not signed";
            assert!(body.contains(message), "{body}");
            let element = format!("<HeadersNotSigned>{listed}</HeadersNotSigned>");
            assert!(body.contains(&element), "{body}");
        }
        // What a proxy adds is none of Amazon's.
        let put = reqwest::Client::new().put(url).header("x-amzn-trace-id", "Root=1");
        assert_eq!(put.body("hello").send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_copy_that_the_url_does_not_sign_copies_nothing() {
    let server = Server::start().await;
    server.put("secret", "secret").await;
    let id = server.create_upload("key").await;
    for url in [server.presigned_part("key", &id, 1).await, server.presigned_put("key").await] {
        let put = reqwest::Client::new().put(&url);
        let put = put.header("x-amz-copy-source", format!("/{BUCKET}/secret"));
        let answer = put.send().await.unwrap();
        assert_eq!(answer.status(), 403);
        let body = answer.text().await.unwrap();
        let element = "<HeadersNotSigned>x-amz-copy-source</HeadersNotSigned>";
        assert!(body.contains(element), "{body}");
        assert_eq!(server.s3.calls().pop().unwrap().operation, "");
    }
    let list = server.client.list_objects_v2().bucket(BUCKET);
    assert_eq!(list.send().await.unwrap().contents().len(), 1);
    let parts = server.client.list_parts().bucket(BUCKET).key("key");
    let parts = parts.upload_id(id).send().await.unwrap();
    assert!(parts.parts().is_empty(), "{parts:?}");
}

#[tokio::test]
async fn a_body_in_chunks_without_its_length_is_not_implemented() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    for url in [server.presigned_part("key", &id, 1).await, server.presigned_put("key").await] {
        let chunks = ["hel", "lo"].map(Ok::<_, std::io::Error>);
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let answer = reqwest::Client::new().put(&url).body(body).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 501);
        let body = answer.text().await.unwrap();
        assert!(body.contains("<Code>NotImplemented</Code>"), "{body}");
        assert!(body.contains("implies functionality that is not implemented"), "{body}");
        assert!(body.contains("<Header>Transfer-Encoding</Header>"), "{body}");
    }
}

#[tokio::test]
async fn a_url_presigned_by_the_sdk_with_its_default_checksums_serves_any_body() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let part = server.checksumming().upload_part().bucket(BUCKET).key("key").upload_id(&id);
    let config = PresigningConfig::expires_in(HOUR).unwrap();
    let url = part.part_number(1).presigned(config).await.unwrap().uri().to_owned();
    assert_eq!(put(&url, b"hello".to_vec()).await.0, 200, "{url}");
}

#[tokio::test]
async fn a_bearer_token_beside_a_signature_is_refused() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let url = server.presigned_part("key", &id, 1).await;
    let put = reqwest::Client::new().put(&url).bearer_auth("a.b.c");
    let answer = put.body("hello").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let body = answer.text().await.unwrap();
    assert!(body.contains("<Code>InvalidArgument</Code>"), "{body}");
    assert!(body.contains("Only one auth mechanism allowed"), "{body}");
}
