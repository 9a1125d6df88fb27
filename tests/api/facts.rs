//! Facts that are kept of a document beside its bytes: its media type, its file's name, the ids by which it is found.

use serde_json::{Value, json};

use support::sender::{ASSOCIATION, OFFERING, Sender, association, file_form, metadata, offer, sha256, with, without};

const PERSON: &str = "5ab399b8-c499-4da8-af6d-b55e66251f31";

/// Form A whose file part has these further headers; gives the metadata that was kept and the object's type.
async fn kept(metadata: &Value, head: &str, file: &[u8]) -> (Value, String) {
    let sender = Sender::new();
    let id = hand_in(&sender, metadata, head, file).await;
    (sender.metadata_of(&id).await, object_type(&sender, &id).await)
}

/// Form A whose file part has these further headers; gives the document's id.
async fn hand_in(sender: &Sender, metadata: &Value, head: &str, file: &[u8]) -> String {
    let body = file_form(metadata, head, file);
    sender.send_form(&association(), body).await.ok().id()
}

async fn object_type(sender: &Sender, id: &str) -> String {
    let key = sender.objects(id).await.remove(0);
    let head = sender.s3.head_object().bucket(&sender.cloud.bucket).key(key);
    head.send().await.unwrap().content_type.unwrap()
}

#[tokio::test]
async fn the_media_type_is_the_file_parts_else_what_its_bytes_say_else_what_its_name_says() {
    let unnamed = without(&metadata(), "documentName");
    for (head, file, media_type) in [
        ("; filename=\"a.txt\"\r\ncontent-type: application/pdf", &b"x"[..], "application/pdf"),
        ("\r\ncontent-type: Text/CSV; charset=ISO-8859-1", b"a;b", "text/csv; charset=ISO-8859-1"),
        ("; filename=\"a.docx\"\r\ncontent-type: application/binary", b"%PDF-1.7", "application/pdf"),
        ("\r\ncontent-type: application/octet-stream", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("; filename=\"a.docx\"", b"x", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("; filename=\"a.txt\"\r\ncontent-type: nonsense", b"x", "text/plain"),
        ("", b"x", "application/octet-stream"),
    ] {
        let (kept, object) = kept(&unnamed, head, file).await;
        assert_eq!((kept["mediaType"].as_str(), object.as_str()), (Some(media_type), media_type), "{head}");
    }
}

#[tokio::test]
async fn the_name_of_the_file_is_kept_beside_the_documents() {
    let (kept, _) = kept(&metadata(), "; filename=\"scan 12.pdf\"", b"x").await;
    assert_eq!(
        (&kept["sentFileName"], &kept["okd"]["documentName"]),
        (&json!("scan 12.pdf"), &json!("beoordeling-100245.pdf"))
    );
}

#[tokio::test]
async fn a_file_that_follows_has_the_type_of_its_format_or_of_its_name() {
    let sender = Sender::new();
    for (format, media_type) in [(json!("image/tiff"), "image/tiff"), (Value::Null, "application/pdf")] {
        let offered = sender.offer_and_send(&with(&offer(5), "format", format), b"12345").await;
        sender.complete(&offered).await.ok();
        assert_eq!(sender.metadata_of(&offered.id()).await["mediaType"], media_type);
        assert_eq!(object_type(&sender, &offered.id()).await, media_type);
    }
    let answer = sender.offer(&with(&offer(5), "format", json!("pdf"))).await;
    answer.problem(422, "invalid-metadata");
    assert_eq!(answer.body["pointer"], "/consumers/0/format");
}

#[tokio::test]
async fn the_same_bytes_under_another_type_are_an_object_of_that_type() {
    let sender = Sender::new();
    let metadata = metadata();
    let mut ids = std::collections::BTreeSet::new();
    for media_type in ["text/plain", "text/csv", "text/plain"] {
        let head = format!("\r\ncontent-type: {media_type}");
        let id = hand_in(&sender, &metadata, &head, b"a;b").await;
        assert_eq!(sender.metadata_of(&id).await["mediaType"], media_type);
        assert_eq!(object_type(&sender, &id).await, media_type);
        ids.insert(id);
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn an_upload_that_is_offered_under_another_type_begins_anew() {
    let sender = Sender::new();
    let declared = with(&offer(5), "documentChecksum", json!(sha256(b"12345")));
    let first = sender.offer(&declared).await.accepted();
    let typed = with(&declared, "format", json!("image/tiff"));
    let second = sender.offer_and_send(&typed, b"12345").await;
    assert_ne!(second.href("complete"), first.href("complete"));
    sender.complete(&second).await.ok();
    assert_eq!(object_type(&sender, &second.id()).await, "image/tiff");
}

#[tokio::test]
async fn an_offer_of_what_is_stored_says_nothing_new_of_its_file() {
    let sender = Sender::new();
    let declared = with(&metadata(), "documentChecksum", json!(sha256(b"12345")));
    let head = "; filename=\"scan.tiff\"\r\ncontent-type: image/tiff";
    let id = hand_in(&sender, &declared, head, b"12345").await;
    let offered = with(&declared, "documentSize", json!(5));
    for offered in [&offered, &with(&offered, "documentName", json!("b.pdf"))] {
        assert_eq!(sender.offer(offered).await.ok().id(), id);
        let kept = sender.metadata_of(&id).await;
        assert_eq!((&kept["mediaType"], &kept["sentFileName"]), (&json!("image/tiff"), &json!("scan.tiff")));
    }
    for format in ["application/octet-stream", "image/tiff"] {
        let offered = with(&offered, "format", json!(format));
        assert_eq!(sender.offer(&offered).await.ok().id(), id);
        assert_eq!(sender.metadata_of(&id).await["mediaType"], "image/tiff");
    }
}

#[tokio::test]
async fn a_file_that_comes_again_without_its_name_keeps_it() {
    let sender = Sender::new();
    let unnamed = with(&without(&metadata(), "documentName"), "documentChecksum", json!(sha256(b"a;b")));
    let named = "; filename=\"lijst.csv\"";
    let id = hand_in(&sender, &unnamed, named, b"a;b").await;
    let first = sender.item(&id).await;
    assert_eq!(hand_in(&sender, &unnamed, "", b"a;b").await, id);
    assert_eq!(sender.item(&id).await, first, "a repeat changes nothing");
    let corrected = with(&unnamed, "examCode", json!("REK-3F"));
    hand_in(&sender, &corrected, "", b"a;b").await;
    let offered = with(&corrected, "documentSize", json!(3));
    sender.offer(&offered).await.ok();
    let kept = sender.metadata_of(&id).await;
    assert_eq!(kept["okd"]["examCode"], "REK-3F");
    for name in [&kept["sentFileName"], &kept["okd"]["documentName"], &kept["okd"]["fileName"]] {
        assert_eq!(name, "lijst.csv");
    }
    assert_eq!(kept["mediaType"], "text/csv");
}

#[tokio::test]
async fn a_repeat_is_one_whatever_its_name_says_of_its_type() {
    let sender = Sender::new();
    let metadata = with(&without(&offer(5), "documentId"), "documentName", json!("a.DOCM"));
    let metadata = with(&metadata, "format", json!("application/octet-stream"));
    let first = sender.offer(&metadata).await.accepted();
    let second = sender.offer(&metadata).await.accepted();
    assert_eq!(second.href("complete"), first.href("complete"));
    let id = sender.hand_in(&metadata, b"12345").await.ok().id();
    let item = sender.item(&id).await;
    assert_eq!(sender.hand_in(&metadata, b"12345").await.ok().id(), id);
    assert_eq!(sender.item(&id).await, item);
}

#[tokio::test]
async fn a_document_is_found_by_the_bare_ids_of_its_neighbours() {
    let sender = Sender::new();
    let mut metadata = with(&metadata(), "studentNumber", json!("0012"));
    metadata = with(&metadata, "sequenceCode", json!("1.2"));
    metadata = with(&metadata, "examCode", json!("REK-3F"));
    metadata = with(&metadata, "examComponentOffering", json!(OFFERING));
    metadata["person"] = json!(PERSON.to_uppercase());
    metadata["offering"] = json!("groep-7");
    let id = sender.hand_in(&metadata, b"x").await.ok().id();
    let links = sender.metadata_of(&id).await["links"].clone();
    assert_eq!(
        links,
        json!({
            "associationId": ASSOCIATION, "offeringId": "groep-7", "personId": PERSON, "studentNumber": "0012",
            "sequenceCode": "1.2", "examCode": "REK-3F", "examComponentOffering": OFFERING,
        })
    );
    for (kind, key) in [("association", ASSOCIATION), ("offering", "groep-7"), ("person", PERSON), ("student", "0012")]
    {
        assert!(sender.found_by(kind, key).await.contains(&id), "{kind}");
    }
}

#[tokio::test]
async fn and_by_those_in_expanded_objects_as_flow_1_prints_them() {
    let sender = Sender::new();
    let mut metadata = metadata();
    metadata["primaryCode"] = json!({ "codeType": "opleidingsblad", "code": "1.1" });
    metadata["person"] = json!({
        "personId": "111-2222-33-4444-222", "givenName": "Maartje",
        "primaryCode": [{ "codeType": "studentNumber", "code": "1234567" }],
    });
    metadata["offering"] = json!({ "offeringId": OFFERING, "name": "x" });
    metadata["consumers"][0]["examComponentOffering"] = json!({ "offeringId": OFFERING });
    let id = sender.hand_in(&metadata, b"x").await.ok().id();
    let links = sender.metadata_of(&id).await["links"].clone();
    assert_eq!(
        links,
        json!({
            "associationId": ASSOCIATION, "offeringId": OFFERING, "personId": "111-2222-33-4444-222",
            "studentNumber": "1234567", "sequenceCode": "1.1", "examComponentOffering": OFFERING,
        })
    );
    assert!(sender.found_by("student", "1234567").await.contains(&id));
}

#[tokio::test]
async fn corrected_metadata_moves_a_document_to_the_ids_that_it_names() {
    let sender = Sender::new();
    let (wrong, right) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
    let mut metadata = metadata();
    metadata["person"] = json!(wrong);
    let id = sender.hand_in(&metadata, b"x").await.ok().id();
    assert!(sender.found_by("person", &wrong).await.contains(&id));
    metadata["person"] = json!(right);
    sender.hand_in(&metadata, b"x").await.ok();
    assert_eq!((sender.found_by("person", &wrong).await, sender.found_by("person", &right).await), (vec![], vec![id]));
}

#[tokio::test]
async fn a_pending_upload_is_found_too_until_it_ends() {
    let sender = Sender::new();
    let person = uuid::Uuid::new_v4().to_string();
    let mut metadata = offer(5);
    metadata["person"] = json!(person);
    let offered = sender.offer(&metadata).await.accepted();
    assert_eq!(sender.found_by("person", &person).await, [offered.id()]);
    sender.follow(&offered.body["upload"], "abort").await;
    assert!(sender.found_by("person", &person).await.is_empty());
}
