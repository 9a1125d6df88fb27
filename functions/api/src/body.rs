//! The body of a request.

use bytes::Bytes;
use http::{HeaderMap, header};
use lambda_http::{Body, Request};

use crate::refusal::{BodyFault, Refusal};

/// The headers and the body of a request.
pub(crate) fn read(request: Request) -> Result<(HeaderMap, Bytes), Refusal> {
    let (parts, body) = request.into_parts();
    check_content_encoding(&parts.headers)?;
    Ok((parts.headers, bytes(body)))
}

/// The media type of a body, as its sender gives it.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

/// Refuses a compressed body before anything of it is read: it would be refused later, for a reason that misleads.
fn check_content_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let is_identity = |value: &http::HeaderValue| {
        let value = value.as_bytes().trim_ascii();
        value.is_empty() || value.eq_ignore_ascii_case(b"identity")
    };
    if encodings.all(is_identity) { Ok(()) } else { Err(BodyFault::ContentEncoding.into()) }
}

/// The gateway decides by media type whether a body is text or binary to us; we do not care.
fn bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => Bytes::new(),
    }
}
