//! The last step of form B: the parts are all there, make them the document.
//!
//! At most four calls, however many parts: read the item, list the parts, join them, write the item. Any
//! of them may succeed while its answer is lost; the same request sent again finds out and goes on.

use jiff::Timestamp;

use super::{ATTEMPTS, link as link_parts, load, retry};
use crate::{
    Error, Result, Stores,
    document::{Document, DocumentId, Upload, UploadAt, UploadState, Version},
    parts::Part,
    stores::{Completion, StoredObject, Written},
    tenant::Caller,
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
    let upload = match (document.upload_at(link), link) {
        (UploadAt::Here(upload), _) => upload,
        (UploadAt::Stored(_), _) => return Ok(()),
        (UploadAt::Elsewhere, Some(link))
            if stores.documents.was_replaced(&document, link).await? =>
        {
            return Ok(());
        }
        (UploadAt::Elsewhere, _) => return Err(Error::UploadGone(UploadState::Superseded)),
    };
    let state = upload.state_at(now);
    if state != UploadState::Uploading {
        return Err(Error::UploadGone(state));
    }
    let object = join(stores, &document, upload, now).await?;
    match (upload.checksum, object.crc64nvme) {
        (Some(declared), Some(computed))
            if declared.algorithm() == computed.algorithm() && declared != computed =>
        {
            refuse(stores, &document, upload).await?;
            Err(Error::ChecksumMismatch { declared, computed })
        }
        _ => record(stores, &document, upload, object, now).await,
    }
}

/// The object that the parts make.
async fn join(
    stores: &Stores,
    document: &Document,
    upload: &Upload,
    now: Timestamp,
) -> Result<StoredObject> {
    let key = document.object_key(&upload.version);
    let Some(received) = stores.files.received(&key, &upload.upload_id).await? else {
        // Joined before and not written down, or gone.
        return stores
            .files
            .find(&key)
            .await?
            .ok_or(Error::UploadGone(UploadState::Aborted));
    };
    let missing: Vec<Part> = upload.plan.missing(&received).collect();
    if !missing.is_empty() {
        let view = link_parts(stores, &key, upload, missing, now).await?;
        return Err(Error::UploadIncomplete(document.id, Box::new(view)));
    }
    match stores
        .files
        .complete(&key, &upload.upload_id, upload.plan, &received)
        .await?
    {
        Completion::Done(object) => Ok(object),
        Completion::Working => Err(Error::StillCompleting(document.id)),
    }
}

/// Writes down that the upload has become the document's content.
async fn record(
    stores: &Stores,
    document: &Document,
    joined: &Upload,
    object: StoredObject,
    now: Timestamp,
) -> Result<()> {
    let mut document = document.clone();
    for attempt in 0..ATTEMPTS {
        let ended = match document.upload_at(Some(&joined.version)) {
            UploadAt::Here(upload) if upload.state == UploadState::Uploading => {
                // As it is now: its metadata may have been corrected meanwhile.
                let content = upload.clone().into_content(object.crc64nvme, now);
                match stores.documents.write(&document.complete(content)).await? {
                    Written::Done => return Ok(()),
                    Written::Lost(current) => document = retry(stores, current, attempt).await?,
                }
                continue;
            }
            UploadAt::Here(upload) => upload.state,
            UploadAt::Stored(_) => return Ok(()),
            UploadAt::Elsewhere
                if stores
                    .documents
                    .was_replaced(&document, &joined.version)
                    .await? =>
            {
                return Ok(());
            }
            UploadAt::Elsewhere => UploadState::Superseded,
        };
        // Aborted or overtaken while S3 was joining, so it never became a content: nothing points to it.
        stores
            .files
            .delete(&document.object_key(&joined.version))
            .await?;
        return Err(Error::UploadGone(ended));
    }
    Err(Error::Contended)
}

/// Ends an upload whose bytes are not the ones declared; what was current stays so.
async fn refuse(stores: &Stores, document: &Document, upload: &Upload) -> Result<()> {
    let change = document.end_upload(UploadState::ChecksumMismatch);
    match stores.documents.write(&change).await? {
        Written::Done => {
            stores
                .files
                .delete(&document.object_key(&upload.version))
                .await
        }
        // Another request saw the same and was first.
        Written::Lost(_) => Ok(()),
    }
}
