//! A refusal as an RFC 9457 problem document. Its `detail` is for the sender; the cause of a failure goes to the log
//! only.

use http::{HeaderName, HeaderValue, header};
use lambda_http::{Body, Response};
use serde_json::{Value, json};

use crate::{
    kinds::{Kind, TYPE},
    response::{RequestIds, answer},
};

/// A problem document in the making. (No `Debug`: an upload in it has URLs that are secrets.)
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    detail: String,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, String)>,
    log: Log,
}

/// The log's part of a problem besides its kind.
enum Log {
    /// The request was at fault; more of why where there is more than the kind.
    Refused(Option<String>),
    /// The service was, and this is the cause.
    Failed(String),
}

impl Problem {
    /// A problem of this kind, with the text that says to the sender what to do.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), members: Vec::new(), headers: Vec::new(), log: Log::Refused(None) }
    }

    /// With this member besides those of RFC 9457.
    pub(crate) fn member(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }

    /// With this header.
    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the seconds after which to repeat the request.
    pub(crate) fn retry_after(self, seconds: &str) -> Self {
        self.header(header::RETRY_AFTER, seconds)
    }

    /// With a reason that the log has and the sender does not.
    pub(crate) fn because(self, reason: String) -> Self {
        Self { log: Log::Refused(Some(reason)), ..self }
    }

    /// The problem as a failure of the service's own, with its cause for the log.
    pub(crate) fn failed(self, cause: String) -> Self {
        Self { log: Log::Failed(cause), ..self }
    }

    /// Writes the problem into the log.
    pub(crate) fn log(&self) {
        let problem = self.kind.name();
        match &self.log {
            Log::Refused(reason) => tracing::info!(problem, reason, "refused"),
            Log::Failed(cause) => tracing::error!(problem, cause, "failed"),
        }
    }

    /// The response to the request with these ids.
    pub(crate) fn render(self, ids: &RequestIds) -> Response<Body> {
        let Self { kind, detail, members, headers, .. } = self;
        let mut body = json!({
            "type": format!("{TYPE}{}", kind.name()),
            "title": kind.title(),
            "status": kind.status().as_u16(),
            "detail": detail,
            "requestId": ids.request,
        });
        if let Some(extended) = &ids.extended {
            body["extendedRequestId"] = json!(extended);
        }
        for (name, value) in members {
            body[name] = value;
        }
        let mut response = answer(kind.status(), &body);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
