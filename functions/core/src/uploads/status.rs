//! How far an upload is, and fresh URLs for what is missing: for progress, resuming and re-signing.

use jiff::Timestamp;

use super::{UploadView, load, past, view};
use crate::{
    Result, Stores,
    caller::Caller,
    document::{DocumentId, UploadAt, UploadState, Version},
};

/// Where a document's upload stands.
#[derive(Debug)]
pub enum UploadStatus {
    /// Parts may be sent; where none is missing, complete is what is left to call.
    Open(UploadView),
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
    let upload = match document.upload_at(link) {
        UploadAt::Here(upload) => upload,
        UploadAt::Stored(content) => return Ok(UploadStatus::Stored(content.size)),
        UploadAt::Elsewhere => {
            return Ok(match past(stores, &document, link).await? {
                (UploadState::Stored, size) => UploadStatus::Stored(size),
                (ended, _) => UploadStatus::Ended(ended),
            });
        }
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
