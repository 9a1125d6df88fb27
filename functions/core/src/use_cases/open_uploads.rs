//! The open uploads of a tenant, for its operator: listed, and ended where the operator wants that.

use jiff::Timestamp;

use super::commit::Commit;
use crate::{
    Result, Stores,
    document::{Document, EndReason, UploadAt},
    ids::TenantId,
    stamp::Stamp,
};

/// Lists the documents of a tenant (and of one of its clients, where one is given) that have an upload open.
pub async fn open_uploads(stores: &Stores, tenant: &TenantId, client: Option<&str>) -> Result<Vec<Document>> {
    let mut documents = stores.documents.pending(tenant).await?;
    documents.retain(|document| {
        matches!(document.upload_at(None), UploadAt::Pending(_))
            && client.is_none_or(|client| document.client == client)
    });
    Ok(documents)
}

/// Ends the upload of a document, of any client. What was stored before it stays.
pub async fn end_upload(stores: &Stores, document: Document, now: Timestamp) -> Result<()> {
    let stamp = Stamp::of_the_service(now);
    let mut commit = Commit::of(stores, document, now);
    while let UploadAt::Pending(upload) = commit.document().upload_at(None) {
        let change = commit.document().end_upload(upload, EndReason::Aborted, &stamp);
        if commit.write(change).await? {
            break;
        }
    }
    Ok(())
}
