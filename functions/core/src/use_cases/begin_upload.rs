//! Form B: the metadata came, the file follows. Opens an upload, or finds the one to go on with.

use jiff::Timestamp;

use super::{
    cleanup::discard,
    commit::Commit,
    view::{UploadView, link, view},
};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Content, Document, EndReason, Offer, UPLOAD_LIFETIME, Upload, UploadState},
    identity::Request,
    ids::{ContentId, DocumentId},
    metadata::OfferedFile,
    name::{IdempotencyKey, Name},
    parts::PartPlan,
};

/// Documents that one message names one after the other, where nothing else names them. One more is refused: a repeat
/// of it could not be told from the next.
const GENERATIONS: u32 = 16;

/// The outcome of an offer.
#[derive(Debug)]
pub enum Begun {
    /// That very content is stored already: there is nothing to send.
    Stored(DocumentId),
    /// That content is there and has yet to be compared with what was declared: there is nothing to send.
    Verifying(DocumentId, Box<Content>),
    /// Its parts are awaited.
    Uploading(DocumentId, UploadView),
}

/// Opens an upload for the offered file: one call to S3, then one conditional write that makes it the
/// document's. An upload that was opened in vain is aborted again.
pub async fn begin_upload(
    stores: &Stores,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    OfferedFile { metadata, size }: OfferedFile,
    now: Timestamp,
) -> Result<Begun> {
    let offered = OfferedFile { metadata: caller.retention.apply(metadata), size };
    caller.check_size(offered.size.bytes())?;
    caller.scopes.require(offered.metadata.class())?;
    let request = Request { caller, metadata: &offered.metadata, idempotency_key: key };
    let proposal = Proposal { offered: &offered, name: request.name(), replaces: false };
    for generation in 0..GENERATIONS {
        let id = request.document_of_offer(generation);
        let document = Document::empty(caller.key(id), caller.client.clone());
        // The first one is most often new: that is not read, but found when it is written.
        if generation > 0 {
            let there = stores.documents.load(&document.key()).await?;
            if there.is_some_and(|there| there.is_taken(now)) {
                continue;
            }
        }
        if let Some(begun) = begin_as(stores, caller, document, proposal, now).await? {
            return Ok(begun);
        }
    }
    Err(Error::Nameless)
}

/// A file that is offered to a document.
#[derive(Clone, Copy)]
pub(super) struct Proposal<'a> {
    /// What its sender says of it.
    pub(super) offered: &'a OfferedFile,
    /// The name by which its sender knows the document.
    pub(super) name: Name<'a>,
    /// True if it is to replace the bytes of a document that there is.
    pub(super) replaces: bool,
}

/// Offers the file to this document; `None` where the message means another one by now.
pub(super) async fn begin_as(
    stores: &Stores,
    caller: &Caller,
    document: Document,
    proposal: Proposal<'_>,
    now: Timestamp,
) -> Result<Option<Begun>> {
    let OfferedFile { metadata, size } = proposal.offered;
    let content_id = ContentId::of_upload();
    let object = document.object_key(&content_id);
    let upload_id = stores.files.open_upload(&object, &metadata.media_type, metadata.okd.document_checksum).await?;
    let fresh = Upload {
        content_id,
        upload_id,
        plan: PartPlan::from(*size),
        checksum: metadata.okd.document_checksum,
        expires_at: now + UPLOAD_LIFETIME,
        shard: None,
        state: UploadState::Uploading,
        metadata: metadata.clone(),
    };
    let offered = offer(stores, caller, document.clone(), &fresh, proposal, now).await;
    // After a failure the item may point to it all the same: the lifecycle rule ends it, if it does not.
    if !matches!(offered, Ok(Offered::New) | Err(Error::Unavailable { .. })) {
        discard(stores, &document, &fresh).await;
    }
    Ok(match offered? {
        Offered::Stored(content) if caller.takes_for_stored(&content) => Some(Begun::Stored(document.id)),
        Offered::Stored(content) => Some(Begun::Verifying(document.id, content)),
        Offered::Resumed(view) => Some(Begun::Uploading(document.id, view)),
        Offered::New => {
            let parts = fresh.plan.parts().collect();
            let view = link(stores, &object, &fresh, parts, &caller.limits, now).await?;
            Some(Begun::Uploading(document.id, view))
        }
        Offered::Taken => None,
    })
}

/// The document's decision on an offer.
enum Offered {
    /// That content is there.
    Stored(Box<Content>),
    /// An open upload of that content goes on.
    Resumed(UploadView),
    /// The fresh upload is the document's.
    New,
    /// The message means another document by now.
    Taken,
}

/// Offers the file to the document as it turns out to be, and writes what follows: within the first shard of the
/// tenant's quota that has room.
async fn offer(
    stores: &Stores,
    caller: &Caller,
    document: Document,
    fresh: &Upload,
    Proposal { name, replaces, .. }: Proposal<'_>,
    now: Timestamp,
) -> Result<Offered> {
    let quota = caller.limits.quota();
    let stamp = &caller.stamp(now);
    let own = document.id.queue(quota.shards());
    let mut commit = Commit::of(stores, document, now);
    loop {
        let document = commit.document();
        if replaces {
            document.check_replaceable()?;
        }
        document.check_repeat(name, &fresh.metadata, None)?;
        // The document may be of a class that this token has no scope for.
        caller.require(document)?;
        let shard = quota.shards_to_try(document.shard(), own).find(|&shard| !commit.is_full(shard));
        let fresh = Upload { shard, ..fresh.clone() };
        let (change, offered) = match document.offer(fresh, name, stamp) {
            Offer::Stored(content, change) => (change, Offered::Stored(content)),
            Offer::Taken => return Ok(Offered::Taken),
            Offer::Begin(_) if shard.is_none() => return Err(Error::TooManyUploads),
            Offer::Begin(change) => (Some(change), Offered::New),
            Offer::Resume(upload, change) => match view(stores, document, &upload, &caller.limits, now).await? {
                Some(view) => (change, Offered::Resumed(view)),
                None => {
                    // S3 has forgotten it: note that, then decide again.
                    let ended = document.end_upload(&upload, EndReason::Aborted, stamp);
                    commit.write(ended).await?;
                    continue;
                }
            },
        };
        let Some(change) = change else {
            return Ok(offered);
        };
        document.check_contents()?;
        if commit.write_within(change, Some(quota)).await? {
            return Ok(offered);
        }
    }
}
