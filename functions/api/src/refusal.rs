//! Refusals and failures, and the wording of each for the sender: one arm for each.

use http::header;
use jiff::civil::Date;
use okd_core::{Error, MetadataFault, document::EndReason, parts::MAX_INLINE_FILE, use_cases::Standing};
use serde_json::{Value, json};

use okd_form::fault::FormFault as NoForm;

use crate::{
    form::FormFault,
    kinds::Kind,
    problem::Problem,
    response::allow,
    standing_problem::{not_stored, upload_gone},
    token_problem::{missing_scope, unauthenticated},
};

/// Why a request gets no ordinary answer. (No `Debug`: an upload in it has URLs that are secrets.)
pub(crate) enum Refusal {
    /// The core refused it, or failed.
    Core(Error),
    /// The form is not one of metadata and a file.
    Form(FormFault),
    /// `complete` was called with so many parts missing of so many; with the upload on our wire.
    Incomplete { missing: usize, parts: usize, upload: Value },
    /// The document cannot be read: its standing, with the upload on our wire.
    NotStored(Standing, Value),
    /// The document, of so many bytes, has not the range that is asked for.
    NoSuchRange { size: u64 },
    /// The upload to complete has ended.
    UploadGone(EndReason),
    /// There is no such path.
    NoSuchRoute,
    /// The path has other methods.
    MethodNotAllowed { allowed: &'static [&'static str] },
    /// The id in the path is none.
    InvalidId,
    /// The query `?upload=` or `?version=` names nothing that could be one.
    InvalidContentId,
    /// A parameter of the query is missing, unknown or has no value that could be meant.
    InvalidQuery { parameter: String, fault: String },
    /// The body is not one that is taken.
    Body(BodyFault),
    /// The tenant sends more requests than it may.
    TooManyRequests,
    /// The `Idempotency-Key` header cannot be read.
    InvalidIdempotencyKey,
    /// The deadline came first.
    OutOfTime,
    /// The function panicked.
    Panicked,
}

/// Why the body of a request is not taken, before it is read.
pub(crate) enum BodyFault {
    /// That of a `PATCH` of an association is no change of one.
    NotAPatch,
    /// It is a form, where the bytes alone are asked for.
    FormForBytes,
    /// It is a document's new bytes, and too large to come in one request.
    BytesTooLarge { size: usize },
    /// It is compressed.
    ContentEncoding,
    /// It is neither a form nor JSON.
    UnsupportedMediaType,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<BodyFault> for Refusal {
    fn from(fault: BodyFault) -> Self {
        Self::Body(fault)
    }
}

impl From<FormFault> for Refusal {
    fn from(fault: FormFault) -> Self {
        Self::Form(fault)
    }
}

/// Ends the texts that ask for a repeat.
const REPEAT: &str = "with a documentId or an Idempotency-Key a repeat stores nothing twice.";

/// Words a refusal.
pub(crate) fn problem(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Core(error) => problem_of_core(error),
        Refusal::Form(fault) => problem_of_form(fault),
        Refusal::Incomplete { missing, parts, upload } => Problem::new(
            Kind::UploadIncomplete,
            format!(
                "{missing} of {parts} parts have not arrived. Send each part in upload.parts to its href, then call \
                 complete again."
            ),
        )
        .member("upload", upload.clone()),
        Refusal::NotStored(standing, upload) => not_stored(*standing, upload),
        Refusal::NoSuchRange { size } => Problem::new(
            Kind::NoSuchRange,
            format!("The document has {size} bytes; the range in the header Range lies beyond them."),
        )
        .header(header::CONTENT_RANGE, format!("bytes */{size}")),
        Refusal::UploadGone(reason) => upload_gone(*reason),
        Refusal::NoSuchRoute => Problem::new(
            Kind::NoSuchRoute,
            "There is nothing at this path. Documents are handed in at /okd/v1/associations/{associationId}, \
             /okd/v1/offerings/{offeringId} and /okd/v1/persons/{personId}.",
        ),
        Refusal::MethodNotAllowed { allowed } => {
            let detail = format!("This path answers to {} only.", allowed.join(" and "));
            Problem::new(Kind::MethodNotAllowed, detail).header(header::ALLOW, allow(allowed))
        }
        Refusal::InvalidId => Problem::new(
            Kind::InvalidId,
            "The id in the path is not a UUID such as 123e4567-e89b-12d3-a456-426614174000.",
        ),
        Refusal::InvalidContentId => Problem::new(
            Kind::InvalidId,
            "The query ?upload= or ?version= holds no id of ours. Use the links of the answers as they are, or leave the \
             query out to mean the document's only upload or its current version.",
        ),
        Refusal::InvalidQuery { parameter, fault } => {
            Problem::new(Kind::InvalidQuery, format!("The parameter {parameter} of the query {fault}."))
        }
        Refusal::Body(fault) => problem_of_body(fault),
        Refusal::InvalidIdempotencyKey => Problem::new(
            Kind::InvalidIdempotencyKey,
            "The Idempotency-Key must have 1 to 255 visible ASCII characters.",
        ),
        Refusal::TooManyRequests => Problem::new(
            Kind::TooManyRequests,
            format!(
                "More requests of this tenant arrive than this service lets through. Repeat this one after the time \
                 in Retry-After: {REPEAT}"
            ),
        )
        .retry_after("1"),
        Refusal::OutOfTime => Problem::new(
            Kind::TryAgain,
            format!("The service could not answer in time. Repeat the request after the time in Retry-After: {REPEAT}"),
        )
        .retry_after("2"),
        Refusal::Panicked => Problem::new(
            Kind::InternalError,
            "The service broke down over this request, and its log says where. Repeat the request once; if it happens \
             again, tell the operator both ids.",
        )
        .failed("panicked".to_owned()),
    }
}

/// Words why a body is not taken.
fn problem_of_body(fault: &BodyFault) -> Problem {
    match fault {
        BodyFault::NotAPatch => Problem::new(
            Kind::UnsupportedMediaType,
            "A change of an enrolment is sent as application/merge-patch+json or application/json.",
        ),
        BodyFault::FormForBytes => Problem::new(
            Kind::UnsupportedMediaType,
            "A document's bytes are replaced by the bytes alone, with their media type: send no form and no metadata. To change \
             metadata, hand the document in again.",
        ),
        BodyFault::BytesTooLarge { size } => Problem::new(
            Kind::FileTooLargeInline,
            format!(
                "The body has {size} bytes; {MAX_INLINE_FILE} (4 MiB) is the limit. Send {{\"documentSize\": {size}}} as \
                 application/json to this URL instead: the answer tells where to send the file's parts."
            ),
        ),
        BodyFault::ContentEncoding => Problem::new(
            Kind::UnsupportedMediaType,
            "The body is compressed. Send it as it is, without Content-Encoding.",
        )
        .header(header::ACCEPT_ENCODING, "identity"),
        BodyFault::UnsupportedMediaType => Problem::new(
            Kind::UnsupportedMediaType,
            format!(
                "Send multipart/form-data with the parts metadata and file (up to {MAX_INLINE_FILE} bytes), or \
                 application/json with the metadata alone, its documentSize in the nl-okd consumer, for a file that \
                 follows."
            ),
        ),
    }
}

/// Words what is wrong with a form.
fn problem_of_form(fault: &FormFault) -> Problem {
    match fault {
        FormFault::Form(fault @ NoForm::Malformed(_)) => Problem::new(Kind::MalformedForm, fault.to_string()),
        FormFault::Form(fault) => Problem::new(Kind::InvalidForm, fault.to_string()),
        FormFault::EmptyFile => Problem::new(Kind::EmptyFile, "The file is empty: a document has at least one byte."),
        FormFault::FileTooLarge { size } => Problem::new(
            Kind::FileTooLargeInline,
            format!(
                "The file has {size} bytes; inline, {MAX_INLINE_FILE} (4 MiB) is the limit. Send the metadata alone \
                 as application/json with \"documentSize\": {size} in its nl-okd consumer: the answer tells where to \
                 send the file's parts."
            ),
        ),
    }
}

/// Words an error of the core.
#[expect(clippy::too_many_lines, reason = "it is a table: one arm for each error")]
fn problem_of_core(error: &Error) -> Problem {
    match error {
        Error::MalformedJson { line, column, reason } => Problem::new(
            Kind::MalformedJson,
            format!("The metadata is not valid JSON, at line {line}, column {column}: {reason}."),
        )
        .member("line", json!(line))
        .member("column", json!(column)),
        Error::InvalidMetadata(faults) => invalid_metadata(faults),
        Error::MetadataTooLarge { size, limit } => Problem::new(
            Kind::MetadataTooLarge,
            format!(
                "The metadata has {size} bytes; at most {limit} are accepted. Send ids instead of expanded objects."
            ),
        ),
        Error::DocumentTooLarge { size, limit } => Problem::new(
            Kind::DocumentTooLarge,
            format!("A document has at most {limit} bytes here; this one has {size}."),
        ),
        Error::TooManyUploads => Problem::new(
            Kind::TooManyUploads,
            "Too many uploads are open, or too many bytes on their way, for this client or its tenant. Complete or \
             abort uploads, or repeat this request after the time in Retry-After; an upload of which no part comes \
             ends after an hour, any other after 24.",
        )
        .retry_after("60"),
        Error::Unauthenticated(fault) => unauthenticated(fault),
        Error::IssuerUnavailable(_) => Problem::new(
            Kind::IssuerUnavailable,
            "Whether the access token is good cannot be told at this moment: its issuer does not answer. Repeat the \
             request after the time in Retry-After.",
        )
        .retry_after("2"),
        Error::MissingScope(class) => missing_scope(*class),
        Error::NotFound => Problem::new(
            Kind::NoSuchDocument,
            "There is no document with this id that this client handed in. Check the id and the token's client.",
        ),
        Error::KeyReused => Problem::new(
            Kind::IdempotencyKeyReused,
            "This Idempotency-Key was used before, with another payload. Nothing was changed: send a new key with a \
             new document, and the same metadata and file with a repeat.",
        ),
        Error::Nameless => Problem::new(
            Kind::DocumentIdNeeded,
            "Documents were handed in with this very metadata before, and nothing tells them apart. Send a documentId \
             in the nl-okd consumer, or an Idempotency-Key, that is this document's own.",
        ),
        Error::NoSuchUpload => Problem::new(
            Kind::NoSuchUpload,
            "This document has no such upload, or had it long ago. Use the links of the answer to the PUT as they are, \
             or repeat the PUT of the metadata to learn where the document stands.",
        ),
        Error::NoSuchVersion => Problem::new(
            Kind::NoSuchVersion,
            "This document has no such version that could be read. GET its metadata: ext.okd.version is the current one.",
        ),
        Error::PageTooFar => Problem::new(
            Kind::InvalidQuery,
            "So many documents come before this page that it cannot be found by its number. Go on from the page before \
             it: send its ext.okd.after as the parameter after.",
        ),
        Error::TooManyContents(contents) => Problem::new(
            Kind::TooManyVersions,
            format!(
                "This document was replaced or corrected {contents} times, and each time is kept. Hand this one in as \
                 another document, with a documentId of its own."
            ),
        ),
        Error::SizeMismatch { declared, received } => Problem::new(
            Kind::SizeMismatch,
            format!(
                "The file has {received} bytes, but documentSize declares {declared}. Nothing was stored: check which \
                 is right and send it again."
            ),
        ),
        Error::ChecksumMismatch { declared, computed } => Problem::new(
            Kind::ChecksumMismatch,
            format!(
                "The file's checksum is {computed}, but {declared} was declared. Nothing was stored: send the whole \
                 file again."
            ),
        ),
        Error::Kept { is_held, until } => Problem::new(Kind::Kept, kept(*is_held, *until)),
        Error::Held => Problem::new(
            Kind::Held,
            "The operator has put a hold on this document: its bytes stay as they are. Hand a new version in as another \
             document, or ask the operator.",
        ),
        Error::Contended => Problem::new(
            Kind::TryAgain,
            "Other requests keep changing this document. Repeat this request after the time in Retry-After.",
        )
        .retry_after("2"),
        Error::Unavailable { .. } => Problem::new(
            Kind::TryAgain,
            format!(
                "The service is temporarily unable to handle this request. Repeat it after the time in Retry-After: \
                 {REPEAT}"
            ),
        )
        .retry_after("2")
        .failed(error.to_string()),
    }
}

/// Says everything that is wrong with metadata, the first fault in words.
fn invalid_metadata(faults: &[MetadataFault]) -> Problem {
    let first = faults.first();
    let error = |fault: &MetadataFault| json!({ "pointer": fault.pointer, "detail": fault.detail });
    Problem::new(Kind::InvalidMetadata, first.map(ToString::to_string).unwrap_or_default())
        .member("pointer", json!(first.map(|fault| &fault.pointer)))
        .member("errors", faults.iter().map(error).collect())
}

/// Says why a document is not to be destroyed.
fn kept(is_held: bool, until: Option<Date>) -> String {
    match (is_held, until) {
        (true, _) => {
            "The operator has put a hold on this document: nothing of it is destroyed. Ask the operator.".to_owned()
        }
        (false, Some(until)) => format!("This document is to be kept until {until}. Delete it after that day."),
        (false, None) => {
            "This document is to be kept for as long as its enrolment goes on, and for its period after that. \
             Delete it when the enrolment is over, and the period too."
                .to_owned()
        }
    }
}
