//! Tests of the rules of metadata: tables of messages, and where each is refused.

mod consumer;
mod links;
mod messages;
mod repeats;

use serde_json::{Value, json};

use super::*;

/// The id of every subject here.
const ID: &str = "00000000-0000-0000-0000-000000000007";

/// A resource of this kind.
fn subject(kind: SubjectKind) -> Subject {
    Subject { kind, id: Uuid::from_u128(7) }
}

/// The text of good metadata with these members, and these of its consumer, in place of its own.
fn text(root: &Value, consumer: &Value) -> String {
    let okd = with(json!({ "consumerKey": "nl-okd", "documentType": "bpv" }), consumer);
    with(json!({ "consumers": [okd] }), root).to_string()
}

/// The object with more members.
fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}

/// Reads metadata of an association.
fn read(root: &Value, consumer: &Value) -> Metadata {
    Metadata::parse(subject(SubjectKind::Association), text(root, consumer).as_bytes(), SentFile::default()).unwrap()
}

/// The pointer at which metadata is refused, and the error's kind where it has none; `read` where it is not refused.
fn refused_on(kind: SubjectKind, root: &Value, consumer: &Value) -> String {
    let read = Metadata::parse(subject(kind), text(root, consumer).as_bytes(), SentFile::default());
    outcome(read.map(drop))
}

/// The same, of an association.
fn refused(root: &Value, consumer: &Value) -> String {
    refused_on(SubjectKind::Association, root, consumer)
}

/// The place of an error, in a word.
fn outcome(read: Result<()>) -> String {
    match read {
        Ok(()) => "read".to_owned(),
        Err(Error::InvalidMetadata(faults)) => faults[0].pointer.clone(),
        Err(Error::MalformedJson { line, column, .. }) => format!("{line}:{column}"),
        Err(Error::MetadataTooLarge { .. } | Error::DocumentTooLarge { .. }) => "too large".to_owned(),
        Err(other) => panic!("{other:?}"),
    }
}
