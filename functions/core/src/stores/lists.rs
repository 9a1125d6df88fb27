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

/// The documents that are listed, and read, at once: the most that `BatchGetItem` takes.
const AT_ONCE: i32 = 100;
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

impl Documents {
    /// The next documents that are listed, at most as many as [`Documents::load_all`] reads in one call, from the first whose
    /// entry comes after the place `after` (a consistent read); and the place of the last, where there may be more.
    pub(crate) async fn listed(
        &self,
        tenant: &TenantId,
        by: &By,
        after: Option<&str>,
    ) -> Result<(Vec<DocumentKey>, Option<String>)> {
        let (partition, end) = match by {
            By::Link(link) => (ItemKey::links_partition(tenant, link), AFTER_LINKS.to_owned()),
            By::DueBefore(day) => (ItemKey::retention_partition(tenant), day.to_string()),
        };
        let after = after.unwrap_or(BEFORE_LINKS);
        // DynamoDB refuses a range that ends before it begins.
        if after >= end.as_str() {
            return Ok((Vec::new(), None));
        }
        let query = self
            .query(partition, "pk = :pk AND sk BETWEEN :begin AND :end")
            .projection_expression("pk, sk")
            // The places of entries have one length, and no character that comes before this one.
            .expression_attribute_values(":begin", text(format!("{after}!")))
            .expression_attribute_values(":end", text(end))
            .limit(AT_ONCE);
        let answer = query.send().await.map_err(|error| Error::unavailable("listing documents", error))?;
        let mut documents = Vec::new();
        let mut last = None;
        for item in answer.items() {
            let key = ItemKey::of(item);
            let Some(Place::Link(document)) = key.as_ref().and_then(ItemKey::parse) else {
                return Err(Error::unavailable("listing documents", "an entry that is no document's"));
            };
            documents.push(document);
            last = key;
        }
        let is_full = i32::try_from(documents.len()) == Ok(AT_ONCE);
        Ok((documents, last.filter(|_| is_full).map(|key| key.sk)))
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
