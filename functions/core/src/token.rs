//! Bearer tokens: from an `Authorization` header to a [`Caller`], by RFC 6750 and RFC 8725.
//!
//! The key that the issuer publishes decides which algorithms a token may have, never the token; keys are
//! fetched when first needed, kept, and fetched again when a token names one that is not known.

use std::time::{Duration, Instant};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    Error, Result,
    config::TokenConfig,
    error::TokenFault,
    tenant::{Caller, TenantId},
};

/// Scopes that allow handing in exam documents (OKD flow 2, "Authenticatie").
const SCOPES: [&str; 2] = ["okd:alldocuments", "okd:examdocuments"];
/// A longer token is refused unread.
const MAX_TOKEN: usize = 8 * 1024;
/// Keys are fetched again after this time...
const KEYS_FRESH: Duration = Duration::from_mins(10);
/// ...and for a key that is not known at most this often.
const KEYS_RETRY: Duration = Duration::from_secs(30);
/// An issuer's keys are a few KB.
const MAX_JWKS: usize = 256 * 1024;
/// Seconds by which clocks may differ.
const LEEWAY: u64 = 60;

/// Checks the tokens of one issuer, for one tenant.
pub struct Verifier {
    tenant: TenantId,
    issuer: String,
    audience: String,
    jwks_url: String,
    http: reqwest::Client,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    set: Option<JwkSet>,
    asked_at: Option<Instant>,
}

/// What we read of a token; `exp`, `nbf`, `iss` and `aud` are `jsonwebtoken`'s to check.
#[derive(Deserialize)]
struct Claims {
    client_id: Option<String>,
    azp: Option<String>,
    appid: Option<String>,
    sub: Option<String>,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    scp: Value,
    #[serde(default)]
    roles: Value,
}

impl Verifier {
    /// For the issuer, audience and tenant of `config`.
    pub fn new(config: &TokenConfig) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| {
                Error::unavailable("setting up the client for the issuer's keys", error)
            })?;
        Ok(Self {
            tenant: config.tenant.clone(),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            jwks_url: config.jwks_url.clone(),
            http,
            keys: Mutex::default(),
        })
    }

    /// The caller whose token the `Authorization` header holds, if that token may hand in documents.
    pub async fn caller(&self, authorization: Option<&str>) -> Result<Caller> {
        let token = bearer(authorization)?;
        let header = decode_header(token).map_err(|_| TokenFault::Malformed)?;
        let kind = header.typ.map(|typ| typ.to_ascii_lowercase());
        if !matches!(
            kind.as_deref(),
            None | Some("jwt" | "at+jwt" | "application/at+jwt")
        ) {
            return Err(TokenFault::Malformed.into());
        }
        let key_id = header.kid.ok_or(TokenFault::Signature)?;
        let key = self.key(&key_id).await?.ok_or(TokenFault::Signature)?;
        let claims = self.verify(token, &key, header.alg)?;
        if !claims.may_hand_in() {
            return Err(Error::MissingScope);
        }
        let client = claims.client()?;
        Ok(Caller {
            tenant: self.tenant.clone(),
            client,
        })
    }

    fn verify(&self, token: &str, key: &Jwk, algorithm: Algorithm) -> Result<Claims, TokenFault> {
        let mut validation = Validation::new(algorithm);
        validation.algorithms = algorithms(key);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let decoding = DecodingKey::from_jwk(key).map_err(|_| TokenFault::Signature)?;
        decode(token, &decoding, &validation)
            .map(|data| data.claims)
            .map_err(|error| fault(&error))
    }

    /// The issuer's key `kid`. Requests that need the same fetch wait for the one that does it.
    async fn key(&self, kid: &str) -> Result<Option<Jwk>> {
        let mut keys = self.keys.lock().await;
        let known = keys.set.as_ref().and_then(|set| set.find(kid)).cloned();
        let wait = if known.is_some() {
            KEYS_FRESH
        } else {
            KEYS_RETRY
        };
        if keys.asked_at.is_some_and(|at| at.elapsed() < wait) {
            return if keys.set.is_some() {
                Ok(known)
            } else {
                Err(issuer_is_down("it did not answer before"))
            };
        }
        keys.asked_at = Some(Instant::now());
        match self.fetch().await {
            Ok(set) => Ok(keys.set.insert(set).find(kid).cloned()),
            // The last good set goes on serving while the issuer is down.
            Err(error) if known.is_some() => {
                tracing::warn!(error = %error, "the issuer's keys could not be fetched; the known ones are kept");
                Ok(known)
            }
            Err(error) => {
                // The next request may try again at once: this one's key may well be good.
                keys.asked_at = None;
                Err(issuer_is_down(error))
            }
        }
    }

    async fn fetch(&self) -> Result<JwkSet, Box<dyn std::error::Error + Send + Sync>> {
        let mut answer = self
            .http
            .get(&self.jwks_url)
            .send()
            .await?
            .error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_JWKS {
                return Err("the issuer's key set is too large".into());
            }
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

fn issuer_is_down(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("fetching the issuer's keys", error)
}

fn bearer(authorization: Option<&str>) -> Result<&str, TokenFault> {
    let (scheme, token) = authorization
        .and_then(|header| header.split_once(' '))
        .ok_or(TokenFault::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenFault::Missing);
    }
    let token = token.trim();
    if token.len() > MAX_TOKEN {
        Err(TokenFault::Malformed)
    } else {
        Ok(token)
    }
}

/// The asymmetric algorithms that `key` may be used with; none for a key that is not for signatures.
fn algorithms(key: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    if !matches!(
        key.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return Vec::new();
    }
    let by_type: &[Algorithm] = match &key.algorithm {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => &[],
    };
    let pinned = key.common.key_algorithm;
    by_type
        .iter()
        .copied()
        .filter(|&algorithm| pinned.is_none_or(|pinned| pinned == algorithm.into()))
        .collect()
}

fn fault(error: &jsonwebtoken::errors::Error) -> TokenFault {
    match error.kind() {
        ErrorKind::ExpiredSignature => TokenFault::Expired,
        ErrorKind::ImmatureSignature => TokenFault::NotYetValid,
        ErrorKind::InvalidIssuer => TokenFault::Issuer,
        ErrorKind::InvalidAudience => TokenFault::Audience,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
            TokenFault::Claim(claim.clone())
        }
        ErrorKind::InvalidSignature
        | ErrorKind::InvalidAlgorithm
        | ErrorKind::UnsupportedAlgorithm => TokenFault::Signature,
        _ => TokenFault::Malformed,
    }
}

impl Claims {
    /// The client: `client_id` (RFC 9068), `azp` (Entra ID v2, Keycloak) or `appid` (Entra ID v1). A token
    /// that has only a subject speaks for that, which is no client of the same name.
    fn client(self) -> Result<String, TokenFault> {
        let client = self.client_id.or(self.azp).or(self.appid);
        let client = client.or_else(|| self.sub.map(|sub| format!("sub:{sub}")));
        client
            .filter(|client| (1..=256).contains(&client.len()))
            .ok_or_else(|| TokenFault::Claim("client_id".to_owned()))
    }

    /// Scopes come as a string (`scope`, RFC 9068), a string or a list (`scp`: Entra ID v2, Okta) or a
    /// list of `roles` (all that Entra ID gives to client credentials).
    fn may_hand_in(&self) -> bool {
        [&self.scope, &self.scp, &self.roles]
            .into_iter()
            .any(|claim| match claim {
                Value::String(scopes) => scopes.split(' ').any(|scope| SCOPES.contains(&scope)),
                Value::Array(scopes) => scopes
                    .iter()
                    .filter_map(Value::as_str)
                    .any(|scope| SCOPES.contains(&scope)),
                _ => false,
            })
    }
}
