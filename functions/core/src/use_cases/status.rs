//! The status of an upload, and fresh URLs for what is missing: for progress, resuming and re-signing.

use jiff::Timestamp;

use super::{
    fate::{Fate, fate},
    load::load,
    view::{UploadView, view},
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Content, Document, EndReason, UploadState},
    ids::{ContentId, DocumentId},
};

/// The status of a document's upload.
#[derive(Debug)]
pub enum UploadStatus {
    /// Parts may be sent; where none is missing, complete is what is left to call.
    Open(UploadView),
    /// Everything is there, and has yet to be compared with what was declared.
    Verifying(Box<Content>),
    /// The document is stored, with this many bytes.
    Stored(u64),
    /// The last upload ended without a document.
    Ended(EndReason),
}

/// Looks the upload of one of the caller's documents up; `named` names the one that is meant.
pub async fn status(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    named: Option<&ContentId>,
    now: Timestamp,
) -> Result<UploadStatus> {
    let document = load(stores, caller, id).await?;
    if let Some(status) = look(stores, caller, &document, named, now).await? {
        return Ok(status);
    }
    // Most often another request has ended it, or taken its place, since the item was read.
    let document = load(stores, caller, id).await?;
    let status = look(stores, caller, &document, named, now).await?;
    Ok(status.unwrap_or(UploadStatus::Ended(EndReason::Aborted)))
}

/// Reads the status from the item and S3; `None` where by the item parts may be sent, and S3 does not know the upload.
async fn look(
    stores: &Stores,
    caller: &Caller,
    document: &Document,
    named: Option<&ContentId>,
    now: Timestamp,
) -> Result<Option<UploadStatus>> {
    let status = match fate(stores, document, named).await? {
        Fate::Pending(upload) => match upload.state_at(now) {
            UploadState::Uploading => {
                let view = view(stores, document, upload, &caller.limits, now).await?;
                return Ok(view.map(UploadStatus::Open));
            }
            UploadState::Ended(reason) => UploadStatus::Ended(reason),
        },
        Fate::Content(content) if let Some(refusal) = content.refusal() => UploadStatus::Ended(refusal),
        Fate::Content(content) if caller.takes_for_stored(&content) => UploadStatus::Stored(content.size),
        Fate::Content(content) => UploadStatus::Verifying(content),
        Fate::Ended(reason) => UploadStatus::Ended(reason),
        Fate::Unknown => return Err(Error::NoSuchUpload),
    };
    Ok(Some(status))
}
