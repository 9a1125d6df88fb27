//! Tests of the rules of tokens: tables of headers and claims, and fuzzing.

mod fuzz;
mod rules;

use std::sync::LazyLock;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::EncodingKey;
use serde_json::json;

use super::*;

/// An issuer's key, and its private half.
struct Signer {
    key: Arc<Key>,
    encoding: EncodingKey,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let set = json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "kid": "1", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
    }] });
    let mut keys = keys::parse(set.to_string().as_bytes()).unwrap();
    Signer { key: keys.remove(0), encoding: EncodingKey::from_ec_der(pkcs8.as_ref()) }
});

impl Signer {
    /// A token with these claims.
    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("1".to_owned());
        jsonwebtoken::encode(&header, claims, &self.encoding).unwrap()
    }
}

/// The claims of a good token.
fn good_claims() -> Value {
    json!({
        "iss": "https://login.example", "aud": "okd", "exp": 9_999_999_999_u64, "client_id": "sis",
        "scope": "okd:examdocuments",
    })
}

/// The tenant whose it is.
fn tenant() -> Tenant {
    let id = "school".to_owned().try_into().unwrap();
    let issuer = "https://login.example".to_owned().try_into().unwrap();
    Tenant::new(id, issuer, vec!["okd".to_owned()])
}

/// The claims with these in place of their own; `null` leaves one out.
fn claims_with(more: &Value) -> Claims {
    let mut claims = good_claims().as_object().unwrap().clone();
    for (name, value) in more.as_object().into_iter().flatten() {
        claims.insert(name.clone(), value.clone());
    }
    claims.retain(|_, value| !value.is_null());
    claims
}
