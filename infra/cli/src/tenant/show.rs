//! `tenant list`, `show` and `uploads`: what is printed of tenants.

use okd_core::{document::Document, stores::Documents, tenant::Tenant};

use crate::Result;

pub(super) fn list_uploads(open: &[Document]) -> String {
    if open.is_empty() {
        return "no upload is open".to_owned();
    }
    let line = |document: &Document| {
        let upload = document.upload.as_ref()?;
        let (id, client) = (document.id, &document.client);
        let (bytes, ends) = (upload.plan.size.bytes(), upload.expires_at);
        Some(format!("{id}  {client}  {bytes} bytes  until {ends}"))
    };
    let lines: Vec<String> = open.iter().filter_map(line).collect();
    lines.join("\n")
}

pub(super) fn list(tenants: Vec<Tenant>) -> String {
    if tenants.is_empty() {
        return "there is no tenant yet; `tenant add` adds one".to_owned();
    }
    let line = |tenant: Tenant| {
        let audiences = tenant.audiences.join(" ");
        format!("{}  {}  {audiences}", tenant.tenant, tenant.issuer)
    };
    tenants.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(super) async fn show(tenant: &Tenant, documents: Option<&Documents>) -> Result<String> {
    let mut shown = serde_json::to_value(tenant)?;
    if let Some(documents) = documents {
        let usage = documents.usage(&tenant.tenant).await?;
        shown["usage"] = serde_json::json!({
            "openUploads": usage.uploads,
            "bytesInFlight": usage.bytes,
        });
    }
    Ok(serde_json::to_string_pretty(&shown)?)
}
