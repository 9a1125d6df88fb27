//! The configuration of the SDK's clients: written out, and not found by the SDK's own chain of places to look, which is a
//! tenth of a function and most of its start.

use std::{env, time::Duration};

use aws_sdk_s3::config::{
    AppName, BehaviorVersion, Credentials, Region, SharedCredentialsProvider, SharedHttpClient, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use aws_types::{
    SdkConfig, sdk_config,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};

use crate::config::{AwsConfig, ConfigError};

/// The time that a connection may take.
const TO_CONNECT: Duration = Duration::from_secs(2);

/// The configuration of every client in a Lambda function: with the credentials of its environment, over the same
/// connections for all credentials. To AWS's endpoints alone, unless `SSL_CERT_FILE` or `SSL_CERT_DIR` names other roots than
/// Amazon's: to read all of the system's would be most of a cold start.
pub fn connect_in_lambda() -> Result<SdkConfig, ConfigError> {
    let AwsConfig { region, access_key_id, secret_access_key, session_token } = AwsConfig::from_env()?;
    let is_given = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| env::var_os(name).is_some());
    let roots = if is_given { TrustStore::default() } else { amazon_roots() };
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "environment");
    let mut sdk = tuned(SdkConfig::builder())
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(https(roots))
        .service_config(Environment);
    let name = env::var("AWS_SDK_UA_APP_ID").ok().and_then(|name| AppName::new(name).ok());
    sdk.set_app_name(name);
    Ok(sdk.build())
}

/// With the patience that every client has: small calls, tried quickly and often. Three of them and a completion (10 s)
/// must end before the function's 28 s do.
pub fn tuned(sdk: sdk_config::Builder) -> sdk_config::Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(TO_CONNECT)
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(5))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50));
    sdk.retry_config(retries).timeout_config(timeouts)
}

/// The roots of Amazon Trust Services, which sign every endpoint of AWS (<https://www.amazontrust.com/repository/>).
fn amazon_roots() -> TrustStore {
    TrustStore::empty().with_pem_certificate(&include_bytes!("amazon_roots.pem")[..])
}

/// An HTTP client that trusts these roots: one connector for all services and settings. The SDK's own builds one for each client
/// to see whether it can, and then another for each setting of timeouts, and each reads the roots.
fn https(roots: TrustStore) -> SharedHttpClient {
    let context = TlsContext::builder().with_trust_store(roots).build();
    let context = context.expect("a trust store is all that it needs");
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(TO_CONNECT).build())
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// The settings of single services, by the SDK's own names for them: `AWS_ENDPOINT_URL_DYNAMODB`.
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_ascii_uppercase().replace(' ', "_");
        env::var(format!("{}_{service}", key.env())).ok()
    }
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

    #[test]
    fn a_setting_of_one_service_has_its_name_in_the_environment() {
        let key = |env, service| {
            let key = ServiceConfigKey::builder().service_id(service).env(env).profile("endpoint_url");
            key.build().unwrap()
        };
        // Cargo sets this one for every test.
        let found = Environment.load_config(key("CARGO", "Pkg name"));
        assert_eq!(found.as_deref(), Some("okd-core"));
        assert_eq!(Environment.load_config(key("AWS_ENDPOINT_URL", "no such service")), None);
    }
}
