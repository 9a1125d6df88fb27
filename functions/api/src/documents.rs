//! Documents handed in: `PUT` (2025) or `POST` (1.5) of metadata on an association, an offering or a person, with
//! the file inside (form A) or to follow (form B).

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use okd_core::{
    Stores,
    association::Report,
    caller::Caller,
    class::SubjectKind,
    metadata::{Message, Metadata, OfferedFile, Subject},
    name::IdempotencyKey,
    use_cases::{self, Begun},
};
use okd_form::parameters::essence;

use crate::{
    associations::{self, MERGE_PATCH},
    body,
    form::Form,
    links::Paths,
    refusal::{BodyFault, Refusal},
    response::{OfUpload, answer, locate, open_upload, still_verifying, stored},
};

/// Reads either form, calls its use case, answers 200 (stored) or 202 (send the bytes).
pub(crate) async fn hand_in(
    stores: &Stores,
    caller: &Caller,
    subject: Subject,
    request: Request,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    let (headers, body) = body::read(request)?;
    // The name of a boundary may hold what is no ASCII.
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = String::from_utf8_lossy(content_type.map_or(b"", |value| value.as_bytes()));
    match essence(&content_type).as_str() {
        "multipart/form-data" => {
            let form = Form::read(&content_type, body)?;
            caller.check_metadata_size(form.metadata.len())?;
            let metadata = Metadata::parse(subject, &form.metadata, form.sent_file())?;
            let key = idempotency_key(&metadata, &headers)?;
            let id = use_cases::store_inline(stores, caller, key.as_ref(), metadata, form.file, now).await?;
            Ok(stored(id))
        }
        // In 2025 the standard asked for a PUT of these.
        MERGE_PATCH if subject.kind == SubjectKind::Association => {
            associations::report(stores, caller, subject, &Report::parse(subject, &body)?, now).await
        }
        "application/json" => {
            caller.check_metadata_size(body.len())?;
            match Message::parse(subject, &body)? {
                Message::Offer(offered) => {
                    let key = idempotency_key(&offered.metadata, &headers)?;
                    offer(stores, caller, key.as_ref(), *offered, now, paths).await
                }
                Message::Status(report) => associations::report(stores, caller, subject, &report, now).await,
            }
        }
        _ => Err(BodyFault::UnsupportedMediaType.into()),
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
            let upload = open_upload(id, &view, paths);
            let mut response = answer(StatusCode::ACCEPTED, &OfUpload { dms_document_id: id, upload });
            locate(&mut response, id, &view.content_id, paths);
            response
        }
    }
}

/// The request's `Idempotency-Key`, unless a `documentId` makes it unnecessary. One that is none is refused all the same.
fn idempotency_key(metadata: &Metadata, headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    let key = headers.get("idempotency-key");
    let key = key.map(|key| IdempotencyKey::parse(key.as_bytes()).ok_or(Refusal::InvalidIdempotencyKey));
    Ok(key.transpose()?.filter(|_| metadata.okd.document_id.is_none()))
}
