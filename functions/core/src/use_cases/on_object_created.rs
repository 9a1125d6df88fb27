//! S3 says that there is a new object. Mostly its item says so already; where the request that made the object
//! died before it could write that down, this does, or sees to it that the object does not stay.

use jiff::Timestamp;

use super::{
    fate::points_to,
    finish::{Finished, finish},
    verify::{Verified, verify},
};
use crate::{
    Result, Stores,
    document::{Document, FoundBy, Orphan, UploadAt},
    ids::{ContentId, DocumentKey},
    stamp::Stamp,
    stores::Tenants,
};

/// The outcome for a new object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// Its item pointed to it, and there was nothing to verify.
    Known,
    /// It was verified, and holds or does not.
    Verified(Verified),
    /// Its upload was pending, and is stored now.
    Finished,
    /// Nothing points to it yet: noted, to be removed if that stays so.
    Stray,
    /// Nothing points to it yet, and without S3's id of its version it can never be removed.
    Unversioned,
    /// It is not one of ours.
    Foreign,
}

/// Looks at the object that an event names. Events come late, twice and in any order: what counts is what the item says
/// now.
pub async fn on_object_created(
    stores: &Stores,
    tenants: &Tenants,
    object_key: &str,
    s3_version: Option<&str>,
    now: Timestamp,
) -> Result<Created> {
    look_at(stores, tenants, object_key, s3_version, FoundBy::Event, now).await
}

/// Looks at the object of this key. Only removing it takes S3's id of its version.
pub(super) async fn look_at(
    stores: &Stores,
    tenants: &Tenants,
    object_key: &str,
    s3_version: Option<&str>,
    found_by: FoundBy,
    now: Timestamp,
) -> Result<Created> {
    let Some((key, content_id)) = DocumentKey::of_object(object_key) else {
        return Ok(Created::Foreign);
    };
    let Some(document) = stores.documents.load(&key).await? else {
        return note_stray(stores, &key, content_id, s3_version, found_by, now).await;
    };
    match document.upload_at(Some(&content_id)) {
        // The sweep ends it.
        UploadAt::Pending(_) if !tenants.has(&key.tenant).await? => Ok(Created::Known),
        UploadAt::Pending(upload) => {
            match finish(stores, &document, upload, &Stamp::of_the_service(now)).await? {
                Finished::Content(_) => {}
                // In every other case its item says what it is.
                _ => return Ok(Created::Known),
            }
            let now_stored = stores.documents.load(&key).await?.unwrap_or(document);
            match verify_new(stores, now_stored, &content_id, now).await? {
                Created::Known => Ok(Created::Finished),
                verified => Ok(verified),
            }
        }
        UploadAt::Current(_) => verify_new(stores, document, &content_id, now).await,
        // Ended, and so listed as an orphan.
        UploadAt::Ended(..) => Ok(Created::Known),
        UploadAt::Elsewhere if points_to(stores, &document, &content_id).await? => Ok(Created::Known),
        UploadAt::Elsewhere => note_stray(stores, &key, content_id, s3_version, found_by, now).await,
    }
}

async fn verify_new(stores: &Stores, document: Document, content_id: &ContentId, now: Timestamp) -> Result<Created> {
    Ok(match verify(stores, document, content_id, now).await? {
        Verified::Nothing => Created::Known,
        verified => Created::Verified(verified),
    })
}

async fn note_stray(
    stores: &Stores,
    key: &DocumentKey,
    content_id: ContentId,
    s3_version: Option<&str>,
    found_by: FoundBy,
    now: Timestamp,
) -> Result<Created> {
    let Some(s3_version) = s3_version else {
        return Ok(Created::Unversioned);
    };
    let stray = Orphan::of_object(content_id, s3_version.to_owned(), found_by, now);
    stores.documents.note_orphan(key, &stray).await?;
    Ok(Created::Stray)
}
