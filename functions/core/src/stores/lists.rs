//! Documents found by the ids of others, and read many at once.
//!
//! Needs `dynamodb:Query` and `dynamodb:BatchGetItem` on the table.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::{
    documents::Documents,
    table::{BEFORE_LINKS, ItemKey, Place, read, text},
};
use crate::{
    Error, Result,
    document::Document,
    ids::{DocumentId, DocumentKey, TenantId},
    metadata::Link,
};

/// The time to wait before what DynamoDB left out of an answer is asked for again, and the number of times.
const PAUSE: Duration = Duration::from_millis(50);
const TRIES: u32 = 6;

impl Documents {
    /// The ids of documents that have this link, in their order, from the first that comes after `after`: at most
    /// `limit`, and fewer only where there are no more (a consistent read).
    pub(crate) async fn linked(
        &self,
        tenant: &TenantId,
        link: &Link,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DocumentId>> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk > :after")
            .projection_expression("pk, sk")
            .expression_attribute_values(":pk", text(ItemKey::links_partition(tenant, link)))
            .expression_attribute_values(":after", text(after.unwrap_or(BEFORE_LINKS)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| Error::unavailable("listing documents", error))?;
        let ids = answer.items().iter().map(|item| match ItemKey::of(item).and_then(|key| key.parse()) {
            Some(Place::Link(DocumentKey { id, .. })) => Ok(id),
            _ => Err(Error::unavailable("listing documents", "an entry that is no document's")),
        });
        ids.collect()
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
