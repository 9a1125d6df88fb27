//! The keys of one issuer, as long as this process lives.
//!
//! They are fetched when they are first needed; again, in the background, when they are [`FRESH`] old; and, for
//! a token with a key that is not known, at once, but at most every [`UNKNOWN`]. While the issuer is down, the last
//! good ones go on serving for a day. Lambda freezes a process between requests: what has been asleep for
//! [`STALE`] asks again before it believes what it knew, and what was being fetched when it fell asleep is as old as that.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    age,
    fetch::{FetchError, Fetcher},
};
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
/// How long an issuer that is down is left alone, while there are keys that serve...
const DOWN: Duration = Duration::from_mins(1);
/// ...and while there are none.
const DOWN_AND_NEEDED: Duration = Duration::from_secs(5);
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

/// What is known at some time. Its times are the clock's: the monotonic one may stand still in a process that is frozen.
#[derive(Default)]
struct State {
    set: Set,
    /// When the fetch of these began.
    fetched: Option<SystemTime>,
    /// When the last fetch began, if it failed.
    failed: Option<SystemTime>,
    /// When the issuer was asked for a key that was not known.
    asked_for_unknown: Option<SystemTime>,
    /// Whether it is being asked in the background.
    refreshing: bool,
}

type Set = Vec<Arc<Key>>;

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
        let mut asked = false;
        let patience = if state.is_younger_than(KEPT) {
            DOWN
        } else {
            DOWN_AND_NEEDED
        };
        if !state.is_younger_than(STALE) && !within(state.failed, patience) {
            self.refresh(&mut state).await;
            asked = true;
        }
        if !state.is_younger_than(KEPT) {
            return Err(unavailable());
        }
        if let Some(key) = state.find(id, algorithm) {
            let is_due = !state.is_younger_than(FRESH) && !within(state.failed, DOWN);
            if is_due && !state.refreshing {
                state.refreshing = true;
                let keys = Arc::clone(self);
                tokio::spawn(async move { keys.refresh_behind().await });
            }
            return Ok(Some(key));
        }
        if !asked && !within(state.asked_for_unknown, UNKNOWN) {
            state.asked_for_unknown = Some(SystemTime::now());
            self.refresh(&mut state).await;
        }
        match state.find(id, algorithm) {
            // It may well be a key of the issuer's: who could not ask cannot say.
            None if within(state.failed, UNKNOWN) => Err(unavailable()),
            found => Ok(found),
        }
    }

    /// Nobody waits for this one: the lock is taken only to write down what came of it.
    async fn refresh_behind(&self) {
        let began = SystemTime::now();
        let fetched = published(&self.fetcher, &self.issuer, self.jwks.as_ref()).await;
        let mut state = self.state.lock().await;
        state.refreshing = false;
        self.note(&mut state, began, fetched);
    }

    async fn refresh(&self, state: &mut State) {
        let began = SystemTime::now();
        let fetched = published(&self.fetcher, &self.issuer, self.jwks.as_ref()).await;
        self.note(state, began, fetched);
    }

    fn note(&self, state: &mut State, began: SystemTime, fetched: Result<Set, FetchError>) {
        match fetched {
            Ok(set) => {
                state.set = set;
                state.fetched = Some(began);
                state.failed = None;
            }
            Err(error) => {
                tracing::warn!(issuer = %self.issuer, %error, "an issuer's keys cannot be fetched");
                state.failed = Some(began);
            }
        }
    }
}

fn unavailable() -> Error {
    Error::unavailable("fetching an issuer's keys", "it does not answer")
}

impl State {
    fn is_younger_than(&self, limit: Duration) -> bool {
        within(self.fetched, limit)
    }

    fn find(&self, id: &str, algorithm: Algorithm) -> Option<Arc<Key>> {
        let wanted = |key: &&Arc<Key>| key.id == id && key.algorithms.contains(&algorithm);
        self.set.iter().find(wanted).cloned()
    }
}

/// How many keys a tenant's tokens can be checked with at this moment; for whoever adds the tenant.
pub async fn count(tenant: &Tenant, fetcher: &Fetcher) -> Result<usize, FetchError> {
    let usable = |key: &Arc<Key>| {
        let accepts = |algorithm| tenant.accepts(algorithm);
        key.algorithms.iter().copied().any(accepts)
    };
    let keys = published(fetcher, &tenant.issuer, tenant.jwks.as_ref()).await?;
    Ok(keys.iter().filter(|key| usable(key)).count())
}

/// The keys that an issuer publishes at this moment.
async fn published(
    fetcher: &Fetcher,
    issuer: &Issuer,
    jwks: Option<&KeyUrl>,
) -> Result<Set, FetchError> {
    let url = locate(fetcher, issuer, jwks).await?;
    let set = parse(&fetcher.get(&url).await?);
    set.map_err(|error| format!("{url} is no JWKS: {error}").into())
}

/// Where an issuer's keys are: where its tenant says or else its discovery document, each time anew. That must be the
/// issuer's own (RFC 8414, section 3.3).
async fn locate(
    fetcher: &Fetcher,
    issuer: &Issuer,
    jwks: Option<&KeyUrl>,
) -> Result<KeyUrl, FetchError> {
    #[derive(Deserialize)]
    struct Discovery {
        issuer: String,
        jwks_uri: KeyUrl,
    }
    if let Some(url) = jwks {
        return Ok(url.clone());
    }
    let document = fetcher.get(&issuer.discovery()).await?;
    let document: Discovery = serde_json::from_slice(&document)
        .map_err(|error| format!("{} is no discovery document: {error}", issuer.discovery()))?;
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
/// section 5). There may be none: the issuer has withdrawn them.
pub(super) fn parse(text: &[u8]) -> Result<Set, FetchError> {
    #[derive(Deserialize)]
    struct Published {
        keys: Vec<Value>,
    }
    let published: Published = serde_json::from_slice(text)?;
    let keys = published.keys.iter().filter_map(key);
    Ok(keys.map(Arc::new).collect())
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

fn within(since: Option<SystemTime>, time: Duration) -> bool {
    since.is_some_and(|at| age(at) < time)
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
        for none in [
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "oct", "k": "AA", "kid": "1"}]}"#,
        ] {
            assert_eq!(parse(none.as_bytes()).unwrap().len(), 0, "{none}");
        }
        for nonsense in ["", "[]", "{}", r#"{"keys": {}}"#] {
            assert!(parse(nonsense.as_bytes()).is_err(), "{nonsense}");
        }
    }
}
