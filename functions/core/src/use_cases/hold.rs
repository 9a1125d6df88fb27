//! An operator puts a hold on a document, or ends it.

use jiff::Timestamp;

use super::commit::Commit;
use crate::{Error, Result, Stores, ids::DocumentKey, stamp::Stamp};

/// Puts a hold on a document for this reason, or ends it where there is none. `false` where it was so before.
pub async fn hold(stores: &Stores, key: &DocumentKey, reason: Option<&str>, now: Timestamp) -> Result<bool> {
    let document = stores.documents.load(key).await?.ok_or(Error::NotFound)?;
    let stamp = Stamp::of_the_service(now);
    let mut commit = Commit::of(stores, document, now);
    while let Some(change) = commit.document().hold(reason, &stamp) {
        if commit.write(change).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
