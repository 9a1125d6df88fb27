//! Reads a document for a caller.

use crate::{Error, Result, Stores, caller::Caller, document::Document, ids::DocumentId};

/// The document, if this caller may know of it.
pub(super) async fn load(stores: &Stores, caller: &Caller, id: DocumentId) -> Result<Document> {
    let client = Some(caller.client.as_str()).filter(|_| !caller.sees_all);
    let document = stores.documents.load_of(&caller.key(id), client).await?;
    let document = document.ok_or(Error::NotFound)?;
    caller.require(&document)?;
    Ok(document)
}
