//! The last step of form B: the parts are all there, make them the document.
//!
//! At most four calls, however many parts: read the item, list the parts, join them, write the item. Any
//! of them may succeed while its answer is lost; the same request sent again finds out and goes on.

use jiff::Timestamp;

use super::{
    fate::{Fate, fate},
    finish::{Finished, finish},
    link as link_parts, load,
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Content, DocumentId, UploadState, Verification, Version},
};

/// What became of a request to complete an upload.
#[derive(Debug)]
pub enum Completed {
    /// The document is stored.
    Stored,
    /// Everything is there, and has yet to be compared with what was declared.
    Verifying(Box<Content>),
    /// S3 is still joining the parts.
    Joining,
}

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
) -> Result<Completed> {
    let document = load(stores, caller, id).await?;
    let upload = match fate(stores, &document, link).await? {
        Fate::Pending(upload) => upload,
        Fate::Content(content) => return tell(caller, content),
        Fate::Ended(state) => return Err(Error::UploadGone(state)),
        Fate::Unknown => return Err(Error::NoSuchUpload),
    };
    match finish(stores, &document, upload, &caller.acts(now)).await? {
        Finished::Content(content) => tell(caller, content),
        // What arrived whole in time is stored, however late that is noticed; the rest is not awaited any more.
        Finished::Missing(_) if upload.state_at(now) == UploadState::Expired => {
            Err(Error::UploadGone(UploadState::Expired))
        }
        Finished::Missing(missing) => {
            let key = document.object_key(&upload.version);
            let view = link_parts(stores, &key, upload, missing, &caller.limits, now).await?;
            Err(Error::UploadIncomplete(document.id, Box::new(view)))
        }
        Finished::Working => Ok(Completed::Joining),
        Finished::Gone(state) => Err(Error::UploadGone(state)),
    }
}

fn tell(caller: &Caller, content: Box<Content>) -> Result<Completed> {
    if content.verification == Verification::Corrupt {
        Err(Error::UploadGone(UploadState::Corrupt))
    } else if caller.takes_for_stored(&content) {
        Ok(Completed::Stored)
    } else {
        Ok(Completed::Verifying(content))
    }
}
