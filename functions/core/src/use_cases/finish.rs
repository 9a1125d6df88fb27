//! Completes an upload, for its sender, the sweep, or the event of its object.

use super::{
    commit::Commit,
    fate::{Fate, fate},
};
use crate::{
    Result, Stores,
    document::{Change, Content, Document, EndReason, Upload},
    ids::ContentId,
    parts::Part,
    stamp::Stamp,
    stores::{Completion, StoredObject},
};

/// The fate of an upload.
pub(super) enum Finished {
    /// It is this content of the document: the current one, or one that was replaced since.
    Content(Box<Content>),
    /// These parts are not there.
    Missing(Vec<Part>),
    /// S3 is still joining the parts.
    Working,
    /// It has ended otherwise; as [`EndReason::Aborted`] where S3 knows neither the upload nor an object.
    Gone(EndReason),
}

/// Joins the parts of the document's open upload, if they are all there, and writes down that they are the
/// document's content.
pub(super) async fn finish(stores: &Stores, document: &Document, upload: &Upload, stamp: &Stamp) -> Result<Finished> {
    let key = document.object_key(&upload.content_id);
    let object = match stores.files.received(&key, &upload.upload_id).await? {
        // Joined before and not written down, or gone.
        None => match stores.files.find(&key).await? {
            Some(object) => object,
            None => return look_again(stores, document, upload).await,
        },
        Some(received) => {
            let missing: Vec<Part> = upload.plan.missing(&received).collect();
            if !missing.is_empty() {
                return Ok(Finished::Missing(missing));
            }
            let Upload { upload_id, plan, checksum, .. } = upload;
            let files = &stores.files;
            match files.complete(&key, upload_id, *plan, *checksum, &received).await? {
                Completion::Done(object) => object,
                Completion::Working => return Ok(Finished::Working),
                Completion::Refused => return refuse(stores, document, upload, stamp).await,
            }
        }
    };
    match (upload.checksum, object.crc64nvme) {
        (Some(declared), Some(computed)) if declared.algorithm() == computed.algorithm() && declared != computed => {
            refuse(stores, document, upload, stamp).await
        }
        _ => record(stores, document, &upload.content_id, object, stamp).await,
    }
}

/// Finds out what became of an upload that S3 no longer knows: most often another request ended it or took its place
/// since the item was read, and S3 was told.
async fn look_again(stores: &Stores, document: &Document, upload: &Upload) -> Result<Finished> {
    let now = stores.documents.load(&document.key()).await?;
    let now = now.as_ref().unwrap_or(document);
    Ok(outcome(fate(stores, now, Some(&upload.content_id)).await?))
}

/// Says what an upload that can no longer be finished came to; one that is still pending only S3 has forgotten.
fn outcome(fate: Fate<'_>) -> Finished {
    match fate {
        Fate::Content(content) => Finished::Content(content),
        Fate::Ended(state) => Finished::Gone(state),
        Fate::Pending(_) => Finished::Gone(EndReason::Aborted),
        Fate::Unknown => Finished::Gone(EndReason::Superseded),
    }
}

/// Writes down that the upload's bytes are not the ones declared.
async fn refuse(stores: &Stores, document: &Document, refused: &Upload, stamp: &Stamp) -> Result<Finished> {
    let end = EndReason::ChecksumMismatch;
    settle(stores, document, &refused.content_id, stamp, |document, upload| {
        let change = document.end_upload(upload, end, stamp);
        (change, Finished::Gone(end))
    })
    .await
}

/// Writes down that an upload, joined, is the document's content.
async fn record(
    stores: &Stores,
    document: &Document,
    joined: &ContentId,
    object: StoredObject,
    stamp: &Stamp,
) -> Result<Finished> {
    let finished = settle(stores, document, joined, stamp, |document, upload| {
        // The upload as it is now: its metadata may have been corrected meanwhile.
        let content = upload.clone().into_content(object.crc64nvme, stores.screening(), stamp.at);
        let change = document.complete(content.clone(), stamp);
        (change, Finished::Content(Box::new(content)))
    })
    .await?;
    if let Finished::Gone(_) = finished {
        // Aborted or overtaken while S3 was joining, so it never became a content: nothing points to it.
        stores.files.delete(&document.object_key(joined)).await?;
    }
    Ok(finished)
}

/// Writes down what becomes of a pending upload, unless it has ended otherwise: a later request is answered the same.
async fn settle(
    stores: &Stores,
    document: &Document,
    content_id: &ContentId,
    stamp: &Stamp,
    decide: impl Fn(&Document, &Upload) -> (Change, Finished),
) -> Result<Finished> {
    let mut commit = Commit::of(stores, document.clone(), stamp.at);
    loop {
        let document = commit.document();
        let (change, finished) = match fate(stores, document, Some(content_id)).await? {
            Fate::Pending(upload) => decide(document, upload),
            ended => return Ok(outcome(ended)),
        };
        if commit.write(change).await? {
            return Ok(finished);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::{at, content, upload};

    #[test]
    fn an_upload_that_can_no_longer_be_finished_came_to_what_became_of_it() {
        let (current, pending) = (content(1, at(0)), upload(1, false, at(0)));
        let ends = |fate| match outcome(fate) {
            Finished::Gone(reason) => Some(reason),
            Finished::Content(_) | Finished::Missing(_) | Finished::Working => None,
        };
        assert_eq!(ends(Fate::Content(Box::new(current))), None);
        assert_eq!(ends(Fate::Ended(EndReason::Expired)), Some(EndReason::Expired));
        assert_eq!(ends(Fate::Pending(&pending)), Some(EndReason::Aborted));
        assert_eq!(ends(Fate::Unknown), Some(EndReason::Superseded));
    }
}
