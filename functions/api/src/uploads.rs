//! A document's upload: how far it is, its completion, its end; and an upload's JSON, wherever it stands.

use http::{StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Response};
use okd_core::{
    Error,
    caller::Caller,
    document::{DocumentId, Version},
    uploads::{self, UploadStatus, UploadView},
};
use serde_json::{Value, json};

use crate::{App, documents::stored, problem::Refusal, routes::Links};

/// `GET`: state, progress and fresh URLs.
pub(crate) async fn status(
    app: &App,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&Version>,
    links: &Links,
) -> Result<Response<Body>, Refusal> {
    let upload = match uploads::status(&app.stores, caller, id, upload, Timestamp::now()).await? {
        UploadStatus::Open(view) => upload_json(id, &view, links),
        UploadStatus::Stored(size) => json!({ "state": "stored", "documentSize": size }),
        UploadStatus::Ended(state) => json!({ "state": state }),
    };
    Ok(answer(
        StatusCode::OK,
        &json!({ "dmsDocumentId": id, "upload": upload }),
    ))
}

/// `POST …/complete`: 200 when stored, and the same on every repeat; 202 while S3 works.
pub(crate) async fn complete(
    app: &App,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&Version>,
    links: &Links,
) -> Result<Response<Body>, Refusal> {
    match uploads::complete(&app.stores, caller, id, upload, Timestamp::now()).await {
        Ok(()) => Ok(stored(id)),
        Err(Error::StillCompleting(id)) => Ok(still_completing(id)),
        Err(Error::UploadIncomplete(id, view)) => {
            let upload = upload_json(id, &view, links);
            Err(Refusal::Incomplete {
                error: Error::UploadIncomplete(id, view),
                upload,
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// S3 still works, or we ran out of time: the same request, sent again, finds out.
pub(crate) fn still_completing(id: DocumentId) -> Response<Body> {
    let body = json!({ "dmsDocumentId": id, "upload": { "state": "completing" } });
    let mut response = answer(StatusCode::ACCEPTED, &body);
    response.headers_mut().insert(header::RETRY_AFTER, 2.into());
    response
}

/// `DELETE`: 204, also when there was nothing left to abort.
pub(crate) async fn abort(
    app: &App,
    caller: &Caller,
    id: DocumentId,
    upload: Option<&Version>,
) -> Result<Response<Body>, Refusal> {
    uploads::abort(&app.stores, caller, id, upload, Timestamp::now()).await?;
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// An open upload on our wire: what to send, where, and what to call then.
pub(crate) fn upload_json(id: DocumentId, view: &UploadView, links: &Links) -> Value {
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
        "complete": { "method": "POST", "href": links.complete(id, &view.version) },
        "status": { "method": "GET", "href": links.upload(id, &view.version) },
        "abort": { "method": "DELETE", "href": links.upload(id, &view.version) },
    })
}

/// An answer in JSON, not to be kept by anyone on the way: it may hold URLs that are secrets.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::Text(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}
