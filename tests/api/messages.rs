//! The messages that an open DMS of this kind got wrong at first, each as a school system sends it; invented people and ids.

use serde_json::{Value, json};

use support::sender::{Answer, Sender, form};

const PERSON: &str = "7d0a4c1e-1b52-4f0e-9a61-2f6f0c1e5a10";
const ENROLMENT: &str = "5b8f6a52-0d1d-4a0c-8a44-6b2f4f1f9c01";

/// A form of metadata whose part has this head, and a file.
async fn post(sender: &Sender, path: &str, head: &str, metadata: &[u8], file: &[u8]) -> Answer {
    let head = format!("content-disposition: form-data; name=\"metadata\"\r\ncontent-type: {head}");
    let file_head =
        "content-disposition: form-data; name=\"file\"; filename=\"x.pdf\"\r\ncontent-type: application/pdf";
    let body = form(&[(&head, metadata), (file_head, file)]);
    sender.send(sender.form_request("POST", path, body)).await
}

async fn hand_in(sender: &Sender, consumers: Value) -> Answer {
    let metadata = json!({ "consumers": consumers }).to_string();
    post(sender, &format!("/okd/v1/associations/{ENROLMENT}"), "application/json", metadata.as_bytes(), b"%PDF-1.7")
        .await
}

#[tokio::test]
async fn a_document_of_a_person_is_stored_with_the_scope_of_enrolment() {
    let mut sender = Sender::new();
    sender.token = sender.cloud.issuer.token(&sender.client, "okd:enrollmentderollment").unwrap();
    let metadata = json!({
        "personId": PERSON, "primaryCode": { "codeType": "studentNumber", "code": "900123" },
        "consumers": [{
            "consumerKey": "nl-okd", "documentType": "other", "documentSubtype": "DYS", "documentId": "k-77",
            "documentName": "dyslexieverklaring-900123.pdf", "retentionPeriodSuggestion": "3Y",
            "receivedDate": "2026-01-13", "registrationDate": "2026-01-16",
        }],
    });
    let path = format!("/okd/v1/persons/{PERSON}");
    post(&sender, &path, "application/json", metadata.to_string().as_bytes(), b"%PDF-1.7").await.ok().id();
}

#[tokio::test]
async fn an_enrolment_that_ended_is_reported_in_every_spelling() {
    let sender = Sender::new();
    for (media_type, state) in [
        ("application/merge-patch+json", "finished"),
        ("application/json", "finished"),
        ("application/json", "cancelled"),
    ] {
        let message = json!({
            "associationType": "programOfferingAssociation", "role": "student", "state": state, "person": PERSON,
            "consumers": [{ "consumerKey": "nl-okd", "studentNumber": "900123", "enrollmentFinalEndDate": "2026-07-31" }],
        });
        let request = sender.request("PATCH", &format!("/okd/v1/associations/{ENROLMENT}"));
        let request = request.header("content-type", media_type).body(message.to_string());
        assert_eq!(sender.send(request).await.status, 204, "{media_type} {state}");
    }
}

#[tokio::test]
async fn a_document_in_one_consumer_and_its_exam_in_another_are_one_message() {
    let sender = Sender::new();
    let consumers = json!([
        { "consumerKey": "nl-okd", "documentType": "examination", "documentId": "e-1", "documentName": "beoordeling.pdf" },
        { "consumerKey": "nl-okd", "examCode": "REK-3F", "examDateTime": "2026-05-12T12:00:00Z", "studentNumber": "900123" },
    ]);
    let id = hand_in(&sender, consumers).await.ok().id();
    assert_eq!(sender.metadata_of(&id).await["okd"]["examCode"], "REK-3F");
}

#[tokio::test]
async fn one_document_id_of_two_types_is_two_documents() {
    let sender = Sender::new();
    let consumer = |document_type: &str, name: &str| json!([{ "consumerKey": "nl-okd", "documentType": document_type, "documentId": "1", "documentName": name }]);
    let contract = hand_in(&sender, consumer("bpv", "overeenkomst.pdf")).await.ok().id();
    let diploma = hand_in(&sender, consumer("graduation", "diploma.pdf")).await.ok().id();
    assert_ne!(contract, diploma);
}

#[tokio::test]
async fn a_document_is_read_described_replaced_and_deleted() {
    let sender = Sender::new();
    let consumer =
        json!([{ "consumerKey": "nl-okd", "documentType": "examination", "documentName": "beoordeling.pdf" }]);
    let id = hand_in(&sender, consumer).await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    let read = sender.call("GET", &path).await.ok();
    assert_eq!((&read.headers["content-type"], &read.body), (&"application/pdf".parse().unwrap(), &json!("%PDF-1.7")));
    let known = sender.call("GET", &format!("{path}/metadata")).await.ok().body;
    for (name, value) in [
        ("dmsDocumentId", json!(id)),
        ("title", json!("beoordeling")),
        ("format", json!("application/pdf")),
        ("documentName", json!("beoordeling.pdf")),
        ("documentname", json!("beoordeling.pdf")),
        ("documentSize", json!(8)),
        ("documentsize", json!(8)),
    ] {
        assert_eq!(known[name], value, "{name}");
    }
    let request =
        sender.request("PATCH", &path).header("content-type", "application/octet-stream").body("%PDF-1.7 new");
    assert_eq!(sender.send(request).await.status, 204);
    assert_eq!(sender.call("GET", &path).await.ok().body, "%PDF-1.7 new");
    for _ in 0..2 {
        assert_eq!(sender.call("DELETE", &path).await.status, 204);
    }
    sender.call("GET", &path).await.problem(404, "no-such-document");
}

#[tokio::test]
async fn the_base_answers_without_a_token() {
    let sender = Sender::new();
    let service = sender.request("GET", "/okd/v1/").send().await.unwrap();
    assert_eq!(service.status(), 200);
}

#[tokio::test]
async fn metadata_of_another_charset_or_behind_a_byte_order_mark_are_read() {
    let sender = Sender::new();
    let metadata =
        json!({ "consumers": [{ "consumerKey": "nl-okd", "documentType": "bpv", "documentName": "a.pdf" }] });
    let path = format!("/okd/v1/associations/{ENROLMENT}");
    let text = metadata.to_string();
    post(&sender, &path, "text/plain; charset=US-ASCII", text.as_bytes(), b"%PDF-1.7").await.ok();
    let marked = format!("\u{feff}{text}");
    post(&sender, &path, "application/json", marked.as_bytes(), b"%PDF-1.7").await.ok();
}

#[tokio::test]
async fn what_a_dms_asks_a_school_is_told_which_methods_there_are() {
    let sender = Sender::new();
    let answer = sender.call("GET", &format!("/okd/v1/associations/{ENROLMENT}")).await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "PUT, POST, PATCH, OPTIONS");
}
