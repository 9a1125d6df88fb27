//! The table of documents: the keys of its items, and what each item is.
//! [The architecture](crate#the-table-of-documents) lists them.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    Error, Result,
    association::Association,
    document::{Content, Document, HistoryEntry, Orphan},
    ids::{ContentId, DocumentId, DocumentKey, TenantId},
    listing::Listing,
    metadata::{Link, LinkKind},
};

/// The number of queues that the index of pending items has.
pub const QUEUES: u8 = 8;
/// An item as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The kind of an orphan's partition, where that of a link has the link's kind.
pub const ORPHAN: &str = "orphan";
/// The kind of the partition of a tenant's counts.
const USAGE: &str = "usage";
/// The place of a document's own item, and the beginnings of those of its other items.
const DOCUMENT: &str = "document";
pub(super) const CONTENT: &str = "content#";
pub(super) const POINTER: &str = "version#";
/// The place of an association, before the entries by which its documents are found.
const ASSOCIATION: &str = "#association";
/// A place before that of every entry by which a document is found, which is the document's id.
pub(super) const BEFORE_LINKS: &str = "/";
/// A place after that of every such entry.
pub(super) const AFTER_LINKS: &str = "g";
pub(super) const HISTORY: &str = "history#";
/// Both keys of the one item that is no tenant's.
const LISTING: &str = "#look-through";

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemKey {
    /// The partition.
    pub pk: String,
    /// The place in the partition.
    pub sk: String,
}

impl ItemKey {
    /// The partition of a document's own items.
    pub(super) fn partition(key: &DocumentKey) -> String {
        format!("{}#{}", key.tenant, key.id)
    }

    /// The partition of the counts of a tenant's open uploads.
    pub(super) fn usage_partition(tenant: &TenantId) -> String {
        format!("{tenant}#{USAGE}")
    }

    /// The key of an item; `None` where it has none.
    pub(super) fn of(item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        Some(Self { pk: text("pk")?, sk: text("sk")? })
    }

    fn of_document(key: &DocumentKey, sk: String) -> Self {
        Self { pk: Self::partition(key), sk }
    }

    /// A document's own item.
    pub fn document(key: &DocumentKey) -> Self {
        Self::of_document(key, DOCUMENT.to_owned())
    }

    /// A content that was current before.
    pub(super) fn content(key: &DocumentKey, sequence: u32) -> Self {
        Self::of_document(key, format!("{CONTENT}{sequence:010}"))
    }

    /// The pointer to the last content of an id.
    pub(super) fn pointer(key: &DocumentKey, content: &ContentId) -> Self {
        Self::of_document(key, format!("{POINTER}{content}"))
    }

    /// Older entries of a document's history, by the revision of the first.
    pub(super) fn history(key: &DocumentKey, first: u64) -> Self {
        Self::of_document(key, format!("{HISTORY}{first:010}"))
    }

    /// An orphan of a document.
    pub(super) fn orphan(key: &DocumentKey, orphan: &Orphan) -> Self {
        Self { pk: Self::orphans_partition(key), sk: orphan.name() }
    }

    /// The partition of all orphans of a document.
    pub(super) fn orphans_partition(key: &DocumentKey) -> String {
        format!("{}#{ORPHAN}#{}", key.tenant, key.id)
    }

    /// The entry by which a document is found by an id of others.
    pub fn link(key: &DocumentKey, link: &Link) -> Self {
        match link.kind {
            LinkKind::Retention => {
                let (pk, day) = (Self::retention_partition(&key.tenant), &link.id);
                Self { pk, sk: format!("{day}.{}", key.id) }
            }
            _ => Self { pk: Self::links_partition(&key.tenant, link), sk: key.id.to_string() },
        }
    }

    /// The partition of the entries by which the documents of this id are found, in the order of their own ids.
    pub(super) fn links_partition(tenant: &TenantId, link: &Link) -> String {
        format!("{tenant}#{}#{}", link.kind.as_str(), link.id)
    }

    /// The partition of the entries by which the documents of a tenant are found by the days to which they are to be kept,
    /// in the order of these.
    pub(super) fn retention_partition(tenant: &TenantId) -> String {
        format!("{tenant}#{}", LinkKind::Retention.as_str())
    }

    /// An association, in the partition of the entries by which its documents are found.
    pub(super) fn association(tenant: &TenantId, id: Uuid) -> Self {
        let kind = LinkKind::Association.as_str();
        Self { pk: format!("{tenant}#{kind}#{id}"), sk: ASSOCIATION.to_owned() }
    }

    /// The counts of one shard of a tenant's quota.
    pub fn shard(tenant: &TenantId, shard: u8) -> Self {
        Self { pk: Self::usage_partition(tenant), sk: format!("counter#{shard}") }
    }

    /// The progress of the bucket's listing.
    pub(super) fn listing() -> Self {
        Self { pk: LISTING.to_owned(), sk: LISTING.to_owned() }
    }

    /// Reads the key as one that this module made; `None` where it is none.
    pub fn parse(&self) -> Option<Place> {
        if self.pk == LISTING {
            return Some(Place::Listing);
        }
        let (tenant, rest) = self.pk.split_once('#')?;
        if rest == USAGE {
            let shard = self.sk.strip_prefix("counter#")?.parse().ok()?;
            return Some(Place::Shard(tenant.to_owned().try_into().ok()?, shard));
        }
        if rest == LinkKind::Retention.as_str() {
            let (_, id) = self.sk.split_once('.')?;
            return Some(Place::Link(DocumentKey::parse(tenant, id)?));
        }
        if let Some((kind, id)) = rest.split_once('#') {
            return match kind {
                ORPHAN => Some(Place::Orphan(DocumentKey::parse(tenant, id)?)),
                _ if self.sk == ASSOCIATION && kind == LinkKind::Association.as_str() => {
                    Some(Place::Association(tenant.to_owned().try_into().ok()?, Uuid::try_parse(id).ok()?))
                }
                _ if LinkKind::IDS.iter().any(|known| known.as_str() == kind) => {
                    Some(Place::Link(DocumentKey::parse(tenant, &self.sk)?))
                }
                _ => None,
            };
        }
        let key = DocumentKey::parse(tenant, rest)?;
        if let Some(content) = self.sk.strip_prefix(POINTER) {
            return Some(Place::Pointer(key, ContentId::parse(content)?));
        }
        match self.sk.as_str() {
            DOCUMENT => Some(Place::Document(key)),
            sk if sk.starts_with(CONTENT) => Some(Place::Content(key)),
            sk if sk.starts_with(HISTORY) => Some(Place::History(key)),
            _ => None,
        }
    }

    /// Returns whether its place is that of a document or a content, also where the partition is no document's.
    pub fn is_placed_as_content(&self) -> bool {
        self.sk == DOCUMENT || self.sk.starts_with(CONTENT)
    }

    /// The key as the SDK has it.
    pub(super) fn into_item(self) -> Item {
        [("pk", self.pk), ("sk", self.sk)].map(|(name, value)| (name.to_owned(), text(value))).into()
    }
}

/// The meaning of an item's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A document's own item.
    Document(DocumentKey),
    /// A content of it that was current before.
    Content(DocumentKey),
    /// The pointer to the last such content of this id.
    Pointer(DocumentKey, ContentId),
    /// Older entries of its history.
    History(DocumentKey),
    /// Something to remove from S3.
    Orphan(DocumentKey),
    /// An entry by which the document is found.
    Link(DocumentKey),
    /// An association, as it was last reported.
    Association(TenantId, Uuid),
    /// The counts of this shard of a tenant's quota.
    Shard(TenantId, u8),
    /// The progress of the bucket's listing.
    Listing,
}

/// An item, read.
#[derive(Debug)]
pub enum Record {
    /// A document.
    Document(Box<Document>),
    /// A content of a document that was current before.
    Content(DocumentKey, Box<Content>),
    /// The sequence of the last such content of this id.
    Pointer(DocumentKey, ContentId, u32),
    /// Older entries of a document's history.
    History(DocumentKey, Vec<HistoryEntry>),
    /// Something to remove from S3.
    Orphan(DocumentKey, Orphan),
    /// An entry by which the document is found.
    Link(DocumentKey),
    /// An association, as it was last reported.
    Association(Box<Association>),
    /// The counts of a shard of a tenant's quota, by the names of its attributes.
    Shard(HashMap<String, i64>),
    /// The progress of the bucket's listing.
    Listing(Listing),
}

impl Record {
    /// Reads an item of this key. An error says which item it is, without what may tell of a person.
    pub fn read(key: &ItemKey, item: impl Into<serde_dynamo::Item>) -> Result<Self> {
        let (sk, tenant) = (&key.sk, key.pk.split('#').next().unwrap_or_default());
        let failed =
            |error: String| Error::unavailable("reading an item", format!("the item {sk} of {tenant}: {error}"));
        let place = key.parse().ok_or_else(|| failed("no key of ours".to_owned()))?;
        let item = item.into();
        let read = || -> serde_dynamo::Result<Self> {
            Ok(match place {
                Place::Document(_) => Self::Document(serde_dynamo::from_item(item)?),
                Place::Content(key) => Self::Content(key, serde_dynamo::from_item(item)?),
                Place::Pointer(key, content) => {
                    let Pointer { sequence } = serde_dynamo::from_item(item)?;
                    Self::Pointer(key, content, sequence)
                }
                Place::History(key) => {
                    let History { entries } = serde_dynamo::from_item(item)?;
                    Self::History(key, entries)
                }
                Place::Orphan(key) => Self::Orphan(key, serde_dynamo::from_item(item)?),
                Place::Link(key) => Self::Link(key),
                Place::Association(..) => Self::Association(serde_dynamo::from_item(item)?),
                Place::Shard(..) => Self::Shard(numbers(item)),
                Place::Listing => Self::Listing(serde_dynamo::from_item(item)?),
            })
        };
        read().map_err(|error| failed(error.to_string()))
    }
}

fn numbers(item: serde_dynamo::Item) -> HashMap<String, i64> {
    let number = |(name, value): (String, serde_dynamo::AttributeValue)| match value {
        serde_dynamo::AttributeValue::N(number) => Some((name, number.parse().ok()?)),
        _ => None,
    };
    item.into_inner().into_iter().filter_map(number).collect()
}

/// The place of the last content of an id in the history.
#[derive(Serialize, Deserialize)]
pub(super) struct Pointer {
    pub(super) sequence: u32,
}

/// Entries of a document's history that were moved out of its own item.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct History {
    pub(super) entries: Vec<HistoryEntry>,
}

/// The attributes of a shard that count the uploads and the bytes of one client.
pub fn counts_of_client(client: &str) -> [String; 2] {
    [format!("uploads#{client}"), format!("bytes#{client}")]
}

/// `value` as the item of this key.
pub(super) fn item(key: ItemKey, value: &impl Serialize) -> Result<Item> {
    let mut item: Item = serde_dynamo::to_item(value).map_err(|error| Error::unavailable("writing an item", error))?;
    item.extend(key.into_item());
    Ok(item)
}

/// A document's own item.
pub(super) fn document_item(document: &Document) -> Result<Item> {
    let key = document.key();
    Ok(listed(key.id, item(ItemKey::document(&key), document)?, document.due()))
}

/// The item of an association.
pub(super) fn association_item(association: &Association) -> Result<Item> {
    let key = ItemKey::association(&association.tenant, association.id);
    Ok(listed(association.id.into(), item(key, association)?, association.due()))
}

/// The item of a content that was current before.
pub(super) fn content_item(key: &DocumentKey, content: &Content) -> Result<Item> {
    Ok(listed(key.id, item(ItemKey::content(key, content.sequence), content)?, content.due()))
}

/// The item of an orphan.
pub(super) fn orphan_item(key: &DocumentKey, orphan: &Orphan) -> Result<Item> {
    Ok(listed(key.id, item(ItemKey::orphan(key, orphan), orphan)?, Some(orphan.due())))
}

/// The item of something with this id, listed by the index if it is due some time.
fn listed(id: DocumentId, mut item: Item, due: Option<Timestamp>) -> Item {
    if let Some(due) = due {
        item.insert("queue".to_owned(), queue(id.queue(QUEUES)));
        item.insert("due".to_owned(), number(due.as_second()));
    }
    item
}

/// The queue of this number as an attribute.
pub(super) fn queue(number: u8) -> AttributeValue {
    text(number.to_string())
}

/// Reads an item of a kind that is known.
pub(super) fn read<T: DeserializeOwned>(item: Item) -> Result<T> {
    serde_dynamo::from_item(item).map_err(|error| Error::unavailable("reading an item", error))
}

/// A string as an attribute.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number as an attribute.
pub(super) fn number(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
