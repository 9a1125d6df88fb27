//! Form B: the metadata came, the file follows. Opens an upload, or finds the one to go on with.

use jiff::Timestamp;

use super::{ATTEMPTS, UploadView, discard, link, retry, view, write};
use crate::{
    Error, Result, Stores,
    caller::{Caller, SenderKey},
    document::{
        Act, Change, Document, DocumentId, Offer, UPLOAD_LIFETIME, Upload, UploadState, Version,
    },
    metadata::OfferedFile,
    parts::PartPlan,
    stores::Written,
};

/// What became of an offered file.
#[derive(Debug)]
pub enum Started {
    /// That very content is stored already: there is nothing to send.
    Stored(DocumentId),
    /// Its parts are awaited.
    Uploading(DocumentId, UploadView),
}

/// Opens an upload for the offered file: one call to S3, then one conditional write that makes it the
/// document's. An upload that was opened in vain is aborted again.
pub async fn start(
    stores: &Stores,
    caller: &Caller,
    key: &SenderKey,
    offered: OfferedFile,
    now: Timestamp,
) -> Result<Started> {
    caller.check_size(offered.size.bytes())?;
    caller.scopes.require(offered.metadata.okd.document_type)?;
    let document = Document::empty(caller, caller.document_id(offered.metadata.subject, key));
    let version = Version::of_upload();
    let upload_id = stores
        .files
        .open_upload(&document.object_key(&version))
        .await?;
    let fresh = Upload {
        version,
        upload_id,
        plan: PartPlan::from(offered.size),
        checksum: offered.metadata.okd.document_checksum,
        expires_at: now + UPLOAD_LIFETIME,
        counter: Some(document.id.queue(caller.limits.counters())),
        state: UploadState::Uploading,
        metadata: offered.metadata,
    };
    let decided = decide(stores, document.clone(), &fresh, caller, &caller.acts(now)).await;
    // After a failure the item may point to it all the same: the lifecycle rule ends it, if it does not.
    if !matches!(
        decided,
        Ok(Decision::Begun) | Err(Error::Unavailable { .. })
    ) {
        discard(stores, &document, &fresh).await;
    }
    match decided? {
        Decision::Stored => Ok(Started::Stored(document.id)),
        Decision::Resumed(view) => Ok(Started::Uploading(document.id, view)),
        Decision::Begun => {
            let parts = fresh.plan.parts().collect();
            let key = document.object_key(&fresh.version);
            Ok(Started::Uploading(
                document.id,
                link(stores, &key, &fresh, parts, &caller.limits, now).await?,
            ))
        }
    }
}

enum Decision {
    Stored,
    Resumed(UploadView),
    Begun,
}

/// Offers the file to the document as it turns out to be, and writes what follows.
async fn decide(
    stores: &Stores,
    mut document: Document,
    fresh: &Upload,
    caller: &Caller,
    act: &Act,
) -> Result<Decision> {
    let (mut full, counters) = (0, caller.limits.counters());
    for attempt in 0..ATTEMPTS + usize::from(counters) {
        // What it was may be of a type that this token is not for.
        document.require(&caller.scopes)?;
        let (change, decision) = match document
            .offer(counted(&document, fresh, full, counters), act)
        {
            Offer::Stored(change) => (change, Decision::Stored),
            Offer::Begin(change) => {
                let within = Some(caller.limits);
                (Some(Change { within, ..change }), Decision::Begun)
            }
            Offer::Resume(upload, change) => {
                let Some(view) = view(stores, &document, &upload, &caller.limits, act.at).await?
                else {
                    // S3 has forgotten it: note that, then decide again.
                    let ended = document.end_upload(&upload, UploadState::Aborted, act);
                    document = match write(stores, &ended, act.at).await? {
                        Written::Done => ended.next,
                        Written::Lost(current) => *current,
                    };
                    continue;
                };
                (change, Decision::Resumed(view))
            }
        };
        let Some(change) = change else {
            return Ok(decision);
        };
        match write(stores, &change, act.at).await {
            Ok(Written::Done) => return Ok(decision),
            Ok(Written::Lost(current)) => document = retry(stores, current, attempt).await?,
            // Another of the tenant's counters may have room.
            Err(Error::TooManyUploads) if full < counters => full += 1,
            Err(error) => return Err(error),
        }
    }
    Err(Error::Contended)
}

/// The upload as one of the tenant's counters is to count it, when `full` of them had no room: first the one of the
/// upload whose place it takes, then all of them by turns.
fn counted(document: &Document, fresh: &Upload, full: u8, counters: u8) -> Upload {
    let before = document
        .counter()
        .filter(|&counter| full == 0 && counter < counters);
    let own = fresh.counter.map(|counter| (counter + full) % counters);
    Upload {
        counter: before.or(own),
        ..fresh.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::Version,
        metadata::{Metadata, Subject, SubjectKind},
        parts::DocumentSize,
    };
    use uuid::Uuid;

    fn upload(counter: u8) -> Upload {
        let subject = Subject {
            kind: SubjectKind::Association,
            id: Uuid::nil(),
        };
        let metadata = format!(
            r#"{{"associationId": "{}", "associationType": "programOfferingAssociation", "consumers":
                [{{"consumerKey": "nl-okd", "documentType": "bpv", "documentName": "a"}}]}}"#,
            subject.id
        );
        Upload {
            version: Version::of_upload(),
            upload_id: "upload".to_owned(),
            plan: PartPlan::from(DocumentSize::try_from(1).unwrap()),
            checksum: None,
            expires_at: Timestamp::UNIX_EPOCH,
            counter: Some(counter),
            state: UploadState::Uploading,
            metadata: Metadata::parse(subject, metadata.as_bytes()).unwrap(),
        }
    }

    /// The counters that are tried, one after the other, until all are full.
    fn tried(before: Option<u8>, own: u8, counters: u8) -> Vec<u8> {
        let document = Document {
            tenant: "school".to_owned().try_into().unwrap(),
            id: DocumentId::from(Uuid::nil()),
            client: "sis".to_owned(),
            revision: 1,
            contents: 0,
            history: Vec::new(),
            content: None,
            upload: before.map(upload),
        };
        let counter = |full| counted(&document, &upload(own), full, counters).counter;
        (0..=counters).filter_map(counter).collect()
    }

    #[test]
    fn every_counter_is_tried_and_the_predecessors_first_if_it_still_is_one() {
        assert_eq!(tried(None, 2, 4), [2, 3, 0, 1, 2]);
        assert_eq!(tried(Some(1), 2, 4), [1, 3, 0, 1, 2]);
        // The limit was lowered since: the predecessor's counter is none of those that share it.
        assert_eq!(tried(Some(3), 0, 1), [0, 0]);
    }
}
