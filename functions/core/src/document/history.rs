//! The history of a document: who did what to it, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::end_reason::EndReason;
use crate::{ids::ContentId, stamp::Actor};

/// One change of a document, in its history: who did what, when. Revisions and times of a history strictly increase,
/// also where clocks differ. It says nothing of the person whom the document is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The revision that it made.
    pub revision: u64,
    /// The stamp's time or, where the change before is not older, a nanosecond after that.
    pub at: Timestamp,
    /// The author.
    #[serde(flatten)]
    pub by: Actor,
    /// The action.
    pub what: Action,
    /// To which content or upload.
    #[serde(rename = "version")]
    pub content_id: ContentId,
}

/// Returns the last action on this content, by these entries of a history.
pub(crate) fn last_action(history: &[HistoryEntry], content_id: &ContentId) -> Option<Action> {
    let mut entries = history.iter().rev();
    let last = entries.find(|entry| entry.content_id == *content_id)?;
    Some(last.what)
}

/// The actions that change a document.
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
    /// A scanner found no malware in a content.
    Screened,
    /// It did, or could not tell.
    Quarantined,
    /// The document was deleted: no reader gets at it any more.
    Deleted,
    /// It was told what has become of an enrolment that it is about.
    EnrollmentChanged,
    /// An operator put a hold on it.
    Held,
    /// An operator ended the hold.
    Released,
    /// What was said of the contents that it had is gone, and their objects are about to be.
    Destroying,
    /// The objects are gone too.
    Destroyed,
    /// An operator brought its last content back.
    Restored,
    /// An upload ended without a content, in this state.
    #[serde(untagged)]
    UploadEnded(EndReason),
}
