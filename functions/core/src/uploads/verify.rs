//! A checksum was declared over an upload that S3 did not compute, as it cannot compute a SHA-256: the object is read back
//! once, and only then is anybody told that the document is stored.

use std::time::Instant;

use jiff::Timestamp;

use super::{ATTEMPTS, retry, write};
use crate::{
    Error, Result, Stores,
    document::{Act, Content, Document, Verification, Version},
    stores::Written,
    tenant::DocumentKey,
};

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The bytes are the ones declared.
    Holds,
    /// They are not: the content is in the history as corrupt, what was current before it is so again.
    Corrupt,
    /// There was nothing to verify, or it was done or replaced meanwhile.
    Nothing,
}

/// Verifies the document's current content, if it is `version` and has yet to be verified.
pub async fn verify(stores: &Stores, mut document: Document, version: &Version, now: Timestamp) -> Result<Verified> {
    let Some(content) = document.unverified(version) else {
        return Ok(Verified::Nothing);
    };
    let began = Instant::now();
    let holds = read_back(stores, &document.key(), content).await?;
    let now = now + began.elapsed();
    let act = Act::of_the_service(now);
    for attempt in 0..ATTEMPTS {
        let change = if holds {
            document.verified(version, &act)
        } else {
            let previous = stores.documents.last_sound(&document.key(), version).await?;
            document.corrupt(version, previous, &act)
        };
        let Some(change) = change else {
            return Ok(Verified::Nothing);
        };
        match write(stores, &change, now).await? {
            Written::Done => return Ok(found(&document.key(), version, holds)),
            Written::Lost(current) => document = retry(stores, current, attempt).await?,
        }
    }
    Err(Error::Contended)
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
    let version = content.version.clone();
    let verification = if holds { Verification::Done } else { Verification::Corrupt };
    let noted = Content { verification, verified_at: Some(now + began.elapsed()), ..content };
    if stores.documents.note_verification(key, &noted).await? {
        Ok(found(key, &version, holds))
    } else {
        Ok(Verified::Nothing)
    }
}

/// Returns whether the object has the checksum that was declared.
async fn read_back(stores: &Stores, key: &DocumentKey, content: &Content) -> Result<bool> {
    let Some(declared) = content.unverified() else {
        return Ok(true);
    };
    let object = key.object(&content.version);
    let files = &stores.files;
    let computed = files.read_back(&object, content.size, &declared).await?;
    Ok(declared == computed)
}

fn found(key: &DocumentKey, version: &Version, holds: bool) -> Verified {
    if holds {
        return Verified::Holds;
    }
    tracing::error!(
        event = "document.corrupt",
        tenant = %key.tenant,
        document = %key.id,
        %version,
        "a document does not have the checksum that its sender declared"
    );
    Verified::Corrupt
}
