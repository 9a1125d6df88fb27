//! Rules of the current content: which bytes it has, what repeats it, and when it is looked after.

use super::*;
use crate::name::IdempotencyKey;

/// A content that is yet to be screened.
fn unscreened(number: u8) -> Content {
    Content { screening: Some(Screening::Pending), ..content(number, at(0)) }
}

/// Content 1, whose declared SHA-256 is yet to be compared.
fn unverified() -> Content {
    Content { verification: Verification::Pending, ..content(1, at(0)) }
}

/// A document that holds this content.
fn holding(content: Content) -> Document {
    Document { content: Some(content), ..empty() }
}

#[test]
fn a_declared_checksum_can_tell_other_bytes_and_never_the_same() {
    use Verification::{Done, Pending};
    let (sha256, other) = (Checksum::sha256(&[1]), Checksum::sha256(&[2]));
    let (crc, other_crc) = (Checksum::crc64nvme(&[1]), Checksum::crc64nvme(&[2]));
    let file = Content { checksums: vec![sha256, crc], ..content(1, at(0)) };
    for (verification, checksums, size, expected) in [
        (Done, vec![sha256], 1, Some(true)),
        (Done, vec![crc, sha256], 1, Some(true)),
        (Done, vec![other], 1, Some(false)),
        (Done, vec![sha256, other_crc], 1, Some(false)),
        (Done, vec![sha256], 2, Some(false)),
        (Done, vec![], 1, None),
        (Pending, vec![sha256], 1, None),
        (Pending, vec![other], 1, Some(false)),
        (Pending, vec![sha256], 2, Some(false)),
    ] {
        let stored = Content { size, checksums, verification, ..content(1, at(0)) };
        assert_eq!(stored.has_the_bytes_of(&file), expected, "{stored:?}");
    }
}

#[test]
fn a_content_is_the_file_that_came_whole_by_its_object_or_by_a_sha256_that_was_compared() {
    let file = content(1, at(0));
    let elsewhere = Content { content_id: ContentId::of_upload(), ..file.clone() };
    let crc = vec![Checksum::crc64nvme(&[1])];
    let of_crc = Content { checksums: crc.clone(), ..file.clone() };
    for (stored, file, expected) in [
        (&file, &file, true),
        (&elsewhere, &file, true),
        (&Content { verification: Verification::Pending, ..elsewhere.clone() }, &file, false),
        (&Content { verification: Verification::Pending, ..file.clone() }, &file, true),
        (&Content { checksums: crc, ..elsewhere.clone() }, &of_crc, false),
        (&elsewhere, &content(2, at(0)), false),
    ] {
        assert_eq!(stored.is(file), expected, "{stored:?}");
    }
}

#[test]
fn a_content_that_is_yet_to_be_verified_is_looked_after_a_minute_later() {
    let unverified = Content { checksums: vec![Checksum::crc64nvme(&[1]), Checksum::sha256(&[1])], ..unverified() };
    assert_eq!(unverified.unverified(), Some(Checksum::sha256(&[1])), "the last is what was declared");
    assert_eq!(unverified.due(), Some(at(60)));
    for verification in [Verification::Done, Verification::Corrupt] {
        let content = Content { verification, ..unverified.clone() };
        assert_eq!((content.unverified(), content.due()), (None, None), "{verification:?}");
    }
}

#[test]
fn a_content_is_released_by_a_clean_verdict_alone_and_looked_after_until_there_is_one() {
    let judged = |verdict| Some(Screening::Judged(verdict));
    for (screening, is_released, refusal, due) in [
        (None, true, None, None),
        (Some(Screening::Pending), false, None, Some(at(60))),
        (judged(Verdict::Clean), true, None, None),
        (judged(Verdict::Threat), false, Some(EndReason::Quarantined), None),
        (judged(Verdict::Unscannable), false, Some(EndReason::Quarantined), None),
    ] {
        let content = Content { screening, ..content(1, at(0)) };
        let found = (content.is_released(), content.refusal(), content.due());
        assert_eq!(found, (is_released, refusal, due), "{screening:?}");
    }
    let corrupt = Content { verification: Verification::Corrupt, ..unscreened(1) };
    assert_eq!((corrupt.is_unscreened(), corrupt.refusal()), (false, Some(EndReason::Corrupt)));
}

#[test]
fn a_verdict_counts_once_and_for_the_current_content_alone() {
    let document = holding(unscreened(1));
    let id = &content(1, at(0)).content_id;
    assert!(document.screened(&content(2, at(0)).content_id, Verdict::Clean, None, &stamp(70)).is_none());
    let released = document.screened(id, Verdict::Clean, None, &stamp(70)).unwrap().next;
    let screened = released.content.as_ref().unwrap();
    assert_eq!((screened.screening, screened.screened_at), (Some(Screening::Judged(Verdict::Clean)), Some(at(70))));
    assert_eq!(released.screened(id, Verdict::Clean, None, &stamp(80)), None);
    for before in [released, holding(content(1, at(0)))] {
        assert!(before.screened(id, Verdict::Clean, None, &stamp(80)).is_none());
        let late = before.screened(id, Verdict::Threat, None, &stamp(80)).unwrap();
        assert_eq!((&late.next.content, late.next.screened(id, Verdict::Threat, None, &stamp(90))), (&None, None));
    }
}

#[test]
fn a_quarantined_content_goes_into_the_history_and_the_one_before_it_is_current_again() {
    let document = Document { contents: 2, ..holding(Content { sequence: 2, ..unscreened(1) }) };
    let id = &content(1, at(0)).content_id;
    for verdict in Verdict::REFUSING {
        let change = document.screened(id, verdict, Some(content(2, at(0))), &stamp(70)).unwrap();
        let quarantined = change.replaced.unwrap();
        assert_eq!((quarantined.refusal(), quarantined.screened_at), (Some(EndReason::Quarantined), Some(at(70))));
        let current = change.next.content.unwrap();
        assert_eq!((current.content_id, current.sequence), (content(2, at(0)).content_id, 3));
    }
}

#[test]
fn the_sweep_looks_first_after_what_is_due_first() {
    let upload = Upload { expires_at: at(0) + UPLOAD_LIFETIME, ..upload(1, false, at(0)) };
    let ended = Upload { state: UploadState::Ended(EndReason::Aborted), ..upload.clone() };
    let of_upload = Some(at(0) + LOOK_AGAIN);
    for (content, upload, due) in [
        (None, None, None),
        (None, Some(upload.clone()), of_upload),
        (Some(unverified()), Some(upload.clone()), Some(at(60))),
        (Some(content(1, at(0))), Some(upload), of_upload),
        (Some(content(1, at(0))), Some(ended), None),
    ] {
        let document = Document { content, upload, ..empty() };
        assert_eq!(document.due(), due, "{document:?}");
    }
}

#[test]
fn only_the_current_content_can_be_verified_and_only_once() {
    let document = holding(unverified());
    let id = &unverified().content_id;
    assert!(document.unverified(id).is_some());
    assert_eq!(document.unverified(&content(2, at(0)).content_id), None);
    let change = document.verified(id, &stamp(70)).unwrap();
    let verified = change.next.content.as_ref().unwrap();
    assert_eq!((verified.verification, verified.verified_at), (Verification::Done, Some(at(70))));
    assert_eq!(change.next.verified(id, &stamp(80)), None);
    assert_eq!(change.next.corrupt(id, None, &stamp(80)), None);
}

#[test]
fn a_corrupt_content_goes_into_the_history_and_the_one_before_it_is_current_again() {
    let document = holding(Content { sequence: 2, ..unverified() });
    let document = Document { contents: 2, ..document };
    let change = document.corrupt(&unverified().content_id, Some(content(2, at(0))), &stamp(70)).unwrap();
    let corrupt = change.replaced.unwrap();
    assert_eq!((corrupt.verification, corrupt.verified_at), (Verification::Corrupt, Some(at(70))));
    let current = change.next.content.unwrap();
    assert_eq!((current.content_id, current.sequence, current.stored_at), (content(2, at(0)).content_id, 3, at(70)));
}

#[test]
fn an_idempotency_key_brings_the_same_metadata_and_file_again() {
    let key = IdempotencyKey::parse(b"k").unwrap();
    let key = Name::IdempotencyKey(&key);
    let stored = holding(content(1, at(0)));
    let offered = Document { upload: Some(upload(1, false, at(0))), ..empty() };
    let both = Document { upload: Some(upload(2, false, at(0))), ..stored.clone() };
    let file = content(1, at(0));
    let other = Content { metadata: metadata(1), ..content(2, at(0)) };
    let (same, another) = (metadata(1), metadata(2));
    for (document, name, metadata, file, expected) in [
        (&stored, key, &same, None, Some(false)),
        (&stored, key, &same, Some(&file), Some(true)),
        (&stored, key, &same, Some(&other), None),
        (&stored, key, &another, Some(&file), None),
        (&holding(unverified()), key, &same, Some(&file), Some(false)),
        (&offered, key, &same, Some(&file), Some(false)),
        (&offered, key, &another, None, None),
        (&both, key, &same, Some(&file), None),
        (&empty(), key, &same, Some(&file), Some(false)),
        (&stored, Name::DocumentId("1"), &another, Some(&other), Some(false)),
        (&stored, Name::Message, &another, Some(&other), Some(false)),
    ] {
        let known = document.check_repeat(name, metadata, file).ok();
        assert_eq!(known, expected, "{name:?} {metadata:?} {file:?}");
    }
}

#[test]
fn a_file_that_comes_again_changes_at_most_the_metadata() {
    let document = empty().receive(content(1, at(0)), &stamp(1)).unwrap().next;
    assert_eq!(document.receive(content(1, at(5)), &stamp(5)), None);
    let again = Content { metadata: metadata(2), ..content(1, at(5)) };
    let change = document.receive(again, &stamp(5)).unwrap();
    let entry = change.entry().unwrap();
    assert_eq!((entry.what, entry.revision, entry.at), (Action::Corrected, 2, at(5)));
    assert_eq!(change.replaced, document.content);
    assert_eq!((change.linked.len(), change.unlinked.len()), (1, 1), "another person's");
    let other = document.receive(content(2, at(5)), &stamp(5)).unwrap();
    assert_eq!(other.entry().unwrap().what, Action::Stored);
    assert_eq!((other.next.contents, other.next.content.unwrap().sequence), (2, 2));
}

#[test]
fn an_object_is_stored_unless_the_same_file_is_current_in_that_of_an_upload() {
    let file = content(1, at(0));
    let elsewhere = Content { content_id: ContentId::of_upload(), ..file.clone() };
    let png = metadata_with(1, r#", "format": "image/png""#, SentFile::default());
    let of_another_type = Content { metadata: png, ..file.clone() };
    for (current, file, needed) in [
        (None, &file, true),
        (Some(&file), &file, true),
        (Some(&file), &of_another_type, true),
        (Some(&elsewhere), &file, false),
        (Some(&elsewhere), &of_another_type, true),
    ] {
        let document = Document { content: current.cloned(), ..empty() };
        assert_eq!(document.needs_the_object_of(file), needed, "{document:?}");
    }
}

#[test]
fn a_document_has_a_thousand_contents_at_most() {
    for (contents, fits) in [(0, true), (999, true), (1000, false), (1001, false)] {
        assert_eq!(Document { contents, ..empty() }.check_contents().is_ok(), fits, "{contents}");
    }
}

#[test]
fn twenty_entries_of_the_history_stay_with_the_document_and_are_then_moved_together() {
    let mut document = empty();
    for number in 1..=20 {
        let change = document.receive(content(number, at(0)), &stamp(number.into())).unwrap();
        assert_eq!(change.archived, []);
        document = change.next;
    }
    let change = document.receive(content(21, at(0)), &stamp(21)).unwrap();
    assert_eq!((change.archived.len(), change.next.history.len()), (20, 1));
}

#[test]
fn the_last_action_on_a_content_is_the_newest_of_its_own_entries() {
    let document = empty().receive(content(1, at(0)), &stamp(1)).unwrap().next;
    let again = Content { metadata: metadata(2), ..content(1, at(0)) };
    let document = document.receive(again, &stamp(2)).unwrap().next;
    let history = document.receive(content(2, at(0)), &stamp(3)).unwrap().next.history;
    let last = |number| last_action(&history, &content(number, at(0)).content_id);
    assert_eq!((last(1), last(2), last(3)), (Some(Action::Corrected), Some(Action::Stored), None));
}

#[test]
fn the_service_acts_in_no_client_s_name() {
    assert_eq!(Stamp::of_the_service(at(7)), Stamp { at: at(7), by: Actor { client: None, token: None } });
}
