//! `tenant retention`: a tenant's rules for how long its documents are kept.

use std::path::Path;

use okd_core::{ids::TenantId, retention_rules::RetentionRules, stores::Tenants, tenant::Tenant};

use super::{add::certain, find};
use crate::Result;

/// Shows the rules of a tenant or, where a file is given, puts those in it into their place.
pub(super) async fn retention(tenants: &Tenants, id: &TenantId, file: Option<&Path>) -> Result<String> {
    let before = find(tenants, id).await?;
    let Some(file) = file else {
        return Ok(serde_json::to_string_pretty(&before.retention)?);
    };
    let rules = read(file, before.retention.version)?;
    let version = rules.version;
    let tenant = Tenant { retention: rules, ..before.clone() };
    certain(tenants.add(&tenant, Some(&before)).await?)?;
    Ok(format!(
        "{id} has version {version} of its rules, for every document that comes in a minute or later; those that are there \
         keep to theirs"
    ))
}

/// Reads rules that are to follow those of version `before`.
fn read(file: &Path, before: u32) -> Result<RetentionRules> {
    let named = |error: String| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| named(error.to_string()))?;
    let rules: RetentionRules = serde_json::from_str(&text).map_err(|error| named(error.to_string()))?;
    rules.check().map_err(named)?;
    Ok(RetentionRules { version: before + 1, ..rules })
}
