//! The bytes of a stored document are replaced (flow y). What its sender said of the document stays.

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    begin_upload::{Begun, Proposal, begin_as},
    load::load,
    read::{NotStored, Readable, find_newest},
    store_inline::make_current,
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    checksum::Checksum,
    document::{Content, Document},
    ids::DocumentId,
    metadata::{MediaType, OfferedFile, Replacement},
    name::Name,
    stores::File,
};

/// The outcome of a request to replace a document's bytes.
#[derive(Debug)]
pub enum Replaced<T> {
    /// It was done.
    Done(T),
    /// There are no bytes to replace, or not yet.
    NotStored(NotStored),
}

/// Makes the bytes the document's, of this type if it says something. The same bytes again are no new content. Three calls.
pub async fn replace(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    media_type: Option<MediaType>,
    bytes: Bytes,
    now: Timestamp,
) -> Result<Replaced<()>> {
    caller.check_size(bytes.len() as u64)?;
    let document = match to_replace(stores, caller, id).await? {
        Replaced::Done(document) => document,
        Replaced::NotStored(not_stored) => return Ok(Replaced::NotStored(not_stored)),
    };
    let metadata = current(&document)?.metadata.clone().of_other_bytes(media_type.clone());
    let sha256 = Checksum::sha256(&bytes);
    let content = Content::of_bytes(&bytes, sha256, metadata.clone(), stores.screening(), now);
    let file = File { bytes, sha256, media_type: metadata.media_type };
    let decide = |document: &Document| {
        let metadata = current(document)?.metadata.clone().of_other_bytes(media_type.clone());
        Ok(Some(Content { metadata, ..content.clone() }))
    };
    make_current(stores, caller, document, &file, now, decide).await?;
    Ok(Replaced::Done(()))
}

/// Opens an upload for bytes that are to replace the document's, or finds the one to go on with.
pub async fn replace_by_parts(
    stores: &Stores,
    caller: &Caller,
    id: DocumentId,
    replacement: Replacement,
    now: Timestamp,
) -> Result<Replaced<Begun>> {
    caller.check_size(replacement.size.bytes())?;
    let document = match to_replace(stores, caller, id).await? {
        Replaced::Done(document) => document,
        Replaced::NotStored(not_stored) => return Ok(Replaced::NotStored(not_stored)),
    };
    let mut metadata = current(&document)?.metadata.clone().of_other_bytes(replacement.media_type);
    metadata.okd.document_size = Some(replacement.size);
    metadata.okd.document_checksum = replacement.checksum;
    let offered = OfferedFile { metadata, size: replacement.size };
    let name = id.to_string();
    let proposal = Proposal { offered: &offered, name: Name::DocumentId(&name), replaces: true };
    let begun = begin_as(stores, caller, document, proposal, now).await?;
    // Only a message that is a document's one name can mean another document.
    begun.map(Replaced::Done).ok_or(Error::Contended)
}

/// Finds the document whose bytes are to be replaced. They may be, while a scanner keeps them from their readers.
async fn to_replace(stores: &Stores, caller: &Caller, id: DocumentId) -> Result<Replaced<Document>> {
    let document = load(stores, caller, id).await?;
    if document.content.as_ref().is_some_and(|current| caller.takes_for_stored(current)) {
        return Ok(Replaced::Done(document));
    }
    Ok(match find_newest(stores, caller, document).await? {
        Readable::Content(document, _) => Replaced::Done(*document),
        Readable::NotStored(not_stored) => Replaced::NotStored(not_stored),
    })
}

/// The current content, to be replaced, of a document that had one when it was found.
fn current(document: &Document) -> Result<&Content> {
    document.check_replaceable()?;
    document.content.as_ref().ok_or(Error::Contended)
}
