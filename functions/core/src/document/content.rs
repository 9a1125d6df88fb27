//! A content: one version of a document's bytes, with the metadata that came with them.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    end_reason::EndReason,
    screening::{Screening, Verdict},
};
use crate::{checksum::Checksum, ids::ContentId, metadata::Metadata};

/// The event of the new object begins its verification, and another brings the scanner's verdict; where one was lost, the
/// sweep sees to it, after this.
const LOOK_AFTER: Duration = Duration::from_mins(1);

/// A stored file and what its sender said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Its number among the document's contents, from 1.
    #[serde(default)]
    pub sequence: u32,
    /// The document's revision that made it current.
    #[serde(default)]
    pub revision: u64,
    /// Names its object.
    #[serde(rename = "version")]
    pub content_id: ContentId,
    /// Bytes.
    pub size: u64,
    /// The checksums of its bytes; the last of these is only declared while the verification is pending.
    pub checksums: Vec<Checksum>,
    /// The state of the comparison with the declared checksum.
    pub verification: Verification,
    /// The time at which it became the current content.
    pub stored_at: Timestamp,
    /// The time at which the declared checksum was compared, where that was done by reading it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// The state of its screening; `None` where nobody screened when it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screening: Option<Screening>,
    /// The time at which the verdict was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screened_at: Option<Timestamp>,
    /// The metadata it came with.
    pub metadata: Metadata,
}

impl Content {
    /// The content of bytes, of this SHA-256, that came whole at `now` with this metadata, and whose screening is there.
    pub fn of_bytes(
        bytes: &[u8],
        sha256: Checksum,
        metadata: Metadata,
        screening: Option<Screening>,
        now: Timestamp,
    ) -> Self {
        Self {
            sequence: 0,
            revision: 0,
            content_id: ContentId::of_bytes(&sha256),
            size: bytes.len() as u64,
            checksums: vec![sha256, Checksum::crc64nvme(bytes)],
            verification: Verification::Done,
            stored_at: now,
            verified_at: None,
            screening,
            screened_at: None,
            metadata,
        }
    }

    /// Returns whether the bytes are known (or, until verified, declared) to have this checksum.
    pub fn has(&self, checksum: Checksum) -> bool {
        self.checksums.contains(&checksum)
    }

    /// Returns whether its bytes are those of `file`; `None` where that is not known, for what is declared proves
    /// nothing.
    pub(crate) fn has_the_bytes_of(&self, file: &Self) -> Option<bool> {
        let may_be = match self.unverified() {
            Some(declared) => file.has(declared),
            None => self.checksums.iter().all(|&checksum| file.has(checksum)),
        };
        if self.size != file.size || !may_be {
            return Some(false);
        }
        (self.unverified().is_none() && !self.checksums.is_empty()).then_some(true)
    }

    /// Returns whether it is known to be the `file` that came whole: by its SHA-256, since no other file can be made of
    /// the same one, and not where that is only declared.
    pub(super) fn is(&self, file: &Self) -> bool {
        let sha256 = file.checksums.iter();
        let mut sha256 = sha256.filter(|checksum| matches!(checksum, Checksum::Sha256(_)));
        self.content_id == file.content_id || (self.unverified().is_none() && sha256.any(|&sha256| self.has(sha256)))
    }

    /// Returns the declared checksum that the bytes have yet to be compared with.
    pub fn unverified(&self) -> Option<Checksum> {
        let declared = self.checksums.last().copied();
        declared.filter(|_| self.verification == Verification::Pending && self.refusal().is_none())
    }

    /// Returns whether a scanner's verdict is awaited.
    pub fn is_unscreened(&self) -> bool {
        self.screening == Some(Screening::Pending) && self.refusal().is_none()
    }

    /// Returns whether this verdict says something new: malware that is found late counts too.
    pub(crate) fn awaits(&self, verdict: Verdict) -> bool {
        self.refusal().is_none() && (self.is_unscreened() || Verdict::REFUSING.contains(&verdict))
    }

    /// Returns whether a scanner keeps it from no reader.
    pub fn is_released(&self) -> bool {
        matches!(self.screening, None | Some(Screening::Judged(Verdict::Clean)))
    }

    /// The reason why it is kept in the history, and never current again.
    pub fn refusal(&self) -> Option<EndReason> {
        if self.verification == Verification::Corrupt {
            return Some(EndReason::Corrupt);
        }
        let is_refused = Verdict::REFUSING.iter().any(|&verdict| self.screening == Some(Screening::Judged(verdict)));
        is_refused.then_some(EndReason::Quarantined)
    }

    /// The time at which the sweep is to look after it.
    pub fn due(&self) -> Option<Timestamp> {
        let is_pending = self.unverified().is_some() || self.is_unscreened();
        is_pending.then(|| self.stored_at + LOOK_AFTER)
    }
}

/// The state of the comparison of a content's bytes with its declared checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// Nothing was declared that has not been compared.
    Done,
    /// S3 did not compute what was declared over an upload, as it cannot compute a SHA-256: the object has yet to be
    /// read.
    Pending,
    /// The bytes do not have the checksum that was declared: kept in the history, and never current.
    Corrupt,
}
