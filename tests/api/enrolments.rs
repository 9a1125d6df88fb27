//! What is reported of enrolments (flow 5), and the time for which documents are to be kept that follows from it.

use serde_json::{Value, json};
use uuid::Uuid;

use support::{
    cloud::own_cloud,
    sender::{Answer, Sender, metadata, offer, with, without},
};

fn path(association: &Uuid) -> String {
    format!("/okd/v1/associations/{association}")
}

async fn report(sender: &Sender, method: &str, media_type: &str, association: &Uuid, message: &Value) -> Answer {
    let request = sender.request(method, &path(association)).header("content-type", media_type);
    sender.send(request.body(message.to_string())).await
}

async fn patch(sender: &Sender, association: &Uuid, message: &Value) {
    let answer = report(sender, "PATCH", "application/merge-patch+json", association, message).await;
    assert_eq!((answer.status, &answer.body), (204, &json!("")), "{answer:?}");
}

/// The association's item, as the table has it.
async fn known(sender: &Sender, association: &Uuid) -> Option<Value> {
    let partition = format!("local-school#association#{association}");
    let mut items = sender.items().await;
    items.retain(|item| item["pk"] == partition && item["sk"] == "#association");
    items.pop()
}

fn status(state: &str) -> Value {
    json!({
        "associationType": "programOfferingAssociation", "role": "student", "state": state,
        "person": "5ab399b8-c499-4da8-af6d-b55e66251f31",
        "consumers": [{ "consumerKey": "nl-okd", "studentNumber": "900123", "enrollmentFinalEndDate": "2026-07-31" }],
    })
}

#[tokio::test]
async fn a_report_is_remembered_however_it_is_sent_and_whatever_is_known_of_the_enrolment() {
    let sender = Sender::new();
    let mut dates_alone = status("finished");
    dates_alone.as_object_mut().unwrap().remove("state");
    let mut state_alone = status("finished");
    state_alone.as_object_mut().unwrap().remove("consumers");
    let mut of_others = state_alone.clone();
    of_others["consumers"] = json!([{ "consumerKey": "nl-rio" }]);
    // As it was printed until September 2025.
    let wrapped = json!({ "association": state_alone });
    for (message, state, date) in [
        (&status("finished"), "finished", "2026-07-31"),
        (&dates_alone, "null", "2026-07-31"),
        (&state_alone, "finished", "null"),
        (&of_others, "finished", "null"),
        (&wrapped, "finished", "null"),
    ] {
        for (method, media_type) in [
            ("PATCH", "application/merge-patch+json"),
            ("PATCH", "application/json; charset=utf-8"),
            ("PUT", "application/merge-patch+json"),
            ("PUT", "application/json"),
            ("POST", "application/json"),
        ] {
            let association = Uuid::new_v4();
            let answer = report(&sender, method, media_type, &association, message).await;
            assert_eq!(answer.status, 204, "{method} {media_type} {message}: {answer:?}");
            let known = known(&sender, &association).await.unwrap();
            let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
            assert_eq!(
                (text(&known["state"]), text(&known["dates"]["enrollmentFinalEndDate"])),
                (state.to_owned(), date.to_owned())
            );
            assert_eq!(known["asSent"], message.to_string());
        }
    }
}

#[tokio::test]
async fn all_six_states_are_taken_and_both_spellings_of_one() {
    let sender = Sender::new();
    for state in ["pending", "canceled", "cancelled", "denied", "associated", "queued", "finished"] {
        let association = Uuid::new_v4();
        patch(&sender, &association, &status(state)).await;
        assert_eq!(known(&sender, &association).await.unwrap()["state"], state.replace("ll", "l"));
    }
}

#[tokio::test]
async fn what_a_report_does_not_name_stays_and_null_takes_a_date_away() {
    let sender = Sender::new();
    let association = Uuid::new_v4();
    let date = |date: Value| json!({ "consumers": [{ "consumerKey": "nl-okd", "enrollmentFinalEndDate": date }] });
    patch(&sender, &association, &status("finished")).await;
    patch(&sender, &association, &date(json!("2026-08-31"))).await;
    let after = known(&sender, &association).await.unwrap();
    assert_eq!(
        (&after["state"], &after["dates"]),
        (&json!("finished"), &json!({ "enrollmentFinalEndDate": "2026-08-31" }))
    );
    patch(&sender, &association, &date(Value::Null)).await;
    let after = known(&sender, &association).await.unwrap();
    assert_eq!((&after["state"], &after["dates"], &after["revision"]), (&json!("finished"), &json!({}), &json!(3)));
    // The same again changes nothing.
    patch(&sender, &association, &date(Value::Null)).await;
    assert_eq!(known(&sender, &association).await.unwrap(), after);
}

#[tokio::test]
async fn an_enrolment_is_the_tenants_and_takes_the_scope_of_enrolment() {
    let sender = Sender::new();
    let association = Uuid::new_v4();
    let id = sender.hand_in_at(&path(&association), &of(&association), b"x").await.ok().id();
    let mut sis = sender.clone();
    for (scope, status_code) in [
        ("okd:examdocuments", 403),
        ("okd:bpvdocuments okd:graduationdocuments", 403),
        ("okd:enrollmentderollment", 204),
        ("okd:alldocuments", 204),
    ] {
        sis.token = sender.cloud.issuer.token("another-client", scope).unwrap();
        let answer = report(&sis, "PATCH", "application/json", &association, &status("finished")).await;
        assert_eq!(answer.status, status_code, "{scope}: {answer:?}");
    }
    let retention = retention(&sender, &id).await;
    assert_eq!(retention["since"], "enrollment-ended");
}

#[tokio::test]
async fn what_is_no_report_is_refused_and_changes_nothing() {
    let sender = Sender::new();
    let association = Uuid::new_v4();
    let mut another = status("finished");
    another["associationId"] = json!(Uuid::new_v4());
    let mut bad_date = status("finished");
    bad_date["consumers"][0]["enrollmentFinalEndDate"] = json!("31-07-2026");
    for message in [json!({}), json!({ "role": "student" }), status("gone"), another, bad_date, offer(5), json!([])] {
        let answer = report(&sender, "PATCH", "application/json", &association, &message).await;
        answer.problem(422, "invalid-metadata");
    }
    let form = report(&sender, "PATCH", "text/plain", &association, &status("finished")).await;
    form.problem(415, "unsupported-media-type");
    let broken = sender.request("PATCH", &path(&association)).header("content-type", "application/json").body("{");
    sender.send(broken).await.problem(400, "malformed-json");
    assert_eq!(known(&sender, &association).await, None);
    // A form B that lacks its size is no report.
    let mut without_size = without(&offer(5), "documentSize");
    without_size["state"] = json!("associated");
    sender.offer(&without_size).await.problem(422, "invalid-metadata");
}

/// Metadata of a document on an association, with a period.
fn of(association: &Uuid) -> Value {
    let mut metadata = with(&metadata(), "bewaartermijnsuggestie", json!("3Y"));
    metadata["associationId"] = json!(association);
    metadata
}

async fn retention(sender: &Sender, id: &str) -> Value {
    let known = sender.call("GET", &format!("/okd/v1/documents/{id}/metadata")).await.ok();
    known.body["ext"]["okd"]["retention"].clone()
}

#[tokio::test]
async fn a_document_is_kept_from_the_end_of_its_enrolment_and_without_a_report_from_the_day_it_was_stored() {
    let sender = Sender::new();
    let association = Uuid::new_v4();
    let id = sender.hand_in_at(&path(&association), &of(&association), b"x").await.ok().id();
    let stored = retention(&sender, &id).await;
    assert_eq!((&stored["period"], &stored["since"]), (&json!("3Y"), &json!("stored")));
    assert!(stored["until"].as_str().unwrap() > stored["from"].as_str().unwrap(), "{stored}");
    for (state, since, from, until) in [
        ("associated", "enrollment-ends", Value::Null, Value::Null),
        ("finished", "enrollment-ended", json!("2026-07-31"), json!("2029-07-31")),
        // It was closed by mistake, and goes on.
        ("associated", "enrollment-ends", Value::Null, Value::Null),
        ("cancelled", "enrollment-ended", json!("2026-07-31"), json!("2029-07-31")),
        ("queued", "enrollment-ends", Value::Null, Value::Null),
        ("denied", "enrollment-ended", json!("2026-07-31"), json!("2029-07-31")),
    ] {
        patch(&sender, &association, &status(state)).await;
        let keeping = retention(&sender, &id).await;
        assert_eq!(keeping, json!({ "period": "3Y", "since": since, "from": from, "until": until }), "{state}");
    }
    let unsaid = without(&of(&association), "bewaartermijnsuggestie");
    let unsaid = with(&unsaid, "documentId", json!(Uuid::new_v4()));
    let id = sender.hand_in_at(&path(&association), &unsaid, b"x").await.ok().id();
    assert_eq!(retention(&sender, &id).await, Value::Null);
}

/// The days to which these documents are kept, by the list of what is to be kept to a day before this one.
async fn due(sender: &Sender, before: &str, ids: &[&str]) -> Vec<Value> {
    let mut path = format!("/okd/v1/documents?retentionDueBefore={before}&pageSize=250");
    let mut days = Vec::new();
    loop {
        let page = sender.call("GET", &path).await.ok().body;
        let items = page["items"].as_array().unwrap().iter();
        let meant = items.filter(|item| ids.contains(&item["dmsDocumentId"].as_str().unwrap()));
        days.extend(meant.map(|item| item["ext"]["okd"]["retention"]["until"].clone()));
        match page["ext"]["okd"]["after"].as_str() {
            Some(after) => path = format!("/okd/v1/documents?retentionDueBefore={before}&pageSize=250&after={after}"),
            None => return days,
        }
    }
}

#[tokio::test]
async fn what_need_no_longer_be_kept_is_listed_by_the_day_also_where_a_report_came_before_or_after_it() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let association = Uuid::new_v4();
    let hand_in = async || {
        let metadata = with(&of(&association), "documentId", json!(Uuid::new_v4()));
        sender.hand_in_at(&path(&association), &metadata, b"x").await.ok().id()
    };
    let before = hand_in().await;
    let mut sitting = with(&of(&association), "bewaartermijnsuggestie", json!("1Y"));
    sitting["offeringId"] = json!(Uuid::new_v4());
    sitting["offeringType"] = json!("component");
    let offering = format!("/okd/v1/offerings/{}", sitting["offeringId"].as_str().unwrap());
    sitting.as_object_mut().unwrap().remove("associationId");
    let stored = sender.hand_in_at(&offering, &sitting, b"x").await.ok().id();
    patch(&sender, &association, &status("finished")).await;
    let after = hand_in().await;
    let ids = [before.as_str(), &after, &stored];
    // One was told by its own write, the other waits for the clock.
    assert_eq!(due(&sender, "2029-08-01", &ids[..2]).await, ["2029-07-31"]);
    cloud.tick(jiff::Timestamp::now()).await.unwrap();
    assert_eq!(due(&sender, "2029-08-01", &ids[..2]).await, ["2029-07-31", "2029-07-31"]);
    assert_eq!(due(&sender, "2029-07-31", &ids[..2]).await, [] as [Value; 0]);
    assert_eq!(due(&sender, "9999-12-31", &ids).await.len(), 3);
    let stranger = Sender::to(cloud);
    assert_eq!(due(&stranger, "9999-12-31", &ids).await, [] as [Value; 0]);

    // It goes on after all.
    patch(&sender, &association, &status("associated")).await;
    cloud.tick(jiff::Timestamp::now()).await.unwrap();
    assert_eq!(due(&sender, "9999-12-31", &ids).await.len(), 1);
    for (id, since) in [(&before, "enrollment-ends"), (&after, "enrollment-ends"), (&stored, "stored")] {
        assert_eq!(retention(&sender, id).await["since"], since);
    }
    // The documents that are listed by the association are as they are known.
    let listed = sender.call("GET", &format!("{}/documents", path(&association))).await.ok().body;
    assert_eq!(listed["items"][0]["ext"]["okd"]["retention"], retention(&sender, &before).await);
    let known = known(&sender, &association).await.unwrap();
    assert_eq!((&known["untold"], known.get("due")), (&json!(false), None));
}

#[tokio::test]
async fn pages_of_what_is_due_hold_every_document_once() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    for number in 1..=5 {
        let metadata = with(&metadata(), "bewaartermijnsuggestie", json!(format!("{}Y", number % 3 + 1)));
        sender.hand_in(&metadata, b"x").await.ok();
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    for _ in 0..3 {
        let path = format!("/okd/v1/documents?retentionDueBefore=9999-12-31&pageSize=2{after}");
        let page = sender.call("GET", &path).await.ok().body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| {
            (item["ext"]["okd"]["retention"]["until"].as_str().unwrap().to_owned(), item["dmsDocumentId"].to_string())
        }));
        after = format!("&after={}", page["ext"]["okd"]["after"].as_str().unwrap_or_default());
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
}

#[tokio::test]
async fn a_report_takes_two_calls_to_aws_and_one_where_it_says_nothing_new() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    // The first request of a process asks whose token it is.
    patch(&sender, &Uuid::new_v4(), &status("finished")).await;
    let association = Uuid::new_v4();
    let before = cloud.faults.calls().len();
    for _ in 0..2 {
        patch(&sender, &association, &status("finished")).await;
    }
    let calls = cloud.faults.calls().split_off(before);
    let calls = calls.iter().filter(|call| call.from == "ApiFunction");
    let calls: Vec<&str> = calls.map(|call| call.operation.as_str()).collect();
    assert_eq!(calls, ["GetItem", "PutItem", "GetItem"]);
}
