//! Form A: the file came with its metadata, in one request.

use bytes::Bytes;
use jiff::Timestamp;

use super::{ATTEMPTS, points_to, retry, write};
use crate::{
    Error, Result, Stores,
    caller::{Caller, SenderKey},
    checksum::Checksum,
    document::{Content, Document, DocumentId, Verification, Version},
    metadata::Metadata,
    stores::Written,
};

/// Stores the file and answers when it is safe. The same file again, under the same key, is a no-op: its
/// object is named by its bytes, and its item says so already.
pub async fn receive(
    stores: &Stores,
    caller: &Caller,
    key: &SenderKey,
    metadata: Metadata,
    bytes: Bytes,
    now: Timestamp,
) -> Result<DocumentId> {
    caller.check_size(bytes.len() as u64)?;
    caller.scopes.require(metadata.okd.document_type)?;
    let sha256 = Checksum::sha256(&bytes);
    let content = Content {
        sequence: 0,
        version: Version::of_bytes(&sha256),
        size: bytes.len() as u64,
        checksums: vec![sha256, Checksum::crc64nvme(&bytes)],
        verification: Verification::Done,
        stored_at: now,
        metadata,
    };
    check_declared(&content)?;

    let id = caller.document_id(content.metadata.subject, key);
    let mut document = Document::empty(caller, id);
    let object = document.object_key(&content.version);
    if !stores.files.put(&object, bytes.clone(), &sha256).await? {
        // A repeat, most often. But it may be what a request left that died here, and the sweep be about to
        // remove it: where no item points to it, it is stored again as a version of our own.
        document = stores
            .documents
            .load(&document.key())
            .await?
            .unwrap_or(document);
        if !points_to(stores, &document, &content.version).await? {
            stores.files.put_again(&object, bytes, &sha256).await?;
        }
    }
    let act = caller.acts(now);
    for attempt in 0..ATTEMPTS {
        // What it was may be of a type that this token is not for.
        document.require(&caller.scopes)?;
        let Some(change) = document.receive(content.clone(), &act) else {
            return Ok(id);
        };
        match write(stores, &change, now).await? {
            Written::Done => return Ok(id),
            Written::Lost(current) => document = retry(stores, current, attempt).await?,
        }
    }
    Err(Error::Contended)
}

/// Refuses bytes that are not the ones that their sender describes.
fn check_declared(content: &Content) -> Result<()> {
    let okd = &content.metadata.okd;
    if let Some(declared) = okd.document_size.map(u64::from)
        && declared != content.size
    {
        return Err(Error::SizeMismatch {
            declared,
            received: content.size,
        });
    }
    let Some(declared) = okd.document_checksum else {
        return Ok(());
    };
    let computed = content
        .checksums
        .iter()
        .find(|computed| computed.algorithm() == declared.algorithm());
    match computed {
        Some(&computed) if computed != declared => {
            Err(Error::ChecksumMismatch { declared, computed })
        }
        _ => Ok(()),
    }
}
