//! The tenants that this process knows: read by issuer, and believed for a while.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::Mutex;

use super::age;
use crate::{
    Result,
    stores::Tenants,
    tenant::{Issuer, Tenant},
};

/// How long what was read of an issuer is believed: so late, at most, a tenant that was added, changed or removed
/// is so for everybody.
const BELIEVED: Duration = Duration::from_mins(1);
/// Issuers remembered at once; whoever makes issuers up makes us read, and no more.
const REMEMBERED: usize = 1000;

pub(super) struct KnownTenants {
    table: Tenants,
    known: Mutex<HashMap<Issuer, Known>>,
}

struct Known {
    tenants: Arc<[Tenant]>,
    /// By the clock: the monotonic one may stand still in a process that Lambda has frozen.
    read: SystemTime,
}

impl KnownTenants {
    pub(super) fn of(table: Tenants) -> Self {
        Self {
            table,
            known: Mutex::default(),
        }
    }

    /// The tenants of an issuer; none, for an issuer that nobody has.
    pub(super) async fn of_issuer(&self, issuer: &Issuer) -> Result<Arc<[Tenant]>> {
        // Held while the table is asked: whoever else needs its answer waits for this one.
        let mut known = self.known.lock().await;
        if let Some(known) = known.get(issuer).filter(|known| known.is_believed()) {
            return Ok(Arc::clone(&known.tenants));
        }
        let read = SystemTime::now();
        let tenants: Arc<[Tenant]> = self.table.of_issuer(issuer).await?.into();
        if known.len() >= REMEMBERED {
            known.retain(|_, known| known.is_believed() && !known.tenants.is_empty());
        }
        let now_known = Known {
            tenants: Arc::clone(&tenants),
            read,
        };
        known.insert(issuer.clone(), now_known);
        Ok(tenants)
    }
}

impl Known {
    fn is_believed(&self) -> bool {
        age(self.read) < BELIEVED
    }
}
