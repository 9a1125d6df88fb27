//! Every rule of the access token.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use okd_local::issuer::Issuer;
use serde_json::{Value, json};

use support::sender::{Answer, SHARED, Sender, association, metadata, offer, with, without};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims() -> Value {
    json!({
        "iss": SHARED.issuer_url, "aud": "okd", "client_id": "test-tokens", "scope": "okd:examdocuments",
        "iat": now(), "exp": now() + 600,
    })
}

fn claim(key: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
        value => claims[key] = value,
    }
    claims
}

async fn with_authorization(values: &[&str]) -> Answer {
    let sender = Sender::new();
    let mut request = sender.request("PUT", &association()).json(&offer(5));
    for value in values {
        request = request.header("authorization", *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.json().await.unwrap() }
}

async fn with_token(token: &str) -> Answer {
    with_authorization(&[&format!("Bearer {token}")]).await
}

async fn with_claims(claims: &Value) -> Answer {
    with_token(&SHARED.issuer.sign(claims).unwrap()).await
}

/// What is told of a token before its signature was checked: nothing by which anybody could find out who is a customer.
const NOT_OURS: &str = "not one that this service can accept";

fn refused(answer: &Answer, hint: &str) {
    let detail = answer.problem(401, "unauthenticated");
    assert!(detail.contains(hint), "{detail}");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer realm=\"okd\", error=\"invalid_token\""), "{challenge}");
}

#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    for values in [&[][..], &["Basic dXNlcjpwYXNz"], &["Bearer"]] {
        let answer = with_authorization(values).await;
        answer.problem(401, "unauthenticated");
        assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"okd\"");
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    let token = SHARED.issuer.sign(&claims()).unwrap();
    with_authorization(&[&format!("bEARER {token}")]).await.accepted();
}

#[tokio::test]
async fn of_two_authorization_headers_only_the_last_counts() {
    let token = format!("Bearer {}", SHARED.issuer.sign(&claims()).unwrap());
    with_authorization(&["Bearer x.y.z", &token]).await.accepted();
    refused(&with_authorization(&[&token, "Bearer x.y.z"]).await, "not a JWT");
}

#[tokio::test]
async fn what_is_no_jwt_or_over_8_kib_is_refused() {
    refused(&with_token("abc").await, "not a JWT");
    refused(&with_token("a.b.c").await, "not a JWT");
    refused(&with_claims(&claim("padding", json!("x".repeat(6000)))).await, "8 KiB");
}

#[tokio::test]
async fn a_token_signed_by_another_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = Issuer::open(folder.path(), SHARED.issuer_url.clone()).unwrap();
    refused(&with_token(&other.sign(&claims()).unwrap()).await, NOT_OURS);
}

#[tokio::test]
async fn a_token_whose_claims_were_changed_is_refused() {
    let token = SHARED.issuer.sign(&claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let changed = BASE64URL.encode(claim("client_id", json!("somebody-else")).to_string());
    refused(&with_token(&format!("{}.{changed}.{}", parts[0], parts[2])).await, NOT_OURS);
}

#[tokio::test]
async fn a_token_that_chooses_its_own_algorithm_is_refused() {
    let payload = BASE64URL.encode(claims().to_string());
    let none = BASE64URL.encode(json!({ "alg": "none", "kid": "local" }).to_string());
    refused(&with_token(&format!("{none}.{payload}.")).await, "not a JWT");
    for algorithm in ["HS256", "RS256", "ES384"] {
        let header = BASE64URL.encode(json!({ "alg": algorithm, "kid": "local" }).to_string());
        let signature = BASE64URL.encode([1; 64]);
        refused(&with_token(&format!("{header}.{payload}.{signature}")).await, NOT_OURS);
    }
}

#[tokio::test]
async fn a_token_with_an_unknown_or_no_key_id_is_refused() {
    let token = SHARED.issuer.sign(&claims()).unwrap();
    let rest = token.split_once('.').unwrap().1;
    for (header, hint) in
        [(json!({ "alg": "ES256", "kid": "../../local" }), NOT_OURS), (json!({ "alg": "ES256" }), "header has no kid")]
    {
        refused(&with_token(&format!("{}.{rest}", BASE64URL.encode(header.to_string()))).await, hint);
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_access_or_bound_to_a_key_is_refused_with_what_to_do() {
    let bound = json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    for (name, value, hint) in [
        ("token_use", json!("id"), "its `token_use` says"),
        ("typ", json!("ID"), "its `typ` says"),
        ("typ", json!("refresh"), "Send the access_token"),
        ("cnf", bound, "Request a plain bearer token"),
    ] {
        refused(&with_claims(&claim(name, value)).await, hint);
    }
    for (name, value) in [("token_use", json!("access")), ("typ", json!("Bearer")), ("typ", json!("at+jwt"))] {
        with_claims(&claim(name, value)).await.accepted();
    }
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let token = SHARED.issuer.sign(&claims()).unwrap();
    let rest = token.split_once('.').unwrap().1;
    let header = BASE64URL.encode(json!({ "alg": "ES256", "kid": "local", "typ": "logout+jwt" }).to_string());
    refused(&with_token(&format!("{header}.{rest}")).await, "not a JWT");
}

#[tokio::test]
async fn an_expired_token_is_refused_after_a_minute_of_grace() {
    with_claims(&claim("exp", json!(now() - 30))).await.accepted();
    refused(&with_claims(&claim("exp", json!(now() - 90))).await, "expired");
}

#[tokio::test]
async fn a_token_that_is_not_valid_yet_is_refused() {
    with_claims(&claim("nbf", json!(now() + 30))).await.accepted();
    refused(&with_claims(&claim("nbf", json!(now() + 90))).await, "not valid yet");
}

#[tokio::test]
async fn a_token_without_exp_iss_or_aud_is_refused() {
    for (key, hint) in [("exp", "`exp`"), ("iss", "`iss`"), ("aud", NOT_OURS)] {
        refused(&with_claims(&claim(key, Value::Null)).await, hint);
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
    refused(&with_claims(&claim("iss", json!("https://evil.example"))).await, NOT_OURS);
    refused(&with_claims(&claim("aud", json!("other"))).await, NOT_OURS);
    with_claims(&claim("aud", json!(["other", "okd"]))).await.accepted();
}

#[tokio::test]
async fn a_token_that_names_no_client_is_refused() {
    for client in [Value::Null, json!(""), json!("x".repeat(257))] {
        refused(&with_claims(&claim("client_id", client)).await, "`client_id`");
    }
}

#[tokio::test]
async fn the_client_is_read_from_azp_or_appid_too() {
    for key in ["azp", "appid"] {
        let mut claims = claim("client_id", Value::Null);
        claims[key] = json!("test-tokens");
        with_claims(&claims).await.accepted();
    }
}

#[tokio::test]
async fn scopes_are_read_from_scope_scp_and_roles() {
    let mut claims = claim("scope", Value::Null);
    for (key, value) in [
        ("scope", json!("openid okd:alldocuments")),
        ("scp", json!("okd:examdocuments")),
        ("scp", json!(["openid", "okd:examdocuments"])),
        ("roles", json!(["okd:alldocuments"])),
    ] {
        claims[key] = value;
        with_claims(&claims).await.accepted();
        claims.as_object_mut().unwrap().remove(key);
    }
}

#[tokio::test]
async fn a_token_without_the_scope_is_forbidden_and_told_which() {
    for scope in [
        Value::Null,
        json!(""),
        json!("okd:studentinfo"),
        json!("okd:examdocumentsx"),
        json!("xokd:alldocuments"),
        json!("OKD:ALLDOCUMENTS"),
        json!({ "okd:alldocuments": true }),
    ] {
        let answer = with_claims(&claim("scope", scope)).await;
        answer.problem(403, "missing-scope");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains("scope=\"okd:alldocuments okd:examdocuments okd:bpvdocuments"), "{challenge}");
    }
}

#[tokio::test]
async fn each_type_of_document_has_its_scopes() {
    let types = [
        ("examination", "okd:examdocuments"),
        ("bpv", "okd:bpvdocuments"),
        ("graduation", "okd:graduationdocuments"),
        ("enrollment", "okd:enrollmentderollment"),
        ("other", "okd:alldocuments"),
    ];
    for (document_type, enough) in types {
        for scope in types.map(|(_, scope)| scope) {
            let mut sender = Sender::new();
            sender.token = SHARED.issuer.token(&sender.client, scope).unwrap();
            let metadata = with(&metadata(), "documentType", json!(document_type));
            let inline = sender.hand_in(&metadata, b"x").await;
            let offered = with(&metadata, "documentId", json!(uuid::Uuid::new_v4()));
            let follows = sender.offer(&with(&offered, "documentSize", json!(5))).await;
            if scope == enough || scope == "okd:alldocuments" {
                inline.ok();
                follows.accepted();
                continue;
            }
            for answer in [inline, follows] {
                answer.problem(403, "missing-scope");
                let challenge = answer.headers["www-authenticate"].to_str().unwrap();
                assert!(challenge.contains(enough), "{challenge}");
                assert!(!challenge.contains(scope), "{challenge}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_for_one_type_neither_sees_nor_replaces_the_same_clients_document_of_another() {
    let sender = Sender::new();
    let exam = offer(5);
    let offered = sender.offer(&exam).await.accepted();
    let mut narrow = sender.clone();
    narrow.token = SHARED.issuer.token(&sender.client, "okd:bpvdocuments").unwrap();
    let upload = &offered.body["upload"];
    for link in ["status", "complete", "abort"] {
        let answer = narrow.follow(upload, link).await;
        answer.problem(403, "missing-scope");
    }
    // Under the same documentId a document of another type is another document, and the narrow token's own.
    let own = with(&exam, "documentType", json!("bpv"));
    assert_ne!(narrow.offer(&own).await.accepted().id(), offered.id());
    narrow.hand_in(&without(&exam, "documentSize"), b"other").await.problem(403, "missing-scope");
    sender.send_parts(upload, b"12345", None).await;
    let complete = upload["complete"]["href"].as_str().unwrap();
    sender.call("POST", complete).await.ok();
    let item = sender.item(&offered.id()).await.unwrap();
    let size = item["content"].as_m().unwrap()["size"].as_n().unwrap();
    assert_eq!(size, "5");
}

#[tokio::test]
async fn every_route_to_a_document_asks_for_a_token() {
    let sender = Sender::new();
    for route in okd_api::ROUTES {
        // Without an id it is about the service itself.
        let Some((before, rest)) = route.path.split_once('{') else { continue };
        let path = format!("{before}{}{}", support::sender::OFFERING, rest.split_once('}').unwrap().1);
        for method in route.methods {
            let response = sender.request(method, &path).send().await.unwrap();
            assert_eq!(response.status(), 401, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_local_issuer_gives_tokens_by_client_credentials_only() {
    let sender = Sender::new();
    let url = format!("{}/token", SHARED.issuer_url);
    let form = |body: &'static str| {
        sender.request("POST", &url).header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    let granted: Value =
        form("grant_type=client_credentials&client_id=me&client_secret=x").send().await.unwrap().json().await.unwrap();
    with_token(granted["access_token"].as_str().unwrap()).await.accepted();
    assert_eq!(form("grant_type=password&client_id=me").send().await.unwrap().status(), 400);
}
