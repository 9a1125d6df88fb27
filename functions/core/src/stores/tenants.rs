//! The tenants' items in DynamoDB: a table of their own, so that what can write documents cannot make tenants.
//!
//! The api and the reconcile function need `dynamodb:Query` on it, the latter `dynamodb:GetItem` too. Who adds and
//! removes tenants (`cargo run -- tenant`) needs `dynamodb:PutItem` and `dynamodb:DeleteItem` besides; for keys see
//! `issuer_keys.rs`.
//!
//! | `issuer` | `tenant` | what |
//! |-|-|-|
//! | the issuer's URL | the tenant's id | the [`Tenant`], found by a token of that issuer |
//! | `*` | the tenant's id | the same, found by its id; there can be only one, and it stays when the tenant is removed |

#[cfg(test)]
mod tests;

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, Delete, Put, TransactWriteItem,
        builders::{DeleteBuilder, PutBuilder},
    },
};
use aws_types::SdkConfig;

use jiff::Timestamp;

use super::{
    stored_keys::{StoredKeys, place_of},
    table::{Item, read, text},
};
use crate::{
    Error, Result,
    ids::TenantId,
    tenant::{Issuer, KeyPlace, Tenant},
};

/// The partition that lists every tenant; no issuer is called so.
const DIRECTORY: &str = "*";
/// The tenant is still what it was when it was read.
const UNCHANGED: &str = "config.revision = :before";

/// The table of tenants.
pub struct Tenants {
    pub(super) client: Client,
    pub(super) table: String,
}

/// The items of one issuer.
#[derive(Debug, Default)]
pub struct OfIssuer {
    /// Its tenants; none, for an issuer that no tenant has.
    pub tenants: Vec<Tenant>,
    /// Its keys, by the place that they are from.
    pub keys: Vec<(KeyPlace, StoredKeys)>,
}

/// The outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is made.
    Done,
    /// It is not: the tenant was changed meanwhile, or is there already.
    Conflict,
}

impl Tenants {
    /// The table of this name.
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self::of(super::dynamodb(sdk), table)
    }

    /// The same, through this client.
    pub fn of(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The tenants of an issuer and its keys: one read, also for an issuer that no tenant has.
    pub(crate) async fn of_issuer(&self, issuer: &Issuer) -> Result<OfIssuer> {
        let mut found = OfIssuer::default();
        let mut tenants = Vec::new();
        for item in self.query(&issuer.to_string()).await? {
            match place_of(issuer, &item) {
                Some(place) => found.keys.push((place, read(item)?)),
                None => tenants.push(item),
            }
        }
        found.tenants = read_tenants(tenants);
        Ok(found)
    }

    /// Every tenant, and those that were removed: their names are still taken.
    pub async fn ever(&self) -> Result<Vec<Tenant>> {
        Ok(read_tenants(self.query(DIRECTORY).await?))
    }

    /// Every tenant.
    pub async fn all(&self) -> Result<Vec<Tenant>> {
        let mut tenants = self.ever().await?;
        tenants.retain(|tenant| tenant.removed.is_none());
        Ok(tenants)
    }

    /// Returns whether there is such a tenant, and it was not removed.
    pub async fn has(&self, tenant: &TenantId) -> Result<bool> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("issuer", text(DIRECTORY))
            .key("tenant", text(tenant.to_string()))
            .send()
            .await
            .map_err(|error| Error::unavailable("reading a tenant", error))?;
        let config = answer.item.and_then(|mut item| item.remove("config"));
        let config = config.and_then(|config| config.as_m().ok().cloned());
        Ok(config.is_some_and(|config| !config.contains_key("removed")))
    }

    /// Adds a tenant, or puts it in the place of `replaced`, as which it must be there still.
    pub async fn add(&self, tenant: &Tenant, replaced: Option<&Tenant>) -> Result<Changed> {
        let before = replaced.map_or(0, |replaced| replaced.revision);
        let tenant = &Tenant { revision: before + 1, ..tenant.clone() };
        let directory = self.put(DIRECTORY, tenant)?;
        let directory = match replaced {
            None => directory.condition_expression("attribute_not_exists(issuer)"),
            Some(_) => directory.condition_expression(UNCHANGED).expression_attribute_values(":before", number(before)),
        };
        let by_issuer = self.put(&tenant.issuer.to_string(), tenant)?;
        let mut writes = vec![put(directory)?, put(by_issuer)?];
        if let Some(replaced) = replaced.filter(|replaced| replaced.issuer != tenant.issuer) {
            let key = replaced.issuer.to_string();
            writes.push(delete(self.delete(&key, &replaced.tenant))?);
        }
        self.write(writes).await
    }

    /// Removes a tenant, as which it must be there still. Its documents stay, and what they are called by with them.
    pub async fn remove(&self, tenant: &Tenant, now: Timestamp) -> Result<Changed> {
        let removed = Tenant { removed: Some(now), revision: tenant.revision + 1, ..tenant.clone() };
        let directory = self
            .put(DIRECTORY, &removed)?
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":before", number(tenant.revision));
        let by_issuer = self.delete(&tenant.issuer.to_string(), &tenant.tenant);
        self.write(vec![put(directory)?, delete(by_issuer)?]).await
    }

    fn put(&self, key: &str, tenant: &Tenant) -> Result<PutBuilder> {
        let config = serde_dynamo::to_attribute_value::<_, AttributeValue>(tenant)
            .map_err(|error| Error::unavailable("writing a tenant as an item", error))?;
        Ok(Put::builder()
            .table_name(&self.table)
            .item("issuer", text(key))
            .item("tenant", text(tenant.tenant.to_string()))
            .item("config", config))
    }

    fn delete(&self, key: &str, tenant: &TenantId) -> DeleteBuilder {
        Delete::builder().table_name(&self.table).key("issuer", text(key)).key("tenant", text(tenant.to_string()))
    }

    async fn write(&self, writes: Vec<TransactWriteItem>) -> Result<Changed> {
        let sent = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        let Err(error) = sent else {
            return Ok(Changed::Done);
        };
        let error = error.into_service_error();
        if let TransactWriteItemsError::TransactionCanceledException(canceled) = &error {
            let reasons = canceled.cancellation_reasons();
            let refused = Some("ConditionalCheckFailed");
            if reasons.iter().any(|reason| reason.code() == refused) {
                return Ok(Changed::Conflict);
            }
        }
        Err(Error::unavailable("writing a tenant's items", error))
    }

    async fn query(&self, key: &str) -> Result<Vec<Item>> {
        let items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("issuer = :issuer")
            .expression_attribute_values(":issuer", text(key))
            .into_paginator()
            .items()
            .send();
        let items: std::result::Result<_, _> = items.collect().await;
        items.map_err(|error| Error::unavailable("reading tenants", error))
    }
}

/// The tenants that these items hold. One that cannot be read is not the others' loss.
fn read_tenants(items: Vec<Item>) -> Vec<Tenant> {
    let mut tenants = Vec::new();
    for mut item in items {
        let config = item.remove("config").and_then(|config| config.as_m().ok().cloned());
        match read(config.unwrap_or_default()) {
            Ok(tenant) => tenants.push(tenant),
            Err(error) => {
                let cause = error.to_string();
                tracing::error!(cause, tenant = ?item.get("tenant"), "a tenant's item cannot be read");
            }
        }
    }
    tenants
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn put(put: PutBuilder) -> Result<TransactWriteItem> {
    let put = put.build().map_err(building)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn delete(delete: DeleteBuilder) -> Result<TransactWriteItem> {
    let delete = delete.build().map_err(building)?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

fn building(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::unavailable("building a tenant's item", error)
}
