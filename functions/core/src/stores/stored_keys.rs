//! The items of issuers' keys in the table of tenants.

use serde::{Deserialize, Serialize};

use super::table::Item;
use crate::tenant::{Issuer, KeyPlace};

/// The beginning of the second half of such an item's key; no tenant is called so.
const KEYS: &str = "#keys";

/// The keys at one place, as far as they are known. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoredKeys {
    /// The usable ones, as a JWK Set (RFC 7517, section 5).
    pub jwks: String,
    /// The time at which the fetch of these began.
    pub fetched_at: Option<i64>,
    /// The time that it took, in milliseconds.
    pub took: u64,
    /// The time at which the last fetch began, if it failed.
    pub failed_at: Option<i64>,
    /// The time at which a process last took the right to ask for a key that was not known.
    pub asked_at: Option<i64>,
}

pub(super) fn sort_key(place: &KeyPlace) -> String {
    match &place.jwks {
        Some(url) => format!("{KEYS} {url}"),
        None => KEYS.to_owned(),
    }
}

/// The place of the keys that an item of the table holds; `None` of a tenant's.
pub(super) fn place_of(issuer: &Issuer, item: &Item) -> Option<KeyPlace> {
    let sort_key = item.get("tenant")?.as_s().ok()?;
    let url = sort_key.strip_prefix(KEYS)?.trim_start();
    Some(KeyPlace { issuer: issuer.clone(), jwks: url.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::table::text;

    #[test]
    fn an_item_of_keys_reads_back_as_their_place_and_a_tenant_s_as_none() {
        let issuer: Issuer = "https://login.example".to_owned().try_into().unwrap();
        for jwks in [None, Some("https://login.example/keys")] {
            let place = KeyPlace { issuer: issuer.clone(), jwks: jwks.map(|url| url.parse().unwrap()) };
            let item = Item::from([("tenant".to_owned(), text(sort_key(&place)))]);
            assert_eq!(place_of(&issuer, &item), Some(place));
        }
        assert_eq!(place_of(&issuer, &Item::from([("tenant".to_owned(), text("school"))])), None);
        assert_eq!(place_of(&issuer, &Item::new()), None);
    }
}
