//! Tokens that one key is known to have signed. A sender uses a token for an hour, and to check its signature is a tenth of
//! a request. They are forgotten with the key, which is read anew every minute.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde_json::Value;

use super::Claims;

/// Tokens remembered at once, for one key. With one more all are forgotten.
const REMEMBERED: usize = 100;

/// The claims of tokens whose signature was checked, by the tokens' hashes.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<Vec<u8>, Claims>>);

impl Seen {
    /// The claims of a token that was checked before and has not ended at `now`.
    pub(super) fn claims(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let known = self.lock();
        let claims = known.get(&hash(token))?;
        let end = claims.get("exp").and_then(Value::as_i64)?;
        (now.as_second() < end).then(|| claims.clone())
    }

    /// Remembers a token that was checked.
    pub(super) fn note(&self, token: &str, claims: &Claims) {
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(hash(token), claims.clone());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Claims>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn claims(end: &Value) -> Claims {
        json!({ "exp": end }).as_object().unwrap().clone()
    }

    #[test]
    fn a_token_is_known_letter_by_letter_and_until_it_ends() {
        let seen = Seen::default();
        seen.note("a.b.c", &claims(&json!(100)));
        assert_eq!(seen.claims("a.b.c", at(99)), Some(claims(&json!(100))));
        assert_eq!(seen.claims("a.b.c", at(100)), None);
        for other in ["a.b.C", "a.b.", "a.b.cc", ""] {
            assert_eq!(seen.claims(other, at(0)), None, "{other}");
        }
    }

    #[test]
    fn a_token_without_a_whole_number_for_an_end_is_checked_each_time() {
        let seen = Seen::default();
        for end in [Value::Null, json!("100"), json!(100.5)] {
            seen.note("a.b.c", &claims(&end));
            assert_eq!(seen.claims("a.b.c", at(0)), None, "{end}");
        }
    }

    #[test]
    fn no_more_than_a_hundred_tokens_are_remembered() {
        let seen = Seen::default();
        for number in 0..=REMEMBERED {
            seen.note(&number.to_string(), &claims(&json!(100)));
        }
        assert_eq!(seen.lock().len(), 1);
        assert!(seen.claims("100", at(0)).is_some());
    }
}
