//! The last step of form B: the parts are all there, make them the document.
//!
//! At most four calls, however many parts: read the item, list the parts, join them, write the item. Any
//! of them may succeed while its answer is lost; the same request sent again finds out and goes on.

use jiff::Timestamp;

use super::{
    finish::{Finished, finish},
    link as link_parts, load, past,
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{DocumentId, UploadAt, UploadState, Version},
};

/// Completes the upload of one of the caller's documents; the same answer on every repeat.
///
/// `link` names the upload that is meant. Without it a sender that has been overtaken by another PUT of the
/// same document could complete that one's upload for its own.
pub async fn complete(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    link: Option<&Version>,
    now: Timestamp,
) -> Result<()> {
    let document = load(stores, caller, id).await?;
    let upload = match document.upload_at(link) {
        UploadAt::Here(upload) => upload,
        UploadAt::Stored(_) => return Ok(()),
        UploadAt::Elsewhere => {
            return match past(stores, &document, link).await?.0 {
                UploadState::Stored => Ok(()),
                ended => Err(Error::UploadGone(ended)),
            };
        }
    };
    if upload.state != UploadState::Uploading {
        return Err(Error::UploadGone(upload.state));
    }
    match finish(stores, &document, upload, &caller.acts(now)).await? {
        Finished::Stored => Ok(()),
        // What arrived whole in time is stored, however late that is noticed; the rest is not awaited any more.
        Finished::Missing(_) if upload.state_at(now) == UploadState::Expired => {
            Err(Error::UploadGone(UploadState::Expired))
        }
        Finished::Missing(missing) => {
            let key = document.object_key(&upload.version);
            let view = link_parts(stores, &key, upload, missing, &caller.limits, now).await?;
            Err(Error::UploadIncomplete(document.id, Box::new(view)))
        }
        Finished::Working => Err(Error::StillCompleting(document.id)),
        Finished::Gone(state) => Err(Error::UploadGone(state)),
        Finished::Mismatch { declared, computed } => {
            Err(Error::ChecksumMismatch { declared, computed })
        }
    }
}
