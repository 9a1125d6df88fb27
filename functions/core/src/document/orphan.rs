//! Orphans: what S3 may hold and no document points to.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::upload::Upload;
use crate::ids::ContentId;

/// The age at which no URL into an ended upload lives any more (they have an hour), nor any request that was sent with
/// one.
pub(super) const ORPHANED_FOR: Duration = Duration::from_hours(2);
/// The age at which no table can be restored any more to a time before the object: DynamoDB's point-in-time recovery
/// goes back 35 days.
const RESTORABLE_FOR: Duration = Duration::from_hours(35 * 24);

/// Something that S3 may hold and no document points to, noted so that it is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// Names its object.
    #[serde(rename = "version")]
    pub content_id: ContentId,
    /// Its kind.
    pub remains: OrphanKind,
    /// The time at which it was noted.
    pub noted_at: Timestamp,
    /// How it was found.
    #[serde(default)]
    pub found_by: FoundBy,
}

/// How an [`Orphan`] was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// By the request that left it, or by S3's event of a new object.
    #[default]
    Event,
    /// By the daily listing of the bucket. Its document may be one that a restored table lacks: it stays until an
    /// operator had the time to bring that back.
    Listing,
}

/// The kind of an [`Orphan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrphanKind {
    /// An upload that ended without becoming a content, by S3's id: its parts, or the object of them.
    Upload(String),
    /// The bytes of a request that died before its item was written, by S3's id of that version of the
    /// object. Only that one may go: the same bytes, sent again, are another version of the same key.
    Object(String),
}

impl Orphan {
    /// The orphan of an upload that ended at `now`.
    pub fn of_upload(upload: &Upload, now: Timestamp) -> Self {
        Self {
            content_id: upload.content_id.clone(),
            remains: OrphanKind::Upload(upload.upload_id.clone()),
            noted_at: now,
            found_by: FoundBy::Event,
        }
    }

    /// The bytes of a version of an object, by S3's id of it, that no document points to.
    pub fn of_object(content_id: ContentId, s3_version: String, found_by: FoundBy, now: Timestamp) -> Self {
        Self { content_id, remains: OrphanKind::Object(s3_version), noted_at: now, found_by }
    }

    /// Tells it from the document's other orphans.
    pub fn name(&self) -> String {
        match &self.remains {
            OrphanKind::Upload(_) => self.content_id.to_string(),
            OrphanKind::Object(s3_version) => format!("{}#{s3_version}", self.content_id),
        }
    }

    /// The time at which the sweep is to remove it.
    pub fn due(&self) -> Timestamp {
        match self.found_by {
            FoundBy::Event => self.noted_at + ORPHANED_FOR,
            FoundBy::Listing => self.noted_at + RESTORABLE_FOR,
        }
    }
}
