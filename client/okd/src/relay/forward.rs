//! Passes requests on as they are.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, Method, header},
    response::Response,
};

use okd_client::url_of;

use super::{
    Relay,
    problem::{Answered, Problem},
};

/// Headers of one connection, which end at it (RFC 9110, section 7.6.1), and those that the next connection sets itself.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::EXPECT,
];

/// Passes a request on, and its answer back, each as it comes.
pub(super) async fn pass_on(relay: &Relay, request: Request) -> Answered {
    let (parts, body) = request.into_parts();
    let has_body =
        parts.headers.contains_key(header::CONTENT_LENGTH) || parts.headers.contains_key(header::TRANSFER_ENCODING);
    let body = has_body.then(|| reqwest::Body::wrap_stream(body.into_data_stream()));
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let answer = ask(relay, &parts.method, path, &parts.headers, body).await?;
    Ok(to_response(answer))
}

/// Asks the service at this path, with these headers.
pub(super) async fn ask(
    relay: &Relay,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: Option<reqwest::Body>,
) -> Answered<reqwest::Response> {
    let url = url_of(&relay.arguments.service, path);
    let mut request = relay.http.request(method.clone(), url).headers(end_to_end(headers));
    if let Some(body) = body {
        request = request.body(body);
    }
    request.send().await.map_err(|error| {
        tracing::warn!(error = %error.without_url(), "the service does not answer");
        Problem::try_again("The service does not answer at this moment. Repeat the request when Retry-After says.")
    })
}

/// The same answer to the relay's own client.
pub(super) fn to_response(answer: reqwest::Response) -> Response {
    let (status, headers) = (answer.status(), end_to_end(answer.headers()));
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The headers that go on to the other side.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    // What `Connection` names is of the connection too.
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let of_connection =
        |name: &HeaderName| OF_THE_CONNECTION.contains(name) || named.iter().any(|other| other == name.as_str());
    headers.iter().filter(|(name, _)| !of_connection(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}
