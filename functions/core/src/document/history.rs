//! The history of a document: who did what to it, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::upload::EndReason;
use crate::ids::ContentId;

/// Who does something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
}

impl Stamp {
    /// The service itself does it, behind the senders' backs.
    pub fn of_the_service(at: Timestamp) -> Self {
        let by = Actor::default();
        Self { at, by }
    }
}

/// Who does something: a client of the document's tenant, or the service itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The id of its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// One change of a document, in its history: who did what, when. Revisions and times of a history strictly increase,
/// whatever the clocks of those who made it. Of the person whom the document is about it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The revision that it made.
    pub revision: u64,
    /// When: the stamp's time or, where the change before is not older, a nanosecond after that.
    pub at: Timestamp,
    /// Who.
    #[serde(flatten)]
    pub by: Actor,
    /// What was done.
    pub what: Action,
    /// To which content or upload.
    #[serde(rename = "version")]
    pub content_id: ContentId,
}

/// Returns the last thing done to this version, by these entries of a history.
pub fn last_action(history: &[HistoryEntry], content_id: &ContentId) -> Option<Action> {
    let mut entries = history.iter().rev();
    let last = entries.find(|entry| entry.content_id == *content_id)?;
    Some(last.what)
}

/// What can be done to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A file was handed in whole, and stored.
    Stored,
    /// The metadata of a content or an upload was replaced.
    Corrected,
    /// An upload began.
    UploadBegun,
    /// An upload was completed, and stored.
    UploadCompleted,
    /// A content, read back, was what had been declared.
    Verified,
    /// It was not.
    Corrupt,
    /// An upload ended without a content, in this state.
    #[serde(untagged)]
    UploadEnded(EndReason),
}
