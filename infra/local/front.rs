//! What every call to a store or another of AWS's services meets first.

use std::sync::Arc;

use okd_cli::access_key::AccessKey;
use okd_faults::Faults;

use crate::{guard::Guard, policies::Policies};

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
