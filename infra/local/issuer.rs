//! A token issuer for one machine: an OAuth 2.0 token endpoint (client credentials, any secret) and its
//! JWKS. Whoever asks gets a token, which is why it signs for nobody but the local cloud.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{
    Form, Json, Router,
    extract::State,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::Result;

/// The audience of its tokens: the template's default.
pub const AUDIENCE: &str = "okd";
/// The scopes that it grants where none are asked for.
const DEFAULT_SCOPES: &str = "okd:examdocuments";

/// The issuer's name and key.
pub struct Issuer {
    url: String,
    key: EncodingKey,
    jwk: Value,
}

impl Issuer {
    /// The issuer at `url`, with the key in `folder`, made when there is none.
    pub fn open(folder: &Path, url: String) -> Result<Self> {
        let file = folder.join("local-issuer.p8");
        if !file.exists() {
            let key = EcdsaKeyPair::generate_pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &SystemRandom::new(),
            )?;
            fs::write(&file, key.as_ref())?;
        }
        let pkcs8 = fs::read(&file)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|error| format!("{} holds no key: {error}; delete it", file.display()))?;
        // An uncompressed point: 4, x, y.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "local",
            "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
        });
        Ok(Self {
            url,
            key: EncodingKey::from_ec_der(&pkcs8),
            jwk,
        })
    }

    /// A token for `client` with `scope`, good for an hour.
    pub fn token(&self, client: &str, scope: &str) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        self.sign(&json!({
            "iss": self.url, "aud": AUDIENCE, "sub": client, "client_id": client, "scope": scope,
            "iat": now, "exp": now + 3600, "jti": uuid::Uuid::new_v4(),
        }))
    }

    /// Any claims, signed: a test's way to a token that is almost right.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some("local".to_owned());
        Ok(jsonwebtoken::encode(&header, claims, &self.key)?)
    }

    /// The HTTP side: `/token` and `/jwks`.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/token", post(token))
            .route("/jwks", get(jwks))
            .with_state(self)
    }
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(json!({ "keys": [issuer.jwk] }))
}

#[derive(serde::Deserialize)]
struct TokenRequest {
    #[serde(default)]
    grant_type: String,
    client_id: Option<String>,
    scope: Option<String>,
}

/// RFC 6749, section 4.4.
async fn token(
    State(issuer): State<Arc<Issuer>>,
    Form(request): Form<TokenRequest>,
) -> std::result::Result<Json<Value>, (axum::http::StatusCode, Json<Value>)> {
    let refuse = |error: &str| {
        (
            axum::http::StatusCode::BAD_REQUEST,
            Json(json!({ "error": error })),
        )
    };
    if request.grant_type != "client_credentials" {
        return Err(refuse("unsupported_grant_type"));
    }
    let client = request.client_id.ok_or_else(|| refuse("invalid_client"))?;
    let scope = request.scope.unwrap_or_else(|| DEFAULT_SCOPES.to_owned());
    let token = issuer
        .token(&client, &scope)
        .map_err(|_| refuse("server_error"))?;
    Ok(Json(
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope }),
    ))
}
