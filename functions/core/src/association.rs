//! An association: a student's enrolment, as the school's system for enrolment last reported it (flow 5). Pure rules, the
//! time given.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ids::TenantId,
    retention::{Enrollment, day},
    stamp::{Actor, Stamp},
};

/// The states of an enrolment (OOAPI's `state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssociationState {
    /// `pending`: none of the others yet.
    Pending,
    /// `canceled`, `cancelled`: withdrawn by the student.
    Canceled,
    /// `denied`: refused by the school.
    Denied,
    /// `associated`: enrolled.
    Associated,
    /// `queued`: on a waiting list.
    Queued,
    /// `finished`: ended.
    Finished,
}

impl AssociationState {
    /// The state of this name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "canceled" | "cancelled" => Some(Self::Canceled),
            "denied" => Some(Self::Denied),
            "associated" => Some(Self::Associated),
            "queued" => Some(Self::Queued),
            "finished" => Some(Self::Finished),
            _ => None,
        }
    }

    /// Returns whether the enrolment is over, so that its documents are kept for no longer than their period.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Canceled | Self::Denied | Self::Finished)
    }
}

/// The date fields of an enrolment, in the spelling of OKD 1.5.
pub const START: &str = "enrollmentStartDate";
/// The day on which it should end.
pub const EXPECTED_END: &str = "enrollmentExpectedEndDate";
/// The day on which it ended.
pub const FINAL_END: &str = "enrollmentFinalEndDate";

/// What one message says of an enrolment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Its state, where that is said.
    pub state: Option<AssociationState>,
    /// Its dates that are said, by their names in OKD 1.5; `None` where one is said to be none.
    pub dates: BTreeMap<&'static str, Option<Date>>,
    /// The message, word for word.
    pub as_sent: String,
}

/// An enrolment, as its item in the table holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Association {
    /// The school that it belongs to.
    pub tenant: TenantId,
    /// Its id.
    pub id: Uuid,
    /// The number of reports that changed it; 0 is not yet written.
    pub revision: u64,
    /// The time of the last of these.
    pub reported_at: Timestamp,
    /// The author of the last of these.
    pub reported_by: Actor,
    /// Its state, once that was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AssociationState>,
    /// Its dates, by their names in OKD 1.5.
    #[serde(default)]
    pub dates: BTreeMap<String, Date>,
    /// The day on which it ended, where it is over: that of its message, or else that of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
    /// True while its documents may not know of the last report.
    #[serde(default)]
    pub untold: bool,
    /// The last message about it, word for word.
    pub as_sent: String,
}

impl Association {
    /// The association before anything was reported of it.
    pub fn unknown(tenant: TenantId, id: Uuid) -> Self {
        Self {
            tenant,
            id,
            revision: 0,
            reported_at: Timestamp::UNIX_EPOCH,
            reported_by: Actor::default(),
            state: None,
            dates: BTreeMap::new(),
            ended_on: None,
            untold: false,
            as_sent: String::new(),
        }
    }

    /// What its documents know of it; `None` where its state was never reported.
    pub fn enrollment(&self) -> Option<Enrollment> {
        self.state.map(|_| Enrollment { association_id: self.id, ended_on: self.ended_on })
    }

    /// The time at which the sweep is to tell its documents.
    pub fn due(&self) -> Option<Timestamp> {
        self.untold.then_some(self.reported_at)
    }

    /// The next state after a report: what it says replaces what was known, and the rest stays (RFC 7396). `None` where
    /// that very message came last. Times strictly increase, also where clocks differ.
    pub fn after(&self, report: &Report, stamp: &Stamp) -> Option<Self> {
        if self.revision > 0 && self.as_sent == report.as_sent {
            return None;
        }
        let mut next = self.clone();
        next.revision += 1;
        next.reported_at = stamp.at.max(self.reported_at + Duration::from_nanos(1));
        next.reported_by = stamp.by.clone();
        next.state = report.state.or(self.state);
        for (name, date) in &report.dates {
            match date {
                Some(date) => drop(next.dates.insert((*name).to_owned(), *date)),
                None => drop(next.dates.remove(*name)),
            }
        }
        let is_over = next.state.is_some_and(AssociationState::is_over);
        let final_end = next.dates.get(FINAL_END).copied();
        let ended_on = final_end.or(self.ended_on).unwrap_or_else(|| day(next.reported_at));
        next.ended_on = is_over.then_some(ended_on);
        next.untold = true;
        next.as_sent.clone_from(&report.as_sent);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(number: u8) -> Report {
        let date = Date::constant(2026, 7, 1);
        let said = |bit: u8, date: Option<Date>| (number & bit != 0).then_some(date);
        let dates = [(START, said(1, Some(date))), (FINAL_END, said(2, (number & 4 != 0).then_some(date)))];
        let dates = dates.into_iter().filter_map(|(name, said)| said.map(|date| (name, date)));
        let state = (number & 8 != 0).then_some(AssociationState::Finished);
        Report { state, dates: dates.collect(), as_sent: number.to_string() }
    }

    proptest! {
        #[test]
        fn what_a_report_says_counts_and_the_rest_stays_whatever_the_clocks(
            steps in prop::collection::vec((0..16_u8, -300..300_i64), 1..20),
        ) {
            let mut known = Association::unknown("school".to_owned().try_into().unwrap(), Uuid::nil());
            for (number, skew) in steps {
                let report = report(number);
                let stamp = Stamp::of_the_service(Timestamp::from_second(1_800_000_000 + skew).unwrap());
                let Some(next) = known.after(&report, &stamp) else {
                    prop_assert_eq!(&known.as_sent, &report.as_sent);
                    continue;
                };
                prop_assert_eq!(next.revision, known.revision + 1);
                prop_assert!(next.reported_at > known.reported_at);
                prop_assert_eq!(next.state, report.state.or(known.state));
                for name in [START, EXPECTED_END, FINAL_END] {
                    let said = report.dates.get(name).copied();
                    prop_assert_eq!(next.dates.get(name).copied(), said.unwrap_or(known.dates.get(name).copied()));
                }
                let ended = next.state.filter(|state| state.is_over()).map(|_| {
                    let day = day(next.reported_at);
                    next.dates.get(FINAL_END).copied().or(known.ended_on).unwrap_or(day)
                });
                prop_assert_eq!(next.ended_on, ended);
                prop_assert_eq!(next.due(), Some(next.reported_at));
                prop_assert_eq!(next.after(&report, &stamp), None);
                known = next;
            }
        }
    }
}
