//! Passes requests on as they are.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::request::Parts,
    response::Response,
};

use okd_client::url_of;

use super::{
    Relay,
    headers::end_to_end,
    problem::{Answered, Problem},
};

/// The time until an answer begins, that of a small body on a slow line included.
const TO_ANSWER: Duration = Duration::from_mins(3);

/// Passes a request on, and its answer back, each as it comes.
pub(super) async fn pass_on(relay: &Relay, request: Request) -> Answered {
    let (parts, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let body = has_body.then(|| reqwest::Body::wrap_stream(body.into_data_stream()));
    Ok(to_response(ask(relay, &parts, body).await?))
}

/// Asks the service with this head and this body.
pub(super) async fn ask(relay: &Relay, parts: &Parts, body: Option<reqwest::Body>) -> Answered<reqwest::Response> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = url_of(&relay.arguments.service, path);
    let mut request = relay.http.request(parts.method.clone(), url).headers(end_to_end(&parts.headers));
    if let Some(body) = body {
        request = request.body(body);
    }
    let silent =
        || Problem::try_again("The service does not answer at this moment. Repeat the request when Retry-After says.");
    let answer = tokio::time::timeout(TO_ANSWER, request.send()).await.map_err(|_| silent())?;
    answer.map_err(|error| {
        tracing::warn!(error = %error.without_url(), "the service does not answer");
        silent()
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
