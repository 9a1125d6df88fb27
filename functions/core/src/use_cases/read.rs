//! A document is read back by those who may know of it (flow x).

use std::ops::RangeInclusive;

use bytes::Bytes;
use jiff::Timestamp;

use super::load::load;
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Content, Document, EndReason, UploadState},
    ids::{ContentId, DocumentId},
    retention::Keeping,
    stores::{DownloadLink, FileStream},
};

/// The outcome of a request to read a document.
#[derive(Debug)]
pub enum Readable {
    /// It is stored: as this content, of this document.
    Content(Box<Document>, Box<Content>),
    /// It is not stored, or not yet.
    NotStored(NotStored),
}

/// A document, or one version of it, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStored {
    /// Its state.
    pub standing: Standing,
    /// The upload that this is the state of, where that is known.
    pub upload: Option<ContentId>,
}

/// The states of a document that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its parts are awaited.
    Uploading,
    /// Everything is there, and has yet to be compared with what was declared.
    Verifying,
    /// It is stored, and a scanner has yet to say that there is no malware in it.
    Screening,
    /// Its upload has ended without a document.
    Ended(EndReason),
}

/// Finds what there is to read of one of the caller's documents: the content that `version` names, or else the newest that
/// the caller may read. What was deleted is not found. While a new one is on its way, being compared or screened, that is the
/// one before it. One call, or two where it is not the current content.
pub async fn find(stores: &Stores, caller: &Caller, id: DocumentId, version: Option<&ContentId>) -> Result<Readable> {
    let document = load(stores, caller, id).await?;
    match version {
        Some(version) => find_version(stores, caller, document, version).await,
        None => find_newest(stores, caller, document).await,
    }
}

async fn find_version(stores: &Stores, caller: &Caller, document: Document, version: &ContentId) -> Result<Readable> {
    let current = document.content.clone().filter(|content| content.content_id == *version);
    let content = match current {
        Some(current) => Some(current),
        None => stores.documents.past(&document.key(), version).await?,
    };
    let sound = content.filter(|content| content.refusal().is_none() && !document.has_deleted(content));
    let content = sound.ok_or(Error::NoSuchVersion)?;
    Ok(readable(caller, document, content))
}

/// The newest content of a document that the caller may read.
pub(super) async fn find_newest(stores: &Stores, caller: &Caller, document: Document) -> Result<Readable> {
    let Some(current) = document.content.clone() else {
        let upload = document.upload.as_ref();
        if document.is_deleted() && upload.is_none_or(|upload| upload.state != UploadState::Uploading) {
            return Err(Error::NotFound);
        }
        let standing = match upload.map(|upload| upload.state) {
            Some(UploadState::Uploading) => Standing::Uploading,
            Some(UploadState::Ended(reason)) => Standing::Ended(reason),
            // Its last content was refused.
            None => {
                let last = stores.documents.newest_past(&document.key()).await?;
                Standing::Ended(last.and_then(|last| last.refusal()).unwrap_or(EndReason::Corrupt))
            }
        };
        let upload = upload.map(|upload| upload.content_id.clone());
        return Ok(Readable::NotStored(NotStored { standing, upload }));
    };
    if caller.may_read(&current) {
        return Ok(Readable::Content(Box::new(document), Box::new(current)));
    }
    let before = stores.documents.last_released(&document.key(), caller.trusts_unverified).await?;
    let is_readable = |before: &Content| caller.may_read(before) && !document.has_deleted(before);
    let before = before.filter(is_readable);
    Ok(readable(caller, document, before.unwrap_or(current)))
}

/// Reads the bytes of a content that was found, or these of them.
pub async fn fetch(
    stores: &Stores,
    document: &Document,
    content: &Content,
    range: Option<RangeInclusive<u64>>,
) -> Result<Bytes> {
    stores.files.read(&document.object_key(&content.content_id), range).await
}

/// Begins to read the bytes of a content that was found, or these of them.
pub async fn open(
    stores: &Stores,
    document: &Document,
    content: &Content,
    range: Option<RangeInclusive<u64>>,
) -> Result<FileStream> {
    stores.files.open(&document.object_key(&content.content_id), range).await
}

/// Makes a URL of the file of a content that was found. No call.
pub async fn link(stores: &Stores, document: &Document, content: &Content, now: Timestamp) -> Result<DownloadLink> {
    stores.files.link_to(&document.object_key(&content.content_id), content, now).await
}

/// Computes for how long a content that was found is to be kept. One call, where it belongs to an enrolment.
pub async fn keeping(stores: &Stores, document: &Document, content: &Content) -> Result<Option<Keeping>> {
    let association = match content.metadata.links.association() {
        Some(id) => stores.documents.association(&document.tenant, id).await?,
        None => None,
    };
    Ok(Keeping::of(&content.metadata, content.stored_at, association.and_then(|association| association.enrollment())))
}

/// The content, if it may be read.
fn readable(caller: &Caller, document: Document, content: Content) -> Readable {
    if caller.may_read(&content) {
        return Readable::Content(Box::new(document), Box::new(content));
    }
    let standing = if caller.takes_for_stored(&content) { Standing::Screening } else { Standing::Verifying };
    Readable::NotStored(NotStored { standing, upload: Some(content.content_id) })
}
