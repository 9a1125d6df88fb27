//! What a function reads from its environment; `template.yaml` sets every variable here.

use std::env;

use crate::tenant::TenantId;

/// Where the documents are; every function reads it.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `OKD_TABLE`: the DynamoDB table.
    pub table: String,
    /// `OKD_BUCKET`: the S3 bucket.
    pub bucket: String,
}

/// Whose tokens are good; the api function reads it.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// `OKD_TENANT`: whose documents these are.
    pub tenant: TenantId,
    /// `OKD_ISSUER`: the `iss` that tokens must have.
    pub issuer: String,
    /// `OKD_AUDIENCE`: the `aud` that tokens must have.
    pub audience: String,
    /// `OKD_JWKS_URL`: where the issuer publishes its keys.
    pub jwks_url: String,
}

/// A variable that is missing or malformed.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {variable} {problem}; template.yaml sets it")]
pub struct ConfigError {
    variable: &'static str,
    problem: String,
}

impl StoreConfig {
    /// Reads the variables named above. A function without one of them must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            table: required("OKD_TABLE")?,
            bucket: required("OKD_BUCKET")?,
        })
    }
}

impl TokenConfig {
    /// Reads the variables named above. A function without one of them must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        let tenant = required("OKD_TENANT")?;
        let tenant = TenantId::try_from(tenant).map_err(|problem| ConfigError {
            variable: "OKD_TENANT",
            problem,
        })?;
        Ok(Self {
            tenant,
            issuer: required("OKD_ISSUER")?,
            audience: required("OKD_AUDIENCE")?,
            jwks_url: required("OKD_JWKS_URL")?,
        })
    }
}

fn required(variable: &'static str) -> Result<String, ConfigError> {
    let value = env::var(variable).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| ConfigError {
        variable,
        problem: "is not set".to_owned(),
    })
}
