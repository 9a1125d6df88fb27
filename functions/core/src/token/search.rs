//! Keys that are to be fetched: those that a token has and are not known, and all of them every few minutes.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    fetch::{FetchError, Fetcher},
    keys::{UNKNOWN, is_due, usable},
};
use crate::{
    Result,
    ids::TenantId,
    stores::{Claim, StoredKeys, Tenants},
    tenant::{Issuer, KeyPlace, KeyUrl, Tenant},
};

/// The time that an issuer may take for its discovery document and its keys together.
const BUDGET: Duration = Duration::from_secs(2);
/// While a request waits, an issuer has as long as this many of its usual answers take, and at least [`LEAST_BUDGET`]:
/// one that hangs costs little...
const BUDGET_IN_USUAL: u64 = 20;
const LEAST_BUDGET: Duration = Duration::from_secs(1);
/// ...and least those who wait for another's fetch.
const WAIT_IN_USUAL: u64 = 4;
const LEAST_WAIT: Duration = Duration::from_millis(250);
/// The time between two looks at the other process's progress.
const LOOK: Duration = Duration::from_millis(15);
/// Issuers asked at once.
const AT_ONCE: usize = 16;

/// Asks an issuer for a key that is not known, if no process has within [`UNKNOWN`]; else waits a while for the one
/// that does. Says what is known then.
pub(super) async fn search(tenants: &Tenants, fetcher: &Fetcher, place: &KeyPlace) -> Result<StoredKeys> {
    let now = Timestamp::now();
    let mut known = match tenants.claim_keys(place, now, UNKNOWN).await? {
        Claim::Ours(known) => {
            let budget = usual(&known, BUDGET_IN_USUAL, LEAST_BUDGET);
            return fetch(tenants, fetcher, place, now, budget).await;
        }
        Claim::Others(known) => known,
    };
    let wait = usual(&known, WAIT_IN_USUAL, LEAST_WAIT);
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let end = known.asked_at.unwrap_or_default().saturating_add(wait);
    while known.fetched_at.max(known.failed_at) < known.asked_at && Timestamp::now().as_millisecond() < end {
        tokio::time::sleep(LOOK).await;
        known = match tenants.claim_keys(place, now, UNKNOWN).await? {
            Claim::Ours(known) | Claim::Others(known) => known,
        };
    }
    Ok(known)
}

/// So many times as long as the last fetch took, within bounds; what was never fetched may take long.
fn usual(known: &StoredKeys, times: u64, least: Duration) -> Duration {
    match known.fetched_at {
        Some(_) => Duration::from_millis(known.took.saturating_mul(times)).clamp(least, BUDGET),
        None => BUDGET,
    }
}

/// Fetches an issuer's keys and writes down what came of it, for everybody. `began` is the time at which they are asked
/// for.
async fn fetch(
    tenants: &Tenants,
    fetcher: &Fetcher,
    place: &KeyPlace,
    began: Timestamp,
    budget: Duration,
) -> Result<StoredKeys> {
    let clock = Instant::now();
    let answered = tokio::time::timeout(budget, published(fetcher, place)).await;
    match answered.unwrap_or_else(|elapsed| Err(elapsed.into())) {
        Ok(jwks) => {
            let took = clock.elapsed();
            tenants.note_keys(place, jwks, began, took).await
        }
        Err(error) => {
            tracing::warn!(issuer = %place.issuer, %error, "an issuer's keys cannot be fetched");
            tenants.note_failure(place, began).await
        }
    }
}

/// The usable keys that an issuer publishes at this moment, as a set.
pub async fn published(fetcher: &Fetcher, place: &KeyPlace) -> Result<String, FetchError> {
    let ask = async {
        let (url, given) = match &place.jwks {
            Some(url) => (url.clone(), url.clone()),
            None => {
                let given = place.issuer.discovery();
                (discover(fetcher, &place.issuer, &given).await?, given)
            }
        };
        let keys = usable(&fetcher.get(&url, &given).await?);
        keys.map_err(|error| format!("{url} is no JWKS: {error}").into())
    };
    tokio::time::timeout(BUDGET, ask).await?
}

/// Reads in an issuer's discovery document where its keys are, each time anew. The document must be the issuer's own
/// (RFC 8414, section 3.3).
async fn discover(fetcher: &Fetcher, issuer: &Issuer, url: &KeyUrl) -> Result<KeyUrl, FetchError> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: KeyUrl,
    }
    let document = fetcher.get(url, url).await?;
    let document: Discovery =
        serde_json::from_slice(&document).map_err(|error| format!("{url} is no discovery document: {error}"))?;
    if document.issuer != issuer.to_string() {
        return Err(format!("the discovery document of {issuer} is {}'s", document.issuer).into());
    }
    Ok(document.jwks_uri)
}

/// Fetches the keys of all tenants that are due at `now`. Gives the tenants whose issuers do not answer.
pub async fn refresh<'a>(
    table: &Tenants,
    tenants: &'a [Tenant],
    fetcher: &Fetcher,
    now: Timestamp,
) -> Vec<&'a TenantId> {
    let places = tenants.iter().filter(|tenant| tenant.removed.is_none());
    let places: HashSet<KeyPlace> = places.map(Tenant::key_place).collect();
    let silent: HashSet<KeyPlace> = stream::iter(places)
        .map(async |place| {
            let refreshed = refresh_one(table, fetcher, &place, now).await;
            let is_silent = refreshed.is_ok_and(|keys| keys.failed_at >= keys.fetched_at && keys.failed_at.is_some());
            (place, is_silent)
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(async |(place, is_silent)| is_silent.then_some(place))
        .collect()
        .await;
    let of_silent = tenants.iter().filter(|tenant| silent.contains(&tenant.key_place()));
    of_silent.map(|tenant| &tenant.tenant).collect()
}

async fn refresh_one(tenants: &Tenants, fetcher: &Fetcher, place: &KeyPlace, now: Timestamp) -> Result<StoredKeys> {
    let known = tenants.keys(place).await?;
    if is_due(&known, now) { fetch(tenants, fetcher, place, Timestamp::now(), BUDGET).await } else { Ok(known) }
}
