//! Multipart uploads. A part is a file and a JSON that names it; Complete writes one manifest that
//! lists the files, so it takes milliseconds whatever the size.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::dto::{Tag, CreateMultipartUploadInput, CreateMultipartUploadOutput, UploadPartInput, UploadPartOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput};
use s3s::{S3Error, S3Request, S3Result, s3_error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::checksums::{
    self, Algorithm, Checksum, Claims, Kind, bad_digest, given_checksums, set_checksum,
};
use super::content::{self, DataFile, Headers, Segment, headers_of};
use super::objects::{announce, body_length, encryption, malformed_xml, parse_tags};
use super::seconds::Seconds;
use super::store::{Bucket, Completed, Content, Store, Version, blocking, no_such_upload};
use super::{Reason, conditions, hex, lifecycle, signed, strong};

/// Every part but the last has at least this many bytes: 5 MiB.
const MIN_PART_BYTES: u64 = 5 << 20;

/// An upload under way.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) initiated: Seconds,
    /// `None` if the client named no algorithm.
    asked: Option<(Algorithm, Kind)>,
    headers: Headers,
    tags: Vec<Tag>,
    #[serde(skip)]
    pub(super) parts: BTreeMap<i32, Part>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) size: u64,
    md5: [u8; 16],
    /// Base64, in the upload's algorithm.
    pub(super) sum: String,
    pub(super) modified: Seconds,
    pub(super) file: DataFile,
}

impl Part {
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

impl Upload {
    /// What the object's checksum will be.
    pub(super) fn checksum(&self) -> (Algorithm, Kind) {
        self.asked
            .unwrap_or((Algorithm::Crc64Nvme, Kind::FullObject))
    }
}

pub(super) async fn create(
    store: &Arc<Store>,
    input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    if input.sse_customer_algorithm.is_some() || input.object_lock_mode.is_some() {
        return Err(conditions::not_implemented());
    }
    let asked = checksums::asked_for(
        input.checksum_algorithm.as_ref(),
        input.checksum_type.as_ref(),
    )?;
    let upload = Upload {
        id: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        key: input.key.clone(),
        initiated: Seconds::now(),
        asked,
        tags: input
            .tagging
            .as_deref()
            .map_or(Ok(Vec::new()), parse_tags)?,
        headers: headers_of!(input),
        parts: BTreeMap::new(),
    };
    let (id, initiated, bucket) = (upload.id.clone(), upload.initiated, input.bucket.clone());
    let on_disk = Arc::clone(store);
    blocking(move || on_disk.add_upload(&bucket, upload)).await?;
    let state = store.lock();
    let abort = lifecycle::abort_of(
        &state.bucket(&input.bucket)?.settings,
        &input.key,
        initiated,
    );
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

pub(super) async fn upload_part(
    store: &Arc<Store>,
    request: S3Request<UploadPartInput>,
) -> S3Result<UploadPartOutput> {
    let S3Request {
        mut input,
        headers,
        trailing_headers,
        ..
    } = request;
    if !(1..=10_000).contains(&input.part_number) {
        return Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive"
        ));
    }
    let claims = Claims::read(
        &headers,
        input.content_md5.as_deref(),
        given_checksums!(input),
    )?;
    let algorithm = {
        let state = store.lock();
        let upload = state
            .bucket(&input.bucket)?
            .upload(&input.key, &input.upload_id)?;
        check_part_algorithm(upload.asked, claims.algorithm())?;
        upload.checksum().0
    };
    let length = body_length(&headers)?;
    let received = content::receive(store, input.body.take(), length, Some(algorithm)).await?;
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
        set_checksum!(output, algorithm, part.sum);
    }
    let store = Arc::clone(store);
    blocking(move || store.put_part(&input.bucket, &input.key, &input.upload_id, part)).await?;
    Ok(output)
}

/// A part's checksum must be of the algorithm the upload was created with. A `COMPOSITE` one needs
/// it on every part; a `FULL_OBJECT` one S3 computes itself.
fn check_part_algorithm(asked: Option<(Algorithm, Kind)>, sent: Option<Algorithm>) -> S3Result {
    let expected = asked.map(|(algorithm, _)| algorithm);
    let optional = !matches!(asked, Some((_, Kind::Composite)));
    if sent == expected || (sent.is_none() && optional) {
        return Ok(());
    }
    let name = |algorithm: Option<Algorithm>| algorithm.map_or("null".to_owned(), Algorithm::lower);
    Err(s3_error!(
        InvalidRequest,
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(expected),
        name(sent)
    ))
}

pub(super) async fn complete(
    store: &Arc<Store>,
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    conditions::check_supported(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let listed = listed_parts(&input)?;
    let location = format!("/{}/{}", input.bucket, super::percent::encode(&input.key));
    let (bucket, key) = (Some(input.bucket.clone()), Some(input.key.clone()));
    let store = Arc::clone(store);
    let version = blocking(move || commit(&store, &input, &listed)).await?;
    let mut output = CompleteMultipartUploadOutput {
        bucket,
        key,
        location: Some(location),
        server_side_encryption: Some(encryption()),
        version_id: version.shown_id(),
        ..CompleteMultipartUploadOutput::default()
    };
    if let Some(content) = &version.content {
        output.e_tag = Some(strong(&content.etag));
        output.checksum_type = Some(content.checksum.kind.dto());
        set_checksum!(output, content.checksum.algorithm, content.checksum.value);
    }
    Ok(output)
}

/// A part as the Complete request lists it.
struct Listed {
    number: i32,
    etag: String,
    sums: Vec<(Algorithm, String)>,
}

fn listed_parts(input: &CompleteMultipartUploadInput) -> S3Result<Vec<Listed>> {
    let parts = input
        .multipart_upload
        .as_ref()
        .and_then(|upload| upload.parts.as_ref());
    let parts = parts
        .filter(|parts| !parts.is_empty())
        .ok_or_else(malformed_xml)?;
    let listed: Vec<Listed> = parts
        .iter()
        .map(|part| {
            Some(Listed {
                number: part.part_number?,
                etag: part.e_tag.as_ref()?.value().to_owned(),
                sums: given_checksums!(part),
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(malformed_xml)?;
    if listed
        .windows(2)
        .any(|pair| pair[0].number >= pair[1].number)
    {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    Ok(listed)
}

/// One lock over everything from the first check to the last, so of two racing Completes, or a
/// Complete and an Abort, the second finds what the first has done.
fn commit(
    store: &Store,
    input: &CompleteMultipartUploadInput,
    listed: &[Listed],
) -> S3Result<Arc<Version>> {
    let mut state = store.lock();
    let bucket = state.bucket(&input.bucket)?;
    let completed = Completed {
        upload_id: input.upload_id.clone(),
        parts: listed
            .iter()
            .map(|part| (part.number, part.etag.clone()))
            .collect(),
    };
    if let Some(before) = answered_before(bucket, &input.key, &completed) {
        return before;
    }
    let upload = bucket.upload(&input.key, &input.upload_id)?;
    let parts = chosen_parts(upload, listed)?;
    let checksum = object_checksum(upload, &parts, listed, input)?;
    conditions::check_write(
        bucket,
        &input.key,
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
    )?;
    let content = Content {
        size: parts.iter().map(|part| part.size).sum(),
        etag: etag_of_parts(&parts),
        checksum,
        headers: upload.headers.clone(),
        tags: upload.tags.clone(),
        segments: parts
            .iter()
            .map(|part| Segment {
                size: part.size,
                file: part.file.clone(),
            })
            .collect(),
        completed: Some(completed),
    };
    // S3 dates a multipart object from when its upload began.
    let initiated = upload.initiated;
    let version = store.publish(
        &mut state,
        &input.bucket,
        &input.key,
        initiated,
        Some(content),
    )?;
    announce(
        store,
        &input.bucket,
        &version,
        Reason::CompleteMultipartUpload,
    );
    let bucket = state.bucket_mut(&input.bucket)?;
    if let Err(error) =
        store.remove_upload(bucket, &input.bucket, &input.upload_id, version.segments())
    {
        tracing::warn!(%error, "the object is there; what is left of its upload goes at the next start");
    }
    Ok(version)
}

/// S3 answers a repeated Complete as it answered the first, for the client that lost the answer.
fn answered_before(
    bucket: &Bucket,
    key: &str,
    completed: &Completed,
) -> Option<S3Result<Arc<Version>>> {
    let done = bucket.objects.get(key)?.iter().find(|version| {
        version
            .completed()
            .is_some_and(|done| done.upload_id == completed.upload_id)
    })?;
    Some(if done.completed() == Some(completed) {
        Ok(Arc::clone(done))
    } else {
        Err(no_such_upload())
    })
}

fn chosen_parts<'a>(upload: &'a Upload, listed: &[Listed]) -> S3Result<Vec<&'a Part>> {
    let algorithm = upload.checksum().0;
    let matching = |listed: &Listed| {
        let part = upload.parts.get(&listed.number)?;
        let sums_match = listed
            .sums
            .iter()
            .all(|(named, sum)| *named == algorithm && *sum == part.sum);
        (part.etag() == listed.etag && sums_match).then_some(part)
    };
    let parts: Vec<&Part> = listed.iter().map(matching).collect::<Option<_>>().ok_or_else(|| {
        s3_error!(InvalidPart, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
    })?;
    let all_but_last = parts.split_last().map_or(&[][..], |(_, others)| others);
    if all_but_last.iter().any(|part| part.size < MIN_PART_BYTES) {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(parts)
}

fn object_checksum(
    upload: &Upload,
    parts: &[&Part],
    listed: &[Listed],
    input: &CompleteMultipartUploadInput,
) -> S3Result<Checksum> {
    let (algorithm, kind) = upload.checksum();
    if input
        .checksum_type
        .as_ref()
        .is_some_and(|asked| asked.as_str() != kind.name())
    {
        return Err(s3_error!(
            InvalidRequest,
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            kind.name()
        ));
    }
    let without = listed.iter().find(|part| part.sums.is_empty());
    if let (Kind::Composite, Some(part)) = (kind, without) {
        return Err(s3_error!(
            InvalidRequest,
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {} in the request.",
            algorithm.lower(),
            part.number
        ));
    }
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if let Some(claimed) = input
        .mpu_object_size
        .filter(|claimed| *claimed != signed(size))
    {
        return Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value {claimed} does not match what was computed: {size}"
        ));
    }
    let sums: Vec<(String, u64)> = parts
        .iter()
        .map(|part| (part.sum.clone(), part.size))
        .collect();
    let checksum = checksums::of_parts(algorithm, kind, &sums)?;
    for (named, claimed) in given_checksums!(input) {
        // A composite may be claimed with or without its number of parts.
        let digest_only = checksum.value.split('-').next();
        if named != algorithm
            || (claimed != checksum.value && Some(claimed.as_str()) != digest_only)
        {
            return Err(bad_digest(&named.lower()));
        }
    }
    Ok(checksum)
}

/// The MD5 of the parts' MD5s, and how many they are.
fn etag_of_parts(parts: &[&Part]) -> String {
    use s3s::crypto::{Checksum as _, Md5};
    let md5s: Vec<u8> = parts.iter().flat_map(|part| part.md5).collect();
    format!("{}-{}", hex(&Md5::checksum(&md5s)), parts.len())
}

/// Removes an upload and its parts.
///
/// # Errors
/// `NoSuchUpload`, also for an upload that was completed.
pub(super) fn abort(
    store: &Store,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<(), S3Error> {
    let mut state = store.lock();
    let uploads = state.bucket_mut(bucket)?;
    uploads.upload(key, upload_id)?;
    store.remove_upload(uploads, bucket, upload_id, &[])
}
