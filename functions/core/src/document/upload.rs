//! An upload: a content on its way, in parts.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    content::{Content, Verification},
    end_reason::EndReason,
    screening::Screening,
};
use crate::{checksum::Checksum, ids::ContentId, metadata::Metadata, parts::PartPlan, quota::Counted};

/// The time that an upload may take from its PUT to its completion.
pub(crate) const UPLOAD_LIFETIME: Duration = Duration::from_hours(24);

/// The time that an upload is kept without a part: its URLs are as old by then, so no part can be sent any more.
const IDLE_LIFETIME: Duration = Duration::from_hours(1);

/// The time between two looks of the sweep at something that is pending: so much later than it should have, at most,
/// a sender that died after its last part has its document stored.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_mins(15);

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Names the object that it will become.
    #[serde(rename = "version")]
    pub content_id: ContentId,
    /// S3's id of it. Never leaves the service.
    pub upload_id: String,
    /// Its size and how it is cut.
    pub plan: PartPlan,
    /// The checksum that its sender declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// The time at which it ends by itself: [`UPLOAD_LIFETIME`] after it began.
    pub expires_at: Timestamp,
    /// The shard of its tenant's quota that counts it.
    #[serde(default, rename = "counter", skip_serializing_if = "Option::is_none")]
    pub shard: Option<u8>,
    /// Its state; see [`Upload::state_at`].
    pub state: UploadState,
    /// The metadata it came with.
    pub metadata: Metadata,
}

/// The state of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadState {
    /// Parts may be sent.
    Uploading,
    /// It has ended without becoming a content.
    #[serde(untagged)]
    Ended(EndReason),
}

impl Upload {
    /// The state at `now`: an upload is expired by the clock, before that is written down.
    pub(crate) fn state_at(&self, now: Timestamp) -> UploadState {
        match self.state {
            UploadState::Uploading if now >= self.expires_at => UploadState::Ended(EndReason::Expired),
            state => state,
        }
    }

    /// Returns whether no part has come in so long that none will, where so many are missing.
    pub(crate) fn is_idle_at(&self, now: Timestamp, missing: usize) -> bool {
        missing == self.plan.parts().count() && now >= self.began_at() + IDLE_LIFETIME
    }

    /// The time at which the sweep is to look after it.
    pub fn due(&self) -> Option<Timestamp> {
        (self.state == UploadState::Uploading).then(|| self.began_at() + LOOK_AGAIN)
    }

    /// The upload as its shard counts it.
    pub fn counted(&self) -> Option<Counted> {
        self.shard.map(|shard| Counted { shard, bytes: self.plan.size.bytes() })
    }

    fn began_at(&self) -> Timestamp {
        self.expires_at - UPLOAD_LIFETIME
    }

    /// The content that this upload becomes, when S3 says what it computed over the bytes, and whose screening is there.
    pub(crate) fn into_content(
        self,
        crc64nvme: Option<Checksum>,
        screening: Option<Screening>,
        now: Timestamp,
    ) -> Content {
        let mut checksums: Vec<Checksum> = crc64nvme.into_iter().collect();
        let unverified = self.checksum.filter(|declared| !checksums.contains(declared));
        checksums.extend(unverified);
        Content {
            sequence: 0,
            revision: 0,
            content_id: self.content_id,
            size: self.plan.size.bytes(),
            checksums,
            verification: if unverified.is_some() { Verification::Pending } else { Verification::Done },
            stored_at: now,
            verified_at: None,
            screening,
            screened_at: None,
            metadata: self.metadata,
        }
    }
}
