//! The paths in answers: of an upload, to follow, complete or abort it; of the contract.

use lambda_http::{Request, RequestExt, request::RequestContext};
use okd_core::ids::{ContentId, DocumentId};

/// The path that all others begin with.
pub(crate) const BASE: &str = "/okd/v1";

/// The URL of the contract, where the gateway says by which host it was called.
pub(crate) fn contract_url(request: &Request) -> Option<String> {
    let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref() else {
        return None;
    };
    let domain = context.domain_name.as_deref()?;
    Some(format!("https://{domain}{}{BASE}/openapi.json", base_path(request)))
}

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
        format!("{}{BASE}/documents/{id}/upload?upload={content_id}", self.base)
    }

    /// The completion of the same.
    pub(crate) fn complete(&self, id: DocumentId, content_id: &ContentId) -> String {
        format!("{}{BASE}/documents/{id}/upload/complete?upload={content_id}", self.base)
    }
}

/// The part before `/okd/v1` of the path that the client used: the stage, or a custom domain's base
/// path. Only the gateway's own request context has the former.
fn base_path(request: &Request) -> String {
    let path = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.path.as_deref(),
        _ => None,
    };
    let path = path.unwrap_or_else(|| request.raw_http_path());
    path.find(BASE).map_or("", |start| &path[..start]).to_owned()
}
