//! Documents listed by what they hang on and whose they are.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use okd_local::dynamodb::TENANTS_READ;
use support::{
    cloud::own_cloud,
    sender::{Sender, metadata, sha256, with},
};

fn uuid() -> String {
    Uuid::new_v4().to_string()
}

/// Metadata of a document of its own on this association.
fn on(association: &str) -> Value {
    let mut metadata = with(&metadata(), "documentId", json!(uuid()));
    metadata["associationId"] = json!(association);
    metadata
}

async fn hand_in(sender: &Sender, metadata: &Value) -> String {
    let path = format!("/okd/v1/associations/{}", metadata["associationId"].as_str().unwrap());
    sender.hand_in_at(&path, metadata, b"x").await.ok().id()
}

/// The page of a list.
async fn page(sender: &Sender, path: &str) -> Value {
    sender.call("GET", path).await.ok().body
}

fn ids(page: &Value) -> BTreeSet<String> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["dmsDocumentId"].as_str().unwrap().to_owned()).collect()
}

fn of_association(id: &str) -> String {
    format!("/okd/v1/associations/{id}/documents")
}

#[tokio::test]
async fn a_document_is_listed_by_its_association_its_offering_its_person_and_its_student() {
    let sender = Sender::new();
    let [association, offering, person] = [uuid(), uuid(), uuid()];
    let number = format!("nr/{}#&+ é", Uuid::new_v4());
    let mut metadata = with(&on(&association), "studentNumber", json!(number));
    metadata["offering"] = json!(offering.to_uppercase());
    metadata["person"] = json!({ "personId": person });
    let id = hand_in(&sender, &metadata).await;
    let search = format!("{}/okd/v1/documents", sender.cloud.url);
    let search = reqwest::Url::parse_with_params(&search, [("studentNumber", &number)]).unwrap();
    for page in [
        page(&sender, &of_association(&association.to_uppercase())).await,
        page(&sender, &format!("/okd/v1/offerings/{offering}/documents")).await,
        page(&sender, &format!("/okd/v1/persons/{person}/documents")).await,
        page(&sender, search.as_str()).await,
    ] {
        let mut expected = sender.call("GET", &format!("/okd/v1/documents/{id}/metadata")).await.ok().body;
        expected.as_object_mut().unwrap().remove("documentTempDownloadUrl");
        expected["ext"].as_object_mut().unwrap().remove("documentTempDownloadUrlExpiresAt");
        let whole = json!({
            "pageSize": 10, "pageNumber": 1, "hasPreviousPage": false, "hasNextPage": false, "items": [expected],
            "ext": { "okd": { "after": null } },
        });
        assert_eq!(page, whole);
    }
}

#[tokio::test]
async fn pages_hold_every_document_once_by_their_numbers_and_by_their_cursors() {
    let sender = Sender::new();
    let association = uuid();
    let mut all = BTreeSet::new();
    for _ in 0..7 {
        all.insert(hand_in(&sender, &on(&association)).await);
    }
    let path = of_association(&association);
    let mut by_number = Vec::new();
    let mut by_cursor = Vec::new();
    let mut after = String::new();
    for number in 1..=3 {
        let numbered = page(&sender, &format!("{path}?pageSize=3&pageNumber={number}")).await;
        by_number.extend(ids(&numbered));
        let next = page(&sender, &format!("{path}?pageSize=3&pageNumber={number}{after}")).await;
        assert_eq!(next, numbered);
        by_cursor.extend(ids(&next));
        after = format!("&after={}", next["ext"]["okd"]["after"].as_str().unwrap_or_default());
        assert_eq!((&next["hasNextPage"], &next["hasPreviousPage"]), (&json!(number < 3), &json!(number > 1)));
    }
    assert_eq!(by_number, by_cursor);
    assert_eq!(by_number, all.into_iter().collect::<Vec<_>>());
    assert_eq!(page(&sender, &format!("{path}?pageNumber=9")).await["items"], json!([]));
}

#[tokio::test]
async fn a_list_is_whole_that_takes_more_than_one_read() {
    let sender = Sender::new();
    let association = uuid();
    let mut all = BTreeSet::new();
    for _ in 0..101 {
        all.insert(hand_in(&sender, &on(&association)).await);
    }
    let path = of_association(&association);
    assert_eq!(ids(&page(&sender, &format!("{path}?pageSize=250")).await), all);
    let second = page(&sender, &format!("{path}?pageSize=100&pageNumber=2")).await;
    assert_eq!((ids(&second).len(), &second["hasNextPage"]), (1, &json!(false)));
}

#[tokio::test]
async fn a_list_is_narrowed_by_type_and_by_the_day_of_storing() {
    let sender = Sender::new();
    let association = uuid();
    let exam = hand_in(&sender, &with(&on(&association), "documentType", json!("examinering"))).await;
    let contract = hand_in(&sender, &with(&on(&association), "documentType", json!("bpv"))).await;
    let today = jiff::Timestamp::now().to_string()[..10].to_owned();
    let both: BTreeSet<_> = [exam.clone(), contract.clone()].into();
    for (query, expected) in [
        ("documentType=examination", BTreeSet::from([exam.clone()])),
        ("documentType=examinering", BTreeSet::from([exam])),
        ("documentType=bpv", BTreeSet::from([contract])),
        ("documentType=other", BTreeSet::new()),
        // The day may change while this runs.
        (&format!("since={today}"), both.clone()),
        ("since=2026-01-01&until=2999-12-31", both),
        ("until=2026-01-01", BTreeSet::new()),
        ("since=2999-12-31", BTreeSet::new()),
    ] {
        assert_eq!(
            ids(&page(&sender, &format!("{}?{query}", of_association(&association))).await),
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_is_not_stored_not_any_more_or_elsewhere_is_not_listed() {
    let sender = Sender::new();
    let [here, there] = [uuid(), uuid()];
    let mut pending = with(&on(&here), "documentSize", json!(20));
    pending["consumers"][0]["documentChecksum"] = json!(sha256(&[7; 20]));
    let offered = sender.send(sender.request("PUT", &format!("/okd/v1/associations/{here}")).json(&pending)).await;
    let offered = offered.accepted();
    assert_eq!(page(&sender, &of_association(&here)).await["items"], json!([]));
    sender.send_parts(&offered.body["upload"], &[7; 20], None).await;
    sender.complete(&offered).await.ok();
    assert_eq!(ids(&page(&sender, &of_association(&here)).await), BTreeSet::from([offered.id()]));

    // Metadata that are on their way name another association, and do not count yet.
    let mut moved = with(&pending, "documentSize", json!(21));
    moved["consumers"][0]["documentChecksum"] = json!(sha256(&[8; 21]));
    moved["person"] = json!(there);
    sender.send(sender.request("PUT", &format!("/okd/v1/associations/{here}")).json(&moved)).await.accepted();
    assert_eq!(page(&sender, &format!("/okd/v1/persons/{there}/documents")).await["items"], json!([]));

    let path = format!("/okd/v1/documents/{}", offered.id());
    assert_eq!(sender.call("DELETE", &path).await.status, 204);
    assert_eq!(page(&sender, &of_association(&here)).await["items"], json!([]));
}

#[tokio::test]
async fn while_a_newer_content_is_being_compared_the_document_is_listed_as_it_is_read() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let association = uuid();
    let message = on(&association);
    let id = hand_in(&sender, &message).await;
    cloud.events.pause(true);
    let mut newer = with(&with(&message, "documentSize", json!(20)), "documentChecksum", json!(sha256(&[7; 20])));
    newer["consumers"][0]["documentName"] = json!("newer.pdf");
    let request = sender.request("PUT", &format!("/okd/v1/associations/{association}")).json(&newer);
    let offered = sender.send(request).await.accepted();
    sender.send_parts(&offered.body["upload"], &[7; 20], None).await;
    assert_eq!(sender.follow(&offered.body["upload"], "complete").await.status, 202);
    let listed = page(&sender, &of_association(&association)).await["items"].clone();
    assert_eq!((&listed[0]["dmsDocumentId"], &listed[0]["documentSize"]), (&json!(id), &json!(1)));
    cloud.events.pause(false);
    cloud.events.drained().await;
    let listed = page(&sender, &of_association(&association)).await["items"].clone();
    assert_eq!((&listed[0]["documentName"], &listed[0]["documentSize"]), (&json!("newer.pdf"), &json!(20)));
}

#[tokio::test]
async fn a_client_lists_what_its_scopes_open() {
    let sender = Sender::new();
    let association = uuid();
    let exam = hand_in(&sender, &with(&on(&association), "documentType", json!("examination"))).await;
    hand_in(&sender, &with(&on(&association), "documentType", json!("bpv"))).await;
    let mut examiner = Sender::new();
    examiner.token = sender.cloud.issuer.token(&sender.client, "okd:examdocuments").unwrap();
    assert_eq!(ids(&page(&examiner, &of_association(&association)).await), BTreeSet::from([exam]));
}

#[tokio::test]
async fn a_query_that_cannot_be_answered_is_refused_and_says_by_which_parameter() {
    let sender = Sender::new();
    let list = of_association(&uuid());
    let search = "/okd/v1/documents";
    for (path, parameter) in [
        (format!("{list}?pageSize=0"), "pageSize"),
        (format!("{list}?pageSize=251"), "pageSize"),
        (format!("{list}?pageSize=ten"), "pageSize"),
        (format!("{list}?pageNumber=0"), "pageNumber"),
        (format!("{list}?pageNumber=-1"), "pageNumber"),
        (format!("{list}?pageNumber=2147483648"), "pageNumber"),
        (format!("{list}?documentType=exam"), "documentType"),
        (format!("{list}?since=yesterday"), "since"),
        (format!("{list}?until=2026-02-30"), "until"),
        (format!("{list}?until=2026-02-01T00:00:00Z"), "until"),
        (format!("{list}?after=zz"), "after"),
        (format!("{list}?after="), "after"),
        (format!("{list}?documenttype=bpv"), "documenttype"),
        (format!("{list}?tenant=other"), "tenant"),
        (format!("{list}?expand=person"), "expand"),
        (format!("{list}?studentNumber=1"), "studentNumber"),
        (format!("{list}?pageSize=1&pageSize=2"), "pageSize"),
        (search.to_owned(), "studentNumber"),
        (format!("{search}?retentionDueBefore=soon"), "retentionDueBefore"),
        (format!("{search}?retentionDueBefore=2026-01-01&studentNumber=1"), "retentionDueBefore"),
        (format!("{search}?studentNumber="), "studentNumber"),
        (format!("{search}?studentNumber=1&studentNumber=2"), "studentNumber"),
        (format!("{search}?studentNumber=1&personId=2"), "personId"),
    ] {
        let detail = sender.call("GET", &path).await.problem(400, "invalid-query");
        assert!(detail.contains(parameter), "{path}: {detail}");
    }
    sender.call("GET", "/okd/v1/persons/x/documents").await.problem(400, "invalid-id");
    sender.call("PUT", &list).await.problem(405, "method-not-allowed");
    let far = sender.call("GET", &format!("{list}?pageNumber=2147483647&pageSize=250")).await.ok();
    assert_eq!(far.body["items"], json!([]));
}

#[tokio::test]
async fn a_list_takes_a_call_for_the_ids_and_one_for_each_hundred_documents() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let association = uuid();
    for _ in 0..3 {
        hand_in(&sender, &on(&association)).await;
    }
    let before = cloud.faults.calls().len();
    assert_eq!(ids(&page(&sender, &of_association(&association)).await).len(), 3);
    let calls = cloud.faults.calls().split_off(before).into_iter();
    let calls = calls.filter(|call| call.from == "ApiFunction" && call.operation != TENANTS_READ);
    let calls: Vec<_> = calls.map(|call| call.operation).collect();
    assert_eq!(calls, ["Query", "BatchGetItem"]);
}
