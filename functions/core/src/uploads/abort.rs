//! The sender gives an upload up. What was stored before it stays.

use super::{ATTEMPTS, discard, load, retry};
use crate::{
    Error, Result, Stores,
    document::{DocumentId, UploadAt, UploadState, Version},
    stores::Written,
    tenant::Caller,
};

/// Ends the open upload of one of the caller's documents; nothing to do is success too.
///
/// `link` names the upload that is meant; of another one nothing is touched.
pub async fn abort(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    link: Option<&Version>,
) -> Result<()> {
    let mut document = load(stores, caller, id).await?;
    for attempt in 0..ATTEMPTS {
        let UploadAt::Here(upload) = document.upload_at(link) else {
            return Ok(());
        };
        let upload = upload.clone();
        if upload.state == UploadState::Uploading {
            // The item first: from here on no complete can make the upload a content.
            match stores
                .documents
                .write(&document.end_upload(UploadState::Aborted))
                .await?
            {
                Written::Done => {}
                Written::Lost(current) => {
                    document = retry(stores, current, attempt).await?;
                    continue;
                }
            }
        }
        discard(stores, &document, &upload).await;
        return Ok(());
    }
    Err(Error::Contended)
}
