//! Where tokens come from.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::{Error, Refused, Result, error::with_causes};

/// A token is renewed so long before it ends: a request takes its time.
const BEFORE_THE_END: Duration = Duration::from_mins(1);
/// The lifetime of a token whose issuer does not say it (RFC 6749 lets it).
const UNSAID: u64 = 300;
/// What is encoded in a client's id and secret.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The type of a client's assertion, and the seconds that it lives.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_LIVES: u64 = 60;
/// The first pause before an issuer is asked again; each is four times as long, and none longer than the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_mins(1);
/// The time that an issuer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where tokens come from.
pub struct Tokens(Kind);

enum Kind {
    Fixed(String),
    OfClient(Client, Mutex<Option<(String, Instant)>>),
}

/// A client at an issuer (OAuth 2.0, client credentials: RFC 6749, section 4.4).
#[derive(Clone)]
pub struct Client {
    /// The URL of the token endpoint, or of the issuer, whose discovery document then names it.
    pub issuer: String,
    /// Its id.
    pub id: String,
    /// What proves that it is it.
    pub credential: Credential,
    /// The scopes to ask for; the issuer's own choice where none are given.
    pub scope: Option<String>,
    /// The audience to ask for, where an issuer wants one to be named.
    pub audience: Option<String>,
}

/// What proves to an issuer that a client is it.
#[derive(Clone)]
pub enum Credential {
    /// A secret, by HTTP Basic (RFC 6749, section 2.3.1).
    Secret(String),
    /// A private key, by an assertion signed with it (RFC 7523; `private_key_jwt` of OpenID Connect).
    Key {
        /// The key in PEM: RSA, P-256 or Ed25519.
        pem: String,
        /// Its id at the issuer, where that wants one.
        id: Option<String>,
    },
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// Always this one.
    pub fn fixed(token: String) -> Self {
        Self(Kind::Fixed(token))
    }

    /// The issuer's for this client, got when they are needed and renewed before they end.
    pub fn of_client(client: Client) -> Self {
        Self(Kind::OfClient(client, Mutex::default()))
    }

    /// One that is good still.
    pub(crate) async fn get(&self, http: &reqwest::Client) -> Result<String> {
        let (client, known) = match &self.0 {
            Kind::Fixed(token) => return Ok(token.clone()),
            Kind::OfClient(client, known) => (client, known),
        };
        let mut known = known.lock().await;
        if let Some((token, end)) = &*known
            && *end > Instant::now()
        {
            return Ok(token.clone());
        }
        let Granted { access_token, expires_in } = client.ask(http).await?;
        let lives = Duration::from_secs(expires_in.unwrap_or(UNSAID));
        *known = Some((access_token.clone(), Instant::now() + lives.saturating_sub(BEFORE_THE_END)));
        Ok(access_token)
    }

    /// Forgets one that was refused. Says whether there can be another.
    pub(crate) async fn forget(&self, refused: &str) -> bool {
        let Kind::OfClient(_, known) = &self.0 else {
            return false;
        };
        let mut known = known.lock().await;
        known.take_if(|(token, _)| token == refused);
        true
    }
}

impl Client {
    /// Asks for a token, a few times where the issuer does not answer.
    async fn ask(&self, http: &reqwest::Client) -> Result<Granted> {
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = self.ask_once(http).await;
            match asked {
                Err(Error::Unreachable(..)) if pause < LAST_PAUSE => tokio::time::sleep(pause).await,
                asked => return asked,
            }
            pause *= 4;
        }
    }

    async fn ask_once(&self, http: &reqwest::Client) -> Result<Granted> {
        let endpoint = self.endpoint(http).await?;
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        form.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        let request = http.post(&endpoint).timeout(TIMEOUT);
        let request = match &self.credential {
            Credential::Secret(secret) => {
                // Both are encoded.
                let [id, secret] = [&self.id, secret].map(|text| utf8_percent_encode(text, ENCODED).to_string());
                request.basic_auth(id, Some(secret)).form(&form)
            }
            Credential::Key { pem, id } => {
                let assertion = self.assertion(&endpoint, pem, id.as_deref())?;
                form.extend([("client_id", self.id.as_str()), ("client_assertion_type", ASSERTION)]);
                form.push(("client_assertion", &assertion));
                request.form(&form)
            }
        };
        let (status, text) = answer(&endpoint, request).await?;
        if status != 200 {
            let problem = serde_json::from_str(&text).unwrap_or_default();
            return Err(Refused { status, problem }.into());
        }
        serde_json::from_str(&text).map_err(|error| Error::Answer(format!("{endpoint} gave no token: {error}")))
    }

    /// An assertion that this client made for the endpoint, signed with its key (RFC 7523, section 3).
    fn assertion(&self, endpoint: &str, pem: &str, key_id: Option<&str>) -> Result<String> {
        let keys = [
            (Algorithm::RS256, EncodingKey::from_rsa_pem(pem.as_bytes())),
            (Algorithm::ES256, EncodingKey::from_ec_pem(pem.as_bytes())),
            (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem.as_bytes())),
        ];
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": endpoint, "iat": now, "exp": now + ASSERTION_LIVES,
            "jti": uuid::Uuid::new_v4(),
        });
        let signed = keys.into_iter().find_map(|(algorithm, key)| {
            let header = Header { kid: key_id.map(str::to_owned), ..Header::new(algorithm) };
            encode(&header, &claims, &key.ok()?).ok()
        });
        signed.ok_or_else(|| Error::Usage("the client's key is no PEM of an RSA, P-256 or Ed25519 key".to_owned()))
    }

    /// The token endpoint: what was given, unless that is an issuer with a discovery document (OpenID Connect Discovery,
    /// section 4).
    async fn endpoint(&self, http: &reqwest::Client) -> Result<String> {
        #[derive(Deserialize)]
        struct Discovery {
            token_endpoint: String,
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let (status, text) = answer(&url, http.get(&url).timeout(TIMEOUT)).await?;
        if status != 200 {
            // It has no such document: what was given is the endpoint itself.
            return Ok(self.issuer.clone());
        }
        let Ok(Discovery { token_endpoint }) = serde_json::from_str(&text) else {
            return Ok(self.issuer.clone());
        };
        if self.issuer.starts_with("https:") && !token_endpoint.starts_with("https:") {
            let words = format!("{url} names {token_endpoint}, where a secret would be read on the way");
            return Err(Error::Answer(words));
        }
        Ok(token_endpoint)
    }
}

/// The status and the body of an answer; one that says "again" is none.
async fn answer(url: &str, request: reqwest::RequestBuilder) -> Result<(u16, String)> {
    let answer = request.send().await.map_err(|error| unreachable(url, error))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| unreachable(url, error))?;
    if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS {
        return Err(Error::Unreachable(format!("{url}: {status}"), None));
    }
    Ok((status.as_u16(), text))
}

fn unreachable(url: &str, error: reqwest::Error) -> Error {
    Error::Unreachable(format!("{url}: {}", with_causes(&error.without_url())), None)
}
