//! Tests of the search for keys.

use serde_json::{Value, json};

use super::*;
use crate::stores::answers::{Answers, error};

/// An issuer's keys as their item has them, by the seconds that have passed since each time.
fn item(asked: Option<i64>, fetched: Option<i64>, failed: Option<i64>) -> Value {
    let now = Timestamp::now().as_millisecond();
    let times = [("askedAt", asked), ("fetchedAt", fetched), ("failedAt", failed)].into_iter();
    let ago = |seconds: i64| json!({ "N": (now - seconds * 1000).to_string() });
    times.filter_map(|(name, seconds)| Some((name.to_owned(), ago(seconds?)))).collect()
}

fn tenants(answers: &Answers) -> Tenants {
    Tenants::of(answers.dynamodb(), "tenants".to_owned())
}

fn fetcher() -> Fetcher {
    Fetcher::new(vec!["http://127.0.0.1:*".to_owned()])
}

fn place(url: &str) -> KeyPlace {
    KeyPlace { issuer: url.to_owned().try_into().unwrap(), jwks: None }
}

/// A tenant of the issuer at this URL.
fn tenant(name: &str, url: &str) -> Tenant {
    Tenant::new(name.to_owned().try_into().unwrap(), url.to_owned().try_into().unwrap(), Vec::new())
}

#[test]
fn an_issuer_has_so_many_times_its_usual_time_within_bounds() {
    let known = |fetched_at, took| StoredKeys { fetched_at, took, ..StoredKeys::default() };
    for (known, milliseconds) in [
        (known(None, 0), 2000),
        (known(None, 60), 2000),
        (known(Some(1), 0), 1000),
        (known(Some(1), 60), 1200),
        (known(Some(1), 1000), 2000),
        (known(Some(1), u64::MAX), 2000),
    ] {
        let time = usual(&known, BUDGET_IN_USUAL, LEAST_BUDGET);
        assert_eq!(time, Duration::from_millis(milliseconds), "{known:?}");
    }
}

#[tokio::test]
async fn who_may_not_ask_waits_a_while_for_the_answer_of_the_one_who_does() {
    let others = |item: &Value| error("ConditionalCheckFailedException", &json!({ "Item": item }));
    let asking = item(Some(0), None, None);
    let (answered, failed) = (item(Some(0), Some(0), None), item(Some(0), None, Some(0)));
    for (given, calls) in [
        (vec![others(&answered)], 1),
        (vec![others(&failed)], 1),
        (vec![others(&asking), others(&asking), others(&answered)], 3),
        (vec![others(&asking), others(&failed)], 2),
        // The process that asked so long ago must have died.
        (vec![others(&item(Some(20), None, None))], 1),
    ] {
        let answers = Answers::of_dynamodb(&given);
        search(&tenants(&answers), &fetcher(), &place("https://login.example")).await.unwrap();
        assert_eq!(answers.requests().len(), calls, "{given:?}");
    }
}

#[tokio::test]
async fn who_may_ask_asks_and_writes_down_what_came_of_it() {
    let claimed = json!({ "Attributes": item(Some(0), None, None) });
    let noted = json!({ "Attributes": item(Some(0), None, Some(0)) });
    let answers = Answers::of_dynamodb(&[claimed.clone(), noted]);
    let known = search(&tenants(&answers), &fetcher(), &place("http://127.0.0.1:9")).await.unwrap();
    assert!(known.failed_at.is_some());
    assert!(answers.requests()[1].contains("SET failedAt"), "{:?}", answers.requests());

    let issuer = Answers::of_bodies(|url| {
        vec![json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string(), json!({ "keys": [] }).to_string()]
    });
    let noted = json!({ "Attributes": item(Some(0), Some(0), None) });
    let answers = Answers::of_dynamodb(&[claimed, noted]);
    let known = search(&tenants(&answers), &fetcher(), &place(&issuer.url)).await.unwrap();
    assert!(known.fetched_at.is_some());
    assert!(answers.requests()[1].contains("SET jwks"), "{:?}", answers.requests());
}

#[tokio::test]
async fn an_issuer_publishes_its_keys_where_its_own_discovery_document_says() {
    let keys = json!({ "keys": [] }).to_string();
    let issuer = Answers::of_bodies(|url| {
        vec![json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string(), keys.clone()]
    });
    assert_eq!(published(&fetcher(), &place(&issuer.url)).await.unwrap(), keys);
    assert!(issuer.requests()[0].contains("/.well-known/openid-configuration"));
    assert!(issuer.requests()[1].contains("GET /keys"));

    let another_s = Answers::of_bodies(|url| {
        vec![json!({ "issuer": "https://login.other", "jwks_uri": format!("{url}/keys") }).to_string()]
    });
    let refused = published(&fetcher(), &place(&another_s.url)).await.unwrap_err().to_string();
    assert!(refused.contains("https://login.other's"), "{refused}");

    let named = Answers::of_bodies(|_| vec![keys.clone()]);
    let named_place = KeyPlace { jwks: format!("{}/named", named.url).parse().ok(), ..place(&named.url) };
    assert_eq!(published(&fetcher(), &named_place).await.unwrap(), keys);
}

#[tokio::test]
async fn a_tenant_whose_issuer_is_silent_is_reported_and_a_removed_one_is_not_asked_for() {
    let (there, removed) = (tenant("there", "http://127.0.0.1:9"), tenant("removed", "http://127.0.0.1:9"));
    let removed = Tenant { removed: Some(Timestamp::UNIX_EPOCH), ..removed };
    for (known, silent, calls) in [
        (item(None, Some(1), None), false, 1),
        (item(None, Some(400), Some(1)), true, 1),
        (item(None, Some(1), Some(400)), false, 1),
        (item(None, Some(400), None), true, 2),
    ] {
        let failed = json!({ "Attributes": item(None, Some(400), Some(0)) });
        let answers = Answers::of_dynamodb(&[json!({ "Item": known }), failed]);
        let tenants_of_table = [there.clone()];
        let found = refresh(&tenants(&answers), &tenants_of_table, &fetcher(), Timestamp::now()).await;
        assert_eq!(found, if silent { vec![&there.tenant] } else { vec![] }, "{known}");
        assert_eq!(answers.requests().len(), calls, "{known}");
    }
    let answers = Answers::of_dynamodb(&[]);
    assert!(refresh(&tenants(&answers), &[removed], &fetcher(), Timestamp::now()).await.is_empty());
}
