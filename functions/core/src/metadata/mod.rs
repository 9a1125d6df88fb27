//! What a sender says of a document: an OOAPI association or offering that holds one `nl-okd` consumer.
//!
//! [`Metadata::parse`] is the door: behind it, everything that the standard asks for is known to be
//! there and well formed. The sender's own JSON is kept word for word beside what we understood of it,
//! so that nothing is lost that a later reader may know how to use.

mod consumer;
mod file_name;
mod json;
mod retention;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use consumer::{DocumentType, OkdConsumer};
pub use file_name::FileName;
pub use retention::{Retention, Unit};

use crate::{Error, Result, parts::DocumentSize};
use json::Node;

/// Bytes of metadata accepted: room for every field of OOAPI expanded, and for DynamoDB's 400 KB item
/// to hold two of them (the current document's and a pending upload's).
pub const MAX_METADATA: usize = 64 * 1024;

/// The resource that a document hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// An association or an offering.
    pub kind: SubjectKind,
    /// Its id, in the path and in the metadata.
    pub id: Uuid,
}

/// The kinds of resource that a document can hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubjectKind {
    /// A student's enrolment (`/associations/{id}`).
    Association,
    /// An exam sitting (`/offering/{id}`, `/offerings/{id}`).
    Offering,
}

impl SubjectKind {
    /// OOAPI's word for it, as in `associationId` and `offeringId`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Association => "association",
            Self::Offering => "offering",
        }
    }
}

/// A document's metadata, known to be well formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// What the document hangs on.
    pub subject: Subject,
    /// The `nl-okd` consumer, in the spelling of OKD 1.5.
    pub okd: OkdConsumer,
    /// The sender's JSON, word for word.
    pub as_sent: String,
}

impl Metadata {
    /// Reads the metadata of a request on `subject` (its path).
    ///
    /// Errors: [`Error::MetadataTooLarge`], [`Error::MalformedJson`], [`Error::DocumentTooLarge`] for its
    /// `documentSize`, else [`Error::InvalidMetadata`] with the JSON pointer of the first fault.
    pub fn parse(subject: Subject, text: &[u8]) -> Result<Self> {
        read(subject, text, |_| Ok(())).map(|(metadata, ())| metadata)
    }

    /// Whether the other says the same, whatever its spacing or the order of its keys.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let value =
            |metadata: &Self| serde_json::from_str::<serde_json::Value>(&metadata.as_sent).ok();
        self.as_sent == other.as_sent || value(self) == value(other)
    }
}

/// A file that is yet to come: its metadata, with what form B asks for besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedFile {
    /// The metadata.
    pub metadata: Metadata,
    /// `documentSize`.
    pub size: DocumentSize,
}

impl OfferedFile {
    /// As [`Metadata::parse`], and `documentSize` must be there.
    pub fn parse(subject: Subject, text: &[u8]) -> Result<Self> {
        let (metadata, size) = read(subject, text, |consumer| {
            consumer::size(&consumer.required("documentSize")?)
        })?;
        Ok(Self { metadata, size })
    }
}

/// The metadata, and what `more` reads in its nl-okd consumer.
fn read<T>(
    subject: Subject,
    text: &[u8],
    more: impl Fn(&Node<'_>) -> Result<T>,
) -> Result<(Metadata, T)> {
    if text.len() > MAX_METADATA {
        return Err(Error::MetadataTooLarge {
            size: text.len(),
            limit: MAX_METADATA,
        });
    }
    let text = std::str::from_utf8(text).map_err(|error| not_utf8(text, &error))?;
    let value = json::parse(text)?;
    let root = Node::root(&value);
    match_subject(&root, subject)?;
    let consumer = okd_consumer(&root)?;
    let okd = OkdConsumer::parse(&consumer)?;
    let more = more(&consumer)?;
    Ok((
        Metadata {
            subject,
            okd,
            as_sent: text.to_owned(),
        },
        more,
    ))
}

fn not_utf8(text: &[u8], error: &std::str::Utf8Error) -> Error {
    let before = &text[..error.valid_up_to()];
    let line_start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    Error::MalformedJson {
        line: 1 + before.iter().filter(|&&byte| byte == b'\n').count(),
        column: before.len() - line_start + 1,
        reason: "a byte that is not UTF-8".to_owned(),
    }
}

/// The body is about the resource in the path, and its neighbours are ids or objects.
fn match_subject(root: &Node<'_>, subject: Subject) -> Result<()> {
    let word = subject.kind.word();
    let id = root.required(&format!("{word}Id"))?;
    let same = parse_uuid(id.text()?).ok_or_else(|| id.refuse("must be a UUID"))? == subject.id;
    if !same {
        return Err(id.refuse(format!(
            "differs from the {word} in the path, {}",
            subject.id
        )));
    }
    let types: &[&str] = match subject.kind {
        SubjectKind::Association => &[
            "programOfferingAssociation",
            "courseOfferingAssociation",
            "componentOfferingAssociation",
        ],
        SubjectKind::Offering => &["component", "course", "program"],
    };
    let kind = root.required(&format!("{word}Type"))?;
    if !types.contains(&kind.text()?) {
        return Err(kind.refuse(format!("must be one of {}", types.join(", "))));
    }
    for neighbour in [
        "person",
        "offering",
        "program",
        "course",
        "component",
        "organization",
    ] {
        if let Some(node) = root.get(neighbour)?
            && !(node.value.is_string() || node.value.is_object())
        {
            return Err(node.refuse("must be an id (a string) or an expanded object"));
        }
    }
    Ok(())
}

/// The one consumer whose key is `nl-okd`.
fn okd_consumer<'a>(root: &Node<'a>) -> Result<Node<'a>> {
    let consumers = root.required("consumers")?;
    let mut found = None;
    for consumer in consumers.items()? {
        if consumer.required("consumerKey")?.text()? != "nl-okd" {
            continue;
        }
        if found.is_some() {
            return Err(
                consumer.refuse("is a second nl-okd consumer; hand in one document a request")
            );
        }
        found = Some(consumer);
    }
    found.ok_or_else(|| consumers.refuse("must hold one consumer with \"consumerKey\": \"nl-okd\""))
}

/// A UUID in its one standard form, 8-4-4-4-12 hexadecimal digits in either case.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    Some(text)
        .filter(|text| text.len() == 36)
        .and_then(|text| Uuid::try_parse(text).ok())
}

#[cfg(test)]
mod fuzz {
    use super::*;
    use proptest::prelude::*;

    const SUBJECT: Subject = Subject {
        kind: SubjectKind::Association,
        id: Uuid::nil(),
    };
    const GOOD: &str = r#"{"associationId": "00000000-0000-0000-0000-000000000000", "associationType":
        "programOfferingAssociation", "person": {"personId": "x"}, "consumers": [{"consumerKey": "nl-okd", "documentType":
        "examination", "documentId": "1", "documentName": "a.pdf", "bewaartermijnsuggestie": "3Y", "examDate": "2026-01-13",
        "examDateTime": "2026-01-13T09:00:00+01:00", "documentSize": 5, "documentChecksum": "crc64nvme:0000000000000000"}]}"#;

    /// Bytes of every kind, and the pieces that JSON and the metadata are made of.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u",
            "\\ud800",
            "\\u0000",
            "null",
            "true",
            "-",
            "1e999",
            "0.1",
            "9223372036854775808",
            "\"consumers\":",
            "\"nl-okd\"",
            "\"documentSize\":",
            "\u{feff}",
            "\u{202e}",
            "é",
            "𝄞",
            "3Y",
            "-3Y",
            "99999999999999999999D",
            "2026-02-30",
            "T",
            "Z",
            "+99:99",
            "sha-256:",
            "crc64nvme:",
            "../",
            "\0",
        ]);
        prop_oneof![
            known.prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..8),
        ]
    }

    proptest! {
        /// Whatever arrives, in either form: it is read, or refused with a place that is in it.
        #[test]
        fn whatever_bytes_come_as_metadata_are_read_or_refused(pieces in prop::collection::vec(piece(), 0..40)) {
            read_or_refuse(&pieces.concat())?;
        }

        /// Good metadata with pieces in the place of parts of it.
        #[test]
        fn whatever_is_made_of_good_metadata_is_read_or_refused(
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0..20_usize, piece()), 1..6)
        ) {
            let mut text = GOOD.as_bytes().to_vec();
            prop_assert!(OfferedFile::parse(SUBJECT, &text).is_ok());
            for (at, removed, piece) in edits {
                let at = at.index(text.len() + 1);
                let end = (at + removed).min(text.len());
                text.splice(at..end, piece);
            }
            read_or_refuse(&text)?;
        }
    }

    fn read_or_refuse(text: &[u8]) -> Result<(), TestCaseError> {
        let offered = OfferedFile::parse(SUBJECT, text).map(|offered| offered.metadata);
        for read in [Metadata::parse(SUBJECT, text), offered] {
            match read {
                // What was read is kept word for word, and reads the same again.
                Ok(metadata) => {
                    prop_assert_eq!(metadata.as_sent.as_bytes(), text);
                    prop_assert_eq!(Metadata::parse(SUBJECT, text).ok(), Some(metadata));
                }
                Err(Error::MalformedJson { line, .. }) => {
                    let lines = text.iter().filter(|&&byte| byte == b'\n').count() + 1;
                    prop_assert!(
                        (1..=lines + 1).contains(&line),
                        "line {} of {}",
                        line,
                        lines
                    );
                }
                Err(Error::InvalidMetadata { .. } | Error::DocumentTooLarge { .. }) => {}
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
        Ok(())
    }
}
