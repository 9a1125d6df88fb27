//! Tests of the rules of a document: tables of cases, and the property test of its life.

mod contents;
mod enrollments;
mod life;
mod offers;
mod uploads;

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::{
    checksum::Checksum,
    class::SubjectKind,
    metadata::{SentFile, Subject},
    parts::{DocumentSize, PartPlan},
    stamp::{Actor, Stamp},
};

const SUBJECT: Subject = Subject { kind: SubjectKind::Association, id: Uuid::nil() };

/// A time, in seconds since 1970.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The stamp of a client at this second.
pub(crate) fn stamp(second: i64) -> Stamp {
    Stamp { at: at(second), by: Actor { client: Some("sis".to_owned()), token: None } }
}

/// A document before anything was handed in.
pub(crate) fn empty() -> Document {
    let key = DocumentKey { tenant: "school".to_owned().try_into().unwrap(), id: Uuid::nil().into() };
    Document::empty(key, "sis".to_owned())
}

/// Metadata that names a person of its own.
pub(crate) fn metadata(number: u8) -> Metadata {
    metadata_with(number, "", SentFile::default())
}

/// The same, with `more` members of the consumer, and with a file.
pub(crate) fn metadata_with(number: u8, more: &str, file: SentFile<'_>) -> Metadata {
    let text =
        format!(r#"{{"person": "{number}", "consumers": [{{"consumerKey": "nl-okd", "documentType": "bpv"{more}}}]}}"#);
    Metadata::parse(SUBJECT, text.as_bytes(), file).unwrap()
}

/// A content of one byte, this one.
pub(crate) fn content(number: u8, now: Timestamp) -> Content {
    let sha256 = Checksum::sha256(&[number]);
    Content {
        sequence: 0,
        revision: 0,
        content_id: ContentId::of_bytes(&sha256),
        size: 1,
        checksums: vec![sha256],
        verification: Verification::Done,
        stored_at: now,
        verified_at: None,
        screening: None,
        screened_at: None,
        metadata: metadata(number),
    }
}

/// An upload of one byte, this one, that began at `now`; counted by the shard of that number.
pub(crate) fn upload(number: u8, declared: bool, now: Timestamp) -> Upload {
    Upload {
        content_id: ContentId::of_upload(),
        upload_id: "upload".to_owned(),
        plan: PartPlan::from(DocumentSize::try_from(1).unwrap()),
        checksum: declared.then(|| Checksum::sha256(&[number])),
        expires_at: now + UPLOAD_LIFETIME,
        shard: Some(number),
        state: UploadState::Uploading,
        metadata: metadata(number),
    }
}
