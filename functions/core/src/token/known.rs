//! The issuers that this process knows: their tenants and keys, read by issuer and believed for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::keys::Keys;
use crate::{
    Result,
    stores::{StoredKeys, Tenants},
    tenant::{Issuer, KeyPlace, Tenant},
};

/// The time for which an issuer's items are believed once read: so late, at most, a tenant that was added, changed or removed
/// is so for everybody.
const BELIEVED: Duration = Duration::from_mins(1);
/// Issuers remembered at once; invented issuers cost a read, and no more.
const REMEMBERED: usize = 1000;

#[derive(Default)]
pub(super) struct KnownIssuers {
    known: Mutex<HashMap<Issuer, Known>>,
}

/// The tenants and keys of one issuer.
#[derive(Clone)]
pub(super) struct Known {
    /// Its tenants; none, for an issuer that no tenant has.
    pub(super) tenants: Arc<[Tenant]>,
    keys: HashMap<KeyPlace, Arc<Keys>>,
    /// By the wall clock: the monotonic one may stand still in a process that Lambda has frozen.
    read: Timestamp,
}

impl KnownIssuers {
    /// Finds an issuer, and reads it where it is not known yet or no longer believed. (Two that ask at once both read.)
    pub(super) async fn of(&self, table: &Tenants, issuer: &Issuer) -> Result<Known> {
        let now = Timestamp::now();
        let known = self.lock().get(issuer).cloned();
        if let Some(known) = known.filter(|known| known.is_believed(now)) {
            return Ok(known);
        }
        let found = table.of_issuer(issuer).await?;
        let keys = found.keys.into_iter();
        let known = Known {
            tenants: found.tenants.into(),
            keys: keys.map(|(place, stored)| (place, Arc::new(Keys::from(stored)))).collect(),
            read: now,
        };
        let mut all = self.lock();
        if all.len() >= REMEMBERED {
            all.retain(|_, known| known.is_believed(now) && !known.tenants.is_empty());
        }
        all.insert(issuer.clone(), known.clone());
        Ok(known)
    }

    /// Remembers newer keys.
    pub(super) fn note(&self, place: &KeyPlace, keys: StoredKeys) -> Arc<Keys> {
        let keys = Arc::new(Keys::from(keys));
        if let Some(known) = self.lock().get_mut(&place.issuer) {
            known.keys.insert(place.clone(), Arc::clone(&keys));
        }
        keys
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Issuer, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Its keys at this place, if any were ever fetched.
    pub(super) fn keys(&self, place: &KeyPlace) -> Option<&Arc<Keys>> {
        self.keys.get(place)
    }

    /// Those of an issuer that has these tenants, and no keys yet.
    #[cfg(test)]
    pub(super) fn of_tenants(tenants: Vec<Tenant>) -> Self {
        Self { tenants: tenants.into(), keys: HashMap::new(), read: Timestamp::UNIX_EPOCH }
    }

    fn is_believed(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.read);
        !age.is_negative() && age.unsigned_abs() < BELIEVED
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stores::answers::Answers;

    #[test]
    fn what_was_read_is_believed_for_a_minute_unless_the_clock_was_set_back() {
        let known = Known::of_tenants(Vec::new());
        for (second, believed) in [(-1, false), (0, true), (59, true), (60, false), (61, false)] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(known.is_believed(now), believed, "{second}");
        }
    }

    #[tokio::test]
    async fn an_issuer_is_read_once_a_minute_also_one_that_no_tenant_has() {
        let issuer: Issuer = "https://login.example".to_owned().try_into().unwrap();
        let answers = Answers::of_dynamodb(&[json!({ "Items": [] }), json!({ "Items": [] })]);
        let table = Tenants::of(answers.dynamodb(), "tenants".to_owned());
        let issuers = KnownIssuers::default();
        for _ in 0..3 {
            assert!(issuers.of(&table, &issuer).await.unwrap().tenants.is_empty());
        }
        assert_eq!(answers.requests().len(), 1);
        issuers.lock().insert(issuer.clone(), Known::of_tenants(Vec::new()));
        issuers.of(&table, &issuer).await.unwrap();
        assert_eq!(answers.requests().len(), 2, "what was read in 1970 is not believed");
    }

    #[test]
    fn newer_keys_are_remembered_for_an_issuer_that_is_known() {
        let issuers = KnownIssuers::default();
        let issuer: Issuer = "https://login.example".to_owned().try_into().unwrap();
        let place = KeyPlace { issuer: issuer.clone(), jwks: None };
        issuers.note(&place, StoredKeys::default());
        assert!(issuers.lock().is_empty());
        issuers.lock().insert(issuer.clone(), Known::of_tenants(Vec::new()));
        assert!(issuers.lock()[&issuer].keys(&place).is_none());
        let noted = issuers.note(&place, StoredKeys::default());
        assert!(issuers.lock()[&issuer].keys(&place).is_some_and(|keys| Arc::ptr_eq(keys, &noted)));
    }
}
