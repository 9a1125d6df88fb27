//! Whose data it is. Every key in DynamoDB and in S3 begins with the tenant, and this module is the
//! only one that makes such keys: two tenants cannot meet in one item or one object.
//!
//! A [`Tenant`] is an item of the table of tenants ([`crate::stores::Tenants`]): who issues its tokens, where the
//! issuer publishes its keys, how its tokens are to be read, and what it may have. Adding one needs no deploy.

use std::{fmt, str::FromStr, time::Duration};

use http::Uri;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    document::{DocumentId, Version},
    metadata::{Link, MAX_METADATA},
    parts::MAX_DOCUMENT,
};

/// A school (or other customer) of this deployment: 1 to 40 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TryFrom<String> for TenantId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=40).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!("the tenant {text:?} is not 1 to 40 characters of a-z, 0-9 and '-'"))
        }
    }
}

impl From<TenantId> for String {
    fn from(tenant: TenantId) -> Self {
        tenant.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant, and how the tokens of its issuer are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Which tenant it is.
    pub tenant: TenantId,
    /// Who issues its tokens. Several tenants may have one issuer; their audiences then tell them apart.
    pub issuer: Issuer,
    /// The `aud`s that its tokens may have: this service's names at the issuer.
    pub audiences: Vec<String>,
    /// Whether `audiences` are compared with the `client_id` of a token that has no `aud`, as Amazon Cognito's access
    /// tokens have none. They then name the tenant's clients.
    #[serde(default)]
    pub client_as_audience: bool,
    /// Where the issuer publishes its keys; where this is not given, its discovery document says so
    /// (`{issuer}/.well-known/openid-configuration`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<KeyUrl>,
    /// The signatures that are accepted; none that is symmetric.
    pub algorithms: Vec<Signature>,
    /// The claims in which scopes are found. A dot leads into an object: `realm_access.roles`.
    pub scope_claims: Vec<String>,
    /// The text that the issuer puts in front of each scope, as Amazon Cognito puts the resource server's name and a `/`. Scopes
    /// without it count for nothing.
    #[serde(default)]
    pub scope_prefix: String,
    /// The claims that name the client. One must be there, and those that are must agree.
    pub client_claims: Vec<String>,
    /// Whether its clients see each other's documents, and go on with each other's uploads.
    #[serde(default)]
    pub shared: bool,
    /// Whether a document that was declared with a checksum S3 does not compute is told to be stored before its bytes were
    /// compared with it.
    #[serde(default)]
    pub trust_unverified: bool,
    /// What it may have.
    pub limits: Limits,
    /// Goes into the name of every document, so that nobody outside can compute its id. It is data: another salt would give
    /// every repeat another id.
    pub salt: Salt,
    /// When it was removed. Its name is not free since: the documents under it are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
    /// How many changes it has seen; 0 is not yet written.
    #[serde(default)]
    pub revision: u64,
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
    /// As most issuers want it: their discovery document, every asymmetric algorithm, scopes in `scope` (RFC
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
            limits: Limits::default(),
            salt: Salt::random(),
            removed: None,
            revision: 0,
        }
    }
}

/// An issuer's name, as it stands in `iss` and letter for letter so: a URL of at most 255 bytes without query
/// and fragment (RFC 8414, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer(String);

impl TryFrom<String> for Issuer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = text.len() <= 255 && !text.contains(['?', '#']);
        match KeyUrl::try_from(text) {
            Ok(url) if plain => Ok(Self(url.0)),
            Ok(url) => Err(format!("the issuer {:?} has more than 255 bytes, a query or a fragment", url.0)),
            Err(error) => Err(error),
        }
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.0
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Issuer {
    /// Where its discovery document is (OpenID Connect Discovery, section 4).
    pub fn discovery(&self) -> KeyUrl {
        let base = self.0.trim_end_matches('/');
        KeyUrl(format!("{base}/.well-known/openid-configuration"))
    }
}

/// Where keys, or word of them, are fetched: an `https` or `http` URL with a host and no user. Whether that host
/// may be asked is decided when it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyUrl(String);

impl TryFrom<String> for KeyUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let uri = text.parse::<Uri>().ok().filter(|uri| {
            let host = uri.host().is_some_and(|host| !host.is_empty());
            let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
            host && !user && matches!(uri.scheme_str(), Some("https" | "http"))
        });
        match uri {
            Some(_) if text.len() <= 2048 => Ok(Self(text)),
            _ => Err(format!("{text:?} is not a URL such as https://login.example/tenant")),
        }
    }
}

impl FromStr for KeyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into()
    }
}

impl From<KeyUrl> for String {
    fn from(url: KeyUrl) -> Self {
        url.0
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the keys of an issuer are: by its discovery document, or at the URL that its tenant names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPlace {
    /// The issuer.
    pub issuer: Issuer,
    /// The URL, where the tenant names one.
    pub jwks: Option<KeyUrl>,
}

impl Tenant {
    /// Where the keys of its tokens are.
    pub fn key_place(&self) -> KeyPlace {
        KeyPlace { issuer: self.issuer.clone(), jwks: self.jwks.clone() }
    }
}

/// An algorithm by which tokens may be signed (RFC 7518): an asymmetric one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Algorithm", into = "Algorithm")]
pub struct Signature(Algorithm);

impl Signature {
    /// Every one that there is.
    pub const ALL: [Self; 9] = [
        Self(Algorithm::RS256),
        Self(Algorithm::RS384),
        Self(Algorithm::RS512),
        Self(Algorithm::PS256),
        Self(Algorithm::PS384),
        Self(Algorithm::PS512),
        Self(Algorithm::ES256),
        Self(Algorithm::ES384),
        Self(Algorithm::EdDSA),
    ];
}

impl TryFrom<Algorithm> for Signature {
    type Error = &'static str;

    fn try_from(algorithm: Algorithm) -> Result<Self, &'static str> {
        if Self::ALL.contains(&Self(algorithm)) {
            Ok(Self(algorithm))
        } else {
            Err("tokens are signed with RS, PS, ES or EdDSA: whoever checks an HS signature could make it")
        }
    }
}

impl FromStr for Signature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let algorithm = text.parse::<Algorithm>();
        let algorithm = algorithm.map_err(|_| format!("{text:?} is no algorithm such as RS256"))?;
        Self::try_from(algorithm).map_err(str::to_owned)
    }
}

impl From<Signature> for Algorithm {
    fn from(signature: Signature) -> Self {
        signature.0
    }
}

/// What a tenant may have, within what the service can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedLimits", into = "UncheckedLimits")]
pub struct Limits(UncheckedLimits);

/// Limits as somebody wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UncheckedLimits {
    /// Bytes in a document, at most.
    pub document_size: u64,
    /// Bytes of metadata, at most.
    pub metadata_size: usize,
    /// Uploads that are open at once, at most.
    pub open_uploads: u64,
    /// Bytes that these uploads declare together, at most.
    pub bytes_in_flight: u64,
    /// How much of both one client may have, in percent, so that it does not shut the others out.
    pub client_percent: u64,
    /// How many seconds a part's URL lives.
    pub part_url_seconds: u64,
    /// How many requests a second one process of the api function sees to.
    pub requests_per_second: u32,
}

impl Default for UncheckedLimits {
    fn default() -> Self {
        Self {
            document_size: MAX_DOCUMENT,
            metadata_size: MAX_METADATA,
            open_uploads: 1000,
            bytes_in_flight: 256 * MAX_DOCUMENT,
            client_percent: 50,
            part_url_seconds: 3600,
            requests_per_second: 100,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let limits = UncheckedLimits::default().try_into();
        limits.expect("the defaults are within what the service can do; a test says so")
    }
}

impl TryFrom<UncheckedLimits> for Limits {
    type Error = String;

    fn try_from(wanted: UncheckedLimits) -> Result<Self, String> {
        let UncheckedLimits {
            document_size,
            metadata_size,
            open_uploads,
            bytes_in_flight,
            client_percent,
            part_url_seconds,
            requests_per_second,
        } = wanted;
        if !(1..=MAX_DOCUMENT).contains(&document_size) {
            return Err(format!("a document has 1 to {MAX_DOCUMENT} bytes"));
        }
        if !(1024..=MAX_METADATA).contains(&metadata_size) {
            return Err(format!("metadata may have 1024 to {MAX_METADATA} bytes"));
        }
        if !(1..=1_000_000).contains(&open_uploads) {
            return Err("1 to 1000000 uploads may be open".to_owned());
        }
        if !(document_size..=1 << 50).contains(&bytes_in_flight) {
            return Err(format!(
                "the bytes in flight must leave room for a document of the largest size, {document_size}"
            ));
        }
        if !(1..=100).contains(&client_percent) {
            return Err("one client may have 1 to 100 percent".to_owned());
        }
        if !(60..=3600).contains(&part_url_seconds) {
            return Err("a part's URL lives 60 to 3600 seconds".to_owned());
        }
        if !(1..=10_000).contains(&requests_per_second) {
            return Err("1 to 10000 requests a second may be seen to".to_owned());
        }
        Ok(Self(wanted))
    }
}

impl From<Limits> for UncheckedLimits {
    fn from(limits: Limits) -> Self {
        limits.0
    }
}

/// What the uploads that one counter counts may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many they are.
    pub uploads: u64,
    /// How many bytes they declare.
    pub bytes: u64,
}

impl Limits {
    /// Bytes in a document, at most.
    pub fn document_size(&self) -> u64 {
        self.0.document_size
    }

    /// Bytes of metadata, at most.
    pub fn metadata_size(&self) -> usize {
        self.0.metadata_size
    }

    /// How long a part's URL lives.
    pub fn part_url_lifetime(&self) -> Duration {
        Duration::from_secs(self.0.part_url_seconds)
    }

    /// How many requests a second one process sees to.
    pub fn requests_per_second(&self) -> u32 {
        self.0.requests_per_second
    }

    /// How many counters share the open uploads among them. One item for all would be written by every upload of
    /// the tenant, and DynamoDB refuses a transaction while another one is at work on the same item.
    pub fn counters(&self) -> u8 {
        let by_uploads = self.0.open_uploads / 100;
        let by_bytes = self.0.bytes_in_flight / self.0.document_size / 4;
        u8::try_from(by_uploads.min(by_bytes).clamp(1, 8)).unwrap_or(1)
    }

    /// The share of one counter; all of them together come to the limit.
    pub fn room(&self, counter: u8) -> Room {
        let counters = u64::from(self.counters());
        let share = |all: u64| all / counters + u64::from(u64::from(counter) < all % counters);
        Room { uploads: share(self.0.open_uploads), bytes: share(self.0.bytes_in_flight) }
    }

    /// The share of one client in that: at least one document, however large it may be.
    pub fn room_of_client(&self, counter: u8) -> Room {
        let room = self.room(counter);
        let share = |all: u64| (all * self.0.client_percent).div_ceil(100);
        Room { uploads: share(room.uploads), bytes: share(room.bytes).max(self.0.document_size) }
    }
}

/// What stands in the partition of leftovers where that of a link has its kind.
pub const LEFTOVER: &str = "leftover";

/// Which document, in whose data: what every key in the table and in the bucket is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentKey {
    /// The school that it belongs to.
    pub tenant: TenantId,
    /// Its id.
    pub id: DocumentId,
}

impl DocumentKey {
    /// The partition of the document's items in the table: `{tenant}#{dmsDocumentId}`.
    pub fn partition(&self) -> String {
        format!("{}#{}", self.tenant, self.id)
    }

    /// The S3 key of one of its contents: `{tenant}/{dmsDocumentId}/{version}`. No version is used for two
    /// contents, so no object is ever overwritten by another one's bytes.
    pub fn object(&self, version: &Version) -> String {
        format!("{}/{}/{version}", self.tenant, self.id)
    }

    /// The document whose items are in this partition; `None` where we never made such a key.
    pub fn of_partition(partition: &str) -> Option<Self> {
        let (tenant, id) = partition.split_once('#')?;
        Self::parse(tenant, id)
    }

    /// The partition of what it has left over in S3: `{tenant}#leftover#{dmsDocumentId}`. One of their own, since the api
    /// function may delete these items and none of the document's.
    pub fn leftover_partition(&self) -> String {
        format!("{}#{LEFTOVER}#{}", self.tenant, self.id)
    }

    /// The document whose leftovers are in this partition; `None` where it is a partition of something else.
    pub fn of_leftover_partition(partition: &str) -> Option<Self> {
        let (tenant, rest) = partition.split_once('#')?;
        let (kind, id) = rest.split_once('#')?;
        Self::parse(tenant, id).filter(|_| kind == LEFTOVER)
    }

    /// The document and version of an object; `None` where we never made such a key.
    pub fn of_object(key: &str) -> Option<(Self, Version)> {
        let (tenant, rest) = key.split_once('/')?;
        let (id, version) = rest.split_once('/')?;
        Some((Self::parse(tenant, id)?, Version::parse(version)?))
    }

    fn parse(tenant: &str, id: &str) -> Option<Self> {
        Some(Self { tenant: tenant.to_owned().try_into().ok()?, id: Uuid::try_parse(id).ok()?.into() })
    }
}

impl TenantId {
    /// The partition of the entries by which documents are found by an id of others: `{tenant}#{kind}#{id}`.
    pub fn link_partition(&self, link: &Link) -> String {
        format!("{self}#{}#{}", link.kind.as_str(), link.id)
    }

    /// The partition of its counters of open uploads: `{tenant}#usage`.
    pub fn usage_partition(&self) -> String {
        format!("{self}#usage")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Checksum;

    #[test]
    fn the_counters_shares_come_to_the_limit_and_each_has_room_for_a_document() {
        for (open_uploads, bytes_in_flight) in [(1, 7), (3, 8), (999, 1000), (1001, 12_345), (1_000_000, 1 << 50)] {
            let limits =
                UncheckedLimits { open_uploads, bytes_in_flight, document_size: 7, ..UncheckedLimits::default() };
            let limits = Limits::try_from(limits).unwrap();
            let rooms: Vec<Room> = (0..limits.counters()).map(|counter| limits.room(counter)).collect();
            assert_eq!(rooms.iter().map(|room| room.uploads).sum::<u64>(), open_uploads);
            assert_eq!(rooms.iter().map(|room| room.bytes).sum::<u64>(), bytes_in_flight);
            let of_client = (0..limits.counters()).map(|counter| limits.room_of_client(counter));
            for (room, of_client) in rooms.iter().zip(of_client) {
                assert!(of_client.uploads >= 1 && of_client.bytes >= 7, "{of_client:?}");
                assert!(of_client.uploads <= room.uploads && of_client.bytes <= room.bytes);
            }
        }
        assert_eq!(Limits::default().counters(), 8);
    }

    #[test]
    fn limits_beyond_what_the_service_can_do_are_refused() {
        let sound = UncheckedLimits::default();
        for limits in [
            UncheckedLimits { document_size: 0, ..sound },
            UncheckedLimits { document_size: MAX_DOCUMENT + 1, ..sound },
            UncheckedLimits { metadata_size: MAX_METADATA + 1, ..sound },
            UncheckedLimits { open_uploads: 0, ..sound },
            UncheckedLimits { bytes_in_flight: MAX_DOCUMENT - 1, ..sound },
            UncheckedLimits { client_percent: 101, ..sound },
            UncheckedLimits { part_url_seconds: 3601, ..sound },
            UncheckedLimits { requests_per_second: 0, ..sound },
        ] {
            assert!(Limits::try_from(limits).is_err(), "{limits:?}");
        }
    }

    #[test]
    fn an_issuer_is_a_url_without_user_query_or_fragment() {
        for good in
            ["https://login.microsoftonline.com/6f3/v2.0", "https://sts.windows.net/6f3/", "http://127.0.0.1:7081"]
        {
            assert!(Issuer::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "okd",
            "https://",
            "ftp://a",
            "https://a?b",
            "https://a#b",
            "https://me@a",
            &format!("https://{}", "a".repeat(255)),
        ] {
            assert!(Issuer::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn symmetric_algorithms_are_none_of_ours() {
        assert!("RS256".parse::<Signature>().is_ok());
        for bad in ["HS256", "none", "rs256"] {
            assert!(bad.parse::<Signature>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_read_back_as_the_document_that_they_were_made_of() {
        let key = DocumentKey { tenant: "school-1".to_owned().try_into().unwrap(), id: Uuid::from_u128(7).into() };
        assert_eq!(DocumentKey::of_partition(&key.partition()), Some(key.clone()));
        for version in [Version::of_upload(), Version::of_bytes(&Checksum::sha256(b"x"))] {
            let read = DocumentKey::of_object(&key.object(&version));
            assert_eq!(read, Some((key.clone(), version)));
        }
    }

    #[test]
    fn a_key_that_we_never_made_names_no_document() {
        for key in ["", "school", "school/x/y", "School/x/y", "a/b/c/d"] {
            assert_eq!(DocumentKey::of_object(key), None, "{key}");
            assert_eq!(DocumentKey::of_partition(key), None, "{key}");
        }
    }
}
