//! What every call to a store or another of AWS's services meets first.

use std::{sync::Arc, time::Duration};

use okd_cli::access_key::AccessKey;
use okd_faults::Faults;

use crate::{Result, guard::Guard, policies::Policies, template::Template};

/// The time by which a call that is to come late does: an SDK waits 3 s for an answer, and calls again.
const LATE: Duration = Duration::from_millis(3500);

/// What every call meets first.
#[derive(Clone)]
pub struct Front {
    /// The rules for callers.
    pub guard: Arc<Guard>,
    /// The key that signs calls.
    pub access_key: AccessKey,
    /// The rights of functions.
    pub policies: Arc<Policies>,
    /// Between functions and services.
    pub faults: Arc<Faults>,
}

impl Front {
    /// The front of a template's services on this host, whose calls are signed with this key.
    pub fn new(template: &Template, host: &str, access_key: AccessKey) -> Result<Self> {
        Ok(Self {
            guard: Arc::new(Guard::new(host, template)),
            access_key,
            policies: Arc::new(Policies::of(template)?),
            faults: Arc::new(Faults::new(LATE)),
        })
    }
}
