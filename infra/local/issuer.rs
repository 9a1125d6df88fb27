//! A token issuer for one machine: an OAuth 2.0 token endpoint (client credentials, by HTTP Basic or in the form, any
//! secret) and its JWKS. Every caller gets a token, which is why it signs for the local cloud only.

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
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use okd_core::caller::scopes_for;
use serde_json::{Value, json};

use okd_s3::percent;

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
    /// Further keys that it publishes.
    published: RwLock<Vec<Value>>,
    down: AtomicBool,
    hangs: AtomicBool,
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
            hangs: AtomicBool::default(),
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
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        published.push(jwk);
    }

    /// Answers nothing but errors, or as it should again.
    pub fn go_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Answers nothing at all, or as it should again.
    pub fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// The number of times that it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Its public keys, as a JWK Set.
    pub fn jwks(&self) -> Value {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let published = self.published.read();
        let published = published.unwrap_or_else(PoisonError::into_inner);
        let own = keys.iter().map(|key| key.jwk.clone());
        json!({ "keys": own.chain(published.iter().cloned()).collect::<Vec<_>>() })
    }

    /// The HTTP side: `/token`, `/jwks` and the discovery document.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/token", post(token).layer(map_response(uncached)))
            .route("/jwks", get(jwks))
            .route("/.well-known/openid-configuration", get(discovery))
            .with_state(self)
    }
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> std::result::Result<Json<Value>, StatusCode> {
    issuer.asked.fetch_add(1, Ordering::SeqCst);
    issuer.unless_down(issuer.jwks()).await
}

/// OpenID Connect Discovery, section 3: as much of it as clients of the token endpoint read.
async fn discovery(State(issuer): State<Arc<Issuer>>) -> std::result::Result<Json<Value>, StatusCode> {
    let url = &issuer.url;
    let document = json!({
        "issuer": url, "jwks_uri": format!("{url}/jwks"), "token_endpoint": format!("{url}/token"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes_for(None),
        // Required there, though nothing is ever asked for by a response type and no ID token is issued.
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    issuer.unless_down(document).await
}

impl Issuer {
    async fn unless_down(&self, answer: Value) -> std::result::Result<Json<Value>, StatusCode> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::SeqCst) { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(Json(answer)) }
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

/// Reasons why there is no token (RFC 6749, section 5.2).
enum Refusal {
    InvalidRequest,
    InvalidClient,
    UnsupportedGrantType,
    ServerError,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"okd-local-issuer\"");
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// RFC 6749, section 4.4.
async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    form: std::result::Result<Form<TokenRequest>, FormRejection>,
) -> std::result::Result<Json<Value>, Refusal> {
    let Form(request) = form.map_err(|_| Refusal::InvalidRequest)?;
    let client = client(&headers, request.client_id)?;
    if request.grant_type.is_empty() {
        return Err(Refusal::InvalidRequest);
    }
    if request.grant_type != "client_credentials" {
        return Err(Refusal::UnsupportedGrantType);
    }
    let scope = request.scope.unwrap_or_else(|| DEFAULT_SCOPES.to_owned());
    let audience = request.audience.as_deref().unwrap_or(AUDIENCE);
    let token = issuer.token_for(audience, &client, &scope);
    let token = token.map_err(|_| Refusal::ServerError)?;
    Ok(Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope })))
}

/// The client, by HTTP Basic or by the form (RFC 6749, section 2.3.1).
fn client(headers: &HeaderMap, in_form: Option<String>) -> std::result::Result<String, Refusal> {
    let in_form = in_form.filter(|client| !client.is_empty());
    let Some(credentials) = basic(headers) else {
        return in_form.ok_or(Refusal::InvalidClient);
    };
    let client = client_of(credentials).ok_or(Refusal::InvalidClient)?;
    match in_form {
        Some(other) if other != client => Err(Refusal::InvalidRequest),
        _ => Ok(client),
    }
}

/// The credentials of an `Authorization` header of the scheme Basic, still encoded.
fn basic(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(header::AUTHORIZATION)?;
    // A header that is no text counts as Basic credentials that cannot be read.
    let header = header.to_str().unwrap_or("Basic");
    let (scheme, credentials) = header.split_once(' ').unwrap_or((header, ""));
    scheme.eq_ignore_ascii_case("basic").then_some(credentials.trim())
}

/// The client's id in credentials, if they have one. Id and secret are encoded like a form's fields before they are
/// joined; many clients forget that, so what cannot be decoded is taken as it is.
fn client_of(credentials: &str) -> Option<String> {
    let text = String::from_utf8(BASE64.decode(credentials).ok()?).ok()?;
    let (id, _any_secret) = text.split_once(':')?;
    let decoded = percent::decode(&id.replace('+', " "));
    let id = decoded.unwrap_or_else(|| id.to_owned());
    (!id.is_empty()).then_some(id)
}

/// Forbids caches to keep an answer that may hold a token (RFC 6749, section 5.1).
async fn uncached(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
