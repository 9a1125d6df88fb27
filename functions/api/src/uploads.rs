//! A document's upload: how far it is, its completion, its end; and an upload's JSON, wherever it stands.

use http::{StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Response};
use okd_core::{
    Error, Stores,
    caller::Caller,
    document::{Content, DocumentId, Version},
    uploads::{self, Completed, UploadStatus, UploadView},
};
use serde_json::{Value, json};

use crate::{documents::stored, problem::Refusal, routes::Paths};

/// `GET`: state, progress and fresh URLs.
pub(crate) async fn status(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&Version>,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    let upload = match uploads::status(stores, caller, id, upload, now).await? {
        UploadStatus::Open(view) => upload_json(id, &view, paths),
        UploadStatus::Verifying(content) => verifying_json(id, &content, paths),
        UploadStatus::Stored(size) => json!({ "state": "stored", "documentSize": size }),
        UploadStatus::Ended(state) => json!({ "state": state }),
    };
    Ok(answer(StatusCode::OK, &json!({ "dmsDocumentId": id, "upload": upload })))
}

/// `POST …/complete`: 200 when stored, and the same on every repeat; 202 while S3 works or the bytes have yet to be compared
/// with what was declared.
pub(crate) async fn complete(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&Version>,
    now: Timestamp,
    paths: &Paths,
) -> Result<Response<Body>, Refusal> {
    match uploads::complete(stores, caller, id, upload, now).await {
        Ok(Completed::Stored) => Ok(stored(id)),
        Ok(Completed::Verifying(content)) => Ok(still_verifying(id, &content, paths)),
        Ok(Completed::Joining) => Ok(still_completing(id)),
        Err(Error::UploadIncomplete(id, view)) => {
            let upload = upload_json(id, &view, paths);
            Err(Refusal::Incomplete { error: Error::UploadIncomplete(id, view), upload })
        }
        Err(error) => Err(error.into()),
    }
}

/// S3 still works, or we ran out of time: the same request, sent again, finds out.
pub(crate) fn still_completing(id: DocumentId) -> Response<Body> {
    wait(&json!({ "dmsDocumentId": id, "upload": { "state": "completing" } }))
}

/// Everything is there, and whether it is what was declared is being found out: the same request, sent again, tells.
pub(crate) fn still_verifying(id: DocumentId, content: &Content, paths: &Paths) -> Response<Body> {
    let upload = verifying_json(id, content, paths);
    let mut response = wait(&json!({ "dmsDocumentId": id, "upload": upload }));
    locate(&mut response, id, &content.version, paths);
    response
}

/// 202, and when to ask again.
fn wait(body: &Value) -> Response<Body> {
    let mut response = answer(StatusCode::ACCEPTED, body);
    response.headers_mut().insert(header::RETRY_AFTER, 2.into());
    response
}

/// Says in `Location` where the upload tells how far it is.
pub(crate) fn locate(response: &mut Response<Body>, id: DocumentId, version: &Version, paths: &Paths) {
    if let Ok(location) = paths.upload(id, version).parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

/// `DELETE`: 204, also when there was nothing left to abort.
pub(crate) async fn abort(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&Version>,
    now: Timestamp,
) -> Result<Response<Body>, Refusal> {
    uploads::abort(stores, caller, id, upload, now).await?;
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// An open upload on our wire: what to send, where, and what to call then.
pub(crate) fn upload_json(id: DocumentId, view: &UploadView, paths: &Paths) -> Value {
    let part = |link: &okd_core::stores::PartLink| {
        json!({
            "partNumber": link.part.number,
            "offset": link.part.offset,
            "size": link.part.size,
            "method": "PUT",
            "href": link.href,
            "headers": {},
            "expiresAt": link.expires_at,
        })
    };
    json!({
        "state": if view.missing.is_empty() { "received" } else { "uploading" },
        "documentSize": view.plan.size,
        "partSize": view.plan.part_size,
        "partCount": view.plan.count(),
        "partsReceived": view.parts_received(),
        "expiresAt": view.expires_at,
        "parts": view.missing.iter().map(part).collect::<Vec<_>>(),
        "complete": { "method": "POST", "href": paths.complete(id, &view.version) },
        "status": { "method": "GET", "href": paths.upload(id, &view.version) },
        "abort": { "method": "DELETE", "href": paths.upload(id, &view.version) },
    })
}

/// An upload on our wire whose bytes are being compared with what was declared.
fn verifying_json(id: DocumentId, content: &Content, paths: &Paths) -> Value {
    json!({
        "state": "verifying",
        "documentSize": content.size,
        "complete": { "method": "POST", "href": paths.complete(id, &content.version) },
        "status": { "method": "GET", "href": paths.upload(id, &content.version) },
    })
}

/// An answer in JSON.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::Text(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
