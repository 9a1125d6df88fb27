//! A tenant is a school: who issues its tokens, how they are to be read, and how much it may have.
//!
//! It is an item of the table of tenants ([`crate::stores::Tenants`]). Adding one needs no deploy.

mod issuer;
mod limits;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use issuer::{Issuer, KeyPlace, KeyUrl, Signature};
pub use limits::{Limits, UncheckedLimits};

use crate::{ids::TenantId, retention_rules::RetentionRules};

/// A tenant, and how the tokens of its issuer are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Its id.
    pub tenant: TenantId,
    /// The issuer of its tokens. Several tenants may have one issuer; their audiences then tell them apart.
    pub issuer: Issuer,
    /// The `aud`s that its tokens may have: this service's names at the issuer.
    pub audiences: Vec<String>,
    /// True if `audiences` are compared with the `client_id` of a token that has no `aud`, as Amazon Cognito's access
    /// tokens have none. They then name the tenant's clients.
    #[serde(default)]
    pub client_as_audience: bool,
    /// The URL at which the issuer publishes its keys; where this is not given, its discovery document says so
    /// (`{issuer}/.well-known/openid-configuration`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<KeyUrl>,
    /// The signatures that are accepted; none that is symmetric.
    pub algorithms: Vec<Signature>,
    /// The claims in which scopes are found. A dot leads into an object: `realm_access.roles`.
    pub scope_claims: Vec<String>,
    /// The text that the issuer puts in front of each scope, as Amazon Cognito puts the resource server's name and a
    /// `/`. Scopes without it count for nothing.
    #[serde(default)]
    pub scope_prefix: String,
    /// The claims that name the client. One must be there, and those that are must agree.
    pub client_claims: Vec<String>,
    /// True if its clients see each other's documents, and go on with each other's uploads.
    #[serde(default)]
    pub shared: bool,
    /// True if a document that was declared with a checksum S3 does not compute is told to be stored before its bytes
    /// were compared with it.
    #[serde(default)]
    pub trust_unverified: bool,
    /// What becomes of what its clients delete.
    #[serde(default)]
    pub on_delete: OnDelete,
    /// Its limits.
    pub limits: Limits,
    /// Its rules for how long its documents are kept.
    #[serde(default)]
    pub retention: RetentionRules,
    /// Goes into the name of every document, so that no outsider can compute its id. It is data: another salt would
    /// give every repeat another id.
    pub salt: Salt,
    /// The time at which it was removed. Its name is not free since: the documents under it are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
    /// The number of changes it has seen; 0 is not yet written.
    #[serde(default)]
    pub revision: u64,
}

/// What becomes of what a tenant's clients delete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDelete {
    /// It is hidden: no reader gets at it, and an operator can bring it back.
    #[default]
    Hide,
    /// It is destroyed, where nothing keeps it.
    Destroy,
}

/// A random text that a tenant's document ids are made with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(String);

impl Salt {
    fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }
}

impl fmt::Debug for Salt {
    /// Without the text, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a salt")
    }
}

impl Tenant {
    /// A tenant as most issuers want it: their discovery document, every asymmetric algorithm, scopes in `scope` (RFC
    /// 9068), `scp` (Entra ID, Okta) or `roles` (all that Entra ID gives to client credentials), the client in
    /// `client_id` (RFC 9068), `azp` (Entra ID v2, Keycloak) or `appid` (Entra ID v1).
    pub fn new(tenant: TenantId, issuer: Issuer, audiences: Vec<String>) -> Self {
        let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            tenant,
            issuer,
            audiences,
            client_as_audience: false,
            jwks: None,
            algorithms: Signature::ALL.to_vec(),
            scope_claims: named(&["scope", "scp", "roles"]),
            scope_prefix: String::new(),
            client_claims: named(&["client_id", "azp", "appid"]),
            shared: false,
            trust_unverified: false,
            on_delete: OnDelete::Hide,
            limits: Limits::default(),
            retention: RetentionRules::default(),
            salt: Salt::random(),
            removed: None,
            revision: 0,
        }
    }

    /// The place of the keys of its tokens.
    pub fn key_place(&self) -> KeyPlace {
        KeyPlace { issuer: self.issuer.clone(), jwks: self.jwks.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_holds_no_salt() {
        let tenant = |name: &str| {
            let issuer = "https://login.example".to_owned().try_into().unwrap();
            Tenant::new(name.to_owned().try_into().unwrap(), issuer, vec!["okd".to_owned()])
        };
        let (one, other) = (tenant("one"), tenant("other"));
        assert_ne!(one.salt, other.salt);
        assert_eq!(format!("{:?}", one.salt), "a salt");
        assert!(!format!("{one:?}").contains(&one.salt.0));
    }

    #[test]
    fn the_keys_of_a_tenant_are_its_issuer_s_at_the_url_that_it_names() {
        let issuer: Issuer = "https://login.example".to_owned().try_into().unwrap();
        let tenant = Tenant::new("one".to_owned().try_into().unwrap(), issuer.clone(), Vec::new());
        assert_eq!(tenant.key_place(), KeyPlace { issuer: issuer.clone(), jwks: None });
        let jwks: Option<KeyUrl> = "https://login.example/keys".parse().ok();
        let tenant = Tenant { jwks: jwks.clone(), ..tenant };
        assert_eq!(tenant.key_place(), KeyPlace { issuer, jwks });
    }
}
