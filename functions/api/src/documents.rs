//! Documents handed in: `PUT` (2025) or `POST` (1.5) of metadata on an association, an offering or a person, with
//! the file inside (form A) or to follow (form B).

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use okd_core::{
    Stores,
    caller::Caller,
    metadata::{Message, Metadata, OfferedFile, Subject},
    name::IdempotencyKey,
    parameters::essence,
    use_cases::{self, Begun},
};
use serde_json::json;

use crate::{
    form::Form,
    links::Paths,
    refusal::Refusal,
    response::{answer, locate, still_verifying, stored, upload_json},
};

/// The type of a change to a resource (RFC 7396). OKD flow 5 is one.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Reads either form, calls its use case, answers 200 (stored) or 202 (send the bytes).
pub(crate) async fn hand_in(
    stores: &Stores,
    caller: &Caller,
    subject: Subject,
    request: Request,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    check_content_encoding(&parts.headers)?;
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = String::from_utf8_lossy(content_type.map_or(b"", |value| value.as_bytes()));
    let body = bytes(body);
    match essence(&content_type).as_str() {
        "multipart/form-data" => {
            let form = Form::read(&content_type, body)?;
            caller.check_metadata_size(form.metadata.len())?;
            let metadata = Metadata::parse(subject, &form.metadata, form.sent_file())?;
            let key = idempotency_key(&metadata, &parts.headers)?;
            let id = use_cases::store_inline(stores, caller, key.as_ref(), metadata, form.file, now).await?;
            Ok(stored(id))
        }
        MERGE_PATCH => match Message::parse(subject, &body) {
            Ok(Message::Status) => Err(Refusal::StatusNotServed),
            _ => Err(Refusal::UnsupportedMediaType),
        },
        "application/json" => {
            caller.check_metadata_size(body.len())?;
            match Message::parse(subject, &body)? {
                Message::Offer(offered) => {
                    let key = idempotency_key(&offered.metadata, &parts.headers)?;
                    offer(stores, caller, key.as_ref(), *offered, now, paths).await
                }
                Message::Status => Err(Refusal::StatusNotServed),
            }
        }
        _ => Err(Refusal::UnsupportedMediaType),
    }
}

/// Form B.
async fn offer(
    stores: &Stores,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    offered: OfferedFile,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    Ok(begun(use_cases::begin_upload(stores, caller, key, offered, now).await?, paths))
}

/// The answer to an offer.
pub(crate) fn begun(begun: Begun, paths: &Paths) -> Response<Body> {
    match begun {
        Begun::Stored(id) => stored(id),
        Begun::Verifying(id, content) => still_verifying(id, &content, paths),
        Begun::Uploading(id, view) => {
            let body = json!({ "dmsDocumentId": id, "upload": upload_json(id, &view, paths) });
            let mut response = answer(StatusCode::ACCEPTED, &body);
            locate(&mut response, id, &view.content_id, paths);
            response
        }
    }
}

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

/// The request's `Idempotency-Key`, unless a `documentId` makes it unnecessary.
fn idempotency_key(metadata: &Metadata, headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    let key = headers.get("idempotency-key").filter(|_| metadata.okd.document_id.is_none());
    let key = key.map(|key| IdempotencyKey::parse(key.as_bytes()).ok_or(Refusal::InvalidIdempotencyKey));
    key.transpose()
}
