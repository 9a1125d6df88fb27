//! A document is deleted (flow z), and brought back by an operator.

use jiff::Timestamp;

use super::{commit::Commit, load::load};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    ids::{DocumentId, DocumentKey},
    retention::day,
    stamp::Stamp,
    tenant::OnDelete,
};

/// Deletes one of the caller's documents: no reader gets at it any more, and an upload that is open ends. Where it is
/// deleted already there is nothing to do. Its contents stay in the history, unless its tenant has them destroyed, and its
/// sender may hand it in again.
pub async fn delete(stores: &Stores, caller: &Caller, id: DocumentId, now: Timestamp) -> Result<()> {
    let document = load(stores, caller, id).await?;
    let stamp = caller.stamp(now);
    let mut commit = Commit::of(stores, document, now);
    loop {
        let document = commit.document();
        caller.require(document)?;
        let change = match caller.on_delete {
            OnDelete::Hide => document.delete(&stamp),
            OnDelete::Destroy => document.destroy(&stamp),
        };
        let Some(change) = change else {
            return Ok(());
        };
        if caller.on_delete == OnDelete::Destroy {
            document.check_destroyable(day(now))?;
        }
        if commit.write(change).await? {
            return Ok(());
        }
    }
}

/// Brings a deleted document back, for the operator: its last content that was not refused is current again. `false` where
/// it is not deleted, or never had one.
pub async fn restore(stores: &Stores, key: &DocumentKey, now: Timestamp) -> Result<bool> {
    let document = stores.documents.load(key).await?.ok_or(Error::NotFound)?;
    let stamp = Stamp::of_the_service(now);
    let mut commit = Commit::of(stores, document, now);
    loop {
        let Some(last) = stores.documents.last_sound(key, None).await? else {
            return Ok(false);
        };
        let Some(change) = commit.document().restore(last, &stamp) else {
            return Ok(false);
        };
        if commit.write(change).await? {
            return Ok(true);
        }
    }
}
