//! The service itself: what it is, for who has no token yet.

use http::StatusCode;
use lambda_http::{Body, Request, Response};
use okd_core::{
    config::ServiceConfig,
    parts::{MAX_INLINE_FILE, STANDARD_DOCUMENT},
};
use serde_json::json;

use crate::{
    links,
    response::{answer, for_everybody},
};

/// The standard that is served, by its `OpenAPI`.
const SPECIFICATION: &str =
    "https://github.com/Onderwijs-Koppelingen-OKx/OKD-Document-Management/blob/main/specification/v5/spec.yaml";
/// The version of the `nl-okd` consumer that is understood; older spellings of it are too.
const CONSUMER_VERSION: &str = "1.5.0";

/// `GET` of the API's base: OOAPI's `Service`. Its `specification` is our contract, by an absolute URL as OOAPI has it; the
/// standard's where the gateway does not say by which host it was called, as the local one does not.
pub(crate) fn describe(config: &ServiceConfig, request: &Request) -> Response<Body> {
    let body = json!({
        "contactEmail": config.contact_email,
        "specification": links::contract_url(request).unwrap_or_else(|| SPECIFICATION.to_owned()),
        "documentation": config.documentation,
        "supportedVersions": ["v5"],
        "supportedConsumers": [{ "consumerKey": "nl-okd", "version": CONSUMER_VERSION }],
        "ext": {
            "okd": {
                "version": env!("CARGO_PKG_VERSION"),
                "documentSizeLimit": STANDARD_DOCUMENT,
                "inlineFileLimit": MAX_INLINE_FILE,
            },
        },
    });
    for_everybody(answer(StatusCode::OK, &body))
}

#[cfg(test)]
mod tests {
    use lambda_http::request::LambdaRequest;

    use super::*;

    fn specification(context: &serde_json::Value) -> serde_json::Value {
        let event = json!({ "path": "/okd/v1", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {}, "requestContext": context });
        let request = LambdaRequest::ApiGatewayV1(serde_json::from_value(event).unwrap()).into();
        let config = ServiceConfig { contact_email: String::new(), documentation: String::new() };
        let Body::Text(body) = describe(&config, &request).into_body() else { panic!() };
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["specification"].take()
    }

    #[test]
    fn the_contract_is_named_by_the_host_and_the_path_that_the_client_used() {
        for (domain, path, url) in [
            ("a1.execute-api.eu-central-1.amazonaws.com", "/live/okd/v1", "/live/okd/v1/openapi.json"),
            ("dms.school.example", "/okd/v1/", "/okd/v1/openapi.json"),
        ] {
            let found = specification(&json!({ "httpMethod": "GET", "domainName": domain, "path": path }));
            assert_eq!(found, format!("https://{domain}{url}"));
        }
        assert_eq!(specification(&json!({ "httpMethod": "GET", "path": "/okd/v1" })), SPECIFICATION);
    }
}
