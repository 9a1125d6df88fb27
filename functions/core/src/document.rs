//! A document and the ways it can change: pure rules, the time given.
//!
//! A document has a current content, a pending upload, both or neither. It starts
//! [empty](Document::empty); each transition gives a [`Change`]: the next state, one revision on, with
//! what that puts aside. The store writes a change only over the revision that it was made from, so that
//! of two racing requests one wins and the other sees the winner's state and decides again.

use std::{collections::BTreeSet, fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error,
    caller::{Caller, Scopes},
    checksum::Checksum,
    metadata::{Link, Metadata},
    name::Name,
    parts::PartPlan,
    tenant::{DocumentKey, Limits, TenantId},
};

/// How long an upload may take from its PUT to its completion.
pub const UPLOAD_LIFETIME: Duration = Duration::from_hours(24);
/// How long an upload is kept without a part: its URLs are as old by then, so nobody can send one any more.
const IDLE_LIFETIME: Duration = Duration::from_hours(1);
/// How often the sweep looks after something that is pending: so much later than it should have, at most,
/// a sender that died after its last part has its document stored.
pub const LOOK_AGAIN: Duration = Duration::from_mins(15);
/// The event of the new object begins its verification; where it was lost, the sweep does, after this.
const VERIFY_AFTER: Duration = Duration::from_mins(1);
/// When no URL into an ended upload lives any more (they have an hour), nor any request that was sent with
/// one.
const LEFT_OVER_AFTER: Duration = Duration::from_hours(2);
/// How many entries of its history a document's item holds; older ones are moved to items of their own.
const RECENT: usize = 20;
/// By how much two changes of a document are apart at least: what a [`Timestamp`] can tell apart.
const INSTANT: Duration = Duration::from_nanos(1);
/// How many contents a document has at most, each with its own metadata: what is kept of one document has a bound.
const MAX_CONTENTS: u32 = 1000;

/// The `dmsDocumentId`: the standard's answer to a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentId(Uuid);

impl From<Uuid> for DocumentId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl DocumentId {
    /// Which of `count` queues it is in.
    pub fn queue(self, count: u8) -> u8 {
        self.0.as_bytes()[15] % count
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one content of a document in its S3 key; never used for two contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// For bytes that we hold: their SHA-256, so that storing them again meets the object that is there.
    pub fn of_bytes(sha256: &Checksum) -> Self {
        Self(sha256.hex())
    }

    /// A version as it stands in one of our own links or keys; `None` where it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let of_bytes = || text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (Uuid::try_parse(text).is_ok() || of_bytes()).then(|| Self(text.to_owned()))
    }

    /// For bytes yet to come.
    pub fn of_upload() -> Self {
        Self(Uuid::now_v7().to_string())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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
    /// How many changes it has seen; 0 is not yet written.
    pub revision: u64,
    /// How many contents it has had.
    pub contents: u32,
    /// What was done to it, the latest last; what is older than these is in items of its own.
    #[serde(default)]
    pub history: Vec<Entry>,
    /// What is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// What is being uploaded, or how the last upload ended when it ended badly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
}

/// Who does something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: By,
}

impl Act {
    /// The service itself does it, behind the senders' backs.
    pub fn of_the_service(at: Timestamp) -> Self {
        let by = By::default();
        Self { at, by }
    }
}

/// Who does something: a client of the document's tenant, or the service itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
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
pub struct Entry {
    /// The revision that it made.
    pub revision: u64,
    /// When: the act's time or, where the change before is not older, a nanosecond after that.
    pub at: Timestamp,
    /// Who.
    #[serde(flatten)]
    pub by: By,
    /// What was done.
    pub what: Deed,
    /// To which content or upload.
    pub version: Version,
}

/// Returns the last thing done to this version, by these entries of a history.
pub fn last_deed(history: &[Entry], version: &Version) -> Option<Deed> {
    let mut entries = history.iter().rev();
    let last = entries.find(|entry| entry.version == *version)?;
    Some(last.what)
}

/// What can be done to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
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
    UploadEnded(UploadState),
}

/// A stored file and what its sender said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Which of the document's contents this is, from 1.
    #[serde(default)]
    pub sequence: u32,
    /// The document's revision that made it current.
    #[serde(default)]
    pub revision: u64,
    /// Names its object.
    pub version: Version,
    /// Bytes.
    pub size: u64,
    /// What is known of its bytes; the last of these is only declared while the verification is pending.
    pub checksums: Vec<Checksum>,
    /// Whether the declared checksum has been compared with the bytes.
    pub verification: Verification,
    /// When it became the current content.
    pub stored_at: Timestamp,
    /// When the declared checksum was compared, where that was done by reading it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// The metadata it came with.
    pub metadata: Metadata,
}

impl Content {
    /// Returns whether the bytes are known (or, until verified, declared) to have this checksum.
    pub fn has(&self, checksum: Checksum) -> bool {
        self.checksums.contains(&checksum)
    }

    /// Returns whether its bytes are those of `file`; `None` where that is not known, for what is declared proves nothing.
    pub fn has_the_bytes_of(&self, file: &Self) -> Option<bool> {
        let may_be = match self.unverified() {
            Some(declared) => file.has(declared),
            None => self.checksums.iter().all(|&checksum| file.has(checksum)),
        };
        if self.size != file.size || !may_be {
            return Some(false);
        }
        (self.unverified().is_none() && !self.checksums.is_empty()).then_some(true)
    }

    /// Returns whether it is known to be the `file` that came whole: by its SHA-256, since nobody can make another file of the
    /// same one, and not where that is only declared.
    fn is(&self, file: &Self) -> bool {
        let sha256 = file.checksums.iter();
        let mut sha256 = sha256.filter(|checksum| matches!(checksum, Checksum::Sha256(_)));
        self.version == file.version || (self.unverified().is_none() && sha256.any(|&sha256| self.has(sha256)))
    }

    /// Returns the declared checksum that the bytes have yet to be compared with.
    pub fn unverified(&self) -> Option<Checksum> {
        let declared = self.checksums.last().copied();
        declared.filter(|_| self.verification == Verification::Pending)
    }

    /// When the sweep is to look after it.
    pub fn due(&self) -> Option<Timestamp> {
        self.unverified().map(|_| self.stored_at + VERIFY_AFTER)
    }
}

/// Whether the declared checksum has been compared with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// Nothing was declared that has not been compared.
    Done,
    /// S3 did not compute what was declared over an upload, as it cannot compute a SHA-256: the object has yet to be read.
    Pending,
    /// The bytes do not have the checksum that was declared: kept in the history, and never current.
    Corrupt,
}

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Names the object that it will become.
    pub version: Version,
    /// S3's id of it. Never leaves the service.
    pub upload_id: String,
    /// Its size and how it is cut.
    pub plan: PartPlan,
    /// What its sender declared of the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// When it ends by itself: [`UPLOAD_LIFETIME`] after it began.
    pub expires_at: Timestamp,
    /// Which of its tenant's counters counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<u8>,
    /// Where it stands; see [`Upload::state_at`].
    pub state: UploadState,
    /// The metadata it came with.
    pub metadata: Metadata,
}

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadState {
    /// Parts may be sent.
    Uploading,
    /// The sender gave it up, or S3 no longer knows it.
    Aborted,
    /// No part of it came within an hour, or it was not completed within [`UPLOAD_LIFETIME`].
    Expired,
    /// Its bytes were not the ones declared.
    ChecksumMismatch,
    /// Its bytes, read back, were not the ones declared.
    Corrupt,
    /// A newer PUT of the same document has taken its place.
    Superseded,
}

impl fmt::Display for UploadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uploading => "parts may be sent",
            Self::Aborted => "it was aborted",
            Self::Expired => "no part of it came within an hour, or it was not completed within 24 hours",
            Self::ChecksumMismatch => "its bytes did not have the declared checksum",
            Self::Corrupt => "its bytes, read back, did not have the declared checksum",
            Self::Superseded => "a newer PUT of the same document has taken its place",
        })
    }
}

impl Upload {
    /// The state at `now`: an upload is expired by the clock, before anybody has written that down.
    pub fn state_at(&self, now: Timestamp) -> UploadState {
        match self.state {
            UploadState::Uploading if now >= self.expires_at => UploadState::Expired,
            state => state,
        }
    }

    /// Returns whether no part has come in so long that none will, where so many are missing.
    pub fn is_idle_at(&self, now: Timestamp, missing: usize) -> bool {
        missing == self.plan.parts().count() && now >= self.began_at() + IDLE_LIFETIME
    }

    /// When the sweep is to look after it.
    pub fn due(&self) -> Option<Timestamp> {
        (self.state == UploadState::Uploading).then(|| self.began_at() + LOOK_AGAIN)
    }

    fn began_at(&self) -> Timestamp {
        self.expires_at - UPLOAD_LIFETIME
    }

    /// The content that this upload becomes, when S3 says what it computed over the bytes.
    pub fn into_content(self, crc64nvme: Option<Checksum>, now: Timestamp) -> Content {
        let mut checksums: Vec<Checksum> = crc64nvme.into_iter().collect();
        let unverified = self.checksum.filter(|declared| !checksums.contains(declared));
        checksums.extend(unverified);
        Content {
            sequence: 0,
            revision: 0,
            version: self.version,
            size: self.plan.size.bytes(),
            checksums,
            verification: if unverified.is_some() { Verification::Pending } else { Verification::Done },
            stored_at: now,
            verified_at: None,
            metadata: self.metadata,
        }
    }
}

/// The next state of a document, and what it puts aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The state to write, over the revision before it.
    pub next: Document,
    /// The content that is no longer current, to be kept in the document's history.
    pub replaced: Option<Content>,
    /// The upload that nobody may add to any more, to be ended in S3 once the change is written.
    pub ended: Option<Upload>,
    /// The entries that the history has no more room for.
    pub archived: Vec<Entry>,
    /// The ids by which the document is found from now on.
    pub linked: Vec<Link>,
    /// The ids by which it no longer is.
    pub unlinked: Vec<Link>,
    /// What it changes in the counters of the tenant's open uploads.
    pub counted: Vec<Count>,
    /// The limits that these must stay within; a change that opens no upload asks for no room.
    pub within: Option<Limits>,
}

impl Change {
    /// What it writes into the history.
    pub fn entry(&self) -> Option<&Entry> {
        self.next.history.last()
    }
}

/// By how much one counter of a tenant's open uploads changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Which one.
    pub counter: u8,
    /// Uploads more or less.
    pub uploads: i64,
    /// Bytes more or less.
    pub bytes: i64,
}

/// What becomes of the counters when an open upload takes the place of another, or of none.
fn counted(before: Option<&Upload>, after: Option<&Upload>) -> Vec<Count> {
    let count = |upload: &Upload, sign: i64| {
        let bytes = upload.plan.size.bytes().cast_signed();
        upload.counter.map(|counter| Count { counter, uploads: sign, bytes: sign * bytes })
    };
    let before = before.and_then(|upload| count(upload, -1));
    let after = after.and_then(|upload| count(upload, 1));
    let counts = match (before, after) {
        // DynamoDB takes no two writes of one item in one transaction.
        (Some(before), Some(after)) if before.counter == after.counter => {
            vec![Count { counter: after.counter, uploads: 0, bytes: before.bytes + after.bytes }]
        }
        (before, after) => before.into_iter().chain(after).collect(),
    };
    let changes = |count: &Count| (count.uploads, count.bytes) != (0, 0);
    counts.into_iter().filter(changes).collect()
}

/// Something that S3 may hold and no document points to, noted so that it is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// Names its object.
    pub version: Version,
    /// What it is.
    pub remains: Remains,
    /// When it was noted.
    pub noted_at: Timestamp,
}

/// What a [`Leftover`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remains {
    /// An upload that ended without becoming a content, by S3's id: its parts, or the object of them.
    Upload(String),
    /// The bytes of a request that died before its item was written, by S3's id of that version of the
    /// object. Only that one may go: the same bytes, sent again, are another version of the same key.
    Object(String),
}

impl Leftover {
    /// What is left of an upload that ended at `now`.
    pub fn of_upload(upload: &Upload, now: Timestamp) -> Self {
        Self { version: upload.version.clone(), remains: Remains::Upload(upload.upload_id.clone()), noted_at: now }
    }

    /// The bytes of a version of an object, by S3's id of it, that no document points to.
    pub fn of_object(version: Version, s3_version: String, now: Timestamp) -> Self {
        Self { version, remains: Remains::Object(s3_version), noted_at: now }
    }

    /// Tells it from the document's other leftovers.
    pub fn name(&self) -> String {
        match &self.remains {
            Remains::Upload(_) => self.version.to_string(),
            Remains::Object(s3_version) => format!("{}#{s3_version}", self.version),
        }
    }

    /// When the sweep is to remove it.
    pub fn due(&self) -> Timestamp {
        self.noted_at + LEFT_OVER_AFTER
    }
}

/// What a document's item alone tells of an upload; see [`Document::upload_at`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadAt<'a> {
    /// It is the document's upload, and S3 may still hold parts of it.
    Pending(&'a Upload),
    /// It is the document's upload, and has ended.
    Ended(&'a Upload),
    /// It has become the current content.
    Current(&'a Content),
    /// Another took its place.
    Elsewhere,
}

/// What to do with the offer of a file that is yet to come; see [`Document::offer`].
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
    /// The document that nobody has handed in yet.
    pub fn empty(caller: &Caller, id: DocumentId) -> Self {
        Self {
            tenant: caller.tenant.clone(),
            id,
            client: caller.client.clone(),
            revision: 0,
            contents: 0,
            history: Vec::new(),
            content: None,
            upload: None,
        }
    }

    /// Which document it is.
    pub fn key(&self) -> DocumentKey {
        DocumentKey { tenant: self.tenant.clone(), id: self.id }
    }

    /// The S3 key of one of its contents.
    pub fn object_key(&self, version: &Version) -> String {
        self.key().object(version)
    }

    /// When the sweep is to look after it; never, where nothing about it is pending.
    pub fn due(&self) -> Option<Timestamp> {
        let upload = self.upload.as_ref().and_then(Upload::due);
        let content = self.content.as_ref().and_then(Content::due);
        upload.into_iter().chain(content).min()
    }

    /// Asks `scopes` for every type of document that it is, or is about to become.
    pub fn require(&self, scopes: &Scopes) -> crate::Result<()> {
        self.metadata().try_for_each(|metadata| scopes.require(metadata.class()))
    }

    /// The metadata of its content, and of the upload that may become one.
    fn metadata(&self) -> impl Iterator<Item = &Metadata> {
        let content = self.content.as_ref().map(|content| &content.metadata);
        let upload = self.pending_upload().map(|upload| &upload.metadata);
        content.into_iter().chain(upload)
    }

    /// The ids by which it is found.
    pub fn links(&self) -> BTreeSet<Link> {
        self.metadata().flat_map(|metadata| metadata.links.all()).collect()
    }

    /// Checks that an `Idempotency-Key` brings what it brought before (the draft, section 2.7): the same metadata and file.
    /// `file` is what came with the metadata; there is none where the file is to follow. What HTTP libraries add by
    /// themselves, such as a part's file name, may differ. Returns whether the key has brought that very file before.
    pub fn check_repeat(&self, name: Name<'_>, metadata: &Metadata, file: Option<&Content>) -> crate::Result<bool> {
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
    pub fn open_upload(&self, now: Timestamp) -> Option<&Upload> {
        self.upload.as_ref().filter(|upload| upload.state_at(now) == UploadState::Uploading)
    }

    /// Tells what has become of the upload `link` (of the only one there is, where none is given) on this item
    /// alone: a link into an upload that is no longer here says nothing of the one that is.
    pub fn upload_at(&self, link: Option<&Version>) -> UploadAt<'_> {
        let meant = |version: &Version| link.is_none_or(|link| link == version);
        match (&self.upload, &self.content) {
            (Some(upload), _) if meant(&upload.version) => match upload.state {
                UploadState::Uploading => UploadAt::Pending(upload),
                _ => UploadAt::Ended(upload),
            },
            (None, Some(content)) if meant(&content.version) => UploadAt::Current(content),
            (Some(_), Some(content)) if link == Some(&content.version) => UploadAt::Current(content),
            _ => UploadAt::Elsewhere,
        }
    }

    /// Checks that there is room for one more content.
    pub fn check_contents(&self) -> crate::Result<()> {
        if self.contents < MAX_CONTENTS { Ok(()) } else { Err(Error::TooManyContents(MAX_CONTENTS)) }
    }

    /// The counter that counts its pending upload. Where that counts what takes its place too, one item changes
    /// instead of two.
    pub fn counter(&self) -> Option<u8> {
        self.pending_upload()?.counter
    }

    /// The upload that S3 may still hold parts of, be it past its time.
    fn pending_upload(&self) -> Option<&Upload> {
        self.upload.as_ref().filter(|upload| upload.state == UploadState::Uploading)
    }

    /// Returns whether it is stored and nothing is on its way: a message that is its only name then means another document.
    pub fn is_taken(&self, now: Timestamp) -> bool {
        self.content.is_some() && self.open_upload(now).is_none()
    }

    /// A file arrived whole. `None` where that very content is current, with the same metadata, be its object the one that is
    /// named by its bytes or that of an upload.
    pub fn receive(&self, content: Content, act: &Act) -> Option<Change> {
        match self.same_as(&content) {
            Some(current) => {
                let metadata = content.metadata.with_the_same_file(&current.metadata);
                self.correct(current, metadata, act)
            }
            None => Some(self.with_content(content, Deed::Stored, act)),
        }
    }

    /// Returns whether a file that arrived whole is not current already in the object of an upload.
    pub fn needs_the_object_of(&self, content: &Content) -> bool {
        self.same_as(content).is_none_or(|current| current.version == content.version)
    }

    /// The current content, if it is this one that came whole.
    fn same_as(&self, content: &Content) -> Option<&Content> {
        let current = self.content.as_ref().filter(|current| current.is(content))?;
        let metadata = content.metadata.clone();
        let metadata = metadata.with_the_same_file(&current.metadata);
        // S3 gives an object the type that it was put with, and only what is named by its bytes is put again.
        let keeps_type = metadata.media_type == current.metadata.media_type;
        (current.version == content.version || keeps_type).then_some(current)
    }

    /// A sender offers a file, for which `fresh` has been opened in S3, by a message that names the document so.
    ///
    /// Only the same declared checksum can tell that the bytes are the same ones: equal sizes prove
    /// nothing, and two contents must never be mixed in one upload. A message that is itself the name, or has an
    /// `Idempotency-Key`, is another matter: sent again, it is the same request.
    pub fn offer(&self, fresh: Upload, name: Name<'_>, act: &Act) -> Offer {
        let same = |checksum: Option<Checksum>, size: u64| {
            fresh.checksum.is_some() && checksum == fresh.checksum && size == fresh.plan.size.bytes()
        };
        let is_named_otherwise = !matches!(name, Name::DocumentId(_));
        let repeats = |metadata: &Metadata| is_named_otherwise && metadata.says_the_same(&fresh.metadata);
        if let Some(open) = self.open_upload(act.at)
            && (same(open.checksum, open.plan.size.bytes()) || repeats(&open.metadata))
            // S3 gives an object the type that its upload was opened with.
            && !fresh.metadata.gives_another_type(&open.metadata)
        {
            let mut upload = open.clone();
            upload.metadata = fresh.metadata.without_the_file(&open.metadata);
            let corrected = !open.metadata.is_repeated_by(&upload.metadata);
            let change = corrected.then(|| {
                let version = upload.version.clone();
                self.change(Deed::Corrected, version, act, |next, _| {
                    next.upload = Some(upload.clone());
                })
            });
            return Offer::Resume(Box::new(upload), change);
        }
        if let Some(current) = &self.content {
            let known = fresh.checksum.filter(|&checksum| current.has(checksum));
            if same(known, current.size) || (matches!(name, Name::IdempotencyKey(_)) && repeats(&current.metadata)) {
                let metadata = fresh.metadata.without_the_file(&current.metadata);
                let change = self.correct(current, metadata, act);
                return Offer::Stored(Box::new(current.clone()), change);
            }
        }
        if name == Name::Message && self.is_taken(act.at) {
            return Offer::Taken;
        }
        let ended = self.pending_upload().cloned();
        let version = fresh.version.clone();
        let change = self.change(Deed::UploadBegun, version, act, |next, _| {
            next.upload = Some(fresh);
        });
        Offer::Begin(Change { ended, ..change })
    }

    /// The pending upload has become `content`.
    pub fn complete(&self, content: Content, act: &Act) -> Change {
        Change { ended: None, ..self.with_content(content, Deed::UploadCompleted, act) }
    }

    /// The pending upload ends as `state`, without a content.
    pub fn end_upload(&self, upload: &Upload, state: UploadState, act: &Act) -> Change {
        let ended = self.pending_upload().cloned();
        let (deed, version) = (Deed::UploadEnded(state), upload.version.clone());
        let change = self.change(deed, version, act, |next, _| {
            if let Some(upload) = &mut next.upload {
                upload.state = state;
            }
        });
        Change { ended, ..change }
    }

    /// The current content, read back, has the checksum that was declared. `None` where `version` is no
    /// longer current, or was verified before.
    pub fn verified(&self, version: &Version, act: &Act) -> Option<Change> {
        self.unverified(version)?;
        Some(self.change(Deed::Verified, version.clone(), act, |next, at| {
            if let Some(content) = &mut next.content {
                content.verification = Verification::Done;
                content.verified_at = Some(at);
            }
        }))
    }

    /// The current content, read back, has not the checksum that was declared: it goes into the history as
    /// corrupt, and `previous`, the last content before it, is current again. `None` as above.
    pub fn corrupt(&self, version: &Version, previous: Option<Content>, act: &Act) -> Option<Change> {
        let mut corrupt = self.unverified(version)?.clone();
        corrupt.verification = Verification::Corrupt;
        let change = self.change(Deed::Corrupt, version.clone(), act, |next, at| {
            corrupt.verified_at = Some(at);
            next.content = None;
            if let Some(previous) = previous {
                next.make_current(previous, at);
            }
        });
        Some(Change { replaced: Some(corrupt), ..change })
    }

    /// The current content, if it is this one and has yet to be verified.
    pub fn unverified(&self, version: &Version) -> Option<&Content> {
        let content = self.content.as_ref()?;
        (content.version == *version && content.unverified().is_some()).then_some(content)
    }

    /// The current content comes again: at most its metadata is new. An upload of something else that is
    /// under way stays so, for this content was here before it.
    fn correct(&self, current: &Content, metadata: Metadata, act: &Act) -> Option<Change> {
        let repeated = current.metadata.is_repeated_by(&metadata);
        let content = Content { metadata, ..current.clone() };
        let version = content.version.clone();
        (!repeated).then(|| {
            self.change(Deed::Corrected, version, act, |next, at| {
                next.make_current(content, at);
            })
        })
    }

    /// `content` becomes current and no upload is pending any more.
    fn with_content(&self, content: Content, deed: Deed, act: &Act) -> Change {
        let ended = self.pending_upload().cloned();
        let version = content.version.clone();
        let change = self.change(deed, version, act, |next, at| {
            next.make_current(content, at);
            next.upload = None;
        });
        Change { ended, ..change }
    }

    fn make_current(&mut self, content: Content, at: Timestamp) {
        self.contents += 1;
        self.content = Some(Content { sequence: self.contents, revision: self.revision, stored_at: at, ..content });
    }

    /// One revision on, with whatever content that puts aside, and an entry in the history. `edit` gets the entry's time.
    fn change(&self, what: Deed, version: Version, act: &Act, edit: impl FnOnce(&mut Self, Timestamp)) -> Change {
        let mut next = self.clone();
        next.revision += 1;
        // Whoever began first may write last, and by a clock that is slow.
        let after_the_last = self.history.last().map(|last| last.at + INSTANT);
        let at = act.at.max(after_the_last.unwrap_or(act.at));
        let archived = if next.history.len() < RECENT { Vec::new() } else { std::mem::take(&mut next.history) };
        next.history.push(Entry { revision: next.revision, at, by: act.by.clone(), what, version });
        edit(&mut next, at);
        let replaced =
            self.content.clone().filter(|old| next.content.as_ref().is_some_and(|new| new.sequence != old.sequence));
        let counted = counted(self.pending_upload(), next.pending_upload());
        let (before, after) = (self.links(), next.links());
        Change {
            next,
            replaced,
            ended: None,
            archived,
            linked: after.difference(&before).cloned().collect(),
            unlinked: before.difference(&after).cloned().collect(),
            counted,
            within: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metadata::{Metadata, SentFile, Subject, SubjectKind},
        parts::DocumentSize,
        tenant::Tenant,
    };
    use proptest::prelude::*;

    const SUBJECT: Subject = Subject { kind: SubjectKind::Association, id: Uuid::nil() };

    /// What a sender may do; the number picks one of a few contents.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        HandIn(u8),
        Offer { content: u8, declared: bool, name: Name<'static> },
        Complete,
        Abort,
        Verify { holds: bool },
        Wait,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3u8).prop_map(Step::HandIn),
            (0..3u8, any::<bool>(), prop::sample::select(vec![Name::DocumentId("1"), Name::Message]))
                .prop_map(|(content, declared, name)| Step::Offer { content, declared, name }),
            Just(Step::Complete),
            Just(Step::Abort),
            any::<bool>().prop_map(|holds| Step::Verify { holds }),
            Just(Step::Wait),
        ]
    }

    /// Metadata that names a person of its own.
    fn metadata(number: u8) -> Metadata {
        let text = format!(
            r#"{{"person": "{number}", "consumers": [{{"consumerKey": "nl-okd", "documentType": "bpv", "documentName": "a"}}]}}"#,
        );
        Metadata::parse(SUBJECT, text.as_bytes(), SentFile::default()).unwrap()
    }

    fn content(number: u8, now: Timestamp) -> Content {
        let sha256 = Checksum::sha256(&[number]);
        Content {
            sequence: 0,
            revision: 0,
            version: Version::of_bytes(&sha256),
            size: 1,
            checksums: vec![sha256],
            verification: Verification::Done,
            stored_at: now,
            verified_at: None,
            metadata: metadata(number),
        }
    }

    fn upload(number: u8, declared: bool, now: Timestamp) -> Upload {
        Upload {
            version: Version::of_upload(),
            upload_id: "upload".to_owned(),
            plan: PartPlan::from(DocumentSize::try_from(1).unwrap()),
            checksum: declared.then(|| Checksum::sha256(&[number])),
            expires_at: now + UPLOAD_LIFETIME,
            counter: Some(number),
            state: UploadState::Uploading,
            metadata: metadata(number),
        }
    }

    fn take(document: &Document, history: &[Content], step: Step, act: &Act) -> Option<Change> {
        let now = act.at;
        match step {
            Step::Verify { holds } => {
                let version = &document.content.as_ref()?.version;
                let sound = |past: &&Content| past.verification != Verification::Corrupt;
                let previous = history.iter().rev().find(sound).cloned();
                if holds { document.verified(version, act) } else { document.corrupt(version, previous, act) }
            }
            Step::HandIn(number) => document.receive(content(number, now), act),
            Step::Offer { content, declared, name } => {
                match document.offer(upload(content, declared, now), name, act) {
                    Offer::Taken => None,
                    Offer::Begin(change) => Some(change),
                    Offer::Stored(_, change) | Offer::Resume(_, change) => change,
                }
            }
            Step::Complete => {
                let upload = document.open_upload(now)?.clone();
                Some(document.complete(upload.into_content(None, now), act))
            }
            Step::Abort => {
                let upload = document.open_upload(now)?;
                Some(document.end_upload(upload, UploadState::Aborted, act))
            }
            Step::Wait => None,
        }
    }

    proptest! {
        /// Whatever a sender does and the verification finds: each change is one revision on, a content that
        /// stops being current is handed to the history under a sequence of its own, and an upload that stops
        /// being pending was completed or is handed over to be ended in S3. What is pending is due. Every change is in
        /// the history once, later than the one before whatever the clocks, the counters come to what is open, and the
        /// document is found by the ids that it has. What a sender may have been told is stored is never found corrupt.
        #[test]
        fn no_content_and_no_upload_is_ever_dropped(steps in prop::collection::vec((step(), -300..300_i64), 1..40)) {
            let caller = Caller {
                tenant: "school".to_owned().try_into().unwrap(),
                client: "sis".to_owned(),
                token: Some("token-1".to_owned()),
                scopes: Scopes::of(["okd:alldocuments"]).unwrap(),
                sees_all: false,
                trusts_unverified: false,
                limits: Limits::default(),
                salt: Tenant::new(
                    "school".to_owned().try_into().unwrap(),
                    "https://login.example".to_owned().try_into().unwrap(),
                    vec![],
                ).salt,
            };
            let mut document = Document::empty(&caller, DocumentId::from(Uuid::nil()));
            let mut history: Vec<Content> = Vec::new();
            let mut entries: Vec<Entry> = Vec::new();
            let mut counters = [(0, 0); 3];
            let mut links = BTreeSet::new();
            let mut called_stored = BTreeSet::new();
            let mut now = Timestamp::UNIX_EPOCH;
            for (step, skew) in steps {
                now += if matches!(step, Step::Wait) { UPLOAD_LIFETIME } else { Duration::from_secs(1) };
                let act = caller.acts(now + jiff::SignedDuration::from_secs(skew));
                if let Some(content) = document.content.as_ref().filter(|content| caller.takes_for_stored(content)) {
                    called_stored.insert(content.version.to_string());
                }
                let Some(change) = take(&document, &history, step, &act) else { continue };
                let Change { next, replaced, ended, archived, counted, linked, unlinked, .. } = change;
                prop_assert_eq!(next.revision, document.revision + 1);
                let sequence = |document: &Document| document.content.as_ref().map(|content| content.sequence);
                if sequence(&next) == sequence(&document) {
                    prop_assert_eq!(&replaced, &None);
                } else {
                    prop_assert_eq!(replaced.as_ref().map(|old| old.sequence), sequence(&document));
                    prop_assert_eq!(next.contents, document.contents + u32::from(next.content.is_some()));
                }
                if let Some(old) = replaced {
                    let is_corrupt = old.verification == Verification::Corrupt;
                    prop_assert!(!is_corrupt || !called_stored.contains(&old.version.to_string()));
                    prop_assert!(history.iter().all(|past| past.sequence < old.sequence));
                    history.push(old);
                }
                prop_assert!(next.content.as_ref().is_none_or(|content| content.verification != Verification::Corrupt));
                let still = |upload: &Upload| next.pending_upload().is_some_and(|next| next.version == upload.version);
                if let Some(pending) = document.pending_upload().filter(|pending| !still(pending)) {
                    let completed = next.content.as_ref().is_some_and(|content| content.version == pending.version);
                    prop_assert!(completed != (ended.as_ref() == Some(pending)));
                } else {
                    prop_assert_eq!(ended, None);
                }
                let unverified = next.content.as_ref().is_some_and(|content| content.unverified().is_some());
                prop_assert_eq!(next.due().is_some(), next.pending_upload().is_some() || unverified);
                for count in counted {
                    let (uploads, bytes) = &mut counters[usize::from(count.counter)];
                    *uploads += count.uploads;
                    *bytes += count.bytes;
                }
                let open = next.pending_upload();
                for (counter, counted) in counters.into_iter().enumerate() {
                    let here = open.filter(|open| open.counter.map(usize::from) == Some(counter));
                    prop_assert_eq!(counted, here.map_or((0, 0), |open| (1, open.plan.size.bytes().cast_signed())));
                }
                links.extend(linked);
                prop_assert!(unlinked.iter().all(|link| links.remove(link)));
                prop_assert_eq!(&links, &next.links());
                entries.extend(archived);
                let all: Vec<&Entry> = entries.iter().chain(&next.history).collect();
                prop_assert_eq!(all.len() as u64, next.revision);
                prop_assert!(all.iter().zip(1..).all(|(entry, revision)| entry.revision == revision));
                prop_assert!(all.iter().all(|entry| entry.by == act.by));
                prop_assert!(all.is_sorted_by(|one, other| one.at < other.at));
                if let Some(content) = &next.content {
                    let made = all.iter().find(|entry| entry.revision == content.revision);
                    prop_assert_eq!(made.map(|made| made.at), Some(content.stored_at));
                }
                prop_assert!(next.history.len() <= RECENT);
                document = next;
            }
        }
    }
}
