//! What the relay refuses by itself, worded as the service would (RFC 9457). Types are the service's own.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use okd_client::Refused;
use okd_form::fault::FormFault;
use serde_json::{Value, json};

use super::headers::end_to_end;

/// A refusal.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// The service's own answer, or one of ours.
    body: Value,
    headers: HeaderMap,
    retry_after: Option<u64>,
}

/// A refusal, or an answer that stands for one.
pub(super) type Answered<T = Response> = std::result::Result<T, Box<Problem>>;

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &str, detail: &str) -> Box<Self> {
        let id = uuid::Uuid::new_v4();
        tracing::warn!(request_id = %id, status = status.as_u16(), kind, detail, "refused");
        let body = json!({
            "type": format!("urn:problem-type:okd:{kind}"),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
            "requestId": id,
        });
        Box::new(Self::of(status, body))
    }

    /// The request is none.
    pub(super) fn malformed_form(detail: &str) -> Box<Self> {
        Self::new(StatusCode::BAD_REQUEST, "malformed-form", "The form cannot be read", detail)
    }

    /// The metadata are no JSON.
    pub(super) fn malformed_json(detail: &str) -> Box<Self> {
        Self::new(StatusCode::BAD_REQUEST, "malformed-json", "The metadata is not JSON", detail)
    }

    /// The metadata are none that OKD knows.
    pub(super) fn invalid_metadata(detail: &str) -> Box<Self> {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-metadata", "The metadata breaks a rule", detail)
    }

    /// The file has another size than declared.
    pub(super) fn size_mismatch(declared: u64, size: u64) -> Box<Self> {
        let detail = format!(
            "documentSize says {declared} bytes, but the file has {size}. Nothing was stored: find out which is right and send \
             it again."
        );
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "size-mismatch", "Not the size declared", &detail)
    }

    /// There is more metadata than any tenant may have.
    pub(super) fn metadata_too_large(limit: usize) -> Box<Self> {
        let detail = format!("The metadata has more than {limit} bytes. Send ids instead of expanded objects.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "metadata-too-large", "The metadata is too large", &detail)
    }

    /// The header is none.
    pub(super) fn invalid_idempotency_key() -> Box<Self> {
        let detail = "The Idempotency-Key is not visible ASCII. Send a UUID.";
        Self::new(StatusCode::BAD_REQUEST, "invalid-idempotency-key", "The Idempotency-Key cannot be used", detail)
    }

    /// The method is for other servers.
    pub(super) fn no_such_method() -> Box<Self> {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not served here",
            "CONNECT and TRACE are not served.",
        )
    }

    /// The request is larger than this relay takes.
    pub(super) fn too_large(limit: u64) -> Box<Self> {
        let detail =
            format!("The request has more than the {limit} bytes that this relay takes in one. Nothing was stored.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "document-too-large", "The document is too large", &detail)
    }

    /// The sender has been silent for too long.
    pub(super) fn silent(seconds: u64) -> Box<Self> {
        let detail = format!(
            "Nothing came for {seconds} seconds in the middle of the request. Nothing was stored: send it again."
        );
        Self::new(StatusCode::REQUEST_TIMEOUT, "request-timeout", "Request broken off", &detail)
    }

    /// Something is full, or does not answer, at this moment.
    pub(super) fn try_again(detail: &str) -> Box<Self> {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "try-again", "Temporarily unavailable", detail);
        Box::new(Self { retry_after: Some(5), ..*problem })
    }

    /// A refusal of the service's, as it is.
    pub(super) fn like(Refused { status, problem }: Refused) -> Box<Self> {
        let again = matches!(status, 429 | 503);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        Box::new(Self { retry_after: again.then_some(5), ..Self::of(status, problem) })
    }

    /// The same, with the headers that it came with.
    pub(super) async fn of_service(answer: reqwest::Response) -> Box<Self> {
        let (status, headers) = (answer.status(), end_to_end(answer.headers()));
        let body = answer.text().await.unwrap_or_default();
        Box::new(Self { headers, ..Self::of(status, serde_json::from_str(&body).unwrap_or_default()) })
    }

    /// The last word of its type.
    pub(super) fn kind(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default()
    }

    fn of(status: StatusCode, body: Value) -> Self {
        Self { status, body, headers: HeaderMap::new(), retry_after: None }
    }
}

impl From<FormFault> for Box<Problem> {
    fn from(fault: FormFault) -> Self {
        let detail = fault.to_string();
        match fault {
            FormFault::Malformed(_) => Problem::malformed_form(&detail),
            _ => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-form",
                "The form is not one metadata and one file",
                &detail,
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.to_string()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(self.retry_after.map(|seconds| (header::RETRY_AFTER, seconds.into())));
        response
    }
}
