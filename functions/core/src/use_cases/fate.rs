//! The fate of an upload, found on the document's item or in its history.

use crate::{
    Result, Stores,
    document::{Action, Content, Document, EndReason, Upload, UploadAt, last_action},
    ids::ContentId,
};

/// The fate of an upload.
#[derive(Debug)]
pub(super) enum Fate<'a> {
    /// S3 may hold parts of it, be it past its time.
    Pending(&'a Upload),
    /// It is a content of the document, the current one or one that was replaced since.
    Content(Box<Content>),
    /// It ended without a content.
    Ended(EndReason),
    /// The document never had it, or it ended too long ago for its end to be found.
    Unknown,
}

/// Finds out about the upload that `named` names, or about the last one. At most three reads, however long the history
/// is.
pub(super) async fn fate<'a>(stores: &Stores, document: &'a Document, named: Option<&ContentId>) -> Result<Fate<'a>> {
    match document.upload_at(named) {
        UploadAt::Pending(upload) => return Ok(Fate::Pending(upload)),
        UploadAt::Ended(_, reason) => return Ok(Fate::Ended(reason)),
        UploadAt::Current(content) => return Ok(Fate::Content(Box::new(content.clone()))),
        UploadAt::Elsewhere if document.revision == 0 => return Ok(Fate::Unknown),
        UploadAt::Elsewhere => {}
    }
    let key = document.key();
    let Some(content_id) = named else {
        let past = stores.documents.newest_past(&key).await?;
        return Ok(past.map_or(Fate::Unknown, |content| Fate::Content(Box::new(content))));
    };
    let mut last = last_action(&document.history, content_id);
    if !matches!(last, Some(Action::UploadEnded(_)))
        && let Some(content) = stores.documents.past(&key, content_id).await?
    {
        return Ok(Fate::Content(Box::new(content)));
    }
    if last.is_none() {
        last = last_action(&stores.documents.newest_history(&key).await?, content_id);
    }
    Ok(match last {
        Some(Action::UploadEnded(state)) => Fate::Ended(state),
        // Begun, and neither ended nor completed: another PUT took its place.
        Some(_) => Fate::Ended(EndReason::Superseded),
        None => Fate::Unknown,
    })
}

/// Returns whether a content of the document, or an upload that may become one, has this id.
pub(super) async fn points_to(stores: &Stores, document: &Document, content_id: &ContentId) -> Result<bool> {
    let fate = fate(stores, document, Some(content_id)).await?;
    Ok(matches!(fate, Fate::Pending(_) | Fate::Content(_)))
}
