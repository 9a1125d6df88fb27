//! Tests of what each answer of S3 means.

use aws_sdk_s3::{
    Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};

use super::*;
use crate::{
    document::tests::{at, content, empty},
    parts::{DocumentSize, PartPlan},
    stores::{
        Completion,
        answers::{Answer, Answers},
    },
};

const NONE: &str = "";

/// The body of an error of S3.
macro_rules! error {
    ($code:literal) => {
        concat!("<Error><Code>", $code, "</Code><Message>no</Message></Error>")
    };
}

/// The bucket of a server that answers so.
fn files(answers: &Answers) -> Files {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .endpoint_url(&answers.url)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .retry_config(RetryConfig::disabled())
        .build();
    Files::of(Client::from_conf(config), "bucket".to_owned())
}

fn key() -> ObjectKey {
    empty().object_key(&content(1, at(0)).content_id)
}

fn file() -> File {
    let bytes = Bytes::from_static(&[1]);
    File { sha256: Checksum::sha256(&bytes), bytes, media_type: "text/plain".try_into().unwrap() }
}

/// An outcome, in a word.
fn word<T>(outcome: Result<T>, word: impl Fn(T) -> String) -> String {
    match outcome {
        Ok(value) => word(value),
        Err(Error::Contended) => "contended".to_owned(),
        Err(Error::Unavailable { .. }) => "unavailable".to_owned(),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn an_object_is_read_at_16_mib_a_second_at_least() {
    for (size, seconds) in [(0, 5), ((16 << 20) - 1, 5), (16 << 20, 6), (1 << 30, 69)] {
        assert_eq!(time_to_read(size), Duration::from_secs(seconds), "{size}");
    }
}

#[tokio::test]
async fn bytes_are_stored_once_and_tried_three_times_while_another_stores_them() {
    const STORED: Answer<'_> = (200, "x-amz-version-id: v1\r\n", "");
    const BUSY: Answer<'_> = (409, NONE, error!("ConditionalRequestConflict"));
    for (given, expected, calls) in [
        (&[STORED][..], r#"Stored(Some("v1"))"#, 1),
        (&[(200, NONE, "")], "Stored(None)", 1),
        (&[(412, NONE, error!("PreconditionFailed"))], "There", 1),
        (&[BUSY, BUSY, STORED], r#"Stored(Some("v1"))"#, 3),
        (&[BUSY, BUSY, BUSY], "contended", 3),
        (&[(403, NONE, error!("AccessDenied"))], "unavailable", 1),
    ] {
        let answers = Answers::new(given);
        let outcome = files(&answers).put(&key(), &file()).await;
        assert_eq!(word(outcome, |put| format!("{put:?}")), expected);
        assert_eq!(answers.requests().len(), calls, "{expected}");
    }
    let answers = Answers::new(&[STORED]);
    let again = files(&answers).put_again(&key(), &file()).await;
    assert_eq!(word(again, |put| format!("{put:?}")), r#"Stored(Some("v1"))"#);
}

#[tokio::test]
async fn an_object_is_there_is_not_or_cannot_be_asked_for() {
    for (answer, expected) in [
        ((200, "x-amz-checksum-crc64nvme: rosUhgp5mIg=\r\n", ""), "crc64nvme:ae8b14860a799888"),
        ((200, NONE, ""), "without a checksum"),
        ((404, NONE, ""), "not there"),
        ((403, NONE, ""), "unavailable"),
    ] {
        let found = files(&Answers::new(&[answer])).find(&key()).await;
        let found = word(found, |object| match object.map(|object| object.crc64nvme) {
            Some(Some(checksum)) => checksum.to_string(),
            Some(None) => "without a checksum".to_owned(),
            None => "not there".to_owned(),
        });
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn an_object_that_is_read_back_has_the_checksum_of_its_bytes() {
    for declared in [Checksum::sha256(b"examen"), Checksum::crc64nvme(b"examen")] {
        let answers = Answers::new(&[(200, NONE, "examen")]);
        assert_eq!(files(&answers).read_back(&key(), 6, &declared).await.unwrap(), declared);
    }
    let answers = Answers::new(&[(404, NONE, error!("NoSuchKey"))]);
    assert!(files(&answers).read_back(&key(), 6, &Checksum::sha256(b"")).await.is_err());
}

#[tokio::test]
async fn the_newest_versions_are_listed_and_where_to_go_on() {
    const VERSIONS: &str = "<Version><Key>a</Key><VersionId>2</VersionId><IsLatest>true</IsLatest>\
        <LastModified>1970-01-01T00:00:07Z</LastModified></Version>\
        <Version><Key>a</Key><VersionId>1</VersionId><IsLatest>false</IsLatest>\
        <LastModified>1970-01-01T00:00:01Z</LastModified></Version>";
    for (is_truncated, next) in [("true", Some("a")), ("false", None)] {
        let body = format!(
            "<ListVersionsResult><IsTruncated>{is_truncated}</IsTruncated><NextKeyMarker>a</NextKeyMarker>\
             {VERSIONS}</ListVersionsResult>"
        );
        let listed = files(&Answers::new(&[(200, NONE, &body)])).list(None).await.unwrap();
        let newest = Listed { key: "a".to_owned(), s3_version: Some("2".to_owned()), modified_at: at(7) };
        assert_eq!(listed, (vec![newest], next.map(str::to_owned)));
    }
}

#[tokio::test]
async fn one_version_or_the_object_is_deleted() {
    let answers = Answers::new(&[(204, NONE, ""), (204, NONE, ""), (403, NONE, error!("AccessDenied"))]);
    let files = files(&answers);
    files.delete_version(&key(), "v1").await.unwrap();
    files.delete(&key()).await.unwrap();
    assert!(files.delete(&key()).await.is_err());
    let requests = answers.requests();
    let object = format!("DELETE /bucket/{}?", key());
    assert!(requests.iter().all(|request| request.starts_with(&object)), "{requests:?}");
    assert_eq!([0, 1].map(|call| requests[call].contains("versionId=v1")), [true, false]);
}

#[tokio::test]
async fn an_upload_s_parts_are_those_that_s3_lists() {
    const LISTED: &str = "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>1</Size><ETag>e</ETag></Part>\
        </ListPartsResult>";
    let plan = PartPlan::from(DocumentSize::try_from(1).unwrap());
    for (answer, expected) in [
        ((200, NONE, LISTED), "0 missing"),
        ((200, NONE, "<ListPartsResult></ListPartsResult>"), "1 missing"),
        ((404, NONE, error!("NoSuchUpload")), "no such upload"),
        ((403, NONE, error!("AccessDenied")), "unavailable"),
    ] {
        let received = files(&Answers::new(&[answer])).received(&key(), "upload").await;
        let received = word(received, |parts| {
            parts.map_or("no such upload".to_owned(), |parts| format!("{} missing", plan.missing(&parts).count()))
        });
        assert_eq!(received, expected);
    }
}

#[tokio::test]
async fn an_upload_is_opened_under_the_id_that_s3_gives_it() {
    const OPENED: &str = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    const NAMELESS: &str = "<InitiateMultipartUploadResult></InitiateMultipartUploadResult>";
    let media_type = file().media_type;
    for (body, expected) in [(OPENED, "u"), (NAMELESS, "unavailable")] {
        let opened = files(&Answers::new(&[(200, NONE, body)])).open_upload(&key(), &media_type, None).await;
        assert_eq!(word(opened, |id| id), expected);
    }
}

#[tokio::test]
async fn parts_are_joined_refused_or_still_being_joined() {
    const JOINED: &str = "<CompleteMultipartUploadResult><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>\
        </CompleteMultipartUploadResult>";
    let plan = PartPlan::from(DocumentSize::try_from(1).unwrap());
    for (answer, expected) in [
        ((200, NONE, JOINED), "done"),
        ((200, NONE, error!("InternalError")), "working"),
        ((404, NONE, error!("NoSuchUpload")), "working"),
        ((400, NONE, error!("InvalidPart")), "working"),
        ((503, NONE, error!("SlowDown")), "working"),
        ((400, NONE, error!("BadDigest")), "refused"),
        ((400, NONE, error!("InvalidRequest")), "refused"),
        ((403, NONE, error!("AccessDenied")), "unavailable"),
    ] {
        let completed = files(&Answers::new(&[answer])).complete(&key(), "upload", plan, None, &[]).await;
        let completed = word(completed, |completion| match completion {
            Completion::Done(object) => {
                assert_eq!(object.crc64nvme, Some(Checksum::crc64nvme(b"123456789")));
                "done".to_owned()
            }
            Completion::Working => "working".to_owned(),
            Completion::Refused => "refused".to_owned(),
        });
        assert_eq!(completed, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn an_upload_is_aborted_where_s3_knows_it() {
    for (answer, expected) in [
        ((204, NONE, ""), "true"),
        ((404, NONE, error!("NoSuchUpload")), "false"),
        ((403, NONE, error!("AccessDenied")), "unavailable"),
    ] {
        let aborted = files(&Answers::new(&[answer])).abort(&key(), "upload").await;
        assert_eq!(word(aborted, |was_known| was_known.to_string()), expected);
    }
}

#[tokio::test]
async fn a_part_s_link_lives_no_longer_than_an_hour_than_its_upload_and_than_what_signs_it() {
    let answers = Answers::new(&[]);
    let plan = PartPlan::from(DocumentSize::try_from(1).unwrap());
    for (end, signer_until, expires) in
        [(7200, None, 3600), (600, None, 600), (0, None, 1), (7200, Some(900), 900), (600, Some(900), 600)]
    {
        let mut files = files(&answers);
        files.signer.until = signer_until.map(at);
        let links = files.link(&key(), "upload", plan.parts(), at(0), at(end)).await.unwrap();
        assert_eq!(links.len(), 1);
        assert_eq!(links[0].expires_at, at(expires), "{end} {signer_until:?}");
        assert!(links[0].href.contains(&format!("X-Amz-Expires={expires}&")), "{}", links[0].href);
        assert!(links[0].href.contains("partNumber=1") && links[0].href.contains("uploadId=upload"));
    }
}
