//! The functions as `sam build` makes them, in containers that `sam local start-api` starts, with the stores of
//! `cargo run -- stores` behind them. `.ci/sam` starts all that and then this.

use std::env;

use okd_cli::access_key::AccessKey;
use okd_core::checksum::Checksum;
use okd_local::{
    invariants, sample,
    sender::{Sender, Source},
    setup,
};
use serde_json::Value;

/// Asserts that a document has one object, and that these are its bytes.
async fn is_stored(environment: &Value, key: &AccessKey, id: &str, expected: Checksum) {
    let variable = |name: &str| environment["ApiFunction"][name].as_str().unwrap();
    let s3 = setup::s3_client(variable("AWS_ENDPOINT_URL_S3"), key);
    let bucket = variable("OKD_BUCKET");
    let prefix = format!("local-school/{id}/");
    let listed = s3.list_objects_v2().bucket(bucket).prefix(prefix);
    let listed = listed.send().await.unwrap();
    assert_eq!(listed.contents().len(), 1);
    let key = listed.contents()[0].key().unwrap();
    let (_, found) = invariants::digest(&s3, bucket, key).await.unwrap();
    assert_eq!(found, expected);
}

#[tokio::test]
#[ignore = "needs a container engine and sam: .ci/sam"]
async fn one_document_inline_and_one_by_parts_of_64_mib_are_stored_through_sam_local() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name}: run .ci/sam"));
    let environment = std::fs::read(variable("OKD_TEST_SAM_ENVIRONMENT")).unwrap();
    let environment: Value = serde_json::from_slice(&environment).unwrap();
    let key = AccessKey::read(variable("OKD_TEST_SAM_DATA").as_ref()).unwrap();
    let token = reqwest::Client::new()
        .post(format!("{}/token", variable("OKD_TEST_ISSUER")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials&client_id=sam-sis");
    let token: Value = token.send().await.unwrap().json().await.unwrap();
    let token = token["access_token"].as_str().unwrap().to_owned();
    let sender = Sender::new(&variable("OKD_TEST_API"), token);

    // Bytes that are no text, so that they are the same only if nothing on the way took them for it.
    let inline: Vec<u8> = (0..1 << 20).map(|_| fastrand::u8(..)).collect();
    let metadata = sample::metadata("beoordeling.pdf", None);
    let id = sender.hand_in_inline(&metadata, &inline).await.unwrap();
    is_stored(&environment, &key, &id, Checksum::sha256(&inline)).await;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.bin");
    let file = sample::file(&path, 64 << 20).await.unwrap();
    let (size, expected) = sample::digest(&file).await.unwrap();
    let metadata = sample::metadata("opname.mp4", Some(size));
    let sent = sender.hand_in_by_parts(&metadata, &Source::File(file)).await;
    is_stored(&environment, &key, &sent.unwrap().id, expected).await;
}
