//! Multipart uploads. A part is a file and a JSON that names it; Complete writes one manifest that
//! lists the files, so it takes milliseconds for any size.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::{CreateMultipartUploadInput, CreateMultipartUploadOutput, UploadPartInput, UploadPartOutput};
use s3s::{S3Request, S3Result, s3_error};
use uuid::Uuid;

use crate::checksums::{self, Algorithm, Kind, given_checksums, set_checksum};
use crate::claims::Claims;
use crate::content;
use crate::headers::headers_of;
use crate::objects::{body_length, encryption};
use crate::seconds::Seconds;
use crate::store::{Store, blocking};
use crate::tags::parse_tags;
use crate::upload::{Part, Upload};
use crate::{AbortedUpload, conditions, lifecycle, strong};

pub(crate) async fn create(
    store: &Arc<Store>,
    input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    if input.sse_customer_algorithm.is_some() || input.object_lock_mode.is_some() {
        return Err(conditions::not_implemented());
    }
    let asked = checksums::asked_for(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
    let upload = Upload {
        id: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        key: input.key.clone(),
        initiated: Seconds::now(),
        asked,
        tags: input.tagging.as_deref().map_or(Ok(Vec::new()), parse_tags)?,
        headers: headers_of!(input),
        parts: BTreeMap::new(),
    };
    let (id, initiated, bucket) = (upload.id.clone(), upload.initiated, input.bucket.clone());
    let on_disk = Arc::clone(store);
    blocking(move || on_disk.add_upload(&bucket, upload)).await?;
    let state = store.lock();
    let abort = lifecycle::abort_of(&state.bucket(&input.bucket)?.settings, &input.key, initiated);
    Ok(CreateMultipartUploadOutput {
        abort_date: abort.as_ref().map(|abort| abort.due.timestamp()),
        abort_rule_id: abort.and_then(|abort| abort.rule_id),
        checksum_algorithm: asked.map(|(algorithm, _)| algorithm.dto()),
        checksum_type: asked.map(|(_, kind)| kind.dto()),
        bucket: Some(input.bucket),
        key: Some(input.key),
        server_side_encryption: Some(encryption()),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(crate) async fn upload_part(store: &Arc<Store>, request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
    let S3Request { mut input, headers, trailing_headers, .. } = request;
    if !(1..=10_000).contains(&input.part_number) {
        return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
    }
    let claims = Claims::read(&headers, input.content_md5.as_deref(), given_checksums!(input))?;
    let algorithm = {
        let state = store.lock();
        let upload = state.bucket(&input.bucket)?.upload(&input.key, &input.upload_id)?;
        check_part_algorithm(upload.asked, claims.algorithm())?;
        upload.checksum().0
    };
    let length = body_length(&headers)?;
    let hashed = claims.algorithm().unwrap_or(algorithm);
    let received = content::receive(store, input.body.take(), length, Some(hashed)).await?;
    claims.check(received.md5, &received.sums, trailing_headers.as_ref())?;
    let part = Part {
        number: input.part_number,
        size: received.segment.size,
        md5: received.md5,
        sum: received.sums.get(algorithm),
        modified: Seconds::now(),
        file: received.segment.file,
    };
    let mut output = UploadPartOutput {
        e_tag: Some(strong(&part.etag())),
        server_side_encryption: Some(encryption()),
        ..UploadPartOutput::default()
    };
    if claims.algorithm().is_some() {
        set_checksum!(output, hashed, received.sums.get(hashed));
    }
    let store = Arc::clone(store);
    blocking(move || store.put_part(&input.bucket, &input.key, &input.upload_id, part)).await?;
    Ok(output)
}

/// If the upload was created with an algorithm, a part's checksum must be of it: a `COMPOSITE` one
/// is needed on every part, a `FULL_OBJECT` one S3 computes itself. To an upload without, as the
/// Rust SDK creates it, parts may come with any: it is checked and goes no further.
fn check_part_algorithm(asked: Option<(Algorithm, Kind)>, sent: Option<Algorithm>) -> S3Result {
    let Some((expected, kind)) = asked else {
        return Ok(());
    };
    if sent == Some(expected) || (sent.is_none() && kind == Kind::FullObject) {
        return Ok(());
    }
    Err(s3_error!(
        InvalidRequest,
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        expected.lower(),
        sent.map_or("null".to_owned(), Algorithm::lower)
    ))
}

/// Removes an upload and its parts.
///
/// # Errors
/// `NoSuchUpload`, also for an upload that was completed.
pub(crate) fn abort(store: &Store, bucket: &str, key: &str, upload_id: &str) -> S3Result {
    let mut state = store.lock();
    let uploads = state.bucket_mut(bucket)?;
    uploads.upload(key, upload_id)?;
    store.remove_upload(uploads, bucket, upload_id, &[])
}

/// Aborts the uploads that a lifecycle rule wants aborted by `now`.
pub(crate) fn abort_due(store: &Store, now: SystemTime) -> S3Result<Vec<AbortedUpload>> {
    let now = Seconds::from(now);
    let mut due = Vec::new();
    for (name, bucket) in &store.lock().buckets {
        for upload in bucket.uploads.values() {
            if lifecycle::abort_of(&bucket.settings, &upload.key, upload.initiated)
                .is_some_and(|abort| abort.due <= now)
            {
                due.push(AbortedUpload { bucket: name.clone(), key: upload.key.clone(), upload_id: upload.id.clone() });
            }
        }
    }
    let mut aborted = Vec::new();
    for upload in due {
        match abort(store, &upload.bucket, &upload.key, &upload.upload_id) {
            Ok(()) => aborted.push(upload),
            // Completed or aborted in between.
            Err(error) if *error.code() == s3s::S3ErrorCode::NoSuchUpload => {}
            Err(error) => return Err(error),
        }
    }
    Ok(aborted)
}
