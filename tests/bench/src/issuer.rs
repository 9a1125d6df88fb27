//! An issuer that signs with RS256, as most do. (The local cloud's own signs with ES256.)

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use okd_local::{Result, issuer::AUDIENCE};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The issuer and its one key.
pub(crate) struct Signer {
    key: KeyPair,
    jwks: Value,
}

impl Signer {
    /// One with a new key of 2,048 bits.
    pub(crate) fn new() -> Result<Self> {
        let key = KeyPair::generate(KeySize::Rsa2048)?;
        let public = key.public_key();
        let jwk = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench",
            "n": BASE64URL.encode(public.modulus().big_endian_without_leading_zero()),
            "e": BASE64URL.encode(public.exponent().big_endian_without_leading_zero()),
        });
        Ok(Self { key, jwks: json!({ "keys": [jwk] }) })
    }

    /// Its keys, as it publishes them.
    pub(crate) fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// Publishes the keys at `/jwks` of a port of its own; gives the port's URL.
    pub(crate) async fn serve(&self) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let jwks = self.jwks.clone();
        let router = Router::new().route("/jwks", get(async || Json(jwks)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(url)
    }

    /// A token of the issuer of this name, with all scopes, good for as long as a bench may take.
    pub(crate) fn token(&self, name: &str) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "iss": name, "aud": AUDIENCE, "sub": "bench", "client_id": "bench",
            "scope": "okd:alldocuments okd:examdocuments", "iat": now, "exp": now + 6 * 3600,
        });
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "bench" });
        let encode = |part: &Value| BASE64URL.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)?;
        Ok(format!("{signed}.{}", BASE64URL.encode(signature)))
    }
}
