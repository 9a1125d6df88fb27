//! A scanner has judged a content: it is released to its readers, or kept from them for good. Its event brings the verdict;
//! where that was lost, the sweep reads it from the object's tags.

use jiff::Timestamp;

use super::finding::write_finding;
use crate::{
    Result, Stores,
    document::{Content, Document, Screening, Verdict},
    ids::{ContentId, DocumentKey},
    stamp::Stamp,
};

/// The outcome of a screening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screened {
    /// There is no malware in the content: readers may have it.
    Released,
    /// There is, or nobody can tell: the content is in the history, and what was current before it is so again.
    Quarantined,
    /// The verdict is no news, or nothing points to the content.
    Nothing,
}

/// Writes down the verdict on the object of this key. Events come late, twice and in any order: what counts is what the
/// item says now.
pub async fn on_verdict(stores: &Stores, object_key: &str, verdict: Verdict, now: Timestamp) -> Result<Screened> {
    let Some((key, content_id)) = DocumentKey::of_object(object_key) else {
        return Ok(Screened::Nothing);
    };
    let Some(document) = stores.documents.load(&key).await? else {
        return Ok(Screened::Nothing);
    };
    let screened = screen(stores, document, &content_id, verdict, now).await?;
    if screened != Screened::Nothing {
        return Ok(screened);
    }
    match stores.documents.past(&key, &content_id).await? {
        Some(content) => screen_past(stores, &key, content, verdict, now).await,
        None => Ok(Screened::Nothing),
    }
}

/// Writes down the verdict on the document's current content, if that is `content_id` and the verdict says something new.
pub(super) async fn screen(
    stores: &Stores,
    document: Document,
    content_id: &ContentId,
    verdict: Verdict,
    now: Timestamp,
) -> Result<Screened> {
    let key = document.key();
    let stamp = Stamp::of_the_service(now);
    let find = |document: &Document, previous| document.screened(content_id, verdict, previous, &stamp);
    let is_news = write_finding(stores, document, content_id, verdict != Verdict::Clean, now, find).await?;
    Ok(if is_news { found(&key, content_id, verdict) } else { Screened::Nothing })
}

/// Writes down the verdict on a content that was replaced before it came, if it says something new.
pub(super) async fn screen_past(
    stores: &Stores,
    key: &DocumentKey,
    content: Content,
    verdict: Verdict,
    now: Timestamp,
) -> Result<Screened> {
    if !content.awaits(verdict) {
        return Ok(Screened::Nothing);
    }
    let judged = Content { screening: Some(Screening::Judged(verdict)), screened_at: Some(now), ..content.clone() };
    let is_news = stores.documents.note_finding(key, &content, &judged).await?;
    Ok(if is_news { found(key, &content.content_id, verdict) } else { Screened::Nothing })
}

/// Says what was found, and logs a content that is kept from its readers.
fn found(key: &DocumentKey, content_id: &ContentId, verdict: Verdict) -> Screened {
    if verdict == Verdict::Clean {
        return Screened::Released;
    }
    tracing::error!(
        event = "document.quarantined",
        tenant = %key.tenant,
        document = %key.id,
        %content_id,
        ?verdict,
        "a scanner keeps a document from its readers"
    );
    Screened::Quarantined
}
