//! Signatures by the access key of the local stores, and the sessions of roles that the stand-in for [STS](crate::sts) begins:
//! nothing is kept of these, since the key and its secret say it all.

use std::collections::BTreeMap;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
    hmac::{self, HMAC_SHA256},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http::{HeaderMap, Uri, header, request::Parts};
use jiff::Timestamp;
use okd_cli::access_key::AccessKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use okd_s3::percent;

use crate::Result;

/// A role that a session has, as the session's token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The role's logical id.
    pub name: String,
    /// The session's tags.
    pub tags: BTreeMap<String, String>,
    /// The time at which the session ends.
    pub until: Timestamp,
}

/// The credentials of a session.
pub struct Session {
    /// The key that signs.
    pub key: AccessKey,
    /// The token that goes with each request that it signs.
    pub token: String,
}

/// Begins a session of a role.
pub fn begin_session(key: &AccessKey, role: &Role) -> Result<Session> {
    let id = format!("{SESSION}{}", Uuid::new_v4().simple());
    let claims = serde_json::to_vec(&(&id, role))?;
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
    let token = format!("{claims}.{}", derived(key, &claims));
    let secret = derived(key, &id);
    Ok(Session { key: AccessKey { id, secret }, token })
}

/// The secret of this key, or of a session's.
pub(crate) fn secret_of(key: &AccessKey, id: &str) -> Option<String> {
    match id {
        id if id == key.id => Some(key.secret.clone()),
        id if id.starts_with(SESSION) => Some(derived(key, id)),
        _ => None,
    }
}

/// The role of the session whose key is named in a request; `None` where it is no session's. Whether that key
/// signed the request is another question.
pub(crate) fn role_of(key: &AccessKey, headers: &HeaderMap, uri: &Uri) -> Result<Option<Role>, NoSession> {
    let parameter = |name: &str| {
        let query = uri.query().unwrap_or_default();
        percent::parameter(query, name).and_then(percent::decode)
    };
    let credential = parameter("X-Amz-Credential");
    let signed = Signed::read(headers).map(|signed| signed.key);
    let id = match &credential {
        Some(credential) => credential.split('/').next(),
        None => signed,
    };
    let Some(id) = id.filter(|id| id.starts_with(SESSION)) else {
        return Ok(None);
    };
    let token = parameter("X-Amz-Security-Token");
    let token = token.unwrap_or_else(|| text(headers, "x-amz-security-token").to_owned());
    let role = role_in(key, &token, id).filter(|role| role.until > Timestamp::now());
    role.map(Some).ok_or(NoSession)
}

fn role_in(key: &AccessKey, token: &str, id: &str) -> Option<Role> {
    let (claims, signature) = token.split_once('.')?;
    let expected = derived(key, claims);
    verify_slices_are_equal(expected.as_bytes(), signature.as_bytes()).ok()?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let (of, role): (String, Role) = serde_json::from_slice(&claims).ok()?;
    (of == id).then_some(role)
}

fn derived(key: &AccessKey, text: &str) -> String {
    hex(&mac(key.secret.as_bytes(), text))
}

/// Returns whether this key, or a session's, signed the request: AWS Signature Version 4, in the `Authorization`
/// header. Here a signature does not expire.
pub(crate) fn has_signed(key: &AccessKey, request: &Parts, body: &[u8]) -> bool {
    let Some(signed) = Signed::read(&request.headers) else {
        return false;
    };
    let Some(secret) = secret_of(key, signed.key) else {
        return false;
    };
    let expected = signature(&secret, &signed, request, body);
    verify_slices_are_equal(expected.as_bytes(), signed.signature.as_bytes()).is_ok()
}

fn signature(secret: &str, signed: &Signed, request: &Parts, body: &[u8]) -> String {
    let (method, path) = (&request.method, request.uri.path());
    let query = request.uri.query().unwrap_or_default();
    let header = |name: &str| format!("{name}:{}\n", text(&request.headers, name));
    let headers: String = signed.headers.split(';').map(header).collect();
    let names = signed.headers;
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{}", sha256(body));
    let time = text(&request.headers, "x-amz-date");
    let to_sign = format!("{ALGORITHM}\n{time}\n{}\n{}", signed.scope, sha256(canonical.as_bytes()));
    let key = format!("AWS4{secret}").into_bytes();
    let key = signed.scope.split('/').fold(key, |key, word| mac(&key, word));
    hex(&mac(&key, &to_sign))
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The beginning of the ids of sessions' keys.
const SESSION: &str = "local-session-";

/// A session's key without its token, or with one that has ended or is another's.
pub(crate) struct NoSession;

/// The parts of an `Authorization` header.
struct Signed<'a> {
    key: &'a str,
    scope: &'a str,
    headers: &'a str,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn read(headers: &'a HeaderMap) -> Option<Self> {
        let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let fields = header.strip_prefix(ALGORITHM)?;
        let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name));
        let (key, scope) = field("Credential=")?.split_once('/')?;
        Some(Self { key, scope, headers: field("SignedHeaders=")?, signature: field("Signature=")? })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
