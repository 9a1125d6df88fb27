//! Rules of what comes again: which metadata says the same, and what it takes over from what was there.

use super::*;

/// Metadata of an association with these members of its consumer, and a file of this name.
fn sent_as(name: Option<&str>, consumer: &Value) -> Metadata {
    let file = SentFile { name, ..SentFile::default() };
    Metadata::parse(subject(SubjectKind::Association), text(&json!({}), consumer).as_bytes(), file).unwrap()
}

/// Reads this very text about a resource of this kind.
fn of_text(kind: SubjectKind, text: &str) -> Metadata {
    Metadata::parse(subject(kind), text.as_bytes(), SentFile::default()).unwrap()
}

#[test]
fn spacing_and_the_order_of_keys_do_not_matter_and_the_resource_does() {
    use SubjectKind::{Association, Person};
    let one = of_text(Association, r#"{"consumers":[{"consumerKey":"nl-okd","documentType":"bpv"}],"person":"p"}"#);
    let again =
        of_text(Association, r#"{ "person": "p", "consumers": [{"documentType": "bpv", "consumerKey": "nl-okd"}] }"#);
    let other = of_text(Association, r#"{"consumers":[{"consumerKey":"nl-okd","documentType":"bpv"}],"person":"q"}"#);
    for (repeat, same) in [(&one, true), (&again, true), (&other, false)] {
        assert_eq!(one.says_the_same(repeat), same, "{repeat:?}");
        assert_eq!(one.sha256() == repeat.sha256(), same, "{repeat:?}");
    }
    let text = r#"{"consumers":[{"consumerKey":"nl-okd","documentType":"bpv"}]}"#;
    assert!(!of_text(Association, text).says_the_same(&of_text(Person, text)));
}

#[test]
fn a_repeat_is_of_a_file_of_the_same_name_and_type() {
    let before = sent_as(Some("a.pdf"), &json!({}));
    for (repeat, expected) in [
        (sent_as(Some("a.pdf"), &json!({})), true),
        (sent_as(Some("b.pdf"), &json!({})), false),
        (Metadata { media_type: "image/png".try_into().unwrap(), ..before.clone() }, false),
        (sent_as(Some("a.pdf"), &json!({ "documentId": "1" })), false),
    ] {
        assert_eq!(before.is_repeated_by(&repeat), expected, "{repeat:?}");
    }
}

#[test]
fn metadata_gives_another_type_only_where_it_declares_one_anew() {
    let of = |format: &str| sent_as(None, &json!({ "format": format }));
    let (pdf, png, generic) = (of("application/pdf"), of("image/png"), of("application/octet-stream"));
    let silent = sent_as(None, &json!({}));
    let by_bytes = Metadata { media_type: png.media_type.clone(), ..silent.clone() };
    for (metadata, before, expected) in [
        (&png, &pdf, true),
        (&pdf, &pdf, false),
        (&silent, &pdf, false),
        (&generic, &pdf, false),
        (&png, &silent, true),
        (&png, &by_bytes, false),
    ] {
        assert_eq!(metadata.gives_another_type(before), expected, "{metadata:?} {before:?}");
        let kept = if expected { &metadata.media_type } else { &before.media_type };
        assert_eq!(&metadata.clone().without_the_file(before).media_type, kept);
    }
}

#[test]
fn what_a_repeat_does_not_say_of_its_file_stays_as_it_was() {
    let before = Metadata { media_type: "application/pdf".try_into().unwrap(), ..sent_as(Some("a.pdf"), &json!({})) };
    let unnamed = sent_as(None, &json!({})).with_the_same_file(&before);
    assert_eq!(unnamed.sent_file_name, before.sent_file_name);
    assert_eq!(unnamed.media_type, before.media_type);
    assert_eq!(
        (&unnamed.okd.document_name, &unnamed.okd.file_name),
        (&before.okd.document_name, &before.okd.file_name)
    );

    let named = sent_as(None, &json!({ "documentName": "b.txt" })).with_the_same_file(&before);
    assert_eq!((named.okd.document_name.as_str(), named.media_type.as_str()), ("b.txt", "text/plain"));

    let file_again = sent_as(Some("c.txt"), &json!({}));
    assert_eq!(file_again.clone().with_the_same_file(&before), file_again, "a file that comes says all anew");

    // A name that the metadata gave before is not the file's.
    let before = sent_as(Some("a.pdf"), &json!({ "documentName": "verslag.pdf" }));
    let unnamed = sent_as(None, &json!({})).with_the_same_file(&before);
    assert_eq!(unnamed.okd.document_name, "document");
}
