//! An issuer's keys: fetched once, rotated, missing, and what must not be asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;

use axum::{
    Json,
    extract::Request,
    response::{IntoResponse, Response},
};
use okd_core::tenant::Tenant;
use okd_faults::{Call, Fault};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use support::{
    cloud::own_cloud,
    sender::{Answer, Sender, metadata, offer},
};

use crate::{
    rsa::Rsa,
    school::{School, serve_issuer},
};

/// How many processes of the api function there have been.
fn processes(sender: &Sender) -> usize {
    sender.cloud.functions["ApiFunction"].processes()
}

/// Sends this many requests a second, for a while, each with a token of that moment, and repeats one that is told to come
/// again: on a busy machine the issuer takes longer than a request waits for it. How many were answered, and what was
/// refused.
pub(crate) async fn load(
    sender: &Sender,
    per_second: u32,
    time: Duration,
    token: impl AsyncFn() -> String,
) -> (usize, Vec<String>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    let began = Instant::now();
    let mut requests = JoinSet::new();
    while began.elapsed() < time {
        ticks.tick().await;
        let mut sender = sender.clone();
        sender.token = token().await;
        requests.spawn(async move {
            let message = metadata();
            let mut answer = sender.hand_in(&message, b"x").await;
            if answer.status == 503 {
                let seconds = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                answer = sender.hand_in(&message, b"x").await;
            }
            (answer.status != 200).then(|| format!("{answer:?}"))
        });
    }
    let answers = requests.join_all().await;
    let count = answers.len();
    (count, answers.into_iter().flatten().collect())
}

#[tokio::test]
async fn rotating_the_keys_under_load_loses_no_request_and_costs_each_process_one_fetch() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let sender = school.client("sis");
    let token = async || school.issuer.token("sis", "okd:alldocuments").unwrap();
    let (count, refused) = load(&sender, 50, Duration::from_secs(3), token).await;
    assert!(refused.is_empty(), "{refused:#?}");
    let before = (school.issuer.asked(), processes(&sender));
    assert!(before.0 <= before.1, "{before:?}");
    school.issuer.rotate().unwrap();
    let (more, refused) = load(&sender, 50, Duration::from_secs(3), token).await;
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(count + more >= 250, "{count} {more}");
    // Each process that knew the old keys asks once more, and a new one once.
    let after = (school.issuer.asked(), processes(&sender));
    assert!(after.0 <= before.0 + after.1, "{before:?} {after:?}");
}

#[tokio::test]
async fn a_signature_that_the_tenant_does_not_accept_is_refused_whatever_its_key() {
    let cloud = own_cloud();
    let school = School::with(cloud, |tenant| {
        tenant.algorithms = vec!["RS256".parse().unwrap(), "ES384".parse().unwrap()];
    })
    .await;
    // Its issuer's key is for ES256.
    school.client("sis").hand_in(&metadata(), b"x").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_key_that_the_issuer_has_withdrawn_is_refused_once_its_keys_are_fetched_again() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let old = school.client("sis");
    old.hand_in(&metadata(), b"x").await.ok();
    school.issuer.rotate().unwrap();
    school.issuer.withdraw();
    // What has not been asked for is not known.
    old.hand_in(&metadata(), b"x").await.ok();
    school.client("sis").hand_in(&metadata(), b"x").await.ok();
    old.hand_in(&metadata(), b"x").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn while_the_issuer_is_down_nobody_whose_key_is_known_is_refused() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let sender = school.client("sis");
    sender.hand_in(&metadata(), b"x").await.ok();
    school.issuer.go_down(true);
    for _ in 0..20 {
        sender.hand_in(&metadata(), b"x").await.ok();
    }
    // A key that it does not know it cannot ask for: not now.
    school.issuer.rotate().unwrap();
    let new = school.client("sis");
    new.hand_in(&metadata(), b"x").await.problem(503, "issuer-unavailable");
    sender.hand_in(&metadata(), b"x").await.ok();
}

#[tokio::test]
async fn a_tenant_whose_keys_were_never_fetched_is_asked_for_patience_while_its_issuer_is_down() {
    let cloud = own_cloud();
    let school = School::unchecked(cloud, |_| ()).await;
    school.issuer.go_down(true);
    let sender = school.client("sis");
    let answer = sender.hand_in(&metadata(), b"x").await;
    answer.problem(503, "issuer-unavailable");
    assert_eq!(answer.headers["retry-after"], "2");
    school.issuer.go_down(false);
    // The clock fetches them, and whoever does not know that yet reads it within a minute.
    let later = jiff::Timestamp::now() + Duration::from_mins(2);
    cloud.tick(later).await.unwrap();
    end_the_process(cloud).await;
    sender.hand_in(&metadata(), b"x").await.ok();
}

/// Has the api function's process die, so that another one reads all anew.
async fn end_the_process(cloud: &'static okd_local::Cloud) {
    let put = Call { from: "ApiFunction".to_owned(), operation: "PutObject".to_owned() };
    cloud.faults.inject(put, 0, 1, Fault::KillBefore);
    let answer = Sender::to(cloud).hand_in(&metadata(), b"x").await;
    assert!(answer.status >= 500, "{answer:?}");
}

#[tokio::test]
async fn the_clock_fetches_keys_so_that_no_request_has_to() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let asked = school.issuer.asked();
    school.issuer.rotate().unwrap();
    for minutes in [1, 2, 6] {
        let later = jiff::Timestamp::now() + Duration::from_mins(minutes);
        cloud.tick(later).await.unwrap();
    }
    assert_eq!(school.issuer.asked(), asked + 1);
    // A key that is new since the tenant was added, and nobody asks for it.
    school.client("sis").hand_in(&metadata(), b"x").await.ok();
    assert_eq!(school.issuer.asked(), asked + 1);
    school.issuer.go_down(true);
    let later = jiff::Timestamp::now() + Duration::from_mins(12);
    cloud.tick(later).await.unwrap();
    let log = support::cloud::log(cloud);
    assert!(log.contains("the issuer of this tenant does not answer"));
    assert!(log.contains(r#""IssuersDown":1"#), "{log}");
}

#[tokio::test]
async fn ninety_unsigned_tokens_of_a_tenant_whose_issuer_hangs_cost_little_and_keep_nobody_waiting() {
    let cloud = own_cloud();
    let (school, other) = (School::new(cloud).await, School::new(cloud).await);
    let (sender, neighbour) = (school.client("sis"), other.client("sis"));
    sender.hand_in(&metadata(), b"x").await.ok();
    neighbour.hand_in(&metadata(), b"x").await.ok();
    school.issuer.hang(true);
    let forger = serve_issuer().await;
    let attack_on = |school: &School, sender: &Sender| {
        let mut tokens = Vec::new();
        for _ in 0..90 {
            forger.rotate().unwrap();
            tokens.push(forger.sign(&school.claims()).unwrap());
        }
        let attacker = sender.clone();
        tokio::spawn(async move {
            let send = async |token: String| {
                let mut attacker = attacker.clone();
                attacker.token = token;
                attacker.hand_in(&metadata(), b"x").await
            };
            let answers = futures_util::stream::iter(tokens).map(send).buffer_unordered(4);
            answers.collect::<Vec<Answer>>().await
        })
    };
    // What as many cost whose issuer answers: this machine may be a slow or a busy one.
    for answer in attack_on(&other, &neighbour).await.unwrap() {
        answer.problem(401, "unauthenticated");
    }
    let attack = attack_on(&school, &sender);
    // Nobody's good request is slowed down.
    let began = Instant::now();
    neighbour.hand_in(&metadata(), b"x").await.ok();
    sender.hand_in(&metadata(), b"x").await.ok();
    let waited = began.elapsed();
    for answer in attack.await.unwrap() {
        answer.problem(503, "issuer-unavailable");
    }
    let log = support::cloud::log(cloud);
    let cost_of = |status: u64| {
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let answered =
            lines.filter(|line| line["fields"]["message"] == "answered" && line["fields"]["status"] == status);
        let times = answered.map(|line| line["fields"]["duration_ms"].as_u64().unwrap());
        let times: Vec<u64> = times.collect();
        assert_eq!(times.len(), 90);
        times.iter().sum::<u64>()
    };
    let (calm, all) = (cost_of(401), cost_of(503));
    eprintln!(
        "90 unsigned tokens cost {all} ms of function time, and {calm} where the issuer answers; two good requests beside them took {waited:?}"
    );
    assert!(all < 5000 + calm, "{all}, {calm}");
    assert!(log.contains(r#""Tenant":"school-"#), "the metric names the tenant");
}

#[tokio::test]
async fn keys_that_nobody_has_make_the_issuer_be_asked_once() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    let sender = school.client("sis");
    sender.hand_in(&metadata(), b"x").await.ok();
    let before = school.issuer.asked();
    let forger = serve_issuer().await;
    for _ in 0..30 {
        // Each time with another key id.
        forger.rotate().unwrap();
        let mut false_one = sender.clone();
        false_one.token = forger.sign(&school.claims()).unwrap();
        false_one.hand_in(&metadata(), b"x").await.problem(401, "unauthenticated");
    }
    assert_eq!(processes(&sender), 1);
    assert_eq!(school.issuer.asked(), before + 1);
}

#[tokio::test]
async fn an_issuer_that_nobody_has_costs_one_read_however_often_it_comes() {
    let cloud = own_cloud();
    let stranger = serve_issuer().await;
    let mut sender = Sender::to(cloud);
    sender.token = stranger.token("sis", "okd:alldocuments").unwrap();
    for _ in 0..20 {
        let detail = sender.offer(&offer(5)).await.problem(401, "unauthenticated");
        assert!(detail.contains("not one that this service can accept"), "{detail}");
    }
    let reads = cloud.faults.calls().into_iter();
    let reads = reads.filter(|call| call.from == "ApiFunction").count();
    assert_eq!((reads, stranger.asked()), (1, 0));
}

#[tokio::test]
async fn while_tenants_cannot_be_read_a_new_issuer_is_asked_for_patience_and_a_known_one_goes_on() {
    let cloud = own_cloud();
    let (known, new) = (School::new(cloud).await, School::new(cloud).await);
    known.client("sis").hand_in(&metadata(), b"x").await.ok();
    let call = Call { from: "ApiFunction".to_owned(), operation: okd_local::dynamodb::TENANTS_READ.to_owned() };
    cloud.faults.inject(call, 0, 3, Fault::Fail);
    new.client("sis").hand_in(&metadata(), b"x").await.problem(503, "try-again");
    known.client("sis").hand_in(&metadata(), b"x").await.ok();
    new.client("sis").hand_in(&metadata(), b"x").await.ok();
}

/// A server that answers everything with what `answer` makes of the request; how often it was asked.
pub(crate) async fn serve(
    answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::default());
    let counter = Arc::clone(&asked);
    let (started, url) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            started.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            let router = axum::Router::new().fallback(move |request: Request| {
                counter.fetch_add(1, Ordering::SeqCst);
                let answer = answer(&request);
                async move { answer }
            });
            axum::serve(listener, router).await.unwrap();
        });
    });
    (url.await.unwrap(), asked)
}

/// A school whose keys are said to be there.
async fn school_with_keys_at(cloud: &'static okd_local::Cloud, url: &str) -> School {
    let url = url.parse().unwrap();
    School::unchecked(cloud, |tenant: &mut Tenant| tenant.jwks = Some(url)).await
}

/// A server of this key set.
pub(crate) async fn serve_keys(keys: Value) -> String {
    let set = json!({ "keys": keys });
    let (url, _) = serve(move |_| Json(set.clone()).into_response()).await;
    url
}

#[tokio::test]
async fn a_firewall_that_wants_to_know_who_asks_for_what_lets_us_through() {
    let key = Rsa::new("behind-a-firewall");
    let set = json!({ "keys": [key.jwk()] });
    let (url, _) = serve(move |request| {
        let said = |name: &str, text: &str| {
            let value = request.headers().get(name);
            value.is_some_and(|value| value.to_str().unwrap().contains(text))
        };
        let agent = concat!("okd-documents/", env!("CARGO_PKG_VERSION"));
        if said("user-agent", agent)
            && said("accept", "application/json")
            && said("accept", "application/jwk-set+json")
            && said("accept-encoding", "identity")
        {
            Json(set.clone()).into_response()
        } else {
            axum::http::StatusCode::FORBIDDEN.into_response()
        }
    })
    .await;
    let school = school_with_keys_at(own_cloud(), &url).await;
    let mut sender = school.client("sis");
    sender.token = key.token(&school.claims());
    sender.hand_in(&metadata(), b"x").await.ok();
}

#[tokio::test]
async fn a_key_set_as_java_writes_it_with_a_zero_before_each_number_is_understood() {
    let key = Rsa::new("java");
    let school = school_with_keys_at(own_cloud(), &serve_keys(json!([key.javas_jwk()])).await).await;
    let mut sender = school.client("sis");
    sender.token = key.token(&school.claims());
    sender.hand_in(&metadata(), b"x").await.ok();
}

#[tokio::test]
async fn a_key_set_without_key_ids_is_named_as_the_reason() {
    let mut nameless = Rsa::new("nameless");
    let jwk = nameless.jwk();
    let without_id = json!({ "kty": "RSA", "n": jwk["n"], "e": jwk["e"] });
    let school = school_with_keys_at(own_cloud(), &serve_keys(json!([without_id])).await).await;
    let mut sender = school.client("sis");
    "any".clone_into(&mut nameless.kid);
    sender.token = nameless.token(&school.claims());
    let answer = sender.hand_in(&metadata(), b"x").await;
    let detail = answer.problem(401, "unauthenticated");
    assert!(detail.contains("whose log says why"), "{detail}");
    let log = support::cloud::log(school.cloud);
    assert!(log.contains("none of the issuer"), "{log}");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let cloud = own_cloud();
    let (inside, asked_inside) = serve(|_| axum::response::IntoResponse::into_response("{\"keys\": []}")).await;
    let (outside, asked_outside) = serve(move |_| {
        let elsewhere = axum::response::Redirect::temporary(&inside);
        axum::response::IntoResponse::into_response(elsewhere)
    })
    .await;
    let school = school_with_keys_at(cloud, &format!("{outside}/jwks")).await;
    school.client("sis").hand_in(&metadata(), b"x").await.problem(503, "issuer-unavailable");
    assert_eq!((asked_outside.load(Ordering::SeqCst), asked_inside.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn a_key_set_without_end_is_given_up() {
    let cloud = own_cloud();
    let (url, _) = serve(|_| {
        let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
        axum::response::Response::new(axum::body::Body::from_stream(endless))
    })
    .await;
    let school = school_with_keys_at(cloud, &url).await;
    school.client("sis").hand_in(&metadata(), b"x").await.problem(503, "issuer-unavailable");
}

#[tokio::test]
async fn no_address_of_our_own_network_is_asked_for_keys() {
    let cloud = own_cloud();
    for url in
        ["https://169.254.169.254/keys", "https://10.0.0.1/keys", "http://login.example/keys", "https://[::1]:9001/"]
    {
        let school = school_with_keys_at(cloud, url).await;
        let began = Instant::now();
        school.client("sis").hand_in(&metadata(), b"x").await.problem(503, "issuer-unavailable");
        assert!(began.elapsed() < Duration::from_secs(4), "{url} was waited for");
    }
    let log = support::cloud::log(cloud);
    assert_eq!(log.matches("is not a public address").count(), 3);
    assert_eq!(log.matches("without TLS").count(), 1);
}

#[tokio::test]
async fn a_discovery_document_must_be_the_issuers_own() {
    let cloud = own_cloud();
    let real = serve_issuer().await;
    let jwks = format!("{}/jwks", real.url());
    let (impostor, _) = serve(move |_| {
        let document = json!({ "issuer": "https://login.example", "jwks_uri": jwks });
        axum::response::IntoResponse::into_response(axum::Json(document))
    })
    .await;
    let school = School::unchecked(cloud, |tenant| {
        tenant.issuer = impostor.clone().try_into().unwrap();
    })
    .await;
    let mut sender = school.client("sis");
    let claims = json!({
        "iss": impostor, "aud": "okd", "client_id": "sis", "scope": "okd:alldocuments",
        "exp": jiff::Timestamp::now().as_second() + 600,
    });
    sender.token = real.sign(&claims).unwrap();
    sender.hand_in(&metadata(), b"x").await.problem(503, "issuer-unavailable");
    assert_eq!(real.asked(), 0);
}
