//! Whole objects: put, get, head, copy.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::HeaderMap;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, MetadataDirective, PutObjectInput, PutObjectOutput, ServerSideEncryption,
    TaggingDirective,
};
use s3s::{S3Request, S3Result, s3_error};

use crate::checksums::{Algorithm, Checksum, Kind, given_checksums, set_checksum};
use crate::claims::Claims;
use crate::conditions::{self, Reading};
use crate::headers::headers_of;
use crate::seconds::Seconds;
use crate::state::{Content, Version, no_such_key};
use crate::store::{Store, blocking};
use crate::tags::parse_tags;
use crate::{ObjectCreated, Reason, content, hex, reading, signed, strong};

/// The encryption every bucket has unless told otherwise; nothing here is encrypted.
pub(crate) fn encryption() -> ServerSideEncryption {
    ServerSideEncryption::from_static(ServerSideEncryption::AES256)
}

/// The number of bytes the client says the body has.
pub(crate) fn body_length(headers: &HeaderMap) -> S3Result<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
    number("x-amz-decoded-content-length")
        .or_else(|| number("content-length"))
        .ok_or_else(|| s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."))
}

pub(crate) async fn put(store: &Arc<Store>, request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    let S3Request { mut input, headers, trailing_headers, .. } = request;
    refuse_unsupported(
        input.sse_customer_algorithm.is_some(),
        input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some(),
        input.write_offset_bytes.is_some(),
    )?;
    conditions::check_supported(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    store.lock().bucket(&input.bucket)?;
    let tags = input.tagging.as_deref().map_or(Ok(Vec::new()), parse_tags)?;
    let claims = Claims::read(&headers, input.content_md5.as_deref(), given_checksums!(input))?;
    let received = content::receive(store, input.body.take(), body_length(&headers)?, claims.algorithm()).await?;
    claims.check(received.md5, &received.sums, trailing_headers.as_ref())?;
    let algorithm = claims.algorithm().unwrap_or(Algorithm::Crc64Nvme);
    let value = received.sums.get(algorithm);
    let content = Content {
        size: received.segment.size,
        etag: hex(&received.md5),
        checksum: Checksum { algorithm, kind: Kind::FullObject, value },
        headers: headers_of!(input),
        tags,
        segments: vec![received.segment],
        completed: None,
    };
    let (bucket, key) = (input.bucket, input.key);
    let conditions = (input.if_match, input.if_none_match);
    let version = publish_if(store, bucket, key, content, conditions, Reason::PutObject).await?;
    Ok(put_output(&version))
}

fn put_output(version: &Version) -> PutObjectOutput {
    let mut output = PutObjectOutput {
        server_side_encryption: Some(encryption()),
        version_id: version.shown_id(),
        ..PutObjectOutput::default()
    };
    if let Some(content) = &version.content {
        output.e_tag = Some(strong(&content.etag));
        output.checksum_type = Some(content.checksum.kind.dto());
        set_checksum!(output, content.checksum.algorithm, content.checksum.value);
    }
    output
}

async fn publish_if(
    store: &Arc<Store>,
    bucket: String,
    key: String,
    content: Content,
    (if_match, if_none_match): (Option<ETagCondition>, Option<ETagCondition>),
    reason: Reason,
) -> S3Result<Arc<Version>> {
    let store = Arc::clone(store);
    blocking(move || {
        let mut state = store.lock();
        conditions::check_write(state.bucket(&bucket)?, &key, if_match.as_ref(), if_none_match.as_ref())?;
        let version = store.publish(&mut state, &bucket, &key, Seconds::now(), Some(content))?;
        announce(&store, &bucket, &version, reason);
        Ok(version)
    })
    .await
}

/// Under the lock, so that events are in the order of the versions.
pub(crate) fn announce(store: &Store, bucket: &str, version: &Version, reason: Reason) {
    let Some(content) = &version.content else {
        return;
    };
    let event = ObjectCreated {
        bucket: bucket.to_owned(),
        key: version.key.clone(),
        size: content.size,
        etag: content.etag.clone(),
        version_id: version.shown_id(),
        reason,
    };
    store.events_told.fetch_add(1, Ordering::SeqCst);
    let _ = store.events.send(event); // fails only if nobody listens
}

fn refuse_unsupported(customer_key: bool, object_lock: bool, append: bool) -> S3Result {
    // Accepting these and not honouring them would pass here and differ on S3.
    if customer_key || object_lock || append {
        return Err(conditions::not_implemented());
    }
    Ok(())
}

/// The output fields that GET and HEAD share.
macro_rules! describe {
    ($output:ident, $version:expr, $reading:expr) => {{
        let (version, content) = ($version, &$reading.content);
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: content.headers.cache_control.clone(),
            content_disposition: content.headers.content_disposition.clone(),
            content_encoding: content.headers.content_encoding.clone(),
            content_language: content.headers.content_language.clone(),
            content_length: Some(signed($reading.range.end - $reading.range.start)),
            content_range: $reading.content_range.clone(),
            content_type: Some(
                content.headers.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned()),
            ),
            e_tag: Some(strong(&content.etag)),
            expires: content.headers.expires.clone(),
            last_modified: Some(version.modified.timestamp()),
            metadata: content.headers.metadata.clone(),
            server_side_encryption: Some(encryption()),
            version_id: version.shown_id(),
            ..$output::default()
        };
        if $reading.with_checksum {
            output.checksum_type = Some(content.checksum.kind.dto());
            set_checksum!(output, content.checksum.algorithm, content.checksum.value);
        }
        output
    }};
}

pub(crate) fn get(store: &Arc<Store>, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    let version = store.lock().bucket(&input.bucket)?.find(&input.key, input.version_id.as_deref())?;
    let reading = Reading::new(&version, input)?;
    let mut output = describe!(GetObjectOutput, &version, reading);
    // What a presigned URL may ask the answer's headers to be.
    let instead = |asked: &Option<String>, own: &mut Option<String>| {
        if asked.is_some() {
            own.clone_from(asked);
        }
    };
    instead(&input.response_cache_control, &mut output.cache_control);
    instead(&input.response_content_disposition, &mut output.content_disposition);
    instead(&input.response_content_encoding, &mut output.content_encoding);
    instead(&input.response_content_language, &mut output.content_language);
    instead(&input.response_content_type, &mut output.content_type);
    output.tag_count = i32::try_from(reading.content.tags.len()).ok().filter(|count| *count > 0);
    output.body = Some(reading::read(store, Arc::clone(&version), reading.range.clone()));
    Ok(output)
}

pub(crate) fn head(store: &Store, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let version = store.lock().bucket(&input.bucket)?.find(&input.key, input.version_id.as_deref())?;
    let as_get = GetObjectInput {
        checksum_mode: input.checksum_mode,
        if_match: input.if_match,
        if_modified_since: input.if_modified_since,
        if_none_match: input.if_none_match,
        if_unmodified_since: input.if_unmodified_since,
        part_number: input.part_number,
        range: input.range,
        sse_customer_algorithm: input.sse_customer_algorithm,
        ..GetObjectInput::default()
    };
    let reading = Reading::new(&version, &as_get)?;
    Ok(describe!(HeadObjectOutput, &version, reading))
}

pub(crate) async fn copy(store: &Arc<Store>, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
    refuse_unsupported(
        input.sse_customer_algorithm.is_some() || input.copy_source_sse_customer_algorithm.is_some(),
        input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some(),
        input.checksum_algorithm.is_some()
            || input.copy_source_if_match.is_some()
            || input.copy_source_if_none_match.is_some(),
    )?;
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(conditions::not_implemented());
    };
    let replaces = |directive: Option<&str>| directive == Some(MetadataDirective::REPLACE);
    let replace_headers = replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str));
    let replace_tags = replaces(input.tagging_directive.as_ref().map(TaggingDirective::as_str));
    let to_itself = (&**bucket, &**key) == (&*input.bucket, &*input.key);
    if to_itself && version_id.is_none() && !replace_headers {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
        ));
    }
    let source = store.lock().bucket(bucket)?.find(key, version_id.as_deref())?;
    let mut content = linked_content(store, &source)?;
    if replace_headers {
        content.headers = headers_of!(input);
    }
    if replace_tags {
        content.tags = input.tagging.as_deref().map_or(Ok(Vec::new()), parse_tags)?;
    }
    let (bucket, key, always) = (input.bucket, input.key, (None, None));
    let version = publish_if(store, bucket, key, content, always, Reason::CopyObject).await?;
    Ok(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: put_output(&version).e_tag,
            last_modified: Some(version.modified.timestamp()),
            ..CopyObjectResult::default()
        }),
        copy_source_version_id: source.shown_id(),
        server_side_encryption: Some(encryption()),
        version_id: version.shown_id(),
        ..CopyObjectOutput::default()
    })
}

fn linked_content(store: &Store, source: &Version) -> S3Result<Content> {
    let mut content = source.content.clone().ok_or_else(no_such_key)?;
    // S3 writes a copy in one piece, whose ETag is then an MD5; that would mean reading the bytes.
    if content.completed.is_some() {
        return Err(conditions::not_implemented());
    }
    for segment in &mut content.segments {
        segment.file = content::link(&segment.file, store)?;
    }
    Ok(content)
}
