//! The documents' items in DynamoDB, read; one table, one partition a document ([`table`](super::table)).
//!
//! Needs `dynamodb:GetItem`, `dynamodb:PutItem` and `dynamodb:Query` on the table. What a write needs: see `write.rs`;
//! what the sweep needs besides: see `pending.rs`.

#[cfg(test)]
mod tests;

use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, query::builders::QueryFluentBuilder},
    types::AttributeValue,
};
use aws_types::SdkConfig;
use serde::Serialize;

use super::table::{
    CONTENT, HISTORY, History, Item, ItemKey, POINTER, Pointer, content_item, item, orphan_item, read, text,
};
use crate::{
    Error, Result,
    document::{Content, Document, HistoryEntry, Orphan, Verdict, Verification},
    ids::{ContentId, DocumentKey, TenantId},
    listing::Listing,
};

/// The table of documents.
pub struct Documents {
    pub(super) client: Client,
    pub(super) table: String,
}

/// The open uploads of one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Uploads.
    pub uploads: i64,
    /// The bytes that they declare together.
    pub bytes: i64,
}

impl Documents {
    pub(super) fn new(sdk: &SdkConfig, table: String) -> Self {
        Self::of(super::dynamodb(sdk), table)
    }

    /// The table of this name, through this client.
    pub fn of(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The document as it is now (a consistent read).
    pub async fn load(&self, key: &DocumentKey) -> Result<Option<Document>> {
        let item = self.item_at(ItemKey::document(key), "reading a document").await?;
        item.map(read).transpose()
    }

    /// The document as it is now, if `client` handed it in, or any client where none is given. Of another's document
    /// nothing is read that an absent one would not have, so the time that it takes tells nothing either.
    pub(crate) async fn load_of(&self, key: &DocumentKey, client: Option<&str>) -> Result<Option<Document>> {
        let ItemKey { pk, sk } = ItemKey::document(key);
        let query = self.query(pk, "pk = :pk AND sk = :sk").expression_attribute_values(":sk", text(sk));
        let query = match client {
            None => query,
            Some(client) => {
                query.filter_expression("client = :client").expression_attribute_values(":client", text(client))
            }
        };
        let answer = query.send().await;
        let answer = answer.map_err(|error| Error::unavailable("reading a document", error))?;
        let item = answer.items.unwrap_or_default().pop();
        item.map(read).transpose()
    }

    /// One item (a consistent read).
    pub(super) async fn item_at(&self, key: ItemKey, during: &'static str) -> Result<Option<Item>> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key.into_item()));
        let answer = get.consistent_read(true).send().await;
        let answer = answer.map_err(|error| Error::unavailable(during, error))?;
        Ok(answer.item)
    }

    /// The newest content of this id in the document's history: two reads, however long that is.
    pub async fn past(&self, key: &DocumentKey, content_id: &ContentId) -> Result<Option<Content>> {
        let during = "reading a document's history";
        let pointer = self.item_at(ItemKey::pointer(key, content_id), during).await?;
        let Some(pointer) = pointer else {
            return Ok(None);
        };
        let Pointer { sequence } = read(pointer)?;
        let content = self.item_at(ItemKey::content(key, sequence), during).await?;
        content.map(read).transpose()
    }

    /// The newest content in the document's history.
    pub(crate) async fn newest_past(&self, key: &DocumentKey) -> Result<Option<Content>> {
        first(self.history(key).limit(1)).await
    }

    /// The last entries of the document's history that its own item no longer holds.
    pub(crate) async fn newest_history(&self, key: &DocumentKey) -> Result<Vec<HistoryEntry>> {
        let newest = self.newest(key, HISTORY).limit(1).send().await;
        let newest = newest.map_err(|error| Error::unavailable("reading a document's history", error))?;
        let item = newest.items.unwrap_or_default().pop();
        let history = item.map(read::<History>).transpose()?;
        Ok(history.unwrap_or_default().entries)
    }

    /// The newest content in the document's history that was not refused, and not `but`, which may just be being.
    pub(crate) async fn last_sound(&self, key: &DocumentKey, but: Option<&ContentId>) -> Result<Option<Content>> {
        let [threat, unscannable] = Verdict::REFUSING;
        let query = self
            .history(key)
            .filter_expression(
                "verification <> :corrupt AND version <> :version AND NOT (screening IN (:threat, :unscannable))",
            )
            .expression_attribute_values(":corrupt", word(Verification::Corrupt)?)
            .expression_attribute_values(":threat", word(threat)?)
            .expression_attribute_values(":unscannable", word(unscannable)?)
            .expression_attribute_values(":version", text(but.map(ToString::to_string).unwrap_or_default()));
        first(query).await
    }

    /// The newest content in the document's history that a scanner keeps from no reader and that was compared, or, for who
    /// trusts it, is yet to be.
    pub(crate) async fn last_released(&self, key: &DocumentKey, trusts_unverified: bool) -> Result<Option<Content>> {
        let query = self
            .history(key)
            .filter_expression(
                "verification IN (:done, :trusted) AND (attribute_not_exists(screening) OR screening = :clean)",
            )
            .expression_attribute_values(":done", word(Verification::Done)?)
            .expression_attribute_values(
                ":trusted",
                word(if trusts_unverified { Verification::Pending } else { Verification::Done })?,
            )
            .expression_attribute_values(":clean", word(Verdict::Clean)?);
        first(query).await
    }

    /// The contents that were current once, newest first.
    fn history(&self, key: &DocumentKey) -> QueryFluentBuilder {
        self.newest(key, CONTENT)
    }

    /// The items of the document's partition of this kind, newest first.
    fn newest(&self, key: &DocumentKey, kind: &str) -> QueryFluentBuilder {
        self.query(ItemKey::partition(key), "pk = :pk AND begins_with(sk, :kind)")
            .scan_index_forward(false)
            .expression_attribute_values(":kind", text(kind))
    }

    /// A consistent query of a partition by this condition, which names it `:pk`.
    pub(super) fn query(&self, partition: String, condition: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        query.key_condition_expression(condition).expression_attribute_values(":pk", text(partition))
    }

    /// The open uploads of a tenant, by all shards of its quota.
    pub async fn usage(&self, tenant: &TenantId) -> Result<Usage> {
        let query = self.query(ItemKey::usage_partition(tenant), "pk = :pk");
        let answer = query.send().await.map_err(|error| Error::unavailable("reading a tenant's usage", error))?;
        let mut usage = Usage::default();
        for item in answer.items() {
            let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
            usage.uploads += number("uploads").unwrap_or_default();
            usage.bytes += number("bytes").unwrap_or_default();
        }
        Ok(usage)
    }

    /// Writes into the history what was found of a content. `false` where that is no longer as it was `before`: what another
    /// found meanwhile stays.
    pub(crate) async fn note_finding(&self, key: &DocumentKey, before: &Content, found: &Content) -> Result<bool> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(content_item(key, found)?))
            .expression_attribute_values(":verification", word(before.verification)?);
        let put = match before.screening {
            None => put.condition_expression("verification = :verification AND attribute_not_exists(screening)"),
            Some(screening) => put
                .condition_expression("verification = :verification AND screening = :screening")
                .expression_attribute_values(":screening", word(screening)?),
        };
        let sent = put.send().await;
        let Err(error) = sent else { return Ok(true) };
        match error.into_service_error() {
            PutItemError::ConditionalCheckFailedException(_) => Ok(false),
            error => Err(Error::unavailable("writing a history item", error)),
        }
    }

    /// Removes from a document's history what is kept of its first contents, so many.
    pub(crate) async fn forget_contents(&self, key: &DocumentKey, contents: u32) -> Result<()> {
        for kind in [CONTENT, POINTER] {
            let mut items = self.newest(key, kind).into_paginator().items().send();
            while let Some(item) = items.next().await {
                let item = item.map_err(|error| Error::unavailable("reading a document's history", error))?;
                let place = ItemKey::of(&item);
                let Pointer { sequence } = read(item)?;
                if let Some(place) = place.filter(|_| sequence <= contents) {
                    self.delete_item(place, "removing a history item").await?;
                }
            }
        }
        Ok(())
    }

    /// Returns whether something of the document is to be removed from S3 still.
    pub(crate) async fn has_orphans(&self, key: &DocumentKey) -> Result<bool> {
        let query = self.query(ItemKey::orphans_partition(key), "pk = :pk").limit(1);
        let answer = query.send().await.map_err(|error| Error::unavailable("looking for orphans", error))?;
        Ok(!answer.items().is_empty())
    }

    /// Notes something that is to be removed from S3, unless a document points to it by then.
    pub(crate) async fn note_orphan(&self, key: &DocumentKey, orphan: &Orphan) -> Result<()> {
        let item = orphan_item(key, orphan)?;
        self.put_item(item, "noting an orphan").await
    }

    /// The last listing of the bucket, as far as it is; `None` where there was none.
    pub(crate) async fn last_listing(&self) -> Result<Option<Listing>> {
        let during = "reading how far the bucket is listed";
        let item = self.item_at(ItemKey::listing(), during).await?;
        item.map(read).transpose()
    }

    /// Notes how far a listing of the bucket is.
    pub(crate) async fn save_listing(&self, listing: &Listing) -> Result<()> {
        let during = "noting how far the bucket is listed";
        let item = item(ItemKey::listing(), listing)?;
        self.put_item(item, during).await
    }

    /// Removes an item, if it is there.
    pub(super) async fn delete_item(&self, key: ItemKey, during: &'static str) -> Result<()> {
        let delete = self.client.delete_item().table_name(&self.table);
        let sent = delete.set_key(Some(key.into_item())).send().await;
        sent.map(drop).map_err(|error| Error::unavailable(during, error))
    }

    /// Writes an item over any that was there.
    async fn put_item(&self, item: Item, during: &'static str) -> Result<()> {
        let put = self.client.put_item().table_name(&self.table);
        let sent = put.set_item(Some(item)).send().await;
        sent.map(drop).map_err(|error| Error::unavailable(during, error))
    }
}

/// A word of ours as an attribute has it.
fn word(word: impl Serialize) -> Result<AttributeValue> {
    serde_dynamo::to_attribute_value(word).map_err(|error| Error::unavailable("writing a word", error))
}

async fn first(query: QueryFluentBuilder) -> Result<Option<Content>> {
    let mut items = query.into_paginator().items().send();
    let item = items.next().await.transpose();
    item.map_err(|error| Error::unavailable("reading a document's history", error))?.map(read).transpose()
}
