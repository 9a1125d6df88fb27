//! The `nl-okd` consumer: what OKD adds to OOAPI about one document. Both revisions of the standard are
//! read (2025: Dutch words, `PUT`; 1.5 of 2026: English words, `POST`); what comes out is spelled as 1.5
//! has it. OKD flow 1 and flow 2, "OKD consumer".

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{file_name::FileName, json::Node, retention::Retention};
use crate::{
    Error, Result,
    checksum::Checksum,
    parts::{DocumentSize, MAX_DOCUMENT, SizeError},
};

/// The consumer, in the spelling of OKD 1.5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OkdConsumer {
    /// The rough kind of document.
    pub document_type: DocumentType,
    /// The school's own finer kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_subtype: Option<String>,
    /// The sender's own id of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    /// The document's name, as sent.
    pub document_name: String,
    /// The document's name, safe to use as a file name.
    pub file_name: FileName,
    /// How long the sender would keep it (`bewaartermijnsuggestie`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_period_suggestion: Option<Retention>,
    /// The dates, times and texts of the standard that were given, checked but otherwise as sent.
    #[serde(flatten)]
    pub details: std::collections::BTreeMap<String, String>,
    /// The file's size in bytes, where declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_size: Option<DocumentSize>,
    /// The file's checksum, where declared (ours, not the standard's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_checksum: Option<Checksum>,
}

/// `documentType`: the standard's closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentType {
    /// `examination`, `examinering`.
    Examination,
    /// `enrollment`, `inschrijving`.
    Enrollment,
    /// `bpv`: work placement, in both revisions.
    Bpv,
    /// `graduation`, `diplomering`.
    Graduation,
    /// `other`.
    Other,
}

impl DocumentType {
    /// The standard's word for it, in revision 1.5.
    pub fn word(self) -> &'static str {
        match self {
            Self::Examination => "examination",
            Self::Enrollment => "enrollment",
            Self::Bpv => "bpv",
            Self::Graduation => "graduation",
            Self::Other => "other",
        }
    }
}

/// What the value of a field must be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Date,
    DateTime,
    /// The 2025 `examDate`, which 1.5 wants as a date-time, "12:00 where the time is unknown".
    DateAtNoon,
}

/// Each field that is checked and carried over: its name in 1.5, the name it is read from, its kind.
const DETAILS: &[(&str, &str, Kind)] = &[
    ("examDateTime", "examDateTime", Kind::DateTime),
    ("examDateTime", "examDate", Kind::DateAtNoon),
    ("examComponentOffering", "examComponentOffering", Kind::Text),
    ("examCode", "examCode", Kind::Text),
    ("examName", "examName", Kind::Text),
    ("studentNumber", "studentNumber", Kind::Text),
    ("receivedDate", "receivedDate", Kind::Date),
    ("registrationDate", "registrationDate", Kind::Date),
    ("enrollmentStartDate", "enrollmentStartDate", Kind::Date),
    ("enrollmentStartDate", "inschrijvingStartDate", Kind::Date),
    (
        "enrollmentExpectedEndDate",
        "enrollmentExpectedEndDate",
        Kind::Date,
    ),
    (
        "enrollmentExpectedEndDate",
        "inschrijvingExpectedEndDate",
        Kind::Date,
    ),
    (
        "enrollmentFinalEndDate",
        "enrollmentFinalEndDate",
        Kind::Date,
    ),
    (
        "enrollmentFinalEndDate",
        "inschrijvingFinalEndDate",
        Kind::Date,
    ),
];

impl OkdConsumer {
    /// Reads the consumer at `node`, whose `consumerKey` is known to be `nl-okd`.
    pub(super) fn parse(node: &Node<'_>) -> Result<Self> {
        let document_name = node.required("documentName")?.text()?;
        Ok(Self {
            document_type: document_type(&node.required("documentType")?)?,
            document_subtype: text(node, "documentSubtype")?,
            document_id: text(node, "documentId")?,
            document_name: document_name.to_owned(),
            file_name: FileName::from_document_name(document_name),
            retention_period_suggestion: retention(node)?,
            details: details(node)?,
            document_size: node
                .get("documentSize")?
                .map(|node| size(&node))
                .transpose()?,
            document_checksum: node
                .get("documentChecksum")?
                .map(|node| checksum(&node))
                .transpose()?,
        })
    }
}

fn document_type(node: &Node<'_>) -> Result<DocumentType> {
    match node.text()? {
        "examination" | "examinering" => Ok(DocumentType::Examination),
        "enrollment" | "inschrijving" => Ok(DocumentType::Enrollment),
        "bpv" => Ok(DocumentType::Bpv),
        "graduation" | "diplomering" => Ok(DocumentType::Graduation),
        "other" => Ok(DocumentType::Other),
        _ => Err(node.refuse(
            "must be examination (examinering), enrollment (inschrijving), bpv, graduation (diplomering) or other",
        )),
    }
}

fn text(node: &Node<'_>, key: &str) -> Result<Option<String>> {
    let text = node.get(key)?.map(|node| node.text().map(str::to_owned));
    text.transpose()
}

fn retention(node: &Node<'_>) -> Result<Option<Retention>> {
    let mut found = None;
    for key in ["retentionPeriodSuggestion", "bewaartermijnsuggestie"] {
        let Some(node) = node.get(key)? else { continue };
        let retention: Retention = node
            .text()?
            .parse()
            .map_err(|detail: &str| node.refuse(detail))?;
        if found.is_some_and(|other| other != retention) {
            return Err(contradicts(&node, "retentionPeriodSuggestion"));
        }
        found = Some(retention);
    }
    Ok(found)
}

fn details(node: &Node<'_>) -> Result<std::collections::BTreeMap<String, String>> {
    let mut details = std::collections::BTreeMap::new();
    for (name, spelled, kind) in DETAILS {
        let Some(node) = node.get(spelled)? else {
            continue;
        };
        let text = node.text()?;
        let value = match kind {
            Kind::Text => text.to_owned(),
            Kind::Date => date(&node, text)?.to_string(),
            Kind::DateAtNoon => format!("{}T12:00:00Z", date(&node, text)?),
            Kind::DateTime => date_time(&node, text)?,
        };
        match details.get(*name) {
            None => drop(details.insert((*name).to_owned(), value)),
            Some(other) if agree(other, &value) => {}
            Some(_) => return Err(contradicts(&node, name)),
        }
    }
    Ok(details)
}

/// Whether two spellings of one field say the same; `examDate` knows no time, so the day decides.
fn agree(first: &str, second: &str) -> bool {
    first == second || (second.ends_with("T12:00:00Z") && first.get(..10) == second.get(..10))
}

fn contradicts(node: &Node<'_>, name: &str) -> Error {
    node.refuse(format!(
        "says something else than {name}; send one of the two"
    ))
}

fn date(node: &Node<'_>, text: &str) -> Result<Date> {
    let date = Some(text)
        .filter(|text| text.len() == 10)
        .and_then(|text| text.parse().ok());
    date.ok_or_else(|| node.refuse("must be a date as YYYY-MM-DD, such as \"2026-01-13\""))
}

fn date_time(node: &Node<'_>, text: &str) -> Result<String> {
    match text.parse::<Timestamp>() {
        Ok(_) if text.len() >= "2026-01-13T12:00Z".len() => Ok(text.to_owned()),
        _ => Err(node.refuse(
            "must be a date and time with its offset (RFC 3339), such as \"2026-01-13T12:00:00Z\"; use 12:00 \
             where the time is unknown",
        )),
    }
}

pub(super) fn size(node: &Node<'_>) -> Result<DocumentSize> {
    let size = node.whole_number()?;
    DocumentSize::try_from(size).map_err(|error| match error {
        SizeError::Empty => node.refuse("must be a whole number of bytes, 1 or more"),
        SizeError::TooLarge => Error::DocumentTooLarge {
            size,
            limit: MAX_DOCUMENT,
        },
    })
}

fn checksum(node: &Node<'_>) -> Result<Checksum> {
    node.text()?
        .parse()
        .map_err(|detail: &str| node.refuse(detail))
}
