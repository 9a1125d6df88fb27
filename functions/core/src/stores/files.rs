//! The documents' bytes in S3.
//!
//! Needs `s3:PutObject`, `s3:GetObject` (for `HeadObject`, and to verify) and `s3:DeleteObject` (for the sweep also
//! `s3:DeleteObjectVersion`) on `{bucket}/*`, and `s3:ListBucket` on the bucket, without which S3 answers `HeadObject`
//! of a missing object with 403 instead of 404 (to look it through also `s3:ListBucketVersions`). To read verdicts, also
//! `s3:GetObjectTagging`. What uploads by parts need: see `multipart.rs`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    config::{ProvideCredentials, RequestChecksumCalculation, SharedCredentialsProvider},
    error::ProvideErrorMetadata,
    operation::{head_object::HeadObjectError, put_object::builders::PutObjectFluentBuilder},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::ChecksumMode,
};
use aws_types::SdkConfig;
use bytes::Bytes;
use jiff::Timestamp;

use super::part_signer::PartSigner;
use crate::{
    Error, Result,
    checksum::{Checksum, Digest},
    document::Verdict,
    ids::{DocumentKey, ObjectKey},
    metadata::MediaType,
    metrics::TimesCalls,
    parts::Part,
};

/// The tag in which `GuardDuty` leaves its verdict on an object.
pub const VERDICT_TAG: &str = "GuardDutyMalwareScanStatus";

/// The bucket of documents.
pub struct Files {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) signer: Signer,
}

/// Signs URLs.
pub(super) struct Signer {
    pub(super) client: Client,
    /// The client's credentials, where they are known.
    credentials: Option<SharedCredentialsProvider>,
    /// The end of these credentials, where they have one that is known.
    until: Option<Timestamp>,
}

impl Signer {
    /// The signer of the parts of an upload, one of which the SDK has signed so.
    pub(super) async fn of_parts_like(&self, url: &str, part: Part) -> Option<PartSigner> {
        let credentials = self.credentials.as_ref()?.provide_credentials().await.ok()?;
        PartSigner::like(url, part, credentials.secret_access_key())
    }
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

/// An object as S3 describes it.
#[derive(Debug, Clone, Copy)]
pub struct StoredObject {
    /// The checksum that S3 computed over its bytes.
    pub crc64nvme: Option<Checksum>,
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
        let mut files = Self::of(Client::from_conf(config), bucket);
        files.signer.credentials = sdk.credentials_provider();
        files
    }

    /// The bucket of this name, through this client.
    pub fn of(client: Client, bucket: String) -> Self {
        let signer = Signer { client: client.clone(), credentials: None, until: None };
        Self { client, bucket, signer }
    }

    /// The same bucket, where the URLs of parts are signed with these credentials, which end at `until`.
    pub(super) fn signed_by(self, sdk: &SdkConfig, until: Timestamp) -> Self {
        let signer = Self::new(sdk, String::new()).signer;
        Self { signer: Signer { until: Some(until), ..signer }, ..self }
    }

    /// The settings by which URLs are signed: for `longest`, unless `end` or the credentials' end comes first; and the time at
    /// which they end.
    pub(super) fn signing(
        &self,
        longest: Duration,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<(PresigningConfig, Timestamp)> {
        let end = self.signer.until.map_or(end, |until| end.min(until));
        let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
        let lifetime = longest.min(left).max(Duration::from_secs(1));
        let presigning = PresigningConfig::expires_in(lifetime);
        let presigning = presigning.map_err(|error| Error::unavailable("presigning a URL", error))?;
        Ok((presigning, now + lifetime))
    }

    /// Stores bytes under a key that names them, unless they are there already. S3 itself checks them against their
    /// SHA-256 before it answers.
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
    pub(crate) async fn put_again(&self, key: &ObjectKey, file: &File) -> Result<Put> {
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

    /// Computes the checksum, by the algorithm of `declared`, of an object of about `size` bytes: read once from end to
    /// end and never held whole.
    pub(crate) async fn read_back(&self, key: &ObjectKey, size: u64, declared: &Checksum) -> Result<Checksum> {
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

    /// The scanner's verdict on an object, where it has left one in the object's tags.
    pub(crate) async fn verdict(&self, key: &ObjectKey) -> Result<Option<Verdict>> {
        let sent = self.client.get_object_tagging().bucket(&self.bucket).key(key.as_str()).send().await;
        let answer = sent.map_err(|error| Error::unavailable("reading an object's tags", error))?;
        let mut tags = answer.tag_set().iter();
        let result = tags.find(|tag| tag.key() == VERDICT_TAG);
        Ok(result.and_then(|tag| Verdict::of_guard_duty(tag.value())))
    }

    /// Lists the objects with keys after this one, up to 1,000 versions of them; and after which key to go on, where
    /// there are more.
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

    /// Lists every version of a document's objects, by its key and S3's id of it, up to 1,000 at once; and where to go on.
    pub(crate) async fn versions(
        &self,
        key: &DocumentKey,
        after: Option<(String, String)>,
    ) -> Result<(Vec<(String, String)>, Option<(String, String)>)> {
        let (key_marker, version_marker) = after.unzip();
        let sent = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(key.objects())
            .set_key_marker(key_marker)
            .set_version_id_marker(version_marker)
            .send()
            .await;
        let answer = sent.map_err(|error| Error::unavailable("listing the versions of objects", error))?;
        let versions = answer.versions().iter();
        let versions =
            versions.filter_map(|version| Some((version.key()?.to_owned(), version.version_id()?.to_owned())));
        let versions = versions.collect();
        let next = answer.next_key_marker.zip(answer.next_version_id_marker);
        Ok((versions, next.filter(|_| answer.is_truncated == Some(true))))
    }

    /// Removes for good one version, by S3's id of it, of an object that no document points to.
    pub(crate) async fn delete_version(&self, key: &ObjectKey, version: &str) -> Result<()> {
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
pub(crate) fn time_to_read(size: u64) -> Duration {
    Duration::from_secs(5 + (size >> 24))
}
