//! The sender gives an upload up. What was stored before it stays.

use jiff::Timestamp;

use super::{
    cleanup::clean_up,
    commit::Commit,
    fate::{Fate, fate},
    load::load,
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{EndReason, UploadAt},
    ids::{ContentId, DocumentId},
};

/// Ends the open upload of one of the caller's documents. Where nothing is open there is nothing to do.
///
/// `named` names the upload that is meant; no other one is touched.
pub async fn abort(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    named: Option<&ContentId>,
    now: Timestamp,
) -> Result<()> {
    let stamp = caller.stamp(now);
    let document = load(stores, caller, id).await?;
    let mut commit = Commit::of(stores, document, now);
    loop {
        let document = commit.document();
        let change = match document.upload_at(named) {
            UploadAt::Pending(upload) => document.end_upload(upload, EndReason::Aborted, &stamp),
            UploadAt::Ended(upload, _) => {
                // Perhaps by this request's first try, which got no further than the item.
                clean_up(stores, document, upload).await;
                return Ok(());
            }
            UploadAt::Current(_) | UploadAt::Elsewhere => {
                return match fate(stores, document, named).await? {
                    Fate::Unknown => Err(Error::NoSuchUpload),
                    _ => Ok(()),
                };
            }
        };
        // The item first: from here on no complete can make the upload a content.
        if commit.write(change).await? {
            return Ok(());
        }
    }
}
