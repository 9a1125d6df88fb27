//! Form B: the metadata came, the file follows. Opens an upload, or finds the one to go on with.

use jiff::Timestamp;

use super::{ATTEMPTS, UploadView, discard, link, retry, view, write};
use crate::{
    Error, Result, Stores,
    caller::Caller,
    document::{Act, Change, Content, Document, DocumentId, Offer, UPLOAD_LIFETIME, Upload, UploadState, Version},
    identity::Request,
    metadata::OfferedFile,
    name::IdempotencyKey,
    parts::{DocumentSize, PartPlan},
    stores::Written,
};

/// Documents that one message names one after the other, where nothing else names them. One more is refused: a repeat of
/// it could not be told from the next.
const GENERATIONS: u32 = 16;

/// What became of an offered file.
#[derive(Debug)]
pub enum Started {
    /// That very content is stored already: there is nothing to send.
    Stored(DocumentId),
    /// Nor is there for this one, which has yet to be compared with what was declared.
    Verifying(DocumentId, Box<Content>),
    /// Its parts are awaited.
    Uploading(DocumentId, UploadView),
}

/// Opens an upload for the offered file: one call to S3, then one conditional write that makes it the
/// document's. An upload that was opened in vain is aborted again.
pub async fn start(
    stores: &Stores,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    offered: OfferedFile,
    now: Timestamp,
) -> Result<Started> {
    caller.check_size(offered.size.bytes())?;
    caller.scopes.require(offered.metadata.class())?;
    let request = Request { caller, metadata: &offered.metadata, idempotency_key: key };
    for generation in 0..GENERATIONS {
        let document = Document::empty(caller, request.document_of_offer(generation));
        // Of the first one most often nothing is there yet: that is not read, but found when it is written.
        if generation > 0 {
            let there = stores.documents.load(&document.key()).await?;
            if there.is_some_and(|there| there.is_taken(now)) {
                continue;
            }
        }
        if let Some(started) = start_as(stores, document, &request, offered.size, now).await? {
            return Ok(started);
        }
    }
    Err(Error::Nameless)
}

/// Offers the file to this document; `None` where the message means another one by now.
async fn start_as(
    stores: &Stores,
    document: Document,
    request: &Request<'_>,
    size: DocumentSize,
    now: Timestamp,
) -> Result<Option<Started>> {
    let Request { caller, metadata, .. } = *request;
    let version = Version::of_upload();
    let object = document.object_key(&version);
    let upload_id = stores.files.open_upload(&object, &metadata.media_type, metadata.okd.document_checksum).await?;
    let fresh = Upload {
        version,
        upload_id,
        plan: PartPlan::from(size),
        checksum: metadata.okd.document_checksum,
        expires_at: now + UPLOAD_LIFETIME,
        counter: Some(document.id.queue(caller.limits.counters())),
        state: UploadState::Uploading,
        metadata: metadata.clone(),
    };
    let decided = decide(stores, document.clone(), &fresh, request, &caller.acts(now)).await;
    // After a failure the item may point to it all the same: the lifecycle rule ends it, if it does not.
    if !matches!(decided, Ok(Decision::Begun) | Err(Error::Unavailable { .. })) {
        discard(stores, &document, &fresh).await;
    }
    Ok(match decided? {
        Decision::Stored(content) if caller.takes_for_stored(&content) => Some(Started::Stored(document.id)),
        Decision::Stored(content) => Some(Started::Verifying(document.id, content)),
        Decision::Resumed(view) => Some(Started::Uploading(document.id, view)),
        Decision::Begun => {
            let parts = fresh.plan.parts().collect();
            let view = link(stores, &object, &fresh, parts, &caller.limits, now).await?;
            Some(Started::Uploading(document.id, view))
        }
        Decision::Taken => None,
    })
}

enum Decision {
    Stored(Box<Content>),
    Resumed(UploadView),
    Begun,
    Taken,
}

/// Offers the file to the document as it turns out to be, and writes what follows.
async fn decide(
    stores: &Stores,
    mut document: Document,
    fresh: &Upload,
    request: &Request<'_>,
    act: &Act,
) -> Result<Decision> {
    let caller = request.caller;
    let (mut full, counters) = (0, caller.limits.counters());
    for attempt in 0..ATTEMPTS + usize::from(counters) {
        document.check_repeat(request.name(), &fresh.metadata, None)?;
        // What it was may be of a type that this token is not for.
        document.require(&caller.scopes)?;
        let offer = document.offer(counted(&document, fresh, full, counters), request.name(), act);
        let (change, decision) = match offer {
            Offer::Stored(content, change) => (change, Decision::Stored(content)),
            Offer::Taken => return Ok(Decision::Taken),
            Offer::Begin(change) => {
                let within = Some(caller.limits);
                (Some(Change { within, ..change }), Decision::Begun)
            }
            Offer::Resume(upload, change) => {
                let Some(view) = view(stores, &document, &upload, &caller.limits, act.at).await? else {
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
        document.check_contents()?;
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
    let before = document.counter().filter(|&counter| full == 0 && counter < counters);
    let own = fresh.counter.map(|counter| (counter + full) % counters);
    Upload { counter: before.or(own), ..fresh.clone() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        document::Version,
        metadata::{Metadata, SentFile, Subject, SubjectKind},
        parts::DocumentSize,
    };

    fn upload(counter: u8) -> Upload {
        let subject = Subject { kind: SubjectKind::Association, id: Uuid::nil() };
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
            metadata: Metadata::parse(subject, metadata.as_bytes(), SentFile::default()).unwrap(),
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
