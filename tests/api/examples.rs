//! The two messages of the user's text (OKD flow 2), mended into valid JSON, and those of OKD 1.5.

use serde_json::{Value, json};

use support::sender::{ASSOCIATION, OFFERING, Sender};

fn exam_result_2025() -> Value {
    json!({
        "associationId": ASSOCIATION,
        "associationType": "programOfferingAssociation",
        "role": "student",
        "state": "associated",
        "consumers": [{
            "consumerKey": "nl-okd",
            "documentType": "examinering",
            "documentSubtype": "examenbeoordeling",
            "documentId": "dbd3e12a-ed8b-4488-ac34-26fd4f64f40b",
            "documentName": "beoordeling-100245.pdf",
            "bewaartermijnsuggestie": "3Y",
            "examDate": "2021-09-01",
            "examComponentOffering": OFFERING,
            "examName": "Examen Mediabeheer K3-W1",
        }],
        "person": "5ab399b8-c499-4da8-af6d-b55e66251f31",
    })
}

fn exam_sitting_2025() -> Value {
    json!({
        "offeringId": OFFERING,
        "offeringType": "component",
        "name": "Examen Mediabeheer K3-W1",
        "program": {},
        "organization": "38bdbeb1-12b2-48fd-84f8-653e7adfaf99",
        "consumers": [{
            "consumerKey": "nl-okd",
            "documentType": "examinering",
            "documentSubtype": "zittingsverslag",
            "documentId": "dbd3e12a-ed8b-4488-ac34-26fd4f64f40b",
            "documentName": "verslag-100245.pdf",
            "bewaartermijnsuggestie": "6M",
        }],
    })
}

#[tokio::test]
async fn the_exam_result_of_2025_is_stored_and_a_repeat_gives_the_same_id_and_stores_nothing_twice() {
    let sender = Sender::new();
    let first = sender.hand_in(&exam_result_2025(), b"%PDF-1.4 ...").await.ok();
    let item = sender.item(&first.id()).await;
    let again = sender.hand_in(&exam_result_2025(), b"%PDF-1.4 ...").await.ok();
    assert_eq!(first.body, again.body);
    assert_eq!(first.body.as_object().unwrap().len(), 1, "exactly the standard's answer");
    assert_eq!(sender.item(&first.id()).await, item);
    assert_eq!(sender.stored_bytes(&first.id()).await, b"%PDF-1.4 ...");
}

#[tokio::test]
async fn the_exam_sitting_of_2025_is_stored_and_a_repeat_gives_the_same_id_and_stores_nothing_twice() {
    let sender = Sender::new();
    let path = format!("/okd/v1/offering/{OFFERING}");
    let first = sender.hand_in_at(&path, &exam_sitting_2025(), b"%PDF-1.4 ...").await.ok();
    let item = sender.item(&first.id()).await;
    let again = sender.hand_in_at(&path, &exam_sitting_2025(), b"%PDF-1.4 ...").await.ok();
    assert_eq!(first.body, again.body);
    assert_eq!(sender.item(&first.id()).await, item);
    assert_eq!(sender.objects(&first.id()).await.len(), 1);
}

#[tokio::test]
async fn the_messages_of_okd_1_5_are_stored_by_post_at_its_paths() {
    let sender = Sender::new();
    let result = json!({
        "associationId": ASSOCIATION,
        "associationType": "programOfferingAssociation",
        "role": "student",
        "state": "associated",
        "consumers": [{
            "consumerKey": "nl-okd",
            "studentNumber": "1234567",
            "documentType": "examination",
            "documentSubtype": "examenbeoordeling",
            "documentId": "dbd3e12a-ed8b-4488-ac34-26fd4f64f40b",
            "documentName": "beoordeling-100245.pdf",
            "retentionPeriodSuggestion": "3Y",
            "examDateTime": "2021-12-15T11:05:04Z",
            "examComponentOffering": OFFERING,
            "examCode": "MEDIAK3-W1",
            "examName": "Examen Mediabeheer K3-W1",
            "receivedDate": "2026-01-13",
            "registrationDate": "2026-01-16",
            "documentSize": 5,
        }],
        "person": "5ab399b8-c499-4da8-af6d-b55e66251f31",
        "offering": "5ffc6127-debe-48ce-90ae-75ea80756475",
    });
    let path = format!("/okd/v1/associations/{ASSOCIATION}");
    let offer = sender.send(sender.request("POST", &path).json(&result)).await.accepted();
    sender.send_parts(&offer.body["upload"], b"12345", None).await;
    sender.call("POST", offer.body["upload"]["complete"]["href"].as_str().unwrap()).await.ok();
    assert_eq!(sender.stored_bytes(&offer.id()).await, b"12345");
}

#[tokio::test]
async fn offering_and_offerings_are_the_same_resource() {
    let sender = Sender::new();
    let one = sender.hand_in_at(&format!("/okd/v1/offering/{OFFERING}"), &exam_sitting_2025(), b"x").await.ok();
    let other = sender.hand_in_at(&format!("/okd/v1/offerings/{OFFERING}"), &exam_sitting_2025(), b"x").await.ok();
    assert_eq!(one.id(), other.id());
}

#[tokio::test]
async fn what_is_stored_is_the_senders_json_word_for_word_beside_the_spelling_of_1_5() {
    let sender = Sender::new();
    let sent = exam_result_2025();
    let id = sender.hand_in(&sent, b"x").await.ok().id();
    let item = sender.item(&id).await.unwrap();
    let metadata = item["content"].as_m().unwrap()["metadata"].as_m().unwrap();
    assert_eq!(metadata["asSent"].as_s().unwrap(), &sent.to_string());
    let okd = metadata["okd"].as_m().unwrap();
    let text = |key: &str| okd[key].as_s().unwrap().as_str();
    assert_eq!(text("documentType"), "examination");
    assert_eq!(text("retentionPeriodSuggestion"), "3Y");
    assert_eq!(text("examDateTime"), "2021-09-01T12:00:00Z");
    assert_eq!(text("examComponentOffering"), OFFERING);
}

#[tokio::test]
async fn the_same_document_id_on_an_association_and_on_an_offering_names_two_documents() {
    let sender = Sender::new();
    let result = sender.hand_in(&exam_result_2025(), b"x").await.ok();
    let sitting = sender.hand_in_at(&format!("/okd/v1/offering/{OFFERING}"), &exam_sitting_2025(), b"x").await.ok();
    assert_ne!(result.id(), sitting.id());
}
