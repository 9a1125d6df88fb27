//! Rules of a whole message: its text, the resource that it is about, and whether it offers a document.

use super::*;

/// What a body on such a resource is, in a word, or where it is refused.
fn message(kind: SubjectKind, body: &Value) -> String {
    match Message::parse(subject(kind), body.to_string().as_bytes()) {
        Ok(Message::Offer(_)) => "offer".to_owned(),
        Ok(Message::Status(_)) => "status".to_owned(),
        Err(error) => outcome(Err(error)),
    }
}

#[test]
fn a_body_without_a_document_is_a_change_of_an_enrolment_only_on_an_association() {
    use SubjectKind::{Association, Offering, Person};
    let consumer = |more: &Value| json!({ "consumers": [with(json!({ "consumerKey": "nl-okd" }), more)] });
    let document = json!({ "documentType": "bpv", "documentSize": 5 });
    let dated = |field: &str| consumer(&json!({ field: "2026-01-13" }));
    for (kind, body, expected) in [
        (Association, consumer(&document), "offer"),
        (Association, with(consumer(&document), &json!({ "state": "active" })), "offer"),
        (Association, consumer(&json!({ "documentType": "bpv" })), "/consumers/0/documentSize"),
        (Association, json!({ "state": "active" }), "/state"),
        (Association, json!({ "state": "finished" }), "status"),
        (Association, json!({ "state": "denied", "consumers": [{ "consumerKey": "nl-other" }] }), "status"),
        (Association, json!({ "state": "active", "associationId": "x" }), "/associationId"),
        (Association, dated("enrollmentStartDate"), "status"),
        (Association, dated("inschrijvingFinalEndDate"), "status"),
        (Association, dated("receivedDate"), "/consumers/0/documentType"),
        (Association, json!({}), "/consumers"),
        (Association, json!({ "consumers": [{ "consumerKey": "nl-other" }] }), "/consumers"),
        (Offering, json!({ "state": "active", "offeringType": "course" }), "/consumers"),
        (Person, json!({ "state": "active" }), "/consumers"),
        (Person, consumer(&document), "offer"),
    ] {
        assert_eq!(message(kind, &body), expected, "{kind:?} {body}");
    }
}

#[test]
fn a_resource_may_stand_under_its_name_with_nothing_around_it() {
    use SubjectKind::{Association, Offering, Person};
    let inner = json!({ "consumers": [{ "consumerKey": "nl-okd", "documentType": "bpv", "documentSize": 5 }] });
    let offering = with(inner.clone(), &json!({ "offeringType": "course" }));
    for (kind, body, expected) in [
        (Association, json!({ "association": inner }), "offer"),
        (Association, json!({ "association": inner, "associationId": ID }), "offer"),
        (Association, json!({ "association": inner, "associationId": "x" }), "/associationId"),
        (Association, json!({ "association": inner, "person": "1" }), "/person"),
        (Association, json!({ "association": inner, "personId": "1" }), "/personId"),
        (Association, json!({ "association": inner, "offering": "1" }), "/offering"),
        (Association, json!({ "association": inner, "offeringId": "1" }), "/offeringId"),
        (Association, with(inner.clone(), &json!({ "association": { "x": 1 } })), "offer"),
        (Association, json!({ "association": "x" }), "/consumers"),
        (Association, json!({ "association": { "associationId": "x" } }), "/association/associationId"),
        (Offering, json!({ "offering": offering, "offeringId": ID }), "offer"),
        (Offering, json!({ "offering": offering, "association": "1" }), "/association"),
        (Person, json!({ "person": inner, "personId": ID }), "offer"),
    ] {
        assert_eq!(message(kind, &body), expected, "{kind:?} {body}");
    }
}

#[test]
fn a_body_is_about_the_resource_in_the_path_and_of_its_kind() {
    use SubjectKind::{Association, Offering, Person};
    let other = "00000000-0000-0000-0000-000000000008";
    for (kind, root, expected) in [
        (Association, json!({}), "read"),
        (Association, json!({ "associationId": ID }), "read"),
        (Association, json!({ "associationId": other }), "/associationId"),
        (Association, json!({ "associationId": "7" }), "/associationId"),
        (Association, json!({ "associationType": "courseOfferingAssociation" }), "read"),
        (Association, json!({ "associationType": "course" }), "/associationType"),
        (Association, json!({ "offeringType": "course" }), "/associationId"),
        (Association, json!({ "offeringType": "course", "associationId": ID }), "read"),
        (Offering, json!({ "offeringType": "course" }), "read"),
        (Offering, json!({ "offeringType": "other" }), "/offeringType"),
        (Offering, json!({}), "/offeringType"),
        (Offering, json!({ "offeringType": "course", "associationType": "x" }), "/offeringId"),
        (Person, json!({}), "read"),
        (Person, json!({ "personId": other }), "/personId"),
        (Person, json!({ "associationType": "x" }), "/personId"),
        (Association, json!({ "organization": 1 }), "/organization"),
        (Association, json!({ "program": [] }), "/program"),
        (Association, json!({ "course": {}, "component": "x" }), "read"),
    ] {
        assert_eq!(refused_on(kind, &root, &json!({})), expected, "{kind:?} {root}");
    }
}

#[test]
fn metadata_is_utf_8_of_at_most_64_kib_and_a_byte_that_is_not_is_named_by_its_place() {
    let good = text(&json!({}), &json!({}));
    let padded = |size: usize| format!("{good}{}", " ".repeat(size - good.len())).into_bytes();
    let of_utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (bytes, expected) in [
        (padded(65_536), "read"),
        (padded(65_537), "too large"),
        (padded(65_538), "too large"),
        ([&b"\xef\xbb\xbf"[..], good.as_bytes()].concat(), "read"),
        (of_utf16(&good), "UTF-16"),
        ([&b"\xff\xfe"[..], good.as_bytes()].concat(), "UTF-16"),
        ([&b"\xfe\xff"[..], good.as_bytes()].concat(), "UTF-16"),
        (b"{}\0\0".to_vec(), "UTF-16"),
        (b"{}  \0".to_vec(), "1:5"),
        (b"{\n \n\"a\": \"\xe9\"}".to_vec(), "3:7"),
        (b"\xe9".to_vec(), "1:1"),
        (b"  \xe9".to_vec(), "1:3"),
        (b"".to_vec(), "1:1"),
    ] {
        let read = Metadata::parse(subject(SubjectKind::Association), &bytes, SentFile::default());
        let found = match read {
            Err(Error::MalformedJson { reason, .. }) if reason.contains("UTF-16") => "UTF-16".to_owned(),
            read => outcome(read.map(drop)),
        };
        assert_eq!(found, expected, "{} bytes", bytes.len());
    }
}

#[test]
fn a_uuid_has_one_standard_form() {
    assert_eq!(parse_uuid(ID), Some(Uuid::from_u128(7)));
    assert_eq!(
        parse_uuid("ABCDEF00-0000-0000-0000-000000000000").map(|uuid| uuid.to_string()[..8].to_owned()).as_deref(),
        Some("abcdef00")
    );
    for none in ["", "7", &ID.replace('-', ""), &format!("{{{ID}}}"), &format!("urn:uuid:{ID}")] {
        assert_eq!(parse_uuid(none), None, "{none}");
    }
}
