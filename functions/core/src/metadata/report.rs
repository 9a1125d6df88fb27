//! A message about an enrolment (flow 5): what it says of its state and dates.

use super::{
    Subject,
    consumer::{Consumer, date},
    faults::Faults,
    json,
    json::Node,
    match_subject, resource, text_of,
};
use crate::{
    Result,
    association::{AssociationState, EXPECTED_END, FINAL_END, Report, START},
};

/// The dates of an enrolment: each by its name in OKD 1.5 and that of 2025.
const DATES: [(&str, &str); 3] = [
    (START, "inschrijvingStartDate"),
    (EXPECTED_END, "inschrijvingExpectedEndDate"),
    (FINAL_END, "inschrijvingFinalEndDate"),
];

impl Report {
    /// Reads a message on the association `subject` (its path), with the errors of
    /// [`Metadata::parse`](super::Metadata::parse). It must say something of the enrolment, and nothing of a document.
    pub fn parse(subject: Subject, text: &[u8]) -> Result<Self> {
        let text = text_of(text)?;
        let value = json::parse(text)?;
        Self::read(subject, text, &resource(&value, subject)?)
    }

    /// Reads the value of `text`.
    pub(super) fn read(subject: Subject, text: &str, root: &Node<'_>) -> Result<Self> {
        let mut faults = Faults::default();
        faults.take(match_subject(root, subject));
        let state = root.get("state")?.and_then(|node| faults.take(state(&node)));
        let mut report = Self { state, as_sent: text.to_owned(), ..Self::default() };
        if let Some(consumer) = faults.take(Consumer::find_any(root)).flatten() {
            if consumer.has_document() {
                return Err(root.refuse("is about a document, and documents are handed in by PUT or POST"));
            }
            for (name, spelled_before) in DATES {
                for spelled in [name, spelled_before] {
                    if let Some(node) = faults.take(consumer.get(spelled)).flatten() {
                        report.dates.insert(name, faults.take(date(&node)));
                    } else if consumer.says_none(spelled) {
                        report.dates.entry(name).or_insert(None);
                    }
                }
            }
        }
        faults.end()?;
        if report.state.is_none() && report.dates.is_empty() {
            return Err(root.refuse("says nothing of the enrolment: send its state, or a date in the nl-okd consumer"));
        }
        Ok(report)
    }
}

fn state(node: &Node<'_>) -> Result<AssociationState> {
    AssociationState::parse(node.text()?)
        .ok_or_else(|| node.refuse("must be pending, canceled, denied, associated, queued or finished"))
}
