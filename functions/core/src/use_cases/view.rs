//! An open upload as its sender sees it: what is missing, and where to send it.

use std::fmt;

use jiff::Timestamp;

use crate::{
    Result, Stores,
    document::{Document, Upload},
    ids::{ContentId, ObjectKey},
    parts::{Part, PartPlan},
    stores::PartLink,
    tenant::Limits,
};

/// An open upload as its sender sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadView {
    /// Tells this upload from those before and after it, in the links to it.
    pub content_id: ContentId,
    /// The document's size and how it is cut.
    pub plan: PartPlan,
    /// The time at which the upload ends by itself.
    pub expires_at: Timestamp,
    /// The links for the parts that S3 does not have.
    pub missing: Vec<PartLink>,
}

impl fmt::Debug for UploadView {
    /// Without the links, which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an upload of {:?} with {} parts missing", self.plan, self.missing.len())
    }
}

impl UploadView {
    /// The number of parts that S3 has.
    pub fn parts_received(&self) -> usize {
        self.plan.parts().count() - self.missing.len()
    }
}

/// The view of an open upload; `None` where S3 no longer knows it and has no object of it either.
pub(super) async fn view(
    stores: &Stores,
    document: &Document,
    upload: &Upload,
    limits: &Limits,
    now: Timestamp,
) -> Result<Option<UploadView>> {
    let key = document.object_key(&upload.content_id);
    let missing: Vec<Part> = match stores.files.received(&key, &upload.upload_id).await? {
        Some(received) => upload.plan.missing(&received).collect(),
        // Joined, but not yet written down: there is nothing to send, and complete will finish it.
        None if stores.files.find(&key).await?.is_some() => Vec::new(),
        None => return Ok(None),
    };
    link(stores, &key, upload, missing, limits, now).await.map(Some)
}

pub(super) async fn link(
    stores: &Stores,
    key: &ObjectKey,
    upload: &Upload,
    missing: Vec<Part>,
    limits: &Limits,
    now: Timestamp,
) -> Result<UploadView> {
    let missing = stores
        .files
        .link(key, &upload.upload_id, missing.into_iter(), now, upload.expires_at.min(now + limits.part_url_lifetime()))
        .await?;
    Ok(UploadView { content_id: upload.content_id.clone(), plan: upload.plan, expires_at: upload.expires_at, missing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::tests::{at, upload},
        parts::DocumentSize,
    };

    #[test]
    fn an_upload_s_view_counts_the_parts_that_are_there_and_logs_no_link() {
        let plan = PartPlan::from(DocumentSize::try_from(1 << 30).unwrap());
        let href = "https://secret.example/".to_owned();
        let missing = plan.parts().take(60).map(|part| PartLink { part, href: href.clone(), expires_at: at(0) });
        let content_id = upload(1, false, at(0)).content_id;
        let view = UploadView { content_id, plan, expires_at: at(0), missing: missing.collect() };
        assert_eq!(view.parts_received(), 4);
        let logged = format!("{view:?}");
        assert!(logged.ends_with("with 60 parts missing") && !logged.contains("secret"), "{logged}");
    }
}
