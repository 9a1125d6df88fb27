//! A record of the table's stream, and what it says has become of a document.

use jiff::Timestamp;
use okd_core::{
    association::Association,
    document::{Action, Content, Document, EndReason, HistoryEntry},
    ids::DocumentKey,
    metadata::{Metadata, RetentionSuggestion},
    stores::{ItemKey, Place, Record},
};
use serde::Deserialize;
use serde_dynamo::Item;
use serde_json::{Value, json};

/// A batch as Lambda hands it over: records of one shard of the stream, in their order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Batch {
    /// At least one.
    pub records: Vec<StreamRecord>,
}

/// A record of the stream: an item as it is since a write.
#[derive(Debug, Deserialize)]
pub struct StreamRecord {
    dynamodb: Write,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Write {
    sequence_number: String,
    keys: Keys,
    /// There is none where the item is new.
    old_image: Option<Item>,
    /// There is none where the item was deleted.
    new_image: Option<Item>,
}

#[derive(Debug, Deserialize)]
struct Keys {
    pk: Text,
    sk: Text,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

/// A change of a document or of an upload.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The announcement to its school's DMS, if that concerns it.
    pub announced: Option<Announcement>,
    /// The figures to count, if it is to be counted.
    pub counted: Option<Counted>,
}

/// An announcement to a school's DMS.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// The `detail-type` of the event.
    pub kind: &'static str,
    /// The time at which it became so.
    pub at: Timestamp,
    /// The `detail` of the event.
    pub detail: Value,
}

/// A document or an upload, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// The form that it came or was to come in: `inline` or by `parts`.
    pub form: &'static str,
    /// Its outcome.
    pub outcome: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
}

impl StreamRecord {
    /// Its place in the shard.
    pub fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// Reads the change. An item that cannot be read is an error.
    pub fn change(&self) -> Result<Change, String> {
        let nothing = Change { announced: None, counted: None };
        let Write { keys, new_image, old_image, .. } = &self.dynamodb;
        let Keys { pk, sk } = keys;
        let Some(item) = new_image else {
            return Ok(nothing);
        };
        // The sweep also writes, into the very same item, when it is to look at it again: that makes no revision of a
        // document, and finds nothing out about a content.
        let is_same = |old: &Item| {
            let mut names = ["revision", "verification", "screening"].into_iter();
            names.all(|name| old.get(name) == item.get(name))
        };
        if old_image.as_ref().is_some_and(is_same) {
            return Ok(nothing);
        }
        let key = ItemKey { pk: pk.text.clone(), sk: sk.text.clone() };
        match key.parse() {
            Some(Place::Document(_) | Place::Content(_) | Place::Association(..)) => {}
            None if key.is_placed_as_content() => {
                return Err(format!("{} is the partition of no document", key.pk));
            }
            _ => return Ok(nothing),
        }
        match Record::read(&key, item.clone()).map_err(|error| error.to_string())? {
            Record::Document(document) => Ok(of_document(&document)),
            Record::Association(association) => Ok(of_association(&association)),
            Record::Content(key, content) => Ok(of_refused(&key, &content).unwrap_or(nothing)),
            _ => Ok(nothing),
        }
    }
}

/// The last entry of a document's history is what this write did: there is one for each.
fn of_document(document: &Document) -> Change {
    let entry = document.history.last();
    Change {
        announced: entry.and_then(|entry| announce(document, entry)),
        counted: entry.and_then(|entry| count(document, entry)),
    }
}

fn announce(document: &Document, entry: &HistoryEntry) -> Option<Announcement> {
    let key = document.key();
    // What a scanner has yet to release is stored for nobody.
    let current = document.content.as_ref().filter(|content| content.is_released());
    // A change of an upload says nothing of the content beside it.
    let meant = current.filter(|content| content.content_id == entry.content_id);
    let (kind, detail) = match entry.what {
        Action::Stored | Action::UploadCompleted | Action::Restored | Action::Screened => {
            ("document.stored", kept(document, meant?))
        }
        Action::Corrected => ("document.corrected", kept(document, meant?)),
        Action::Verified => ("document.verified", kept(document, meant?)),
        // The content before is current again. (Its own item says what is wrong with the other.)
        Action::Corrupt | Action::Quarantined => ("document.stored", kept(document, current?)),
        Action::UploadEnded(EndReason::Expired) => {
            let upload = document.upload.as_ref()?;
            let detail = about(&key, &upload.metadata, upload.plan.size.bytes());
            ("upload.expired", detail)
        }
        Action::EnrollmentChanged => ("document.retention-changed", kept(document, meant?)),
        Action::Deleted => ("document.removed", bare(&key)),
        Action::Destroyed => ("document.destroyed", bare(&key)),
        Action::Destroying | Action::Held | Action::Released | Action::UploadBegun | Action::UploadEnded(_) => {
            return None;
        }
    };
    // A restored table counts its revisions from where it was: so the time too.
    let id = format!("{}/{}/{:.9}", document.id, entry.revision, entry.at);
    Some(identified(kind, detail, &id, (entry.revision, entry.at)))
}

/// Announces what was reported of an enrolment: its id is the school's own, and tells nothing to others.
fn of_association(association: &Association) -> Change {
    let Association { tenant, id, revision, reported_at, state, .. } = association;
    let detail = json!({ "tenant": tenant, "associationId": id, "state": state });
    let event_id = format!("{id}/{revision}/{reported_at:.9}");
    let announced = identified("association.changed", detail, &event_id, (*revision, *reported_at));
    Change { announced: Some(announced), counted: None }
}

/// Announces a content that was refused, the current one or an older one, with the revision that made it current.
fn of_refused(key: &DocumentKey, content: &Content) -> Option<Change> {
    let (kind, outcome, at) = match content.refusal()? {
        EndReason::Quarantined => ("document.quarantined", "quarantined", content.screened_at),
        _ => ("document.corrupt", "corrupt", content.verified_at),
    };
    let id = format!("{}/{outcome}/{}", key.id, content.content_id);
    let detail = stored(key, content);
    let when = (content.revision, at.unwrap_or(content.stored_at));
    let form = if content.content_id.is_of_upload() { "parts" } else { "inline" };
    Some(Change {
        announced: Some(identified(kind, detail, &id, when)),
        counted: Some(Counted { form, outcome, bytes: content.size }),
    })
}

fn identified(kind: &'static str, mut detail: Value, id: &str, (revision, at): (u64, Timestamp)) -> Announcement {
    detail["id"] = json!(id);
    detail["revision"] = json!(revision);
    // With all its digits, so that it sorts as text too.
    detail["at"] = json!(format!("{at:.9}"));
    Announcement { kind, at, detail }
}

/// Describes a document by its current content, and says to when it is to be kept.
fn kept(document: &Document, current: &Content) -> Value {
    let mut detail = stored(&document.key(), current);
    detail["retention"] = json!(document.keeping());
    detail
}

fn stored(key: &DocumentKey, content: &Content) -> Value {
    let mut detail = about(key, &content.metadata, content.size);
    detail["object"] = json!({
        "key": key.object(&content.content_id), "verification": content.verification,
    });
    if let Some(screening) = content.screening {
        detail["object"]["screening"] = json!(screening);
    }
    detail
}

/// Describes a document as OKD does, without all that could tell of a person: no name, no id of the sender's own
/// making, no subject, no free text. A reader with more rights finds the rest by `dmsDocumentId`.
fn about(key: &DocumentKey, metadata: &Metadata, size: u64) -> Value {
    let okd = &metadata.okd;
    let mut consumer = json!({
        "consumerKey": "nl-okd", "documentType": okd.document_type, "documentSize": size,
    });
    if let Some(retention) = okd.retention_period_suggestion.as_ref().and_then(RetentionSuggestion::period) {
        consumer["retentionPeriodSuggestion"] = json!(retention);
    }
    let mut detail = bare(key);
    detail["consumers"] = json!([consumer]);
    detail
}

/// Names a document, and says nothing of it.
fn bare(key: &DocumentKey) -> Value {
    json!({ "dmsDocumentId": key.id, "tenant": key.tenant })
}

fn count(document: &Document, entry: &HistoryEntry) -> Option<Counted> {
    let (form, outcome) = match entry.what {
        Action::Stored => ("inline", "stored"),
        Action::UploadCompleted => ("parts", "stored"),
        Action::UploadBegun => ("parts", "begun"),
        Action::UploadEnded(EndReason::Aborted) => ("parts", "aborted"),
        Action::UploadEnded(EndReason::Expired) => ("parts", "expired"),
        Action::UploadEnded(EndReason::ChecksumMismatch) => ("parts", "checksum-mismatch"),
        Action::Corrected
        | Action::Verified
        | Action::Corrupt
        | Action::Screened
        | Action::Quarantined
        | Action::Deleted
        | Action::EnrollmentChanged
        | Action::Destroying
        | Action::Destroyed
        | Action::Held
        | Action::Released
        | Action::Restored
        | Action::UploadEnded(_) => return None,
    };
    let bytes = match (&document.content, &document.upload) {
        (_, Some(upload)) if upload.content_id == entry.content_id => upload.plan.size.bytes(),
        (Some(content), _) => content.size,
        _ => 0,
    };
    Some(Counted { form, outcome, bytes })
}
