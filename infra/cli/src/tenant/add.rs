//! `tenant add`: adds a tenant, or changes one.

use std::{fmt, time::Instant};

use jiff::Timestamp;
use okd_core::{
    stores::Changed,
    tenant::{Issuer, KeyUrl, Limits, OnDelete, Signature, Tenant, UncheckedLimits},
    token::{self, Fetcher, KeyCount, count_keys},
};

use super::{Clients, Id, ever};
use crate::Result;

#[derive(clap::Args)]
pub(super) struct Add {
    /// Its name: 1 to 40 of a-z, 0-9 and '-'. Its documents are kept under this name.
    tenant: Id,
    /// The issuer of its tokens: their iss, letter for letter.
    #[arg(long, required_unless_present = "replace")]
    issuer: Option<String>,
    /// An aud that its tokens may have; may be repeated.
    #[arg(long, required_unless_present = "replace", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    audience: Vec<String>,
    /// Take the `client_id` of a token that has no aud for its audience, as Amazon Cognito's access tokens have none:
    /// --audience then names each client that may come.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    client_as_audience: Option<bool>,
    /// The URL at which the issuer publishes its keys; without it, the one that its discovery document names.
    #[arg(long)]
    jwks: Option<KeyUrl>,
    /// A signature that is accepted, such as RS256; may be repeated. Without it: every asymmetric one.
    #[arg(long)]
    algorithm: Vec<Signature>,
    /// A claim that scopes are found in, such as roles or `realm_access.roles`; may be repeated. Without it: scope,
    /// scp and roles.
    #[arg(long)]
    scope_claim: Vec<String>,
    /// Text that the issuer puts in front of each scope, such as okd/ where Amazon Cognito's resource server is called
    /// okd. Scopes without it then count for nothing.
    #[arg(long)]
    scope_prefix: Option<String>,
    /// A claim that names the client; may be repeated. Without it: `client_id`, azp and appid.
    #[arg(long)]
    client_claim: Vec<String>,
    /// Let its clients see each other's documents, and go on with each other's uploads or abort them.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    shared: Option<bool>,
    /// Tell its clients that a document is stored before its bytes were compared with a SHA-256 that they declared.
    /// Without it they are told so when that is done, seconds later.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    trust_unverified: Option<bool>,
    /// Destroy what its clients delete, with all that was said of it, where its retention is over. Without it: hide it.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    destroy_deleted: Option<bool>,
    #[arg(long, help = limit("Bytes in a document, at most", UncheckedLimits::default().document_size))]
    document_size: Option<u64>,
    #[arg(long, help = limit("Bytes of metadata, at most", UncheckedLimits::default().metadata_size))]
    metadata_size: Option<usize>,
    #[arg(long, help = limit("Uploads open at once, at most", UncheckedLimits::default().open_uploads))]
    open_uploads: Option<u64>,
    #[arg(long, help = limit("Bytes on their way at once, at most", UncheckedLimits::default().bytes_in_flight))]
    bytes_in_flight: Option<u64>,
    #[arg(long, help = limit("How much of both one client may have, in percent", UncheckedLimits::default().client_percent))]
    client_percent: Option<u64>,
    #[arg(long, help = limit("Seconds that a part's URL lives", UncheckedLimits::default().part_url_seconds))]
    part_url_seconds: Option<u64>,
    #[arg(long, help = limit("Requests a second that one process of the service sees to", UncheckedLimits::default().requests_per_second))]
    requests_per_second: Option<u32>,
    /// Change a tenant that is there already; what is not given here stays as it is. Another issuer gets at its
    /// documents by that.
    #[arg(long)]
    replace: bool,
    /// Give the tenant the documents of one of this name that was removed.
    #[arg(long)]
    take_over_documents: bool,
    /// The origins of issuers that the stack may fetch keys from although they are private (its parameter
    /// `PrivateIssuers`).
    #[arg(long, env = "OKD_PRIVATE_ISSUERS", default_value = "none", hide_default_value = true)]
    private_issuers: String,
    /// Add it although its issuer's keys cannot be fetched from here.
    #[arg(long)]
    unchecked: bool,
}

/// The help on a limit.
pub(super) fn limit(what: &str, default: impl fmt::Display) -> String {
    format!("{what}. Without it: {default}")
}

pub(super) async fn add_one(clients: &Clients, add: Add) -> Result<String> {
    let known = ever(&clients.tenants).await?;
    let id = &add.tenant.0;
    let before = known.iter().find(|known| known.tenant == *id);
    check_name(&add, before)?;
    let (replace, unchecked) = (add.replace, add.unchecked);
    let private = match &clients.private_issuers {
        Some(local) => local.clone(),
        None => add.private_issuers.clone(),
    };
    let tenant = described(add, before)?;
    let id = &tenant.tenant;
    let same = |other: &&Tenant| {
        let mut names = other.audiences.iter();
        other.tenant != tenant.tenant
            && other.removed.is_none()
            && other.issuer == tenant.issuer
            && names.any(|name| tenant.audiences.contains(name))
    };
    if let Some(other) = known.iter().find(same) {
        let other = &other.tenant;
        return Err(
            format!("{other} has this issuer and audience already: nobody could tell whose token is whose").into()
        );
    }
    let (began, clock) = (Timestamp::now(), Instant::now());
    let keys = if unchecked { None } else { Some(fetch_keys(&tenant, &private).await?) };
    certain(clients.tenants.add(&tenant, before).await?)?;
    if let Some(keys) = keys {
        let (tenants, place) = (&clients.tenants, tenant.key_place());
        tenants.note_keys(&place, keys, began, clock.elapsed()).await?;
    }
    let done = if replace { "changed" } else { "added" };
    Ok(format!("{id} is {done}, for every request within a minute; its documents are those under the name {id}"))
}

/// Refuses a name that is taken, or that is to be changed and is no tenant's.
pub(super) fn check_name(add: &Add, before: Option<&Tenant>) -> Result<()> {
    let id = &add.tenant.0;
    let problem = match before {
        Some(before) if before.removed.is_some() && !add.take_over_documents => format!(
            "there was a tenant {id}, and its documents are there still: take another name, or give them to this one with \
             --take-over-documents"
        ),
        Some(before) if before.removed.is_none() && !add.replace => {
            format!("there is a tenant {id} already; change it with --replace")
        }
        None if add.replace => {
            format!("there is no tenant {id} to replace; `tenant list` lists them")
        }
        _ => return Ok(()),
    };
    Err(problem.into())
}

pub(super) fn certain(changed: Changed) -> Result<()> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Conflict => Err("somebody else has changed this tenant meanwhile; look again".into()),
    }
}

/// The tenant that these arguments describe: what they do not name is as it was `before`, or the default where it was
/// removed or never there.
pub(super) fn described(add: Add, before: Option<&Tenant>) -> Result<Tenant> {
    let edited = before.filter(|before| before.removed.is_none());
    let issuer = add.issuer.map(Issuer::try_from).transpose()?;
    let mut tenant = match (edited, issuer) {
        // Another issuer has other keys.
        (Some(edited), Some(issuer)) if issuer != edited.issuer => Tenant { issuer, jwks: None, ..edited.clone() },
        (Some(edited), _) => edited.clone(),
        (None, Some(issuer)) => Tenant::new(add.tenant.0, issuer, Vec::new()),
        (None, None) => return Err("a new tenant has an --issuer".into()),
    };
    if let Some(before) = before {
        tenant.salt = before.salt.clone();
    }
    let limits = UncheckedLimits::from(tenant.limits);
    tenant.limits = Limits::try_from(UncheckedLimits {
        document_size: add.document_size.unwrap_or(limits.document_size),
        metadata_size: add.metadata_size.unwrap_or(limits.metadata_size),
        open_uploads: add.open_uploads.unwrap_or(limits.open_uploads),
        bytes_in_flight: add.bytes_in_flight.unwrap_or(limits.bytes_in_flight),
        client_percent: add.client_percent.unwrap_or(limits.client_percent),
        part_url_seconds: add.part_url_seconds.unwrap_or(limits.part_url_seconds),
        requests_per_second: add.requests_per_second.unwrap_or(limits.requests_per_second),
    })?;
    set(&mut tenant.client_as_audience, add.client_as_audience);
    set(&mut tenant.shared, add.shared);
    set(&mut tenant.trust_unverified, add.trust_unverified);
    let on_delete = add.destroy_deleted.map(|destroy| if destroy { OnDelete::Destroy } else { OnDelete::Hide });
    set(&mut tenant.on_delete, on_delete);
    set(&mut tenant.scope_prefix, add.scope_prefix);
    set_list(&mut tenant.audiences, add.audience);
    set_list(&mut tenant.algorithms, add.algorithm);
    set_list(&mut tenant.scope_claims, add.scope_claim);
    set_list(&mut tenant.client_claims, add.client_claim);
    tenant.jwks = add.jwks.or(tenant.jwks);
    Ok(tenant)
}

pub(super) fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

pub(super) fn set_list<T>(value: &mut Vec<T>, given: Vec<T>) {
    if !given.is_empty() {
        *value = given;
    }
}

/// Fetches the issuer's keys, as the service will, and asks for one that can check a token.
pub(super) async fn fetch_keys(tenant: &Tenant, private: &str) -> Result<String> {
    let private = private.split_whitespace().map(str::to_owned);
    let fetcher = Fetcher::new(private.collect());
    let keys = token::published(&fetcher, &tenant.key_place()).await;
    let keys = keys.map_err(|error| {
        format!("the issuer's keys are out of reach: {error}. Check --issuer and --jwks, or add it --unchecked")
    })?;
    match count_keys(tenant, &keys)? {
        KeyCount { usable: 1.., .. } => Ok(keys),
        KeyCount { without_id: 1.., .. } => Err(
            "the issuer's keys have no kid, so no token can name the one that signed it: have its administrator publish \
             each key with a kid"
                .into(),
        ),
        KeyCount { .. } => Err(
            "the issuer publishes no key for a signature that this tenant accepts: a public RSA key of 2048 to 8192 bits, \
             or a point on P-256, P-384 or Ed25519, whose use and alg are for such signatures"
                .into(),
        ),
    }
}
