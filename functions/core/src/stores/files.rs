//! The documents' bytes in S3.
//!
//! Needs `s3:PutObject` (also to open, to presign and to complete a multipart upload),
//! `s3:ListMultipartUploadParts`, `s3:AbortMultipartUpload`, `s3:GetObject` (for `HeadObject`, and to verify) and
//! `s3:DeleteObject` (for the sweep also `s3:DeleteObjectVersion`) on `{bucket}/*`, and `s3:ListBucket` on the
//! bucket, without which S3 answers `HeadObject` of a missing object with 403 instead of 404 (to look it through also
//! `s3:ListBucketVersions`).

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{RequestChecksumCalculation, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::{head_object::HeadObjectError, put_object::builders::PutObjectFluentBuilder},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    Error, Result,
    checksum::{Checksum, Digest},
    ids::ObjectKey,
    metadata::MediaType,
    metrics::TimesCalls,
    parts::{Part, PartPlan},
};

/// The time that a part's URL lives, at most: it also dies with the function's own credentials.
const LINK_LIFETIME: Duration = Duration::from_hours(1);
/// The time that we wait for S3 to join the parts; it may take minutes, and goes on when we do not wait.
const COMPLETE_TIMEOUT: Duration = Duration::from_secs(10);

/// The bucket of documents.
pub struct Files {
    client: Client,
    bucket: String,
    /// The client that signs the URLs of parts, and the end of its credentials; without one, `client` signs.
    signer: Option<(Client, Timestamp)>,
}

/// A file that came whole.
pub struct File {
    /// Its bytes.
    pub bytes: Bytes,
    /// Their SHA-256.
    pub sha256: Checksum,
    /// Their media type, which the object carries.
    pub media_type: MediaType,
}

/// The newest version of an object, as S3 lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The object's key.
    pub key: String,
    /// S3's id of the version, if its bucket has versions.
    pub s3_version: Option<String>,
    /// The time at which it was made.
    pub modified_at: Timestamp,
}

/// The outcome of a put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// They are stored, as the version of the object that S3 gave this id, if its bucket has versions.
    Stored(Option<String>),
    /// They were there already.
    There,
}

/// Permission to send one part straight to S3, for any holder of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PartLink {
    /// The slice of the file.
    pub part: Part,
    /// The URL to `PUT` it to, with no headers but its Content-Length. A secret.
    pub href: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A part that S3 has.
#[derive(Debug, Clone)]
pub struct ReceivedPart {
    number: i32,
    size: u64,
    etag: String,
}

/// An object as S3 describes it.
#[derive(Debug, Clone, Copy)]
pub struct StoredObject {
    /// The checksum that S3 computed over its bytes.
    pub crc64nvme: Option<Checksum>,
}

/// The outcome of a request to join the parts.
#[derive(Debug)]
pub enum Completion {
    /// The object is there.
    Done(StoredObject),
    /// S3 has not said; ask again later.
    Working,
    /// The parts are not the bytes that were declared, so S3 made no object.
    Refused,
}

impl PartPlan {
    /// The parts of the plan that are not there with their right size.
    pub fn missing(self, received: &[ReceivedPart]) -> impl Iterator<Item = Part> {
        self.parts()
            .filter(move |part| !received.iter().any(|there| there.number == part.number && there.size == part.size))
    }
}

impl Files {
    pub(super) fn new(sdk: &SdkConfig, bucket: String) -> Self {
        // Checksums that matter we send ourselves: the SDK's default would sign the checksum of an
        // empty body into every presigned part.
        let config = aws_sdk_s3::config::Builder::from(sdk)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .force_path_style(is_stand_in())
            .interceptor(TimesCalls)
            .build();
        Self::of(Client::from_conf(config), bucket)
    }

    /// The bucket of this name, through this client.
    pub fn of(client: Client, bucket: String) -> Self {
        Self { client, bucket, signer: None }
    }

    /// The same bucket, where the URLs of parts are signed with these credentials, which end at `until`.
    pub(super) fn signed_by(self, sdk: &SdkConfig, until: Timestamp) -> Self {
        let signer = Self::new(sdk, String::new()).client;
        Self { signer: Some((signer, until)), ..self }
    }

    /// Stores bytes under a key that names them, unless they are there already. S3 itself checks them against their SHA-256
    /// before it answers.
    pub async fn put(&self, key: &ObjectKey, file: &File) -> Result<Put> {
        for _ in 0..3 {
            let sent = self.put_object(key, file).if_none_match("*").send().await;
            match sent {
                Ok(answer) => return Ok(Put::Stored(answer.version_id)),
                Err(error) if error.code() == Some("PreconditionFailed") => return Ok(Put::There),
                // Another request is storing these bytes at this moment.
                Err(error) if error.code() == Some("ConditionalRequestConflict") => {}
                Err(error) => return Err(Error::unavailable("storing a document", error)),
            }
        }
        Err(Error::Contended)
    }

    /// Stores the same bytes once more, as another version of the object that is there.
    pub async fn put_again(&self, key: &ObjectKey, file: &File) -> Result<Put> {
        let sent = self.put_object(key, file).send().await;
        sent.map(|answer| Put::Stored(answer.version_id))
            .map_err(|error| Error::unavailable("storing a document", error))
    }

    fn put_object(&self, key: &ObjectKey, file: &File) -> PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .checksum_sha256(file.sha256.base64())
            .content_type(file.media_type.as_str())
            .body(ByteStream::from(file.bytes.clone()))
    }

    /// Opens a multipart upload and gives S3's id of it. Where a CRC64NVME is declared S3 is to compare it; of no other
    /// algorithm is it told, since it would want that of every part. It computes CRC64NVME by itself in any case.
    pub async fn open_upload(
        &self,
        key: &ObjectKey,
        media_type: &MediaType,
        declared: Option<Checksum>,
    ) -> Result<String> {
        let is_crc64nvme = crc64nvme(declared).is_some();
        let answer = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_type(media_type.as_str())
            .set_checksum_algorithm(is_crc64nvme.then_some(ChecksumAlgorithm::Crc64Nvme))
            .set_checksum_type(is_crc64nvme.then_some(ChecksumType::FullObject))
            .send()
            .await
            .map_err(|error| Error::unavailable("opening a multipart upload", error))?;
        answer.upload_id.ok_or_else(|| Error::unavailable("opening a multipart upload", "S3 gave no upload id"))
    }

    /// URLs for `parts`, none of which outlives the upload's `end` or what signs it. Made here, without a call to S3. They
    /// sign the host and the Content-Length and nothing else.
    pub async fn link(
        &self,
        key: &ObjectKey,
        upload_id: &str,
        parts: impl Iterator<Item = Part>,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<PartLink>> {
        let (signer, end) = match &self.signer {
            Some((signer, until)) => (signer, end.min(*until)),
            None => (&self.client, end),
        };
        let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
        let lifetime = LINK_LIFETIME.min(left).max(Duration::from_secs(1));
        let presigning =
            PresigningConfig::expires_in(lifetime).map_err(|error| Error::unavailable("presigning parts", error))?;
        let expires_at = now + lifetime;
        let mut links = Vec::new();
        for part in parts {
            let request = signer
                .upload_part()
                .bucket(&self.bucket)
                .key(key.as_str())
                .upload_id(upload_id)
                .part_number(part.number)
                .content_length(part.size.cast_signed())
                .presigned(presigning.clone())
                .await
                .map_err(|error| Error::unavailable("presigning parts", error))?;
            links.push(PartLink { part, href: request.uri().to_owned(), expires_at });
        }
        Ok(links)
    }

    /// The parts that S3 has: one call, since a plan has no more parts than a page. `None` where S3 does
    /// not know the upload (any more).
    pub async fn received(&self, key: &ObjectKey, upload_id: &str) -> Result<Option<Vec<ReceivedPart>>> {
        let sent = self.client.list_parts().bucket(&self.bucket).key(key.as_str()).upload_id(upload_id).send().await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if no_such_upload(&error) => return Ok(None),
            Err(error) => return Err(Error::unavailable("listing an upload's parts", error)),
        };
        let part = |part: &aws_sdk_s3::types::Part| ReceivedPart {
            number: part.part_number().unwrap_or_default(),
            size: part.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            etag: part.e_tag().unwrap_or_default().to_owned(),
        };
        Ok(Some(answer.parts().iter().map(part).collect()))
    }

    /// Joins the parts into the object, which S3 does only where they have the size planned and the CRC64NVME declared. S3
    /// may answer 200 with an error inside, take longer than we can wait or have done it when its answer was lost: all of
    /// that is [`Completion::Working`].
    pub async fn complete(
        &self,
        key: &ObjectKey,
        upload_id: &str,
        plan: PartPlan,
        declared: Option<Checksum>,
        received: &[ReceivedPart],
    ) -> Result<Completion> {
        // Parts beyond the plan cannot be: their URLs were never made.
        let part = |part: &ReceivedPart| CompletedPart::builder().part_number(part.number).e_tag(&part.etag).build();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(received.iter().map(part).collect())).build();
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(COMPLETE_TIMEOUT)
            .operation_timeout(COMPLETE_TIMEOUT)
            .build();
        let sent = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key.as_str())
            .upload_id(upload_id)
            .mpu_object_size(plan.size.bytes().cast_signed())
            .set_checksum_crc64_nvme(crc64nvme(declared))
            .set_checksum_type(crc64nvme(declared).map(|_| ChecksumType::FullObject))
            .multipart_upload(parts)
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts))
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(Completion::Done(StoredObject {
                crc64nvme: answer.checksum_crc64_nvme().and_then(Checksum::from_s3_crc64nvme),
            })),
            // Someone else has just completed or aborted it, or S3 is busy: the next request will see.
            Err(error) if no_such_upload(&error) || is_transient(&error) => Ok(Completion::Working),
            // The second is about the size. The same call would get the same answer again.
            Err(error) if matches!(error.code(), Some("BadDigest" | "InvalidRequest")) => {
                tracing::warn!(code = error.code(), message = error.message(), "S3 refused to join parts");
                Ok(Completion::Refused)
            }
            Err(error) => Err(Error::unavailable("joining an upload's parts", error)),
        }
    }

    /// The object, if it is there.
    pub async fn find(&self, key: &ObjectKey) -> Result<Option<StoredObject>> {
        let sent = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match sent {
            Ok(answer) => {
                Ok(Some(StoredObject { crc64nvme: answer.checksum_crc64_nvme().and_then(Checksum::from_s3_crc64nvme) }))
            }
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(Error::unavailable("looking for an object", error)),
        }
    }

    /// Ends a multipart upload, whether or not it is still there. Parts in flight may land after the first abort, so
    /// it is aborted until S3 no longer knows it.
    pub async fn abort(&self, key: &ObjectKey, upload_id: &str) -> Result<()> {
        for _ in 0..5 {
            let sent = self
                .client
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(key.as_str())
                .upload_id(upload_id)
                .send()
                .await;
            match sent {
                Ok(_) => {}
                Err(error) if no_such_upload(&error) => return Ok(()),
                Err(error) => return Err(Error::unavailable("aborting a multipart upload", error)),
            }
        }
        // Still landing: the bucket's lifecycle rule ends it.
        Ok(())
    }

    /// Computes the checksum, by the algorithm of `declared`, of an object of about `size` bytes: read once from end to end
    /// and never held whole.
    pub async fn read_back(&self, key: &ObjectKey, size: u64, declared: &Checksum) -> Result<Checksum> {
        let read = async {
            let sent = self.client.get_object().bucket(&self.bucket).key(key.as_str()).send().await;
            let mut body = sent.map_err(|error| Error::unavailable("reading an object back", error))?.body;
            let mut digest = Digest::like(declared);
            while let Some(chunk) = body.next().await {
                digest.update(&chunk.map_err(|error| Error::unavailable("reading an object back", error))?);
            }
            Ok(digest.finish())
        };
        tokio::time::timeout(time_to_read(size), read)
            .await
            .unwrap_or_else(|elapsed| Err(Error::unavailable("reading an object back", elapsed)))
    }

    /// Lists the objects with keys after this one, up to 1,000 versions of them; and after which key to go on, where there
    /// are more.
    pub async fn list(&self, after: Option<&str>) -> Result<(Vec<Listed>, Option<String>)> {
        let sent = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .set_key_marker(after.map(str::to_owned))
            .send()
            .await;
        let answer = sent.map_err(|error| Error::unavailable("listing objects", error))?;
        let mut objects = Vec::new();
        for version in answer.versions() {
            if version.is_latest != Some(true) {
                continue;
            }
            let modified = version.last_modified().map_or(0, aws_smithy_types::DateTime::secs);
            objects.push(Listed {
                key: version.key().unwrap_or_default().to_owned(),
                s3_version: version.version_id().map(str::to_owned),
                modified_at: Timestamp::from_second(modified)
                    .map_err(|error| Error::unavailable("listing objects", error))?,
            });
        }
        let is_more = answer.is_truncated == Some(true);
        Ok((objects, answer.next_key_marker.filter(|_| is_more)))
    }

    /// Removes for good one version, by S3's id of it, of an object that no document points to.
    pub async fn delete_version(&self, key: &ObjectKey, version: &str) -> Result<()> {
        let sent = self.client.delete_object().bucket(&self.bucket).key(key.as_str()).version_id(version).send().await;
        sent.map(drop).map_err(|error| Error::unavailable("deleting a version of an object", error))
    }

    /// Removes an object that no document points to.
    pub async fn delete(&self, key: &ObjectKey) -> Result<()> {
        let sent = self.client.delete_object().bucket(&self.bucket).key(key.as_str()).send().await;
        sent.map(drop).map_err(|error| Error::unavailable("deleting an object", error))
    }
}

/// Returns whether S3 is addressed without TLS, and so is no AWS: a stand-in has no host name for each bucket.
fn is_stand_in() -> bool {
    std::env::var("AWS_ENDPOINT_URL_S3").is_ok_and(|url| url.starts_with("http://"))
}

/// The time that reading an object of this size may take: at 16 MiB/s, the least that S3 gives a function, and a
/// while to begin.
pub fn time_to_read(size: u64) -> Duration {
    Duration::from_secs(5 + (size >> 24))
}

/// The value of a CRC64NVME, as S3's headers have it; `None` of any other checksum.
fn crc64nvme(declared: Option<Checksum>) -> Option<String> {
    let declared = declared.filter(|declared| matches!(declared, Checksum::Crc64Nvme(_)));
    declared.map(|declared| declared.base64())
}

fn no_such_upload<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchUpload")
}

/// Returns whether S3 may yet do what it was asked.
fn is_transient<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    match error {
        SdkError::ServiceError(error) => matches!(
            error.err().code(),
            Some(
                // A part was sent again between our list and now.
                "InvalidPart"
                    | "InternalError"
                    | "SlowDown"
                    | "ServiceUnavailable"
                    | "RequestTimeout"
                    | "OperationAborted"
            )
        ),
        SdkError::ConstructionFailure(_) => false,
        _ => true,
    }
}
