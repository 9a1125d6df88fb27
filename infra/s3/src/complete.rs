//! `CompleteMultipartUpload`: parts become an object. One manifest that lists the parts' files is
//! written, so it takes milliseconds for any size.

use std::sync::Arc;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{CompleteMultipartUploadInput, CompleteMultipartUploadOutput};
use s3s::{S3Request, S3Result, s3_error};

use crate::checksums::{self, Algorithm, Checksum, Kind, bad_digest, given_checksums, set_checksum};
use crate::data::Segment;
use crate::objects::{announce, encryption};
use crate::state::{Bucket, Completed, Content, Version, no_such_upload};
use crate::store::{Store, blocking};
use crate::upload::{Part, Upload};
use crate::{Reason, conditions, hex, malformed_xml, percent, signed, strong};

/// Every part but the last has at least this many bytes: 5 MiB.
const MIN_PART_BYTES: u64 = 5 << 20;

pub(crate) async fn complete(
    store: &Arc<Store>,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let input = request.input;
    conditions::check_supported(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let listed = listed_parts(&input)?;
    let host = request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let path = format!("{}/{}", input.bucket, percent::encode(&input.key));
    let location = format!("http://{}/{path}", host.unwrap_or_default());
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
    let parts = input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_ref());
    let parts = parts.filter(|parts| !parts.is_empty()).ok_or_else(malformed_xml)?;
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
    if listed.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    Ok(listed)
}

/// One lock over everything from the first check to the last, so of two racing Completes, or a
/// Complete and an Abort, the second finds what the first has done.
fn commit(store: &Store, input: &CompleteMultipartUploadInput, listed: &[Listed]) -> S3Result<Arc<Version>> {
    let mut state = store.lock();
    let bucket = state.bucket(&input.bucket)?;
    let completed = Completed {
        upload_id: input.upload_id.clone(),
        parts: listed.iter().map(|part| (part.number, part.etag.clone())).collect(),
    };
    if let Some(before) = answered_before(bucket, &input.key, &completed) {
        return before;
    }
    let upload = bucket.upload(&input.key, &input.upload_id)?;
    let parts = chosen_parts(upload, listed)?;
    let checksum = object_checksum(upload, &parts, listed, input)?;
    conditions::check_write(bucket, &input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let content = object_of(upload, &parts, checksum, completed);
    // S3 dates a multipart object from when its upload began.
    let initiated = upload.initiated;
    let version = store.publish(&mut state, &input.bucket, &input.key, initiated, Some(content))?;
    announce(store, &input.bucket, &version, Reason::CompleteMultipartUpload);
    let bucket = state.bucket_mut(&input.bucket)?;
    if let Err(error) = store.remove_upload(bucket, &input.bucket, &input.upload_id, version.segments()) {
        tracing::warn!(%error, "the object is there; what is left of its upload goes at the next start");
    }
    Ok(version)
}

fn object_of(upload: &Upload, parts: &[&Part], checksum: Checksum, completed: Completed) -> Content {
    let segment = |part: &&Part| Segment { size: part.size, file: part.file.clone() };
    Content {
        size: parts.iter().map(|part| part.size).sum(),
        etag: etag_of_parts(parts),
        checksum,
        headers: upload.headers.clone(),
        tags: upload.tags.clone(),
        segments: parts.iter().map(segment).collect(),
        completed: Some(completed),
    }
}

/// S3 answers a repeated Complete as it answered the first, for the client that lost the answer.
fn answered_before(bucket: &Bucket, key: &str, completed: &Completed) -> Option<S3Result<Arc<Version>>> {
    let done = bucket
        .objects
        .get(key)?
        .iter()
        .find(|version| version.completed().is_some_and(|done| done.upload_id == completed.upload_id))?;
    Some(if done.completed() == Some(completed) { Ok(Arc::clone(done)) } else { Err(no_such_upload()) })
}

fn chosen_parts<'a>(upload: &'a Upload, listed: &[Listed]) -> S3Result<Vec<&'a Part>> {
    let algorithm = upload.checksum().0;
    let matching = |listed: &Listed| {
        let part = upload.parts.get(&listed.number)?;
        let sums_match = listed.sums.iter().all(|(named, sum)| *named == algorithm && *sum == part.sum);
        (part.etag() == listed.etag && sums_match).then_some(part)
    };
    let parts: Vec<&Part> = listed.iter().map(matching).collect::<Option<_>>().ok_or_else(|| {
        s3_error!(InvalidPart, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
    })?;
    let all_but_last = parts.split_last().map_or(&[][..], |(_, others)| others);
    if all_but_last.iter().any(|part| part.size < MIN_PART_BYTES) {
        return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
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
    if input.checksum_type.as_ref().is_some_and(|asked| asked.as_str() != kind.name()) {
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
    if let Some(claimed) = input.mpu_object_size.filter(|claimed| *claimed != signed(size)) {
        return Err(s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value {claimed} does not match what was computed: {size}"
        ));
    }
    let sums: Vec<(String, u64)> = parts.iter().map(|part| (part.sum.clone(), part.size)).collect();
    let checksum = checksums::of_parts(algorithm, kind, &sums)?;
    for (named, claimed) in given_checksums!(input) {
        // A composite may be claimed with or without its number of parts.
        let digest_only = checksum.value.split('-').next();
        if named != algorithm || (claimed != checksum.value && Some(claimed.as_str()) != digest_only) {
            return Err(bad_digest(&named.lower()));
        }
    }
    Ok(checksum)
}

/// The MD5 of the parts' MD5s, and how many they are.
fn etag_of_parts(parts: &[&Part]) -> String {
    let md5s: Vec<u8> = parts.iter().flat_map(|part| part.md5).collect();
    format!("{}-{}", hex(&Md5::checksum(&md5s)), parts.len())
}
