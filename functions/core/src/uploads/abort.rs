//! The sender gives an upload up. What was stored before it stays.

use jiff::Timestamp;

use super::{
    ATTEMPTS, clean_up,
    fate::{Fate, fate},
    load, retry, write,
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{DocumentId, UploadAt, UploadState, Version},
    stores::Written,
};

/// Ends the open upload of one of the caller's documents; nothing to do is success too.
///
/// `link` names the upload that is meant; of another one nothing is touched.
pub async fn abort(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    link: Option<&Version>,
    now: Timestamp,
) -> Result<()> {
    let act = caller.acts(now);
    let mut document = load(stores, caller, id).await?;
    for attempt in 0..ATTEMPTS {
        let upload = match document.upload_at(link) {
            UploadAt::Pending(upload) => upload,
            UploadAt::Ended(upload) => {
                // Perhaps by this request's first try, which got no further than the item.
                clean_up(stores, &document, upload, now).await;
                return Ok(());
            }
            UploadAt::Current(_) | UploadAt::Elsewhere => {
                return match fate(stores, &document, link).await? {
                    Fate::Unknown => Err(Error::NoSuchUpload),
                    _ => Ok(()),
                };
            }
        };
        // The item first: from here on no complete can make the upload a content.
        let change = document.end_upload(upload, UploadState::Aborted, &act);
        match write(stores, &change, now).await? {
            Written::Done => return Ok(()),
            Written::Lost(current) => document = retry(stores, current, attempt).await?,
        }
    }
    Err(Error::Contended)
}
