//! The school's system for enrolment reports what became of a student's enrolment (flow 5).

use jiff::Timestamp;
use uuid::Uuid;

use super::commit::LOSSES;
use crate::{
    Error, Result, Stores,
    association::{Association, Report},
    caller::Caller,
    class::{DocumentClass, DocumentType, SubjectKind},
};

/// The class of document whose scopes open this: those of enrolment (the standard, flow 5).
const CLASS: DocumentClass = DocumentClass { on: SubjectKind::Association, document_type: DocumentType::Enrollment };

/// Remembers what is reported of an association, also of one that has no documents yet. It is the tenant's, and any
/// client reports it; the report that arrives last counts. Two calls, and one where it says nothing new.
pub async fn report_association(
    stores: &Stores,
    caller: &Caller,
    id: Uuid,
    report: &Report,
    now: Timestamp,
) -> Result<()> {
    caller.scopes.require(CLASS)?;
    let stamp = caller.stamp(now);
    for _ in 0..LOSSES {
        let known = stores.documents.association(&caller.tenant, id).await?;
        let known = known.unwrap_or_else(|| Association::unknown(caller.tenant.clone(), id));
        let Some(next) = known.after(report, &stamp) else {
            return Ok(());
        };
        if stores.documents.write_association(&next).await? {
            tracing::info!(event = "association.changed", tenant = %next.tenant, association = %next.id, revision = next.revision,
                client = next.reported_by.client, token_id = next.reported_by.token, "an association was changed");
            return Ok(());
        }
    }
    Err(Error::Contended)
}
