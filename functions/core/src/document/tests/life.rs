//! Property tests of a document's life: nothing is dropped.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::document::transitions::RECENT;

/// The steps of a sender; the number picks one of a few contents.
#[derive(Debug, Clone, Copy)]
enum Step {
    HandIn(u8),
    Offer { content: u8, declared: bool, name: Name<'static> },
    Complete,
    Abort,
    Verify { holds: bool },
    Screen(Verdict),
    Delete,
    Restore,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3u8).prop_map(Step::HandIn),
        (0..3u8, any::<bool>(), prop::sample::select(vec![Name::DocumentId("1"), Name::Message]))
            .prop_map(|(content, declared, name)| Step::Offer { content, declared, name }),
        Just(Step::Complete),
        Just(Step::Abort),
        any::<bool>().prop_map(|holds| Step::Verify { holds }),
        prop::sample::select(vec![Verdict::Clean, Verdict::Threat, Verdict::Unscannable]).prop_map(Step::Screen),
        Just(Step::Delete),
        Just(Step::Restore),
        Just(Step::Wait),
    ]
}

fn last_sound(history: &[Content]) -> Option<Content> {
    let sound = |past: &&Content| past.refusal().is_none();
    history.iter().rev().find(sound).cloned()
}

fn take(document: &Document, history: &[Content], step: Step, stamp: &Stamp) -> Option<Change> {
    let now = stamp.at;
    // The operator turns screening on and off.
    let screening = document.revision.is_multiple_of(2).then_some(Screening::Pending);
    match step {
        Step::Verify { holds } => {
            let content_id = &document.content.as_ref()?.content_id;
            let previous = last_sound(history);
            if holds { document.verified(content_id, stamp) } else { document.corrupt(content_id, previous, stamp) }
        }
        Step::Screen(verdict) => {
            let content_id = &document.content.as_ref()?.content_id;
            document.screened(content_id, verdict, last_sound(history), stamp)
        }
        Step::Delete => document.delete(stamp),
        Step::Restore => document.restore(last_sound(history)?, stamp),
        Step::HandIn(number) => document.receive(Content { screening, ..content(number, now) }, stamp),
        Step::Offer { content, declared, name } => match document.offer(upload(content, declared, now), name, stamp) {
            Offer::Taken => None,
            Offer::Begin(change) => Some(change),
            Offer::Stored(_, change) | Offer::Resume(_, change) => change,
        },
        Step::Complete => {
            let upload = document.open_upload(now)?.clone();
            Some(document.complete(upload.into_content(None, screening, now), stamp))
        }
        Step::Abort => {
            let upload = document.open_upload(now)?;
            Some(document.end_upload(upload, EndReason::Aborted, stamp))
        }
        Step::Wait => None,
    }
}

proptest! {
    /// For all that a sender does and the verification finds: each change is one revision on, a content that
    /// stops being current is handed to the history under a sequence of its own, and an upload that stops
    /// being pending was completed or is handed over to be ended in S3. What is pending is due. Every change is in
    /// the history once, later than the one before by any clock, the counts come to what is open, and the
    /// document is found by the ids that it has. What was deleted is current again only by being handed in or restored.
    /// What a sender may have been told is stored is never found corrupt, and what was refused is never current.
    #[test]
    fn no_content_and_no_upload_is_ever_dropped(steps in prop::collection::vec((step(), -300..300_i64), 1..40)) {
        let by = Actor { client: Some("sis".to_owned()), token: Some("token-1".to_owned()) };
        let key = DocumentKey { tenant: "school".to_owned().try_into().unwrap(), id: Uuid::nil().into() };
        let mut document = Document::empty(key, "sis".to_owned());
        let mut history: Vec<Content> = Vec::new();
        let mut entries: Vec<HistoryEntry> = Vec::new();
        let mut counts = [(0, 0); 3];
        let mut links = BTreeSet::new();
        let mut called_stored = BTreeSet::new();
        let mut now = Timestamp::UNIX_EPOCH;
        for (step, skew) in steps {
            now += if matches!(step, Step::Wait) { UPLOAD_LIFETIME } else { Duration::from_secs(1) };
            let stamp = Stamp { at: now + jiff::SignedDuration::from_secs(skew), by: by.clone() };
            if let Some(content) = document.content.as_ref().filter(|content| content.unverified().is_none()) {
                called_stored.insert(content.content_id.to_string());
            }
            let Some(change) = take(&document, &history, step, &stamp) else { continue };
            let Change { next, replaced, ended, leaves_orphan, archived, deltas, linked, unlinked, enrollments } = change;
            prop_assert_eq!(leaves_orphan, ended.is_some());
            prop_assert_eq!(next.revision, document.revision + 1);
            let sequence = |document: &Document| document.content.as_ref().map(|content| content.sequence);
            if sequence(&next) == sequence(&document) {
                prop_assert_eq!(&replaced, &None);
            } else {
                prop_assert_eq!(replaced.as_ref().map(|old| old.sequence), sequence(&document));
                prop_assert_eq!(next.contents, document.contents + u32::from(next.content.is_some()));
            }
            if let Some(old) = replaced {
                let is_corrupt = old.verification == Verification::Corrupt;
                prop_assert!(!is_corrupt || !called_stored.contains(&old.content_id.to_string()));
                prop_assert!(history.iter().all(|past| past.sequence < old.sequence));
                history.push(old);
            }
            prop_assert!(next.content.as_ref().is_none_or(|content| content.refusal().is_none()));
            let still = |upload: &Upload| next.pending_upload().is_some_and(|next| next.content_id == upload.content_id);
            if let Some(pending) = document.pending_upload().filter(|pending| !still(pending)) {
                let completed = next.content.as_ref().is_some_and(|content| content.content_id == pending.content_id);
                prop_assert!(completed != (ended.as_ref() == Some(pending)));
            } else {
                prop_assert_eq!(ended, None);
            }
            prop_assert!(next.content.as_ref().is_none_or(|content| !next.has_deleted(content)));
            if matches!(step, Step::Delete) {
                prop_assert!(next.is_deleted() && next.content.is_none() && next.pending_upload().is_none());
                prop_assert_eq!(next.delete(&stamp), None);
            }
            let is_pending = |content: &Content| content.unverified().is_some() || content.is_unscreened();
            let is_pending = next.content.as_ref().is_some_and(is_pending);
            prop_assert_eq!(next.due().is_some(), next.pending_upload().is_some() || is_pending);
            for delta in deltas {
                let (uploads, bytes) = &mut counts[usize::from(delta.shard)];
                *uploads += delta.uploads;
                *bytes += delta.bytes;
            }
            let open = next.pending_upload();
            for (shard, counted) in counts.into_iter().enumerate() {
                let here = open.filter(|open| open.shard.map(usize::from) == Some(shard));
                prop_assert_eq!(counted, here.map_or((0, 0), |open| (1, open.plan.size.bytes().cast_signed())));
            }
            links.extend(linked);
            prop_assert!(unlinked.iter().all(|link| links.remove(link)));
            prop_assert_eq!(&links, &next.links());
            let associations = next.associations();
            prop_assert!(enrollments.keys().all(|id| associations.contains(id)));
            prop_assert!(next.enrollments.iter().all(|known| associations.contains(&known.association_id)));
            entries.extend(archived);
            let all: Vec<&HistoryEntry> = entries.iter().chain(&next.history).collect();
            prop_assert_eq!(all.len() as u64, next.revision);
            prop_assert!(all.iter().zip(1..).all(|(entry, revision)| entry.revision == revision));
            prop_assert!(all.iter().all(|entry| entry.by == stamp.by));
            prop_assert!(all.is_sorted_by(|one, other| one.at < other.at));
            if let Some(content) = &next.content {
                let made = all.iter().find(|entry| entry.revision == content.revision);
                prop_assert_eq!(made.map(|made| made.at), Some(content.stored_at));
            }
            prop_assert!(next.history.len() <= RECENT);
            document = next;
        }
    }
}
