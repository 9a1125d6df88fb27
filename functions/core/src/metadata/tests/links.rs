//! Rules of the ids by which a document is found.

use super::*;

/// The ids by which a document on such a resource is found: `kind id`.
fn links(kind: SubjectKind, root: &Value, consumer: &Value) -> Vec<String> {
    let read = Metadata::parse(subject(kind), text(root, consumer).as_bytes(), SentFile::default()).unwrap();
    read.links.all().into_iter().map(|link| format!("{} {}", link.kind.as_str(), link.id)).collect()
}

#[test]
fn a_document_is_found_by_its_subject_and_by_the_ids_beside_it() {
    use SubjectKind::{Association, Offering, Person};
    let number = |code: &str| json!({ "codeType": "studentNumber", "code": code });
    let none = json!({});
    let own = |kind: &str| format!("{kind} {ID}");
    for (kind, root, consumer, expected) in [
        (Association, json!({}), &none, vec![own("association")]),
        (Association, json!({ "person": "p" }), &none, vec![own("association"), "person p".to_owned()]),
        (Association, json!({ "personId": " p " }), &none, vec![own("association"), "person p".to_owned()]),
        (Association, json!({ "person": { "personId": "p" } }), &none, vec![own("association"), "person p".to_owned()]),
        (
            Association,
            json!({ "person": "p", "personId": "p" }),
            &none,
            vec![own("association"), "person p".to_owned()],
        ),
        (Association, json!({ "offering": "o" }), &none, vec![own("association"), "offering o".to_owned()]),
        (Association, json!({ "person": "x".repeat(256) }), &none, vec![own("association")]),
        (Association, json!({ "person": { "personId": 1 } }), &none, vec![own("association")]),
        (
            Association,
            json!({ "person": { "primaryCode": number("7") } }),
            &none,
            vec![own("association"), "student 7".to_owned()],
        ),
        (
            Association,
            json!({ "person": { "otherCodes": [{ "codeType": "brin", "code": "x" }, number("7"), number("8")] } }),
            &none,
            vec![own("association"), "student 7".to_owned()],
        ),
        (Association, json!({}), &json!({ "studentNumber": "7" }), vec![own("association"), "student 7".to_owned()]),
        (
            Association,
            json!({ "person": { "otherCodes": [number("8"), number("7")] } }),
            &json!({ "studentNumber": "7" }),
            vec![own("association"), "student 7".to_owned()],
        ),
        (Person, json!({ "primaryCode": number("7") }), &none, vec![own("person"), "student 7".to_owned()]),
        (
            Offering,
            json!({ "offeringType": "course", "association": "a" }),
            &none,
            vec!["association a".to_owned(), own("offering")],
        ),
    ] {
        assert_eq!(links(kind, &root, consumer), expected, "{kind:?} {root} {consumer}");
    }
}

#[test]
fn ids_that_differ_are_refused() {
    use SubjectKind::{Association, Offering};
    let person = json!({ "person": { "primaryCode": { "codeType": "studentNumber", "code": "7" } } });
    for (kind, root, consumer, pointer) in [
        (Association, json!({ "person": "p", "personId": "q" }), json!({}), "/personId"),
        (Association, json!({ "offering": { "offeringId": "p" }, "offeringId": "q" }), json!({}), "/offeringId"),
        (Association, person, json!({ "studentNumber": "8" }), "/consumers/0/studentNumber"),
        (Association, json!({ "association": "x" }), json!({}), ""),
        (Offering, json!({ "offeringType": "course", "offering": "x" }), json!({}), ""),
    ] {
        assert_eq!(refused_on(kind, &root, &consumer), pointer, "{kind:?} {root}");
    }
}

#[test]
fn the_ids_of_an_enrolment_and_of_an_exam_are_kept() {
    let code = json!({ "codeType": "opleidingsblad", "code": "s" });
    for (root, consumer, sequence_code) in [
        (json!({}), json!({}), None),
        (json!({}), json!({ "sequenceCode": "c" }), Some("c")),
        (json!({ "primaryCode": code }), json!({}), Some("s")),
        (json!({ "otherCodes": [code] }), json!({ "sequenceCode": "c" }), Some("c")),
        (json!({ "otherCodes": [{ "codeType": "opleidingsblad" }] }), json!({}), None),
    ] {
        assert_eq!(read(&root, &consumer).links.sequence_code.as_deref(), sequence_code, "{root} {consumer}");
    }
    let links = read(&json!({}), &json!({ "examCode": "e", "examComponentOffering": { "offeringId": ID } })).links;
    assert_eq!((links.exam_code.as_deref(), links.exam_component_offering.as_deref()), (Some("e"), Some(ID)));
}

#[test]
fn a_uuid_as_an_id_is_spelled_in_one_way() {
    let upper = "ABCDEF00-0000-0000-0000-000000000000";
    assert_eq!(read(&json!({ "person": upper }), &json!({})).links.person_id, Some(upper.to_lowercase()));
}
