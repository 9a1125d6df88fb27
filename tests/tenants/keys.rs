//! An issuer's keys: fetched once, rotated, missing, and what must not be asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use okd_core::tenant::Tenant;
use okd_local::wire::{Call, Fault};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    cloud::own_cloud,
    school::{School, serve_issuer},
    sender::{Sender, metadata, offer},
};

/// How many processes of the api function there have been.
fn processes(sender: &Sender) -> usize {
    sender.cloud.functions["ApiFunction"].processes()
}

/// Sends this many requests a second, for a while, each with a token of that moment; how many were answered, and
/// what was refused.
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
            let answer = sender.hand_in(&metadata(), b"x").await;
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
    school
        .client("sis")
        .hand_in(&metadata(), b"x")
        .await
        .problem(401, "unauthenticated");
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
    old.hand_in(&metadata(), b"x")
        .await
        .problem(401, "unauthenticated");
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
    new.hand_in(&metadata(), b"x")
        .await
        .problem(503, "try-again");
    sender.hand_in(&metadata(), b"x").await.ok();
}

#[tokio::test]
async fn a_process_that_never_knew_its_keys_asks_for_patience_while_the_issuer_is_down() {
    let cloud = own_cloud();
    let school = School::new(cloud).await;
    school.issuer.go_down(true);
    let sender = school.client("sis");
    let answer = sender.hand_in(&metadata(), b"x").await;
    answer.problem(503, "try-again");
    assert_eq!(answer.headers["retry-after"], "2");
    school.issuer.go_down(false);
    let patient = async {
        while sender.hand_in(&metadata(), b"x").await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), patient)
        .await
        .unwrap();
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
        let claims = json!({
            "iss": school.issuer.url(), "aud": "okd", "client_id": "sis", "scope": "okd:alldocuments",
            "exp": jiff::Timestamp::now().as_second() + 600,
        });
        false_one.token = forger.sign(&claims).unwrap();
        false_one
            .hand_in(&metadata(), b"x")
            .await
            .problem(401, "unauthenticated");
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
        let detail = sender
            .offer(&offer(5))
            .await
            .problem(401, "unauthenticated");
        assert!(
            detail.contains("issuer that this service does not know"),
            "{detail}"
        );
    }
    let reads = cloud.wire.calls().into_iter();
    let reads = reads.filter(|call| call.from == "ApiFunction").count();
    assert_eq!((reads, stranger.asked()), (1, 0));
}

#[tokio::test]
async fn while_tenants_cannot_be_read_a_new_issuer_is_asked_for_patience_and_a_known_one_goes_on() {
    let cloud = own_cloud();
    let (known, new) = (School::new(cloud).await, School::new(cloud).await);
    known.client("sis").hand_in(&metadata(), b"x").await.ok();
    let call = Call {
        from: "ApiFunction".to_owned(),
        operation: okd_local::dynamodb::TENANTS_READ.to_owned(),
    };
    cloud.wire.plant(call, 0, 3, Fault::Fail);
    new.client("sis")
        .hand_in(&metadata(), b"x")
        .await
        .problem(503, "try-again");
    known.client("sis").hand_in(&metadata(), b"x").await.ok();
    new.client("sis").hand_in(&metadata(), b"x").await.ok();
}

/// A server that answers everything with what `answer` makes of the path; how often it was asked.
async fn serve(
    answer: impl Fn(&str) -> axum::response::Response + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::default());
    let counter = Arc::clone(&asked);
    let (started, url) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            started
                .send(format!("http://{}", listener.local_addr().unwrap()))
                .unwrap();
            let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
                counter.fetch_add(1, Ordering::SeqCst);
                let answer = answer(request.uri().path());
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
    School::with(cloud, |tenant: &mut Tenant| tenant.jwks = Some(url)).await
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let cloud = own_cloud();
    let (inside, asked_inside) =
        serve(|_| axum::response::IntoResponse::into_response("{\"keys\": []}")).await;
    let (outside, asked_outside) = serve(move |_| {
        let elsewhere = axum::response::Redirect::temporary(&inside);
        axum::response::IntoResponse::into_response(elsewhere)
    })
    .await;
    let school = school_with_keys_at(cloud, &format!("{outside}/jwks")).await;
    school
        .client("sis")
        .hand_in(&metadata(), b"x")
        .await
        .problem(503, "try-again");
    assert_eq!(
        (
            asked_outside.load(Ordering::SeqCst),
            asked_inside.load(Ordering::SeqCst)
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn a_key_set_without_end_is_given_up() {
    let cloud = own_cloud();
    let (url, _) = serve(|_| {
        let endless =
            futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
        axum::response::Response::new(axum::body::Body::from_stream(endless))
    })
    .await;
    let school = school_with_keys_at(cloud, &url).await;
    school
        .client("sis")
        .hand_in(&metadata(), b"x")
        .await
        .problem(503, "try-again");
}

#[tokio::test]
async fn no_address_of_our_own_network_is_asked_for_keys() {
    let cloud = own_cloud();
    for url in [
        "https://169.254.169.254/keys",
        "https://10.0.0.1/keys",
        "http://login.example/keys",
        "https://[::1]:9001/",
    ] {
        let school = school_with_keys_at(cloud, url).await;
        let began = Instant::now();
        school
            .client("sis")
            .hand_in(&metadata(), b"x")
            .await
            .problem(503, "try-again");
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{url} was waited for"
        );
    }
    let log = crate::cloud::log(cloud);
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
    let school = School::with(cloud, |tenant| {
        tenant.issuer = impostor.clone().try_into().unwrap();
    })
    .await;
    let mut sender = school.client("sis");
    let claims = json!({
        "iss": impostor, "aud": "okd", "client_id": "sis", "scope": "okd:alldocuments",
        "exp": jiff::Timestamp::now().as_second() + 600,
    });
    sender.token = real.sign(&claims).unwrap();
    sender
        .hand_in(&metadata(), b"x")
        .await
        .problem(503, "try-again");
    assert_eq!(real.asked(), 0);
}
