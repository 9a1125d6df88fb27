//! Errors. An error carries facts; the function that answers words them, and knows the statuses.

use std::fmt;

use jiff::civil::Date;

use crate::{checksum::Checksum, class::DocumentClass, ids::TenantId};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a failure. The texts are for the log and the operator's command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The metadata is not JSON.
    #[error("no valid JSON, at line {line}, column {column}: {reason}")]
    MalformedJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The parser's words, and what to check.
        reason: String,
    },
    /// The metadata is JSON but breaks rules: at least one.
    #[error("{}", listed(.0))]
    InvalidMetadata(Vec<MetadataFault>),
    /// The metadata has more bytes than the tenant allows.
    #[error("metadata of {size} bytes; the limit is {limit}")]
    MetadataTooLarge {
        /// Bytes sent.
        size: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// The document has more bytes than the tenant allows.
    #[error("a document of {size} bytes; the limit is {limit}")]
    DocumentTooLarge {
        /// Bytes sent or declared.
        size: u64,
        /// Bytes accepted.
        limit: u64,
    },
    /// The tenant, or this client of it, has as many uploads open, or as many bytes on their way, as it may.
    #[error("too many uploads are open")]
    TooManyUploads,
    /// There is no token, or one that does not hold.
    #[error("{0}")]
    Unauthenticated(#[from] TokenFault),
    /// The token's key is not known, and this tenant's issuer does not say whether it is one of its own.
    #[error("the issuer of {0} does not answer")]
    IssuerUnavailable(TenantId),
    /// The token is good and has no scope for this class of document, or for any.
    #[error("a scope is missing")]
    MissingScope(Option<DocumentClass>),
    /// There is no such document for this caller; another's looks the same.
    #[error("no such document")]
    NotFound,
    /// The `Idempotency-Key` was used before, for something else.
    #[error("the Idempotency-Key was used for something else")]
    KeyReused,
    /// A file is offered by a message that has named as many documents as one may, and has no other name for this one.
    #[error("the message names too many documents")]
    Nameless,
    /// The document never had this upload, or it ended long ago.
    #[error("no such upload")]
    NoSuchUpload,
    /// The document has no such version, or that one is corrupt.
    #[error("no such version")]
    NoSuchVersion,
    /// So many documents come before the page of a list that is asked for that it cannot be found by its number.
    #[error("a page that is too far")]
    PageTooFar,
    /// The document has had so many contents, as many as one may have.
    #[error("the document has had {0} contents")]
    TooManyContents(u32),
    /// The file has another length than was declared.
    #[error("{received} bytes received, {declared} declared")]
    SizeMismatch {
        /// Bytes declared.
        declared: u64,
        /// Bytes received.
        received: u64,
    },
    /// The bytes are not the ones declared.
    #[error("{computed} computed, {declared} declared")]
    ChecksumMismatch {
        /// The checksum declared.
        declared: Checksum,
        /// The checksum of what arrived.
        computed: Checksum,
    },
    /// The document is not to be destroyed: an operator has put a hold on it, or it is to be kept to this day; `None` where
    /// the period has not begun.
    #[error("the document is to be kept")]
    Kept {
        /// True if an operator has put a hold on it.
        is_held: bool,
        /// The day.
        until: Option<Date>,
    },
    /// An operator has put a hold on the document.
    #[error("the document is held")]
    Held,
    /// Others changed the same document at every attempt.
    #[error("other requests keep changing the document")]
    Contended,
    /// A store or another service did not answer as it should.
    #[error("{during}: {}", with_causes(source.as_ref()))]
    Unavailable {
        /// The step that failed.
        during: &'static str,
        /// The failure.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A rule of the metadata broken at `pointer`.
    pub(crate) fn metadata(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::InvalidMetadata(vec![MetadataFault { pointer: pointer.into(), detail: detail.into() }])
    }

    /// A failure of something that we depend on, met while `during`.
    pub fn unavailable(during: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { during, source: source.into() }
    }
}

/// One rule that the metadata breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFault {
    /// The place, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The rule that is broken, and what to send instead.
    pub detail: String,
}

impl fmt::Display for MetadataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "The metadata" } else { &self.pointer };
        write!(f, "{place}: {}", self.detail)
    }
}

fn listed(faults: &[MetadataFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// An error and all that caused it, in one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// Reasons why a bearer token does not hold (RFC 6750, RFC 8725). The texts are for the log, and name claims at most.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// There is no `Authorization: Bearer` header.
    #[error("no bearer token")]
    Missing,
    /// It is not a JWT that we can read, or over 8 KiB, or of another type than an access token.
    #[error("no JWT access token of at most 8 KiB with a type, algorithm and extensions that are accepted")]
    Malformed,
    /// It is not signed by a key of the issuer.
    #[error("not signed by a key that its issuer publishes")]
    Signature,
    /// Its header has no `kid`.
    #[error("no kid")]
    NoKeyId,
    /// No key of the issuer has a `kid`.
    #[error("none of the issuer's keys has a kid")]
    KeysWithoutIds,
    /// It is an ID, refresh or logout token, by the claim of this name.
    #[error("not an access token, by its claim {0}")]
    NotForAccess(&'static str),
    /// It is bound to a key or certificate (`cnf`), and we cannot check the proof.
    #[error("bound to a key or a certificate (cnf)")]
    Bound,
    /// `exp` has passed.
    #[error("expired")]
    Expired,
    /// `nbf` is yet to come.
    #[error("not valid yet (nbf)")]
    NotYetValid,
    /// No tenant has this `iss`.
    #[error("of an issuer that no tenant has")]
    Issuer,
    /// No tenant of the issuer has this `aud`.
    #[error("for another audience")]
    Audience,
    /// Its `aud`s are those of several tenants.
    #[error("for several tenants at once")]
    SeveralTenants,
    /// A claim is missing or has the wrong type.
    #[error("the claim {0} is missing or malformed")]
    Claim(String),
    /// The claims that name the client name several.
    #[error("the claims name different clients")]
    SeveralClients,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_all_that_caused_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("no answer")]
        struct Outer(#[source] std::io::Error);

        let error = Outer(std::io::Error::other("refused"));
        assert_eq!(with_causes(&error), "no answer: refused");
        assert_eq!(Error::unavailable("asking", error).to_string(), "asking: no answer: refused");
    }
}
