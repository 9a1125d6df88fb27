//! What is found out about the current content after it was stored: by reading it back, or by a scanner.

use super::{Action, Change, Content, Document, Screening, Verdict, Verification};
use crate::{ids::ContentId, stamp::Stamp};

impl Document {
    /// The current content, read back, has the checksum that was declared. `None` where `content_id` is no
    /// longer current, or was verified before.
    pub fn verified(&self, content_id: &ContentId, stamp: &Stamp) -> Option<Change> {
        self.unverified(content_id)?;
        Some(self.change(Action::Verified, content_id.clone(), stamp, |next, at| {
            if let Some(content) = &mut next.content {
                content.verification = Verification::Done;
                content.verified_at = Some(at);
            }
        }))
    }

    /// The current content, read back, has not the checksum that was declared: it goes into the history as
    /// corrupt, and `previous`, the last content before it, is current again. `None` as above.
    pub fn corrupt(&self, content_id: &ContentId, previous: Option<Content>, stamp: &Stamp) -> Option<Change> {
        let mut corrupt = self.unverified(content_id)?.clone();
        corrupt.verification = Verification::Corrupt;
        corrupt.verified_at = Some(self.time_of(stamp));
        Some(self.put_back(corrupt, Action::Corrupt, previous, stamp))
    }

    /// A scanner has judged the current content: it is released, or else goes into the history, and `previous`, the last
    /// content before it, is current again. `None` where `content_id` is no longer current, or the verdict is no news.
    pub(crate) fn screened(
        &self,
        content_id: &ContentId,
        verdict: Verdict,
        previous: Option<Content>,
        stamp: &Stamp,
    ) -> Option<Change> {
        let current = self.content.as_ref().filter(|content| content.content_id == *content_id);
        let mut judged = current.filter(|content| content.awaits(verdict))?.clone();
        judged.screening = Some(Screening::Judged(verdict));
        judged.screened_at = Some(self.time_of(stamp));
        Some(match judged.refusal() {
            Some(_) => self.put_back(judged, Action::Quarantined, previous, stamp),
            None => self.change(Action::Screened, content_id.clone(), stamp, |next, _| next.content = Some(judged)),
        })
    }

    /// The current content, found to be `refused`, goes into the history.
    fn put_back(&self, refused: Content, action: Action, previous: Option<Content>, stamp: &Stamp) -> Change {
        let content_id = refused.content_id.clone();
        let found = Self { content: Some(refused), ..self.clone() };
        found.change(action, content_id, stamp, |next, at| {
            next.content = None;
            if let Some(previous) = previous.filter(|previous| !next.has_deleted(previous)) {
                next.make_current(previous, at);
            }
        })
    }
}
