//! The `nl-okd` consumer: what OKD adds to OOAPI about one document. Both revisions of the standard are
//! read (2025: Dutch words, `PUT`; 1.5 of 2026: English words, `POST`); what comes out is spelled as 1.5
//! has it. OKD flow 1 and flow 2, "OKD consumer".

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    faults::Faults, file_name::FileName, json::Node, media_type::MediaType, reference::id_of,
    retention::RetentionSuggestion,
};
use crate::class::DocumentType;
use crate::{
    Error, Result,
    checksum::Checksum,
    parts::{DocumentSize, MAX_DOCUMENT, MAX_READ_BACK, SizeError},
};

/// The key of OKD's consumer.
const NL_OKD: &str = "nl-okd";
/// The name of a document that has none, neither in the metadata nor as a file.
const UNNAMED: &str = "document";
/// The fields that are about one document (the schema `NlOkdDocument`, and ours). The others may stand in a consumer
/// of their own, as clients generated from the schema's `anyOf` send them.
const OF_THE_DOCUMENT: [&str; 9] = [
    "documentType",
    "documentSubtype",
    "documentId",
    "documentName",
    "documentSize",
    "documentChecksum",
    "format",
    "retentionPeriodSuggestion",
    "bewaartermijnsuggestie",
];

/// The `nl-okd` consumers of one message, read as one.
pub(super) struct Consumer<'a> {
    /// At least one.
    items: Vec<Node<'a>>,
    /// The place of the one that has fields [`OF_THE_DOCUMENT`].
    of_document: Option<usize>,
}

impl<'a> Consumer<'a> {
    /// Finds the consumers in `consumers` (a list) and in `consumer` (one, as OEAPI 6 has it).
    pub(super) fn find(root: &Node<'a>) -> Result<Self> {
        let Some(place) = root.get("consumers")?.or(root.get("consumer")?) else {
            return Err(root.lacks("consumers"));
        };
        Self::find_any(root)?
            .ok_or_else(|| place.refuse(format!("must hold a consumer with \"consumerKey\": \"{NL_OKD}\"")))
    }

    /// Finds the consumers; `None` where the message has none of OKD's.
    pub(super) fn find_any(root: &Node<'a>) -> Result<Option<Self>> {
        let list = root.get("consumers")?;
        let single = root.get("consumer")?;
        let mut items: Vec<Node<'a>> = Vec::new();
        if let Some(list) = &list {
            for item in list.items()? {
                if is_okd(&item)? {
                    items.push(item);
                }
            }
        }
        // A sender that speaks both versions may say the same in both places.
        if let Some(single) = &single
            && is_okd(single)?
            && items.iter().all(|item| item.value != single.value)
        {
            items.push(single.clone());
        }
        let mut of_document = None;
        for (place, item) in items.iter().enumerate() {
            if is_about_document(item)? && of_document.replace(place).is_some() {
                return Err(item.refuse("is about a second document; hand in one document a request"));
            }
        }
        Ok((!items.is_empty()).then_some(Self { items, of_document }))
    }

    /// Returns whether it has a field about a document. Flow 5's consumer has none.
    pub(super) fn has_document(&self) -> bool {
        self.of_document.is_some()
    }

    /// Returns whether it has a date of an enrolment.
    pub(super) fn has_enrollment(&self) -> Result<bool> {
        for (name, spelled, _) in DETAILS {
            if name.starts_with("enrollment") && self.get(spelled)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the member `key` of the consumer that has it. Consumers that contradict each other are refused.
    pub(super) fn get(&self, key: &str) -> Result<Option<Node<'a>>> {
        let mut found: Option<Node<'a>> = None;
        for item in &self.items {
            let Some(node) = item.get(key)? else { continue };
            match &found {
                None => found = Some(node),
                Some(first) if first.value == node.value => {}
                Some(first) => return Err(contradicts(&node, &first.pointer)),
            }
        }
        Ok(found)
    }

    /// Returns whether a consumer says that there is no `key`: as `null`.
    pub(super) fn says_none(&self, key: &str) -> bool {
        self.items.iter().any(|item| item.value.get(key).is_some_and(serde_json::Value::is_null))
    }

    /// Reads the member `key`, where it is there.
    fn read<T>(&self, key: &str, read: impl Fn(&Node<'a>) -> Result<T>) -> Result<Option<T>> {
        self.get(key)?.map(|node| read(&node)).transpose()
    }

    /// The member `key`, which must be there.
    pub(super) fn required(&self, key: &str) -> Result<Node<'a>> {
        self.get(key)?.ok_or_else(|| self.lacks(key))
    }

    /// Returns the error that `key` is missing, with the place in the consumer that is about the document.
    fn lacks(&self, key: &str) -> Error {
        self.items[self.of_document.unwrap_or(0)].lacks(key)
    }
}

/// Returns whether a consumer's key is OKD's. Each consumer must have a key.
fn is_okd(item: &Node<'_>) -> Result<bool> {
    Ok(item.required("consumerKey")?.text()? == NL_OKD)
}

/// Returns whether a consumer has a field about one document.
fn is_about_document(item: &Node<'_>) -> Result<bool> {
    for key in OF_THE_DOCUMENT {
        if item.get(key)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

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
    /// The time that the sender would keep it (`bewaartermijnsuggestie`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_period_suggestion: Option<RetentionSuggestion>,
    /// The dates, times and texts of the standard that were given, checked but otherwise as sent.
    #[serde(flatten)]
    pub details: BTreeMap<String, String>,
    /// The file's size in bytes, where declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_size: Option<DocumentSize>,
    /// The file's checksum, where declared (ours, not the standard's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_checksum: Option<Checksum>,
    /// The file's media type, where declared (the standard has it in flow x and in flows 11 to 14 only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<MediaType>,
}

/// The kinds of values of fields.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// The id of an offering, bare or in an expanded object.
    Offering,
    Date,
    DateTime,
    /// The 2025 `examDate`, which 1.5 wants as a date-time, "12:00 where the time is unknown".
    DateAtNoon,
}

/// Each field that is checked and carried over: its name in 1.5, the name it is read from, its kind.
const DETAILS: &[(&str, &str, Kind)] = &[
    ("examDateTime", "examDateTime", Kind::DateTime),
    ("examDateTime", "examDate", Kind::DateAtNoon),
    ("examComponentOffering", "examComponentOffering", Kind::Offering),
    ("examCode", "examCode", Kind::Text),
    ("examName", "examName", Kind::Text),
    ("studentNumber", "studentNumber", Kind::Text),
    ("sequenceCode", "sequenceCode", Kind::Text),
    ("receivedDate", "receivedDate", Kind::Date),
    ("registrationDate", "registrationDate", Kind::Date),
    ("enrollmentStartDate", "enrollmentStartDate", Kind::Date),
    ("enrollmentStartDate", "inschrijvingStartDate", Kind::Date),
    ("enrollmentExpectedEndDate", "enrollmentExpectedEndDate", Kind::Date),
    ("enrollmentExpectedEndDate", "inschrijvingExpectedEndDate", Kind::Date),
    ("enrollmentFinalEndDate", "enrollmentFinalEndDate", Kind::Date),
    ("enrollmentFinalEndDate", "inschrijvingFinalEndDate", Kind::Date),
];

impl OkdConsumer {
    /// Returns whether neither the message nor the file gave the document a name.
    pub(super) fn is_unnamed(&self) -> bool {
        self.document_name == UNNAMED
    }

    /// Reads the consumer of a message whose file came as `sent_name`.
    pub(super) fn parse(consumer: &Consumer<'_>, sent_name: Option<&str>) -> Result<Self> {
        let mut faults = Faults::default();
        let document_type = consumer.required("documentType").and_then(|node| document_type(&node));
        let document_type = faults.take(document_type);
        let document_subtype = faults.take(consumer.read("documentSubtype", text));
        let document_id = faults.take(consumer.read("documentId", text));
        let given = faults.take(consumer.read("documentName", text));
        let retention_period_suggestion = faults.take(retention(consumer));
        let details = faults.take(details(consumer));
        let document_size = faults.take(consumer.read("documentSize", size));
        let document_checksum =
            faults.take(consumer.read("documentChecksum", |node| checksum(node, document_size.flatten())));
        let format = faults.take(consumer.read("format", media_type));
        let document_type = faults.end_with(document_type)?;
        let given = given.flatten();
        let document_name = given.as_deref().or(sent_name).unwrap_or(UNNAMED);
        Ok(Self {
            document_type,
            document_subtype: document_subtype.flatten(),
            document_id: document_id.flatten(),
            document_name: document_name.to_owned(),
            file_name: FileName::from_document_name(document_name),
            retention_period_suggestion: retention_period_suggestion.flatten(),
            details: details.unwrap_or_default(),
            document_size: document_size.flatten(),
            document_checksum: document_checksum.flatten(),
            format: format.flatten(),
        })
    }
}

fn document_type(node: &Node<'_>) -> Result<DocumentType> {
    DocumentType::parse(node.text()?).ok_or_else(|| {
        node.refuse(
            "must be examination (examinering), enrollment (inschrijving), bpv, graduation (diplomering) or other",
        )
    })
}

fn text(node: &Node<'_>) -> Result<String> {
    node.text().map(str::to_owned)
}

fn retention(consumer: &Consumer<'_>) -> Result<Option<RetentionSuggestion>> {
    let mut found = None;
    for key in ["retentionPeriodSuggestion", "bewaartermijnsuggestie"] {
        let Some(node) = consumer.get(key)? else {
            continue;
        };
        let suggestion = RetentionSuggestion::from(node.value);
        if found.as_ref().is_some_and(|other| *other != suggestion) {
            return Err(contradicts(&node, "retentionPeriodSuggestion"));
        }
        found = Some(suggestion);
    }
    Ok(found)
}

fn details(consumer: &Consumer<'_>) -> Result<BTreeMap<String, String>> {
    let mut faults = Faults::default();
    let mut details = BTreeMap::new();
    for (name, spelled, kind) in DETAILS {
        let Some(Some(node)) = faults.take(consumer.get(spelled)) else {
            continue;
        };
        let Some(value) = faults.take(detail(&node, *kind)) else {
            continue;
        };
        match details.get(*name) {
            None => drop(details.insert((*name).to_owned(), value)),
            Some(other) if agree(other, &value) => {}
            Some(_) => drop(faults.take::<()>(Err(contradicts(&node, name)))),
        }
    }
    faults.end_with(Some(details))
}

/// The value of a field of this kind.
fn detail(node: &Node<'_>, kind: Kind) -> Result<String> {
    match kind {
        Kind::Offering if node.value.is_object() => {
            id_of(node, "offeringId").ok_or_else(|| node.refuse("must be an id, or an object with an offeringId"))
        }
        Kind::Text | Kind::Offering => text(node),
        Kind::Date => Ok(date(node)?.to_string()),
        Kind::DateAtNoon => Ok(format!("{}T12:00:00Z", date(node)?)),
        Kind::DateTime => date_time(node),
    }
}

/// Returns whether two spellings of one field say the same; `examDate` knows no time, so the day decides.
fn agree(first: &str, second: &str) -> bool {
    first == second || (second.ends_with("T12:00:00Z") && first.get(..10) == second.get(..10))
}

fn contradicts(node: &Node<'_>, name: &str) -> Error {
    node.refuse(format!("says something else than {name}; send one of the two"))
}

pub(super) fn date(node: &Node<'_>) -> Result<Date> {
    let date = Some(node.text()?).filter(|text| text.len() == 10).and_then(|text| text.parse().ok());
    date.ok_or_else(|| node.refuse("must be a date as YYYY-MM-DD, such as \"2026-01-13\""))
}

fn date_time(node: &Node<'_>) -> Result<String> {
    let text = node.text()?;
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
        SizeError::TooLarge => Error::DocumentTooLarge { size, limit: MAX_DOCUMENT },
    })
}

/// The checksum that is declared of a file of this size, if that is said.
pub(super) fn checksum(node: &Node<'_>, size: Option<DocumentSize>) -> Result<Checksum> {
    let checksum = node.text()?.parse().map_err(|detail: &str| node.refuse(detail))?;
    let is_read_back = matches!(checksum, Checksum::Sha256(_));
    if is_read_back && size.is_some_and(|size| size.bytes() > MAX_READ_BACK) {
        return Err(node.refuse(format!(
            "must be a crc64nvme for a document over {MAX_READ_BACK} bytes, which is too large to compute a sha256 of"
        )));
    }
    Ok(checksum)
}

pub(super) fn media_type(node: &Node<'_>) -> Result<MediaType> {
    let media_type = MediaType::try_from(node.text()?);
    media_type.map_err(|detail| node.refuse(detail))
}
