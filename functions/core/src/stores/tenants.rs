//! The tenants' items in DynamoDB: a table of their own, so that what can write documents cannot make tenants.
//!
//! The api function needs `dynamodb:Query` on it. Who adds and removes tenants (`cargo run -- tenant`) needs
//! `dynamodb:PutItem` and `dynamodb:DeleteItem` besides.
//!
//! | `issuer` | `tenant` | what |
//! |-|-|-|
//! | the issuer's URL | the tenant's id | the [`Tenant`], for whoever has a token of that issuer |
//! | `*` | the tenant's id | the same, for whoever knows the tenant; there can be only one |

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, Delete, Put, TransactWriteItem,
        builders::{DeleteBuilder, PutBuilder},
    },
};

use super::documents::{read, text};
use crate::{
    Error, Result,
    tenant::{Issuer, Tenant, TenantId},
};

/// Where every tenant is listed; no issuer is called so.
const DIRECTORY: &str = "*";
/// The tenant is still what it was when it was read.
const UNCHANGED: &str = "config.revision = :before";

/// The table of tenants.
pub struct Tenants {
    client: Client,
    table: String,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is made.
    Done,
    /// It is not: the tenant was changed by somebody else meanwhile, or is there already.
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

    /// The tenants of an issuer: one read, for an issuer that nobody has too.
    pub async fn of_issuer(&self, issuer: &Issuer) -> Result<Vec<Tenant>> {
        self.query(&issuer.to_string()).await
    }

    /// Every tenant.
    pub async fn all(&self) -> Result<Vec<Tenant>> {
        self.query(DIRECTORY).await
    }

    /// Adds a tenant, or puts it in the place of `replaced`, as which it must be there still.
    pub async fn add(&self, tenant: &Tenant, replaced: Option<&Tenant>) -> Result<Changed> {
        let before = replaced.map_or(0, |replaced| replaced.revision);
        let tenant = &Tenant {
            revision: before + 1,
            ..tenant.clone()
        };
        let directory = self.put(DIRECTORY, tenant)?;
        let directory = match replaced {
            None => directory.condition_expression("attribute_not_exists(issuer)"),
            Some(_) => directory
                .condition_expression(UNCHANGED)
                .expression_attribute_values(":before", number(before)),
        };
        let by_issuer = self.put(&tenant.issuer.to_string(), tenant)?;
        let mut writes = vec![put(directory)?, put(by_issuer)?];
        if let Some(replaced) = replaced.filter(|replaced| replaced.issuer != tenant.issuer) {
            let key = replaced.issuer.to_string();
            writes.push(delete(self.delete(&key, &replaced.tenant))?);
        }
        self.write(writes).await
    }

    /// Removes a tenant, as which it must be there still. Its documents stay.
    pub async fn remove(&self, tenant: &Tenant) -> Result<Changed> {
        let directory = self
            .delete(DIRECTORY, &tenant.tenant)
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":before", number(tenant.revision));
        let by_issuer = self.delete(&tenant.issuer.to_string(), &tenant.tenant);
        self.write(vec![delete(directory)?, delete(by_issuer)?])
            .await
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
        Delete::builder()
            .table_name(&self.table)
            .key("issuer", text(key))
            .key("tenant", text(tenant.to_string()))
    }

    async fn write(&self, writes: Vec<TransactWriteItem>) -> Result<Changed> {
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .send()
            .await;
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

    async fn query(&self, key: &str) -> Result<Vec<Tenant>> {
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("issuer = :issuer")
            .expression_attribute_values(":issuer", text(key))
            .into_paginator()
            .items()
            .send();
        let mut tenants = Vec::new();
        while let Some(item) = items.next().await {
            let mut item = item.map_err(|error| Error::unavailable("reading tenants", error))?;
            let config = item
                .remove("config")
                .and_then(|config| config.as_m().ok().cloned());
            match read(config.unwrap_or_default()) {
                Ok(tenant) => tenants.push(tenant),
                // Not the others' loss.
                Err(error) => {
                    let cause = Error::for_the_log(&error);
                    tracing::error!(cause, tenant = ?item.get("tenant"), "a tenant's item cannot be read");
                }
            }
        }
        Ok(tenants)
    }
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
