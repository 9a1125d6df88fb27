//! The contract of the API, for who has no token yet.

use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};

use crate::response::{for_everybody, in_json};

/// The version of the contract (semver). Every answer has it in `API-Version`.
pub const VERSION: &str = "1.0.0";

/// `infra/openapi.yaml` in JSON. `OKD_WRITE=1 cargo test --test operations contract` makes it anew.
const CONTRACT: &str = include_str!("openapi.json");

/// `GET …/openapi.json`. Pages of every origin may read it (NL API Design Rules, `/core/publish-openapi`).
pub(crate) fn contract() -> Response<Body> {
    let mut response = for_everybody(in_json(StatusCode::OK, CONTRACT));
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
