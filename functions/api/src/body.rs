//! The body of a request.

use bytes::Bytes;
use http::{HeaderMap, header};
use lambda_http::Body;

use crate::refusal::Refusal;

/// Refuses a compressed body before anything of it is read: it would be refused later, for a reason that misleads.
pub(crate) fn check_content_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let is_identity = |value: &http::HeaderValue| {
        let value = value.as_bytes().trim_ascii();
        value.is_empty() || value.eq_ignore_ascii_case(b"identity")
    };
    if encodings.all(is_identity) { Ok(()) } else { Err(Refusal::ContentEncoding) }
}

/// The gateway decides by media type whether a body is text or binary to us; we do not care.
pub(crate) fn bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => Bytes::new(),
    }
}
