//! The documents of an enrolment are told what was reported of it, for they are kept by that.
//!
//! A document that is linked to the enrolment later finds the report itself, for the write that links it asks whether there
//! is one; so none is missed between the two.

use std::time::Instant;

use jiff::Timestamp;

use super::commit::Commit;
use crate::{
    Result, Stores, association::Association, class::SubjectKind, ids::DocumentKey, metadata::Subject, stamp::Stamp,
    stores::By,
};

/// The end of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// All of them know.
    All,
    /// All of them know, and there is another report by now.
    Overtaken,
    /// There was no time for all of them.
    Some,
}

/// Tells each document that is linked to the association, and begins with none after `until`.
pub(super) async fn tell_documents(
    stores: &Stores,
    association: &Association,
    now: Timestamp,
    until: Instant,
) -> Result<Told> {
    let by = By::Link(Subject { kind: SubjectKind::Association, id: association.id }.link());
    let mut after = None;
    loop {
        let (documents, next) = stores.documents.listed(&association.tenant, &by, after.as_deref()).await?;
        for document in &documents {
            if Instant::now() >= until {
                return Ok(Told::Some);
            }
            tell(stores, document, association, now).await?;
        }
        if next.is_none() {
            let is_last = stores.documents.note_told(association).await?;
            return Ok(if is_last { Told::All } else { Told::Overtaken });
        }
        after = next;
    }
}

async fn tell(stores: &Stores, key: &DocumentKey, association: &Association, now: Timestamp) -> Result<()> {
    let Some(document) = stores.documents.load(key).await? else {
        return Ok(());
    };
    let stamp = Stamp::of_the_service(now);
    let mut commit = Commit::of(stores, document, now);
    while let Some(change) = commit.document().told(association, &stamp) {
        if commit.write(change).await? {
            break;
        }
    }
    Ok(())
}
