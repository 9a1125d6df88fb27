//! The issuer of a tenant's tokens: its name, where its keys are, and how it may sign.

use std::{fmt, str::FromStr};

use http::Uri;
use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};

/// An issuer's name, as it stands in `iss` and letter for letter so: a URL of at most 255 bytes without query
/// and fragment (RFC 8414, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer(String);

impl TryFrom<String> for Issuer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = text.len() <= 255 && !text.contains(['?', '#']);
        match KeyUrl::try_from(text) {
            Ok(url) if plain => Ok(Self(url.0)),
            Ok(url) => Err(format!("the issuer {:?} has more than 255 bytes, a query or a fragment", url.0)),
            Err(error) => Err(error),
        }
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.0
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Issuer {
    /// The URL of its discovery document (OpenID Connect Discovery, section 4).
    pub fn discovery(&self) -> KeyUrl {
        let base = self.0.trim_end_matches('/');
        KeyUrl(format!("{base}/.well-known/openid-configuration"))
    }
}

/// The URL of keys or of a discovery document: an `https` or `http` URL with a host and no user. The fetcher decides
/// whether that host may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyUrl(String);

impl TryFrom<String> for KeyUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let uri = text.parse::<Uri>().ok().filter(|uri| {
            let host = uri.host().is_some_and(|host| !host.is_empty());
            let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
            host && !user && matches!(uri.scheme_str(), Some("https" | "http"))
        });
        match uri {
            Some(_) if text.len() <= 2048 => Ok(Self(text)),
            _ => Err(format!("{text:?} is not a URL such as https://login.example/tenant")),
        }
    }
}

impl FromStr for KeyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into()
    }
}

impl From<KeyUrl> for String {
    fn from(url: KeyUrl) -> Self {
        url.0
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of an issuer's keys: by its discovery document, or at the URL that its tenant names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPlace {
    /// The issuer.
    pub issuer: Issuer,
    /// The URL, where the tenant names one.
    pub jwks: Option<KeyUrl>,
}

/// An algorithm by which tokens may be signed (RFC 7518): an asymmetric one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Algorithm", into = "Algorithm")]
pub struct Signature(Algorithm);

impl Signature {
    /// Every one that there is.
    pub const ALL: [Self; 9] = [
        Self(Algorithm::RS256),
        Self(Algorithm::RS384),
        Self(Algorithm::RS512),
        Self(Algorithm::PS256),
        Self(Algorithm::PS384),
        Self(Algorithm::PS512),
        Self(Algorithm::ES256),
        Self(Algorithm::ES384),
        Self(Algorithm::EdDSA),
    ];
}

impl TryFrom<Algorithm> for Signature {
    type Error = &'static str;

    fn try_from(algorithm: Algorithm) -> Result<Self, &'static str> {
        if Self::ALL.contains(&Self(algorithm)) {
            Ok(Self(algorithm))
        } else {
            Err("tokens are signed with RS, PS, ES or EdDSA: whoever checks an HS signature could make it")
        }
    }
}

impl FromStr for Signature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let algorithm = text.parse::<Algorithm>();
        let algorithm = algorithm.map_err(|_| format!("{text:?} is no algorithm such as RS256"))?;
        Self::try_from(algorithm).map_err(str::to_owned)
    }
}

impl From<Signature> for Algorithm {
    fn from(signature: Signature) -> Self {
        signature.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_url_without_user_query_or_fragment() {
        let longest = format!("https://{}", "a".repeat(255 - "https://".len()));
        for good in [
            "https://login.microsoftonline.com/6f3/v2.0",
            "https://sts.windows.net/6f3/",
            "http://127.0.0.1:7081",
            &longest,
        ] {
            let issuer = Issuer::try_from(good.to_owned()).unwrap();
            assert_eq!((issuer.to_string(), String::from(issuer)), (good.to_owned(), good.to_owned()));
        }
        for bad in [
            "",
            "okd",
            "https://",
            "ftp://a",
            "https://a?b",
            "https://a#b",
            "https://me@a",
            "/a",
            &format!("{longest}a"),
        ] {
            assert!(Issuer::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_issuer_s_discovery_document_is_below_its_name() {
        for issuer in ["https://login.example/a", "https://login.example/a/"] {
            let discovery = Issuer::try_from(issuer.to_owned()).unwrap().discovery();
            assert_eq!(discovery.to_string(), "https://login.example/a/.well-known/openid-configuration");
        }
    }

    #[test]
    fn a_url_of_keys_may_have_a_query_and_2_048_bytes() {
        let longest = format!("https://a/?{}", "b".repeat(2048 - "https://a/?".len()));
        let url: KeyUrl = longest.parse().unwrap();
        assert_eq!((url.to_string(), String::from(url)), (longest.clone(), longest.clone()));
        for bad in ["ftp://a", "https://me@a", &format!("{longest}b")] {
            assert!(bad.parse::<KeyUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn symmetric_algorithms_are_none_of_ours() {
        for good in Signature::ALL {
            let algorithm = Algorithm::from(good);
            assert_eq!(format!("{algorithm:?}").parse(), Ok(good));
        }
        for bad in ["HS256", "none", "rs256"] {
            assert!(bad.parse::<Signature>().is_err(), "{bad}");
        }
    }
}
