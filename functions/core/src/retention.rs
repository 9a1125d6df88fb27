//! The time for which a document is to be kept: pure rules.

use jiff::{Span, Timestamp, civil::Date, tz::Offset};
use serde::Serialize;

use crate::{
    association::{Association, FINAL_END},
    document::Content,
    metadata::{Retention, RetentionSuggestion, Unit},
};

/// The time for which a document is to be kept, by what its sender suggested and what is known of its enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keeping {
    /// The period that was suggested.
    pub period: Retention,
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

impl Keeping {
    /// Computes it for a content; `None` where no period was suggested, or none that could be read.
    pub fn of(content: &Content, association: Option<&Association>) -> Option<Self> {
        let suggestion = content.metadata.okd.retention_period_suggestion.as_ref();
        let period = suggestion.and_then(RetentionSuggestion::period)?;
        let known = association.and_then(|association| Some((association, association.state?)));
        let (since, from) = match known {
            None => (Ground::Stored, Some(day(content.stored_at))),
            Some((association, state)) if state.is_over() => {
                let ended = association.dates.get(FINAL_END).copied();
                (Ground::EnrollmentEnded, Some(ended.unwrap_or_else(|| day(association.reported_at))))
            }
            Some(_) => (Ground::EnrollmentEnds, None),
        };
        Some(Self { period, since, from, until: from.and_then(|from| end(from, period)) })
    }
}

fn day(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

/// The day on which a period from this day ends. Hours count as whole days, so that nothing ends early.
fn end(from: Date, Retention { amount, unit }: Retention) -> Option<Date> {
    let amount = i64::from(amount);
    let span = match unit {
        Unit::Years => Span::new().try_years(amount),
        Unit::Months => Span::new().try_months(amount),
        Unit::Days => Span::new().try_days(amount),
        Unit::Hours => Span::new().try_days((amount + 23) / 24),
    };
    from.checked_add(span.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_ends_on_the_day_that_it_says() {
        for (from, period, until) in [
            ("2026-07-31", "3Y", Some("2029-07-31")),
            ("2024-02-29", "1Y", Some("2025-02-28")),
            ("2026-01-31", "1M", Some("2026-02-28")),
            ("2026-07-31", "10D", Some("2026-08-10")),
            ("2026-07-31", "25H", Some("2026-08-02")),
            ("2026-07-31", "24H", Some("2026-08-01")),
            ("2026-07-31", "9999Y", None),
            ("2026-07-31", "99999Y", None),
        ] {
            let period: Retention = period.parse().unwrap();
            let until = until.map(|date| date.parse().unwrap());
            assert_eq!(end(from.parse().unwrap(), period), until, "{from} {period}");
        }
    }
}
