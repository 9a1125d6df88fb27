//! Who did what, when: in the document's history and in the log, and nothing of the person whom it is about.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde_json::{Value, json};

use support::{
    cloud::own_cloud,
    sender::{Sender, metadata, offer, sha256, with, without},
};

use crate::school::School;

/// The document's history, as its items have it: each entry's fields, the oldest first.
async fn history(sender: &Sender, school: &School, id: &str) -> Vec<Value> {
    let query = sender.dynamodb.query().table_name(&sender.cloud.table);
    let pk = format!("{}#{id}", school.tenant.tenant);
    let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", AttributeValue::S(pk));
    let items = query.send().await.unwrap().items.unwrap();
    let entries = |name: &str, sk: &str| {
        let items = items.iter().filter(move |item| item["sk"].as_s().unwrap().starts_with(sk));
        let lists = items.map(move |item| item[name].as_l().unwrap().clone());
        lists.flatten().map(|entry| serde_dynamo::from_attribute_value(entry).unwrap()).collect::<Vec<Value>>()
    };
    let archived = entries("entries", "history#");
    archived.into_iter().chain(entries("history", "document")).collect()
}

/// The log's lines about changes of this document.
fn logged(sender: &Sender, id: &str) -> Vec<Value> {
    let log = support::cloud::log(sender.cloud);
    let lines = log.lines().filter_map(|line| {
        let json = &line[line.find('{')?..];
        serde_json::from_str::<Value>(json).ok()
    });
    lines.filter(|line| line["fields"]["event"] == "document.changed" && line["fields"]["document"] == id).collect()
}

#[tokio::test]
async fn every_change_is_in_the_history_and_in_the_log_with_who_made_it() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let mut sender = school.client("sis");
    let mut claims = school.claims();
    claims["jti"] = json!("token-of-the-test");
    claims["name"] = json!("Maartje Geheim");
    sender.token = school.issuer.sign(&claims).unwrap();

    let mut message = offer(5);
    message["person"] = json!({ "givenName": "Maartje", "surname": "Geheim" });
    let first = sender.offer(&message).await.accepted();
    assert_eq!(sender.follow(&first.body["upload"], "abort").await.status, 204);
    let declared = with(&message, "documentChecksum", json!(sha256(b"12345")));
    let second = sender.offer(&declared).await.accepted();
    sender.send_parts(&second.body["upload"], b"12345", None).await;
    sender.complete(&second).await.ok();
    cloud.events.drained().await;
    sender.hand_in(&with(&without(&message, "documentSize"), "documentName", json!("ander.pdf")), b"12345").await.ok();
    sender.offer(&message).await.accepted();
    cloud.tick(Timestamp::now() + Duration::from_hours(25)).await.unwrap();

    let id = first.id();
    let entries = history(&sender, &school, &id).await;
    let what: Vec<&str> = entries.iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    let expected = [
        "upload-begun",
        "aborted",
        "upload-begun",
        "upload-completed",
        "verified",
        "corrected",
        "upload-begun",
        "expired",
    ];
    assert_eq!(what, expected);
    for (entry, revision) in entries.iter().zip(1..) {
        assert_eq!(entry["revision"], revision);
        let behind = ["verified", "expired"].contains(&entry["what"].as_str().unwrap());
        let who = if behind { (&Value::Null, &Value::Null) } else { (&json!("sis"), &json!("token-of-the-test")) };
        assert_eq!((&entry["client"], &entry["token"]), who, "{entry}");
        entry["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }

    let lines = logged(&sender, &id);
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, entry) in lines.iter().zip(&entries) {
        let fields = &line["fields"];
        assert_eq!(fields["tenant"], json!(school.tenant.tenant));
        assert_eq!(
            (&fields["revision"], &fields["client"], &fields["token_id"]),
            (&entry["revision"], &entry["client"], &entry["token"])
        );
        assert_eq!((&fields["what"], &fields["content_id"]), (&entry["what"], &entry["version"]));
    }
    // The request that made it, by the gateway's id.
    assert_eq!(lines[0]["span"]["requestId"].as_str().unwrap().len(), 36);
    let text = format!("{entries:?}{lines:?}");
    for secret in ["Maartje", "Geheim", "beoordeling-100245", "ander.pdf"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_long_history_stays_whole() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let sender = school.client("sis");
    let message = metadata();
    let mut id = String::new();
    for number in 0..50 {
        id = sender.hand_in(&message, format!("version {number}").as_bytes()).await.ok().id();
    }
    let entries = history(&sender, &school, &id).await;
    let revisions: Vec<u64> = entries.iter().map(|entry| entry["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refusal_is_in_the_log_with_who_was_refused() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let sender = school.client("sis");
    sender
        .call("GET", "/okd/v1/documents/4e12169d-84b9-4d21-a987-f373bbbe4e6e/upload")
        .await
        .problem(404, "no-such-document");
    let log = support::cloud::log(cloud);
    let line = log.lines().find(|line| line.contains("\"answered\"")).unwrap();
    let tenant = format!("\"tenant\":\"{}\"", school.tenant.tenant);
    assert!(line.contains(&tenant) && line.contains("\"client\":\"sis\"") && line.contains("\"status\":404"), "{line}");
}
