//! Checksums: what S3 computes itself, what clients send, and what does not match.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedPart};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, checksum};

use crate::{BUCKET, MIB, Server, bytes, code, refused};

/// SHA-256 of nothing.
const EMPTY_SHA256: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
/// SHA-256 of `hello`.
const HELLO_SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

fn crc64(content: &[u8]) -> String {
    BASE64_STANDARD.encode(checksum(CrcAlgorithm::Crc64Nvme, content).to_be_bytes())
}

fn crc32(content: &[u8]) -> String {
    let crc = checksum(CrcAlgorithm::Crc32IsoHdlc, content);
    BASE64_STANDARD.encode(&crc.to_be_bytes()[4..])
}

#[tokio::test]
async fn s3_computes_a_crc64nvme_if_the_client_names_nothing() {
    let server = Server::start().await;
    let put = server.client.put_object().bucket(BUCKET).key("key");
    let put = put.body(b"hello".to_vec().into()).send().await.unwrap();
    let expected = crc64(b"hello");
    assert_eq!(put.checksum_crc64_nvme(), Some(expected.as_str()));
    let head = || server.client.head_object().bucket(BUCKET).key("key");
    assert_eq!(head().send().await.unwrap().checksum_crc64_nvme(), None);
    let shown = head().checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(shown.checksum_crc64_nvme(), Some(expected.as_str()));
    assert_eq!(shown.checksum_type(), Some(&ChecksumType::FullObject));
}

#[tokio::test]
async fn a_multipart_objects_crc64nvme_is_that_of_its_bytes() {
    let server = Server::start().await;
    let id = server.create_upload("key").await;
    let contents = [bytes(5 * MIB, 1), bytes(6 * MIB + 1, 2), bytes(77, 3)];
    let mut parts = Vec::new();
    for (number, content) in (1..).zip(&contents) {
        parts.push(server.upload_part("key", &id, number, content.clone()).await);
    }
    let expected = crc64(&contents.concat());
    let wrong = server.complete("key", &id, parts.clone()).checksum_crc64_nvme(crc64(b"")).send();
    assert_eq!(refused(wrong.await), code(400, "BadDigest"));
    let done = server.complete("key", &id, parts).checksum_crc64_nvme(&expected).send().await;
    let done = done.unwrap();
    assert_eq!(done.checksum_crc64_nvme(), Some(expected.as_str()));
    assert_eq!(done.checksum_type(), Some(&ChecksumType::FullObject));
    let get = server.client.get_object().bucket(BUCKET).key("key");
    let got = get.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(got.checksum_crc64_nvme(), Some(expected.as_str()));
    got.body.collect().await.unwrap(); // the SDK compares
}

#[tokio::test]
async fn a_sha256_the_client_sends_is_checked_and_kept() {
    let server = Server::start().await;
    let put = || server.client.put_object().bucket(BUCKET).key("key").body(b"hello".to_vec().into());
    let wrong = put().checksum_sha256(EMPTY_SHA256).send().await;
    assert_eq!(refused(wrong), code(400, "BadDigest"));
    let garbage = put().checksum_sha256("not base64").send().await;
    assert_eq!(refused(garbage), code(400, "InvalidRequest"));
    assert_eq!(server.data_files(), 0);
    let done = put().checksum_sha256(HELLO_SHA256).send().await.unwrap();
    assert_eq!(done.checksum_sha256(), Some(HELLO_SHA256));
    let head = server.client.head_object().bucket(BUCKET).key("key");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_sha256(), Some(HELLO_SHA256));
    assert_eq!(head.checksum_crc64_nvme(), None);
}

#[tokio::test]
async fn the_refusal_of_a_wrong_checksum_reads_as_on_s3() {
    let server = Server::start().await;
    let put = server.client.put_object().bucket(BUCKET).key("key").body(b"hello".to_vec().into());
    let error = put.checksum_sha256(EMPTY_SHA256).send().await.unwrap_err();
    let message = aws_sdk_s3::error::ProvideErrorMetadata::message(&error).unwrap().to_owned();
    assert_eq!(message, "The SHA256 you specified did not match the calculated checksum.");
}

#[tokio::test]
async fn a_content_md5_is_checked() {
    let server = Server::start().await;
    let put = || server.client.put_object().bucket(BUCKET).key("key").body(b"hello".to_vec().into());
    put().content_md5("XUFAKrxLKna5cZ2REBfFkg==").send().await.unwrap();
    let wrong = put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await;
    assert_eq!(refused(wrong), code(400, "BadDigest"));
    assert_eq!(refused(put().content_md5("short").send().await), code(400, "InvalidDigest"));
}

#[tokio::test]
async fn the_sdks_own_checksums_are_taken_in_a_header_and_in_a_trailer() {
    let server = Server::start().await;
    let content = bytes(3 * MIB + 17, 1);
    let file = server.folder.path().join("source");
    std::fs::write(&file, &content).unwrap();
    let client = server.checksumming();
    // The SDK streams a file and then sends its CRC-32 in the trailer of an aws-chunked body.
    let streamed = ByteStream::from_path(&file).await.unwrap();
    for (key, body) in [("trailer", streamed), ("header", content.clone().into())] {
        let put = client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
        assert_eq!(put.checksum_crc32(), Some(crc32(&content).as_str()), "{key}");
        let got = client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(got.content_encoding(), None, "{key}");
        assert!(got.body.collect().await.unwrap().to_vec() == content, "{key}");
    }
}

#[tokio::test]
async fn a_crc32_upload_has_a_composite_checksum_unless_asked_otherwise() {
    let server = Server::start().await;
    let client = server.checksumming();
    let create = client.create_multipart_upload().bucket(BUCKET).key("key");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
    assert_eq!(create.checksum_type(), Some(&ChecksumType::Composite));
    let id = create.upload_id.unwrap();
    let upload = client.upload_part().bucket(BUCKET).key("key").upload_id(&id).part_number(1);
    let part = upload.body(b"hello".to_vec().into()).send().await.unwrap();
    let sum = crc32(b"hello");
    assert_eq!(part.checksum_crc32(), Some(sum.as_str()));
    let bare = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag.clone());
    let without = server.complete("key", &id, vec![bare.clone().build()]).send().await;
    assert_eq!(refused(without), code(400, "InvalidRequest"));
    let wrong = bare.clone().checksum_crc32(crc32(b"x")).build();
    let wrong = server.complete("key", &id, vec![wrong]).send().await;
    assert_eq!(refused(wrong), code(400, "InvalidPart"));
    let right = bare.checksum_crc32(&sum).build();
    let done = server.complete("key", &id, vec![right]).send().await.unwrap();
    let of_sums = crc32(&BASE64_STANDARD.decode(sum).unwrap());
    assert_eq!(done.checksum_crc32(), Some(format!("{of_sums}-1").as_str()));
    assert_eq!(done.checksum_type(), Some(&ChecksumType::Composite));
}

#[tokio::test]
async fn a_sha256_upload_needs_a_sha256_with_every_part() {
    let server = Server::start().await;
    let create = server.client.create_multipart_upload().bucket(BUCKET).key("key");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    let id = create.upload_id.unwrap();
    let part = || {
        let part = server.client.upload_part().bucket(BUCKET).key("key").upload_id(&id);
        part.part_number(1).body(b"hello".to_vec().into())
    };
    assert_eq!(refused(part().send().await), code(400, "InvalidRequest"));
    let other = part().checksum_crc32(crc32(b"hello")).send().await;
    assert_eq!(refused(other), code(400, "InvalidRequest"));
    let wrong = part().checksum_sha256(EMPTY_SHA256).send().await;
    assert_eq!(refused(wrong), code(400, "BadDigest"));
    let sent = part().checksum_sha256(HELLO_SHA256).send().await.unwrap();
    let listed = server.client.list_parts().bucket(BUCKET).key("key").upload_id(&id);
    let listed = listed.send().await.unwrap();
    assert_eq!(listed.parts()[0].checksum_sha256(), Some(HELLO_SHA256));
    let sum = CompletedPart::builder().part_number(1).set_e_tag(sent.e_tag);
    let sum = sum.checksum_sha256(HELLO_SHA256).build();
    let done = server.complete("key", &id, vec![sum]).send().await.unwrap();
    assert!(done.checksum_sha256().unwrap().ends_with("=-1"), "{:?}", done.checksum_sha256());
}

#[tokio::test]
async fn a_full_object_crc32_is_combined_from_parts_that_sent_none() {
    let server = Server::start().await;
    let create = server.client.create_multipart_upload().bucket(BUCKET).key("key");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32);
    let create = create.checksum_type(ChecksumType::FullObject).send().await.unwrap();
    let id = create.upload_id.unwrap();
    let contents = [bytes(5 * MIB, 1), bytes(9, 2)];
    let mut parts = Vec::new();
    for (number, content) in (1..).zip(&contents) {
        parts.push(server.upload_part("key", &id, number, content.clone()).await);
    }
    let done = server.complete("key", &id, parts).send().await.unwrap();
    assert_eq!(done.checksum_crc32(), Some(crc32(&contents.concat()).as_str()));
    assert_eq!(done.checksum_type(), Some(&ChecksumType::FullObject));
}

#[tokio::test]
async fn a_sha256_over_a_whole_multipart_object_is_refused_at_create() {
    let server = Server::start().await;
    let create = server.client.create_multipart_upload().bucket(BUCKET).key("key");
    let create = create.checksum_algorithm(ChecksumAlgorithm::Sha256);
    let create = create.checksum_type(ChecksumType::FullObject).send().await;
    assert_eq!(refused(create), code(400, "InvalidRequest"));
}

#[tokio::test]
async fn the_rust_sdks_default_multipart_upload_ends_in_s3s_own_checksum() {
    let server = Server::start().await;
    let client = server.checksumming();
    // The Rust SDK names no algorithm at Create but sends a CRC-32 with every part.
    let create = client.create_multipart_upload().bucket(BUCKET).key("key");
    let create = create.send().await.unwrap();
    assert_eq!(create.checksum_algorithm(), None);
    let id = create.upload_id.unwrap();
    let upload = || {
        let part = client.upload_part().bucket(BUCKET).key("key").upload_id(&id);
        part.part_number(1).body(b"hello".to_vec().into())
    };
    let wrong = upload().checksum_crc32(crc32(b"x")).send().await;
    assert_eq!(refused(wrong), code(400, "BadDigest"));
    let part = upload().send().await.unwrap();
    assert_eq!(part.checksum_crc32(), Some(crc32(b"hello").as_str()));
    let listed = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let done = server.complete("key", &id, vec![listed]).send().await.unwrap();
    assert_eq!(done.checksum_crc64_nvme(), Some(crc64(b"hello").as_str()));
}
