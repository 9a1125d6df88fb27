//! The tenants' items in DynamoDB: a table of their own, so that what can write documents cannot make tenants.
//!
//! The api function needs `dynamodb:Query` on it. Who adds and removes tenants (`cargo run -- tenant`) needs
//! `dynamodb:PutItem`, `dynamodb:DeleteItem` and `dynamodb:ConditionCheckItem` besides.
//!
//! | `issuer` | `tenant` | what |
//! |-|-|-|
//! | the issuer's URL | the tenant's id | the [`Tenant`], for whoever has a token of that issuer |
//! | `*` | the tenant's id | the same, for whoever knows the tenant; there can be only one |

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{Delete, Put, TransactWriteItem},
};

use super::documents::{Item, read, text};
use crate::{
    Error, Result,
    tenant::{Issuer, Tenant, TenantId},
};

/// Where every tenant is listed; no issuer is called so.
const DIRECTORY: &str = "*";

/// The table of tenants.
pub struct Tenants {
    client: Client,
    table: String,
}

/// What became of adding a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Done,
    /// It was changed by somebody else meanwhile, or is there already.
    Conflict,
}

impl Tenants {
    /// The table of this name.
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self::of(Client::new(sdk), table)
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

    /// Adds a tenant, or puts it in the place of `replaced`, which it must be the next state of.
    pub async fn add(&self, tenant: &Tenant, replaced: Option<&Tenant>) -> Result<Added> {
        let mut writes = Vec::new();
        if let Some(replaced) = replaced.filter(|replaced| replaced.issuer != tenant.issuer) {
            writes.push(self.delete(&replaced.issuer.to_string(), &replaced.tenant)?);
        }
        let before = replaced.map(|replaced| replaced.issuer.to_string());
        for key in [DIRECTORY, &tenant.issuer.to_string()] {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(item(key, tenant)?));
            let put = match &before {
                _ if key != DIRECTORY => put,
                None => put.condition_expression("attribute_not_exists(issuer)"),
                Some(before) => put
                    .condition_expression("config.issuer = :before")
                    .expression_attribute_values(":before", text(before)),
            };
            let put = put.build().map_err(building)?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        self.write(writes).await
    }

    /// Removes a tenant. Its documents stay.
    pub async fn remove(&self, tenant: &Tenant) -> Result<()> {
        let issuer = tenant.issuer.to_string();
        let writes = [DIRECTORY, &issuer].map(|key| self.delete(key, &tenant.tenant));
        self.write(writes.into_iter().collect::<Result<_>>()?)
            .await
            .map(drop)
    }

    fn delete(&self, key: &str, tenant: &TenantId) -> Result<TransactWriteItem> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("issuer", text(key))
            .key("tenant", text(tenant.to_string()))
            .build()
            .map_err(building)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    async fn write(&self, writes: Vec<TransactWriteItem>) -> Result<Added> {
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(Added::Done);
        };
        match error.into_service_error() {
            TransactWriteItemsError::TransactionCanceledException(_) => Ok(Added::Conflict),
            error => Err(Error::unavailable("writing a tenant's items", error)),
        }
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
            tenants.push(read(config.unwrap_or_default())?);
        }
        Ok(tenants)
    }
}

fn item(key: &str, tenant: &Tenant) -> Result<Item> {
    let config = serde_dynamo::to_attribute_value(tenant)
        .map_err(|error| Error::unavailable("writing a tenant as an item", error))?;
    Ok(Item::from([
        ("issuer".to_owned(), text(key)),
        ("tenant".to_owned(), text(tenant.tenant.to_string())),
        ("config".to_owned(), config),
    ]))
}

fn building(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::unavailable("building a tenant's item", error)
}
