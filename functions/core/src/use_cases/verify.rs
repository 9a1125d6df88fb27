//! A checksum was declared over an upload that S3 did not compute, as it cannot compute a SHA-256: the object is read
//! back once, and only then is the document reported to be stored.

use std::time::Instant;

use jiff::Timestamp;

use super::finding::write_finding;
use crate::{
    Result, Stores,
    document::{Content, Document, Verification},
    ids::{ContentId, DocumentKey},
    stamp::Stamp,
};

/// The finding of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The bytes are the ones declared.
    Holds,
    /// They are not: the content is in the history as corrupt, what was current before it is so again.
    Corrupt,
    /// There was nothing to verify, or it was done or replaced meanwhile.
    Nothing,
}

/// Verifies the document's current content, if it is `content_id` and has yet to be verified.
pub(crate) async fn verify(
    stores: &Stores,
    document: Document,
    content_id: &ContentId,
    now: Timestamp,
) -> Result<Verified> {
    let Some(content) = document.unverified(content_id) else {
        return Ok(Verified::Nothing);
    };
    let began = Instant::now();
    let holds = read_back(stores, &document.key(), content).await?;
    let now = now + began.elapsed();
    let stamp = Stamp::of_the_service(now);
    let key = document.key();
    let find = |document: &Document, previous| {
        if holds { document.verified(content_id, &stamp) } else { document.corrupt(content_id, previous, &stamp) }
    };
    let is_news = write_finding(stores, document, content_id, !holds, now, find).await?;
    Ok(if is_news { found(&key, content_id, holds) } else { Verified::Nothing })
}

/// Verifies a content that was replaced before it could be.
pub(super) async fn verify_past(
    stores: &Stores,
    key: &DocumentKey,
    content: Content,
    now: Timestamp,
) -> Result<Verified> {
    let began = Instant::now();
    let holds = read_back(stores, key, &content).await?;
    let content_id = content.content_id.clone();
    let verification = if holds { Verification::Done } else { Verification::Corrupt };
    let noted = Content { verification, verified_at: Some(now + began.elapsed()), ..content.clone() };
    let is_news = stores.documents.note_finding(key, &content, &noted).await?;
    Ok(if is_news { found(key, &content_id, holds) } else { Verified::Nothing })
}

/// Returns whether the object has the checksum that was declared.
async fn read_back(stores: &Stores, key: &DocumentKey, content: &Content) -> Result<bool> {
    let Some(declared) = content.unverified() else {
        return Ok(true);
    };
    let object = key.object(&content.content_id);
    let files = &stores.files;
    let computed = files.read_back(&object, content.size, &declared).await?;
    Ok(declared == computed)
}

/// Says what was found, and logs a content that is not what its sender declared.
fn found(key: &DocumentKey, content_id: &ContentId, holds: bool) -> Verified {
    if holds {
        return Verified::Holds;
    }
    tracing::error!(
        event = "document.corrupt",
        tenant = %key.tenant,
        document = %key.id,
        %content_id,
        "a document does not have the checksum that its sender declared"
    );
    Verified::Corrupt
}
