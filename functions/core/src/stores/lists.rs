//! Documents found by the ids of others, and read many at once.
//!
//! Needs `dynamodb:Query` and `dynamodb:BatchGetItem` on the table.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use jiff::civil::Date;

use super::{
    documents::Documents,
    table::{AFTER_LINKS, BEFORE_LINKS, ItemKey, Place, read, text},
};
use crate::{
    Error, Result,
    document::Document,
    ids::{DocumentKey, TenantId},
    metadata::Link,
};

/// The time to wait before what DynamoDB left out of an answer is asked for again, and the number of times.
const PAUSE: Duration = Duration::from_millis(50);
const TRIES: u32 = 6;

/// What documents are listed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// An id that they are linked to: in the order of their own ids.
    Link(Link),
    /// The day to which they are to be kept, where it comes before this one: in the order of these days.
    DueBefore(Date),
}

/// An entry by which a document is found.
pub(crate) struct Entry {
    /// The place in its partition, by which the entries are in order.
    pub(crate) place: String,
    /// The document.
    pub(crate) document: DocumentKey,
}

impl Documents {
    /// The entries by which documents are found, in their order, from the first that comes after `after`: at most
    /// `limit`, and fewer only where there are no more (a consistent read).
    pub(crate) async fn entries(
        &self,
        tenant: &TenantId,
        by: &By,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let (partition, end) = match by {
            By::Link(link) => (ItemKey::links_partition(tenant, link), AFTER_LINKS.to_owned()),
            By::DueBefore(day) => (ItemKey::retention_partition(tenant), day.to_string()),
        };
        let after = after.unwrap_or(BEFORE_LINKS);
        // DynamoDB refuses a range that ends before it begins.
        if after >= end.as_str() {
            return Ok(Vec::new());
        }
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :begin AND :end")
            .projection_expression("pk, sk")
            .expression_attribute_values(":pk", text(partition))
            // The places of entries have one length, and no character that comes before this one.
            .expression_attribute_values(":begin", text(format!("{after}!")))
            .expression_attribute_values(":end", text(end))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| Error::unavailable("listing documents", error))?;
        let entries = answer.items().iter().map(|item| {
            let key = ItemKey::of(item)?;
            let Some(Place::Link(document)) = key.parse() else {
                return None;
            };
            Some(Entry { place: key.sk, document })
        });
        let entries: Option<Vec<Entry>> = entries.collect();
        entries.ok_or_else(|| Error::unavailable("listing documents", "an entry that is no document's"))
    }

    /// The documents of these keys that there are, in the order of the keys (consistent reads).
    pub(crate) async fn load_all(&self, keys: &[DocumentKey]) -> Result<Vec<Document>> {
        let failed = |error: String| Error::unavailable("reading documents", error);
        let keys_left = keys.iter().map(|key| ItemKey::document(key).into_item());
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let asked = KeysAndAttributes::builder().set_keys(Some(keys_left.collect())).consistent_read(true).build();
        let mut asked = asked.map_err(|error| failed(error.to_string()))?;
        let mut found = HashMap::new();
        for _ in 0..TRIES {
            let answer = self.client.batch_get_item().request_items(&self.table, asked).send().await;
            let answer = answer.map_err(|error| Error::unavailable("reading documents", error))?;
            for item in answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default() {
                let document: Document = read(item)?;
                found.insert(document.id, document);
            }
            let Some(left) = answer.unprocessed_keys.unwrap_or_default().remove(&self.table) else {
                return Ok(keys.iter().filter_map(|key| found.remove(&key.id)).collect());
            };
            asked = left;
            tokio::time::sleep(PAUSE).await;
        }
        Err(failed("DynamoDB leaves items out of every answer".to_owned()))
    }
}
