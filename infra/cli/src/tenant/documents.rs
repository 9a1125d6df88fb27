//! `tenant undelete`, `destroy`, `hold` and `release`: what an operator does with one document of a tenant.

use jiff::Timestamp;
use okd_core::{Error, Stores, ids::DocumentKey, use_cases};

use super::Id;
use crate::Result;

/// A document on the command line.
#[derive(clap::Args)]
pub(super) struct OfDocument {
    tenant: Id,
    /// Its dmsDocumentId.
    document: String,
}

impl OfDocument {
    /// The key of the document.
    pub(super) fn key(&self) -> Result<DocumentKey> {
        let Self { tenant: Id(tenant), document } = self;
        let key = DocumentKey::parse(&tenant.to_string(), document);
        Ok(key.ok_or_else(|| format!("{document} is no dmsDocumentId: that is a UUID"))?)
    }
}

pub(super) async fn undelete(stores: &Stores, key: &DocumentKey) -> Result<String> {
    let id = key.id;
    if found(key, use_cases::restore(stores, key, Timestamp::now()).await)? {
        Ok(format!("{id} is there again"))
    } else {
        Err(format!("{id} is not deleted, or never was stored").into())
    }
}

/// Has a document destroyed, whatever its retention.
pub(super) async fn destroy(stores: &Stores, key: &DocumentKey) -> Result<String> {
    let id = key.id;
    let is_new = found(key, use_cases::destroy(stores, key, Timestamp::now()).await)?;
    Ok(if is_new {
        format!("{id} is hidden, and gone for good in some two hours")
    } else {
        format!("{id} was destroyed before, or is about to be")
    })
}

/// Puts a hold on a document for this reason, or ends it.
pub(super) async fn hold(stores: &Stores, key: &DocumentKey, reason: Option<&str>) -> Result<String> {
    let id = key.id;
    let is_new = found(key, use_cases::hold(stores, key, reason, Timestamp::now()).await)?;
    let state = if reason.is_some() { "held" } else { "not held" };
    Ok(if is_new { format!("{id} is {state} from now on") } else { format!("{id} was {state} before") })
}

/// What was done with a document, in words where there is none.
fn found<T>(key: &DocumentKey, done: okd_core::Result<T>) -> Result<T> {
    done.map_err(|error| match error {
        Error::Held => format!("{} is held: `tenant release` ends that", key.id).into(),
        Error::NotFound => format!("{} has no document {}", key.tenant, key.id).into(),
        error => error.into(),
    })
}
