//! The state that the function keeps between requests.

use okd_core::{
    config::{
        ConfigError, MetricsConfig, PageConfig, ResponseConfig, ServiceConfig, SessionConfig, StoreConfig, TokenConfig,
    },
    lambda::Clock,
    metrics::Meter,
    stores::{self, TenantStores, Tenants},
    token::Verifier,
};

use crate::throttle::Throttle;

/// The state that a running function keeps between requests.
pub struct App {
    pub(crate) verifier: Verifier,
    pub(crate) throttle: Throttle,
    pub(crate) stores: TenantStores,
    pub(crate) clock: Clock,
    pub(crate) meter: Meter,
    /// The origins whose pages may call.
    pub(crate) origins: Vec<String>,
    pub(crate) service: ServiceConfig,
    /// True where the gateway takes answers as streams.
    pub(crate) streams: bool,
}

impl App {
    /// Reads the settings from the environment ([`okd_core::config`]) and connects to the stores.
    pub(crate) fn from_env(clock: Clock) -> Result<Self, ConfigError> {
        let tokens = TokenConfig::from_env()?;
        let sdk = stores::connect_in_lambda()?;
        Ok(Self {
            verifier: Verifier::new(Tenants::new(&sdk, tokens.tenants_table), tokens.private_issuers),
            throttle: Throttle::default(),
            stores: TenantStores::new(sdk, StoreConfig::from_env()?, SessionConfig::from_env()?),
            clock,
            meter: Meter::new(MetricsConfig::from_env()?),
            origins: PageConfig::from_env()?.origins,
            service: ServiceConfig::from_env()?,
            streams: ResponseConfig::from_env()?.streams,
        })
    }
}
