//! What a tenant has open, for its operator: listed, and ended where the operator wants that.

use jiff::Timestamp;

use super::{ATTEMPTS, retry, write};
use crate::{
    Error, Result, Stores,
    document::{Act, Document, UploadAt, UploadState},
    stores::Written,
    tenant::TenantId,
};

/// Lists the documents of a tenant (and of one of its clients, where one is given) that have an upload open.
pub async fn open(stores: &Stores, tenant: &TenantId, client: Option<&str>) -> Result<Vec<Document>> {
    let mut documents = stores.documents.pending(tenant).await?;
    documents.retain(|document| {
        matches!(document.upload_at(None), UploadAt::Pending(_))
            && client.is_none_or(|client| document.client == client)
    });
    Ok(documents)
}

/// Ends the upload of a document, whosever it is. What was stored before it stays.
pub async fn end(stores: &Stores, mut document: Document, now: Timestamp) -> Result<()> {
    let act = Act::of_the_service(now);
    for attempt in 0..ATTEMPTS {
        let UploadAt::Pending(upload) = document.upload_at(None) else {
            return Ok(());
        };
        let change = document.end_upload(upload, UploadState::Aborted, &act);
        match write(stores, &change, now).await? {
            Written::Done => return Ok(()),
            Written::Lost(current) => document = retry(stores, current, attempt).await?,
        }
    }
    Err(Error::Contended)
}
