//! How far an upload is, and fresh URLs for what is missing: for progress, resuming and re-signing.

use jiff::Timestamp;

use super::{UploadView, load, view};
use crate::{
    Result, Stores,
    document::{DocumentId, UploadState},
    tenant::Caller,
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

/// Looks the upload of one of the caller's documents up.
pub async fn status(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    now: Timestamp,
) -> Result<UploadStatus> {
    let document = load(stores, caller, id).await?;
    if let Some(upload) = document.open_upload(now) {
        let view = view(stores, &document, upload, now).await?;
        return Ok(view.map_or(
            UploadStatus::Ended(UploadState::Aborted),
            UploadStatus::Open,
        ));
    }
    Ok(match (&document.upload, &document.content) {
        (None, Some(content)) => UploadStatus::Stored(content.size),
        (Some(upload), _) => UploadStatus::Ended(upload.state_at(now)),
        (None, None) => UploadStatus::Ended(UploadState::Aborted),
    })
}
