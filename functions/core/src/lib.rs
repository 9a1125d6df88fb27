//! The shared part of the functions: the domain, the use cases and the stores.
//!
#![doc = include_str!("../../../docs/architecture.md")]

pub mod association;
pub mod caller;
pub mod checksum;
pub mod class;
pub mod config;
pub mod document;
pub mod error;
pub mod identity;
pub mod ids;
pub mod lambda;
pub mod listing;
pub mod metadata;
pub mod metrics;
pub mod name;
pub mod parts;
pub mod quota;
pub mod range;
pub mod retention;
pub mod retention_rules;
pub mod stamp;
pub mod stores;
pub mod tenant;
pub mod token;
pub mod use_cases;

pub use error::{Error, MetadataFault, Result};
pub use stores::Stores;

/// The `User-Agent` of every request that this service sends to others. Firewalls in front of issuers refuse requests
/// without one.
pub const USER_AGENT: &str = concat!("okd-documents/", env!("CARGO_PKG_VERSION"));
