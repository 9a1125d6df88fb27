//! The Lambda function behind the gateway. [`run`] is its whole life: a cold start, then one
//! [`handle`] after the other. A request flows one way: [`routes`] names the use case, one file for each
//! noun reads the request and words the answer, `okd-core` does the work, and [`problem`] words whatever
//! was refused.

mod documents;
mod form;
mod problem;
mod routes;
mod uploads;

use std::time::{Duration, Instant};

use lambda_http::{Body, Request, RequestExt, Response, service_fn};
use okd_core::{
    Stores,
    config::{StoreConfig, TokenConfig},
    lambda,
    metrics::Measured,
    stores::{self, Tenants},
    token::Verifier,
};
use tracing::Instrument;

pub use routes::{ROUTES, Route};

/// What an answer takes to get out in time.
const TO_ANSWER: Duration = Duration::from_secs(1);

/// What a running function keeps between requests.
pub struct App {
    verifier: Verifier,
    stores: Stores,
}

/// Cold start, then requests until Lambda ends the process. Settings come from the environment; see
/// [`okd_core::config`].
pub async fn run() -> Result<(), lambda_http::Error> {
    lambda::start_log();
    let tokens = TokenConfig::from_env()?;
    let sdk = stores::connect().await;
    let app = App {
        verifier: Verifier::new(
            Tenants::new(&sdk, tokens.tenants_table),
            tokens.private_issuers,
        ),
        stores: Stores::new(&sdk, &StoreConfig::from_env()?),
    };
    let app = &app;
    lambda_http::run(service_fn(async |request| {
        Ok::<_, lambda_http::Error>(handle(app, request).await)
    }))
    .await
}

/// Answers one request; a refusal or failure is an answer too.
pub async fn handle(app: &App, request: Request) -> Response<Body> {
    let request_id = routes::request_id(&request);
    let trace = request.lambda_context().xray_trace_id;
    let span = tracing::info_span!("request", requestId = request_id, trace);
    answer(app, request, &request_id).instrument(span).await
}

async fn answer(app: &App, request: Request, request_id: &str) -> Response<Body> {
    let began = Instant::now();
    let mut measured = Measured::begin();
    let mut caller = None;
    let method = request.method().clone();
    let route = routes::find(request.method(), request.raw_http_path());
    let name = route.as_ref().map_or("none", |found| found.route.path);
    let answered = match route {
        Ok(found) => {
            let left =
                lambda::time_left(request.lambda_context().deadline).saturating_sub(TO_ANSWER);
            // Given up in the middle is no worse than the process dying there, and that is provided for.
            match tokio::time::timeout(left, routes::call(app, &found, request, &mut caller)).await
            {
                Ok(answered) => answered,
                Err(_) => routes::out_of_time(&found),
            }
        }
        Err(refusal) => Err(refusal),
    };
    let response = answered.unwrap_or_else(|refusal| {
        measured.add(
            &[("Problem", problem::word(&refusal))],
            &[("Refusals", "Count", 1)],
        );
        problem::render(&refusal, request_id)
    });
    tracing::info!(
        %method,
        route = name,
        tenant = caller.as_ref().map(|caller| tracing::field::display(&caller.tenant)),
        client = caller.as_ref().map(|caller| &caller.client),
        token = caller.as_ref().and_then(|caller| caller.token.as_ref()),
        status = response.status().as_u16(),
        milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    measured.write();
    response
}
