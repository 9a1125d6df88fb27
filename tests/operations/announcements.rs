//! What a school's DMS is told: what becomes of its documents, at least once, and nothing of a person.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use jiff::Timestamp;
use okd_faults::{Call, Fault};
use okd_local::{
    Cloud,
    bus::{ANNOUNCED, Webhook},
    sender::secret,
};
use serde_json::{Value, json};

use support::{
    cloud::{log, own_cloud, start},
    sender::{Sender, metadata, offer, sha256, with},
};

/// A webhook that answers with what `answer` gives for each event; 403 to a stranger.
async fn webhook<F: Future<Output = StatusCode> + Send + 'static>(
    answer: impl Fn(Value) -> F + Clone + Send + Sync + 'static,
) -> Webhook {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/okd", listener.local_addr().unwrap());
    let hook = post(move |headers: HeaderMap, Json(event): Json<Value>| {
        let ours = concat!("okd-documents/", env!("CARGO_PKG_VERSION"));
        let is_ours = headers.get("user-agent").is_some_and(|agent| agent == ours);
        let answered = is_ours.then(|| answer(event));
        async move {
            match answered {
                Some(answered) => answered.await,
                None => StatusCode::FORBIDDEN,
            }
        }
    });
    let router = Router::new().route("/okd", hook);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Webhook { url, secrets: Vec::new() }
}

/// Everything that has been announced, when everything has been that is to be.
async fn announced(cloud: &Cloud) -> Vec<Value> {
    cloud.stream.as_ref().unwrap().drained().await.unwrap();
    let text = std::fs::read_to_string(cloud.data.join(ANNOUNCED)).unwrap();
    let lines = text.lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().filter_map(|event| event["detail-type"].as_str());
    kinds.collect()
}

#[tokio::test]
async fn a_document_is_announced_when_it_is_stored_corrected_verified_and_found_corrupt_and_an_upload_when_it_expires()
{
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let message = metadata();
    let id = sender.hand_in(&message, b"first").await.ok().id();
    let better = with(&message, "documentName", json!("beter.pdf"));
    sender.hand_in(&better, b"first").await.ok();
    for declared in [sha256(b"second"), sha256(b"other!")] {
        let message = with(&with(&message, "documentSize", json!(6)), "documentChecksum", json!(declared));
        let offer = sender.offer_and_send(&message, b"second").await;
        sender.follow(&offer.body["upload"], "complete").await.accepted();
        cloud.events.drained().await;
    }
    sender.offer(&with(&message, "documentSize", json!(7))).await.accepted();
    let later = Timestamp::now() + Duration::from_hours(25);
    cloud.tick(later).await.unwrap();

    let events = announced(cloud).await;
    let expected = [
        "document.stored",
        "document.corrected",
        "document.stored",
        "document.verified",
        "document.stored",
        // What was there before is current again.
        "document.stored",
        "document.corrupt",
        "upload.expired",
    ];
    assert_eq!(kinds(&events), expected);
    for event in &events {
        let detail = &event["detail"];
        assert_eq!(event["source"], "okd.documents");
        assert_eq!((&detail["dmsDocumentId"], &detail["tenant"]), (&json!(id), &json!("local-school")));
        let consumer = &detail["consumers"][0];
        assert_eq!((&consumer["consumerKey"], &consumer["documentType"]), (&json!("nl-okd"), &json!("examination")));
        let at = detail["at"].as_str().unwrap();
        assert_eq!(at.len(), "2026-11-27T16:00:00.123456789Z".len());
        at.parse::<Timestamp>().unwrap();
    }
    // The revision is the order, and the time never says otherwise. What is corrupt has the revision that stored it.
    let revisions = events.iter().map(|event| event["detail"]["revision"].as_u64());
    let revisions: Vec<u64> = revisions.map(Option::unwrap).collect();
    assert_eq!(revisions, [1, 2, 4, 5, 7, 8, 7, 10]);
    let mut ordered: Vec<&Value> = events.iter().map(|event| &event["detail"]).collect();
    ordered.retain(|detail| detail["object"]["verification"] != "corrupt");
    assert!(ordered.is_sorted_by(|one, next| one["at"].as_str() < next["at"].as_str()));
    let verification = |event: &Value| event["detail"]["object"]["verification"].clone();
    let verifications: Vec<Value> = events.iter().map(verification).collect();
    let expected = json!(["done", "done", "pending", "done", "pending", "done", "corrupt", null]);
    assert_eq!(json!(verifications), expected);
    let sizes = events.iter().map(|event| &event["detail"]["consumers"][0]["documentSize"]);
    assert_eq!(json!(sizes.collect::<Vec<_>>()), json!([5, 5, 6, 6, 6, 6, 6, 7]));

    // By its key the DMS finds the very content.
    let key = events[0]["detail"]["object"]["key"].as_str().unwrap();
    let object = sender.s3.get_object().bucket(&cloud.bucket).key(key).send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"first");
}

#[tokio::test]
async fn a_change_of_an_enrolment_is_announced_and_says_nothing_of_the_person() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let association = "9d0a4c1e-1b52-4f0e-9a61-2f6f0c1e5a12";
    let message = |state: &str| {
        json!({
            "state": state, "person": { "personId": "p", "givenName": "Maartje" },
            "consumers": [{ "consumerKey": "nl-okd", "studentNumber": "900123", "enrollmentFinalEndDate": "2026-07-31" }],
        })
    };
    for state in ["associated", "finished", "finished"] {
        let path = format!("/okd/v1/associations/{association}");
        let report = sender.request("PATCH", &path).json(&message(state));
        assert_eq!(sender.send(report).await.status, 204);
    }
    let events = announced(cloud).await;
    assert_eq!(kinds(&events), ["association.changed"; 2]);
    for (event, (revision, state)) in events.iter().zip([(1, "associated"), (2, "finished")]) {
        let mut detail = event["detail"].clone();
        for name in ["id", "at"] {
            assert!(detail.as_object_mut().unwrap().remove(name).is_some());
        }
        let expected =
            json!({ "tenant": "local-school", "associationId": association, "state": state, "revision": revision });
        assert_eq!(detail, expected);
    }
}

#[tokio::test]
async fn a_deleted_document_is_announced_to_be_removed_and_to_be_stored_when_it_is_there_again() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let message = metadata();
    let id = sender.hand_in(&message, b"first").await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    for _ in 0..2 {
        assert_eq!(sender.call("DELETE", &path).await.status, 204);
    }
    sender.hand_in(&message, b"first").await.ok();
    let events = announced(cloud).await;
    assert_eq!(kinds(&events), ["document.stored", "document.removed", "document.stored"]);
    let removed = &events[1]["detail"];
    assert_eq!((&removed["dmsDocumentId"], &removed["revision"]), (&json!(id), &json!(2)));
    assert_eq!(removed.as_object().unwrap().len(), 5, "{removed}");
    assert_eq!(sender.call("GET", &path).await.ok().body, "first");
}

#[tokio::test]
async fn what_is_only_under_way_refused_or_given_up_is_not_announced() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let message = offer(5);
    let first = sender.offer(&message).await.accepted();
    // The metadata of what is still being uploaded are corrected.
    let declared = with(&message, "documentChecksum", json!(sha256(b"12345")));
    sender.offer(&declared).await.accepted();
    sender.offer(&with(&declared, "documentName", json!("b.pdf"))).await.accepted();
    sender.follow(&first.body["upload"], "abort").await;
    let last = sender.offer(&message).await.accepted();
    sender.follow(&last.body["upload"], "abort").await;
    sender.hand_in(&json!({}), b"file").await.problem(422, "invalid-metadata");
    assert_eq!(announced(cloud).await, [] as [Value; 0]);
}

#[tokio::test]
async fn what_the_sweep_only_looks_at_is_neither_announced_nor_counted_again() {
    let cloud = crate::metrics::measuring_cloud();
    let sender = Sender::to(cloud);
    cloud.events.pause(true);
    let declared = with(&offer(6), "documentChecksum", json!(sha256(b"second")));
    let upload = sender.offer_and_send(&declared, b"second").await;
    sender.follow(&upload.body["upload"], "complete").await.accepted();
    sender.offer(&offer(7)).await.accepted();
    // One hears of a content that it cannot read back in time, both of an upload that is not complete.
    let get = Call { from: "ReconcileFunction".to_owned(), operation: "GetObject".to_owned() };
    cloud.faults.inject(get, 0, 6, Fault::Fail);
    for minutes in [20, 40] {
        let later = Timestamp::now() + Duration::from_mins(minutes);
        cloud.tick(later).await.unwrap();
    }
    assert_eq!(cloud.faults.clear(), 0);
    assert_eq!(kinds(&announced(cloud).await), ["document.stored"]);
    let begun = crate::metrics::documents(cloud, "parts", "begun");
    assert_eq!((begun, crate::metrics::documents(cloud, "parts", "stored")), (2, 1));
}

#[tokio::test]
async fn a_content_found_corrupt_after_it_was_replaced_is_announced_too() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    cloud.events.pause(true);
    let message = offer(6);
    let declared = with(&message, "documentChecksum", json!(sha256(b"other!")));
    let upload = sender.offer_and_send(&declared, b"second").await;
    sender.follow(&upload.body["upload"], "complete").await.accepted();
    sender.hand_in(&support::sender::without(&message, "documentSize"), b"later").await.ok();
    cloud.events.pause(false);
    cloud.events.drained().await;
    cloud.tick(Timestamp::now() + Duration::from_hours(1)).await.unwrap();
    let events = announced(cloud).await;
    assert_eq!(kinds(&events), ["document.stored", "document.stored", "document.corrupt"]);
    let key = |event: &Value| event["detail"]["object"]["key"].clone();
    assert_eq!(key(&events[0]), key(&events[2]));
    let detail = |index: usize| &events[index]["detail"];
    assert_eq!(detail(0)["revision"], detail(2)["revision"]);
    assert!(detail(2)["at"].as_str() > detail(1)["at"].as_str());
}

#[tokio::test]
async fn nothing_of_the_person_that_a_document_is_about_is_announced() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let mut message = metadata();
    for field in ["documentId", "documentName", "documentSubtype", "examName", "examCode", "studentNumber"] {
        message["consumers"][0][field] = json!("Geheim");
    }
    message["person"] = json!({ "givenName": "Geheim", "mail": "Geheim@school.example" });
    message["remarks"] = json!("Geheim");
    sender.hand_in(&message, b"Geheim").await.ok();
    let events = json!(announced(cloud).await).to_string();
    assert!(events.contains("document.stored"), "{events}");
    for secret in ["Geheim", support::sender::ASSOCIATION] {
        assert!(!events.contains(secret), "{secret} is in {events}");
    }
}

#[tokio::test]
async fn whatever_befalls_the_announcement_it_is_made_and_a_repeat_has_the_same_id() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let call = Call { from: "AnnounceFunction".to_owned(), operation: "PutEvents".to_owned() };
    for (fault, times) in [(Fault::KillBefore, 1), (Fault::KillAfter, 1), (Fault::Fail, 3), (Fault::LoseAnswer, 3)] {
        cloud.faults.inject(call.clone(), 0, times, fault);
        let id = sender.hand_in(&metadata(), b"file").await.ok().id();
        let events = announced(cloud).await;
        let of_this = events.iter().filter(|event| event["detail"]["dmsDocumentId"] == id);
        let ids: Vec<_> = of_this.map(|event| &event["detail"]["id"]).collect();
        let repeated = matches!(fault, Fault::KillAfter | Fault::LoseAnswer);
        assert_eq!(ids.len() > 1, repeated, "{fault:?}: {ids:?}");
        assert!(ids.iter().all(|id| *id == ids[0]) && ids[0].is_string(), "{ids:?}");
        assert_eq!(cloud.faults.clear(), 0);
    }
}

#[tokio::test]
async fn a_webhook_is_told_again_until_it_accepts() {
    let asked = Arc::new(AtomicUsize::new(0));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (counted, told) = (asked.clone(), heard.clone());
    let webhook = webhook(move |event| {
        let (counted, told) = (counted.clone(), told.clone());
        async move {
            if counted.fetch_add(1, Ordering::SeqCst) < 2 {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            told.lock().unwrap().push(event);
            StatusCode::NO_CONTENT
        }
    })
    .await;
    let cloud = start(|options| options.webhook = Some(webhook));
    let sender = Sender::to(cloud);
    let message = metadata();
    for file in [b"first", b"other"] {
        sender.hand_in(&message, file).await.ok();
    }
    let events = announced(cloud).await;
    let revisions = events.iter().map(|event| event["detail"]["id"].as_str().unwrap());
    let revisions: BTreeSet<&str> = revisions.collect();
    assert_eq!(revisions.len(), 2, "{events:?}");
    let heard: Vec<Value> = heard.lock().unwrap().clone();
    assert!(events.iter().all(|event| heard.contains(event)), "{heard:?}");
    assert!(asked.load(Ordering::SeqCst) >= 4);
}

#[tokio::test]
async fn a_webhook_is_told_by_standard_webhooks_and_may_know_either_secret_while_they_are_changed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/okd", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let hook = post(async move |headers: HeaderMap, body: String| {
        told.lock().unwrap().push((headers, body));
        // The first time it is not heard.
        if told.lock().unwrap().len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    });
    let router = Router::new().route("/okd", hook);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let secrets = vec![secret(), secret()];
    let known = secrets.clone();
    let cloud = start(|options| options.webhook = Some(Webhook { url, secrets }));
    Sender::to(cloud).hand_in(&metadata(), b"file").await.ok();
    let events = announced(cloud).await;
    let heard = heard.lock().unwrap().clone();
    assert!(heard.len() >= 2);
    for (headers, body) in &heard {
        for secret in &known {
            standardwebhooks::Webhook::new(secret).unwrap().verify(body.as_bytes(), headers).unwrap();
        }
        let id = events[0]["detail"]["id"].as_str().unwrap();
        assert_eq!(headers["webhook-id"], id, "a message that comes again has the same id");
    }
}

#[tokio::test]
async fn a_webhook_that_takes_its_time_is_told_everything_all_the_same() {
    let webhook = webhook(async |_| {
        tokio::time::sleep(Duration::from_millis(600)).await;
        StatusCode::OK
    })
    .await;
    let cloud = start(|options| options.webhook = Some(webhook));
    cloud.stream.as_ref().unwrap().pause(true);
    let sender = Sender::to(cloud);
    for _ in 0..25 {
        sender.hand_in(&metadata(), b"file").await.ok();
    }
    cloud.stream.as_ref().unwrap().pause(false);
    assert_eq!(announced(cloud).await.len(), 25);
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_for_a_version_that_can_and_what_came_before_it_is_announced() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let stream = cloud.stream.as_ref().unwrap();
    stream.pause(true);
    let before = sender.hand_in(&metadata(), b"before").await.ok().id();
    let item = [("pk", "local-school#of a later release"), ("sk", "document"), ("revision", "x")];
    let item = item.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let put = sender.dynamodb.put_item().table_name(&cloud.table);
    put.set_item(Some(item.into())).send().await.unwrap();
    sender.hand_in(&metadata(), b"after").await.ok();
    stream.pause(false);

    let unreadable = async {
        while log(cloud).matches("a write cannot be read").count() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), unreadable).await;
    waited.expect("it is tried again");
    let text = std::fs::read_to_string(cloud.data.join(ANNOUNCED)).unwrap();
    let documents = text.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["detail"]["dmsDocumentId"].as_str().unwrap().to_owned()
    });
    assert_eq!(documents.collect::<Vec<_>>(), [before]);
}
