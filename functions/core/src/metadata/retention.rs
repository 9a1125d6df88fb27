//! How long a document is to be kept: `retentionPeriodSuggestion` (`bewaartermijnsuggestie`), and what was decided.

use std::{fmt, str::FromStr};

use jiff::{Span, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Metadata, json::MAX_TEXT};

/// A sender's suggestion. The standard lets a DMS ignore it, so no document is refused for one that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetentionSuggestion {
    /// A period that was understood.
    Period(Retention),
    /// Anything else.
    NotUnderstood {
        /// The string or the JSON that was sent, cut at 1,024 bytes.
        #[serde(rename = "notUnderstood")]
        as_sent: String,
    },
}

impl From<&Value> for RetentionSuggestion {
    fn from(value: &Value) -> Self {
        let mut text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match text.parse() {
            Ok(period) => Self::Period(period),
            Err(_) => {
                text.truncate(text.floor_char_boundary(MAX_TEXT));
                Self::NotUnderstood { as_sent: text }
            }
        }
    }
}

impl RetentionSuggestion {
    /// The period, where it was understood.
    pub fn period(&self) -> Option<Retention> {
        match self {
            Self::Period(period) => Some(*period),
            Self::NotUnderstood { .. } => None,
        }
    }
}

/// The events from which a period may count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountsFrom {
    /// The end of the enrolment, where one was reported; else the day on which the document was stored.
    #[default]
    EnrollmentEnd,
    /// The day on which the document was stored.
    Stored,
}

/// The time for which one document is kept, as it was decided when its metadata came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Term {
    /// The period.
    pub period: Retention,
    /// The event that it counts from.
    #[serde(default)]
    pub from: CountsFrom,
    /// The version of the tenant's rules that it follows; `None` where it is the sender's suggestion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_version: Option<u32>,
    /// The ground of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<String>,
}

impl Term {
    /// The period that a sender suggests, where it can be read.
    pub(crate) fn suggested(metadata: &Metadata) -> Option<Self> {
        let suggestion = metadata.okd.retention_period_suggestion.as_ref();
        let period = suggestion.and_then(RetentionSuggestion::period)?;
        Some(Self { period, from: CountsFrom::EnrollmentEnd, rules_version: None, ground: None })
    }
}

/// A period such as `3Y`, `6M`, `1321D` or `24H`: a number from 1 to 99,999 and one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Retention {
    /// The number of units.
    pub amount: u32,
    /// The unit.
    pub unit: Unit,
}

/// The units that the standard's examples use, and hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    Years,
    Months,
    Days,
    Hours,
}

impl Retention {
    /// The day on which it ends, from this day. Hours count as whole days, so that nothing ends early; `None` where that is
    /// later than a date can be.
    pub fn end(self, from: Date) -> Option<Date> {
        let amount = i64::from(self.amount);
        let span = match self.unit {
            Unit::Years => Span::new().try_years(amount),
            Unit::Months => Span::new().try_months(amount),
            Unit::Days => Span::new().try_days(amount),
            Unit::Hours => Span::new().try_days((amount + 23) / 24),
        };
        from.checked_add(span.ok()?).ok()
    }

    /// Returns whether it is no longer than this one, from a day at which that is told.
    pub fn is_at_most(self, other: Self) -> bool {
        const FROM: Date = Date::constant(2000, 1, 1);
        match (self.end(FROM), other.end(FROM)) {
            (Some(end), Some(limit)) => end <= limit,
            (end, _) => end.is_some(),
        }
    }
}

impl FromStr for Retention {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "must be a number from 1 to 99999 followed by Y, M, D or H, such as \"3Y\", \"6M\" or \"1321D\"";
        let unit = match text.as_bytes().last() {
            Some(b'Y') => Unit::Years,
            Some(b'M') => Unit::Months,
            Some(b'D') => Unit::Days,
            Some(b'H') => Unit::Hours,
            _ => return Err(EXPECTED),
        };
        let digits = &text[..text.len() - 1];
        // `parse` alone would take a sign.
        if !(1..=5).contains(&digits.len()) || !digits.bytes().all(|c| c.is_ascii_digit()) {
            return Err(EXPECTED);
        }
        match digits.parse() {
            Ok(amount) if amount > 0 => Ok(Self { amount, unit }),
            _ => Err(EXPECTED),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Years => 'Y',
            Unit::Months => 'M',
            Unit::Days => 'D',
            Unit::Hours => 'H',
        };
        write!(f, "{}{unit}", self.amount)
    }
}

impl TryFrom<String> for Retention {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Retention> for String {
    fn from(retention: Retention) -> Self {
        retention.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(amount in 1u32..=99_999, unit in "[YMDH]") {
            let text = format!("{amount}{unit}");
            prop_assert_eq!(text.parse::<Retention>().unwrap().to_string(), text);
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "\\PC*") {
            let fits = text.parse::<Retention>().is_ok();
            let digits = text.trim_end_matches(['Y', 'M', 'D', 'H']);
            prop_assert!(!fits || digits.bytes().all(|c| c.is_ascii_digit()));
        }
    }

    #[test]
    fn a_suggestion_is_understood_or_kept_as_it_was_sent() {
        let period = |amount, unit| Some(Retention { amount, unit });
        let long = "é".repeat(1000);
        for (sent, expected, as_sent) in [
            (json!("3Y"), period(3, Unit::Years), "3Y"),
            (json!("6M"), period(6, Unit::Months), "6M"),
            (json!("99999D"), period(99_999, Unit::Days), "99999D"),
            (json!("24H"), period(24, Unit::Hours), "24H"),
            (json!("forever"), None, "forever"),
            (json!(3), None, "3"),
            (json!({ "years": 3 }), None, r#"{"years":3}"#),
            (json!(long), None, &long[..1024]),
        ] {
            let suggestion = RetentionSuggestion::from(&sent);
            assert_eq!(suggestion.period(), expected, "{sent}");
            let kept = match suggestion {
                RetentionSuggestion::Period(period) => String::from(period),
                RetentionSuggestion::NotUnderstood { as_sent } => as_sent,
            };
            assert_eq!(kept, as_sent);
            assert_eq!(Retention::try_from(kept).ok(), expected);
        }
    }

    #[test]
    fn zero_signs_fractions_and_other_units_are_no_period() {
        for text in ["", "Y", "0Y", "+3Y", "-1D", "1.5Y", "3y", "3W", "3 Y", "100000D", "3YY", "P3Y", "٣Y"] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }

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
            assert_eq!(period.end(from.parse().unwrap()), until, "{from} {period}");
        }
    }
}
