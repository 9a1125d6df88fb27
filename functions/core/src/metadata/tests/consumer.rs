//! Rules of the `nl-okd` consumer: where it stands, and what each of its fields may hold.

use super::*;
use crate::parts::{MAX_DOCUMENT, MAX_READ_BACK};

#[test]
fn okd_s_consumer_is_found_among_those_of_others_and_in_both_places() {
    let okd = json!({ "consumerKey": "nl-okd", "documentType": "bpv", "documentName": "a.pdf" });
    let other = json!({ "consumerKey": "nl-other", "documentType": "nonsense" });
    let more = json!({ "consumerKey": "nl-okd", "examCode": "X" });
    for root in [
        json!({ "consumers": [other, okd] }),
        json!({ "consumers": [okd, more] }),
        json!({ "consumers": [okd], "consumer": okd }),
        json!({ "consumers": [okd], "consumer": other }),
        json!({ "consumers": [more], "consumer": okd }),
        json!({ "consumers": null, "consumer": okd }),
        json!({ "consumers": [other], "consumer": okd }),
    ] {
        let metadata = read(&root, &json!({}));
        assert_eq!(metadata.okd.document_name, "a.pdf", "{root}");
        let has_code = root.to_string().contains("examCode");
        assert_eq!(metadata.links.exam_code.is_some(), has_code, "{root}");
    }
    for (root, pointer) in [
        (json!({ "consumers": null }), "/consumers"),
        (json!({ "consumers": {} }), "/consumers"),
        (json!({ "consumers": [] }), "/consumers"),
        (json!({ "consumers": [other] }), "/consumers"),
        (json!({ "consumers": null, "consumer": other }), "/consumer"),
        (json!({ "consumers": [{}] }), "/consumers/0/consumerKey"),
        (json!({ "consumers": [{ "consumerKey": 1 }] }), "/consumers/0/consumerKey"),
        (json!({ "consumers": [okd, "x"] }), "/consumers/1"),
        (json!({ "consumers": [okd, okd] }), "/consumers/1"),
        (json!({ "consumers": [okd, with(more.clone(), &json!({ "documentId": "2" }))] }), "/consumers/1"),
        (
            json!({ "consumers": [more.clone(), with(more.clone(), &json!({ "examCode": "Y" })), okd] }),
            "/consumers/1/examCode",
        ),
        (json!({ "consumers": [more, { "consumerKey": "nl-okd", "documentId": "1" }] }), "/consumers/1/documentType"),
    ] {
        assert_eq!(refused(&root, &json!({})), pointer, "{root}");
    }
}

#[test]
fn a_type_is_read_in_the_words_of_both_revisions() {
    use crate::class::DocumentType::{Bpv, Enrollment, Examination, Graduation, Other};
    for (word, expected) in [
        ("examination", Examination),
        ("examinering", Examination),
        ("enrollment", Enrollment),
        ("inschrijving", Enrollment),
        ("bpv", Bpv),
        ("graduation", Graduation),
        ("diplomering", Graduation),
        ("other", Other),
    ] {
        let metadata = read(&json!({}), &json!({ "documentType": word }));
        assert_eq!(metadata.class(), DocumentClass { on: SubjectKind::Association, document_type: expected });
        let written = serde_json::to_value(metadata.okd.document_type).unwrap();
        assert_eq!(written, json!(expected.as_str()), "it is written in the words of 1.5");
    }
}

#[test]
fn every_field_of_the_document_is_read_or_refused_where_it_stands() {
    let sha256 = Checksum::sha256(b"x");
    for (field, good, bad) in [
        ("documentType", vec![], vec![json!(null), json!("Examination"), json!(1)]),
        ("documentSubtype", vec![json!("a")], vec![json!(1)]),
        ("documentId", vec![json!("a")], vec![json!(1), json!("x".repeat(1025))]),
        ("documentName", vec![json!("a"), json!("x".repeat(1024))], vec![json!([]), json!("x".repeat(1025))]),
        (
            "documentSize",
            vec![json!(1), json!(1_u64 << 30), json!(2.0)],
            vec![json!(0), json!(-1), json!(1.5), json!("1")],
        ),
        ("documentChecksum", vec![json!(sha256)], vec![json!("md5:00"), json!(1)]),
        ("format", vec![json!("application/pdf")], vec![json!("pdf"), json!(1)]),
        ("receivedDate", vec![json!("2026-01-13")], vec![json!("2026-02-30"), json!("2026-01-13T12:00:00Z"), json!(1)]),
        ("registrationDate", vec![json!("2026-01-13")], vec![json!("20260113"), json!("13-01-2026")]),
        ("examDate", vec![json!("2026-01-13")], vec![json!("2026-1-13")]),
        (
            "examDateTime",
            vec![json!("2026-01-13T12:00:00Z"), json!("2026-01-13T12:00:00+01:00"), json!("2026-01-13T12:00Z")],
            vec![json!("2026-01-13"), json!("2026-01-13T12:00:00"), json!("2026-01-13T12Z"), json!(1)],
        ),
        (
            "examComponentOffering",
            vec![json!("a"), json!({ "offeringId": "a" })],
            vec![json!({}), json!({ "offeringId": 1 }), json!(1)],
        ),
        ("examCode", vec![json!("a")], vec![json!({})]),
        ("studentNumber", vec![json!("1")], vec![json!(1)]),
    ] {
        for value in good {
            assert_eq!(refused(&json!({}), &json!({ field: value })), "read", "{field}: {value}");
        }
        for value in bad {
            let pointer = format!("/consumers/0/{field}");
            assert_eq!(refused(&json!({}), &json!({ field: value })), pointer, "{field}: {value}");
        }
    }
    assert_eq!(refused(&json!({}), &json!({ "documentSize": MAX_DOCUMENT + 1 })), "too large");
    for (size, checksum, expected) in [
        (MAX_READ_BACK, json!(sha256), "read"),
        (MAX_READ_BACK + 1, json!(sha256), "/consumers/0/documentChecksum"),
        (MAX_READ_BACK + 1, json!(Checksum::crc64nvme(b"x")), "read"),
    ] {
        let declared = json!({ "documentSize": size, "documentChecksum": checksum });
        assert_eq!(refused(&json!({}), &declared), expected, "{declared}");
    }
    // `null` and an empty text say nothing.
    for nothing in [json!(null), json!("")] {
        let metadata = read(&json!({}), &json!({ "documentId": nothing, "format": nothing, "examCode": nothing }));
        assert_eq!((metadata.okd.document_id, metadata.okd.format), (None, None));
        assert_eq!(metadata.okd.details.get("examCode"), None);
    }
}

#[test]
fn dates_and_texts_are_carried_over_under_their_names_in_1_5() {
    for (consumer, name, value) in [
        (json!({ "examDate": "2026-01-13" }), "examDateTime", "2026-01-13T12:00:00Z"),
        (json!({ "examDateTime": "2026-01-13T09:00:00+01:00" }), "examDateTime", "2026-01-13T09:00:00+01:00"),
        (
            json!({ "examDateTime": "2026-01-13T09:00:00+01:00", "examDate": "2026-01-13" }),
            "examDateTime",
            "2026-01-13T09:00:00+01:00",
        ),
        (json!({ "examComponentOffering": { "offeringId": "o" } }), "examComponentOffering", "o"),
        (json!({ "examComponentOffering": "o" }), "examComponentOffering", "o"),
        (json!({ "inschrijvingStartDate": "2026-01-13" }), "enrollmentStartDate", "2026-01-13"),
        (json!({ "inschrijvingFinalEndDate": "2026-01-13" }), "enrollmentFinalEndDate", "2026-01-13"),
        (
            json!({ "inschrijvingExpectedEndDate": "2026-01-13", "enrollmentExpectedEndDate": "2026-01-13" }),
            "enrollmentExpectedEndDate",
            "2026-01-13",
        ),
        (json!({ "examName": "Rekenen" }), "examName", "Rekenen"),
    ] {
        let details = read(&json!({}), &consumer).okd.details;
        assert_eq!(details.get(name).map(String::as_str), Some(value), "{consumer}");
        assert_eq!(details.len(), 1, "{consumer}");
    }
}

#[test]
fn two_spellings_of_one_field_must_say_the_same() {
    for (consumer, field) in [
        (json!({ "examDateTime": "2026-01-14T09:00:00Z", "examDate": "2026-01-13" }), "examDate"),
        (
            json!({ "enrollmentStartDate": "2026-01-14", "inschrijvingStartDate": "2026-01-13" }),
            "inschrijvingStartDate",
        ),
        (json!({ "retentionPeriodSuggestion": "3Y", "bewaartermijnsuggestie": "4Y" }), "bewaartermijnsuggestie"),
    ] {
        assert_eq!(refused(&json!({}), &consumer), format!("/consumers/0/{field}"), "{consumer}");
    }
    for consumer in [
        json!({ "retentionPeriodSuggestion": "3Y", "bewaartermijnsuggestie": "3Y" }),
        json!({ "retentionPeriodSuggestion": "3Y" }),
        json!({ "bewaartermijnsuggestie": "3Y" }),
    ] {
        let suggestion = read(&json!({}), &consumer).okd.retention_period_suggestion.unwrap();
        assert_eq!(suggestion.period(), Some(Retention { amount: 3, unit: Unit::Years }), "{consumer}");
    }
}

#[test]
fn a_document_is_named_by_its_metadata_else_by_its_file() {
    let subject = subject(SubjectKind::Association);
    for (consumer, sent, name) in [
        (json!({ "documentName": "a/b.pdf" }), Some("c.pdf"), "a/b.pdf"),
        (json!({}), Some("c.pdf"), "c.pdf"),
        (json!({}), None, "document"),
    ] {
        let file = SentFile { name: sent, ..SentFile::default() };
        let metadata = Metadata::parse(subject, text(&json!({}), &consumer).as_bytes(), file).unwrap();
        assert_eq!(metadata.okd.document_name, name);
        assert_eq!(metadata.okd.file_name.as_str(), name.rsplit('/').next().unwrap());
        assert_eq!(metadata.sent_file_name.as_deref(), sent);
    }
    // A longer name is cut between two characters.
    let long = "é".repeat(1000);
    let file = SentFile { name: Some(&long), ..SentFile::default() };
    let metadata = Metadata::parse(subject, text(&json!({}), &json!({})).as_bytes(), file).unwrap();
    assert_eq!(metadata.sent_file_name.map(|name| name.len()), Some(1024));
}
