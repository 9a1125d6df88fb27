//! A document and the ways it can change: pure rules, the time given.
//!
//! A document has a current content, a pending upload, both or neither. It starts [empty](Document::empty). Each
//! transition gives a [`Change`]: the next state, one revision on, with what that puts aside. The store writes a change
//! only over the revision that it was made from, so that of two racing requests one wins and the other decides again on
//! the winner's state.

mod content;
mod destruction;
mod end_reason;
mod findings;
mod history;
mod orphan;
mod screening;
#[cfg(test)]
pub(crate) mod tests;
mod transitions;
mod upload;

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use content::{Content, Verification};
pub use destruction::Destruction;
pub use end_reason::EndReason;
pub(crate) use history::last_action;
pub use history::{Action, HistoryEntry};
pub use orphan::{FoundBy, Orphan, OrphanKind};
pub use screening::{Screening, Verdict};
pub use transitions::{Change, Offer};
pub(crate) use upload::{LOOK_AGAIN, UPLOAD_LIFETIME};
pub use upload::{Upload, UploadState};

use crate::{
    Error,
    ids::{ContentId, DocumentId, DocumentKey, ObjectKey, TenantId},
    metadata::{Link, LinkKind, Metadata},
    name::Name,
    retention::{Enrollment, Keeping},
};

/// The most contents of a document, each with its own metadata: what is kept of one document has a bound.
const MAX_CONTENTS: u32 = 1000;

/// One document, as its item in the table holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// The school that it belongs to.
    pub tenant: TenantId,
    /// Its id.
    pub id: DocumentId,
    /// The client that handed it in.
    pub client: String,
    /// The number of changes it has seen; 0 is not yet written.
    pub revision: u64,
    /// The number of contents it has had.
    pub contents: u32,
    /// The last entries of its history, the latest last; older ones are in items of their own.
    #[serde(default)]
    pub history: Vec<HistoryEntry>,
    /// The current content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The open upload, or the last one where it ended without a content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// What it knows of the enrolments that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enrollments: Vec<Enrollment>,
    /// The day to which its content is to be kept, as its last change found out; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Date>,
    /// The hold that an operator has put on it: its bytes are replaced by nobody, and nothing of it is destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The last time that it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The time at which it was put.
    pub at: Timestamp,
    /// The operator's reason.
    pub reason: String,
}

/// A deletion: from then on no reader gets at the contents that the document had, unless an operator brings one back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The time.
    pub at: Timestamp,
    /// The number of contents that the document had had by then.
    pub contents: u32,
    /// The destruction of contents, where that was asked for too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destruction: Option<Destruction>,
}

/// The fate of an upload as the document's item alone tells it; see [`Document::upload_at`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadAt<'a> {
    /// It is the document's upload, and S3 may still hold parts of it.
    Pending(&'a Upload),
    /// It is the document's upload, and has ended.
    Ended(&'a Upload, EndReason),
    /// It has become the current content.
    Current(&'a Content),
    /// Another took its place.
    Elsewhere,
}

impl Document {
    /// The document before it was handed in.
    pub fn empty(key: DocumentKey, client: String) -> Self {
        let DocumentKey { tenant, id } = key;
        Self {
            tenant,
            id,
            client,
            revision: 0,
            contents: 0,
            history: Vec::new(),
            content: None,
            upload: None,
            enrollments: Vec::new(),
            kept_until: None,
            hold: None,
            deletion: None,
        }
    }

    /// Returns whether it was deleted, and nothing was stored since.
    pub fn is_deleted(&self) -> bool {
        self.deletion.as_ref().is_some_and(|deletion| deletion.contents == self.contents)
    }

    /// The destruction of contents that it had.
    pub fn destruction(&self) -> Option<&Destruction> {
        self.deletion.as_ref()?.destruction.as_ref()
    }

    /// Checks that its bytes may be replaced by other ones: it is not deleted, and no hold is on it.
    pub(crate) fn check_replaceable(&self) -> crate::Result<()> {
        match &self.hold {
            Some(_) => Err(Error::Held),
            None if self.is_deleted() => Err(Error::NotFound),
            None => Ok(()),
        }
    }

    /// Checks that nothing keeps it from being destroyed on this day: no hold, and no period that has yet to end.
    pub(crate) fn check_destroyable(&self, today: Date) -> crate::Result<()> {
        let keeping = self.keeping();
        let until = keeping.as_ref().and_then(|keeping| keeping.until);
        let is_kept = keeping.is_some() && until.is_none_or(|until| until >= today);
        if self.hold.is_some() || is_kept { Err(Error::Kept { is_held: self.hold.is_some(), until }) } else { Ok(()) }
    }

    /// Returns whether this content of its history was deleted.
    pub fn has_deleted(&self, content: &Content) -> bool {
        self.deletion.as_ref().is_some_and(|deletion| content.sequence <= deletion.contents)
    }

    /// Its key.
    pub fn key(&self) -> DocumentKey {
        DocumentKey { tenant: self.tenant.clone(), id: self.id }
    }

    /// The S3 key of one of its contents.
    pub(crate) fn object_key(&self, content_id: &ContentId) -> ObjectKey {
        self.key().object(content_id)
    }

    /// The time at which the sweep is to look after it; never, where nothing about it is pending.
    pub fn due(&self) -> Option<Timestamp> {
        let upload = self.upload.as_ref().and_then(Upload::due);
        let content = self.content.as_ref().and_then(Content::due);
        let destruction = self.destruction().and_then(Destruction::due);
        upload.into_iter().chain(content).chain(destruction).min()
    }

    /// The metadata of its content, and of the upload that may become one.
    pub fn metadata(&self) -> impl Iterator<Item = &Metadata> {
        let content = self.content.as_ref().map(|content| &content.metadata);
        let upload = self.pending_upload().map(|upload| &upload.metadata);
        content.into_iter().chain(upload)
    }

    /// The ids by which it is found, and the day to which it is to be kept.
    pub fn links(&self) -> BTreeSet<Link> {
        let ids = self.metadata().flat_map(|metadata| metadata.links.all());
        ids.chain(self.retention_link()).collect()
    }

    /// The day to which it is to be kept, as it is found by that.
    pub(crate) fn retention_link(&self) -> Option<Link> {
        self.kept_until.map(|until| Link { kind: LinkKind::Retention, id: until.to_string() })
    }

    /// The time for which its content is to be kept, by what it knows; `None` where nobody said.
    pub fn keeping(&self) -> Option<Keeping> {
        let content = self.content.as_ref()?;
        Keeping::of(&content.metadata, content.stored_at, self.enrollment(content.metadata.links.association()))
    }

    /// What it knows of this enrolment.
    pub fn enrollment(&self, association: Option<Uuid>) -> Option<Enrollment> {
        self.enrollments.iter().find(|known| Some(known.association_id) == association).copied()
    }

    /// Checks that an `Idempotency-Key` brings what it brought before (the draft, section 2.7): the same metadata and
    /// file. `file` is what came with the metadata; there is none where the file is to follow. What HTTP libraries add
    /// by themselves, such as a part's file name, may differ. Returns whether the key has brought that very file
    /// before.
    pub(crate) fn check_repeat(
        &self,
        name: Name<'_>,
        metadata: &Metadata,
        file: Option<&Content>,
    ) -> crate::Result<bool> {
        if !matches!(name, Name::IdempotencyKey(_)) {
            return Ok(false);
        }
        let content = self.content.as_ref();
        let upload = self.upload.as_ref();
        let same_metadata = content
            .map(|content| &content.metadata)
            .into_iter()
            .chain(upload.map(|upload| &upload.metadata))
            .all(|before| before.says_the_same(metadata));
        let same_file = content.zip(file).and_then(|(content, file)| content.has_the_bytes_of(file));
        if same_metadata && same_file != Some(false) { Ok(same_file.is_some()) } else { Err(Error::KeyReused) }
    }

    /// The upload to which parts may be sent at `now`.
    pub(crate) fn open_upload(&self, now: Timestamp) -> Option<&Upload> {
        self.upload.as_ref().filter(|upload| upload.state_at(now) == UploadState::Uploading)
    }

    /// Tells what has become of the upload `link` (of the only one there is, where none is given) on this item
    /// alone: a link into an upload that is no longer here says nothing of the one that is.
    pub(crate) fn upload_at(&self, link: Option<&ContentId>) -> UploadAt<'_> {
        let meant = |content_id: &ContentId| link.is_none_or(|link| link == content_id);
        match (&self.upload, &self.content) {
            (Some(upload), _) if meant(&upload.content_id) => match upload.state {
                UploadState::Uploading => UploadAt::Pending(upload),
                UploadState::Ended(reason) => UploadAt::Ended(upload, reason),
            },
            (None, Some(content)) if meant(&content.content_id) => UploadAt::Current(content),
            (Some(_), Some(content)) if link == Some(&content.content_id) => UploadAt::Current(content),
            _ => UploadAt::Elsewhere,
        }
    }

    /// Checks that there is room for one more content.
    pub(crate) fn check_contents(&self) -> crate::Result<()> {
        if self.contents < MAX_CONTENTS { Ok(()) } else { Err(Error::TooManyContents(MAX_CONTENTS)) }
    }

    /// The shard of the tenant's quota that counts its pending upload.
    pub fn shard(&self) -> Option<u8> {
        self.pending_upload()?.shard
    }

    /// The upload that S3 may still hold parts of, be it past its time.
    fn pending_upload(&self) -> Option<&Upload> {
        self.upload.as_ref().filter(|upload| upload.state == UploadState::Uploading)
    }

    /// Returns whether it is stored and nothing is on its way: a message that is its only name then means another
    /// document.
    pub(crate) fn is_taken(&self, now: Timestamp) -> bool {
        self.content.is_some() && self.open_upload(now).is_none()
    }

    /// Returns whether a file that arrived whole is not current already in the object of an upload.
    pub(crate) fn needs_the_object_of(&self, content: &Content) -> bool {
        self.same_as(content).is_none_or(|current| current.content_id == content.content_id)
    }

    /// The current content, if it is this one that came whole.
    fn same_as(&self, content: &Content) -> Option<&Content> {
        let current = self.content.as_ref().filter(|current| current.is(content))?;
        let metadata = content.metadata.clone();
        let metadata = metadata.with_the_same_file(&current.metadata);
        // S3 gives an object the type that it was put with, and only what is named by its bytes is put again.
        let keeps_type = metadata.media_type == current.metadata.media_type;
        (current.content_id == content.content_id || keeps_type).then_some(current)
    }

    /// The current content, if it is this one and has yet to be verified.
    pub fn unverified(&self, content_id: &ContentId) -> Option<&Content> {
        let content = self.content.as_ref()?;
        (content.content_id == *content_id && content.unverified().is_some()).then_some(content)
    }
}
