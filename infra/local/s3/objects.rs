//! Whole objects: put, get, head, copy, delete, and their tags.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use s3s::dto::{ServerSideEncryption, PutObjectInput, PutObjectOutput, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, CopyObjectInput, CopyObjectOutput, CopySource, MetadataDirective, TaggingDirective, CopyObjectResult, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error, Tag};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::checksums::{Algorithm, Checksum, Claims, Kind, given_checksums, set_checksum};
use super::conditions::{self, Reading};
use super::content::{self, headers_of};
use super::seconds::Seconds;
use super::store::{Bucket, Content, NULL_VERSION, Store, Version, Versioning, blocking};
use super::{ObjectCreated, Reason, percent, signed, strong};

/// The encryption every bucket has unless told otherwise; nothing here is encrypted.
pub(super) fn encryption() -> ServerSideEncryption {
    ServerSideEncryption::from_static(ServerSideEncryption::AES256)
}

/// How many bytes the client says the body has.
pub(super) fn body_length(headers: &HeaderMap) -> S3Result<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
    number("x-amz-decoded-content-length")
        .or_else(|| number("content-length"))
        .ok_or_else(|| {
            s3_error!(
                MissingContentLength,
                "You must provide the Content-Length HTTP header."
            )
        })
}

pub(super) async fn put(
    store: &Arc<Store>,
    request: S3Request<PutObjectInput>,
) -> S3Result<PutObjectOutput> {
    let S3Request {
        mut input,
        headers,
        trailing_headers,
        ..
    } = request;
    refuse_unsupported(
        input.sse_customer_algorithm.is_some(),
        input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some(),
        input.write_offset_bytes.is_some(),
    )?;
    conditions::check_supported(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    store.lock().bucket(&input.bucket)?;
    let tags = input
        .tagging
        .as_deref()
        .map_or(Ok(Vec::new()), parse_tags)?;
    let claims = Claims::read(
        &headers,
        input.content_md5.as_deref(),
        given_checksums!(input),
    )?;
    let received = content::receive(
        store,
        input.body.take(),
        body_length(&headers)?,
        claims.algorithm(),
    )
    .await?;
    claims.check(received.md5, &received.sums, trailing_headers.as_ref())?;
    let algorithm = claims.algorithm().unwrap_or(Algorithm::Crc64Nvme);
    let value = received.sums.get(algorithm);
    let content = Content {
        size: received.segment.size,
        etag: super::hex(&received.md5),
        checksum: Checksum {
            algorithm,
            kind: Kind::FullObject,
            value,
        },
        headers: headers_of!(input),
        tags,
        segments: vec![received.segment],
        completed: None,
    };
    let (bucket, key) = (input.bucket, input.key);
    let conditions = (input.if_match, input.if_none_match);
    let version = publish_if(store, bucket, key, content, conditions, Reason::PutObject).await?;
    let mut output = PutObjectOutput {
        e_tag: version
            .content
            .as_ref()
            .map(|content| strong(&content.etag)),
        checksum_type: Some(Kind::FullObject.dto()),
        server_side_encryption: Some(encryption()),
        version_id: version.shown_id(),
        ..PutObjectOutput::default()
    };
    if let Some(content) = &version.content {
        set_checksum!(output, content.checksum.algorithm, content.checksum.value);
    }
    Ok(output)
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
        conditions::check_write(
            state.bucket(&bucket)?,
            &key,
            if_match.as_ref(),
            if_none_match.as_ref(),
        )?;
        let version = store.publish(&mut state, &bucket, &key, Seconds::now(), Some(content))?;
        announce(&store, &bucket, &version, reason);
        Ok(version)
    })
    .await
}

/// Under the lock, so that events are in the order of the versions.
pub(super) fn announce(store: &Store, bucket: &str, version: &Version, reason: Reason) {
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
                content
                    .headers
                    .content_type
                    .clone()
                    .unwrap_or_else(|| "binary/octet-stream".to_owned()),
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

pub(super) fn get(store: &Arc<Store>, input: &GetObjectInput) -> S3Result<GetObjectOutput> {
    let version = store
        .lock()
        .bucket(&input.bucket)?
        .find(&input.key, input.version_id.as_deref())?;
    let reading = Reading::new(&version, input)?;
    let mut output = describe!(GetObjectOutput, &version, reading);
    output.tag_count = i32::try_from(reading.content.tags.len())
        .ok()
        .filter(|count| *count > 0);
    output.body = Some(content::read(
        store,
        Arc::clone(&version),
        reading.range.clone(),
    ));
    Ok(output)
}

pub(super) fn head(store: &Store, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
    let version = store
        .lock()
        .bucket(&input.bucket)?
        .find(&input.key, input.version_id.as_deref())?;
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

pub(super) async fn copy(store: &Arc<Store>, input: CopyObjectInput) -> S3Result<CopyObjectOutput> {
    refuse_unsupported(
        input.sse_customer_algorithm.is_some()
            || input.copy_source_sse_customer_algorithm.is_some(),
        input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some(),
        input.checksum_algorithm.is_some()
            || input.copy_source_if_match.is_some()
            || input.copy_source_if_none_match.is_some(),
    )?;
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = &input.copy_source
    else {
        return Err(conditions::not_implemented());
    };
    let replaces = |directive: Option<&str>| directive == Some(MetadataDirective::REPLACE);
    let replace_headers = replaces(
        input
            .metadata_directive
            .as_ref()
            .map(MetadataDirective::as_str),
    );
    let replace_tags = replaces(
        input
            .tagging_directive
            .as_ref()
            .map(TaggingDirective::as_str),
    );
    if (&**bucket, &**key) == (&*input.bucket, &*input.key)
        && version_id.is_none()
        && !replace_headers
    {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
        ));
    }
    let source = store
        .lock()
        .bucket(bucket)?
        .find(key, version_id.as_deref())?;
    let mut content = source.content.clone().ok_or_else(no_such_key)?;
    // S3 writes a copy in one piece, whose ETag is then an MD5; that would mean reading the bytes.
    if content.completed.take().is_some() {
        return Err(conditions::not_implemented());
    }
    for segment in &mut content.segments {
        segment.file = segment.file.link(store)?;
    }
    if replace_headers {
        content.headers = headers_of!(input);
    }
    if replace_tags {
        content.tags = input
            .tagging
            .as_deref()
            .map_or(Ok(Vec::new()), parse_tags)?;
    }
    let no_conditions = (None, None);
    let version = publish_if(
        store,
        input.bucket,
        input.key,
        content,
        no_conditions,
        Reason::CopyObject,
    )
    .await?;
    let content = version.content.as_ref();
    Ok(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: content.map(|content| strong(&content.etag)),
            last_modified: Some(version.modified.timestamp()),
            ..CopyObjectResult::default()
        }),
        copy_source_version_id: source.shown_id(),
        server_side_encryption: Some(encryption()),
        version_id: version.shown_id(),
        ..CopyObjectOutput::default()
    })
}

/// What a delete did: the id it concerns, and whether that is a delete marker's.
pub(super) struct Deletion {
    pub(super) version_id: Option<String>,
    pub(super) delete_marker: bool,
}

/// Without `version_id` in a versioned bucket a delete marker hides the key; otherwise the version
/// is gone. Deleting what is not there succeeds, as on S3.
pub(super) fn delete(
    store: &Store,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
) -> S3Result<Deletion> {
    let mut state = store.lock();
    let versioning = state.bucket(bucket)?.settings.versioning;
    match version_id {
        Some(id) => {
            let removed = store.remove_version(&mut state, bucket, key, id)?;
            let delete_marker = removed.is_some_and(|version| version.content.is_none());
            Ok(Deletion {
                version_id: Some(id.to_owned()),
                delete_marker,
            })
        }
        None if versioning == Versioning::Never => {
            store.remove_version(&mut state, bucket, key, NULL_VERSION)?;
            Ok(Deletion {
                version_id: None,
                delete_marker: false,
            })
        }
        None => {
            let marker = store.publish(&mut state, bucket, key, Seconds::now(), None)?;
            Ok(Deletion {
                version_id: Some(marker.id.clone()),
                delete_marker: true,
            })
        }
    }
}

/// Deletes up to 1000 keys; each stands for itself.
pub(super) fn delete_many(
    store: &Store,
    input: &DeleteObjectsInput,
) -> S3Result<DeleteObjectsOutput> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(malformed_xml());
    }
    store.lock().bucket(&input.bucket)?;
    let quiet = input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in &input.delete.objects {
        match delete(
            store,
            &input.bucket,
            &object.key,
            object.version_id.as_deref(),
        ) {
            Ok(_) if quiet => {}
            Ok(done) => deleted.push(DeletedObject {
                delete_marker: done.delete_marker.then_some(true),
                delete_marker_version_id: done.version_id.filter(|_| done.delete_marker),
                key: Some(object.key.clone()),
                version_id: object.version_id.clone(),
            }),
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key.clone()),
                message: error.message().map(str::to_owned),
                version_id: object.version_id.clone(),
            }),
        }
    }
    Ok(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    })
}

/// The tags of `x-amz-tagging`, written as a query string.
pub(super) fn parse_tags(header: &str) -> S3Result<Vec<Tag>> {
    let invalid = || {
        s3_error!(
            InvalidArgument,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
        )
    };
    let tags: Vec<Tag> = percent::decode_form(header)
        .ok_or_else(invalid)?
        .into_iter()
        .map(|(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        })
        .collect();
    check_tags(&tags)?;
    Ok(tags)
}

pub(super) fn check_tags(tags: &[Tag]) -> S3Result {
    if tags.len() > 10 {
        return Err(super::refusal(
            "BadRequest",
            http::StatusCode::BAD_REQUEST,
            "Object tags cannot be greater than 10",
        ));
    }
    for (at, tag) in tags.iter().enumerate() {
        let length = |text: &Option<String>| text.as_deref().unwrap_or_default().chars().count();
        if !(1..=128).contains(&length(&tag.key)) {
            return Err(s3_error!(
                InvalidTag,
                "The TagKey you have provided is invalid"
            ));
        }
        if length(&tag.value) > 256 {
            return Err(s3_error!(
                InvalidTag,
                "The TagValue you have provided is invalid"
            ));
        }
        if tags[..at].iter().any(|earlier| earlier.key == tag.key) {
            return Err(s3_error!(
                InvalidTag,
                "Cannot provide multiple Tags with the same key"
            ));
        }
    }
    Ok(())
}

impl Bucket {
    /// The version a request means: the one with `id`, or the newest.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion`; `MethodNotAllowed` for a delete marker asked for by its id.
    pub(super) fn find(&self, key: &str, id: Option<&str>) -> S3Result<Arc<Version>> {
        let versions = self.objects.get(key).map_or(&[][..], Vec::as_slice);
        let found = match id {
            Some(id) => versions
                .iter()
                .find(|version| version.id == id)
                .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist."))?,
            None => versions.last().ok_or_else(no_such_key)?,
        };
        if found.content.is_some() {
            return Ok(Arc::clone(found));
        }
        let mut error = match id {
            Some(_) => s3_error!(
                MethodNotAllowed,
                "The specified method is not allowed against this resource."
            ),
            None => no_such_key(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
        if let Ok(id) = HeaderValue::from_str(&found.id) {
            headers.insert("x-amz-version-id", id);
        }
        error.set_headers(headers);
        Err(error)
    }
}

impl Version {
    /// The id S3 tells: none in a bucket that was never versioned.
    pub(super) fn shown_id(&self) -> Option<String> {
        (self.id != NULL_VERSION).then(|| self.id.clone())
    }
}

pub(super) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(super) fn malformed_xml() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}
