//! The last step of form B: the parts are all there, make them the document.
//!
//! At most four calls, however many parts: read the item, list the parts, join them, write the item. Any
//! of them may succeed while its answer is lost; the same request sent again finds out and goes on.

use jiff::Timestamp;

use super::{
    fate::{Fate, fate},
    finish::{Finished, finish},
    load::load,
    view::{UploadView, link},
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Content, EndReason, UploadState},
    ids::{ContentId, DocumentId},
};

/// The outcome of a request to complete an upload.
#[derive(Debug)]
pub enum Completed {
    /// The document is stored.
    Stored,
    /// Everything is there, and has yet to be compared with what was declared.
    Verifying(Box<Content>),
    /// S3 is still joining the parts.
    Joining,
    /// Parts are missing.
    Missing(Box<UploadView>),
    /// The upload has ended without a document.
    Gone(EndReason),
}

/// Completes the upload of one of the caller's documents; the same answer on every repeat.
///
/// `named` is the upload that is meant. Without it a sender that has been overtaken by another PUT of the
/// same document could complete that one's upload for its own.
pub async fn complete(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    named: Option<&ContentId>,
    now: Timestamp,
) -> Result<Completed> {
    let document = load(stores, caller, id).await?;
    let upload = match fate(stores, &document, named).await? {
        Fate::Pending(upload) => upload,
        Fate::Content(content) => return Ok(completed(caller, content)),
        Fate::Ended(reason) => return Ok(Completed::Gone(reason)),
        Fate::Unknown => return Err(Error::NoSuchUpload),
    };
    match finish(stores, &document, upload, &caller.stamp(now)).await? {
        Finished::Content(content) => Ok(completed(caller, content)),
        // An upload that arrived whole in time is stored, however late that is noticed; other parts are not awaited any
        // more.
        Finished::Missing(_) if upload.state_at(now) != UploadState::Uploading => {
            Ok(Completed::Gone(EndReason::Expired))
        }
        Finished::Missing(missing) => {
            let key = document.object_key(&upload.content_id);
            let view = link(stores, &key, upload, missing, &caller.limits, now).await?;
            Ok(Completed::Missing(Box::new(view)))
        }
        Finished::Working => Ok(Completed::Joining),
        Finished::Gone(reason) => Ok(Completed::Gone(reason)),
    }
}

/// Says of a content that an upload has become how that is completed.
fn completed(caller: &Caller, content: Box<Content>) -> Completed {
    if let Some(refusal) = content.refusal() {
        Completed::Gone(refusal)
    } else if caller.takes_for_stored(&content) {
        Completed::Stored
    } else {
        Completed::Verifying(content)
    }
}
