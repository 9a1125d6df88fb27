//! The stores as one tenant's requests reach them.
//!
//! In a deployment that has roles for it ([`SessionConfig`]), by credentials that reach no other tenant's items and
//! objects, so that a fault in our own code cannot either: a session of the tenant's role, tagged with the tenant, by
//! which the role's policy names partitions and keys (template.yaml). The URLs of parts are signed by a session that
//! may put parts and nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sts::Client as Sts;
use aws_sdk_sts::types::Tag;
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::{Documents, Files, Stores};
use crate::{
    Error, Result,
    config::{SessionConfig, StoreConfig},
    ids::TenantId,
};

/// The session tag that holds the tenant; the roles' policies read it as `aws:PrincipalTag/tenant`.
pub const TENANT_TAG: &str = "tenant";
/// The seconds that a session lives: as long as AWS lets one that another role began.
const LIFETIME: i32 = 3600;
/// The time that a session must still live to be used, so that a part's URL does too.
const LEFT: Duration = Duration::from_mins(30);

/// The stores, by tenant.
pub struct TenantStores {
    sdk: SdkConfig,
    config: StoreConfig,
    reach: Reach,
}

/// The credentials by which they are reached.
enum Reach {
    /// The function's own, which reach all tenants.
    Own(Arc<Stores>),
    /// One session or two for each tenant.
    Sessions(Sts, SessionConfig, Mutex<HashMap<TenantId, Open>>),
}

/// A tenant's stores, while its sessions live.
struct Open {
    stores: Arc<Stores>,
    until: Timestamp,
}

impl TenantStores {
    /// The stores that `config` names; by sessions, where there are roles for them.
    pub fn new(sdk: SdkConfig, config: StoreConfig, sessions: Option<SessionConfig>) -> Self {
        let reach = match sessions {
            None => Reach::Own(Arc::new(Stores::new(&sdk, &config))),
            Some(roles) => Reach::Sessions(Sts::new(&sdk), roles, Mutex::default()),
        };
        Self { sdk, config, reach }
    }

    /// This tenant's stores. The first time, and when its sessions near their end, that takes two calls to STS at once.
    pub async fn of(&self, tenant: &TenantId) -> Result<Arc<Stores>> {
        let (sts, roles, open) = match &self.reach {
            Reach::Own(stores) => return Ok(stores.clone()),
            Reach::Sessions(sts, roles, open) => (sts, roles, open),
        };
        let lock = || open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |open: &Open| open.until > Timestamp::now() + LEFT;
        if let Some(open) = lock().get(tenant).filter(|open| is_good(open)) {
            return Ok(open.stores.clone());
        }
        let (own, signing) =
            tokio::try_join!(session(sts, &roles.tenant_role, tenant), session(sts, &roles.signing_role, tenant))?;
        let until = end(&own).min(end(&signing));
        let (own, signing) = (self.with(own), self.with(signing));
        let files = Files::new(&own, self.config.bucket.clone());
        let stores = Arc::new(Stores {
            documents: Documents::new(&own, self.config.table.clone()),
            files: files.signed_by(&signing, until),
            screens: self.config.screening,
        });
        let mut open = lock();
        open.retain(|_, open| is_good(open));
        let begun = Open { stores: stores.clone(), until };
        open.insert(tenant.clone(), begun);
        Ok(stores)
    }

    /// The configuration for these credentials, over the connections that are there.
    fn with(&self, credentials: Credentials) -> SdkConfig {
        let provider = SharedCredentialsProvider::new(credentials);
        self.sdk.to_builder().credentials_provider(provider).build()
    }
}

/// Begins a session of a role for this tenant.
async fn session(sts: &Sts, role: &str, tenant: &TenantId) -> Result<Credentials> {
    const WHAT: &str = "beginning a tenant's session";
    let tag = Tag::builder().key(TENANT_TAG).value(tenant.to_string()).build();
    let asked = sts
        .assume_role()
        .role_arn(role)
        .role_session_name(format!("tenant-{tenant}"))
        .duration_seconds(LIFETIME)
        .tags(tag.map_err(|error| Error::unavailable(WHAT, error))?);
    let begun = asked.send().await.map_err(|error| Error::unavailable(WHAT, error))?;
    let session = begun.credentials.ok_or_else(|| Error::unavailable(WHAT, "STS gave no credentials"))?;
    let end = SystemTime::try_from(session.expiration).map_err(|error| Error::unavailable(WHAT, error))?;
    let (id, secret, token) = (session.access_key_id, session.secret_access_key, session.session_token);
    Ok(Credentials::new(id, secret, Some(token), Some(end), "session"))
}

/// The end of a session.
fn end(session: &Credentials) -> Timestamp {
    let end = session.expiry().and_then(|end| end.try_into().ok());
    end.unwrap_or(Timestamp::UNIX_EPOCH)
}
