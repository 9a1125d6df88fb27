//! The operator's commands, and what they know of the cloud on one machine: where its stores are and how they are called.
//! Nothing of that cloud itself is in here, so adding a school in production builds neither SQLite nor an S3.

pub mod access_key;
pub mod stores;
pub mod tenant;

/// An error that is only to be read by a person.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// A result with such an error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The folder of documents unless another is named.
pub const DATA: &str = ".okd";
/// The host on which everything listens, unless other machines are to reach it.
pub const LOOPBACK: &str = "127.0.0.1";
/// The region that the local stores claim to be in: SDKs and other stand-ins know real ones only.
pub const REGION: &str = "eu-central-1";
/// The logical id of the table of tenants.
pub const TENANTS: &str = "TenantsTable";
/// The logical id of the table of documents.
pub const DOCUMENTS: &str = "DocumentsTable";
/// The logical id of the bucket of files.
pub const FILES: &str = "FilesBucket";

/// The name here of a table or bucket of this logical id; it says `local`, so that it cannot be mistaken for the real one.
pub fn physical_name(logical_id: &str) -> String {
    format!("local-{}", logical_id.to_lowercase())
}

/// The origins of issuers on this machine: their keys may be fetched although it is private.
pub fn private_issuers(host: &str) -> String {
    let hosts = [LOOPBACK, "localhost", host];
    hosts.map(|host| format!("http://{host}:*")).join(" ")
}
