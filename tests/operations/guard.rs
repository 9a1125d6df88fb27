//! Web pages and other users of this machine, at every port of the local cloud.

use std::collections::BTreeMap;

use okd_cli::access_key::AccessKey;
use okd_local::{Cloud, setup};
use reqwest::{RequestBuilder, Response};

use support::cloud::{own_cloud, start};

/// The URL of every port that has one.
fn ports(cloud: &Cloud) -> [String; 5] {
    let bus = cloud.environments["AnnounceFunction"]["AWS_ENDPOINT_URL_EVENTBRIDGE"].clone();
    [&cloud.url, &cloud.issuer_url, &cloud.s3_url, &cloud.dynamodb_url, &bus].map(Clone::clone)
}

fn post(url: &str, headers: &[(&str, &str)]) -> RequestBuilder {
    let request = reqwest::Client::new().post(format!("{url}/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body("grant_type=client_credentials&client_id=sis");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

/// The reason for which the guard refuses a request, if it does.
async fn refusal(request: RequestBuilder) -> Option<String> {
    let answer: Response = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status == 403 && text.contains("local cloud")).then_some(text)
}

#[tokio::test]
async fn every_port_refuses_a_request_for_a_host_that_is_not_this_machine() {
    for url in ports(own_cloud()) {
        for host in [
            "evil.example:7080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "a:99999",
            "[::1",
            "a b",
            "",
        ] {
            let refused = refusal(post(&url, &[("host", host)])).await;
            assert!(refused.is_some_and(|why| why.contains("--host")), "{url} {host}");
        }
        for host in ["localhost:1", "LocalHost", "files.localhost", "127.8.8.8:80", "[::1]:80"] {
            assert_eq!(refusal(post(&url, &[("host", host)])).await, None, "{url} {host}");
        }
    }
}

#[tokio::test]
async fn every_port_refuses_what_a_page_of_another_site_sends() {
    let named = ("UploadOrigins".to_owned(), "https://dms.example".to_owned());
    let cloud = start(|options| options.parameters = BTreeMap::from([named]));
    let refused: &[&[_]] = &[
        &[("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://localhost.evil.example")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[("origin", "https://dms.example"), ("origin", "https://evil.example")],
    ];
    let allowed: &[&[_]] = &[
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", "http://localhost:8000"), ("sec-fetch-site", "cross-site")],
        &[("origin", "https://dms.example"), ("sec-fetch-site", "cross-site")],
    ];
    for url in ports(cloud) {
        for headers in refused {
            let refused = refusal(post(&url, headers)).await;
            assert!(refused.is_some_and(|why| why.contains("--upload-origin")), "{url} {headers:?}");
        }
        for headers in allowed {
            assert_eq!(refusal(post(&url, headers)).await, None, "{url} {headers:?}");
        }
    }
}

#[tokio::test]
async fn the_stores_of_a_data_folder_accept_its_own_key_alone() {
    let (cloud, other) = (own_cloud(), own_cloud());
    let constant = AccessKey { id: "local-access-key".to_owned(), secret: "local-secret-key".to_owned() };
    let forged = AccessKey { id: cloud.access_key.id.clone(), secret: constant.secret.clone() };
    for (key, accepted) in [(&cloud.access_key, true), (&other.access_key, false), (&constant, false), (&forged, false)]
    {
        let s3 = setup::s3_client(&cloud.s3_url, key);
        assert_eq!(s3.list_buckets().send().await.is_ok(), accepted, "S3: {}", key.id);
        let dynamodb = setup::dynamodb_client(&cloud.dynamodb_url, key);
        assert_eq!(dynamodb.list_tables().send().await.is_ok(), accepted, "DynamoDB: {}", key.id);
    }
}
