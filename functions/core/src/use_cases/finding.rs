//! What was found out about a document's current content is written down: by a verification or by a scanner.

use jiff::Timestamp;

use super::commit::Commit;
use crate::{
    Result, Stores,
    document::{Change, Content, Document},
    ids::ContentId,
};

/// Writes the change that `find` makes of a document for a finding about its content of this id. Where that is refused, `find`
/// gets the last sound content before it too. `false` where it makes none: another was quicker, or the content replaced.
pub(super) async fn write_finding(
    stores: &Stores,
    document: Document,
    content_id: &ContentId,
    is_refused: bool,
    now: Timestamp,
    find: impl Fn(&Document, Option<Content>) -> Option<Change>,
) -> Result<bool> {
    let key = document.key();
    let mut commit = Commit::of(stores, document, now);
    loop {
        let previous = if is_refused { stores.documents.last_sound(&key, Some(content_id)).await? } else { None };
        let Some(change) = find(commit.document(), previous) else {
            return Ok(false);
        };
        if commit.write(change).await? {
            return Ok(true);
        }
    }
}
