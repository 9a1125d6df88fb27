//! Form A: the file came with its metadata, in one request. A file that [replaces](fn@super::replace) a document's comes so too.

use bytes::Bytes;
use jiff::Timestamp;

use super::{cleanup::left_to_the_sweep, commit::Commit, fate::points_to};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    checksum::Checksum,
    document::{Content, Document, FoundBy, Orphan},
    identity::Request,
    ids::{ContentId, DocumentId},
    metadata::Metadata,
    name::IdempotencyKey,
    stores::{File, Put},
};

/// Stores the file and answers when it is safe. The same file again, under the same key, is a no-op: its
/// object is named by its bytes, and its item says so already. Two calls to AWS; with an `Idempotency-Key` three.
pub async fn store_inline(
    stores: &Stores,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    metadata: Metadata,
    bytes: Bytes,
    now: Timestamp,
) -> Result<DocumentId> {
    caller.check_size(bytes.len() as u64)?;
    caller.scopes.require(metadata.class())?;
    let sha256 = Checksum::sha256(&bytes);
    let content = Content::of_bytes(&bytes, sha256, caller.retention.apply(metadata), stores.screening(), now);
    check_declared(&content)?;

    let metadata = &content.metadata;
    let request = Request { caller, metadata, idempotency_key: key };
    let id = request.document_of_file(&sha256);
    let mut document = Document::empty(caller.key(id), caller.client.clone());
    let repeats = |document: &Document| document.check_repeat(request.name(), metadata, Some(&content));
    if key.is_some() {
        // A key that was used for something else is refused before any bytes are stored.
        document = reload(stores, document).await?;
        if repeats(&document)? {
            return Ok(id);
        }
    }
    let file = File { bytes, sha256, media_type: metadata.media_type.clone() };
    let decide = |document: &Document| Ok((!repeats(document)?).then(|| content.clone()));
    make_current(stores, caller, document, &file, now, decide).await?;
    Ok(id)
}

/// Stores a file and makes it the content of the document that `decide` says, given the document as it is; `None` where it
/// is to stay so.
pub(super) async fn make_current(
    stores: &Stores,
    caller: &Caller,
    mut document: Document,
    file: &File,
    now: Timestamp,
    decide: impl Fn(&Document) -> Result<Option<Content>>,
) -> Result<()> {
    let content_id = ContentId::of_bytes(&file.sha256);
    let object = document.object_key(&content_id);
    let stamp = caller.stamp(now);
    let mut put = stores.files.put(&object, file).await?;
    if put == Put::There {
        // A repeat, most often. But it may be what a request left that died here, and the sweep be about to
        // remove it: where no item points to it, it is stored again as a version of our own.
        document = reload(stores, document).await?;
        let Some(content) = decide(&document)? else {
            return Ok(());
        };
        let is_needed = document.needs_the_object_of(&content);
        if is_needed && (!points_to(stores, &document, &content_id).await? || is_retyped(&document, &content)) {
            put = stores.files.put_again(&object, file).await?;
        }
    }
    let mut commit = Commit::of(stores, document, now);
    loop {
        let document = commit.document();
        let Some(content) = decide(document)? else {
            return Ok(());
        };
        // The document may be of a class that this token has no scope for.
        caller.require(document)?;
        if !document.needs_the_object_of(&content) {
            let put = std::mem::replace(&mut put, Put::There);
            note_orphan_of(stores, document, &content, put, now).await;
        }
        let Some(change) = document.receive(content, &stamp) else {
            return Ok(());
        };
        document.check_contents()?;
        if commit.write(change).await? {
            return Ok(());
        }
    }
}

/// Notes the object of bytes that the document has in another one, so that it is removed. Where that fails, what S3
/// tells of the object does it.
async fn note_orphan_of(stores: &Stores, document: &Document, content: &Content, put: Put, now: Timestamp) {
    let Put::Stored(Some(s3_version)) = put else {
        return;
    };
    let orphan = Orphan::of_object(content.content_id.clone(), s3_version, FoundBy::Event, now);
    let noted = stores.documents.note_orphan(&document.key(), &orphan).await;
    left_to_the_sweep(noted);
}

/// Returns whether the content may come with another media type than its object has in S3. That is known to be the same
/// only where it is the current content's, and no later `format` has changed that.
fn is_retyped(document: &Document, content: &Content) -> bool {
    let current = document.content.as_ref();
    current.filter(|current| current.content_id == content.content_id).is_none_or(|current| {
        let metadata = content.metadata.clone();
        let metadata = metadata.with_the_same_file(&current.metadata);
        current.metadata.okd.format.is_some() || current.metadata.media_type != metadata.media_type
    })
}

/// Reads a document as it is now; `document` itself where it is not written yet.
async fn reload(stores: &Stores, document: Document) -> Result<Document> {
    let there = stores.documents.load(&document.key()).await?;
    Ok(there.unwrap_or(document))
}

/// Refuses bytes that are not the ones that their sender describes.
fn check_declared(content: &Content) -> Result<()> {
    let okd = &content.metadata.okd;
    if let Some(declared) = okd.document_size.map(u64::from)
        && declared != content.size
    {
        return Err(Error::SizeMismatch { declared, received: content.size });
    }
    let Some(declared) = okd.document_checksum else {
        return Ok(());
    };
    let computed = content.checksums.iter().find(|computed| computed.algorithm() == declared.algorithm());
    match computed {
        Some(&computed) if computed != declared => Err(Error::ChecksumMismatch { declared, computed }),
        _ => Ok(()),
    }
}
