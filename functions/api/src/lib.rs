//! The Lambda function behind the gateway. [`run`] is its whole life: a cold start, then one [`handle`] after the
//! other. A request flows one way: [`routes`] names the use case, one file for each noun reads the request, `okd-core`
//! does the work, and [`response`] or [`refusal`] words the answer.

mod app;
mod associations;
mod body;
mod change;
mod contract;
mod cors;
mod describe;
mod documents;
mod download;
mod event;
mod form;
mod kinds;
mod links;
mod lists;
mod problem;
mod refusal;
mod reply;
mod response;
mod routes;
mod service;
mod standing_problem;
mod throttle;
mod token_problem;
mod uploads;

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use http::{HeaderValue, Method};
use lambda_http::{Adapter, Request, RequestExt, Response, Service, StreamAdapter, lambda_runtime, service_fn};
use okd_core::{
    Error,
    caller::Caller,
    lambda::{self, Clock},
    metrics::Metric,
};
use tracing::Instrument;

pub use app::App;
pub use contract::VERSION;
pub use kinds::{Kind, TYPE};
pub use reply::ReplyBody;
pub use routes::{ROUTES, Route};

use refusal::Refusal;
use response::RequestIds;
use routes::Asked;

/// Time reserved for sending the response before the Lambda deadline.
const TO_ANSWER: Duration = Duration::from_secs(1);
/// The time that the gateway waits for the beginning of an answer (AWS's limit for a REST API, and a second less).
const GATEWAY_WAITS: Duration = Duration::from_secs(28);

/// Headers of every answer: to be asked for over TLS only, to be taken for nothing but what it says it is, to be shown in no
/// frame, and, unless it says otherwise, to be kept by no cache on the way, since it may hold URLs that are secrets; and
/// the contract's version. The template gives them to the gateway's own answers.
pub const SAFE_HEADERS: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cache-control", "no-store"),
    ("api-version", VERSION),
];

/// The policy of answers that have none of their own, for a browser that shows one. (A value in the template cannot hold the
/// quotes that its words need.)
const CONTENT_SECURITY_POLICY: (&str, &str) = ("content-security-policy", "default-src 'none'; frame-ancestors 'none'");

/// Cold start, then requests until Lambda ends the process. Settings come from the environment; see
/// [`okd_core::config`].
pub async fn run(clock: Clock) -> Result<(), lambda_http::Error> {
    lambda::start_log();
    let app = &App::from_env(clock)?;
    if app.streams {
        let mut adapter =
            StreamAdapter::from(service_fn(async |request| Ok::<_, lambda_http::Error>(handle(app, request).await)));
        return lambda_runtime::run(service_fn(move |event| adapter.call(event::readable_in_context(event)))).await;
    }
    let mut adapter = Adapter::from(service_fn(async |request| {
        let (head, body) = handle(app, request).await.into_parts();
        let body = body.whole().ok_or("a stream, for a gateway that takes none")?;
        Ok::<_, lambda_http::Error>(Response::from_parts(head, body))
    }));
    lambda_runtime::run(service_fn(move |event| adapter.call(event::readable_in_context(event)))).await
}

/// Answers one request; a refusal or failure is an answer too.
pub async fn handle(app: &App, request: Request) -> Response<ReplyBody> {
    let ids = RequestIds::of(&request);
    let trace = request.lambda_context().xray_trace_id;
    let span = tracing::info_span!("request", requestId = ids.request, extendedRequestId = ids.extended, trace);
    let page = cors::Page::of(&app.origins, request.headers());
    let mut response = survive(answer(app, request, &ids), &ids).instrument(span).await;
    for (name, value) in SAFE_HEADERS.into_iter().chain([CONTENT_SECURITY_POLICY]) {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Some(page) = page {
        page.allow(response.headers_mut());
    }
    response
}

// With `abort` no panic could be an answer.
const _: () = assert!(cfg!(panic = "unwind"), "the release profile must unwind");

/// Answers 500 where `answer` panics. Nothing of a request outlives it but the bytes of a file, so no other sees what was left half done.
async fn survive(answer: impl Future<Output = Response<ReplyBody>>, ids: &RequestIds) -> Response<ReplyBody> {
    let answered = AssertUnwindSafe(answer).catch_unwind().await;
    answered.unwrap_or_else(|_| {
        let problem = refusal::problem(&Refusal::Panicked);
        problem.log();
        problem.render(ids).map(Into::into)
    })
}

async fn answer(app: &App, request: Request, ids: &RequestIds) -> Response<ReplyBody> {
    let began = Instant::now();
    let mut measured = app.meter.begin();
    let mut caller = None;
    let method = request.method().clone();
    let at = routes::at(request.raw_http_path());
    let name = at.as_ref().map_or("none", |at| at.route.path);
    let answered = match at {
        Ok(at) if method == Method::OPTIONS => Ok(response::options(at.route.methods).map(Into::into)),
        Ok(at) => match routes::find(&method, &at) {
            Ok(asked) => measured.calls().of(call_in_time(app, asked, request, &mut caller)).await,
            Err(refusal) => Err(refusal),
        },
        Err(refusal) => Err(refusal),
    };
    let response = answered.unwrap_or_else(|refusal| {
        let problem = refusal::problem(&refusal);
        measured.add(&[("Problem", problem.kind.name())], &[(Metric::Refusals, 1)]);
        if let Refusal::Core(Error::IssuerUnavailable(tenant)) = &refusal {
            measured.add(&[("Tenant", &tenant.to_string())], &[(Metric::IssuerUnavailable, 1)]);
        }
        problem.log();
        problem.render(ids).map(Into::into)
    });
    tracing::info!(
        %method,
        route = name,
        tenant = caller.as_ref().map(|caller| tracing::field::display(&caller.tenant)),
        client = caller.as_ref().map(|caller| &caller.client),
        token_id = caller.as_ref().and_then(|caller| caller.token.as_ref()),
        status = response.status().as_u16(),
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    measured.write();
    response
}

/// Calls the use case, and cancels it when its time is over. Cancelling a use case is safe: every step tolerates a
/// crash.
async fn call_in_time(
    app: &App,
    asked: Asked,
    request: Request,
    caller: &mut Option<Caller>,
) -> Result<Response<ReplyBody>, Refusal> {
    let left = lambda::time_left(request.lambda_context().deadline);
    let left = left.min(GATEWAY_WAITS).saturating_sub(TO_ANSWER);
    // In a box: it is large, and every future around it would be too.
    let use_case = Box::pin(routes::call(app, asked, request, caller));
    match tokio::time::timeout(left, use_case).await {
        Ok(answered) => answered,
        Err(_) => routes::out_of_time(asked).map(|answer| answer.map(Into::into)),
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_of_500_and_ends_no_process() {
        let ids = RequestIds { request: "1".to_owned(), extended: None };
        let answer = survive(async { panic!("on purpose") }, &ids).await;
        assert_eq!(answer.status(), 500);
        assert!(
            matches!(answer.body(), ReplyBody::Whole(Body::Text(text)) if text.contains("internal-error")),
            "{answer:?}"
        );
    }
}
