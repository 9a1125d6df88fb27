//! The keys of one issuer: which of them can check a signature, and how long they are believed. Pure rules, the time
//! given.
//!
//! They are in the table of tenants, where the reconcile function writes them every [`FRESH`] and every process finds
//! them. They serve for [`STALE`]: so long, at most, does a key that its issuer has withdrawn. While the issuer is
//! down, the last good ones go on serving for a day.

#[cfg(test)]
mod tests;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{fetch::FetchError, seen::Seen};
use crate::{stores::StoredKeys, tenant::Tenant};

/// The age at which keys are fetched again, while the known ones serve.
const FRESH: Duration = Duration::from_mins(5);
/// The time that keys serve, unless their issuer is known to be down.
const STALE: Duration = Duration::from_mins(15);
/// The time that keys serve while their issuer is down.
const KEPT: Duration = Duration::from_hours(24);
/// The time between two questions to an issuer for a key that is not known.
pub(super) const UNKNOWN: Duration = Duration::from_secs(30);
/// The time that an issuer that is down is left alone.
const DOWN: Duration = Duration::from_mins(1);
/// Members of a key that only its owner may have (RFC 7518, section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Bits of an RSA modulus: at least what RFC 7518, section 3.3, asks for, at most what signatures are checked with.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The keys of one issuer, as they were at some time.
pub(super) struct Keys {
    set: Set,
    times: StoredKeys,
}

type Set = Vec<Arc<Key>>;

/// A key that signatures can be checked with.
pub(super) struct Key {
    /// Its `kid`. A key without one is never found: no token can name it.
    id: Option<String>,
    /// The algorithms that it may have signed by: from its `kty` and, where it has one, its `alg`.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
    /// Tokens that it has signed.
    pub(super) seen: Seen,
}

/// The answer to a search for a key by its id.
pub(super) enum Found {
    /// It is this one.
    Key(Arc<Key>),
    /// The issuer publishes no such key.
    Nothing,
    /// It publishes keys, and none of them has an id.
    WithoutIds,
    /// The issuer has just been asked, and did not answer.
    Unavailable,
    /// The issuer is to be asked, or is being asked.
    Ask,
}

impl From<StoredKeys> for Keys {
    /// Keys that cannot be read are none: they are fetched again.
    fn from(times: StoredKeys) -> Self {
        let set = parse(times.jwks.as_bytes()).unwrap_or_default();
        Self { set, times }
    }
}

impl Keys {
    /// The key of this id that may have signed by this algorithm, as far as is known at `now`.
    pub(super) fn find(&self, id: &str, algorithm: Algorithm, now: Timestamp) -> Found {
        if self.serves(now)
            && let Some(key) = self.key(id, algorithm)
        {
            return Found::Key(key);
        }
        let StoredKeys { fetched_at, failed_at, asked_at, .. } = self.times;
        if !within(asked_at, UNKNOWN, now) || fetched_at.max(failed_at) < asked_at {
            return Found::Ask;
        }
        // It may well be a key of the issuer's: who could not ask cannot say.
        if failed_at >= asked_at {
            Found::Unavailable
        } else if !self.set.is_empty() && self.set.iter().all(|key| key.id.is_none()) {
            Found::WithoutIds
        } else {
            Found::Nothing
        }
    }

    fn serves(&self, now: Timestamp) -> bool {
        let is_younger = |limit| within(self.times.fetched_at, limit, now);
        is_younger(STALE) || (is_younger(KEPT) && within(self.times.failed_at, STALE, now))
    }

    fn key(&self, id: &str, algorithm: Algorithm) -> Option<Arc<Key>> {
        let wanted = |key: &&Arc<Key>| key.id.as_deref() == Some(id) && key.algorithms.contains(&algorithm);
        self.set.iter().find(wanted).cloned()
    }
}

/// Returns whether keys are to be fetched again at `now`, before they are needed.
pub(super) fn is_due(keys: &StoredKeys, now: Timestamp) -> bool {
    !within(keys.fetched_at, FRESH, now) && !within(keys.failed_at, DOWN, now)
}

/// Numbers of keys that a tenant's issuer publishes for the signatures that the tenant accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyCount {
    /// Keys that can verify a token.
    pub usable: usize,
    /// Keys that could, but have no `kid` by which a token names its key.
    pub without_id: usize,
}

/// Counts the keys of a set that a tenant's tokens can be checked with, for the operator who adds the tenant.
pub fn count(tenant: &Tenant, jwks: &str) -> Result<KeyCount, FetchError> {
    let accepted = |key: &&Arc<Key>| {
        let accepts = |algorithm| tenant.accepts(algorithm);
        key.algorithms.iter().copied().any(accepts)
    };
    let keys = parse(jwks.as_bytes())?;
    let keys = keys.iter().filter(accepted);
    let (named, nameless): (Vec<_>, Vec<_>) = keys.partition(|key| key.id.is_some());
    Ok(KeyCount { usable: named.len(), without_id: nameless.len() })
}

#[derive(Serialize, Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// The keys of a set that signatures can be checked with; what else is in it is none of our business (RFC 7517,
/// section 5). There may be none: the issuer has withdrawn them.
pub(super) fn parse(text: &[u8]) -> Result<Set, FetchError> {
    let published: Published = serde_json::from_slice(text)?;
    let keys = published.keys.iter().filter_map(key);
    Ok(keys.map(Arc::new).collect())
}

/// The same as a set of its own, to be stored.
pub(super) fn usable(text: &[u8]) -> Result<String, FetchError> {
    let mut published: Published = serde_json::from_slice(text)?;
    published.keys.retain(|value| key(value).is_some());
    Ok(serde_json::to_string(&published)?)
}

fn key(value: &Value) -> Option<Key> {
    // Every reader of the set could sign with such a key.
    if PRIVATE.iter().any(|member| value.get(member).is_some()) {
        return None;
    }
    let mut jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    if let AlgorithmParameters::RSA(rsa) = &mut jwk.algorithm {
        rsa.n = without_leading_zeros(&rsa.n)?;
        rsa.e = without_leading_zeros(&rsa.e)?;
    }
    let algorithms = algorithms(&jwk);
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let verifies = !algorithms.is_empty() && is_sound(&jwk.algorithm, &decoding)?;
    verifies.then_some(Key { id: jwk.common.key_id, algorithms, decoding, seen: Seen::default() })
}

/// Removes the zero bytes in front of a number in base64. Java writes one in front of numbers whose first bit is set,
/// against RFC 7518, section 2; signatures are only checked with numbers that have none.
fn without_leading_zeros(base64url: &str) -> Option<String> {
    let bytes = BASE64URL.decode(base64url).ok()?;
    let first = bytes.iter().position(|&byte| byte != 0)?;
    Some(BASE64URL.encode(&bytes[first..]))
}

/// Returns whether signatures can be checked with these numbers: an RSA key that is odd and of a sane size, a point
/// that is on its curve. (Of Ed25519 only the length is known before a signature is checked.)
fn is_sound(parameters: &AlgorithmParameters, key: &DecodingKey) -> Option<bool> {
    let parses = |algorithm: &'static dyn VerificationAlgorithm| {
        let bytes = key.try_get_as_bytes().ok()?;
        Some(ParsedPublicKey::new(algorithm, bytes).is_ok())
    };
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            let n = BASE64URL.decode(&rsa.n).ok()?;
            let e = BASE64URL.decode(&rsa.e).ok()?;
            let components = RsaPublicKeyComponents { n, e };
            let algorithm = &RSA_PKCS1_2048_8192_SHA256;
            let encoded = components.to_parsed_public_key(algorithm).ok()?;
            // Made of numbers, a key is not looked at; read from DER it is.
            Some(ParsedPublicKey::new(algorithm, encoded).is_ok())
        }
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => parses(&ECDSA_P256_SHA256_FIXED),
            EllipticCurve::P384 => parses(&ECDSA_P384_SHA384_FIXED),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(_) => parses(&ED25519),
        _ => None,
    }
}

/// The algorithms that `key` may be used with; none for a key that is not for signatures.
fn algorithms(key: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let common = &key.common;
    let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let verifies = common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    if !signs || !verifies {
        return Vec::new();
    }
    let by_type: &[Algorithm] = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) if RSA_BITS.contains(&bits(&rsa.n)) => {
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
    by_type.iter().copied().filter(|&algorithm| pinned.is_none_or(|pinned| pinned == algorithm.into())).collect()
}

/// The number of bits of a number in base64.
fn bits(base64url: &str) -> usize {
    let bytes = BASE64URL.decode(base64url).unwrap_or_default();
    let first = bytes.iter().position(|&byte| byte != 0);
    first.map_or(0, |first| (bytes.len() - first) * 8 - bytes[first].leading_zeros() as usize)
}

/// Returns whether a time, in milliseconds, is less than so long ago, by a clock that may have been set back since.
fn within(since: Option<i64>, time: Duration, now: Timestamp) -> bool {
    let age = |at| now.as_millisecond().saturating_sub(at);
    let limit = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    since.is_some_and(|at| age(at) < limit)
}
