//! The answers of use cases, as they look on our wire.

use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};
use okd_core::{
    document::Content,
    ids::{ContentId, DocumentId},
    parts::DocumentSize,
    stores::PartLink,
    use_cases::UploadView,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::links::Paths;

/// An answer in JSON.
pub(crate) fn answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    in_json(status, serde_json::to_string(body).expect("an answer has texts for keys"))
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

/// A document's id, and what is said of its upload.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfUpload<U> {
    pub(crate) dms_document_id: DocumentId,
    pub(crate) upload: U,
}

/// An open upload on our wire: what to send, where, and what to call then. (Written as it is, and not as a tree of JSON
/// first: with 64 parts that would be most of an answer's work.)
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenUpload<'a> {
    state: &'static str,
    document_size: DocumentSize,
    part_size: u64,
    part_count: i32,
    parts_received: usize,
    expires_at: Timestamp,
    parts: Vec<PartToSend<'a>>,
    complete: Link,
    status: Link,
    abort: Link,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartToSend<'a> {
    part_number: i32,
    offset: u64,
    size: u64,
    method: &'static str,
    href: &'a str,
    /// None that a sender must set.
    headers: Headers,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct Headers {}

/// A request to make next.
#[derive(Serialize)]
pub(crate) struct Link {
    method: &'static str,
    href: String,
}

/// What a view of an upload says, on our wire.
pub(crate) fn open_upload<'a>(id: DocumentId, view: &'a UploadView, paths: &Paths) -> OpenUpload<'a> {
    let part = |link: &'a PartLink| PartToSend {
        part_number: link.part.number,
        offset: link.part.offset,
        size: link.part.size,
        method: "PUT",
        href: &link.href,
        headers: Headers {},
        expires_at: link.expires_at,
    };
    OpenUpload {
        state: if view.missing.is_empty() { "received" } else { "uploading" },
        document_size: view.plan.size,
        part_size: view.plan.part_size,
        part_count: view.plan.count(),
        parts_received: view.parts_received(),
        expires_at: view.expires_at,
        parts: view.missing.iter().map(part).collect(),
        complete: Link { method: "POST", href: paths.complete(id, &view.content_id) },
        status: link_to_upload(id, &view.content_id, paths),
        abort: Link { method: "DELETE", href: paths.upload(id, &view.content_id) },
    }
}

/// An upload on our wire whose bytes are being compared with what was declared.
pub(crate) fn verifying_json(id: DocumentId, content: &Content, paths: &Paths) -> Value {
    json!({
        "state": "verifying",
        "documentSize": content.size,
        "complete": Link { method: "POST", href: paths.complete(id, &content.content_id) },
        "status": link_to_upload(id, &content.content_id, paths),
    })
}

/// Where an upload tells how far it is.
pub(crate) fn link_to_upload(id: DocumentId, content_id: &ContentId, paths: &Paths) -> Link {
    Link { method: "GET", href: paths.upload(id, content_id) }
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
