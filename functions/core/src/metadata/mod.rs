//! Metadata of a document: an OOAPI association, offering or person that holds an `nl-okd` consumer.
//!
//! [`Metadata::parse`] is the door: behind it, everything that the standard asks for is known to be
//! there and well formed. The sender's own JSON is kept word for word beside what we understood of it,
//! so that nothing is lost that a later reader may know how to use.

mod consumer;
mod faults;
mod file_name;
mod json;
mod links;
mod media_type;
mod reference;
mod replacement;
mod report;
mod retention;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use consumer::OkdConsumer;
pub use file_name::FileName;
pub use links::{Link, LinkKind, Links};
pub use media_type::MediaType;
pub use replacement::Replacement;
pub use retention::{CountsFrom, Retention, RetentionSuggestion, Term, Unit};

use crate::{
    Error, Result,
    association::Report,
    checksum::Checksum,
    class::{DocumentClass, SubjectKind},
    parts::DocumentSize,
};
use consumer::Consumer;
use faults::Faults;
use json::Node;

/// Bytes of metadata accepted: room for every field of OOAPI expanded, and for DynamoDB's 400 KB item
/// to hold two of them (the current document's and a pending upload's).
pub(crate) const MAX_METADATA: usize = 64 * 1024;

/// The resource that a document hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// An association, an offering or a person.
    pub kind: SubjectKind,
    /// Its id, in the path and, where it is there too, in the metadata.
    pub id: Uuid,
}

impl Subject {
    /// The link of the documents that hang on it, or name it.
    pub fn link(self) -> Link {
        Link { kind: self.kind.into(), id: self.id.to_string() }
    }
}

/// A file as it came beside its metadata, in form A.
#[derive(Debug, Clone, Copy, Default)]
pub struct SentFile<'a> {
    /// The name that its part gives it.
    pub name: Option<&'a str>,
    /// The Content-Type of its part.
    pub content_type: Option<&'a str>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A document's metadata, known to be well formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The resource that the document hangs on.
    pub subject: Subject,
    /// The ids by which others ask for it.
    pub links: Links,
    /// The `nl-okd` consumer, in the spelling of OKD 1.5.
    pub okd: OkdConsumer,
    /// The file's media type.
    pub media_type: MediaType,
    /// The name that the file itself came under, as sent; cut at 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_file_name: Option<String>,
    /// The time for which the document is kept, as its tenant's rules had it when this came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// The sender's JSON, word for word.
    pub as_sent: String,
}

impl Metadata {
    /// Reads the metadata of a request on `subject` (its path) that came with `file`.
    ///
    /// Errors: [`Error::MetadataTooLarge`], [`Error::MalformedJson`], [`Error::DocumentTooLarge`] for its
    /// `documentSize`, else [`Error::InvalidMetadata`] with every fault that was found.
    pub fn parse(subject: Subject, text: &[u8], file: SentFile<'_>) -> Result<Self> {
        let text = text_of(text)?;
        let value = json::parse(text)?;
        Self::read(subject, text, &resource(&value, subject)?, file)
    }

    /// Reads the value of `text`.
    fn read(subject: Subject, text: &str, root: &Node<'_>, file: SentFile<'_>) -> Result<Self> {
        let mut faults = Faults::default();
        let is_about_it = faults.take(match_subject(root, subject));
        let consumer = faults.take(Consumer::find(root));
        let name = file.name.map(|name| &name[..name.floor_char_boundary(json::MAX_TEXT)]);
        let okd = consumer.as_ref().and_then(|consumer| faults.take(OkdConsumer::parse(consumer, name)));
        // Its ids say the same as its subject, where that is the right one.
        let links = is_about_it.zip(consumer.as_ref());
        let links = links.and_then(|((), consumer)| faults.take(Links::parse(subject, root, consumer)));
        let (okd, links) = faults.end_with(okd.zip(links))?;
        let declared = file.content_type.and_then(|text| text.try_into().ok());
        let media_type = MediaType::of_file(
            declared.into_iter().chain(okd.format.clone()),
            file.bytes,
            name.into_iter().chain([okd.document_name.as_str()]),
        );
        Ok(Self {
            subject,
            links,
            okd,
            media_type,
            sent_file_name: name.map(str::to_owned),
            term: None,
            as_sent: text.to_owned(),
        })
    }

    /// The metadata for other bytes of the same document: what it said of these bytes alone is dropped, and their type is
    /// the one `declared`, if that says something.
    #[must_use]
    pub fn of_other_bytes(mut self, declared: Option<MediaType>) -> Self {
        self.okd.document_size = None;
        self.okd.document_checksum = None;
        if let Some(declared) = declared.filter(|declared| !declared.is_generic()) {
            self.okd.format = None;
            self.media_type = declared;
        }
        self
    }

    /// Returns whether this, of a file that does not come with it, declares another media type than `before` has.
    pub(crate) fn gives_another_type(&self, before: &Self) -> bool {
        self.gives_a_type(before) && self.media_type != before.media_type
    }

    /// Returns whether it declares a type, and says by that something else than `before`.
    fn gives_a_type(&self, before: &Self) -> bool {
        let format = self.okd.format.as_ref();
        format.is_some_and(|format| !format.is_generic()) && self.okd.format != before.okd.format
    }

    /// Takes over from the metadata that a file came with what a repeat without that file does not say anew.
    #[must_use]
    pub(crate) fn without_the_file(mut self, before: &Self) -> Self {
        if !self.gives_a_type(before) {
            self.media_type = before.media_type.clone();
        }
        self.with_the_same_file(before)
    }

    /// Takes over from the metadata that a file came with what a repeat with that file does not say: its name, where it
    /// has none, and what follows from the name.
    #[must_use]
    pub(crate) fn with_the_same_file(mut self, before: &Self) -> Self {
        if self.sent_file_name.is_some() {
            return self;
        }
        self.sent_file_name.clone_from(&before.sent_file_name);
        if self.media_type.is_generic() {
            self.media_type = before.media_type.clone();
        }
        if self.okd.is_unnamed() && Some(&before.okd.document_name) == before.sent_file_name.as_ref() {
            self.okd.document_name.clone_from(&before.okd.document_name);
            self.okd.file_name = before.okd.file_name.clone();
        }
        self
    }

    /// Returns whether `repeat` [says the same](Self::says_the_same) of a file of the same name and type.
    pub(crate) fn is_repeated_by(&self, repeat: &Self) -> bool {
        self.sent_file_name == repeat.sent_file_name
            && self.media_type == repeat.media_type
            && self.says_the_same(repeat)
    }

    /// Returns whether `other` says the same of the same resource; spacing and the order of keys do not matter.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let same_text = || self.as_sent == other.as_sent || self.canonical() == other.canonical();
        self.subject == other.subject && same_text()
    }

    /// The SHA-256 of what the sender's JSON says; its spacing and the order of its keys make no difference.
    pub fn sha256(&self) -> Checksum {
        Checksum::sha256(self.canonical().as_bytes())
    }

    fn canonical(&self) -> String {
        json::canonical(&self.as_sent).unwrap_or_else(|_| self.as_sent.clone())
    }

    /// Returns the class of document for which a scope is needed.
    pub fn class(&self) -> DocumentClass {
        DocumentClass { on: self.subject.kind, document_type: self.okd.document_type }
    }
}

/// A JSON body on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// An offer of a file that follows (form B).
    Offer(Box<OfferedFile>),
    /// A change of a student's enrolment (OKD flow 5, which was a `PUT` in 2025).
    Status(Report),
}

/// A file that is yet to come: its metadata, with what form B asks for besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedFile {
    /// The metadata.
    pub metadata: Metadata,
    /// `documentSize`.
    pub size: DocumentSize,
}

impl Message {
    /// Reads a body, with the errors of [`Metadata::parse`]; an offer must have a `documentSize`.
    pub fn parse(subject: Subject, text: &[u8]) -> Result<Self> {
        let text = text_of(text)?;
        let value = json::parse(text)?;
        let root = resource(&value, subject)?;
        if subject.kind == SubjectKind::Association && is_status(&root)? {
            return Ok(Self::Status(Report::read(subject, text, &root)?));
        }
        let mut faults = Faults::default();
        let metadata = faults.take(Metadata::read(subject, text, &root, SentFile::default()));
        if let Ok(consumer) = Consumer::find(&root) {
            faults.take(consumer.required("documentSize"));
        }
        let offered = metadata.and_then(|metadata| {
            let size = metadata.okd.document_size?;
            Some(Self::Offer(Box::new(OfferedFile { metadata, size })))
        });
        faults.end_with(offered)
    }
}

/// The resource in a message: the message itself, or, as the standard printed it until 11 September 2025, what it holds
/// under the resource's name.
fn resource(message: &serde_json::Value, subject: Subject) -> Result<Node<'_>> {
    let root = Node::root(message);
    for key in ["consumers", "consumer", "state"] {
        if root.get(key)?.is_some() {
            return Ok(root);
        }
    }
    let wrapped = root.get(subject.kind.as_str())?;
    let Some(wrapped) = wrapped.filter(|inner| inner.value.is_object()) else {
        return Ok(root);
    };
    match_id(&root, subject)?;
    let word = subject.kind.as_str();
    // The members around it would be lost, or contradict it.
    for key in ["person", "personId", "offering", "offeringId", "association"] {
        let is_its_own = key.trim_end_matches("Id") == word;
        if !is_its_own && let Some(outside) = root.get(key)? {
            return Err(outside.refuse(format!("stands outside the {word}; move it inside")));
        }
    }
    Ok(wrapped)
}

/// Returns whether an association says something of the enrolment and nothing of a document.
fn is_status(root: &Node<'_>) -> Result<bool> {
    let consumer = Consumer::find_any(root)?;
    if consumer.as_ref().is_some_and(Consumer::has_document) {
        return Ok(false);
    }
    Ok(root.get("state")?.is_some()
        || match consumer {
            Some(consumer) => consumer.has_enrollment()?,
            None => false,
        })
}

/// The text of metadata, without the byte order mark that some editors and libraries put before it.
fn text_of(bytes: &[u8]) -> Result<&str> {
    if bytes.len() > MAX_METADATA {
        return Err(Error::MetadataTooLarge { size: bytes.len(), limit: MAX_METADATA });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // JSON begins with two ASCII characters, so a NUL among the first bytes tells UTF-16 and UTF-32 (RFC 4627, section
    // 3).
    let is_wide =
        bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.iter().take(4).any(|&byte| byte == 0);
    if is_wide {
        let reason = "it is UTF-16 or UTF-32, and JSON is sent in UTF-8 (RFC 8259, section 8.1)".to_owned();
        return Err(Error::MalformedJson { line: 1, column: 1, reason });
    }
    std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, &error))
}

fn not_utf8(text: &[u8], error: &std::str::Utf8Error) -> Error {
    let before = &text[..error.valid_up_to()];
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    Error::MalformedJson {
        line: 1 + before.iter().filter(|&&byte| byte == b'\n').count(),
        column: before.len() - line_start + 1,
        reason: "a byte that is not UTF-8, whatever the charset label says".to_owned(),
    }
}

/// The body is about the resource in the path, and its neighbours are ids or objects.
fn match_subject(root: &Node<'_>, subject: Subject) -> Result<()> {
    let mut faults = Faults::default();
    // The path says it where the body does not; unless the body is of another kind.
    if faults.take(match_id(root, subject)) == Some(false) && is_of_another_kind(root, subject.kind)? {
        faults.take::<()>(Err(root.lacks(&format!("{}Id", subject.kind.as_str()))));
    }
    faults.take(match_type(root, subject.kind));
    for neighbour in ["person", "offering", "program", "course", "component", "organization"] {
        if let Some(node) = root.get(neighbour)?
            && !(node.value.is_string() || node.value.is_object())
        {
            faults.take::<()>(Err(node.refuse("must be an id (a string) or an expanded object")));
        }
    }
    faults.end()
}

/// Checks the id of the resource itself; returns whether it is there.
fn match_id(root: &Node<'_>, subject: Subject) -> Result<bool> {
    let word = subject.kind.as_str();
    let Some(id) = root.get(&format!("{word}Id"))? else {
        return Ok(false);
    };
    let sent = parse_uuid(id.text()?).ok_or_else(|| id.refuse("must be a UUID"))?;
    if sent == subject.id {
        Ok(true)
    } else {
        let expected = subject.id;
        Err(id.refuse(format!("differs from the {word} in the path, {expected}")))
    }
}

/// Returns whether the body has a type that only resources of another kind have.
fn is_of_another_kind(root: &Node<'_>, kind: SubjectKind) -> Result<bool> {
    for other in [SubjectKind::Association, SubjectKind::Offering] {
        if other != kind && root.get(&format!("{}Type", other.as_str()))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An association may have a type, an offering must (the schema `ComponentOffering`), a person has none.
fn match_type(root: &Node<'_>, kind: SubjectKind) -> Result<()> {
    let (sent, types): (_, &[&str]) = match kind {
        SubjectKind::Association => (
            root.get("associationType")?,
            &["programOfferingAssociation", "courseOfferingAssociation", "componentOfferingAssociation"],
        ),
        SubjectKind::Offering => (Some(root.required("offeringType")?), &["component", "course", "program"]),
        SubjectKind::Person => return Ok(()),
    };
    match sent {
        Some(sent) if !types.contains(&sent.text()?) => {
            Err(sent.refuse(format!("must be one of {}", types.join(", "))))
        }
        _ => Ok(()),
    }
}

/// A UUID in its one standard form, 8-4-4-4-12 hexadecimal digits in either case.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    Some(text).filter(|text| text.len() == 36).and_then(|text| Uuid::try_parse(text).ok())
}

#[cfg(test)]
mod fuzz {
    use super::*;
    use proptest::prelude::*;

    const SUBJECT: Subject = Subject { kind: SubjectKind::Association, id: Uuid::nil() };
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
        prop_oneof![known.prop_map(|text| text.as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..8),]
    }

    proptest! {
        /// Any bytes, in either form: they are read, or refused with a place that is in them.
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
            prop_assert!(Message::parse(SUBJECT, &text).is_ok());
            for (at, removed, piece) in edits {
                let at = at.index(text.len() + 1);
                let end = (at + removed).min(text.len());
                text.splice(at..end, piece);
            }
            read_or_refuse(&text)?;
        }
    }

    fn read_or_refuse(text: &[u8]) -> Result<(), TestCaseError> {
        let parse = |text: &[u8]| Metadata::parse(SUBJECT, text, SentFile::default());
        let offered = match Message::parse(SUBJECT, text) {
            Ok(Message::Offer(offered)) => Ok(offered.metadata),
            Ok(Message::Status(_)) => return Ok(()),
            Err(error) => Err(error),
        };
        for read in [parse(text), offered] {
            match read {
                // Metadata is kept word for word, and reads the same again.
                Ok(metadata) => {
                    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
                    prop_assert_eq!(metadata.as_sent.as_bytes(), text);
                    prop_assert_eq!(parse(text).ok(), Some(metadata));
                }
                Err(Error::MalformedJson { line, .. }) => {
                    let lines = text.iter().filter(|&&byte| byte == b'\n').count() + 1;
                    prop_assert!((1..=lines + 1).contains(&line), "line {} of {}", line, lines);
                }
                Err(Error::InvalidMetadata(_) | Error::DocumentTooLarge { .. }) => {}
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
        Ok(())
    }
}
