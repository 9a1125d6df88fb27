//! A token issuer for one machine: an OAuth 2.0 token endpoint (client credentials, any secret) and its
//! JWKS. Whoever asks gets a token, which is why it signs for nobody but the local cloud.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::Result;

/// The audience of its tokens, where no other is asked for.
pub const AUDIENCE: &str = "okd";
/// The scopes that it grants where none are asked for.
const DEFAULT_SCOPES: &str = "okd:examdocuments";

/// An issuer and its keys. Tests rotate these, publish others beside them, and take the whole of it down.
pub struct Issuer {
    url: String,
    /// The newest, with which it signs, is the last.
    keys: RwLock<Vec<Key>>,
    /// What else it publishes.
    published: RwLock<Vec<Value>>,
    down: AtomicBool,
    asked: AtomicUsize,
}

struct Key {
    id: String,
    signing: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new(id: String, pkcs8: &[u8]) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)?;
        // An uncompressed point: 4, x, y.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
            "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
        });
        let signing = EncodingKey::from_ec_der(pkcs8);
        Ok(Self { id, signing, jwk })
    }
}

/// A new key, in PKCS #8.
fn generate() -> Result<Vec<u8>> {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
    Ok(key.as_ref().to_vec())
}

impl Issuer {
    /// The issuer at `url`, with the key in `folder`, made when there is none.
    pub fn open(folder: &Path, url: String) -> Result<Self> {
        let file = folder.join("local-issuer.p8");
        if !file.exists() {
            fs::write(&file, generate()?)?;
        }
        let key = Key::new("local".to_owned(), &fs::read(&file)?)
            .map_err(|error| format!("{} holds no key: {error}; delete it", file.display()))?;
        Ok(Self::with(url, key))
    }

    /// An issuer at `url`, with a key that is forgotten with it.
    pub fn fresh(url: String) -> Result<Self> {
        Ok(Self::with(url, Key::new("fresh".to_owned(), &generate()?)?))
    }

    fn with(url: String, key: Key) -> Self {
        Self {
            url,
            keys: RwLock::new(vec![key]),
            published: RwLock::default(),
            down: AtomicBool::default(),
            asked: AtomicUsize::default(),
        }
    }

    /// Its name: the `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A token for `client` with `scope`, good for an hour.
    pub fn token(&self, client: &str, scope: &str) -> Result<String> {
        self.token_for(AUDIENCE, client, scope)
    }

    /// The same, for this audience.
    pub fn token_for(&self, audience: &str, client: &str, scope: &str) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        self.sign(&json!({
            "iss": self.url, "aud": audience, "sub": client, "client_id": client, "scope": scope,
            "iat": now, "exp": now + 3600, "jti": uuid::Uuid::new_v4(),
        }))
    }

    /// Any claims, signed: a test's way to a token that is almost right.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.last().ok_or("the issuer has no key")?;
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key.id.clone());
        Ok(jsonwebtoken::encode(&header, claims, &key.signing)?)
    }

    /// Signs with a new key from now on, and goes on publishing the old ones.
    pub fn rotate(&self) -> Result<()> {
        let key = Key::new(uuid::Uuid::new_v4().to_string(), &generate()?)?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.push(key);
        Ok(())
    }

    /// Withdraws all of its keys but the newest.
    pub fn withdraw(&self) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let old = keys.len().saturating_sub(1);
        keys.drain(..old);
    }

    /// Publishes something else beside its keys.
    pub fn publish(&self, jwk: Value) {
        let mut published = self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        published.push(jwk);
    }

    /// Answers nothing but errors, or as it should again.
    pub fn go_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn jwks(&self) -> Value {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let published = self.published.read();
        let published = published.unwrap_or_else(PoisonError::into_inner);
        let own = keys.iter().map(|key| key.jwk.clone());
        json!({ "keys": own.chain(published.iter().cloned()).collect::<Vec<_>>() })
    }

    /// The HTTP side: `/token`, `/jwks` and the discovery document.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/token", post(token))
            .route("/jwks", get(jwks))
            .route("/.well-known/openid-configuration", get(discovery))
            .with_state(self)
    }
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> std::result::Result<Json<Value>, StatusCode> {
    issuer.asked.fetch_add(1, Ordering::SeqCst);
    issuer.unless_down(issuer.jwks())
}

/// OpenID Connect Discovery, section 3: as much of it as anybody here reads.
async fn discovery(
    State(issuer): State<Arc<Issuer>>,
) -> std::result::Result<Json<Value>, StatusCode> {
    let url = &issuer.url;
    let document = json!({
        "issuer": url, "jwks_uri": format!("{url}/jwks"), "token_endpoint": format!("{url}/token"),
        "grant_types_supported": ["client_credentials"],
    });
    issuer.unless_down(document)
}

impl Issuer {
    fn unless_down(&self, answer: Value) -> std::result::Result<Json<Value>, StatusCode> {
        if self.down.load(Ordering::SeqCst) {
            Err(StatusCode::SERVICE_UNAVAILABLE)
        } else {
            Ok(Json(answer))
        }
    }
}

#[derive(serde::Deserialize)]
struct TokenRequest {
    #[serde(default)]
    grant_type: String,
    client_id: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
}

/// RFC 6749, section 4.4.
async fn token(
    State(issuer): State<Arc<Issuer>>,
    Form(request): Form<TokenRequest>,
) -> std::result::Result<Json<Value>, (StatusCode, Json<Value>)> {
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error })));
    if request.grant_type != "client_credentials" {
        return Err(refuse("unsupported_grant_type"));
    }
    let client = request.client_id.ok_or_else(|| refuse("invalid_client"))?;
    let scope = request.scope.unwrap_or_else(|| DEFAULT_SCOPES.to_owned());
    let audience = request.audience.as_deref().unwrap_or(AUDIENCE);
    let token = issuer
        .token_for(audience, &client, &scope)
        .map_err(|_| refuse("server_error"))?;
    Ok(Json(
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope }),
    ))
}
