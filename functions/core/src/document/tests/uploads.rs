//! Rules of an upload: its states, its ends, and what is left of it.

use super::*;
use crate::quota::Counted;

/// An upload of 64 parts, at this second.
fn large(second: i64) -> Upload {
    let plan = PartPlan::from(DocumentSize::try_from(1 << 30).unwrap());
    Upload { plan, ..upload(1, false, at(second)) }
}

/// The same upload, ended.
fn ended(upload: &Upload, reason: EndReason) -> Upload {
    Upload { state: UploadState::Ended(reason), ..upload.clone() }
}

#[test]
fn an_upload_is_open_for_a_day_and_an_end_is_for_good() {
    use UploadState::{Ended, Uploading};
    let (begun, aborted) = (upload(1, false, at(0)), ended(&upload(1, false, at(0)), EndReason::Aborted));
    let day = 24 * 3600;
    for (upload, second, state) in [
        (&begun, 0, Uploading),
        (&begun, day - 1, Uploading),
        (&begun, day, Ended(EndReason::Expired)),
        (&begun, day + 1, Ended(EndReason::Expired)),
        (&aborted, 0, Ended(EndReason::Aborted)),
        (&aborted, day + 1, Ended(EndReason::Aborted)),
    ] {
        assert_eq!(upload.state_at(at(second)), state, "{second}");
        let document = Document { upload: Some(upload.clone()), ..empty() };
        assert_eq!(document.open_upload(at(second)).is_some(), state == Uploading, "{second}");
    }
}

#[test]
fn an_upload_without_any_part_is_idle_after_an_hour() {
    for (second, missing, idle) in [(3599, 64, false), (3600, 64, true), (3601, 64, true), (7200, 63, false)] {
        assert_eq!(large(0).is_idle_at(at(second), missing), idle, "{second} {missing}");
    }
}

#[test]
fn an_upload_is_looked_after_and_counted_while_it_is_open() {
    let open = large(0);
    assert_eq!(open.due(), Some(at(15 * 60)));
    assert_eq!(ended(&open, EndReason::Expired).due(), None);
    assert_eq!(open.counted(), Some(Counted { shard: 1, bytes: 1 << 30 }));
    assert_eq!(Upload { shard: None, ..large(0) }.counted(), None);
    let document = |upload| Document { upload: Some(upload), ..empty() };
    assert_eq!(document(open.clone()).shard(), Some(1));
    assert_eq!(document(ended(&open, EndReason::Expired)).shard(), None);
}

#[test]
fn an_upload_becomes_a_content_with_the_checksums_of_s3_and_of_its_sender() {
    use Verification::{Done, Pending};
    let (sha256, crc) = (Checksum::sha256(&[1]), Checksum::crc64nvme(&[1]));
    for (declared, computed, checksums, verification) in [
        (None, None, vec![], Done),
        (None, Some(crc), vec![crc], Done),
        (Some(crc), Some(crc), vec![crc], Done),
        (Some(sha256), Some(crc), vec![crc, sha256], Pending),
        (Some(crc), None, vec![crc], Pending),
    ] {
        let upload = Upload { checksum: declared, ..large(0) };
        let content_id = upload.content_id.clone();
        let content = upload.into_content(computed, None, at(9));
        assert_eq!((content.checksums, content.verification), (checksums, verification), "{declared:?} {computed:?}");
        assert_eq!((content.content_id, content.size, content.stored_at), (content_id, 1 << 30, at(9)));
    }
}

#[test]
fn a_link_leads_to_its_own_upload_and_to_no_other() {
    let (current, open) = (content(1, at(0)), upload(2, false, at(0)));
    let aborted = ended(&open, EndReason::Aborted);
    let (to_current, to_open, to_another) = (&current.content_id, &open.content_id, &content(3, at(0)).content_id);
    let both = Document { content: Some(current.clone()), upload: Some(open.clone()), ..empty() };
    let stored = Document { upload: None, ..both.clone() };
    let begun = Document { content: None, ..both.clone() };
    let over = Document { upload: Some(aborted.clone()), ..both.clone() };
    for (document, link, expected) in [
        (&both, None, UploadAt::Pending(&open)),
        (&both, Some(to_open), UploadAt::Pending(&open)),
        (&both, Some(to_current), UploadAt::Current(&current)),
        (&both, Some(to_another), UploadAt::Elsewhere),
        (&over, None, UploadAt::Ended(&aborted, EndReason::Aborted)),
        (&over, Some(to_open), UploadAt::Ended(&aborted, EndReason::Aborted)),
        (&over, Some(to_current), UploadAt::Current(&current)),
        (&stored, None, UploadAt::Current(&current)),
        (&stored, Some(to_current), UploadAt::Current(&current)),
        (&stored, Some(to_open), UploadAt::Elsewhere),
        (&begun, Some(to_current), UploadAt::Elsewhere),
        (&empty(), None, UploadAt::Elsewhere),
    ] {
        assert_eq!(document.upload_at(link), expected, "{link:?}");
    }
}

#[test]
fn an_upload_that_makes_way_is_ended_and_one_that_is_completed_is_not() {
    let open = upload(1, false, at(0));
    let document = Document { upload: Some(open.clone()), ..empty() };
    let stored = document.receive(content(2, at(0)), &stamp(1)).unwrap();
    assert_eq!((stored.next.upload, stored.ended), (None, Some(open.clone())));
    let completed = document.complete(open.clone().into_content(None, None, at(1)), &stamp(1));
    assert_eq!(completed.entry().unwrap().what, Action::UploadCompleted);
    assert_eq!((completed.next.upload, completed.ended), (None, None));
    let aborted = document.end_upload(&open, EndReason::Aborted, &stamp(1));
    assert_eq!(aborted.entry().unwrap().what, Action::UploadEnded(EndReason::Aborted));
    assert_eq!((aborted.next.upload, aborted.ended), (Some(ended(&open, EndReason::Aborted)), Some(open)));
}

#[test]
fn a_document_is_found_by_the_ids_of_its_content_and_of_its_open_upload() {
    let open = upload(2, false, at(0));
    let over = ended(&open, EndReason::Expired);
    for (content, upload, metadata) in [
        (None, None, vec![]),
        (Some(content(1, at(0))), Some(open.clone()), vec![metadata(1), metadata(2)]),
        (Some(content(1, at(0))), Some(over), vec![metadata(1)]),
        (None, Some(open), vec![metadata(2)]),
    ] {
        let document = Document { content, upload, ..empty() };
        assert!(document.metadata().eq(&metadata), "{document:?}");
        let links: BTreeSet<Link> = metadata.iter().flat_map(|metadata| metadata.links.all()).collect();
        assert_eq!(document.links(), links);
        assert_eq!(links.is_empty(), metadata.is_empty());
    }
}

#[test]
fn what_is_left_of_an_upload_or_a_request_is_removed_two_hours_later() {
    let upload = upload(1, false, at(0));
    let of_upload = Orphan::of_upload(&upload, at(0));
    assert_eq!(of_upload.remains, OrphanKind::Upload("upload".to_owned()));
    assert_eq!((of_upload.name(), of_upload.due()), (upload.content_id.to_string(), at(7200)));
    let id = content(1, at(0)).content_id;
    let of_object = Orphan::of_object(id.clone(), "v1".to_owned(), FoundBy::Event, at(0));
    assert_eq!(of_object.due(), at(7200));
    let listed = Orphan::of_object(id.clone(), "v1".to_owned(), FoundBy::Listing, at(0));
    assert_eq!(listed.due(), at(35 * 24 * 3600), "a restored table may lack its document");
    assert_eq!(of_object.name(), format!("{id}#v1"), "another version of the same object is another orphan");
}
