//! The answers of use cases, as they look on our wire.

use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};
use okd_core::{
    document::Content,
    ids::{ContentId, DocumentId},
    stores::PartLink,
    use_cases::UploadView,
};
use serde_json::{Value, json};

use crate::links::Paths;

/// An answer in JSON.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    in_json(status, body.to_string())
}

/// An answer whose body is JSON already.
pub(crate) fn in_json(status: StatusCode, body: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::Text(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The same answer for everybody, so that it may be kept for five minutes.
pub(crate) fn for_everybody(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    response
}

/// The standard's answer: the document is stored.
pub(crate) fn stored(id: DocumentId) -> Response<Body> {
    answer(StatusCode::OK, &json!({ "dmsDocumentId": id }))
}

/// S3 still works, or we ran out of time: the same request, sent again, finds out.
pub(crate) fn still_completing(id: DocumentId) -> Response<Body> {
    wait(&json!({ "dmsDocumentId": id, "upload": { "state": "completing" } }))
}

/// Everything is there, and whether it is what was declared is being found out: the same request, sent again, tells.
pub(crate) fn still_verifying(id: DocumentId, content: &Content, paths: &Paths) -> Response<Body> {
    let upload = verifying_json(id, content, paths);
    let mut response = wait(&json!({ "dmsDocumentId": id, "upload": upload }));
    locate(&mut response, id, &content.content_id, paths);
    response
}

/// 202, and when to ask again.
fn wait(body: &Value) -> Response<Body> {
    let mut response = answer(StatusCode::ACCEPTED, body);
    response.headers_mut().insert(header::RETRY_AFTER, 2.into());
    response
}

/// Says in `Location` where the upload tells how far it is.
pub(crate) fn locate(response: &mut Response<Body>, id: DocumentId, content_id: &ContentId, paths: &Paths) {
    if let Ok(location) = paths.upload(id, content_id).parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

/// An open upload on our wire: what to send, where, and what to call then.
pub(crate) fn upload_json(id: DocumentId, view: &UploadView, paths: &Paths) -> Value {
    let part = |link: &PartLink| {
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
        "complete": { "method": "POST", "href": paths.complete(id, &view.content_id) },
        "status": link_to_upload(id, &view.content_id, paths),
        "abort": { "method": "DELETE", "href": paths.upload(id, &view.content_id) },
    })
}

/// An upload on our wire whose bytes are being compared with what was declared.
pub(crate) fn verifying_json(id: DocumentId, content: &Content, paths: &Paths) -> Value {
    json!({
        "state": "verifying",
        "documentSize": content.size,
        "complete": { "method": "POST", "href": paths.complete(id, &content.content_id) },
        "status": link_to_upload(id, &content.content_id, paths),
    })
}

/// Where an upload tells how far it is.
pub(crate) fn link_to_upload(id: DocumentId, content_id: &ContentId, paths: &Paths) -> Value {
    json!({ "method": "GET", "href": paths.upload(id, content_id) })
}

/// 204: done, and there is nothing to say.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Answers `OPTIONS`: the methods of the path, in `Allow`, for any id. No token is needed, since browsers ask before
/// they send one.
pub(crate) fn options(methods: &[&str]) -> Response<Body> {
    let mut response = no_content();
    if let Ok(methods) = allow(methods).parse() {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// The value of `Allow` at a path that answers to these methods.
pub(crate) fn allow(methods: &[&str]) -> String {
    format!("{}, OPTIONS", methods.join(", "))
}

/// The ids of a request, which the gateway's access log has too.
pub(crate) struct RequestIds {
    /// The `requestId`. A client can choose it with the header `X-Amzn-RequestId`.
    pub(crate) request: String,
    /// The `extendedRequestId`. Only the gateway chooses it.
    pub(crate) extended: Option<String>,
}

impl RequestIds {
    /// Reads them from the gateway's request context.
    pub(crate) fn of(request: &Request) -> Self {
        let (id, extended) = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV1(context)) => {
                // `lambda_http` has no field for it.
                let extended = context.other.get("extendedRequestId").and_then(|id| id.as_str());
                (context.request_id.clone(), extended.map(str::to_owned))
            }
            _ => (None, None),
        };
        Self { request: id.unwrap_or_else(|| request.lambda_context().request_id), extended }
    }
}
