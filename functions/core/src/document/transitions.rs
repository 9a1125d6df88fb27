//! The transitions of a document, and the one diff that says what each puts aside.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Action, Content, Deletion, Destruction, Document, EndReason, HistoryEntry, Hold, Upload, UploadState};
use crate::{
    association::Association,
    checksum::Checksum,
    ids::ContentId,
    metadata::{Link, Metadata},
    name::Name,
    quota::{Counted, Delta, deltas},
    stamp::Stamp,
};

/// The most entries of the history in a document's own item; then they are moved to an item of their own.
pub(super) const RECENT: usize = 20;
/// The shortest time between two changes of a document, so that their times have an order.
const INSTANT: Duration = Duration::from_nanos(1);

/// The next state of a document, and what it puts aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The state to write, over the revision before it.
    pub next: Document,
    /// The content that is no longer current, to be kept in the document's history.
    pub replaced: Option<Content>,
    /// The upload that has ended without becoming a content, to be ended in S3 once the change is written.
    pub ended: Option<Upload>,
    /// True if S3 may hold something of the upload that has ended, so that it is noted as an orphan.
    pub leaves_orphan: bool,
    /// The entries that the history has no more room for.
    pub archived: Vec<HistoryEntry>,
    /// The ids by which the document is found from now on.
    pub linked: Vec<Link>,
    /// The ids by which it no longer is.
    pub unlinked: Vec<Link>,
    /// The enrolments that it links the document to, each with the revision of what the document then knows of it; 0 is
    /// that nothing was reported.
    pub enrollments: BTreeMap<Uuid, u64>,
    /// The changes of the counts of the tenant's open uploads.
    pub deltas: Vec<Delta>,
}

impl Change {
    /// The entry that it writes into the history.
    pub fn entry(&self) -> Option<&HistoryEntry> {
        self.next.history.last()
    }

    /// Finds out what the change from `before` to `next` puts aside.
    fn between(before: &Document, mut next: Document, archived: Vec<HistoryEntry>) -> Self {
        next.kept_until = next.keeping().and_then(|keeping| keeping.until);
        let sequence = |content: &Content| content.sequence;
        let current = next.content.as_ref();
        let replaced = before.content.as_ref().filter(|old| current.map(sequence) != Some(old.sequence));
        let pending = next.pending_upload();
        let ended = before.pending_upload().filter(|old| {
            let goes_on = pending.is_some_and(|pending| pending.content_id == old.content_id);
            !goes_on && current.is_none_or(|current| current.content_id != old.content_id)
        });
        let (old_links, links) = (before.links(), next.links());
        let known = before.associations();
        let enrollments = next.associations().difference(&known).map(|&association| (association, 0)).collect();
        Self {
            replaced: replaced.cloned(),
            ended: ended.cloned(),
            leaves_orphan: ended.is_some(),
            archived,
            linked: links.difference(&old_links).cloned().collect(),
            unlinked: old_links.difference(&links).cloned().collect(),
            enrollments,
            deltas: deltas(counted(before), counted(&next)),
            next,
        }
    }

    /// The same change of `before`, with what was reported of an enrolment that it links the document to.
    #[must_use]
    pub fn knowing(self, before: &Document, association: &Association) -> Self {
        let Self { mut next, archived, enrollments, .. } = self;
        next.learn(association);
        let mut change = Self::between(before, next, archived);
        change.enrollments = enrollments;
        change.enrollments.insert(association.id, association.revision);
        change
    }
}

/// The document's pending upload as its shard counts it.
fn counted(document: &Document) -> Option<Counted> {
    document.pending_upload().and_then(Upload::counted)
}

/// The decision on the offer of a file that is yet to come; see [`Document::offer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// That content is there already; the change is there where only the metadata is new.
    Stored(Box<Content>, Option<Change>),
    /// That content is on its way already: the sender goes on with this upload.
    Resume(Box<Upload>, Option<Change>),
    /// A new upload begins.
    Begin(Change),
    /// The document is stored and only its message names it, so the same message now means another document.
    Taken,
}

impl Document {
    /// A file arrived whole. `None` where that very content is current, with the same metadata, be its object the one
    /// that is named by its bytes or that of an upload.
    pub fn receive(&self, content: Content, stamp: &Stamp) -> Option<Change> {
        match self.same_as(&content) {
            Some(current) => {
                let metadata = content.metadata.with_the_same_file(&current.metadata);
                self.correct(current, metadata, stamp)
            }
            None => Some(self.with_content(content, Action::Stored, stamp)),
        }
    }

    /// A sender offers a file, for which `fresh` has been opened in S3, by a message that names the document so.
    ///
    /// Only the same declared checksum can tell that the bytes are the same ones: equal sizes prove
    /// nothing, and two contents must never be mixed in one upload. A message that is itself the name, or has an
    /// `Idempotency-Key`, is another matter: sent again, it is the same request.
    pub fn offer(&self, fresh: Upload, name: Name<'_>, stamp: &Stamp) -> Offer {
        let same = |checksum: Option<Checksum>, size: u64| {
            fresh.checksum.is_some() && checksum == fresh.checksum && size == fresh.plan.size.bytes()
        };
        let is_named_otherwise = !matches!(name, Name::DocumentId(_));
        let repeats = |metadata: &Metadata| is_named_otherwise && metadata.says_the_same(&fresh.metadata);
        if let Some(open) = self.open_upload(stamp.at)
            && (same(open.checksum, open.plan.size.bytes()) || repeats(&open.metadata))
            // S3 gives an object the type that its upload was opened with.
            && !fresh.metadata.gives_another_type(&open.metadata)
        {
            let mut upload = open.clone();
            upload.metadata = fresh.metadata.without_the_file(&open.metadata);
            let corrected = !open.metadata.is_repeated_by(&upload.metadata);
            let change = corrected.then(|| {
                let content_id = upload.content_id.clone();
                self.change(Action::Corrected, content_id, stamp, |next, _| {
                    next.upload = Some(upload.clone());
                })
            });
            return Offer::Resume(Box::new(upload), change);
        }
        if let Some(current) = &self.content {
            let known = fresh.checksum.filter(|&checksum| current.has(checksum));
            if same(known, current.size) || (matches!(name, Name::IdempotencyKey(_)) && repeats(&current.metadata)) {
                let metadata = fresh.metadata.without_the_file(&current.metadata);
                let change = self.correct(current, metadata, stamp);
                return Offer::Stored(Box::new(current.clone()), change);
            }
        }
        if name == Name::Message && self.is_taken(stamp.at) {
            return Offer::Taken;
        }
        let content_id = fresh.content_id.clone();
        Offer::Begin(self.change(Action::UploadBegun, content_id, stamp, |next, _| next.upload = Some(fresh)))
    }

    /// The pending upload has become `content`.
    pub fn complete(&self, content: Content, stamp: &Stamp) -> Change {
        self.with_content(content, Action::UploadCompleted, stamp)
    }

    /// The pending upload ends for this reason, without a content.
    pub fn end_upload(&self, upload: &Upload, reason: EndReason, stamp: &Stamp) -> Change {
        self.change(Action::UploadEnded(reason), upload.content_id.clone(), stamp, |next, _| {
            if let Some(upload) = &mut next.upload {
                upload.state = UploadState::Ended(reason);
            }
        })
    }

    /// No reader is to get at the document any more, and an upload that is pending ends. What it had goes into the history.
    /// `None` where it is deleted already, and nothing is on its way.
    pub fn delete(&self, stamp: &Stamp) -> Option<Change> {
        let upload = self.pending_upload();
        if self.is_deleted() && upload.is_none() {
            return None;
        }
        self.put_away(self.destruction().cloned(), stamp)
    }

    /// The same, and every content that it had is destroyed. `None` where that is done or under way.
    pub fn destroy(&self, stamp: &Stamp) -> Option<Change> {
        let is_destroyed = self.destruction().is_some_and(|destruction| destruction.contents == self.contents);
        if is_destroyed && self.pending_upload().is_none() {
            return None;
        }
        let checksums = self.content.as_ref().map(|content| content.checksums.clone());
        let destruction = Destruction {
            contents: self.contents,
            checksums: checksums.unwrap_or_default(),
            wanted_at: self.time_of(stamp),
            noted_at: None,
            done_at: None,
        };
        self.put_away(Some(destruction), stamp)
    }

    fn put_away(&self, destruction: Option<Destruction>, stamp: &Stamp) -> Option<Change> {
        let upload = self.pending_upload().map(|upload| &upload.content_id);
        let content = self.content.as_ref().map(|content| &content.content_id);
        let last = self.history.last().map(|entry| &entry.content_id);
        let content_id = content.or(upload).or(last)?.clone();
        Some(self.change(Action::Deleted, content_id, stamp, |next, at| {
            next.content = None;
            next.deletion = Some(Deletion { at, contents: next.contents, destruction });
            if let Some(upload) = next.upload.as_mut().filter(|upload| upload.state == UploadState::Uploading) {
                upload.state = UploadState::Ended(EndReason::Aborted);
            }
        }))
    }

    /// The metadata of the contents to destroy are gone, and their objects noted to be removed; so are those of an upload that
    /// has ended. `None` where that was so before.
    pub fn destroying(&self, stamp: &Stamp) -> Option<Change> {
        self.destruction().filter(|destruction| destruction.noted_at.is_none())?;
        self.go_on_destroying(Action::Destroying, stamp, |destruction, at| destruction.noted_at = Some(at))
    }

    /// The objects to remove are gone. `None` where that was so before.
    pub fn destroyed(&self, stamp: &Stamp) -> Option<Change> {
        self.destruction().filter(|destruction| destruction.done_at.is_none())?;
        self.go_on_destroying(Action::Destroyed, stamp, |destruction, at| destruction.done_at = Some(at))
    }

    fn go_on_destroying(
        &self,
        action: Action,
        stamp: &Stamp,
        edit: impl FnOnce(&mut Destruction, Timestamp),
    ) -> Option<Change> {
        let content_id = self.history.last()?.content_id.clone();
        Some(self.change(action, content_id, stamp, |next, at| {
            next.upload = next.upload.take().filter(|upload| upload.state == UploadState::Uploading);
            if let Some(destruction) = next.deletion.as_mut().and_then(|deletion| deletion.destruction.as_mut()) {
                edit(destruction, at);
            }
        }))
    }

    /// An operator brings `last`, the last content before it was deleted, back. `None` where it is not deleted, or that
    /// content destroyed.
    pub fn restore(&self, last: Content, stamp: &Stamp) -> Option<Change> {
        let content_id = last.content_id.clone();
        let is_destroyed = self.destruction().is_some_and(|destruction| last.sequence <= destruction.contents);
        (self.is_deleted() && !is_destroyed)
            .then(|| self.change(Action::Restored, content_id, stamp, |next, at| next.make_current(last, at)))
    }

    /// An operator puts a hold on it, for this reason, or ends it. `None` where nothing would change, or nothing was ever
    /// there to be held.
    pub fn hold(&self, reason: Option<&str>, stamp: &Stamp) -> Option<Change> {
        if self.hold.as_ref().map(|hold| hold.reason.as_str()) == reason {
            return None;
        }
        let content_id = self.history.last()?.content_id.clone();
        let action = if reason.is_some() { Action::Held } else { Action::Released };
        Some(self.change(action, content_id, stamp, |next, at| {
            next.hold = reason.map(|reason| Hold { at, reason: reason.to_owned() });
        }))
    }

    /// What was reported of an enrolment that it is about. `None` where it is about another, or knows that already.
    pub fn told(&self, association: &Association, stamp: &Stamp) -> Option<Change> {
        let is_about_it = |metadata: &Metadata| metadata.links.association() == Some(association.id);
        let content = self.content.as_ref().filter(|content| is_about_it(&content.metadata));
        let upload = self.pending_upload().filter(|upload| is_about_it(&upload.metadata));
        let content_id = content.map(|content| &content.content_id).or(upload.map(|upload| &upload.content_id));
        let content_id = content_id?.clone();
        if self.enrollment(Some(association.id)) == association.enrollment() {
            return None;
        }
        // It is written only while that is the last report.
        Some(self.change(Action::EnrollmentChanged, content_id, stamp, |_, _| {}).knowing(self, association))
    }

    /// The enrolments that it is about.
    pub(super) fn associations(&self) -> BTreeSet<Uuid> {
        self.metadata().filter_map(|metadata| metadata.links.association()).collect()
    }

    fn learn(&mut self, association: &Association) {
        self.enrollments.retain(|known| known.association_id != association.id);
        self.enrollments.extend(association.enrollment());
    }

    /// The current content comes again: at most its metadata is new. An upload of something else that is
    /// under way stays so, for this content was here before it.
    fn correct(&self, current: &Content, metadata: Metadata, stamp: &Stamp) -> Option<Change> {
        let repeated = current.metadata.is_repeated_by(&metadata);
        let content = Content { metadata, ..current.clone() };
        let content_id = content.content_id.clone();
        (!repeated).then(|| {
            self.change(Action::Corrected, content_id, stamp, |next, at| {
                next.make_current(content, at);
            })
        })
    }

    /// `content` becomes current and no upload is pending any more.
    fn with_content(&self, content: Content, action: Action, stamp: &Stamp) -> Change {
        let content_id = content.content_id.clone();
        self.change(action, content_id, stamp, |next, at| {
            next.make_current(content, at);
            next.upload = None;
        })
    }

    pub(super) fn make_current(&mut self, content: Content, at: Timestamp) {
        self.contents += 1;
        self.content = Some(Content { sequence: self.contents, revision: self.revision, stored_at: at, ..content });
    }

    /// One revision on, with an entry in the history. `edit` gets the entry's time.
    pub(super) fn change(
        &self,
        what: Action,
        content_id: ContentId,
        stamp: &Stamp,
        edit: impl FnOnce(&mut Self, Timestamp),
    ) -> Change {
        let at = self.time_of(stamp);
        let mut next = self.clone();
        next.revision += 1;
        let archived = if next.history.len() < RECENT { Vec::new() } else { std::mem::take(&mut next.history) };
        next.history.push(HistoryEntry { revision: next.revision, at, by: stamp.by.clone(), what, content_id });
        edit(&mut next, at);
        let associations = next.associations();
        next.enrollments.retain(|known| associations.contains(&known.association_id));
        Change::between(self, next, archived)
    }

    /// The time of the next change: later than the last one's, for the request that began first may write last, and by
    /// a clock that is slow.
    pub(super) fn time_of(&self, stamp: &Stamp) -> Timestamp {
        let after_the_last = self.history.last().map(|last| last.at + INSTANT);
        stamp.at.max(after_the_last.unwrap_or(stamp.at))
    }
}
