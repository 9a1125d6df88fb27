//! The headers that make a request conditional, and those that ask for a part of an object.

use std::ops::Range;

use http::{HeaderMap, HeaderValue};
use s3s::dto::{ChecksumMode, ETagCondition, GetObjectInput};
use s3s::{S3Error, S3Result, s3_error};

use crate::state::{Bucket, Content, Version, no_such_key};
use crate::strong;

/// The object that a GET or HEAD answers with.
pub(crate) struct Reading<'a> {
    pub(crate) content: &'a Content,
    pub(crate) range: Range<u64>,
    /// `Content-Range`, if less than everything was asked for.
    pub(crate) content_range: Option<String>,
    pub(crate) with_checksum: bool,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(version: &'a Version, input: &GetObjectInput) -> S3Result<Reading<'a>> {
        if input.part_number.is_some() || input.sse_customer_algorithm.is_some() {
            return Err(not_implemented());
        }
        let content = version.content.as_ref().ok_or_else(no_such_key)?;
        check_read(version, content, input)?;
        let whole = 0..content.size;
        let Some(asked) = &input.range else {
            let mode = input.checksum_mode.as_ref().map(ChecksumMode::as_str);
            let with_checksum = mode == Some(ChecksumMode::ENABLED);
            return Ok(Reading { content, range: whole, content_range: None, with_checksum });
        };
        let size = content.size;
        let range = asked.check(size).map_err(|_| {
            let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
            error.set_headers(header("content-range", &format!("bytes */{size}")));
            error
        })?;
        let content_range = Some(format!("bytes {}-{}/{size}", range.start, range.end - 1));
        // S3's stored checksum is of the whole, so it goes with no part of it.
        Ok(Reading { content, range, content_range, with_checksum: false })
    }
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(asked) => asked.value() == etag,
    }
}

/// An `ETag` condition outranks the condition on time next to it, as HTTP has it.
fn check_read(version: &Version, content: &Content, input: &GetObjectInput) -> S3Result {
    let modified = version.modified.timestamp();
    let stale = match (&input.if_match, &input.if_unmodified_since) {
        (Some(condition), _) => !matches(condition, &content.etag),
        (None, Some(time)) => modified > *time,
        (None, None) => false,
    };
    if stale {
        return Err(precondition_failed());
    }
    let unchanged = match (&input.if_none_match, &input.if_modified_since) {
        (Some(condition), _) => matches(condition, &content.etag),
        (None, Some(time)) => modified <= *time,
        (None, None) => false,
    };
    if unchanged {
        let mut error = s3_error!(NotModified);
        if let Ok(etag) = strong(&content.etag).to_http_header() {
            error.set_headers(HeaderMap::from_iter([(http::header::ETAG, etag)]));
        }
        return Err(error);
    }
    Ok(())
}

/// S3 takes `If-None-Match: *` and `If-Match: <etag>` on writes, and nothing else.
pub(crate) fn check_supported(if_match: Option<&ETagCondition>, if_none_match: Option<&ETagCondition>) -> S3Result {
    if if_none_match.is_some_and(|condition| !condition.is_any())
        || if_match.is_some_and(ETagCondition::is_any)
        || (if_match.is_some() && if_none_match.is_some())
    {
        return Err(not_implemented());
    }
    Ok(())
}

/// Under the lock, right before the write.
pub(crate) fn check_write(
    bucket: &Bucket,
    key: &str,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result {
    check_supported(if_match, if_none_match)?;
    let current = bucket.current(key).and_then(|version| version.content.as_ref());
    if if_none_match.is_some() && current.is_some() {
        return Err(precondition_failed());
    }
    match (if_match, current) {
        (Some(_), None) => Err(no_such_key()),
        (Some(condition), Some(content)) if !matches(condition, &content.etag) => Err(precondition_failed()),
        _ => Ok(()),
    }
}

fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

pub(crate) fn not_implemented() -> S3Error {
    s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented")
}

fn header(name: &'static str, value: &str) -> HeaderMap {
    let value = HeaderValue::from_str(value);
    value.into_iter().map(|value| (http::HeaderName::from_static(name), value)).collect()
}
