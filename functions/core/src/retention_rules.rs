//! The rules of a tenant for how long its documents are kept: its table of retention ("bewaartermijnen").

use serde::{Deserialize, Serialize};

use crate::{
    class::DocumentType,
    metadata::{CountsFrom, Metadata, Retention, Term},
};

/// A tenant's rules. A document is kept by those that were there when its metadata came; their version says which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetentionRules {
    /// The number of times that they were set; 0 is that there are none.
    #[serde(default)]
    pub version: u32,
    /// The longest that anything is kept, whoever says otherwise; also that of which nobody says anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Retention>,
    /// A rule for each type of document, and for subtypes of it.
    #[serde(default)]
    pub rules: Vec<RetentionRule>,
}

/// The rule for a type of document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetentionRule {
    /// The type.
    pub document_type: DocumentType,
    /// The subtype, letter for letter; without one the rule is for all subtypes that have no rule of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_subtype: Option<String>,
    /// The period.
    pub period: Retention,
    /// The event that it counts from.
    #[serde(default)]
    pub from: CountsFrom,
    /// The ground: the law or the decision that it follows.
    pub ground: String,
    /// True if it counts also where a sender suggests another period.
    #[serde(default)]
    pub overrides_suggestion: bool,
}

impl RetentionRules {
    /// Checks that no two rules are for the same documents.
    pub fn check(&self) -> Result<(), String> {
        for (place, rule) in self.rules.iter().enumerate() {
            let is_same = |other: &&RetentionRule| {
                other.document_type == rule.document_type && other.document_subtype == rule.document_subtype
            };
            if self.rules[..place].iter().any(|other| is_same(&other)) {
                let subtype = rule.document_subtype.as_deref().unwrap_or("all subtypes");
                return Err(format!("there are two rules for {} ({subtype})", rule.document_type.as_str()));
            }
        }
        Ok(())
    }

    /// The metadata, with the time for which its document is to be kept.
    pub(crate) fn apply(&self, mut metadata: Metadata) -> Metadata {
        metadata.term = self.term(&metadata);
        metadata
    }

    /// The time for which a document with this metadata is to be kept: as its sender suggests, or else by the rule for it,
    /// and never longer than the maximum. `None` where nobody says anything.
    fn term(&self, metadata: &Metadata) -> Option<Term> {
        let suggested = Term::suggested(metadata);
        let ruled = self.rule(metadata).map(|rule| {
            let term = Term {
                period: rule.period,
                from: rule.from,
                rules_version: Some(self.version),
                ground: Some(rule.ground.clone()),
            };
            (rule.overrides_suggestion, term)
        });
        let term = match (suggested, ruled) {
            (_, Some((true, ruled))) => Some(ruled),
            (Some(suggested), _) => Some(suggested),
            (None, ruled) => ruled.map(|(_, term)| term),
        };
        let Some(maximum) = self.maximum else {
            return term;
        };
        let from = term.as_ref().map_or(CountsFrom::default(), |term| term.from);
        let is_shorter = |term: &Term| term.period.is_at_most(maximum);
        let longest = Term { period: maximum, from, rules_version: Some(self.version), ground: None };
        Some(term.filter(is_shorter).unwrap_or(longest))
    }

    /// The rule for a document: that of its subtype, or else that of its type.
    fn rule(&self, metadata: &Metadata) -> Option<&RetentionRule> {
        let okd = &metadata.okd;
        let of = |subtype: Option<&str>| {
            let mut rules = self.rules.iter();
            rules.find(|rule| rule.document_type == okd.document_type && rule.document_subtype.as_deref() == subtype)
        };
        okd.document_subtype.as_deref().and_then(|subtype| of(Some(subtype))).or_else(|| of(None))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        class::SubjectKind,
        metadata::{SentFile, Subject},
    };

    fn metadata(subtype: &str, suggestion: &str) -> Metadata {
        let subject = Subject { kind: SubjectKind::Association, id: Uuid::nil() };
        let text = format!(
            r#"{{"consumers": [{{"consumerKey": "nl-okd", "documentType": "graduation", "documentSubtype": "{subtype}",
                "retentionPeriodSuggestion": "{suggestion}"}}]}}"#
        );
        Metadata::parse(subject, text.as_bytes(), SentFile::default()).unwrap()
    }

    fn rules(maximum: Option<&str>) -> RetentionRules {
        let rules = serde_json::json!({
            "version": 3, "maximum": maximum,
            "rules": [
                { "documentType": "graduation", "period": "10Y", "ground": "a decision" },
                { "documentType": "graduation", "documentSubtype": "diploma", "period": "50Y", "from": "stored",
                  "ground": "a law", "overridesSuggestion": true },
                { "documentType": "bpv", "documentSubtype": "contract", "period": "2Y", "ground": "another" },
            ],
        });
        let rules: RetentionRules = serde_json::from_value(rules).unwrap();
        assert_eq!(rules.check(), Ok(()));
        rules
    }

    #[test]
    fn a_suggestion_counts_before_the_rule_of_a_type_unless_that_says_otherwise_and_never_beyond_the_maximum() {
        for (subtype, suggestion, maximum, period, version, ground) in [
            ("", "", None, Some("10Y"), Some(3), Some("a decision")),
            ("transcript", "", None, Some("10Y"), Some(3), Some("a decision")),
            ("transcript", "2Y", None, Some("2Y"), None, None),
            ("transcript", "for ever", None, Some("10Y"), Some(3), Some("a decision")),
            ("diploma", "2Y", None, Some("50Y"), Some(3), Some("a law")),
            ("diploma", "2Y", Some("20Y"), Some("20Y"), Some(3), None),
            ("transcript", "", Some("20Y"), Some("10Y"), Some(3), Some("a decision")),
            ("transcript", "300M", Some("20Y"), Some("20Y"), Some(3), None),
            ("transcript", "240M", Some("20Y"), Some("240M"), None, None),
        ] {
            let term = rules(maximum).term(&metadata(subtype, suggestion)).unwrap();
            let found = (Some(term.period.to_string()), term.rules_version, term.ground.as_deref());
            assert_eq!(found, (period.map(str::to_owned), version, ground), "{subtype} {suggestion} {maximum:?}");
        }
        assert_eq!(RetentionRules::default().term(&metadata("x", "")), None);
        let suggested = RetentionRules::default().term(&metadata("x", "3Y")).unwrap();
        assert_eq!((suggested.period.to_string(), suggested.rules_version), ("3Y".to_owned(), None));
    }

    #[test]
    fn two_rules_for_the_same_documents_are_refused() {
        let mut twice = rules(None);
        let again = twice.rules[1].clone();
        twice.rules.push(again);
        assert_eq!(twice.check(), Err("there are two rules for graduation (diploma)".to_owned()));
        assert!(serde_json::from_str::<RetentionRules>(r#"{"rules": [{"documentType": "cv"}]}"#).is_err());
        assert!(serde_json::from_str::<RetentionRules>(r#"{"maximun": "3Y"}"#).is_err());
    }
}
