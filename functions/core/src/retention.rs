//! The time for which a document is to be kept: pure rules.

use jiff::{Timestamp, civil::Date, tz::Offset};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::metadata::{CountsFrom, Metadata, Retention, Term};

/// The time for which a document is to be kept, by what was decided when it came and what is known of its enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keeping {
    /// The period.
    pub period: Retention,
    /// The version of the tenant's rules that it follows; `None` where it is the sender's suggestion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules_version: Option<u32>,
    /// The ground of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<String>,
    /// The event that the period counts from.
    pub since: Ground,
    /// The day of that event (UTC); `None` while it is yet to come.
    pub from: Option<Date>,
    /// The day on which the period ends; `None` while it has not begun, or where it ends later than a date can be.
    pub until: Option<Date>,
}

/// The events that a period counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// The document was stored; nothing was reported of an enrolment.
    Stored,
    /// The enrolment ends, which it has not yet.
    EnrollmentEnds,
    /// The enrolment ended.
    EnrollmentEnded,
}

/// What a document knows of an enrolment that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enrollment {
    /// The association's id.
    pub association_id: Uuid,
    /// The day on which it ended; `None` while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
}

impl Keeping {
    /// Computes it for a content that was stored at this time with this metadata; `None` where nobody said how long.
    pub fn of(metadata: &Metadata, stored_at: Timestamp, enrollment: Option<Enrollment>) -> Option<Self> {
        let Term { period, from, rules_version, ground } =
            metadata.term.clone().or_else(|| Term::suggested(metadata))?;
        let (since, from) = match enrollment.filter(|_| from == CountsFrom::EnrollmentEnd) {
            None => (Ground::Stored, Some(day(stored_at))),
            Some(Enrollment { ended_on: Some(ended_on), .. }) => (Ground::EnrollmentEnded, Some(ended_on)),
            Some(_) => (Ground::EnrollmentEnds, None),
        };
        Some(Self { period, rules_version, ground, since, from, until: from.and_then(|from| period.end(from)) })
    }
}

/// The day of a time (UTC).
pub(crate) fn day(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}
