//! The decision on an offer of a file that is yet to come.

use super::*;
use crate::name::IdempotencyKey;

/// The decision, in a word.
fn decision(document: &Document, fresh: Upload, name: Name<'_>, second: i64) -> &'static str {
    match document.offer(fresh, name, &stamp(second)) {
        Offer::Stored(_, None) => "stored",
        Offer::Stored(_, Some(_)) => "stored, corrected",
        Offer::Resume(_, None) => "resume",
        Offer::Resume(_, Some(_)) => "resume, corrected",
        Offer::Begin(_) => "begin",
        Offer::Taken => "taken",
    }
}

/// An upload of this content with the metadata of that number.
fn offer(number: u8, declared: bool, metadata_of: u8) -> Upload {
    Upload { metadata: metadata(metadata_of), ..upload(number, declared, at(1)) }
}

/// The upload, of two bytes.
fn longer(upload: Upload) -> Upload {
    Upload { plan: PartPlan::from(DocumentSize::try_from(2).unwrap()), ..upload }
}

/// The upload of a file whose metadata gives it this type.
fn typed(media_type: &str) -> Upload {
    let more = format!(r#", "format": "{media_type}""#);
    Upload { metadata: metadata_with(1, &more, SentFile::default()), ..upload(1, true, at(1)) }
}

const DOCUMENT_ID: Name<'static> = Name::DocumentId("1");

#[test]
fn an_open_upload_goes_on_where_its_checksum_or_the_same_request_comes_again() {
    let key = IdempotencyKey::parse(b"k").unwrap();
    let key = Name::IdempotencyKey(&key);
    let open = |upload| Document { upload: Some(upload), ..empty() };
    let (declared, undeclared) = (open(upload(1, true, at(0))), open(upload(1, false, at(0))));
    for (document, fresh, name, second, expected) in [
        (&declared, offer(1, true, 1), DOCUMENT_ID, 1, "resume"),
        (&declared, offer(1, true, 2), DOCUMENT_ID, 1, "resume, corrected"),
        (&declared, offer(1, true, 2), Name::Message, 1, "resume, corrected"),
        (&declared, longer(offer(1, true, 1)), DOCUMENT_ID, 1, "begin"),
        (&declared, offer(2, true, 1), DOCUMENT_ID, 1, "begin"),
        (&declared, offer(1, false, 1), DOCUMENT_ID, 1, "begin"),
        (&declared, offer(1, true, 1), DOCUMENT_ID, 86_400, "begin"),
        (&undeclared, offer(1, false, 1), DOCUMENT_ID, 1, "begin"),
        (&undeclared, offer(1, false, 1), Name::Message, 1, "resume"),
        (&undeclared, offer(1, false, 1), key, 1, "resume"),
        (&undeclared, offer(1, false, 2), key, 1, "begin"),
        (&open(typed("image/png")), typed("image/png"), DOCUMENT_ID, 1, "resume"),
        (&open(typed("image/png")), typed("image/gif"), DOCUMENT_ID, 1, "begin"),
    ] {
        assert_eq!(decision(document, fresh.clone(), name, second), expected, "{name:?} {fresh:?}");
    }
}

#[test]
fn a_stored_content_is_offered_again_by_its_checksum_or_its_idempotency_key() {
    let key = IdempotencyKey::parse(b"k").unwrap();
    let key = Name::IdempotencyKey(&key);
    let stored = Document { content: Some(content(1, at(0))), ..empty() };
    let and_open = Document { upload: Some(upload(2, false, at(0))), ..stored.clone() };
    for (document, fresh, name, expected) in [
        (&stored, offer(1, true, 1), DOCUMENT_ID, "stored"),
        (&stored, offer(1, true, 2), DOCUMENT_ID, "stored, corrected"),
        (&stored, longer(offer(1, true, 1)), DOCUMENT_ID, "begin"),
        (&stored, offer(2, true, 1), DOCUMENT_ID, "begin"),
        (&stored, offer(1, false, 1), DOCUMENT_ID, "begin"),
        (&stored, offer(1, false, 1), key, "stored"),
        (&stored, offer(1, false, 2), key, "begin"),
        (&stored, offer(1, false, 1), Name::Message, "taken"),
        (&and_open, offer(1, false, 1), Name::Message, "begin"),
        (&empty(), offer(1, false, 1), Name::Message, "begin"),
    ] {
        assert_eq!(decision(document, fresh.clone(), name, 1), expected, "{name:?} {fresh:?}");
    }
}

#[test]
fn a_document_is_taken_when_it_is_stored_and_nothing_is_on_its_way() {
    let (content, upload) = (content(1, at(0)), upload(2, false, at(0)));
    for (content, upload, second, taken) in [
        (None, None, 1, false),
        (Some(content.clone()), None, 1, true),
        (Some(content.clone()), Some(upload.clone()), 1, false),
        (Some(content), Some(upload.clone()), 86_400, true),
        (None, Some(upload), 1, false),
    ] {
        let document = Document { content, upload, ..empty() };
        assert_eq!(document.is_taken(at(second)), taken, "{second} {document:?}");
    }
}

#[test]
fn what_an_offer_goes_on_with_is_what_is_there_with_the_metadata_that_is_new() {
    let open = upload(1, true, at(0));
    let document = Document { upload: Some(open.clone()), ..empty() };
    let Offer::Resume(resumed, Some(change)) = document.offer(offer(1, true, 2), DOCUMENT_ID, &stamp(1)) else {
        panic!("not resumed");
    };
    assert_eq!((&resumed.content_id, &resumed.metadata), (&open.content_id, &metadata(2)));
    assert_eq!(change.next.upload, Some(*resumed));
    assert_eq!(change.entry().unwrap().what, Action::Corrected);
    assert_eq!(change.ended, None);
    let fresh = offer(2, true, 2);
    let Offer::Begin(change) = document.offer(fresh.clone(), DOCUMENT_ID, &stamp(1)) else {
        panic!("not begun");
    };
    assert_eq!((change.next.upload, change.ended), (Some(fresh), Some(open)));
}
