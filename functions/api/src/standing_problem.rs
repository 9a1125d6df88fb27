//! Words where a document or an upload stands, to those who wanted more of it.

use okd_core::{document::EndReason, use_cases::Standing};
use serde_json::Value;

use crate::{kinds::Kind, problem::Problem};

/// Says that an upload has ended without a document.
pub(crate) fn upload_gone(reason: EndReason) -> Problem {
    Problem::new(
        match reason {
            EndReason::ChecksumMismatch | EndReason::Corrupt => Kind::ChecksumMismatch,
            EndReason::Quarantined => Kind::Quarantined,
            EndReason::Aborted | EndReason::Expired | EndReason::Superseded => Kind::UploadGone,
        },
        format!(
            "This upload has ended: {}. Repeat the PUT of the metadata to begin a new one under the same \
                 dmsDocumentId.",
            ended(reason)
        ),
    )
}

/// Says where a document stands that cannot be read.
pub(crate) fn not_stored(standing: Standing, upload: &Value) -> Problem {
    let (why, remedy) = match standing {
        Standing::Uploading => ("its parts have not all arrived", "Send them and complete the upload"),
        Standing::Verifying => (
            "its bytes are still being compared with the checksum that was declared",
            "Repeat this request after the time in Retry-After",
        ),
        Standing::Screening => (
            "a scanner has yet to say that there is no malware in its file",
            "Repeat this request after the time in Retry-After",
        ),
        Standing::Ended(reason) => (ended(reason), "Hand the document in again"),
    };
    let problem = Problem::new(Kind::NotStored, format!("The document cannot be read: {why}. {remedy}."));
    let problem = problem.member("upload", upload.clone());
    match standing {
        Standing::Verifying => problem.retry_after("2"),
        Standing::Screening => problem.retry_after("30"),
        Standing::Uploading | Standing::Ended(_) => problem,
    }
}

/// Says how an upload has ended.
fn ended(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Aborted => "it was aborted",
        EndReason::Expired => "no part of it came within an hour, or it was not completed within 24 hours",
        EndReason::ChecksumMismatch => "its bytes did not have the declared checksum",
        EndReason::Corrupt => "its bytes, read back, did not have the declared checksum",
        EndReason::Quarantined => "a scanner found malware in its file, or could not tell what is in it",
        EndReason::Superseded => "a newer PUT of the same document has taken its place",
    }
}
