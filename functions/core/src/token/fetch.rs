//! Fetches what an issuer publishes. Who adds a tenant says where, so this is no way into our own network: no
//! redirect is followed, and no private, loopback or link-local address is asked, also where a public name resolves
//! to one, but for issuers at the origins that the deployment names ([`crate::config::TokenConfig::private_issuers`]).
//!
//! It is the HTTP client of the AWS SDK, which is there anyway.

#[cfg(test)]
mod tests;

use std::{
    error::Error as StdError,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::OnceLock,
    time::Duration,
};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    dns::{DnsFuture, ResolveDns, ResolveDnsError},
    http::{HttpConnector, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::byte_stream::ByteStream;
use http::Uri;

use crate::{USER_AGENT, error::with_causes, tenant::KeyUrl};

/// Issuers' documents are a few KB.
const MAX_SIZE: usize = 256 * 1024;
/// All of it: name, connection, answer, body.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The headers of every request. Issuers behind a web application firewall answer 403 where the first two are missing;
/// the last says that compressed bodies are not read.
const HEADERS: [(&str, &str); 3] = [
    ("user-agent", USER_AGENT),
    ("accept", "application/json, application/jwk-set+json"),
    ("accept-encoding", "identity"),
];

/// The failure; for the log only.
pub type FetchError = Box<dyn StdError + Send + Sync>;

/// Asks issuers.
#[derive(Debug)]
pub struct Fetcher {
    // Made when they are needed: each reads the system's certificates.
    public: OnceLock<Connector>,
    private: OnceLock<Connector>,
    private_origins: Vec<String>,
}

impl Fetcher {
    /// One that asks public addresses over TLS, and issuers at these origins anyhow. An origin is a scheme, a host and
    /// a port; as a port `*` stands for any.
    pub fn new(private_origins: Vec<String>) -> Self {
        Self { public: OnceLock::new(), private: OnceLock::new(), private_origins }
    }

    /// Fetches `url`, if that may be asked and answers 200 in time with no more than [`MAX_SIZE`]. `given` is the URL
    /// that led there and that an operator gave: the issuer's, or that of its keys.
    pub async fn get(&self, url: &KeyUrl, given: &KeyUrl) -> Result<Vec<u8>, FetchError> {
        let (url, given) = (url.to_string(), given.to_string());
        let got = self.ask(&url, &given).await;
        got.map_err(|error| format!("{url} cannot be fetched: {}", with_causes(error.as_ref())).into())
    }

    async fn ask(&self, url: &str, given: &str) -> Result<Vec<u8>, FetchError> {
        let connector = self.connector_for(&url.parse()?, &given.parse()?)?;
        let get = async {
            let mut request = HttpRequest::get(url)?;
            for (name, value) in HEADERS {
                request.headers_mut().insert(name, value);
            }
            let answer = connector.call(request).await?;
            let status = answer.status().as_u16();
            if status != 200 {
                return Err(format!("it answers {status}").into());
            }
            let mut body = ByteStream::new(answer.into_body());
            let mut bytes = Vec::new();
            while let Some(chunk) = body.next().await {
                bytes.extend_from_slice(&chunk?);
                if bytes.len() > MAX_SIZE {
                    return Err(format!("it answers with more than {MAX_SIZE} bytes").into());
                }
            }
            Ok(bytes)
        };
        tokio::time::timeout(TIMEOUT, get).await?
    }

    /// The client that may ask this. An address in place of a name is never looked up, so it is judged here.
    fn connector_for(&self, url: &Uri, given: &Uri) -> Result<&Connector, FetchError> {
        let host = url.host().unwrap_or_default();
        let is_named = |uri| self.private_origins.iter().any(|named| is_at(named, uri));
        // A public issuer's discovery document may not point into our network.
        if is_named(url) && is_named(given) {
            return Ok(self.private.get_or_init(|| connector(Anything)));
        }
        if url.scheme_str() != Some("https") {
            return Err(format!("{host} would be asked without TLS").into());
        }
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(format!("{address} is not a public address").into()),
            _ => Ok(self.public.get_or_init(|| connector(PublicOnly))),
        }
    }
}

/// Returns whether a URL is at an origin such as `http://127.0.0.1:7081` or `http://127.0.0.1:*`.
fn is_at(origin: &str, url: &Uri) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else {
        return false;
    };
    let usual = |scheme| if scheme == "https" { 443 } else { 80 };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let port_of_url = url.port_u16().unwrap_or_else(|| usual(scheme));
    let has_port = match port {
        Some("*") => true,
        Some(port) => port.parse() == Ok(port_of_url),
        None => port_of_url == usual(scheme),
    };
    url.scheme_str() == Some(scheme) && url.host() == Some(host) && has_port
}

fn connector(resolver: impl ResolveDns + Clone + 'static) -> Connector {
    let settings = HttpConnectorSettings::builder().connect_timeout(TIMEOUT).read_timeout(TIMEOUT).build();
    Connector::builder()
        .connector_settings(settings)
        // A connection from before Lambda froze the process may be gone when it goes on.
        .pool_max_idle_per_host(0)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_with_resolver(resolver)
}

/// Resolves names to their public addresses.
#[derive(Debug, Clone)]
struct PublicOnly;

/// Resolves names.
#[derive(Debug, Clone)]
struct Anything;

impl ResolveDns for PublicOnly {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let addresses = resolve(name).await?;
            let public: Vec<IpAddr> = addresses.into_iter().filter(|&a| is_public(a)).collect();
            if public.is_empty() {
                let error = format!("{name} has no public address");
                return Err(ResolveDnsError::new(error));
            }
            Ok(public)
        })
    }
}

impl ResolveDns for Anything {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(resolve(name))
    }
}

async fn resolve(name: &str) -> Result<Vec<IpAddr>, ResolveDnsError> {
    let found = tokio::net::lookup_host((name, 0)).await;
    let found = found.map_err(ResolveDnsError::new)?;
    Ok(found.map(|address| address.ip()).collect())
}

/// Returns whether an address is on the public internet (IANA's special-purpose registries; `IpAddr::is_global` is not
/// stable yet).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 224;
    !(special || address.is_private() || address.is_loopback() || address.is_link_local() || address.is_documentation())
}

/// Only `2000::/3` is given out; of that, what carries an IPv4 address (Teredo, 6to4) and the rest of `2001::/23` is
/// not for us.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let [first, second, ..] = address.segments();
    let given_out = first & 0xe000 == 0x2000;
    let special = (first == 0x2001 && (second < 0x200 || second == 0xdb8))
        || first == 0x2002
        || (first == 0x3fff && second < 0x1000);
    given_out && !special
}
