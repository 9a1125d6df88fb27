//! The Lambda function behind S3's events and the clock. No sender waits for its answer: it finishes what a
//! sender or another function left unfinished, verifies what could not be verified at once, writes a scanner's verdicts
//! down, expires what is past its time and removes what nothing points to. [`event`] is what it is told, the use cases are
//! `okd-core`'s, and how often each found something to do goes into the log and CloudWatch's metrics.

pub mod event;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use okd_core::{
    Result, Stores,
    config::{MetricsConfig, StoreConfig, TokenConfig},
    lambda::{self, Clock},
    metrics::{Measured, Meter, Metric},
    stores::{self, Tenants},
    tenant::Tenant,
    token::{self, Fetcher},
    use_cases::{self, Created, Screened, Swept, Verified},
};
use serde_json::Value;

use event::Event;

/// Cold start, then events until Lambda ends the process. Settings come from the environment; see
/// [`StoreConfig`].
pub async fn run(clock: Clock) -> Result<(), lambda_runtime::Error> {
    lambda::start_log();
    let tokens = TokenConfig::from_env()?;
    let sdk = stores::connect_in_lambda()?;
    let app = App {
        stores: Stores::new(&sdk, &StoreConfig::from_env()?),
        tenants: Tenants::new(&sdk, tokens.tenants_table),
        fetcher: Fetcher::new(tokens.private_issuers),
        clock,
        meter: Meter::new(MetricsConfig::from_env()?),
    };
    let app = &app;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let left = lambda::time_left(event.context.deadline);
        let mut measured = app.meter.begin();
        let calls = measured.calls();
        let handled = calls.of(handle(app, event.payload, left, &mut measured)).await;
        measured.write();
        handled.map_err(|error| {
            let cause = error.to_string();
            tracing::error!(cause, "an event is left to Lambda to send again");
            cause
        })
    }))
    .await
}

/// The state that a running function keeps between events.
struct App {
    stores: Stores,
    tenants: Tenants,
    fetcher: Fetcher,
    clock: Clock,
    meter: Meter,
}

/// Sees to one event, with this much time left. An error asks for the event again; one that cannot be read
/// would be no better the next time, so it is logged and done with.
async fn handle(app: &App, event: Value, left: Duration, measured: &mut Measured) -> Result<()> {
    match Event::read(event) {
        Ok(Event::Clock(now)) => {
            let until = Instant::now() + left.saturating_sub(use_cases::longest());
            let tenants = tenants(app).await;
            let (swept, ()) = tokio::join!(
                use_cases::sweep(&app.stores, &tenants, now, until),
                refresh_keys(app, &tenants, now, measured)
            );
            report(swept?, measured);
        }
        Ok(Event::LookThrough(time)) => {
            let now = time.unwrap_or_else(app.clock);
            let until = Instant::now() + left / 2;
            let looked = use_cases::look_through(&app.stores, &app.tenants, now, until).await?;
            tracing::info!(?looked, "looked through the bucket");
            measured.add(&[], &[(Metric::Strays, looked.strays)]);
        }
        Ok(Event::ObjectCreated { key, version }) => {
            let now = (app.clock)();
            let App { stores, tenants, .. } = app;
            let version = version.as_deref();
            let created = use_cases::on_object_created(stores, tenants, &key, version, now).await?;
            tracing::info!(key, ?created, "an object was created");
            let verified = match created {
                Created::Verified(Verified::Holds) => Metric::Verified,
                Created::Verified(Verified::Corrupt) => Metric::Corrupt,
                Created::Finished => Metric::Completed,
                _ => return Ok(()),
            };
            measured.add(&[], &[(verified, 1)]);
        }
        Ok(Event::Judged { key, verdict: None }) => tracing::warn!(key, "a scan came to no verdict"),
        Ok(Event::Judged { key, verdict: Some(verdict) }) => {
            let screened = use_cases::on_verdict(&app.stores, &key, verdict, (app.clock)()).await?;
            tracing::info!(key, ?screened, "a verdict came");
            measured.add(&[], &[(Metric::Quarantined, u64::from(screened == Screened::Quarantined))]);
        }
        Err(reason) => tracing::error!(reason, "an event cannot be read"),
    }
    Ok(())
}

/// Every tenant that there ever was. Where they cannot be read nothing is known of any, and the sweep does the rest.
async fn tenants(app: &App) -> Vec<Tenant> {
    app.tenants.ever().await.unwrap_or_else(|error| {
        let cause = error.to_string();
        tracing::error!(cause, "the tenants could not be read");
        Vec::new()
    })
}

/// Fetches the keys of all issuers before they are needed.
async fn refresh_keys(app: &App, tenants: &[Tenant], now: Timestamp, measured: &mut Measured) {
    let silent = token::refresh(&app.tenants, tenants, &app.fetcher, now).await;
    for tenant in &silent {
        tracing::warn!(%tenant, "the issuer of this tenant does not answer");
    }
    measured.add(&[], &[(Metric::IssuersDown, silent.len() as u64)]);
}

fn report(swept: Swept, measured: &mut Measured) {
    tracing::info!(?swept, "swept");
    measured.add(
        &[],
        &[
            (Metric::Completed, swept.completed),
            (Metric::Expired, swept.expired),
            (Metric::Verified, swept.verified),
            (Metric::Corrupt, swept.corrupt),
            (Metric::Quarantined, swept.quarantined),
            (Metric::Unscreened, swept.unscreened),
            (Metric::Mismatched, swept.mismatched),
            (Metric::Removed, swept.removed),
            (Metric::Waiting, swept.waiting),
            (Metric::Failed, swept.failed),
            (Metric::Left, swept.left),
            (Metric::SecondsLate, swept.seconds_late),
        ],
    );
}
