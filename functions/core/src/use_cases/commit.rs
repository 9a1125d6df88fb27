//! Decides on a document, writes what was decided, and decides again where another request was first.

use std::time::Duration;

use jiff::Timestamp;

use super::cleanup::{clean_up, leaves_something};
use crate::{
    Error, Result, Stores,
    document::{Change, Document, HistoryEntry},
    metrics::note_change,
    quota::Quota,
    stores::Written,
};

/// The number of times that a request loses against others on one document before it gives up.
pub(super) const LOSSES: usize = 8;

/// A document on which a use case decides until what it decided is written. The loop is the use case's:
///
/// ```text
/// loop {
///     let change = decide(commit.document());
///     if commit.write(change).await? { return Ok(..); }
/// }
/// ```
pub(super) struct Commit<'a> {
    stores: &'a Stores,
    now: Timestamp,
    document: Document,
    losses: usize,
    /// The shards of the tenant's quota that had no room.
    full: Vec<u8>,
}

impl<'a> Commit<'a> {
    /// Begins with this state of the document.
    pub(super) fn of(stores: &'a Stores, document: Document, now: Timestamp) -> Self {
        Self { stores, now, document, losses: 0, full: Vec::new() }
    }

    /// The document to decide on: its newest state that is known.
    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// Returns whether a change was refused because this shard of the tenant's quota has no room.
    pub(super) fn is_full(&self, shard: u8) -> bool {
        self.full.contains(&shard)
    }

    /// Writes what was decided. `false` where another request was first: then decide again.
    pub(super) async fn write(&mut self, change: Change) -> Result<bool> {
        self.write_within(change, None).await
    }

    /// The same, where a change that opens an upload must stay within a quota. `false` also where the upload's shard
    /// [has no room](Self::is_full): then decide again, on another.
    pub(super) async fn write_within(&mut self, mut change: Change, quota: Option<Quota>) -> Result<bool> {
        for _ in 0..LOSSES {
            match write(self.stores, &mut change, quota, self.now).await? {
                Written::Done => {
                    self.document = change.next;
                    return Ok(true);
                }
                Written::Full(shard) => self.full.push(shard),
                Written::Lost(current) => self.document = self.after_a_loss(*current).await?,
                // It stays right, and is written with what there was to know.
                Written::Reported(association) => {
                    change = change.knowing(&self.document, &association);
                    continue;
                }
            }
            return Ok(false);
        }
        Err(Error::Contended)
    }

    /// Returns the state to decide on after another request was first: the first time the one that it left, later the one
    /// after a pause, some 60 ms and twice as long each time, so that many at once do not keep each other from it.
    async fn after_a_loss(&mut self, current: Document) -> Result<Document> {
        self.losses += 1;
        match self.losses {
            1 => return Ok(current),
            LOSSES => return Err(Error::Contended),
            _ => {}
        }
        let pause = fastrand::u64(10..50) << (self.losses - 1).min(5);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let document = self.stores.documents.load(&current.key()).await?;
        document.ok_or(Error::NotFound)
    }
}

/// Writes a change and, once it is written, notes it in the log and ends in S3 the upload that it ended.
async fn write(stores: &Stores, change: &mut Change, quota: Option<Quota>, now: Timestamp) -> Result<Written> {
    if let Some(ended) = &change.ended {
        change.leaves_orphan = leaves_something(stores, &change.next, ended).await;
    }
    let written = stores.documents.write(change, quota, now).await?;
    if matches!(written, Written::Done) {
        log(change);
        note_change();
        if let Some(ended) = &change.ended {
            clean_up(stores, &change.next, ended).await;
        }
    }
    Ok(written)
}

/// Notes in the log who did what to which document. The document's history says the same.
fn log(change: &Change) {
    let Some(HistoryEntry { revision, at, by, what, content_id }) = change.entry() else {
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
        token_id = by.token,
        what = what.as_str(),
        %content_id,
        %at,
        "a document was changed"
    );
}
