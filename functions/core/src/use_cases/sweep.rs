//! The clock's turn: everything that is due is looked after. Uploads whose parts are all there are completed,
//! those past their time expired, contents whose event was lost verified or screened, orphans removed, documents told of
//! enrolments.
//!
//! Each work item is leased first, which makes it due again only later, and then processed: a sweep that dies, or two
//! at once, do nothing twice that matters, and one that fails is no obstacle to the others.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::{
    cleanup::end_in_s3,
    commit::Commit,
    destroy::go_on_destroying,
    fate::points_to,
    finish::{Finished, finish},
    screen::{Screened, screen, screen_past},
    tell_documents::{Told, tell_documents},
    verify::{Verified, verify, verify_past},
};
use crate::{
    Result, Stores,
    document::{Content, Destruction, Document, EndReason, Orphan, OrphanKind, Upload, UploadState, Verdict},
    ids::{ContentId, DocumentKey, ObjectKey, TenantId},
    parts::MAX_READ_BACK,
    stamp::Stamp,
    stores::{QUEUES, Work, WorkItem, time_to_read},
    tenant::Tenant,
};

/// Entries seen to at once.
const AT_ONCE: usize = 8;
/// Objects read back at once: so many share a function's line (75 MB/s) and each still has the rate that [`time_to_read`]
/// counts on.
const READERS: usize = 4;

/// The figures of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that their senders had sent whole and not completed.
    pub completed: u64,
    /// Uploads whose time was over.
    pub expired: u64,
    /// Contents read back that are what was declared.
    pub verified: u64,
    /// Contents read back that are not.
    pub corrupt: u64,
    /// Contents that a scanner had judged, unheard, to be free of malware.
    pub released: u64,
    /// Contents that it had judged not to be, or could not judge.
    pub quarantined: u64,
    /// Contents that no scanner has judged, though it had the time.
    pub unscreened: u64,
    /// Uploads completed whose bytes have not the checksum that was declared: refused, as their senders would have
    /// been.
    pub mismatched: u64,
    /// Orphans removed from S3.
    pub removed: u64,
    /// Enrolments of which all their documents were told.
    pub told: u64,
    /// Documents of which the last that was to be destroyed is gone.
    pub destroyed: u64,
    /// Work that has to wait still, or that another process has settled.
    pub waiting: u64,
    /// Work that failed, and is due again in a while.
    pub failed: u64,
    /// Work that there was no time left for.
    pub left: u64,
    /// The delay of the most overdue work item, in seconds.
    pub seconds_late: u64,
}

/// The time that a scanner may take for the largest file, and then some.
const TO_SCREEN: Duration = Duration::from_mins(15);

/// The outcome of one work item.
enum Outcome {
    Completed,
    Expired,
    Verified,
    Corrupt,
    Released,
    Quarantined,
    Unscreened,
    Mismatched,
    Removed,
    Told,
    Destroyed,
    Waiting,
    Left,
}

/// The longest that one work item may take, and so the time that must be left to begin with one.
pub fn longest() -> Duration {
    time_to_read(MAX_READ_BACK) + Duration::from_secs(10)
}

/// Sees to what is due at `now`, and begins with nothing after `until`. `tenants` are all that there ever were.
pub async fn sweep(stores: &Stores, tenants: &[Tenant], now: Timestamp, until: Instant) -> Result<Swept> {
    let mut swept = Swept::default();
    let removed = tenants.iter().filter(|tenant| tenant.removed.is_some());
    let turn = Turn {
        stores,
        removed: removed.map(|tenant| &tenant.tenant).collect(),
        now,
        began: Instant::now(),
        until,
        reading: Semaphore::new(READERS),
    };
    for queue in queues(now) {
        let mut from = None;
        loop {
            let page = stores.documents.due(queue, now, from).await?;
            for late in page.items.iter().map(|item| item.seconds_late(now)) {
                swept.seconds_late = swept.seconds_late.max(late);
            }
            let outcomes = stream::iter(page.items).map(|item| process(&turn, item)).buffer_unordered(AT_ONCE);
            outcomes
                .for_each(|outcome| {
                    swept.count(outcome);
                    std::future::ready(())
                })
                .await;
            from = page.next;
            if from.is_none() || swept.left > 0 {
                break;
            }
        }
    }
    Ok(swept)
}

/// All queues, each minute another one first: if there is never time for all of them, it is never the same one's loss.
fn queues(now: Timestamp) -> impl Iterator<Item = u8> {
    let first = u8::try_from(now.as_second() / 60 % i64::from(QUEUES)).unwrap_or_default();
    (first..QUEUES).chain(0..first)
}

impl Swept {
    fn count(&mut self, outcome: Result<Outcome>) {
        let count = match outcome {
            Ok(Outcome::Completed) => &mut self.completed,
            Ok(Outcome::Expired) => &mut self.expired,
            Ok(Outcome::Verified) => &mut self.verified,
            Ok(Outcome::Corrupt) => &mut self.corrupt,
            Ok(Outcome::Released) => &mut self.released,
            Ok(Outcome::Quarantined) => &mut self.quarantined,
            Ok(Outcome::Unscreened) => &mut self.unscreened,
            Ok(Outcome::Mismatched) => &mut self.mismatched,
            Ok(Outcome::Removed) => &mut self.removed,
            Ok(Outcome::Told) => &mut self.told,
            Ok(Outcome::Destroyed) => &mut self.destroyed,
            Ok(Outcome::Waiting) => &mut self.waiting,
            Ok(Outcome::Left) => &mut self.left,
            Err(error) => {
                tracing::error!(
                    cause = error.to_string(),
                    "something that is due could not be seen to; it will be due again"
                );
                &mut self.failed
            }
        };
        *count += 1;
    }
}

impl From<Screened> for Outcome {
    fn from(screened: Screened) -> Self {
        match screened {
            Screened::Released => Self::Released,
            Screened::Quarantined => Self::Quarantined,
            Screened::Nothing => Self::Waiting,
        }
    }
}

/// One sweep, as each of its work items sees it.
struct Turn<'a> {
    stores: &'a Stores,
    /// The tenants that were removed: what they have open ends.
    removed: HashSet<&'a TenantId>,
    /// The time at which it began, by the clock that struck.
    now: Timestamp,
    began: Instant,
    until: Instant,
    /// The permits to read an object back.
    reading: Semaphore,
}

impl Turn<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// The time by now: the last decision of a long sweep is later than the first.
    fn time(&self) -> Timestamp {
        self.now + self.began.elapsed()
    }

    async fn verify(&self, document: Document, content_id: &ContentId) -> Result<Outcome> {
        let _reading = self.reading.acquire().await;
        if self.is_over() {
            return Ok(Outcome::Left);
        }
        let verified = verify(self.stores, document, content_id, self.time()).await?;
        Ok(verified.into())
    }

    /// The scanner's verdict on an object. Where there is no scanner any more, what waits for one goes on waiting.
    async fn verdict(&self, object: &ObjectKey) -> Result<Option<Verdict>> {
        if self.stores.screens { self.stores.files.verdict(object).await } else { Ok(None) }
    }

    /// What it means that there is no verdict: nothing, unless the scanner has had the time for one.
    fn without_a_verdict(&self, content: &Content) -> Outcome {
        let is_late = content.stored_at + TO_SCREEN <= self.time();
        if is_late { Outcome::Unscreened } else { Outcome::Waiting }
    }

    async fn verify_past(&self, key: &DocumentKey, content: Content) -> Result<Outcome> {
        let _reading = self.reading.acquire().await;
        if self.is_over() {
            return Ok(Outcome::Left);
        }
        Ok(verify_past(self.stores, key, content, self.time()).await?.into())
    }
}

async fn process(turn: &Turn<'_>, item: WorkItem) -> Result<Outcome> {
    if turn.is_over() {
        return Ok(Outcome::Left);
    }
    match turn.stores.documents.lease(&item, turn.now).await? {
        None => Ok(Outcome::Waiting),
        Some(Work::Document(document)) => settle(turn, *document).await,
        Some(Work::Past(key, content)) => settle_past(turn, &key, *content).await,
        Some(Work::Orphan(key, orphan)) => remove(turn.stores, &key, &orphan, turn.now).await,
        Some(Work::Association(association)) => {
            Ok(match tell_documents(turn.stores, &association, turn.time(), turn.until).await? {
                Told::All => Outcome::Told,
                Told::Overtaken => Outcome::Waiting,
                Told::Some => Outcome::Left,
            })
        }
    }
}

impl From<Verified> for Outcome {
    fn from(verified: Verified) -> Self {
        match verified {
            Verified::Holds => Self::Verified,
            Verified::Corrupt => Self::Corrupt,
            Verified::Nothing => Self::Waiting,
        }
    }
}

/// What is left of a document to destroy, its pending upload and, where that is to stay as it is, its content that is
/// unverified or else unscreened.
async fn settle(turn: &Turn<'_>, document: Document) -> Result<Outcome> {
    let now = turn.time();
    if document.destruction().and_then(Destruction::due).is_some_and(|due| due <= now)
        && go_on_destroying(turn.stores, &document, now).await?
    {
        return Ok(Outcome::Destroyed);
    }
    match settle_upload(turn, &document).await? {
        Outcome::Waiting => {}
        settled => return Ok(settled),
    }
    let Some(content) = &document.content else {
        return Ok(Outcome::Waiting);
    };
    let content_id = content.content_id.clone();
    if content.unverified().is_some() {
        return turn.verify(document, &content_id).await;
    }
    if !content.is_unscreened() {
        return Ok(Outcome::Waiting);
    }
    match turn.verdict(&document.object_key(&content_id)).await? {
        Some(verdict) => Ok(screen(turn.stores, document, &content_id, verdict, now).await?.into()),
        None => Ok(turn.without_a_verdict(content)),
    }
}

/// A content that was replaced before it was verified and screened.
async fn settle_past(turn: &Turn<'_>, key: &DocumentKey, content: Content) -> Result<Outcome> {
    if content.unverified().is_some() {
        return turn.verify_past(key, content).await;
    }
    match turn.verdict(&key.object(&content.content_id)).await? {
        Some(verdict) => Ok(screen_past(turn.stores, key, content, verdict, turn.time()).await?.into()),
        None => Ok(turn.without_a_verdict(&content)),
    }
}

async fn settle_upload(turn: &Turn<'_>, document: &Document) -> Result<Outcome> {
    let pending = document.upload.as_ref();
    let Some(upload) = pending.filter(|upload| upload.state == UploadState::Uploading) else {
        return Ok(Outcome::Waiting);
    };
    let (stores, now) = (turn.stores, turn.time());
    if turn.removed.contains(&document.tenant) {
        return expire(turn, document, upload).await;
    }
    let expired = upload.state_at(now) != UploadState::Uploading;
    let stamp = Stamp::of_the_service(now);
    match finish(stores, document, upload, &stamp).await? {
        Finished::Content(_) => Ok(Outcome::Completed),
        Finished::Gone(EndReason::ChecksumMismatch) => Ok(Outcome::Mismatched),
        Finished::Missing(missing) if upload.is_idle_at(now, missing.len()) => expire(turn, document, upload).await,
        // S3 may yet be joining an upload of which it knows neither parts nor object: that too has until then.
        Finished::Missing(_) | Finished::Working | Finished::Gone(EndReason::Aborted) if expired => {
            expire(turn, document, upload).await
        }
        Finished::Missing(_) | Finished::Working | Finished::Gone(_) => Ok(Outcome::Waiting),
    }
}

async fn expire(turn: &Turn<'_>, document: &Document, upload: &Upload) -> Result<Outcome> {
    let now = turn.time();
    let change = document.end_upload(upload, EndReason::Expired, &Stamp::of_the_service(now));
    let mut commit = Commit::of(turn.stores, document.clone(), now);
    // An upload that another request has changed may be going on again: the next sweep sees.
    Ok(if commit.write(change).await? { Outcome::Expired } else { Outcome::Waiting })
}

/// Removes from S3 what no document points to.
async fn remove(stores: &Stores, key: &DocumentKey, orphan: &Orphan, now: Timestamp) -> Result<Outcome> {
    if now < orphan.due() {
        // Noted again since it was listed.
        return Ok(Outcome::Waiting);
    }
    let document = stores.documents.load(key).await?;
    let needed = match &document {
        Some(document) => points_to(stores, document, &orphan.content_id).await?,
        None => false,
    };
    let object = key.object(&orphan.content_id);
    match &orphan.remains {
        _ if needed => {}
        OrphanKind::Upload(upload_id) => end_in_s3(stores, &object, upload_id).await?,
        OrphanKind::Object(s3_version) => stores.files.delete_version(&object, s3_version).await?,
    }
    stores.documents.forget(key, orphan).await?;
    Ok(if needed { Outcome::Waiting } else { Outcome::Removed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_sweep_counts_each_outcome_once() {
        let mut swept = Swept::default();
        for outcome in [
            Ok(Outcome::Completed),
            Ok(Outcome::Expired),
            Ok(Verified::Holds.into()),
            Ok(Verified::Corrupt.into()),
            Ok(Screened::Released.into()),
            Ok(Screened::Quarantined.into()),
            Ok(Screened::Nothing.into()),
            Ok(Outcome::Unscreened),
            Ok(Outcome::Mismatched),
            Ok(Outcome::Removed),
            Ok(Outcome::Told),
            Ok(Outcome::Destroyed),
            Ok(Verified::Nothing.into()),
            Ok(Outcome::Waiting),
            Ok(Outcome::Left),
            Err(Error::Contended),
            Err(Error::Contended),
        ] {
            swept.count(outcome);
        }
        let expected = Swept {
            completed: 1,
            expired: 1,
            verified: 1,
            corrupt: 1,
            released: 1,
            quarantined: 1,
            unscreened: 1,
            mismatched: 1,
            removed: 1,
            told: 1,
            destroyed: 1,
            waiting: 3,
            failed: 2,
            left: 1,
            seconds_late: 0,
        };
        assert_eq!(swept, expected);
    }

    #[test]
    fn each_minute_another_queue_is_the_first_and_none_is_left_out() {
        for (second, order) in [
            (0, [0, 1, 2, 3, 4, 5, 6, 7]),
            (59, [0, 1, 2, 3, 4, 5, 6, 7]),
            (60, [1, 2, 3, 4, 5, 6, 7, 0]),
            (9 * 60, [1, 2, 3, 4, 5, 6, 7, 0]),
            (7 * 60, [7, 0, 1, 2, 3, 4, 5, 6]),
        ] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(queues(now).collect::<Vec<u8>>(), order, "{second}");
        }
    }

    #[test]
    fn a_work_item_may_take_as_long_as_the_largest_document_takes_to_read() {
        assert_eq!(longest(), Duration::from_secs(5 + 64 + 10));
    }
}
