//! The announcements, and what a DMS knows by these alone: of each document the content of the highest revision, unless
//! that was refused (corrupt, or quarantined) or the document was removed since.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use jiff::Timestamp;
use serde_json::Value;

use crate::{Result, bus::ANNOUNCED};

/// A change of a document: its revision, and when. (A restored table counts its revisions from where it was.)
pub type Moment = (u64, Timestamp);

/// Every announcement, once.
#[derive(Debug, Default)]
pub struct Announced {
    /// The announced changes, by document or association.
    changes: BTreeMap<String, BTreeMap<Moment, Announcement>>,
    /// The days to which documents are to be kept, as the changes said that said something of it.
    kept: BTreeMap<String, BTreeMap<Moment, Option<String>>>,
    /// The keys of the objects that were found to be corrupt, or quarantined.
    refused: BTreeSet<String>,
}

/// What an announcement says of the document's current content.
#[derive(Debug)]
enum Announcement {
    /// It is in the object of this key.
    Current(String),
    /// There is none any more.
    Removed,
    /// Nothing.
    Nothing,
}

impl Announced {
    /// Reads those of a data folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut announced = Self::default();
        for line in fs::read_to_string(folder.join(ANNOUNCED))?.lines() {
            let event: Value = serde_json::from_str(line)?;
            let detail = &event["detail"];
            let text = |name: &str| detail[name].as_str().unwrap_or_default();
            let key = detail["object"]["key"].as_str().map(str::to_owned);
            match (event["detail-type"].as_str(), key) {
                (Some("document.corrupt" | "document.quarantined"), Some(key)) => {
                    announced.refused.insert(key);
                }
                (kind, key) => {
                    let said = match (kind, key) {
                        (Some("document.removed"), _) => Announcement::Removed,
                        (_, Some(key)) => Announcement::Current(key),
                        (_, None) => Announcement::Nothing,
                    };
                    let revision = detail["revision"].as_u64().ok_or("no revision")?;
                    let moment = (revision, text("at").parse()?);
                    // Of a document, or of an association.
                    let id = [text("dmsDocumentId"), text("associationId")].concat();
                    if let Some(retention) = detail.get("retention") {
                        let until = retention["until"].as_str().map(str::to_owned);
                        announced.kept.entry(id.clone()).or_default().insert(moment, until);
                    }
                    let document = announced.changes.entry(id);
                    document.or_default().insert(moment, said);
                }
            }
        }
        Ok(announced)
    }

    /// Returns whether this change was announced.
    pub fn has(&self, document: &str, moment: &Moment) -> bool {
        let changes = self.changes.get(document);
        changes.is_some_and(|changes| changes.contains_key(moment))
    }

    /// Returns whether this object was announced to be corrupt or quarantined.
    pub fn is_refused(&self, object: &str) -> bool {
        self.refused.contains(object)
    }

    /// The day to which the document is to be kept, by those of these changes that were announced; `None` where none of them
    /// says anything of it, as an earlier release did not.
    pub fn kept_until(&self, document: &str, changes: &BTreeSet<Moment>) -> Option<Option<&str>> {
        let mut said = self.kept.get(document)?.iter().rev();
        let (_, until) = said.find(|(moment, _)| changes.contains(moment))?;
        Some(until.as_deref())
    }

    /// The object of the document's current content, by those of these changes that were announced.
    pub fn current(&self, document: &str, changes: &BTreeSet<Moment>) -> Option<&str> {
        let announced = self.changes.get(document)?.iter();
        let mut announced = announced.rev().filter(|(moment, _)| changes.contains(moment));
        let newest = announced.find_map(|(_, said)| match said {
            Announcement::Current(key) => Some(Some(key.as_str())),
            Announcement::Removed => Some(None),
            Announcement::Nothing => None,
        });
        newest.flatten().filter(|newest| !self.is_refused(newest))
    }
}
