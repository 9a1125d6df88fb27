//! Associations: what a school's system for enrolment reports of them (flow 5).

use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use okd_core::{Stores, association::Report, caller::Caller, metadata::Subject, use_cases};
use okd_form::parameters::essence;

use crate::{
    body,
    refusal::{BodyFault, Refusal},
    response::no_content,
};

/// The type of a change of a resource (RFC 7396): what the standard's `OpenAPI` asks for. Its pages have plain JSON.
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// `PATCH` of an association: 204, also of one that was unknown.
pub(crate) async fn patch(
    stores: &Stores,
    caller: &Caller,
    subject: Subject,
    request: Request,
    now: Timestamp,
) -> Result<Response<Body>, Refusal> {
    let (headers, body) = body::read(request)?;
    let media_type = essence(body::content_type(&headers).unwrap_or_default());
    if ![MERGE_PATCH, "application/json"].contains(&media_type.as_str()) {
        return Err(BodyFault::NotAPatch.into());
    }
    caller.check_metadata_size(body.len())?;
    report(stores, caller, subject, &Report::parse(subject, &body)?, now).await
}

/// Remembers the report.
pub(crate) async fn report(
    stores: &Stores,
    caller: &Caller,
    subject: Subject,
    report: &Report,
    now: Timestamp,
) -> Result<Response<Body>, Refusal> {
    use_cases::report_association(stores, caller, subject.id, report, now).await?;
    Ok(no_content())
}
