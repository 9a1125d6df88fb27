//! Tests of the items of tenants.

use serde_json::{Value, json};

use super::*;
use crate::stores::{
    answers::{Answers, error, json_of},
    stored_keys::sort_key,
};

fn tenant(name: &str) -> Tenant {
    let issuer = "https://login.example".to_owned().try_into().unwrap();
    Tenant::new(name.to_owned().try_into().unwrap(), issuer, Vec::new())
}

/// A tenant's item in DynamoDB's JSON.
fn written(tenant: &Tenant) -> Value {
    let config = serde_dynamo::to_attribute_value(tenant).unwrap();
    json_of(&Item::from([("config".to_owned(), config), ("tenant".to_owned(), text(tenant.tenant.to_string()))]))
}

fn tenants(answers: &Answers) -> Tenants {
    Tenants::of(answers.dynamodb(), "tenants".to_owned())
}

#[test]
fn a_tenant_that_cannot_be_read_does_not_hide_the_others() {
    let tenant = tenant("school");
    let config = serde_dynamo::to_attribute_value(&tenant).unwrap();
    let good = Item::from([("config".to_owned(), config)]);
    let bad = Item::from([("config".to_owned(), text("nonsense"))]);
    assert_eq!(read_tenants(vec![bad, Item::new(), good]), [tenant]);
}

#[tokio::test]
async fn removed_tenants_are_listed_among_those_that_ever_were() {
    let removed = Tenant { removed: Some(Timestamp::UNIX_EPOCH), ..tenant("removed") };
    let there = tenant("there");
    let page = json!({ "Items": [written(&removed), written(&there)] });
    let answers = Answers::of_dynamodb(&[page.clone(), page]);
    assert_eq!(tenants(&answers).ever().await.unwrap(), [removed.clone(), there.clone()]);
    assert_eq!(tenants(&answers).all().await.unwrap(), std::slice::from_ref(&there));
    for (answer, has) in
        [(json!({ "Item": written(&there) }), true), (json!({ "Item": written(&removed) }), false), (json!({}), false)]
    {
        assert_eq!(tenants(&Answers::of_dynamodb(&[answer])).has(&there.tenant).await.unwrap(), has);
    }
}

#[tokio::test]
async fn an_issuer_has_tenants_and_keys() {
    let there = tenant("there");
    let place = KeyPlace { issuer: there.issuer.clone(), jwks: None };
    let keys = json!({ "tenant": { "S": sort_key(&place) }, "jwks": { "S": "{}" } });
    let answers = Answers::of_dynamodb(&[json!({ "Items": [keys, written(&there)] })]);
    let found = tenants(&answers).of_issuer(&there.issuer).await.unwrap();
    assert_eq!(found.tenants, [there]);
    assert_eq!(found.keys, [(place, StoredKeys { jwks: "{}".to_owned(), ..StoredKeys::default() })]);
}

#[tokio::test]
async fn a_tenant_is_added_changed_and_removed_as_it_was_read() {
    let (one, elsewhere) = (Tenant { revision: 4, ..tenant("one") }, "https://login.other".to_owned());
    let moved = Tenant { issuer: elsewhere.try_into().unwrap(), ..one.clone() };
    let answers = Answers::of_dynamodb(&vec![json!({}); 4]);
    let table = tenants(&answers);
    assert_eq!(table.add(&one, None).await.unwrap(), Changed::Done);
    assert_eq!(table.add(&one, Some(&one)).await.unwrap(), Changed::Done);
    assert_eq!(table.add(&moved, Some(&one)).await.unwrap(), Changed::Done);
    assert_eq!(table.remove(&one, Timestamp::UNIX_EPOCH).await.unwrap(), Changed::Done);
    let requests = answers.requests();
    let has = |part: &str| requests.iter().map(|request| request.contains(part)).collect::<Vec<_>>();
    assert_eq!(has("attribute_not_exists(issuer)"), [true, false, false, false]);
    assert_eq!(has(r#"":before":{"N":"4"}"#), [false, true, true, true]);
    assert_eq!(has(r#""revision":{"N":"1"}"#), [true, false, false, false]);
    assert_eq!(has(r#""revision":{"N":"5"}"#), [false, true, true, true]);
    assert_eq!(has(r#""Delete""#), [false, false, true, true]);
    assert_eq!(has(r#""removed":{"S":"#), [false, false, false, true]);
}

#[tokio::test]
async fn a_tenant_that_was_changed_meanwhile_is_a_conflict() {
    let cancelled = |code: &str| {
        error("TransactionCanceledException", &json!({ "CancellationReasons": [{ "Code": "None" }, { "Code": code }] }))
    };
    for (answer, expected) in [
        (cancelled("ConditionalCheckFailed"), Some(Changed::Conflict)),
        (cancelled("ThrottlingError"), None),
        (error("InternalServerError", &json!({})), None),
    ] {
        let answers = Answers::of_dynamodb(&[answer]);
        assert_eq!(tenants(&answers).add(&tenant("one"), None).await.ok(), expected);
    }
}
