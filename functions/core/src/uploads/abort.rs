//! The sender gives an upload up. What was stored before it stays.

use super::{ATTEMPTS, discard, load};
use crate::{
    Error, Result, Stores,
    document::{DocumentId, UploadState},
    stores::Written,
    tenant::Caller,
};

/// Ends the open upload of one of the caller's documents; nothing to do is success too.
pub async fn abort(stores: &Stores, caller: &Caller, id: DocumentId) -> Result<()> {
    let mut document = load(stores, caller, id).await?;
    for _ in 0..ATTEMPTS {
        let Some(upload) = document.upload.clone() else {
            return Ok(());
        };
        if upload.state == UploadState::Uploading {
            // The item first: from here on no complete can make the upload a content.
            match stores
                .documents
                .write(&document.end_upload(UploadState::Aborted))
                .await?
            {
                Written::Done => {}
                Written::Lost(current) => {
                    document = *current;
                    continue;
                }
            }
        }
        discard(stores, &document, &upload).await;
        return Ok(());
    }
    Err(Error::Contended)
}
