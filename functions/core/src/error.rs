//! What can go wrong, by what it means for the sender. HTTP-agnostic: the function that answers has the
//! one table of statuses. A variant's text is for the sender and says what to do next; what only we may
//! know (an AWS error) is its source, and goes to the log.

use crate::{
    caller::scopes_for,
    checksum::Checksum,
    document::{DocumentId, UploadState},
    metadata::DocumentClass,
    tenant::TenantId,
    uploads::UploadView,
};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The metadata is not JSON.
    #[error("The metadata is not valid JSON, at line {line}, column {column}: {reason}.")]
    MalformedJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The parser's words, and what to check.
        reason: String,
    },
    /// The metadata is JSON but breaks a rule.
    #[error("{}: {detail}", if pointer.is_empty() { "The metadata" } else { pointer })]
    InvalidMetadata {
        /// Where, as a JSON pointer (RFC 6901).
        pointer: String,
        /// What is wrong and what to send instead.
        detail: String,
    },
    /// More metadata than anyone needs.
    #[error("The metadata has {size} bytes; at most {limit} are accepted. Send ids instead of expanded objects.")]
    MetadataTooLarge {
        /// Bytes sent.
        size: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// A document over [`crate::parts::MAX_DOCUMENT`], or over what its tenant allows.
    #[error("A document has at most {limit} bytes here; this one has {size}.")]
    DocumentTooLarge {
        /// Bytes sent or declared.
        size: u64,
        /// Bytes accepted.
        limit: u64,
    },
    /// The tenant, or this client of it, has as many uploads open, or as many bytes on their way, as it may.
    #[error(
        "Too many uploads are open, or too many bytes on their way, for this client or its tenant. Complete or abort \
         uploads, or repeat this request after the time in Retry-After; an upload of which no part comes ends after an hour, \
         any other after 24."
    )]
    TooManyUploads,
    /// No token, or one that does not hold.
    #[error("{0}")]
    Unauthenticated(#[from] TokenFault),
    /// The token's key is not known, and this tenant's issuer does not say whether it is one of its own.
    #[error(
        "Whether the access token is good cannot be told at this moment: its issuer does not answer. Repeat the request after \
         the time in Retry-After."
    )]
    IssuerUnavailable(TenantId),
    /// A good token without the scope for this type of document, or for any.
    #[error(
        "The access token lacks a scope for {}. Ask the token endpoint for one of {}; where the issuer grants \
         scopes by role, have an administrator assign it.",
        .0.map_or("any document".to_owned(), |class| format!("a document of the type {}", class.document_type.word())),
        scopes_for(*.0).join(", ")
    )]
    MissingScope(Option<DocumentClass>),
    /// No such document for this caller; another's looks the same.
    #[error("There is no document with this id that this client handed in. Check the id and the token's client.")]
    NotFound,
    /// The `Idempotency-Key` was used before, for something else.
    #[error(
        "This Idempotency-Key was used before, with another payload. Nothing was changed: send a new key with a new \
         document, and the same metadata and file with a repeat."
    )]
    KeyReused,
    /// A file is offered by a message that has named as many documents as one may, and has no other name for this one.
    #[error(
        "Documents were handed in with this very metadata before, and nothing tells them apart. Send a documentId in the \
         nl-okd consumer, or an Idempotency-Key, that is this document's own."
    )]
    Nameless,
    /// Complete was called with parts missing.
    #[error(
        "{} of {} parts have not arrived. Send each part in upload.parts to its href, then call complete again.",
        .1.missing.len(), .1.plan.count()
    )]
    UploadIncomplete(DocumentId, Box<UploadView>),
    /// The upload has ended without a document.
    #[error(
        "This upload has ended: {0}. Repeat the PUT of the metadata to begin a new one under the same dmsDocumentId."
    )]
    UploadGone(UploadState),
    /// The document never had this upload, or it ended long ago.
    #[error(
        "This document has no such upload, or had it long ago. Use the links of the answer to the PUT as they are, or repeat \
         the PUT of the metadata to learn where the document stands."
    )]
    NoSuchUpload,
    /// The document has had as many contents as one may have.
    #[error(
        "This document was replaced or corrected {0} times, and each time is kept. Hand this one in as another document, with \
         a documentId of its own."
    )]
    TooManyContents(u32),
    /// The file has another length than was declared.
    #[error(
        "The file has {received} bytes, but documentSize declares {declared}. Nothing was stored: check which is right and send it again."
    )]
    SizeMismatch {
        /// What the sender said.
        declared: u64,
        /// What arrived.
        received: u64,
    },
    /// The bytes are not the ones declared.
    #[error(
        "The file's checksum is {computed}, but {declared} was declared. Nothing was stored: send the whole file again."
    )]
    ChecksumMismatch {
        /// What the sender said.
        declared: Checksum,
        /// What arrived.
        computed: Checksum,
    },
    /// Others changed the same document each time we tried.
    #[error("Other requests keep changing this document. Repeat this request after the time in Retry-After.")]
    Contended,
    /// Something that we need did not answer as it should.
    #[error(
        "The service is temporarily unable to handle this request. Repeat it after the time in Retry-After: with a documentId or an Idempotency-Key a repeat stores nothing twice."
    )]
    Unavailable {
        /// What we were doing, for the log.
        during: &'static str,
        /// Why it failed, for the log.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A rule of the metadata broken at `pointer`.
    pub(crate) fn metadata(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::InvalidMetadata { pointer: pointer.into(), detail: detail.into() }
    }

    /// What only we may know: what we were doing and all that caused the failure, in one line.
    pub fn for_the_log(&self) -> String {
        match self {
            Self::Unavailable { during, source } => {
                format!("{during}: {}", with_causes(source.as_ref()))
            }
            other => other.to_string(),
        }
    }

    /// A failure of something that we depend on, met while `during`.
    pub fn unavailable(during: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { during, source: source.into() }
    }
}

/// An error and all that caused it, in one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// What is told of every token of which it cannot be said more without telling who is a customer of ours.
const NOT_OURS: &str = "The access token is not one that this service can accept: its iss and aud have to be, letter for letter, \
    those that were agreed with the service's operator, and its kid that of a key which its issuer publishes. Get a fresh token; \
    if that is refused too, ask the operator, whose log says why.";

impl TokenFault {
    /// Says to the sender what to mend. Before a signature was checked anybody may have sent the token, so that is the same
    /// for all of these.
    pub fn told(&self) -> String {
        match self {
            Self::Signature | Self::KeysWithoutIds | Self::Issuer | Self::Audience | Self::SeveralTenants => {
                NOT_OURS.to_owned()
            }
            other => other.to_string(),
        }
    }
}

/// Why a bearer token does not hold (RFC 6750, RFC 8725), for the log; see [`TokenFault::told`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// No `Authorization: Bearer` header.
    #[error("This request has no bearer token. Send `Authorization: Bearer <access token>`.")]
    Missing,
    /// Not a JWT that we can read, or over 8 KiB, or of another type than an access token.
    #[error(
        "The bearer token is not a JWT access token of at most 8 KiB, with typ at+jwt or JWT, a signature that is not \
         symmetric, and no critical extension."
    )]
    Malformed,
    /// Not signed by a key of the issuer.
    #[error("The access token is not signed by a key that its issuer publishes. Get a fresh token from the issuer.")]
    Signature,
    /// No `kid` in its header.
    #[error(
        "The access token's header has no kid, so there is no telling which of the issuer's keys signed it. Have the \
         issuer's administrator make it name the key; an access token that comes from the issuer's token endpoint \
         usually does."
    )]
    NoKeyId,
    /// No key of the issuer has a `kid`.
    #[error(
        "None of the keys that the access token's issuer publishes has a kid, so there is no telling which of them \
         signed it. Have the issuer's administrator publish each key with its kid."
    )]
    KeysWithoutIds,
    /// An ID, refresh or logout token, by the claim of this name.
    #[error(
        "The bearer token is not an access token: its `{0}` says that it is an ID token, a refresh token or another \
         kind. Send the access_token of the token endpoint's answer."
    )]
    NotForAccess(&'static str),
    /// Bound to a key or certificate (`cnf`): we cannot check the proof.
    #[error(
        "The access token is bound to a key or a certificate (cnf), and this service cannot check the proof of it. \
         Request a plain bearer token: without DPoP, and without certificate-bound access tokens."
    )]
    Bound,
    /// `exp` has passed.
    #[error("The access token has expired. Get a fresh token and repeat the request.")]
    Expired,
    /// `nbf` is yet to come.
    #[error("The access token is not valid yet (nbf). Check the clocks of the issuer and the sender.")]
    NotYetValid,
    /// An `iss` that no tenant has.
    #[error(
        "The access token is from an issuer that this service does not know. Check its iss, letter for letter, \
         with the service's operator."
    )]
    Issuer,
    /// The wrong `aud`.
    #[error("The access token is meant for another audience. Request it for this service's audience.")]
    Audience,
    /// The `aud`s of several tenants.
    #[error(
        "The access token is meant for several tenants of this service at once. Request it for the audience of one."
    )]
    SeveralTenants,
    /// A claim that is missing or has the wrong type.
    #[error("The access token's claim `{0}` is missing or malformed.")]
    Claim(String),
    /// The claims that name the client name several.
    #[error("The access token names different clients in different claims.")]
    SeveralClients,
}
