//! The use cases, one file each: a document [received](fn@receive) whole, an upload [started](fn@start), asked
//! after ([status](fn@status)), [completed](fn@complete) or [aborted](fn@abort); and behind the senders' backs,
//! what S3 [created](fn@created) looked at, what it holds [verified](verify()), what is due
//! [swept](fn@sweep), the bucket [looked through](fn@look_through) for what S3 did not tell of, what a tenant has
//! [open](fn@open) listed for its operator.
//!
//! Between any two calls the process may die. The order of the calls sees to it that what is left behind
//! is either invisible (an upload that no item points to: the bucket's lifecycle rule ends it) or listed as
//! due, so that the same request sent again finishes it, or else the sweep; only the conditional write of the
//! document's item makes anything true.

mod abort;
mod complete;
mod created;
mod fate;
mod finish;
mod look_through;
mod open;
mod receive;
mod start;
mod status;
mod sweep;
mod verify;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use uuid::Uuid;

pub use abort::abort;
pub use complete::{Completed, complete};
pub use created::{Created, created};
pub use look_through::{Looked, look_through};
pub use open::{end, open};
pub use receive::receive;
pub use start::{Started, start};
pub use status::{UploadStatus, status};
pub use sweep::{Swept, longest, sweep};
pub use verify::{Verified, verify};

use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Change, Document, DocumentId, Entry, Leftover, Upload, Version},
    parts::{Part, PartPlan},
    stores::{PartLink, Written},
    tenant::{DocumentKey, Limits},
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
        write!(f, "an upload of {:?} with {} parts missing", self.plan, self.missing.len())
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
    let key = DocumentKey { tenant: caller.tenant.clone(), id };
    let client = Some(caller.client.as_str()).filter(|_| !caller.sees_all);
    let document = stores.documents.load_of(&key, client).await?;
    let document = document.ok_or(Error::NotFound)?;
    document.require(&caller.scopes)?;
    Ok(document)
}

/// What is missing of an open upload; `None` where S3 no longer knows it and has no object of it either.
async fn view(
    stores: &Stores,
    document: &Document,
    upload: &Upload,
    limits: &Limits,
    now: Timestamp,
) -> Result<Option<UploadView>> {
    let key = document.object_key(&upload.version);
    let missing: Vec<Part> = match stores.files.received(&key, &upload.upload_id).await? {
        Some(received) => upload.plan.missing(&received).collect(),
        // Joined, but not yet written down: there is nothing to send, and complete will finish it.
        None if stores.files.find(&key).await?.is_some() => Vec::new(),
        None => return Ok(None),
    };
    link(stores, &key, upload, missing, limits, now).await.map(Some)
}

async fn link(
    stores: &Stores,
    key: &str,
    upload: &Upload,
    missing: Vec<Part>,
    limits: &Limits,
    now: Timestamp,
) -> Result<UploadView> {
    let missing = stores
        .files
        .link(key, &upload.upload_id, missing.into_iter(), now, upload.expires_at.min(now + limits.part_url_lifetime()))
        .await?;
    Ok(UploadView { version: upload.version.clone(), plan: upload.plan, expires_at: upload.expires_at, missing })
}

/// Writes a change and, once it is written, says so in the log and ends in S3 the upload that it ended.
async fn write(stores: &Stores, change: &Change, now: Timestamp) -> Result<Written> {
    let written = stores.documents.write(change, now).await?;
    if matches!(written, Written::Done) {
        note(change);
        if let Some(ended) = &change.ended {
            clean_up(stores, &change.next, ended, now).await;
        }
    }
    Ok(written)
}

/// Who did what to which document, for whoever audits that; the document's history says the same.
fn note(change: &Change) {
    let Some(Entry { revision, at, by, what, version }) = change.entry() else {
        return;
    };
    let Document { tenant, id, .. } = &change.next;
    let what = serde_json::to_value(what).unwrap_or_default();
    tracing::info!(
        event = "document.changed",
        %tenant,
        document = %id,
        revision,
        client = by.client,
        token = by.token,
        what = what.as_str(),
        %version,
        %at,
        "a document was changed"
    );
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
    let document = stores.documents.load(&current.key()).await?;
    document.ok_or(Error::NotFound)
}

/// Ends in S3 an upload that no item points to and that never became a content. A failure is not the
/// sender's: the sweep or the bucket's lifecycle rule ends what is left.
async fn discard(stores: &Stores, document: &Document, upload: &Upload) {
    let key = document.object_key(&upload.version);
    left_to_the_sweep(end_in_s3(stores, &key, &upload.upload_id).await);
}

/// Ends in S3 an upload that is listed as a leftover. Where it never had a part it is that no longer: an upload begun and
/// aborted over and over must not fill the list.
async fn clean_up(stores: &Stores, document: &Document, upload: &Upload, now: Timestamp) {
    let clean_up = async {
        let key = document.object_key(&upload.version);
        let received = stores.files.received(&key, &upload.upload_id).await?;
        if received.is_none_or(|parts| !parts.is_empty()) {
            return end_in_s3(stores, &key, &upload.upload_id).await;
        }
        stores.files.abort(&key, &upload.upload_id).await?;
        let leftover = Leftover::of_upload(upload, now);
        stores.documents.forget(&document.key(), &leftover).await
    };
    left_to_the_sweep(clean_up.await);
}

fn left_to_the_sweep(ended: Result<()>) {
    if let Err(error) = ended {
        tracing::warn!(cause = error.for_the_log(), "what no document points to is left to the sweep");
    }
}

/// Aborts the upload, and deletes the object where its parts had been joined already.
async fn end_in_s3(stores: &Stores, key: &str, upload_id: &str) -> Result<()> {
    stores.files.abort(key, upload_id).await?;
    if stores.files.find(key).await?.is_some() {
        stores.files.delete(key).await?;
    }
    Ok(())
}
