//! Clients of the stores: of a deployed stack, and of the local cloud.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};

use okd_core::stores::{SdkConfig, tuned};

use crate::{REGION, access_key::AccessKey};

/// The way to a deployed stack, with the credentials that the AWS command line would have on this machine.
pub async fn connect() -> SdkConfig {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    tuned(sdk.into_builder()).build()
}

/// A client of the S3 at `url`.
pub fn s3_client(url: &str, key: &AccessKey) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(&key.id, &key.secret, None, None, "local"))
        .endpoint_url(url)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// A client of the DynamoDB at `url`.
pub fn dynamodb_client(url: &str, key: &AccessKey) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new(REGION))
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(&key.id, &key.secret, None, None, "local"))
        .endpoint_url(url)
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}
