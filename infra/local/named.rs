//! Everything that the items of the table name: what the [invariants](crate::invariants) compare with the stores, the index
//! and the announcements.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use okd_core::{
    document::{Action, Content, Document, EndReason, HistoryEntry, UploadState},
    ids::{DocumentKey, ObjectKey, TenantId},
    retention::Enrollment,
    stores::{ItemKey, Record, counts_of_client},
};
use uuid::Uuid;

use crate::{Result, announced::Moment};

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The things that the items of the table name.
#[derive(Default)]
pub(crate) struct Named {
    /// Every content, and whether it is its document's current one.
    pub(crate) contents: Vec<(DocumentKey, Content, bool)>,
    /// The keys of all contents' objects, and of those that pending uploads may become.
    pub(crate) objects: BTreeSet<ObjectKey>,
    /// The ids of the pending uploads.
    pub(crate) uploads: BTreeSet<String>,
    /// The documents that have a pending upload.
    pub(crate) uploading: Vec<DocumentKey>,
    /// The items about which something is pending.
    pub(crate) pending: BTreeSet<ItemKey>,
    /// The changes of each document.
    pub(crate) changes: BTreeMap<String, BTreeSet<Moment>>,
    /// Those that must have been announced.
    pub(crate) concerning: BTreeSet<(String, Moment)>,
    /// The keys of the entries by which documents should be found, by what their metadata says.
    pub(crate) links: BTreeSet<ItemKey>,
    /// The keys of those that there are.
    pub(crate) entries: BTreeSet<ItemKey>,
    /// The sequence of the last content of each version, by its object's key, as the items for that say.
    pub(crate) pointers: BTreeMap<ObjectKey, u32>,
    /// What each document knows of the enrolments that it is about.
    pub(crate) enrollments: Vec<(DocumentKey, Uuid, Option<Enrollment>)>,
    /// What was last reported of an enrolment.
    pub(crate) reported: BTreeMap<(TenantId, Uuid), Option<Enrollment>>,
    /// The day to which each document is to be kept.
    pub(crate) kept_until: BTreeMap<String, String>,
    /// True where a scanner judges each new object.
    screens: bool,
    /// The differences between each number of each counter and what is open.
    pub(crate) counters: BTreeMap<(ItemKey, String), i64>,
}

impl Named {
    /// The objects of contents that were replaced and that their items do not lead to, or lead to older ones of.
    pub(crate) fn wrong_pointers(&self) -> impl Iterator<Item = ObjectKey> {
        let mut current = BTreeSet::new();
        let mut last: BTreeMap<ObjectKey, u32> = BTreeMap::new();
        for (key, content, is_current) in &self.contents {
            let object = key.object(&content.content_id);
            if *is_current {
                current.insert(object);
            } else {
                let last = last.entry(object).or_default();
                *last = content.sequence.max(*last);
            }
        }
        let replaced = last.into_iter();
        replaced
            .filter(move |(object, _)| !current.contains(object))
            .filter(|(object, sequence)| self.pointers.get(object) != Some(sequence))
            .map(|(object, _)| object)
    }

    fn read_history(&mut self, key: &DocumentKey, history: &[HistoryEntry]) {
        let moment = |entry: &HistoryEntry| (entry.revision, entry.at);
        let changes = self.changes.entry(key.id.to_string()).or_default();
        changes.extend(history.iter().map(moment));
        let concerns = |entry: &&HistoryEntry| match entry.what {
            // Where files are screened nothing is announced of a content before it is released.
            Action::Stored | Action::UploadCompleted | Action::Verified | Action::Restored => !self.screens,
            Action::Screened | Action::Deleted | Action::Destroyed => true,
            Action::UploadEnded(state) => state == EndReason::Expired,
            // A correction may be an upload's, of which nothing is announced; there may be nothing to restore.
            Action::Corrected
            | Action::EnrollmentChanged
            | Action::Corrupt
            | Action::Quarantined
            | Action::UploadBegun
            | Action::Destroying
            | Action::Held
            | Action::Released => false,
        };
        let concerning = history.iter().filter(concerns);
        let concerning = concerning.map(|entry| (key.id.to_string(), moment(entry)));
        self.concerning.extend(concerning);
    }

    /// Reads every item of the table.
    pub(crate) fn read(items: Vec<Item>, screens: bool) -> Result<Self> {
        let mut named = Self { screens, ..Self::default() };
        for item in items {
            let place = ItemKey { pk: text(&item, "pk"), sk: text(&item, "sk") };
            let pending = match Record::read(&place, item)? {
                Record::Document(document) => named.read_document(*document),
                Record::Content(key, content) => {
                    let pending = content.due().is_some();
                    named.contents.push((key, *content, false));
                    pending
                }
                Record::History(key, entries) => {
                    named.read_history(&key, &entries);
                    false
                }
                Record::Pointer(key, content, sequence) => {
                    named.pointers.insert(key.object(&content), sequence);
                    false
                }
                Record::Orphan(..) => true,
                Record::Link(_) => {
                    named.entries.insert(place.clone());
                    false
                }
                Record::Shard(counts) => {
                    for (name, count) in counts {
                        *named.counters.entry((place.clone(), name)).or_default() += count;
                    }
                    false
                }
                Record::Association(association) => {
                    let last = (association.revision, association.reported_at);
                    named.concerning.insert((association.id.to_string(), last));
                    let reported = (association.tenant.clone(), association.id);
                    named.reported.insert(reported, association.enrollment());
                    association.due().is_some()
                }
                Record::Listing(_) => false,
            };
            if pending {
                named.pending.insert(place);
            }
        }
        let objects = named.contents.iter();
        let objects = objects.map(|(key, content, _)| key.object(&content.content_id));
        named.objects.extend(objects);
        Ok(named)
    }

    /// Reads a document's own item. Returns whether something about it is pending.
    fn read_document(&mut self, document: Document) -> bool {
        let key = document.key();
        if let Some(upload) = &document.upload
            && upload.state == UploadState::Uploading
        {
            self.objects.insert(key.object(&upload.content_id));
            self.uploads.insert(upload.upload_id.clone());
            if let Some(shard) = upload.shard {
                let size = upload.plan.size.bytes().cast_signed();
                let [uploads, bytes] = counts_of_client(&document.client);
                let counts = [("uploads".to_owned(), 1), ("bytes".to_owned(), size), (uploads, 1), (bytes, size)];
                for (name, count) in counts {
                    let counter = (ItemKey::shard(&key.tenant, shard), name);
                    *self.counters.entry(counter).or_default() -= count;
                }
            }
            self.uploading.push(key.clone());
        }
        self.links.extend(document.links().iter().map(|link| ItemKey::link(&key, link)));
        self.read_history(&key, &document.history);
        let about = document.metadata().filter_map(|metadata| metadata.links.association());
        let known = about.map(|id| (key.clone(), id, document.enrollment(Some(id))));
        self.enrollments.extend(known);
        if let Some(until) = document.keeping().and_then(|keeping| keeping.until) {
            self.kept_until.insert(key.id.to_string(), until.to_string());
        }
        let pending = document.due().is_some();
        self.contents.extend(document.content.map(|content| (key, content, true)));
        pending
    }
}

/// The text of an attribute; empty where there is none.
pub(crate) fn text(item: &Item, name: &str) -> String {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.cloned().unwrap_or_default()
}
