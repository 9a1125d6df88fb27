//! Documents handed in: `PUT` (2025) or `POST` (1.5) of metadata on an association or an offering, with
//! the file inside (form A) or to follow (form B).

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use okd_core::{
    caller::{Caller, SenderKey},
    document::DocumentId,
    metadata::{Metadata, OfferedFile, OkdConsumer, Subject},
    uploads::{self, Started},
};
use serde_json::json;

use crate::{
    App,
    form::Form,
    problem::Refusal,
    routes::Links,
    uploads::{answer, upload_json},
};

/// Reads either form, calls its use case, answers 200 (stored) or 202 (send the bytes).
pub(crate) async fn hand_in(
    app: &App,
    caller: &Caller,
    subject: Subject,
    request: Request,
    links: &Links,
) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    let now = Timestamp::now();
    match essence(content_type).as_str() {
        "multipart/form-data" => {
            let form = Form::read(content_type, bytes(body)).await?;
            caller.check_metadata_size(form.metadata.len())?;
            let metadata = Metadata::parse(subject, &form.metadata)?;
            let key = sender_key(&metadata.okd, &parts.headers)?;
            let id = uploads::receive(&app.stores, caller, &key, metadata, form.file, now).await?;
            Ok(stored(id))
        }
        "application/json" => {
            let body = bytes(body);
            caller.check_metadata_size(body.len())?;
            let offered = OfferedFile::parse(subject, &body)?;
            let key = sender_key(&offered.metadata.okd, &parts.headers)?;
            match uploads::start(&app.stores, caller, &key, offered, now).await? {
                Started::Stored(id) => Ok(stored(id)),
                Started::Uploading(id, view) => {
                    let body =
                        json!({ "dmsDocumentId": id, "upload": upload_json(id, &view, links) });
                    let mut response = answer(StatusCode::ACCEPTED, &body);
                    if let Ok(location) = links.upload(id, &view.version).parse() {
                        response.headers_mut().insert(header::LOCATION, location);
                    }
                    Ok(response)
                }
            }
        }
        _ => Err(Refusal::UnsupportedMediaType),
    }
}

/// The standard's answer: the document is stored.
pub(crate) fn stored(id: DocumentId) -> Response<Body> {
    answer(StatusCode::OK, &json!({ "dmsDocumentId": id }))
}

/// A media type without its parameters.
fn essence(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The gateway decides by media type whether a body is text or binary to us; we do not care.
fn bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => Bytes::new(),
    }
}

/// What makes a repeat of this request a repeat.
fn sender_key(okd: &OkdConsumer, headers: &HeaderMap) -> Result<SenderKey, Refusal> {
    if let Some(id) = &okd.document_id {
        return Ok(SenderKey::DocumentId(id.clone()));
    }
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(SenderKey::None);
    };
    match key.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(SenderKey::IdempotencyKey(key.to_owned())),
        _ => Err(Refusal::InvalidIdempotencyKey),
    }
}
