//! Why something did not come about.

use std::{error::Error as StdError, fmt, fmt::Write};

use serde_json::Value;

/// A result with such an error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service, or the issuer of tokens, said no. To repeat the request changes nothing.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There was no answer within the [patience](crate::Sender::set_patience), or none but "again": the last of these.
    #[error("given up; the last answer was: {0}")]
    Unreachable(String, Option<Refused>),
    /// The metadata declare another size than the file has.
    #[error("documentSize says {declared} bytes, and the file has {size}")]
    Size {
        /// Bytes that they declare.
        declared: u64,
        /// Bytes that the file has.
        size: u64,
    },
    /// Bytes are others than they should be.
    #[error("{0}")]
    Corrupt(String),
    /// An answer is none that the protocol has.
    #[error("{0}")]
    Answer(String),
    /// The metadata are no JSON.
    #[error("the metadata are no JSON: {0}")]
    Json(serde_json::Error),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
}

impl Error {
    /// The refusal, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }
}

/// The service said no, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The problem document (RFC 9457); null where the answer was none.
    pub problem: Value,
}

impl Refused {
    /// The last word of the problem's type, such as `checksum-mismatch`.
    pub fn kind(&self) -> &str {
        self.problem["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, problem } = self;
        match (problem["title"].as_str(), problem["detail"].as_str()) {
            (Some(title), Some(detail)) => write!(f, "refused with {status}, {title}: {detail}"),
            _ => write!(f, "refused with {status}: {problem}"),
        }?;
        match problem["requestId"].as_str() {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl StdError for Refused {}

/// An error with all that it came of: the first alone says only that something failed.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Nothing fails that writes into a text.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
