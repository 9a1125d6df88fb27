//! What completing an upload takes, whoever asks: its sender, the sweep, or the event of its object.

use super::{
    ATTEMPTS,
    fate::{Fate, fate},
    retry, write,
};
use crate::{
    Error, Result, Stores,
    document::{Act, Change, Content, Document, Upload, UploadState, Version},
    parts::Part,
    stores::{Completion, StoredObject, Written},
};

/// What became of an upload.
pub(super) enum Finished {
    /// It is this content of the document: the current one, or one that was replaced since.
    Content(Box<Content>),
    /// These parts are not there.
    Missing(Vec<Part>),
    /// S3 is still joining the parts.
    Working,
    /// It has ended otherwise; as [`UploadState::Aborted`] where S3 knows neither the upload nor an object.
    Gone(UploadState),
}

/// Joins the parts of the document's open upload, if they are all there, and writes down that they are the
/// document's content.
pub(super) async fn finish(stores: &Stores, document: &Document, upload: &Upload, act: &Act) -> Result<Finished> {
    let key = document.object_key(&upload.version);
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
                Completion::Refused => return refuse(stores, document, upload, act).await,
            }
        }
    };
    match (upload.checksum, object.crc64nvme) {
        (Some(declared), Some(computed)) if declared.algorithm() == computed.algorithm() && declared != computed => {
            refuse(stores, document, upload, act).await
        }
        _ => record(stores, document, &upload.version, object, act).await,
    }
}

/// Finds out what became of an upload that S3 no longer knows: most often another request ended it or took its place since
/// the item was read, and S3 was told.
async fn look_again(stores: &Stores, document: &Document, upload: &Upload) -> Result<Finished> {
    let now = stores.documents.load(&document.key()).await?;
    let now = now.as_ref().unwrap_or(document);
    Ok(outcome(fate(stores, now, Some(&upload.version)).await?))
}

/// Says what an upload that can no longer be finished came to; one that is still pending only S3 has forgotten.
fn outcome(fate: Fate<'_>) -> Finished {
    match fate {
        Fate::Content(content) => Finished::Content(content),
        Fate::Ended(state) => Finished::Gone(state),
        Fate::Pending(_) => Finished::Gone(UploadState::Aborted),
        Fate::Unknown => Finished::Gone(UploadState::Superseded),
    }
}

/// Writes down that the upload's bytes are not the ones declared.
async fn refuse(stores: &Stores, document: &Document, refused: &Upload, act: &Act) -> Result<Finished> {
    let end = UploadState::ChecksumMismatch;
    settle(stores, document, &refused.version, act, |document, upload| {
        let change = document.end_upload(upload, end, act);
        (change, Finished::Gone(end))
    })
    .await
}

/// Writes down that an upload, joined, is the document's content.
async fn record(
    stores: &Stores,
    document: &Document,
    joined: &Version,
    object: StoredObject,
    act: &Act,
) -> Result<Finished> {
    let finished = settle(stores, document, joined, act, |document, upload| {
        // As it is now: its metadata may have been corrected meanwhile.
        let content = upload.clone().into_content(object.crc64nvme, act.at);
        let change = document.complete(content.clone(), act);
        (change, Finished::Content(Box::new(content)))
    })
    .await?;
    if let Finished::Gone(_) = finished {
        // Aborted or overtaken while S3 was joining, so it never became a content: nothing points to it.
        stores.files.delete(&document.object_key(joined)).await?;
    }
    Ok(finished)
}

/// Writes down what becomes of a pending upload, unless it has ended otherwise: who asks later is told the same.
async fn settle(
    stores: &Stores,
    document: &Document,
    version: &Version,
    act: &Act,
    decide: impl Fn(&Document, &Upload) -> (Change, Finished),
) -> Result<Finished> {
    let mut document = document.clone();
    for attempt in 0..ATTEMPTS {
        let upload = match fate(stores, &document, Some(version)).await? {
            Fate::Pending(upload) => upload,
            ended => return Ok(outcome(ended)),
        };
        let (change, finished) = decide(&document, upload);
        match write(stores, &change, act.at).await? {
            Written::Done => return Ok(finished),
            Written::Lost(current) => document = retry(stores, current, attempt).await?,
        }
    }
    Err(Error::Contended)
}
