//! The paths in answers: of an upload, to follow, complete or abort it.

use lambda_http::{Request, RequestExt, request::RequestContext};
use okd_core::ids::{ContentId, DocumentId};

/// Makes the paths in answers.
pub(crate) struct Paths {
    base: String,
}

impl Paths {
    /// The paths for the answer to this request.
    pub(crate) fn of(request: &Request) -> Self {
        Self { base: base_path(request) }
    }

    /// The upload `version` of a document: for its status, and to abort it.
    pub(crate) fn upload(&self, id: DocumentId, content_id: &ContentId) -> String {
        format!("{}/okd/v1/documents/{id}/upload?upload={content_id}", self.base)
    }

    /// The completion of the same.
    pub(crate) fn complete(&self, id: DocumentId, content_id: &ContentId) -> String {
        format!("{}/okd/v1/documents/{id}/upload/complete?upload={content_id}", self.base)
    }
}

/// The part before `/okd/v1/` of the path that the client used: the stage, or a custom domain's base
/// path. Only the gateway's own request context has the former.
fn base_path(request: &Request) -> String {
    let path = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.path.as_deref(),
        _ => None,
    };
    let path = path.unwrap_or_else(|| request.raw_http_path());
    path.find("/okd/v1/").map_or("", |start| &path[..start]).to_owned()
}
