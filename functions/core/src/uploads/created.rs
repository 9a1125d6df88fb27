//! S3 says that there is a new object. Mostly its item says so already; where the request that made the object
//! died before it could write that down, this does, or sees to it that the object does not stay.

use jiff::Timestamp;

use super::{
    finish::{Finished, finish},
    points_to,
    verify::{Verified, verify},
};
use crate::{
    Result, Stores,
    document::{Act, Document, Leftover, Remains, UploadAt, UploadState, Version},
    tenant::DocumentKey,
};

/// What was done about a new object.
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
    /// It is not one of ours.
    Foreign,
}

/// Looks at the object of this key, and of S3's `s3_version` of it. Events come late, twice and in any order:
/// what counts is what the item says now.
pub async fn created(
    stores: &Stores,
    object_key: &str,
    s3_version: &str,
    now: Timestamp,
) -> Result<Created> {
    let Some((key, version)) = DocumentKey::of_object(object_key) else {
        return Ok(Created::Foreign);
    };
    let Some(document) = stores.documents.load(&key).await? else {
        return note_stray(stores, &key, version, s3_version, now).await;
    };
    match document.upload_at(Some(&version)) {
        UploadAt::Here(upload) if upload.state == UploadState::Uploading => {
            match finish(stores, &document, upload, &Act::of_the_service(now)).await? {
                Finished::Stored => {}
                // Whatever else it was, its item says so.
                _ => return Ok(Created::Known),
            }
            let now_stored = stores.documents.load(&key).await?.unwrap_or(document);
            match verify_new(stores, now_stored, &version, now).await? {
                Created::Known => Ok(Created::Finished),
                verified => Ok(verified),
            }
        }
        UploadAt::Stored(_) => verify_new(stores, document, &version, now).await,
        // Ended, and so listed as a leftover.
        UploadAt::Here(_) => Ok(Created::Known),
        UploadAt::Elsewhere if points_to(stores, &document, &version).await? => Ok(Created::Known),
        UploadAt::Elsewhere => note_stray(stores, &key, version, s3_version, now).await,
    }
}

async fn verify_new(
    stores: &Stores,
    document: Document,
    version: &Version,
    now: Timestamp,
) -> Result<Created> {
    Ok(match verify(stores, document, version, now).await? {
        Verified::Nothing => Created::Known,
        verified => Created::Verified(verified),
    })
}

async fn note_stray(
    stores: &Stores,
    key: &DocumentKey,
    version: Version,
    s3_version: &str,
    now: Timestamp,
) -> Result<Created> {
    let stray = Leftover {
        version,
        remains: Remains::Object(s3_version.to_owned()),
        noted_at: now,
    };
    stores.documents.note_leftover(key, &stray).await?;
    Ok(Created::Stray)
}
