//! What the functions of the OKD document service share: the domain, the use cases and the stores.
//!
//! Start at [`uploads`]: each use case (a document handed in whole; an upload begun, asked after,
//! completed or aborted; what was left unfinished, swept) is one file there and reads as a checklist. The
//! rules that they obey are pure
//! and live in [`document`] (the states of a document), [`parts`] (how a file is cut) and [`metadata`]
//! (what a sender may say). [`stores`] speaks to DynamoDB and S3. Nothing in this crate knows HTTP:
//! an [`Error`] says what went wrong, and the function that answers decides how that looks on its wire.

pub mod caller;
pub mod checksum;
pub mod config;
pub mod document;
pub mod error;
pub mod identity;
pub mod lambda;
pub mod listing;
pub mod metadata;
pub mod metrics;
pub mod name;
pub mod parameters;
pub mod parts;
pub mod stores;
pub mod tenant;
pub mod token;
pub mod uploads;

pub use error::{Error, Result};
pub use stores::Stores;

/// The `User-Agent` of every request that this service sends to others. Firewalls in front of issuers refuse requests
/// without one.
pub const USER_AGENT: &str = concat!("okd-documents/", env!("CARGO_PKG_VERSION"));
