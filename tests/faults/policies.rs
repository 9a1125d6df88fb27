//! What the functions' policies allow is what the use cases need: the stores refuse the rest (see
//! `infra/local/policies.rs`), and what is allowed in vain is found here.

use std::time::Duration;

use okd_local::{
    Cloud, default_template,
    issuer::Issuer,
    policies::{Allowed, Need, Policies, Principal, needs_of_stream},
    sender::Sender,
    template::Template,
};

use support::{
    cloud::start,
    sender::{association, metadata},
};

use crate::{
    harness::{Harness, Message},
    matrix,
};

/// Runs every use case, and compares what it took with what the policies allow.
async fn compare(parameters: &[(&str, &str)]) {
    let parameters = parameters.iter();
    let parameters = parameters.map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let parameters = parameters.collect();
    let cloud = start(|options| options.parameters = parameters);
    let mut harness = Harness::of(cloud);
    // What is not allowed does not become so.
    harness.sender.set_patience(Duration::from_secs(2));
    matrix::run_every_case(&harness).await;
    come_with_an_unknown_key(cloud).await;
    read_back(cloud).await;
    let (idle, in_vain) = harness.cloud.policies.audit();
    assert_eq!(idle, [] as [Allowed; 0], "allowed, and needed by no use case");
    assert_eq!(in_vain, [] as [(String, Need); 0], "needed, and not allowed");
}

/// A request with a key that nobody knows, so that its issuer is asked.
async fn come_with_an_unknown_key(cloud: &Cloud) {
    let stranger = Issuer::fresh(cloud.issuer_url.clone()).unwrap();
    let token = stranger.token("sis", "okd:alldocuments").unwrap();
    let sender = Sender::new(&cloud.url, token);
    let (status, answer) = sender.offer(&Message::new().0).await.unwrap();
    assert_eq!(status, 401, "{answer}");
}

/// Reads a document through the API and by the URL of its file.
async fn read_back(cloud: &'static Cloud) {
    let reader = support::sender::Sender::to(cloud);
    let id = reader.hand_in(&metadata(), b"an exam").await.ok().id();
    let path = format!("/okd/v1/documents/{id}");
    assert_eq!(reader.call("GET", &path).await.ok().body, "an exam");
    let known = reader.call("GET", &format!("{path}/metadata")).await.ok().body;
    let file = reqwest::get(known["documentTempDownloadUrl"].as_str().unwrap()).await.unwrap();
    assert_eq!(file.text().await.unwrap(), "an exam");
    let list = reader.call("GET", &format!("{}/documents", association())).await.ok().body;
    assert_eq!(list["items"][0]["dmsDocumentId"], id);
}

#[tokio::test]
async fn a_policy_allows_what_some_use_case_needs_and_nothing_else() {
    compare(&[]).await;
}

#[tokio::test]
async fn with_a_key_of_the_operators_a_policy_allows_what_that_takes_besides_and_nothing_else() {
    let key = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c";
    compare(&[("KmsKeyArn", key)]).await;
}

#[tokio::test]
async fn with_sessions_the_roles_are_allowed_what_some_use_case_needs_and_the_function_reaches_no_document() {
    compare(&[("TenantSessions", "on")]).await;
    let key = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c";
    compare(&[("TenantSessions", "on"), ("KmsKeyArn", key)]).await;
}

/// SAM lets what reads a stream read all of them.
#[test]
fn the_announce_function_may_read_the_stream_of_its_table_and_no_other() {
    let template = Template::read(&default_template(), &[].into()).unwrap();
    let policies = Policies::of(&template).unwrap();
    let streams = template.events("DynamoDB");
    let streams = streams.map(|(_, source)| source["Stream"].as_str().unwrap());
    let own = streams.collect::<Vec<_>>();
    for (stream, allowed) in [(own[0], true), ("arn:local:another/StreamArn", false)] {
        for need in needs_of_stream(stream) {
            assert_eq!(policies.allows(Principal::function("AnnounceFunction"), &need), allowed, "{need:?}");
        }
    }
}
