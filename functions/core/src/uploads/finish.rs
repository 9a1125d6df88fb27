//! What completing an upload takes, whoever asks: its sender, the sweep, or the event of its object.

use super::{ATTEMPTS, retry, write};
use crate::{
    Error, Result, Stores,
    checksum::Checksum,
    document::{Act, Document, Upload, UploadAt, UploadState, Version},
    parts::Part,
    stores::{Completion, StoredObject, Written},
};

/// What became of an upload.
pub(super) enum Finished {
    /// It is a content of the document: the current one, or one that was replaced since.
    Stored,
    /// These parts are not there.
    Missing(Vec<Part>),
    /// S3 is still joining the parts.
    Working,
    /// It has ended otherwise; as [`UploadState::Aborted`] where S3 knows neither the upload nor an object.
    Gone(UploadState),
    /// Its bytes were not the ones declared.
    Mismatch {
        declared: Checksum,
        computed: Checksum,
    },
}

/// Joins the parts of the document's open upload, if they are all there, and writes down that they are the
/// document's content.
pub(super) async fn finish(
    stores: &Stores,
    document: &Document,
    upload: &Upload,
    act: &Act,
) -> Result<Finished> {
    let key = document.object_key(&upload.version);
    let object = match stores.files.received(&key, &upload.upload_id).await? {
        // Joined before and not written down, or gone.
        None => match stores.files.find(&key).await? {
            Some(object) => object,
            None => return Ok(Finished::Gone(UploadState::Aborted)),
        },
        Some(received) => {
            let missing: Vec<Part> = upload.plan.missing(&received).collect();
            if !missing.is_empty() {
                return Ok(Finished::Missing(missing));
            }
            let id = &upload.upload_id;
            match stores
                .files
                .complete(&key, id, upload.plan, &received)
                .await?
            {
                Completion::Done(object) => object,
                Completion::Working => return Ok(Finished::Working),
            }
        }
    };
    match (upload.checksum, object.crc64nvme) {
        (Some(declared), Some(computed))
            if declared.algorithm() == computed.algorithm() && declared != computed =>
        {
            // Where another request was first, it saw the same.
            let change = document.end_upload(upload, UploadState::ChecksumMismatch, act);
            write(stores, &change, act.at).await?;
            Ok(Finished::Mismatch { declared, computed })
        }
        _ => record(stores, document, &upload.version, object, act).await,
    }
}

/// Writes down that an upload, joined, is the document's content.
async fn record(
    stores: &Stores,
    document: &Document,
    joined: &Version,
    object: StoredObject,
    act: &Act,
) -> Result<Finished> {
    let mut document = document.clone();
    for attempt in 0..ATTEMPTS {
        let ended = match document.upload_at(Some(joined)) {
            UploadAt::Here(upload) if upload.state == UploadState::Uploading => {
                // As it is now: its metadata may have been corrected meanwhile.
                let content = upload.clone().into_content(object.crc64nvme, act.at);
                match write(stores, &document.complete(content, act), act.at).await? {
                    Written::Done => return Ok(Finished::Stored),
                    Written::Lost(current) => document = retry(stores, current, attempt).await?,
                }
                continue;
            }
            UploadAt::Here(upload) => upload.state,
            UploadAt::Stored(_) => return Ok(Finished::Stored),
            UploadAt::Elsewhere => match super::past(stores, &document, Some(joined)).await?.0 {
                UploadState::Superseded => UploadState::Superseded,
                UploadState::Stored => return Ok(Finished::Stored),
                corrupt => return Ok(Finished::Gone(corrupt)),
            },
        };
        // Aborted or overtaken while S3 was joining, so it never became a content: nothing points to it.
        stores.files.delete(&document.object_key(joined)).await?;
        return Ok(Finished::Gone(ended));
    }
    Err(Error::Contended)
}
