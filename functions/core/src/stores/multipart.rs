//! Multipart uploads in S3: opened, presigned, listed, completed and aborted.
//!
//! Needs `s3:PutObject` (also to open, to presign and to complete), `s3:ListMultipartUploadParts` and
//! `s3:AbortMultipartUpload` on `{bucket}/*`.

use std::time::Duration;

use aws_sdk_s3::{
    config::timeout::TimeoutConfig,
    error::{ProvideErrorMetadata, SdkError},
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use jiff::Timestamp;

use super::{
    files::{Files, StoredObject},
    part_signer::PartSigner,
};
use crate::{
    Error, Result,
    checksum::Checksum,
    ids::ObjectKey,
    metadata::MediaType,
    parts::{Part, PartPlan},
};

/// The time that a part's URL lives, at most: it also dies with the function's own credentials.
const LINK_LIFETIME: Duration = Duration::from_hours(1);
/// The time that we wait for S3 to join the parts; it may take minutes, and goes on when we do not wait.
const COMPLETE_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Opens a multipart upload and gives S3's id of it. Where a CRC64NVME is declared S3 is to compare it; of no other
    /// algorithm is it told, since it would want that of every part. It computes CRC64NVME by itself in any case.
    pub(crate) async fn open_upload(
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

    /// URLs for `parts`, none of which outlives the upload's `end` or what signs it. Made here, without a call to S3.
    /// They sign the host and the Content-Length and nothing else.
    pub async fn link(
        &self,
        key: &ObjectKey,
        upload_id: &str,
        parts: impl Iterator<Item = Part>,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<PartLink>> {
        let (presigning, expires_at) = self.signing(LINK_LIFETIME, now, end)?;
        let presign = async |part: Part| {
            let put = self.signer.client.upload_part().bucket(&self.bucket).key(key.as_str()).upload_id(upload_id);
            let put = put.part_number(part.number).content_length(part.size.cast_signed());
            let request = put.presigned(presigning.clone()).await;
            let request = request.map_err(|error| Error::unavailable("presigning parts", error))?;
            Ok::<_, Error>(request.uri().to_owned())
        };
        let mut links = Vec::new();
        let mut signer: Option<PartSigner> = None;
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            let href = match &signer {
                Some(signer) => signer.url(part),
                None => presign(part).await?,
            };
            if signer.is_none() && parts.peek().is_some() {
                signer = self.signer.of_parts_like(&href, part).await;
            }
            links.push(PartLink { part, href, expires_at });
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

    /// Joins the parts into the object, which S3 does only where they have the size planned and the CRC64NVME declared.
    /// S3 may answer 200 with an error inside, take longer than we can wait or have done it when its answer was lost:
    /// all of that is [`Completion::Working`].
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

    /// Ends a multipart upload. `false` where S3 does not know it (any more). A part that is on its way may land after it.
    pub(crate) async fn abort(&self, key: &ObjectKey, upload_id: &str) -> Result<bool> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key.as_str());
        match abort.upload_id(upload_id).send().await {
            Ok(_) => Ok(true),
            Err(error) if no_such_upload(&error) => Ok(false),
            Err(error) => Err(Error::unavailable("aborting a multipart upload", error)),
        }
    }
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

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ErrorMetadata;

    use super::*;
    use crate::parts::DocumentSize;

    #[test]
    fn a_part_is_missing_until_it_is_there_with_its_right_size() {
        const MIB: u64 = 1 << 20;
        let plan = PartPlan::from(DocumentSize::try_from(40 * MIB).unwrap());
        let there = |number, size| ReceivedPart { number, size, etag: String::new() };
        for (received, missing) in [
            (vec![], vec![1, 2, 3]),
            (vec![there(1, 16 * MIB)], vec![2, 3]),
            (vec![there(2, 16 * MIB), there(3, 8 * MIB)], vec![1]),
            (vec![there(3, 16 * MIB)], vec![1, 2, 3]),
            (vec![there(1, 16 * MIB), there(2, 16 * MIB), there(3, 8 * MIB)], vec![]),
        ] {
            let parts: Vec<i32> = plan.missing(&received).map(|part| part.number).collect();
            assert_eq!(parts, missing, "{received:?}");
        }
    }

    #[test]
    fn s3_is_told_of_a_crc64nvme_and_of_no_other_checksum() {
        assert_eq!(crc64nvme(None), None);
        assert_eq!(crc64nvme(Some(Checksum::sha256(b"x"))), None);
        assert_eq!(crc64nvme(Some(Checksum::crc64nvme(b"123456789"))).as_deref(), Some("rosUhgp5mIg="));
    }

    fn refused_with(code: &str) -> SdkError<ErrorMetadata, ()> {
        SdkError::service_error(ErrorMetadata::builder().code(code).build(), ())
    }

    #[test]
    fn s3_may_yet_do_what_it_did_not_refuse_for_good() {
        for (code, is_unknown, may_yet) in [
            ("NoSuchUpload", true, false),
            ("InvalidPart", false, true),
            ("InternalError", false, true),
            ("SlowDown", false, true),
            ("ServiceUnavailable", false, true),
            ("RequestTimeout", false, true),
            ("OperationAborted", false, true),
            ("BadDigest", false, false),
            ("AccessDenied", false, false),
        ] {
            let error = refused_with(code);
            assert_eq!((no_such_upload(&error), is_transient(&error)), (is_unknown, may_yet), "{code}");
        }
        let lost: SdkError<ErrorMetadata, ()> = SdkError::timeout_error("no answer");
        assert!(is_transient(&lost) && !no_such_upload(&lost));
        let never_sent: SdkError<ErrorMetadata, ()> = SdkError::construction_failure("a bad header");
        assert!(!is_transient(&never_sent));
    }
}
