//! The keys of one issuer, as long as this process lives.
//!
//! They are fetched when they are first needed; again, in the background, when they are [`FRESH`] old; and, for
//! a token with a key that is not known, at once, but at most every [`UNKNOWN`]. While the issuer is down, the last
//! good ones go on serving for a day. Lambda freezes a process between requests: what has been asleep for
//! [`STALE`] asks again before it believes what it knew.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::fetch::{FetchError, Fetcher};
use crate::{
    Error, Result,
    tenant::{Issuer, KeyUrl, Tenant},
};

/// When keys are fetched again, while the known ones serve.
const FRESH: Duration = Duration::from_mins(5);
/// When keys are fetched again before they serve: a key that the issuer has withdrawn serves no longer than this.
const STALE: Duration = Duration::from_mins(15);
/// How long keys serve while their issuer is down.
const KEPT: Duration = Duration::from_hours(24);
/// How often an issuer is asked for a key that is not known.
const UNKNOWN: Duration = Duration::from_secs(30);
/// How long an issuer that is down is left alone.
const DOWN: Duration = Duration::from_secs(5);
/// Members of a key that only its owner may have (RFC 7518, section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Bits of an RSA modulus, at least (RFC 7518, section 3.3).
const MIN_RSA: usize = 2048;

/// The keys of one issuer.
pub(super) struct Keys {
    issuer: Issuer,
    jwks: Option<KeyUrl>,
    fetcher: Arc<Fetcher>,
    state: Mutex<State>,
}

/// What is known at some time.
#[derive(Default)]
struct State {
    set: Vec<Arc<Key>>,
    /// When these were fetched.
    fetched: Option<Instant>,
    /// When the issuer did not answer.
    failed: Option<Instant>,
    /// When it was asked for a key that was not known.
    asked_for_unknown: Option<Instant>,
    /// Whether it is being asked in the background.
    refreshing: bool,
    /// Where its discovery document says that the keys are.
    discovered: Option<KeyUrl>,
}

/// A key that signatures can be checked with.
pub(super) struct Key {
    id: String,
    /// What it may have signed: by its `kty` and, where it has one, its `alg`.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

impl Keys {
    /// The keys of this tenant's issuer, not fetched yet.
    pub(super) fn of(tenant: &Tenant, fetcher: Arc<Fetcher>) -> Self {
        Self {
            issuer: tenant.issuer.clone(),
            jwks: tenant.jwks.clone(),
            fetcher,
            state: Mutex::default(),
        }
    }

    /// The key of this id that may have signed by this algorithm, if the issuer publishes one.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: &str,
        algorithm: Algorithm,
    ) -> Result<Option<Arc<Key>>> {
        // Held while the issuer is asked: whoever else needs its answer waits for this one.
        let mut state = self.state.lock().await;
        let before = state.fetched;
        let age = before.map(|at| at.elapsed());
        if age.is_none_or(|age| age >= STALE) && !within(state.failed, DOWN) {
            self.refresh(&mut state).await;
        }
        let usable = state.fetched.is_some_and(|at| at.elapsed() < KEPT);
        if !usable {
            return Err(Error::unavailable(
                "fetching an issuer's keys",
                "it does not answer",
            ));
        }
        if let Some(key) = state.find(id, algorithm) {
            if age.is_some_and(|age| age >= FRESH)
                && !state.refreshing
                && !within(state.failed, UNKNOWN)
            {
                state.refreshing = true;
                let keys = Arc::clone(self);
                tokio::spawn(async move { keys.refresh_behind().await });
            }
            return Ok(Some(key));
        }
        if state.fetched == before && !within(state.asked_for_unknown, UNKNOWN) {
            state.asked_for_unknown = Some(Instant::now());
            self.refresh(&mut state).await;
        }
        Ok(state.find(id, algorithm))
    }

    /// Nobody waits for this one: the lock is taken only to write down what came of it.
    async fn refresh_behind(&self) {
        let known = self.state.lock().await.discovered.clone();
        let fetched = self.fetch(known).await;
        let mut state = self.state.lock().await;
        state.refreshing = false;
        self.note(&mut state, fetched);
    }

    async fn refresh(&self, state: &mut State) {
        let fetched = self.fetch(state.discovered.clone()).await;
        self.note(state, fetched);
    }

    fn note(&self, state: &mut State, fetched: Result<Fetched, FetchError>) {
        match fetched {
            Ok(fetched) => {
                state.set = fetched.set;
                state.discovered = fetched.discovered;
                state.fetched = Some(Instant::now());
                state.failed = None;
            }
            Err(error) => {
                let error = with_causes(error.as_ref());
                tracing::warn!(issuer = %self.issuer, error, "an issuer's keys cannot be fetched");
                state.failed = Some(Instant::now());
                // Perhaps they have moved.
                state.discovered = None;
            }
        }
    }

    async fn fetch(&self, discovered: Option<KeyUrl>) -> Result<Fetched, FetchError> {
        let discovered = match (&self.jwks, discovered) {
            (Some(_), _) => None,
            (None, Some(known)) => Some(known),
            (None, None) => Some(discover(&self.fetcher, &self.issuer).await?),
        };
        let Some(url) = self.jwks.as_ref().or(discovered.as_ref()) else {
            return Err("the issuer publishes no keys".into());
        };
        let set = parse(&self.fetcher.get(url).await?)?;
        Ok(Fetched { set, discovered })
    }
}

struct Fetched {
    set: Vec<Arc<Key>>,
    discovered: Option<KeyUrl>,
}

impl State {
    fn find(&self, id: &str, algorithm: Algorithm) -> Option<Arc<Key>> {
        let wanted = |key: &&Arc<Key>| key.id == id && key.algorithms.contains(&algorithm);
        self.set.iter().find(wanted).cloned()
    }
}

/// How many keys a tenant's tokens can be checked with at this moment; for whoever adds the tenant.
pub async fn count(tenant: &Tenant, fetcher: &Fetcher) -> Result<usize, FetchError> {
    let url = match &tenant.jwks {
        Some(url) => url.clone(),
        None => discover(fetcher, &tenant.issuer).await?,
    };
    let usable = |key: &Arc<Key>| {
        let accepts = |algorithm| tenant.accepts(algorithm);
        key.algorithms.iter().copied().any(accepts)
    };
    let keys = parse(&fetcher.get(&url).await?)?;
    Ok(keys.iter().filter(|key| usable(key)).count())
}

/// Where the issuer's discovery document says that its keys are. That must be the issuer's own (RFC 8414,
/// section 3.3).
async fn discover(fetcher: &Fetcher, issuer: &Issuer) -> Result<KeyUrl, FetchError> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: KeyUrl,
    }
    let document = fetcher.get(&issuer.discovery()).await?;
    let document: Discovery = serde_json::from_slice(&document)?;
    if document.issuer != issuer.to_string() {
        return Err(format!(
            "the discovery document of {issuer} is {}'s",
            document.issuer
        )
        .into());
    }
    Ok(document.jwks_uri)
}

/// The keys of a set that signatures can be checked with; what else is in it is none of our business (RFC 7517,
/// section 5).
pub(super) fn parse(text: &[u8]) -> Result<Vec<Arc<Key>>, FetchError> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(text)?;
    let keys: Vec<_> = set.keys.iter().filter_map(key).map(Arc::new).collect();
    if keys.is_empty() {
        return Err("the issuer publishes no key for signatures".into());
    }
    Ok(keys)
}

fn key(value: &Value) -> Option<Key> {
    // Whoever reads the set could sign with such a key.
    if PRIVATE.iter().any(|member| value.get(member).is_some()) {
        return None;
    }
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let algorithms = algorithms(&jwk);
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let id = jwk.common.key_id?;
    (!algorithms.is_empty()).then_some(Key {
        id,
        algorithms,
        decoding,
    })
}

/// The algorithms that `key` may be used with; none for a key that is not for signatures.
fn algorithms(key: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let common = &key.common;
    let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let verifies = common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !signs || !verifies {
        return Vec::new();
    }
    let by_type: &[Algorithm] = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) if bits(&rsa.n) >= MIN_RSA => {
            &[RS256, RS384, RS512, PS256, PS384, PS512]
        }
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => &[],
    };
    let pinned = common.key_algorithm;
    by_type
        .iter()
        .copied()
        .filter(|&algorithm| pinned.is_none_or(|pinned| pinned == algorithm.into()))
        .collect()
}

/// How many bits a number has, in base64.
fn bits(base64url: &str) -> usize {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes = URL_SAFE_NO_PAD.decode(base64url).unwrap_or_default();
    let first = bytes.iter().position(|&byte| byte != 0);
    first.map_or(0, |first| {
        (bytes.len() - first) * 8 - bytes[first].leading_zeros() as usize
    })
}

fn within(since: Option<Instant>, time: Duration) -> bool {
    since.is_some_and(|at| at.elapsed() < time)
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ec(more: &Value) -> Value {
        // RFC 7515, appendix A.3.
        let mut key = json!({
            "kty": "EC", "crv": "P-256", "kid": "1",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            key[name] = value.clone();
        }
        key
    }

    fn rsa(bits: usize) -> Value {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let n = URL_SAFE_NO_PAD.encode(vec![0xff; bits / 8]);
        json!({ "kty": "RSA", "kid": "1", "n": n, "e": "AQAB" })
    }

    #[test]
    fn a_key_signs_by_its_type_and_its_alg_if_it_is_for_signatures() {
        let algorithms = |value: &Value| key(value).map(|key| key.algorithms);
        assert_eq!(algorithms(&ec(&json!({}))), Some(vec![Algorithm::ES256]));
        assert_eq!(
            algorithms(&ec(&json!({ "use": "sig", "alg": "ES256" }))),
            Some(vec![Algorithm::ES256])
        );
        assert_eq!(algorithms(&rsa(2048)).unwrap().len(), 6);
        for unusable in [
            ec(&json!({ "use": "enc" })),
            ec(&json!({ "key_ops": ["sign"] })),
            ec(&json!({ "alg": "ES384" })),
            ec(&json!({ "alg": "HS256" })),
            ec(&json!({ "d": "AAAA" })),
            ec(&json!({ "kid": null })),
            json!({ "kty": "oct", "kid": "1", "k": "c2VjcmV0" }),
            json!({ "kty": "unheard-of", "kid": "1" }),
            rsa(1024),
        ] {
            assert_eq!(algorithms(&unusable), None, "{unusable}");
        }
    }

    #[test]
    fn what_is_odd_in_a_set_does_not_keep_us_from_the_rest() {
        let set = json!({ "keys": [null, "x", { "kty": "RSA" }, { "kty": "RSA", "use": "enc", "alg": "RSA-OAEP" }, ec(&json!({}))] });
        assert_eq!(parse(set.to_string().as_bytes()).unwrap().len(), 1);
        for nothing in [
            "",
            "[]",
            "{}",
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "oct", "k": "AA", "kid": "1"}]}"#,
        ] {
            assert!(parse(nothing.as_bytes()).is_err(), "{nothing}");
        }
    }
}
