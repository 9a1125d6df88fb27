//! A tenant's rules for how long documents are kept, and its holds.

use serde_json::{Value, json};

use support::{
    cloud::own_cloud,
    sender::{Sender, metadata, sha256, with, without},
};

use crate::command::{said, tenant};

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
