//! The stores, each a concrete type over its AWS SDK: [`Documents`] (DynamoDB, the truth), [`Files`] (S3, the
//! bytes) and [`Tenants`] (DynamoDB, whose they are). The seam for tests is the wire: `AWS_ENDPOINT_URL_DYNAMODB` and
//! `AWS_ENDPOINT_URL_S3` point them at any server of those protocols.

#[cfg(test)]
pub(crate) mod answers;
mod associations;
mod documents;
mod downloads;
mod files;
mod issuer_keys;
mod lists;
mod multipart;
mod part_signer;
mod pending;
mod sessions;
mod stored_keys;
mod table;
mod tenants;
mod write;

use std::time::Duration;

use aws_config::{
    BehaviorVersion, ConfigLoader, SdkConfig,
    environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider},
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub use documents::{Documents, Usage};
pub use downloads::{DownloadLink, FileStream};
pub(crate) use files::time_to_read;
pub use files::{File, Files, Listed, Put, StoredObject, VERDICT_TAG};
pub use issuer_keys::Claim;
pub use lists::By;
pub use multipart::{Completion, PartLink, ReceivedPart};
pub use pending::{Page, Work, WorkItem};
pub use sessions::{TENANT_TAG, TenantStores};
pub use stored_keys::StoredKeys;
pub use table::{ItemKey, ORPHAN, Place, QUEUES, Record, counts_of_client};
pub use tenants::{Changed, OfIssuer, Tenants};
pub use write::Written;

use crate::{config::StoreConfig, document::Screening, metrics::TimesCalls};

/// Both stores of a deployment.
pub struct Stores {
    /// The documents' items.
    pub documents: Documents,
    /// The documents' bytes.
    pub files: Files,
    /// True where a scanner judges each new object.
    pub screens: bool,
}

impl Stores {
    /// The stores that `config` names.
    pub fn new(sdk: &SdkConfig, config: &StoreConfig) -> Self {
        Self {
            documents: Documents::new(sdk, config.table.clone()),
            files: Files::new(sdk, config.bucket.clone()),
            screens: config.screening,
        }
    }

    /// The screening that a new content begins with.
    pub(crate) fn screening(&self) -> Option<Screening> {
        self.screens.then_some(Screening::Pending)
    }
}

fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(sdk);
    aws_sdk_dynamodb::Client::from_conf(config.interceptor(TimesCalls).build())
}

/// The configuration of every store's client in a Lambda function: with the credentials of its environment, over the same
/// connections for all credentials. To AWS's endpoints alone, unless `SSL_CERT_FILE` or `SSL_CERT_DIR` names other roots than
/// Amazon's: to read all of the system's would be most of a cold start.
pub async fn connect_in_lambda() -> SdkConfig {
    let is_given = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    let roots = if is_given { TrustStore::default() } else { amazon_roots() };
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let region = EnvironmentVariableRegionProvider::new();
    defaults(roots).credentials_provider(credentials).region(region).load().await
}

/// The same for a command on an operator's machine: with the credentials that the AWS command line would have there.
pub async fn connect() -> SdkConfig {
    defaults(TrustStore::default()).load().await
}

/// The roots of Amazon Trust Services, which sign every endpoint of AWS (<https://www.amazontrust.com/repository/>).
fn amazon_roots() -> TrustStore {
    TrustStore::empty().with_pem_certificate(&include_bytes!("amazon_roots.pem")[..])
}

fn defaults(roots: TrustStore) -> ConfigLoader {
    // Small calls, tried quickly and often: three of them and a completion (10 s) must end before the
    // function's 28 s do.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(5))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50)))
        .timeout_config(timeouts)
        .http_client(https(roots))
}

/// An HTTP client that trusts these roots.
fn https(roots: TrustStore) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(roots).build();
    let context = context.expect("a trust store is all that it needs");
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reading roots that cannot be read is a panic of the client's.
    #[test]
    fn the_roots_of_amazon_make_a_client() {
        https(amazon_roots());
        let roots = include_str!("amazon_roots.pem").matches("-----BEGIN CERTIFICATE-----").count();
        assert_eq!(roots, 5);
    }
}
