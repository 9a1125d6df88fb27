//! The use cases, one file each: a document [received](fn@receive) whole, an upload [started](fn@start), asked
//! after ([status](fn@status)), [completed](fn@complete) or [aborted](fn@abort).
//!
//! Between any two calls the process may die. The order of the calls sees to it that what is left behind
//! is either invisible (bytes or an upload that no item points to) or can be finished by the same request
//! sent again; only the conditional write of the document's item makes anything true.

mod abort;
mod complete;
mod receive;
mod start;
mod status;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use uuid::Uuid;

pub use abort::abort;
pub use complete::complete;
pub use receive::receive;
pub use start::{Started, start};
pub use status::{UploadStatus, status};

use crate::{
    Error, Result, Stores,
    document::{Change, Document, DocumentId, Upload, Version},
    parts::{Part, PartPlan},
    stores::{PartLink, Written},
    tenant::Caller,
};

/// How often a request decides again after others changed its document first.
const ATTEMPTS: usize = 8;

/// An open upload as its sender sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadView {
    /// Tells this upload from those before and after it, in the links to it.
    pub version: Version,
    /// The document's size and how it is cut.
    pub plan: PartPlan,
    /// When the upload ends by itself.
    pub expires_at: Timestamp,
    /// Where to send each part that S3 does not have.
    pub missing: Vec<PartLink>,
}

impl fmt::Debug for UploadView {
    /// Without the links, which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an upload of {:?} with {} parts missing",
            self.plan,
            self.missing.len()
        )
    }
}

impl UploadView {
    /// How many parts S3 has.
    pub fn parts_received(&self) -> usize {
        self.plan.parts().count() - self.missing.len()
    }
}

/// The document, if this caller may know of it.
async fn load(stores: &Stores, caller: &Caller, id: DocumentId) -> Result<Document> {
    let document = stores.documents.load(&caller.tenant, id).await?;
    document
        .filter(|document| document.client == caller.client)
        .ok_or(Error::NotFound)
}

/// What is missing of an open upload; `None` where S3 no longer knows it and has no object of it either.
async fn view(
    stores: &Stores,
    document: &Document,
    upload: &Upload,
    now: Timestamp,
) -> Result<Option<UploadView>> {
    let key = document.object_key(&upload.version);
    let missing: Vec<Part> = match stores.files.received(&key, &upload.upload_id).await? {
        Some(received) => upload.plan.missing(&received).collect(),
        // Joined, but not yet written down: there is nothing to send, and complete will finish it.
        None if stores.files.find(&key).await?.is_some() => Vec::new(),
        None => return Ok(None),
    };
    link(stores, &key, upload, missing, now).await.map(Some)
}

async fn link(
    stores: &Stores,
    key: &str,
    upload: &Upload,
    missing: Vec<Part>,
    now: Timestamp,
) -> Result<UploadView> {
    let missing = stores
        .files
        .link(
            key,
            &upload.upload_id,
            missing.into_iter(),
            now,
            upload.expires_at,
        )
        .await?;
    Ok(UploadView {
        version: upload.version.clone(),
        plan: upload.plan,
        expires_at: upload.expires_at,
        missing,
    })
}

/// Writes a change and, once it is written, ends in S3 the upload that it put aside.
async fn write(stores: &Stores, change: &Change) -> Result<Written> {
    let written = stores.documents.write(change).await?;
    if let (Written::Done, Some(superseded)) = (&written, &change.superseded) {
        discard(stores, &change.next, superseded).await;
    }
    Ok(written)
}

/// The state to decide on again after another request was first: the one that it left, the first time;
/// later the one after a pause, some 60 ms and twice as long each time, so that many at once do not keep
/// each other from it.
async fn retry(stores: &Stores, current: Box<Document>, attempt: usize) -> Result<Document> {
    if attempt == 0 {
        return Ok(*current);
    }
    let random = 10 + Uuid::new_v4().as_bytes()[0] % 40;
    tokio::time::sleep(Duration::from_millis(u64::from(random) << attempt.min(5))).await;
    let document = stores.documents.load(&current.tenant, current.id).await?;
    document.ok_or(Error::NotFound)
}

/// Ends in S3 an upload that no item points to and that never became a content. A failure is not the
/// sender's: the bucket's lifecycle rule ends what is left.
async fn discard(stores: &Stores, document: &Document, upload: &Upload) {
    let key = document.object_key(&upload.version);
    if let Err(error) = end_in_s3(stores, &key, &upload.upload_id).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "an upload is left to the lifecycle rule"
        );
    }
}

/// Aborts the upload, or deletes the object where its parts had been joined already.
async fn end_in_s3(stores: &Stores, key: &str, upload_id: &str) -> Result<()> {
    let known = stores.files.abort(key, upload_id).await?;
    if !known && stores.files.find(key).await?.is_some() {
        stores.files.delete(key).await?;
    }
    Ok(())
}
