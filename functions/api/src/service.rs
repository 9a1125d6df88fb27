//! The service itself: what it is, for who has no token yet.

use http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, Response};
use okd_core::{
    config::ServiceConfig,
    parts::{MAX_DOCUMENT, MAX_INLINE_FILE},
};
use serde_json::json;

use crate::response::answer;

/// The standard that is served, by its `OpenAPI`.
const SPECIFICATION: &str =
    "https://github.com/Onderwijs-Koppelingen-OKx/OKD-Document-Management/blob/main/specification/v5/spec.yaml";
/// The version of the `nl-okd` consumer that is understood; older spellings of it are too.
const CONSUMER_VERSION: &str = "1.5.0";

/// `GET` of the API's base: OOAPI's `Service`. The same for everybody, so that it may be kept for five minutes.
pub(crate) fn describe(config: &ServiceConfig) -> Response<Body> {
    let body = json!({
        "contactEmail": config.contact_email,
        "specification": SPECIFICATION,
        "documentation": config.documentation,
        "supportedVersions": ["v5"],
        "supportedConsumers": [{ "consumerKey": "nl-okd", "version": CONSUMER_VERSION }],
        "ext": {
            "okd": {
                "version": env!("CARGO_PKG_VERSION"),
                "documentSizeLimit": MAX_DOCUMENT,
                "inlineFileLimit": MAX_INLINE_FILE,
            },
        },
    });
    let mut response = answer(StatusCode::OK, &body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    response
}
