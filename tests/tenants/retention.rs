//! A tenant's rules for how long documents are kept, its holds, and the end of documents.

use serde_json::{Value, json};

use okd_core::tenant::OnDelete;
use okd_local::Cloud;
use support::{
    cloud::own_cloud,
    sender::{Sender, metadata, sha256, with, without},
};

use crate::{
    command::{said, tenant},
    school::School,
};

async fn kept(sender: &Sender, id: &str) -> Value {
    let known = sender.call("GET", &format!("/okd/v1/documents/{id}/metadata")).await.ok().body;
    let retention = &known["ext"]["okd"]["retention"];
    json!([retention["period"], retention["rulesVersion"], retention["ground"], retention["since"]])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_kept_by_the_rules_of_its_tenant_that_were_there_when_its_metadata_came() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let hand_in = async |suggestion: Option<&str>, subtype: &str| {
        let metadata = with(&without(&metadata(), "bewaartermijnsuggestie"), "documentSubtype", json!(subtype));
        let metadata = match suggestion {
            Some(suggestion) => with(&metadata, "retentionPeriodSuggestion", json!(suggestion)),
            None => metadata,
        };
        sender.hand_in(&metadata, b"x").await.ok().id()
    };
    let file = cloud.data.join("rules.json");
    let rules = json!({
        "maximum": "50Y",
        "rules": [
            { "documentType": "examination", "period": "18M", "ground": "a decision" },
            { "documentType": "examination", "documentSubtype": "diploma", "period": "40Y", "from": "stored",
              "ground": "a law", "overridesSuggestion": true },
        ],
    });
    let set = |rules: &Value| {
        std::fs::write(&file, rules.to_string()).unwrap();
        said(&tenant(cloud, &["retention", "local-school", "--set", file.to_str().unwrap()]))
    };
    // The first request has the function read of its tenant.
    let said_of = set(&rules);
    assert!(said_of.contains("version 1"), "{said_of}");
    let shown: Value = serde_json::from_str(&said(&tenant(cloud, &["retention", "local-school"]))).unwrap();
    assert_eq!((&shown["version"], &shown["rules"][1]["from"]), (&json!(1), &json!("stored")));

    for (suggestion, subtype, expected) in [
        (None, "verslag", json!(["18M", 1, "a decision", "stored"])),
        (Some("3Y"), "verslag", json!(["3Y", null, null, "stored"])),
        (Some("3Y"), "diploma", json!(["40Y", 1, "a law", "stored"])),
        (Some("60Y"), "verslag", json!(["50Y", 1, null, "stored"])),
    ] {
        let id = hand_in(suggestion, subtype).await;
        assert_eq!(kept(&sender, &id).await, expected, "{suggestion:?} {subtype}");
    }
    for (wrong, hint) in [
        (json!({ "rules": [rules["rules"][0], rules["rules"][0]] }), "two rules"),
        (json!({ "rules": [{ "documentType": "cv", "period": "1Y", "ground": "x" }] }), "cv"),
        (json!({ "rules": [{ "documentType": "bpv", "period": "1W", "ground": "x" }] }), "number from 1"),
        (json!({ "maximun": "1Y" }), "maximun"),
    ] {
        let said = set(&wrong);
        assert!(said.contains(hint) && said.contains("rules.json"), "{said}");
    }
    let said_of = said(&tenant(cloud, &["retention", "local-school", "--set", "/nowhere.json"]));
    assert!(said_of.contains("/nowhere.json"), "{said_of}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_on_hold_is_read_and_hidden_and_its_bytes_are_not_replaced() {
    let cloud = own_cloud();
    let sender = Sender::to(cloud);
    let run = |arguments: &[&str]| said(&tenant(cloud, arguments));
    let id = sender.hand_in(&metadata(), b"evidence").await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    assert!(run(&["release", "local-school", &id]).contains("was not held before"));
    assert!(run(&["hold", "local-school", &id, "--reason", "case 14"]).contains("is held from now on"));
    assert!(run(&["hold", "local-school", &id, "--reason", "case 14"]).contains("was held before"));
    assert!(run(&["hold", "local-school", "x", "--reason", "case 14"]).contains("no dmsDocumentId"));
    let replace = async || {
        let request = sender.request("PATCH", &path).header("content-type", "application/pdf");
        sender.send(request.body("forgery")).await
    };
    replace().await.problem(423, "held");
    let by_parts = json!({ "documentSize": 7, "documentChecksum": sha256(b"forgery") });
    sender.send(sender.request("PATCH", &path).json(&by_parts)).await.problem(423, "held");
    assert_eq!(sender.objects(&id).await.len(), 1);
    assert_eq!(sender.open_uploads(&id).await.len(), 0);
    let known = sender.call("GET", &format!("{path}/metadata")).await.ok().body;
    assert_eq!(known["ext"]["okd"]["held"], true);
    assert_eq!(sender.call("GET", &path).await.ok().body, "evidence");
    assert_eq!(sender.call("DELETE", &path).await.status, 204);
    assert!(run(&["undelete", "local-school", &id]).contains("is there again"));
    replace().await.problem(423, "held");
    assert!(run(&["release", "local-school", &id]).contains("is not held from now on"));
    assert_eq!(replace().await.status, 204);
}

/// A school that has what is deleted destroyed, and a client of it.
async fn destroyer(cloud: &'static Cloud) -> Sender {
    School::with(cloud, |tenant| tenant.on_delete = OnDelete::Destroy).await.client("sis")
}

async fn later(cloud: &Cloud, hours: u64) {
    cloud.tick(jiff::Timestamp::now() + std::time::Duration::from_hours(hours)).await.unwrap();
}

/// The texts of all items about a document.
async fn items_of(sender: &Sender, id: &str) -> Vec<String> {
    let mut items = sender.items().await;
    items.retain(|item| item.to_string().contains(id));
    items.iter().map(ToString::to_string).collect()
}

/// The name of the school that a document belongs to.
async fn tenant_of(sender: &Sender, id: &str) -> String {
    let items = sender.items().await;
    let own = items.iter().find_map(|item| item["pk"].as_str().unwrap().strip_suffix(&format!("#{id}")));
    own.unwrap().to_owned()
}

/// Every version of every object of a document.
async fn versions(sender: &Sender, id: &str) -> Vec<String> {
    let versions = sender.s3.list_object_versions().bucket(&sender.cloud.bucket).send().await.unwrap();
    let keys = versions.versions().iter().map(|version| version.key().unwrap().to_owned());
    keys.filter(|key| key.contains(id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_destroyed_is_gone_from_both_stores_but_for_the_fact_that_it_was_there() {
    let cloud = own_cloud();
    let sender = destroyer(cloud).await;
    let personal = with(&without(&metadata(), "bewaartermijnsuggestie"), "studentNumber", json!("900123"));
    let id = sender.hand_in(&personal, b"first").await.ok().id();
    sender.hand_in(&personal, b"second").await.ok();
    let offered = sender.offer(&with(&personal, "documentSize", json!(9))).await.accepted();
    assert_eq!(offered.id(), id);
    let path = format!("/okd/v1/documents/{id}");
    for _ in 0..2 {
        assert_eq!(sender.call("DELETE", &path).await.status, 204);
        sender.call("GET", &path).await.problem(404, "no-such-document");
    }
    later(cloud, 0).await;
    let items = items_of(&sender, &id).await;
    assert!(items.iter().all(|item| !item.contains("900123") && !item.contains("asSent")), "{items:?}");
    // Their objects wait until no request that is storing the same bytes can be under way any more.
    assert_eq!(versions(&sender, &id).await.len(), 2);
    later(cloud, 3).await;
    assert_eq!(versions(&sender, &id).await, [] as [String; 0]);
    later(cloud, 4).await;
    let items = items_of(&sender, &id).await;
    let [tombstone] = &items[..] else { panic!("{items:?}") };
    let checksum = sha256(b"second");
    assert!(
        tombstone.contains(&checksum) && tombstone.contains("doneAt") && tombstone.contains("\"sis\""),
        "{tombstone}"
    );
    assert!(!tombstone.contains("\"due\""), "{tombstone}");
    let key = tenant_of(&sender, &id).await;
    let undelete = said(&tenant(cloud, &["undelete", &key, &id]));
    assert!(undelete.contains("is not deleted, or never was stored"), "{undelete}");
    // The same message is a document again, of the same id, and stays.
    assert_eq!(sender.hand_in(&personal, b"second").await.ok().id(), id);
    later(cloud, 5).await;
    assert_eq!(sender.call("GET", &path).await.ok().body, "second");
}

#[tokio::test]
async fn bytes_that_are_handed_in_again_while_they_are_being_destroyed_stay() {
    let cloud = own_cloud();
    let sender = destroyer(cloud).await;
    let message = without(&metadata(), "bewaartermijnsuggestie");
    for ticks_before in 0..3 {
        let message = with(&message, "documentId", json!(ticks_before.to_string()));
        let id = sender.hand_in(&message, b"evidence").await.ok().id();
        let path = format!("/okd/v1/documents/{id}");
        assert_eq!(sender.call("DELETE", &path).await.status, 204);
        for _ in 0..ticks_before {
            later(cloud, 0).await;
        }
        assert_eq!(sender.hand_in(&message, b"evidence").await.ok().id(), id);
        for hours in [1, 4, 5, 6] {
            later(cloud, hours).await;
        }
        assert_eq!(sender.call("GET", &path).await.ok().body, "evidence", "{ticks_before}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_kept_or_is_held_is_not_destroyed_by_a_client_and_the_answer_says_until_when() {
    let cloud = own_cloud();
    let sender = destroyer(cloud).await;
    let id = sender.hand_in(&metadata(), b"evidence").await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    let until =
        sender.call("GET", &format!("{path}/metadata")).await.ok().body["ext"]["okd"]["retention"]["until"].clone();
    let detail = sender.call("DELETE", &path).await.problem(409, "kept");
    assert!(detail.contains(until.as_str().unwrap()), "{detail}");
    assert_eq!(sender.call("GET", &path).await.ok().body, "evidence");
    let key = tenant_of(&sender, &id).await;
    let run = |arguments: &[&str]| said(&tenant(cloud, arguments));
    run(&["hold", &key, &id, "--reason", "case 14"]);
    let detail = sender.call("DELETE", &path).await.problem(409, "kept");
    assert!(detail.contains("hold"), "{detail}");
    assert!(run(&["destroy", &key, &id]).contains("is held"));
    run(&["release", &key, &id]);
    // The operator may: a person has the right to be forgotten.
    assert!(run(&["destroy", &key, &id]).contains("gone for good"));
    assert!(run(&["destroy", &key, &id]).contains("was destroyed before"));
    sender.call("GET", &path).await.problem(404, "no-such-document");
    assert_eq!(sender.call("DELETE", &path).await.status, 204);
    for hours in [1, 4, 5] {
        later(cloud, hours).await;
    }
    assert_eq!(versions(&sender, &id).await, [] as [String; 0]);
}
