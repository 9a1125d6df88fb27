//! A document read back (flow x): its bytes, or where to fetch them.

use std::ops::RangeInclusive;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use okd_core::{
    Stores,
    caller::Caller,
    document::{Content, Document},
    ids::{ContentId, DocumentId},
    parts::MAX_INLINE_FILE,
    range::ByteRange,
    use_cases::{self, NotStored, Readable, Standing},
};
use serde_json::json;

use crate::{
    links::Paths,
    refusal::Refusal,
    reply::ReplyBody,
    response::{answer, link_to_upload},
};

/// The most bytes that an answer streams (AWS's limit for Lambda's streams: 200 MB).
const MAX_STREAMED: u64 = 200_000_000;

/// A document that is to be read.
pub(crate) struct Asked<'a> {
    pub(crate) id: DocumentId,
    /// The content that is meant; else the current one.
    pub(crate) version: Option<&'a ContentId>,
    /// True where the gateway takes streams.
    pub(crate) streams: bool,
}

/// `GET` and `HEAD` of a document: 200 or 206 with the bytes where Lambda can carry them, whole or as a stream, else 307 to a
/// URL of S3; 304 where the reader has them.
pub(crate) async fn download(
    stores: &Stores,
    caller: &Caller,
    Asked { id, version, streams }: Asked<'_>,
    request: &Request,
    now: Timestamp,
) -> Result<Response<ReplyBody>, Refusal> {
    let (document, content) = find(stores, caller, id, version, &Paths::of(request)).await?;
    let etag = format!("\"{}\"", content.content_id);
    if is_known(request.headers(), &etag) {
        return Ok(described(StatusCode::NOT_MODIFIED, &content, &etag, Body::Empty.into()));
    }
    if request.method() == Method::HEAD {
        let mut response = described(StatusCode::OK, &content, &etag, Body::Empty.into());
        response.headers_mut().insert(header::CONTENT_LENGTH, content.size.into());
        return Ok(response);
    }
    let range = match asked_range(request.headers(), &etag, content.size) {
        ByteRange::Whole => None,
        ByteRange::Part(range) => Some(range),
        ByteRange::Unsatisfiable => return Err(Refusal::NoSuchRange { size: content.size }),
    };
    let size = range.as_ref().map_or(content.size, |range| range.end() - range.start() + 1);
    let body = if size <= MAX_INLINE_FILE as u64 {
        let bytes = use_cases::fetch(stores, &document, &content, range.clone()).await?;
        ReplyBody::Whole(Body::Binary(bytes.into()))
    } else if streams && size <= MAX_STREAMED {
        ReplyBody::Streamed(use_cases::open(stores, &document, &content, range.clone()).await?)
    } else {
        return redirect(stores, &document, &content, now).await;
    };
    let is_streamed = matches!(body, ReplyBody::Streamed(_));
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = described(status, &content, &etag, body);
    if is_streamed {
        // A reader whose stream breaks off can tell.
        response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
    }
    if let Some(range) = range {
        response.headers_mut().insert(header::CONTENT_RANGE, content_range(&range, content.size));
    }
    Ok(response)
}

/// Finds what there is to read, or refuses by saying where the document stands.
pub(crate) async fn find(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    version: Option<&ContentId>,
    paths: &Paths,
) -> Result<(Box<Document>, Box<Content>), Refusal> {
    match use_cases::find(stores, caller, id, version).await? {
        Readable::Content(document, content) => Ok((document, content)),
        Readable::NotStored(standing) => Err(not_stored(id, standing, paths)),
    }
}

/// The refusal that says where a document stands that is not stored.
pub(crate) fn not_stored(id: DocumentId, NotStored { standing, upload }: NotStored, paths: &Paths) -> Refusal {
    let state = match standing {
        Standing::Uploading => json!("uploading"),
        Standing::Verifying => json!("verifying"),
        Standing::Screening => json!("screening"),
        Standing::Ended(reason) => json!(reason),
    };
    let mut json = json!({ "state": state });
    if let Some(upload) = upload {
        json["status"] = json!(link_to_upload(id, &upload, paths));
    }
    Refusal::NotStored(standing, json)
}

/// An answer with the headers that tell what the file is: to be saved under its own name, and as a type that no browser
/// runs.
fn described(status: StatusCode, content: &Content, etag: &str, body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let metadata = &content.metadata;
    let disposition = metadata.okd.file_name.to_save_as();
    for (name, value) in [
        (header::CONTENT_TYPE, metadata.media_type.harmless()),
        (header::CONTENT_DISPOSITION, disposition.as_str()),
        (header::ETAG, etag),
        (header::ACCEPT_RANGES, "bytes"),
        // Without scripts also where a reader shows it.
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// 307 to S3, with a body for those who follow it by hand.
async fn redirect(
    stores: &Stores,
    document: &Document,
    content: &Content,
    now: Timestamp,
) -> Result<Response<ReplyBody>, Refusal> {
    let link = use_cases::link(stores, document, content, now).await?;
    let body = json!({
        "dmsDocumentId": document.id,
        "documentSize": content.size,
        "documentTempDownloadUrl": link.href,
        "expiresAt": link.expires_at,
        "detail": "The document is too large to come in this answer. GET documentTempDownloadUrl without an Authorization \
            header: the URL holds its own permission, and S3 refuses a request that brings a token besides. Or read it in \
            ranges of at most 4 MiB here.",
    });
    let mut response = answer(StatusCode::TEMPORARY_REDIRECT, &body);
    if let Ok(location) = HeaderValue::from_str(&link.href) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response.map(Into::into))
}

/// Returns whether the reader has this very content already, by `If-None-Match`.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let listed = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut listed = listed.flat_map(|value| value.split(',')).map(str::trim);
    listed.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

/// The range that is asked for. With an `If-Range` that names another content it is the whole (RFC 9110, section 13.1.5).
fn asked_range(headers: &HeaderMap, etag: &str, size: u64) -> ByteRange {
    let is_for_another = headers.get(header::IF_RANGE).is_some_and(|value| value.as_bytes() != etag.as_bytes());
    let range = headers.get(header::RANGE).filter(|_| !is_for_another);
    ByteRange::parse(range.and_then(|value| value.to_str().ok()), size)
}

fn content_range(range: &RangeInclusive<u64>, size: u64) -> HeaderValue {
    let text = format!("bytes {}-{}/{size}", range.start(), range.end());
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("bytes"))
}
