//! How far an upload is, and fresh URLs for what is missing: for progress, resuming and re-signing.

use jiff::Timestamp;

use super::{
    UploadView,
    fate::{Fate, fate},
    load, view,
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Content, DocumentId, UploadState, Verification, Version},
};

/// Where a document's upload stands.
#[derive(Debug)]
pub enum UploadStatus {
    /// Parts may be sent; where none is missing, complete is what is left to call.
    Open(UploadView),
    /// Everything is there, and has yet to be compared with what was declared.
    Verifying(Box<Content>),
    /// The document is stored, with this many bytes.
    Stored(u64),
    /// The last upload ended without a document.
    Ended(UploadState),
}

/// Looks the upload of one of the caller's documents up; `link` names the one that is meant.
pub async fn status(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    link: Option<&Version>,
    now: Timestamp,
) -> Result<UploadStatus> {
    let document = load(stores, caller, id).await?;
    let upload = match fate(stores, &document, link).await? {
        Fate::Pending(upload) => upload,
        Fate::Content(content) if content.verification == Verification::Corrupt => {
            return Ok(UploadStatus::Ended(UploadState::Corrupt));
        }
        Fate::Content(content) if caller.takes_for_stored(&content) => {
            return Ok(UploadStatus::Stored(content.size));
        }
        Fate::Content(content) => {
            return Ok(UploadStatus::Verifying(content));
        }
        Fate::Ended(state) => return Ok(UploadStatus::Ended(state)),
        Fate::Unknown => return Err(Error::NoSuchUpload),
    };
    match upload.state_at(now) {
        UploadState::Uploading => {
            let view = view(stores, &document, upload, &caller.limits, now).await?;
            Ok(view.map_or(
                UploadStatus::Ended(UploadState::Aborted),
                UploadStatus::Open,
            ))
        }
        ended => Ok(UploadStatus::Ended(ended)),
    }
}
