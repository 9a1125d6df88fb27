//! The local issuer's token endpoint, as OAuth 2.0 clients use it.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use support::{
    cloud::own_cloud,
    sender::{Sender, metadata},
};

use crate::school::serve_issuer;

/// Asks for a token; the status, the headers and the body of what is answered.
async fn ask(url: &str, authorization: Option<&str>, form: &str) -> (u16, HeaderMap, Value) {
    let request = reqwest::Client::new().post(format!("{url}/token"));
    let request = match authorization {
        Some(authorization) => request.header("authorization", authorization),
        None => request,
    };
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form.to_owned()).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["pragma"], "no-cache");
    (status, headers, answer.json().await.unwrap())
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", BASE64.encode(credentials))
}

const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn a_client_names_itself_by_http_basic_or_in_the_form() {
    let cloud = own_cloud();
    let mut sender = Sender::to(cloud);
    for (credentials, form, client) in [
        (None, "client_id=sis&client_secret=x", "sis"),
        (Some("sis:any secret"), "", "sis"),
        (Some("sis:"), "client_id=sis", "sis"),
        // Encoded as a form's fields are, and as clients that forget that send it.
        (Some("sis%3Aschool+a%2Bb:%3A"), "", "sis:school a+b"),
        (Some("100%:x"), "", "100%"),
        (Some("a:b:c"), "", "a"),
    ] {
        let authorization = credentials.map(basic);
        let form = format!("{GRANT}&{form}");
        let (status, _, body) = ask(&cloud.issuer_url, authorization.as_deref(), &form).await;
        assert_eq!(status, 200, "{credentials:?}: {body}");
        body["access_token"].as_str().unwrap().clone_into(&mut sender.token);
        let id = sender.hand_in(&metadata(), b"x").await.ok().id();
        let item = sender.item(&id).await.unwrap();
        assert_eq!(item["client"].as_s().unwrap(), client);
    }
}

#[tokio::test]
async fn who_does_not_say_who_it_is_gets_a_challenge_and_who_says_it_twice_a_refusal() {
    let issuer = serve_issuer().await;
    let [nameless, sis] = [":secret", "sis:secret"].map(basic);
    for (authorization, form, status, error) in [
        (None, GRANT, 401, "invalid_client"),
        (None, "grant_type=client_credentials&client_id=", 401, "invalid_client"),
        (Some(nameless.as_str()), GRANT, 401, "invalid_client"),
        (Some("Basic"), GRANT, 401, "invalid_client"),
        (Some("Basic !"), GRANT, 401, "invalid_client"),
        (Some("basic bm8gY29sb24="), "grant_type=client_credentials&client_id=sis", 401, "invalid_client"),
        (Some("Bearer x"), GRANT, 401, "invalid_client"),
        (Some(&sis), "grant_type=client_credentials&client_id=other", 400, "invalid_request"),
        (Some(&sis), "", 400, "invalid_request"),
        (Some(&sis), "grant_type=a&grant_type=b", 400, "invalid_request"),
        (Some(&sis), "grant_type=password", 400, "unsupported_grant_type"),
    ] {
        let (found, headers, body) = ask(issuer.url(), authorization, form).await;
        assert_eq!((found, &body), (status, &json!({ "error": error })), "{authorization:?} {form}");
        let challenge = headers.get("www-authenticate").map(|value| value.to_str().unwrap());
        let challenged = challenge.is_some_and(|challenge| challenge.starts_with("Basic realm="));
        assert_eq!(challenged, status == 401, "{challenge:?}");
    }
}

#[tokio::test]
async fn the_discovery_document_says_how_to_ask() {
    let issuer = serve_issuer().await;
    let url = format!("{}/.well-known/openid-configuration", issuer.url());
    let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let methods = json!(["client_secret_basic", "client_secret_post"]);
    assert_eq!(document["token_endpoint_auth_methods_supported"], methods);
    let scopes = document["scopes_supported"].as_array().unwrap();
    assert!(scopes.contains(&json!("okd:alldocuments")), "{scopes:?}");
    for name in ["response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"] {
        let listed = document[name].as_array();
        assert!(listed.is_some_and(|listed| !listed.is_empty()), "{name}");
    }
}
