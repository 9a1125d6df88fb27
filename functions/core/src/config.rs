//! Settings that a function reads from its environment; `template.yaml` sets every variable here.

use std::env;

/// The table and the bucket of documents; every function reads it.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `OKD_TABLE`: the DynamoDB table.
    pub table: String,
    /// `OKD_BUCKET`: the S3 bucket.
    pub bucket: String,
    /// `OKD_SCREENING`: true where it is `on`, and a scanner judges each new object; else `off`.
    pub screening: bool,
}

/// The account's part of the environment, which Lambda sets; every function reads it.
#[derive(Clone)]
pub struct AwsConfig {
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`, of the function's role.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`: always there in the cloud, and not on one machine.
    pub session_token: Option<String>,
}

/// The tenants whose tokens are good; the api function and the reconcile function read it.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// `OKD_TENANTS_TABLE`: the DynamoDB table of tenants.
    pub tenants_table: String,
    /// `OKD_PRIVATE_ISSUERS`: the origins, separated by spaces, of issuers whose keys may be fetched from a private
    /// address, and without TLS; see [`crate::token::Fetcher::new`]. `none` in the cloud; on one machine, that machine.
    pub private_issuers: Vec<String>,
}

/// The roles that keep tenants apart; the api function reads it.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// `OKD_TENANT_ROLE`: the ARN of the role that reaches the documents of the tenant that its session is tagged with.
    pub tenant_role: String,
    /// `OKD_SIGNING_ROLE`: the ARN of the role that may put that tenant's parts, and nothing else.
    pub signing_role: String,
}

/// The pages that may call; the api function reads it.
#[derive(Debug, Clone)]
pub struct PageConfig {
    /// `OKD_UPLOAD_ORIGINS`: the origins, separated by spaces, of pages whose browsers may call; in each one `*` stands
    /// for any characters. `none` where no browser is a sender.
    pub origins: Vec<String>,
}

/// The way in which answers leave; the api function reads it.
#[derive(Debug, Clone, Copy)]
pub struct ResponseConfig {
    /// `OKD_RESPONSE_TRANSFER_MODE`: true where it is `RESPONSE_STREAM`, and the gateway takes each answer as a stream; else
    /// `BUFFERED`.
    pub streams: bool,
}

/// The words in which the service presents itself; the api function reads it.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// `OKD_CONTACT_EMAIL`: the address of the service's operator.
    pub contact_email: String,
    /// `OKD_DOCUMENTATION`: the URL of its documentation and terms.
    pub documentation: String,
}

/// The bus for announcements; the announce function reads it.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// `OKD_BUS`: the EventBridge bus.
    pub bus: String,
}

/// The metrics that a function writes; every function reads it.
#[derive(Debug, Clone)]
pub struct MetricsConfig {
    /// `AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets: the function's name.
    pub function: String,
    /// `OKD_METRICS`: true where it is `all` instead of `few`.
    pub all: bool,
}

/// A variable that is missing or malformed.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {variable} is not set, or not to what template.yaml may set it to")]
pub struct ConfigError {
    variable: &'static str,
}

impl StoreConfig {
    /// Reads the variables named above. A function without one of them must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            table: required("OKD_TABLE")?,
            bucket: required("OKD_BUCKET")?,
            screening: one_of("OKD_SCREENING", ["off", "on"])?,
        })
    }
}

impl AwsConfig {
    /// Reads the variables named above. A function without one of the first three must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            region: required("AWS_REGION")?,
            access_key_id: required("AWS_ACCESS_KEY_ID")?,
            secret_access_key: required("AWS_SECRET_ACCESS_KEY")?,
            session_token: required("AWS_SESSION_TOKEN").ok(),
        })
    }
}

impl TokenConfig {
    /// Reads the variables named above. A function without one of them must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            tenants_table: required("OKD_TENANTS_TABLE")?,
            private_issuers: list(&required("OKD_PRIVATE_ISSUERS")?),
        })
    }
}

impl SessionConfig {
    /// Reads the variables named above. A function without one of them must not start. `None` where they are `none`:
    /// the function then reaches all tenants by its own role.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let roles = Self { tenant_role: required("OKD_TENANT_ROLE")?, signing_role: required("OKD_SIGNING_ROLE")? };
        Ok(roles.if_any())
    }

    fn if_any(self) -> Option<Self> {
        (self.tenant_role != "none").then_some(self)
    }
}

impl PageConfig {
    /// Reads the variable named above. A function without it must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { origins: list(&required("OKD_UPLOAD_ORIGINS")?) })
    }
}

impl ServiceConfig {
    /// Reads the variables named above. A function without one of them must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { contact_email: required("OKD_CONTACT_EMAIL")?, documentation: required("OKD_DOCUMENTATION")? })
    }
}

impl ResponseConfig {
    /// Reads the variable named above. A function without it must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { streams: one_of("OKD_RESPONSE_TRANSFER_MODE", ["BUFFERED", "RESPONSE_STREAM"])? })
    }
}

impl BusConfig {
    /// Reads the variable named above. A function without it must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        let bus = required("OKD_BUS")?;
        Ok(Self { bus })
    }
}

impl MetricsConfig {
    /// Reads the variables named above. A function without one of them must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { function: required("AWS_LAMBDA_FUNCTION_NAME")?, all: one_of("OKD_METRICS", ["few", "all"])? })
    }
}

/// Returns whether a variable has the second of two values; it must have one of them.
fn one_of(variable: &'static str, values: [&str; 2]) -> Result<bool, ConfigError> {
    is_second(&required(variable)?, values).ok_or(ConfigError { variable })
}

fn is_second(value: &str, values: [&str; 2]) -> Option<bool> {
    values.iter().position(|known| *known == value).map(|place| place == 1)
}

/// The words of a list in which `none` stands for none: a parameter of a template cannot be empty.
fn list(value: &str) -> Vec<String> {
    let words = value.split_whitespace().filter(|word| *word != "none");
    words.map(str::to_owned).collect()
}

fn required(variable: &'static str) -> Result<String, ConfigError> {
    let value = env::var(variable).ok().filter(|value| !value.is_empty());
    value.ok_or(ConfigError { variable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_without_its_variables_does_not_start() {
        assert!(StoreConfig::from_env().is_err());
        assert!(TokenConfig::from_env().is_err());
        assert!(SessionConfig::from_env().is_err());
        assert!(PageConfig::from_env().is_err());
        assert!(ResponseConfig::from_env().is_err());
        assert!(BusConfig::from_env().is_err());
        assert!(AwsConfig::from_env().is_err());
        assert!(MetricsConfig::from_env().is_err());
        // Cargo sets this one for every test.
        assert_eq!(required("CARGO_PKG_NAME").ok().as_deref(), Some("okd-core"));
    }

    #[test]
    fn tenants_have_sessions_where_there_is_a_role_for_them() {
        for (role, there) in [("none", false), ("arn:aws:iam::1:role/tenant", true)] {
            let roles = SessionConfig { tenant_role: role.to_owned(), signing_role: role.to_owned() };
            assert_eq!(roles.if_any().is_some(), there, "{role}");
        }
    }

    #[test]
    fn a_choice_of_two_is_one_of_them() {
        for (value, second) in [("off", Some(false)), ("on", Some(true)), ("", None), ("ON", None)] {
            assert_eq!(is_second(value, ["off", "on"]), second, "{value}");
        }
    }

    #[test]
    fn none_in_a_list_is_no_word_of_it() {
        for (value, words) in [("none", &[][..]), ("", &[]), ("a  b", &["a", "b"]), ("a none", &["a"])] {
            assert_eq!(list(value), words, "{value}");
        }
    }
}
