//! Ends in S3 what no document points to. A failure here is never the sender's: the sweep or the bucket's lifecycle
//! rule ends what is left.

use crate::{
    Result, Stores,
    document::{Document, Upload},
    ids::ObjectKey,
};

/// Ends in S3 an upload that was opened in vain: no item points to it, and nobody has seen a URL of it. A failure is not the
/// sender's: the bucket's lifecycle rule ends what is left.
pub(super) async fn discard(stores: &Stores, document: &Document, upload: &Upload) {
    let key = document.object_key(&upload.content_id);
    left_to_the_sweep(stores.files.abort(&key, &upload.upload_id).await.map(drop));
}

/// Returns whether S3 has anything of an upload that is about to end; where it does not say, it may. What it has nothing of
/// is no orphan: an upload begun and aborted over and over must not fill their list.
pub(super) async fn leaves_something(stores: &Stores, document: &Document, upload: &Upload) -> bool {
    let received = stores.files.received(&document.object_key(&upload.content_id), &upload.upload_id).await;
    !matches!(received, Ok(Some(parts)) if parts.is_empty())
}

/// Ends in S3 an upload that has ended. A part that is on its way at this moment may land all the same: the sweep ends that,
/// to which the upload is an orphan.
pub(super) async fn clean_up(stores: &Stores, document: &Document, upload: &Upload) {
    let key = document.object_key(&upload.content_id);
    left_to_the_sweep(end_in_s3(stores, &key, &upload.upload_id).await);
}

/// Logs that something is left to the sweep.
pub(super) fn left_to_the_sweep(ended: Result<()>) {
    if let Err(error) = ended {
        tracing::warn!(cause = error.to_string(), "what no document points to is left to the sweep");
    }
}

/// Aborts the upload, or deletes the object where its parts had been joined already.
pub(super) async fn end_in_s3(stores: &Stores, key: &ObjectKey, upload_id: &str) -> Result<()> {
    if !stores.files.abort(key, upload_id).await? && stores.files.find(key).await?.is_some() {
        stores.files.delete(key).await?;
    }
    Ok(())
}
