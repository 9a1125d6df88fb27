//! A document is destroyed: for the operator, at once and whatever its retention; and what was begun so, or by a client's
//! deletion, is carried through by the sweep.

use jiff::Timestamp;

use super::commit::Commit;
use crate::{
    Error, Result, Stores,
    document::{Document, FoundBy, Orphan},
    ids::DocumentKey,
    stamp::Stamp,
};

/// Has every content of a document destroyed, unless a hold forbids it. `false` where that is done or under way.
pub async fn destroy(stores: &Stores, key: &DocumentKey, now: Timestamp) -> Result<bool> {
    let document = stores.documents.load(key).await?.ok_or(Error::NotFound)?;
    let stamp = Stamp::of_the_service(now);
    let mut commit = Commit::of(stores, document, now);
    loop {
        if commit.document().hold.is_some() {
            return Err(Error::Held);
        }
        let Some(change) = commit.document().destroy(&stamp) else {
            return Ok(false);
        };
        if commit.write(change).await? {
            return Ok(true);
        }
    }
}

/// Goes on with the destruction of what a document had. `true` if that was its end.
///
/// First its metadata go, then each version of its objects is noted as an orphan; for as long as an orphan waits, a sender that
/// is storing the very same bytes anew keeps them. (The other way round an orphan might come to its turn while the metadata
/// still point to its object, and be forgotten.) When no orphan is left, everything is gone.
pub(super) async fn go_on_destroying(stores: &Stores, document: &Document, now: Timestamp) -> Result<bool> {
    let Some(destruction) = document.destruction() else {
        return Ok(false);
    };
    let (key, stamp) = (document.key(), Stamp::of_the_service(now));
    let mut commit = Commit::of(stores, document.clone(), now);
    if destruction.noted_at.is_none() {
        stores.documents.forget_contents(&key, destruction.contents).await?;
        note_objects(stores, &key, now).await?;
        if let Some(change) = commit.document().destroying(&stamp) {
            // Where another request was first, the next sweep does it.
            commit.write(change).await?;
        }
        return Ok(false);
    }
    if stores.documents.has_orphans(&key).await? {
        return Ok(false);
    }
    match commit.document().destroyed(&stamp) {
        Some(change) => commit.write(change).await,
        None => Ok(false),
    }
}

/// Notes every version of the document's objects, to be removed unless the document points to it by then.
async fn note_objects(stores: &Stores, key: &DocumentKey, now: Timestamp) -> Result<()> {
    let mut after = None;
    loop {
        let (versions, next) = stores.files.versions(key, after).await?;
        for (object, s3_version) in versions {
            if let Some((_, content_id)) = DocumentKey::of_object(&object) {
                let orphan = Orphan::of_object(content_id, s3_version, FoundBy::Event, now);
                stores.documents.note_orphan(key, &orphan).await?;
            }
        }
        after = next;
        if after.is_none() {
            return Ok(());
        }
    }
}
