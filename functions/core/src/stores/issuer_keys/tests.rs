//! Tests of the items of issuers' keys.

use serde_json::{Value, json};

use super::*;
use crate::stores::answers::{Answers, error};

fn place() -> KeyPlace {
    KeyPlace { issuer: "https://login.example".to_owned().try_into().unwrap(), jwks: None }
}

/// Keys in DynamoDB's JSON, and as they are read.
fn keys() -> (Value, StoredKeys) {
    let keys = StoredKeys { jwks: "{}".to_owned(), fetched_at: Some(7), ..StoredKeys::default() };
    (json!({ "jwks": { "S": "{}" }, "fetchedAt": { "N": "7" } }), keys)
}

fn tenants(answers: &Answers) -> Tenants {
    Tenants::of(answers.dynamodb(), "tenants".to_owned())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[tokio::test]
async fn keys_are_none_until_they_are_fetched() {
    let (written, keys) = keys();
    for (answer, expected) in [(json!({ "Item": written }), keys), (json!({}), StoredKeys::default())] {
        assert_eq!(tenants(&Answers::of_dynamodb(&[answer])).keys(&place()).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn one_process_asks_for_keys_and_the_others_hear_what_is_known() {
    let (written, keys) = keys();
    let refused = error("ConditionalCheckFailedException", &json!({ "Item": written }));
    let fault = error("InternalServerError", &json!({}));
    for (answer, expected) in [(json!({ "Attributes": written }), "ours"), (refused, "others'"), (fault, "unavailable")]
    {
        let answers = Answers::of_dynamodb(&[answer]);
        let claim = tenants(&answers).claim_keys(&place(), at(100), Duration::from_secs(30)).await;
        let word = match claim {
            Ok(Claim::Ours(known)) if known == keys => "ours",
            Ok(Claim::Others(known)) if known == keys => "others'",
            Err(_) => "unavailable",
            other => panic!("{other:?}"),
        };
        assert_eq!(word, expected);
        let request = &answers.requests()[0];
        assert!(
            request.contains(r#"":now":{"N":"100000"}"#) && request.contains(r#"":before":{"N":"70000"}"#),
            "{request}"
        );
    }
}

#[tokio::test]
async fn what_a_fetch_found_is_noted_unless_newer_keys_are_there() {
    let (written, keys) = keys();
    let refused = error("ConditionalCheckFailedException", &json!({ "Item": written }));
    let fault = error("InternalServerError", &json!({}));
    for (answer, expected) in
        [(json!({ "Attributes": written }), Some(&keys)), (refused, Some(&keys)), (fault.clone(), None)]
    {
        let answers = Answers::of_dynamodb(&[answer]);
        let noted = tenants(&answers).note_keys(&place(), "{}".to_owned(), at(100), Duration::from_millis(60)).await;
        assert_eq!(noted.ok().as_ref(), expected);
        let request = &answers.requests()[0];
        assert!(
            request.contains(r#"":began":{"N":"100000"}"#) && request.contains(r#"":took":{"N":"60"}"#),
            "{request}"
        );
    }
    let answers = Answers::of_dynamodb(&[json!({ "Attributes": written }), fault]);
    assert_eq!(tenants(&answers).note_failure(&place(), at(100)).await.unwrap(), keys);
    assert!(tenants(&answers).note_failure(&place(), at(100)).await.is_err());
}
