//! The kinds of problem documents (RFC 9457): the one table of types, statuses and titles. `docs/problems.md` and the
//! dimension `Problem` of the metric `Refusals` are made from it, and a test compares it with the gateway's own texts
//! in the template.

use http::StatusCode;

/// Begins the `type` of every problem document; a kind's name ends it.
pub const TYPE: &str = "urn:problem-type:okd:";

/// Defines [`Kind`]: each with its status, name, title, cause and remedy.
macro_rules! kinds {
    ($($kind:ident $status:ident $name:literal $title:literal $cause:literal $remedy:literal)*) => {
        /// A kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $title] $kind,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The status that it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)* }
            }

            /// The last word of its `type`, which never changes.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The text of its `title`.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }

            /// The situation in which it is answered, for the documentation.
            #[cfg(test)]
            fn cause(self) -> &'static str {
                match self { $(Self::$kind => $cause,)* }
            }

            /// The sender's next step, for the documentation.
            #[cfg(test)]
            fn remedy(self) -> &'static str {
                match self { $(Self::$kind => $remedy,)* }
            }
        }
    };
}

kinds! {
    MalformedJson BAD_REQUEST "malformed-json" "The metadata is not JSON"
        "The metadata is no JSON text (RFC 8259), has a member twice, or is nested too deep. `line` and `column` say where."
        "Let a JSON library write it, in UTF-8."
    MalformedForm BAD_REQUEST "malformed-form" "The form cannot be read"
        "The `multipart/form-data` body breaks RFC 7578: no boundary, lines that end in LF, cut short."
        "Let an HTTP library build the form."
    InvalidId BAD_REQUEST "invalid-id" "The id cannot be one of ours"
        "The id in the path is no UUID, or `?upload=` or `?version=` names nothing that could be one."
        "Use the links of the answers as they are."
    InvalidQuery BAD_REQUEST "invalid-query" "The query cannot be answered"
        "A parameter of the query is missing, there twice, unknown, or has a value that it cannot have."
        "Correct that parameter; `detail` names it."
    InvalidIdempotencyKey BAD_REQUEST "invalid-idempotency-key" "The Idempotency-Key cannot be used"
        "The header is empty, longer than 255 characters or not visible ASCII."
        "Send a UUID."
    Unauthenticated UNAUTHORIZED "unauthenticated" "No valid access token"
        "There is no bearer token, or it is expired, for another audience, or not signed by a key of its issuer."
        "Get a fresh token and repeat the request. Where that is refused too, ask the operator, whose log says why."
    MissingScope FORBIDDEN "missing-scope" "The access token lacks a scope"
        "No scope of the token opens this type of document. `WWW-Authenticate` names those that do."
        "Ask for a token with one of these scopes."
    NoSuchRoute NOT_FOUND "no-such-route" "No such path"
        "Nothing is served at this path."
        "Compare the URL with [the protocol](protocol.md#requests)."
    NoSuchDocument NOT_FOUND "no-such-document" "No such document"
        "There is no such document, or this client may not see it."
        "Check the id, and with which client's token it was handed in."
    NoSuchVersion NOT_FOUND "no-such-version" "No such version"
        "The document has no version of the id in `?version=`, or that version was corrupt or quarantined."
        "Leave `?version=` out to read the current one."
    NoSuchUpload NOT_FOUND "no-such-upload" "No such upload"
        "The document never had this upload, or it ended long ago."
        "Repeat the PUT of the metadata."
    MethodNotAllowed METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed"
        "The path does not serve this method. `Allow` names those that it serves."
        "Use one of these."
    UploadIncomplete CONFLICT "upload-incomplete" "Parts are missing"
        "`complete` was called before each part had arrived. `upload.parts` lists the missing ones, with fresh URLs."
        "Send them, then call `complete` again."
    NotStored CONFLICT "not-stored" "The document is not stored"
        "The document cannot be read: it is still on its way, waits for a scanner, or its upload ended. `upload.state` says which."
        "Complete the upload, wait until its bytes are compared and screened, or hand the document in again."
    TooManyVersions CONFLICT "too-many-versions" "The document was replaced too often"
        "The document has 1,000 contents, and each is kept."
        "Hand it in as another document, with a `documentId` of its own."
    Kept CONFLICT "kept" "The document is to be kept"
        "The tenant has deleted documents destroyed, and this one is to be kept: for its period, or because of a legal hold."
        "Delete it after the day in `detail`."
    NoSuchRange RANGE_NOT_SATISFIABLE "no-such-range" "The document has no such bytes"
        "The range in the header `Range` begins beyond the document's end. `Content-Range` has its size."
        "Ask for bytes that it has, or for all of it."
    UploadGone GONE "upload-gone" "The upload has ended"
        "The upload was aborted, has expired, or a newer PUT of the document took its place; `detail` says which."
        "Repeat the PUT of the metadata, unless a newer one was meant to take its place."
    FileTooLargeInline PAYLOAD_TOO_LARGE "file-too-large-inline" "The file is too large to come inline"
        "A file inside the request has more than 4 MiB."
        "Send the metadata alone, with `documentSize`; the answer names where to send the parts."
    DocumentTooLarge PAYLOAD_TOO_LARGE "document-too-large" "The document is too large"
        "The document is larger than its tenant may have: 1 GiB, unless the operator has agreed to more."
        "Ask the operator for a higher limit, or split the document."
    MetadataTooLarge PAYLOAD_TOO_LARGE "metadata-too-large" "The metadata is too large"
        "The metadata has more bytes than its tenant allows, at most 64 KiB."
        "Send ids instead of expanded objects."
    UnsupportedMediaType UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body is of a type that is not taken"
        "The `Content-Type` is neither `multipart/form-data` nor `application/json`, or the body is compressed."
        "Send one of these, without `Content-Encoding`."
    InvalidMetadata UNPROCESSABLE_ENTITY "invalid-metadata" "The metadata breaks a rule"
        "A field is missing, contradicts another, or has a value that OKD does not know. `pointer` says where."
        "Correct that field and send the message again."
    InvalidForm UNPROCESSABLE_ENTITY "invalid-form" "The form is not one metadata and one file"
        "A part is missing, unknown, encoded, without a name, or there twice."
        "Send one part `metadata` and one part `file`."
    EmptyFile UNPROCESSABLE_ENTITY "empty-file" "The file is empty"
        "The file has no bytes."
        "Send the document's bytes."
    SizeMismatch UNPROCESSABLE_ENTITY "size-mismatch" "Not the size declared"
        "The file has another size than `documentSize` says. Nothing was stored."
        "Find out which is right and send it again."
    ChecksumMismatch UNPROCESSABLE_ENTITY "checksum-mismatch" "Not the bytes declared"
        "The bytes have another checksum than `documentChecksum` says. What was stored before is current still."
        "Send the whole file again, with the checksum of its bytes."
    Quarantined UNPROCESSABLE_ENTITY "quarantined" "The file is kept from its readers"
        "A scanner found malware in the file, or could not tell what is in it. What was stored before is current still."
        "Hand the document in again with a clean file, without a password."
    IdempotencyKeyReused UNPROCESSABLE_ENTITY "idempotency-key-reused" "The Idempotency-Key was used for something else"
        "The same key came before with other metadata or another file. Nothing was changed."
        "Send a new key with a new document."
    DocumentIdNeeded UNPROCESSABLE_ENTITY "document-id-needed" "The document needs a name of its own"
        "Sixteen documents came with these very metadata, and nothing tells them apart."
        "Send a `documentId`, or an `Idempotency-Key`."
    Held LOCKED "held" "The document is held"
        "The operator has put a legal hold on the document, so that its bytes are not replaced."
        "Hand a new version in as another document, or ask the operator."
    TooManyUploads TOO_MANY_REQUESTS "too-many-uploads" "Too many uploads are open"
        "The tenant or this client has as many uploads open, or as many bytes on their way, as it may have."
        "Complete or abort uploads, or repeat the request when `Retry-After` says."
    TooManyRequests TOO_MANY_REQUESTS "too-many-requests" "Too many requests"
        "More requests arrive than the gateway, or this tenant's rate, lets through."
        "Repeat the request when `Retry-After` says."
    InternalError INTERNAL_SERVER_ERROR "internal-error" "The service broke down"
        "The service has a fault."
        "Repeat the request once. Where it happens again, give the operator both ids."
    TryAgain SERVICE_UNAVAILABLE "try-again" "Temporarily unavailable"
        "The service, or a store behind it, could not answer in time, or others keep changing the same document."
        "Repeat the request when `Retry-After` says. With a `documentId` a repeat stores nothing twice."
    IssuerUnavailable SERVICE_UNAVAILABLE "issuer-unavailable" "The token's issuer does not answer"
        "The key that signed the token is not known, and the issuer does not answer."
        "Repeat the request when `Retry-After` says."
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems.md");

    /// The page about problems, as this table has it.
    fn page() -> String {
        let head = "# Problems\n\n\
            For developers of a school's system. Made from `functions/api/src/kinds.rs`; \
            `OKD_WRITE=1 cargo test -p okd-api problems` writes it anew.\n\n\
            Every error is `application/problem+json` (RFC 9457). Its `type` is `urn:problem-type:okd:` and the word below; \
            its `detail` says of this very request what is wrong and what to do. `requestId` and `extendedRequestId` \
            are for the operator.\n\n| `type` ends with | Status | Cause | Remedy |\n|-|-|-|-|\n";
        let row = |kind: &Kind| {
            let (name, status) = (kind.name(), kind.status().as_u16());
            format!("| `{name}` | {status} | {} | {} |\n", kind.cause(), kind.remedy())
        };
        let rows: String = Kind::ALL.iter().map(row).collect();
        let gateway = "| `refused-by-gateway` | 4xx | API Gateway refused the request before it reached the service; `detail` \
            has its reason. | Send the request differently. |\n";
        format!("{head}{rows}{gateway}")
    }

    #[test]
    fn the_page_about_problems_is_what_this_table_says() {
        if std::env::var_os("OKD_WRITE").is_some() {
            fs::write(PAGE, page()).unwrap();
        }
        assert_eq!(fs::read_to_string(PAGE).unwrap(), page());
    }

    #[test]
    fn no_two_kinds_of_problems_have_one_name() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
