//! Ends in S3 what no document points to. A failure here is never the sender's: the sweep or the bucket's lifecycle
//! rule ends what is left.

use jiff::Timestamp;

use crate::{
    Result, Stores,
    document::{Document, Orphan, Upload},
    ids::ObjectKey,
};

/// Ends in S3 an upload that was opened in vain: no item points to it, and nobody has seen a URL of it, so that no part of it
/// can be on its way. One call. A failure is not the sender's: the bucket's lifecycle rule ends what is left.
pub(super) async fn discard(stores: &Stores, document: &Document, upload: &Upload) {
    let key = document.object_key(&upload.content_id);
    left_to_the_sweep(stores.files.abort_unseen(&key, &upload.upload_id).await);
}

/// Ends in S3 an upload that is listed as an orphan. Where it never had a part it is that no longer: an upload begun and
/// aborted over and over must not fill the list.
pub(super) async fn clean_up(stores: &Stores, document: &Document, upload: &Upload, now: Timestamp) {
    let clean_up = async {
        let key = document.object_key(&upload.content_id);
        let received = stores.files.received(&key, &upload.upload_id).await?;
        if received.is_none_or(|parts| !parts.is_empty()) {
            return end_in_s3(stores, &key, &upload.upload_id).await;
        }
        stores.files.abort(&key, &upload.upload_id).await?;
        let orphan = Orphan::of_upload(upload, now);
        stores.documents.forget(&document.key(), &orphan).await
    };
    left_to_the_sweep(clean_up.await);
}

/// Logs that something is left to the sweep.
pub(super) fn left_to_the_sweep(ended: Result<()>) {
    if let Err(error) = ended {
        tracing::warn!(cause = error.to_string(), "what no document points to is left to the sweep");
    }
}

/// Aborts the upload, and deletes the object where its parts had been joined already.
pub(super) async fn end_in_s3(stores: &Stores, key: &ObjectKey, upload_id: &str) -> Result<()> {
    stores.files.abort(key, upload_id).await?;
    if stores.files.find(key).await?.is_some() {
        stores.files.delete(key).await?;
    }
    Ok(())
}
