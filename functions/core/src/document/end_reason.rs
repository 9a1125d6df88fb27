//! The ways in which bytes come to nothing.

use serde::{Deserialize, Serialize};

/// Reasons why an upload has ended without becoming a content that may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Its sender, or the operator, aborted it.
    Aborted,
    /// No part of it came within an hour, or it was not completed within 24 hours.
    Expired,
    /// Its bytes do not have the CRC64NVME that was declared.
    ChecksumMismatch,
    /// Its bytes, read back, do not have the checksum that was declared.
    Corrupt,
    /// A scanner found malware in it, or could not tell what is in it.
    Quarantined,
    /// A newer PUT of the same document took its place.
    Superseded,
}
