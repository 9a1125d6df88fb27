//! Refusals and failures as RFC 9457 problem documents: the only table of statuses.
//!
//! The `detail` is for the sender; what only we may know goes to the log, here and once.

use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use okd_core::{Error, caller::scopes_for, document::UploadState, error::TokenFault};
use serde_json::{Value, json};

use crate::{form::MAX_INLINE_FILE, multipart::Malformed, routes::RequestIds, uploads::answer};

/// Why a request gets no ordinary answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Core(#[from] Error),
    #[error("{error}")]
    Incomplete { error: Error, upload: Value },
    #[error(
        "There is nothing at this path. Documents are handed in at /okd/v1/associations/{{associationId}}, /okd/v1/offerings/{{offeringId}} and /okd/v1/persons/{{personId}}."
    )]
    NoSuchRoute,
    #[error("This path answers to {} only.", allowed.join(" and "))]
    MethodNotAllowed { allowed: &'static [&'static str] },
    #[error("The id in the path is not a UUID such as 123e4567-e89b-12d3-a456-426614174000.")]
    InvalidId,
    #[error(
        "The query names no upload of ours. Use the links of the answer that began the upload as they are, with their \
         ?upload=, or leave the query out to mean the document's only upload."
    )]
    InvalidUpload,
    #[error(
        "This tells that the state of an enrolment has changed (OKD flow 5), which this service does not serve yet. \
         Nothing was stored. To hand in a document, send its documentType, documentName and documentSize in the nl-okd consumer."
    )]
    StatusNotServed,
    #[error("The body is compressed. Send it as it is, without Content-Encoding.")]
    ContentEncoding,
    #[error(
        "Send multipart/form-data with the parts metadata and file (up to {MAX_INLINE_FILE} bytes), or \
         application/json with the metadata alone, its documentSize in the nl-okd consumer, for a file that follows."
    )]
    UnsupportedMediaType,
    #[error("The multipart/form-data body cannot be read: {0}. Let an HTTP library build it, or see RFC 7578.")]
    MalformedForm(Malformed),
    #[error("The form has no part named {0}. Send one part metadata and one part file.")]
    MissingPart(&'static str),
    #[error("The form has two parts named {0}. Hand in one document a request.")]
    RepeatedPart(&'static str),
    #[error("The form has a part named {0:?}. Send one part metadata and one part file, and nothing else.")]
    UnknownPart(String),
    #[error(
        "The form has a part without a name. Each part has a Content-Disposition such as form-data; name=\"file\"."
    )]
    UnnamedPart,
    #[error(
        "The part {0} is encoded. Send the file's bytes as they are, without Content-Transfer-Encoding, and the metadata in UTF-8."
    )]
    EncodedPart(&'static str),
    #[error("The file is empty: a document has at least one byte.")]
    EmptyFile,
    #[error(
        "The file has {size} bytes; inline, {MAX_INLINE_FILE} (4 MiB) is the limit. Send the metadata alone as \
         application/json with \"documentSize\": {size} in its nl-okd consumer: the answer tells where to send \
         the file's parts."
    )]
    FileTooLarge { size: usize },
    #[error(
        "More requests of this tenant arrive than this service lets through. Repeat this one after the time in Retry-After: with a \
         documentId or an Idempotency-Key a repeat stores nothing twice."
    )]
    TooManyRequests,
    #[error("The Idempotency-Key must have 1 to 255 visible ASCII characters.")]
    InvalidIdempotencyKey,
    #[error(
        "The service could not answer in time. Repeat the request after the time in Retry-After: with a documentId or an Idempotency-Key a repeat stores nothing twice."
    )]
    OutOfTime,
    #[error(
        "The service broke down over this request, and its log says where. Repeat the request once; if it happens again, tell \
         the operator both ids."
    )]
    Broken,
}

/// The status, the stable last word of the problem's `type`, and the title of a refusal.
fn kind(refusal: &Refusal) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match refusal {
        Refusal::NoSuchRoute => (S::NOT_FOUND, "no-such-route", "No such path"),
        Refusal::MethodNotAllowed { .. } => (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
        Refusal::InvalidId => (S::BAD_REQUEST, "invalid-id", "The id is not a UUID"),
        Refusal::InvalidUpload => (S::BAD_REQUEST, "invalid-id", "The upload cannot be one of ours"),
        Refusal::StatusNotServed => (S::NOT_IMPLEMENTED, "not-implemented", "Not served yet"),
        Refusal::ContentEncoding => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is compressed"),
        Refusal::UnsupportedMediaType => {
            (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Neither a form nor JSON")
        }
        Refusal::MalformedForm(_) => (S::BAD_REQUEST, "malformed-form", "The form cannot be read"),
        Refusal::MissingPart(_)
        | Refusal::RepeatedPart(_)
        | Refusal::UnknownPart(_)
        | Refusal::UnnamedPart
        | Refusal::EncodedPart(_) => {
            (S::UNPROCESSABLE_ENTITY, "invalid-form", "The form is not one metadata and one file")
        }
        Refusal::EmptyFile => (S::UNPROCESSABLE_ENTITY, "empty-file", "The file is empty"),
        Refusal::FileTooLarge { .. } => {
            (S::PAYLOAD_TOO_LARGE, "file-too-large-inline", "The file is too large to come inline")
        }
        Refusal::InvalidIdempotencyKey => {
            (S::BAD_REQUEST, "invalid-idempotency-key", "The Idempotency-Key cannot be used")
        }
        Refusal::TooManyRequests => (S::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
        Refusal::OutOfTime => (S::SERVICE_UNAVAILABLE, "try-again", "Temporarily unavailable"),
        Refusal::Broken => (S::INTERNAL_SERVER_ERROR, "internal-error", "The service broke down"),
        Refusal::Incomplete { error, .. } | Refusal::Core(error) => core_kind(error),
    }
}

fn core_kind(error: &Error) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as S;
    match error {
        Error::MalformedJson { .. } => (S::BAD_REQUEST, "malformed-json", "The metadata is not JSON"),
        Error::InvalidMetadata { .. } => (S::UNPROCESSABLE_ENTITY, "invalid-metadata", "The metadata breaks a rule"),
        Error::MetadataTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "metadata-too-large", "The metadata is too large"),
        Error::DocumentTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "document-too-large", "The document is too large"),
        Error::Unauthenticated(_) => (S::UNAUTHORIZED, "unauthenticated", "No valid access token"),
        Error::IssuerUnavailable(_) => {
            (S::SERVICE_UNAVAILABLE, "issuer-unavailable", "The token's issuer does not answer")
        }
        Error::TooManyUploads => (S::TOO_MANY_REQUESTS, "too-many-uploads", "Too many uploads are open"),
        Error::MissingScope(_) => (S::FORBIDDEN, "missing-scope", "The access token lacks a scope"),
        Error::KeyReused => {
            (S::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key was used for something else")
        }
        Error::Nameless => (S::UNPROCESSABLE_ENTITY, "document-id-needed", "The document needs a name of its own"),
        Error::NotFound => (S::NOT_FOUND, "no-such-document", "No such document"),
        Error::UploadIncomplete(..) => (S::CONFLICT, "upload-incomplete", "Parts are missing"),
        Error::ChecksumMismatch { .. } | Error::UploadGone(UploadState::ChecksumMismatch | UploadState::Corrupt) => {
            (S::UNPROCESSABLE_ENTITY, "checksum-mismatch", "Not the bytes declared")
        }
        Error::UploadGone(_) => (S::GONE, "upload-gone", "The upload has ended"),
        Error::SizeMismatch { .. } => (S::UNPROCESSABLE_ENTITY, "size-mismatch", "Not the size declared"),
        Error::NoSuchUpload => (S::NOT_FOUND, "no-such-upload", "No such upload"),
        Error::TooManyContents(_) => (S::CONFLICT, "too-many-versions", "The document was replaced too often"),
        Error::Contended | Error::Unavailable { .. } => {
            (S::SERVICE_UNAVAILABLE, "try-again", "Temporarily unavailable")
        }
    }
}

/// The last word of the problem's `type`.
pub(crate) fn word(refusal: &Refusal) -> &'static str {
    kind(refusal).1
}

/// The problem document of a refusal.
pub(crate) fn render(refusal: &Refusal, ids: &RequestIds) -> Response<Body> {
    let (status, kind, title) = kind(refusal);
    log(refusal, kind);
    let mut body = json!({
        "type": format!("urn:problem-type:okd:{kind}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail(refusal),
        "requestId": ids.request,
    });
    if let Some(extended) = &ids.extended {
        body["extendedRequestId"] = json!(extended);
    }
    match refusal {
        Refusal::Core(Error::InvalidMetadata { pointer, .. }) => body["pointer"] = json!(pointer),
        Refusal::Core(Error::MalformedJson { line, column, .. }) => {
            body["line"] = json!(line);
            body["column"] = json!(column);
        }
        Refusal::Incomplete { upload, .. } => body["upload"] = upload.clone(),
        _ => {}
    }
    let mut response = answer(status, &body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match refusal {
        Refusal::MethodNotAllowed { allowed } => {
            insert(headers, header::ALLOW, &allow(allowed));
        }
        Refusal::ContentEncoding => insert(headers, header::ACCEPT_ENCODING, "identity"),
        Refusal::Core(Error::Unauthenticated(fault)) => {
            insert(headers, header::WWW_AUTHENTICATE, &challenge(fault));
        }
        Refusal::Core(Error::MissingScope(document_type)) => {
            let scopes = scopes_for(*document_type).join(" ");
            let challenge = format!("Bearer realm=\"okd\", error=\"insufficient_scope\", scope=\"{scopes}\"");
            insert(headers, header::WWW_AUTHENTICATE, &challenge);
        }
        Refusal::TooManyRequests => insert(headers, header::RETRY_AFTER, "1"),
        Refusal::Core(Error::TooManyUploads) => insert(headers, header::RETRY_AFTER, "60"),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => insert(headers, header::RETRY_AFTER, "2"),
        _ => {}
    }
    response
}

/// Says to the sender what to do.
fn detail(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Core(Error::Unauthenticated(fault)) => fault.told(),
        refusal => refusal.to_string(),
    }
}

/// The value of `Allow` at a path that answers to these methods.
pub(crate) fn allow(methods: &[&str]) -> String {
    format!("{}, OPTIONS", methods.join(", "))
}

fn insert(headers: &mut http::HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        headers.insert(name, value);
    }
}

/// RFC 6750, section 3: no error code where no token was sent.
fn challenge(fault: &TokenFault) -> String {
    match fault {
        TokenFault::Missing => "Bearer realm=\"okd\"".to_owned(),
        _ => format!(
            "Bearer realm=\"okd\", error=\"invalid_token\", error_description=\"{}\"",
            fault.told().replace(['"', '\\'], "'")
        ),
    }
}

fn log(refusal: &Refusal, kind: &str) {
    if let Refusal::Core(error @ Error::Unavailable { .. }) = refusal {
        let cause = error.for_the_log();
        tracing::error!(problem = kind, cause, "failed");
    } else if matches!(refusal, Refusal::Broken) {
        tracing::error!(problem = kind, "panicked");
    } else {
        let reason = match refusal {
            // These texts are ours, and name claims at most.
            Refusal::Core(Error::Unauthenticated(fault)) => Some(fault.to_string()),
            _ => None,
        };
        tracing::info!(problem = kind, reason, "refused");
    }
}
