//! Bearer tokens: from an `Authorization` header to a [`Caller`], by RFC 6750, RFC 8725 and RFC 9068.
//!
//! A token's own words are believed only as far as it takes to find the key that could have signed it: its issuer and
//! audience name a [`Tenant`], its key id a key that the tenant's issuer publishes. That key decides which algorithms
//! the token may have, never the token; links and keys in its header are not looked at.

mod fetch;
mod keys;
mod known;
mod search;
mod seen;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, Validation, dangerous::insecure_decode, decode, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use fetch::{FetchError, Fetcher};
pub use keys::{KeyCount, count as count_keys};
pub use search::{published, refresh};

use crate::{
    Error, Result,
    caller::{Caller, Scopes},
    error::TokenFault,
    stores::Tenants,
    tenant::{Issuer, Signature, Tenant},
};
use keys::{Found, Key};
use known::{Known, KnownIssuers};

/// A longer token is refused unread.
const MAX_TOKEN: usize = 8 * 1024;
/// Seconds by which clocks may differ.
const LEEWAY: u64 = 60;
/// Keycloak's names for tokens that are not for access, in the claim `typ`, in lower case.
const NOT_FOR_ACCESS: [&str; 8] = [
    "id",
    "serialized-id",
    "refresh",
    "offline",
    "logout",
    "logout+jwt",
    "initialaccesstoken",
    "registrationaccesstoken",
];
/// A client's name and a token's id are at most this long, in bytes; a longer id is cut.
const MAX_NAME: usize = 256;

/// Checks the tokens of all tenants.
pub struct Verifier {
    tenants: Tenants,
    fetcher: Fetcher,
    known: KnownIssuers,
}

/// The claims that are read of a token before its signature is checked.
#[derive(Deserialize)]
struct Unverified {
    iss: Option<String>,
    aud: Option<Audience>,
    client_id: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

type Claims = Map<String, Value>;

impl Verifier {
    /// For the tokens of these tenants, whose issuers may be at the private origins given too.
    pub fn new(tenants: Tenants, private_origins: Vec<String>) -> Self {
        Self { tenants, fetcher: Fetcher::new(private_origins), known: KnownIssuers::default() }
    }

    /// The caller whose token the `Authorization` header holds, if that token may hand in anything.
    pub async fn caller(&self, authorization: Option<&str>) -> Result<Caller> {
        let token = bearer(authorization)?;
        let unverified = insecure_decode::<Unverified>(token);
        let unverified = unverified.map_err(|_| TokenFault::Malformed)?;
        let header = unverified.header;
        check_kind(&header)?;
        let key_id = header.kid.as_ref().ok_or(TokenFault::NoKeyId)?;
        let issuer = issuer(&unverified.claims)?;
        let known = self.known.of(&self.tenants, &issuer).await?;
        let tenant = tenant(&known, &unverified.claims)?;
        let key = self.key(&known, &tenant, key_id, header.alg).await?;
        let claims = match key.seen.claims(token, Timestamp::now()) {
            Some(claims) => claims,
            None => {
                let claims = verify(token, &key, &tenant)?;
                key.seen.note(token, &claims);
                claims
            }
        };
        check_use(&claims)?;
        let scopes = Scopes::of(scopes(&claims, &tenant)).ok_or(Error::MissingScope(None))?;
        Ok(Caller {
            client: client(&claims, &tenant)?,
            token: token_id(&claims),
            tenant: tenant.tenant,
            scopes,
            sees_all: tenant.shared,
            trusts_unverified: tenant.trust_unverified,
            on_delete: tenant.on_delete,
            limits: tenant.limits,
            retention: tenant.retention,
            salt: tenant.salt,
        })
    }

    /// The key of the tenant's issuer that has this id.
    async fn key(&self, known: &Known, tenant: &Tenant, id: &str, algorithm: Algorithm) -> Result<Arc<Key>> {
        let place = tenant.key_place();
        let keys = known.keys(&place);
        let found = keys.map_or(Found::Ask, |keys| keys.find(id, algorithm, Timestamp::now()));
        let found = match found {
            Found::Ask => {
                let keys = search::search(&self.tenants, &self.fetcher, &place).await?;
                let keys = self.known.note(&place, keys);
                keys.find(id, algorithm, Timestamp::now())
            }
            found => found,
        };
        match found {
            Found::Key(key) => Ok(key),
            Found::Nothing => Err(TokenFault::Signature.into()),
            Found::WithoutIds => Err(TokenFault::KeysWithoutIds.into()),
            Found::Unavailable | Found::Ask => Err(Error::IssuerUnavailable(tenant.tenant.clone())),
        }
    }
}

/// The issuer that the token claims to have.
fn issuer(claims: &Unverified) -> Result<Issuer, TokenFault> {
    let issuer = claims.iss.clone();
    let issuer = issuer.ok_or_else(|| TokenFault::Claim("iss".to_owned()))?;
    Issuer::try_from(issuer).map_err(|_| TokenFault::Issuer)
}

/// The one tenant of the issuer whose audience the token claims to have.
fn tenant(known: &Known, claims: &Unverified) -> Result<Tenant, TokenFault> {
    let tenants = &known.tenants;
    if tenants.is_empty() {
        return Err(TokenFault::Issuer);
    }
    if claims.aud.is_none() && !tenants.iter().any(|tenant| tenant.client_as_audience) {
        return Err(TokenFault::Audience);
    }
    let meant = |tenant: &&Tenant| match &claims.aud {
        Some(Audience::One(name)) => tenant.audiences.contains(name),
        Some(Audience::Several(names)) => {
            let mut names = names.iter();
            names.any(|name| tenant.audiences.contains(name))
        }
        None => tenant.is_meant_by_client(claims.client_id.as_ref()),
    };
    let mut meant = tenants.iter().filter(meant);
    match (meant.next(), meant.next()) {
        (Some(tenant), None) => Ok(tenant.clone()),
        (None, _) => Err(TokenFault::Audience),
        (Some(_), Some(_)) => Err(TokenFault::SeveralTenants),
    }
}

/// RFC 6750, section 2.1.
fn bearer(authorization: Option<&str>) -> Result<&str, TokenFault> {
    let (scheme, token) = authorization.and_then(|header| header.split_once(' ')).ok_or(TokenFault::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenFault::Missing);
    }
    let token = token.trim();
    if token.len() > MAX_TOKEN { Err(TokenFault::Malformed) } else { Ok(token) }
}

/// Asks for an access token (RFC 9068, section 2.1; most issuers just say `JWT`) that has nothing about it that we
/// do not understand (RFC 7515, section 4.1.11).
fn check_kind(header: &Header) -> Result<(), TokenFault> {
    let kind = header.typ.as_ref().map(|typ| typ.to_ascii_lowercase());
    let access = matches!(kind.as_deref(), None | Some("jwt" | "at+jwt" | "application/at+jwt"));
    if access && header.crit.is_none() && header.zip.is_none() && header.enc.is_none() {
        Ok(())
    } else {
        Err(TokenFault::Malformed)
    }
}

fn verify(token: &str, key: &Key, tenant: &Tenant) -> Result<Claims, TokenFault> {
    let accepted = key.algorithms.iter().copied();
    let accepted: Vec<_> = accepted.filter(|&algorithm| tenant.accepts(algorithm)).collect();
    let mut validation =
        Validation { algorithms: accepted, leeway: LEEWAY, validate_nbf: true, ..Validation::default() };
    validation.set_issuer(&[&tenant.issuer]);
    validation.set_audience(&tenant.audiences);
    let required = if tenant.client_as_audience { &["exp", "iss"][..] } else { &["exp", "iss", "aud"] };
    validation.set_required_spec_claims(required);
    let data = decode::<Claims>(token, &key.decoding, &validation);
    let claims = data.map_err(|error| fault(&error))?.claims;
    // An `aud` that is there has been compared.
    let lacks_audience = claims.get("aud").is_none_or(Value::is_null);
    if lacks_audience && !tenant.is_meant_by_client(claims.get("client_id")) {
        return Err(TokenFault::Audience);
    }
    Ok(claims)
}

/// Asks for a token that is for access, by all that its issuer says of that in its claims, and good for every holder.
fn check_use(claims: &Claims) -> Result<(), TokenFault> {
    let said = |name: &str| claims.get(name).filter(|value| !value.is_null());
    // Amazon Cognito.
    if said("token_use").is_some_and(|token_use| token_use != "access") {
        return Err(TokenFault::NotForAccess("token_use"));
    }
    let kind = said("typ").and_then(Value::as_str).unwrap_or_default();
    if NOT_FOR_ACCESS.contains(&kind.to_ascii_lowercase().as_str()) {
        return Err(TokenFault::NotForAccess("typ"));
    }
    // RFC 7800, by RFC 8705 (mutual TLS) and RFC 9449 (DPoP).
    if said("cnf").is_some() {
        return Err(TokenFault::Bound);
    }
    Ok(())
}

impl Tenant {
    /// Returns whether a token without `aud` is for this tenant by the client that it names.
    fn is_meant_by_client(&self, client: Option<&Value>) -> bool {
        let client = client.and_then(Value::as_str);
        let mut names = self.audiences.iter();
        self.client_as_audience && names.any(|name| Some(name.as_str()) == client)
    }

    /// Returns whether its tokens may be signed so.
    fn accepts(&self, algorithm: Algorithm) -> bool {
        Signature::try_from(algorithm).is_ok_and(|signature| self.algorithms.contains(&signature))
    }
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
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => {
            TokenFault::Signature
        }
        _ => TokenFault::Malformed,
    }
}

/// A claim by its name. A dot in it leads into an object, or is part of a name: whichever is there.
fn claim<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    let inside = |(dot, _): (usize, &str)| {
        let object = claims.get(&name[..dot])?.as_object()?;
        claim(object, &name[dot + 1..])
    };
    let whole = claims.get(name);
    whole.or_else(|| name.match_indices('.').find_map(inside))
}

/// The scopes, wherever the tenant's tokens have them: in a string, separated by spaces, or in a list; without the
/// prefix that the tenant's issuer puts in front of them.
fn scopes<'a>(claims: &'a Claims, tenant: &Tenant) -> Vec<&'a str> {
    let mut scopes = Vec::new();
    for value in tenant.scope_claims.iter().filter_map(|name| claim(claims, name)) {
        match value {
            Value::String(text) => scopes.extend(text.split(' ')),
            Value::Array(list) => scopes.extend(list.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    let prefix = tenant.scope_prefix.as_str();
    let scopes = scopes.into_iter();
    scopes.filter_map(|scope| scope.strip_prefix(prefix)).collect()
}

fn client(claims: &Claims, tenant: &Tenant) -> Result<String, TokenFault> {
    let names = &tenant.client_claims;
    let mut clients = names.iter().filter_map(|name| {
        let value = claims.get(name).filter(|value| !value.is_null())?;
        Some((name, value))
    });
    let missing = || TokenFault::Claim(names.join("` or `"));
    let (name, client) = clients.next().ok_or_else(missing)?;
    if clients.any(|(_, other)| other != client) {
        return Err(TokenFault::SeveralClients);
    }
    let client = client.as_str();
    let client = client.filter(|client| (1..=MAX_NAME).contains(&client.len()));
    client.map(str::to_owned).ok_or_else(|| TokenFault::Claim(name.clone()))
}

fn token_id(claims: &Claims) -> Option<String> {
    let id = claims.get("jti").or_else(|| claims.get("uti"))?.as_str()?;
    let mut end = id.len().min(MAX_NAME);
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    Some(id[..end].to_owned())
}
