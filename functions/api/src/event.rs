//! The gateway's event, on its way to the request that `lambda_http` makes of it.

use http::HeaderMap;
use lambda_http::{LambdaEvent, aws_lambda_events::apigw::ApiGatewayProxyRequest, request::LambdaRequest};

/// Headers that `lambda_http` makes a URL of, and breaks down over where they are none: a client may send what it likes
/// in them. Nothing here reads them.
const OF_THE_URL: [&str; 2] = ["host", "x-forwarded-proto"];

/// Makes an event one that `lambda_http` can read, also where its client has sent nonsense.
pub(crate) fn readable(mut event: ApiGatewayProxyRequest) -> LambdaRequest {
    remove(&mut event.headers);
    remove(&mut event.multi_value_headers);
    LambdaRequest::ApiGatewayV1(event)
}

/// The same of an event with its context.
pub(crate) fn readable_in_context(event: LambdaEvent<ApiGatewayProxyRequest>) -> LambdaEvent<LambdaRequest> {
    let LambdaEvent { payload, context } = event;
    LambdaEvent::new(readable(payload), context)
}

fn remove(headers: &mut HeaderMap) {
    for name in OF_THE_URL {
        headers.remove(name);
    }
}

#[cfg(test)]
mod fuzz {
    use lambda_http::{Request, RequestExt};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{response::RequestIds, routes};

    /// Names of headers that a proxy on the way may read.
    const NAMES: [&str; 12] = [
        "host",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-for",
        "forwarded",
        "connection",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-amzn-trace-id",
        "x",
    ];

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec!["https, http", "a b", ":", "[::1", "a:99999", "", "é", "%", "http://"])
                .prop_map(str::to_owned),
            "[\\x20-\\x7e]{0,30}",
            "[\\x20-\\x7e\\u{a0}-\\u{2fff}]{0,12}",
        ]
    }

    proptest! {
        /// Every event becomes a request, with or without a route.
        #[test]
        fn whatever_event_a_gateway_sends_becomes_a_request(
            headers in prop::collection::btree_map(prop::sample::select(&NAMES[..]), value(), 0..6),
            path in "(/okd/v1/[a-z]{0,12})?/[\\x21-\\x7e]{0,40}|/.{0,20}|//[a-z:@\\[\\]]{0,8}/okd/v1/",
            query in prop::collection::btree_map("[\\x20-\\x7eé]{0,8}", prop::collection::vec(value(), 1..3), 0..3),
            method in prop::sample::select(vec!["GET", "PUT", "OPTIONS", "PATCH", "OKD"]),
        ) {
            let multi: serde_json::Map<_, _> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value, value]))).collect();
            let event = json!({
                "resource": "/okd/v1/{proxy}", "path": path, "httpMethod": method, "headers": headers,
                "multiValueHeaders": multi, "multiValueQueryStringParameters": query,
                "requestContext": { "path": path, "httpMethod": method, "stage": "live", "requestId": "1", "identity": {} },
                "body": null, "isBase64Encoded": false,
            });
            let event: ApiGatewayProxyRequest = serde_json::from_value(event).unwrap();
            let request: Request = readable(event).into();
            prop_assert_eq!(request.raw_http_path(), &path);
            let _ = routes::at(request.raw_http_path()).and_then(|at| routes::find(request.method(), &at));
            prop_assert_eq!(RequestIds::of(&request).request, "1");
        }
    }
}
