//! The ids that everything is named by, and the keys of objects in the bucket.
//!
//! Every key in DynamoDB and in S3 begins with the tenant. Only [`DocumentKey::object`] makes keys of objects, and only
//! `stores/table.rs` makes keys of items: two tenants cannot meet in one item or one object.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::checksum::Checksum;

/// A school (or other customer) of this deployment: 1 to 40 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TryFrom<String> for TenantId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=40).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!("the tenant {text:?} is not 1 to 40 characters of a-z, 0-9 and '-'"))
        }
    }
}

impl From<TenantId> for String {
    fn from(tenant: TenantId) -> Self {
        tenant.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `dmsDocumentId`: the standard's answer to a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentId(Uuid);

impl From<Uuid> for DocumentId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl DocumentId {
    /// The queue that it is in, of `count`.
    pub fn queue(self, count: u8) -> u8 {
        self.0.as_bytes()[15] % count
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one content of a document in its S3 key; never used for two contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentId(String);

impl ContentId {
    /// For bytes that we hold: their SHA-256, so that storing them again meets the object that is there.
    pub(crate) fn of_bytes(sha256: &Checksum) -> Self {
        Self(sha256.hex())
    }

    /// An id as it stands in one of our own links or keys; `None` where it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let of_bytes = || text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (Uuid::try_parse(text).is_ok() || of_bytes()).then(|| Self(text.to_owned()))
    }

    /// For bytes yet to come.
    pub fn of_upload() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// Returns whether its bytes came, or come, by an upload.
    pub fn is_of_upload(&self) -> bool {
        Uuid::try_parse(&self.0).is_ok()
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A document of a tenant: what every key in the table and in the bucket is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentKey {
    /// The school that it belongs to.
    pub tenant: TenantId,
    /// Its id.
    pub id: DocumentId,
}

impl DocumentKey {
    /// The document of this tenant and id, as they stand in a key; `None` where no key of ours has such.
    pub fn parse(tenant: &str, id: &str) -> Option<Self> {
        Some(Self { tenant: tenant.to_owned().try_into().ok()?, id: Uuid::try_parse(id).ok()?.into() })
    }

    /// The key of one of its contents in the bucket: `{tenant}/{dmsDocumentId}/{contentId}`. No id is used for two
    /// contents, so no object is ever overwritten by another one's bytes.
    pub fn object(&self, content: &ContentId) -> ObjectKey {
        ObjectKey(format!("{}{content}", self.objects()))
    }

    /// The beginning of the keys of all its contents.
    pub(crate) fn objects(&self) -> String {
        format!("{}/{}/", self.tenant, self.id)
    }

    /// The document and the content whose object has this key; `None` where no key of ours looks so.
    pub fn of_object(key: &str) -> Option<(Self, ContentId)> {
        let (tenant, rest) = key.split_once('/')?;
        let (id, content) = rest.split_once('/')?;
        Some((Self::parse(tenant, id)?, ContentId::parse(content)?))
    }
}

/// The key of an object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The key as S3 has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_object_reads_back_as_the_document_and_the_content_that_it_was_made_of() {
        let key = DocumentKey { tenant: "school-1".to_owned().try_into().unwrap(), id: Uuid::from_u128(7).into() };
        for content in [ContentId::of_upload(), ContentId::of_bytes(&Checksum::sha256(b"x"))] {
            let read = DocumentKey::of_object(key.object(&content).as_str());
            assert_eq!(read, Some((key.clone(), content)));
        }
    }

    #[test]
    fn a_tenant_s_id_is_1_to_40_of_the_characters_that_a_key_may_have() {
        for good in ["a", "school-1", "0", "-", &"a".repeat(40)] {
            let tenant = TenantId::try_from(good.to_owned()).unwrap();
            assert_eq!((tenant.to_string(), String::from(tenant)), (good.to_owned(), good.to_owned()));
        }
        for bad in ["", &"a".repeat(41), "School", "a/b", "a#b", "a b", "é"] {
            assert!(TenantId::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_content_s_id_is_a_uuid_or_a_sha256() {
        let sha256 = Checksum::sha256(b"x");
        assert_eq!(ContentId::parse(&sha256.hex()), Some(ContentId::of_bytes(&sha256)));
        assert_ne!(ContentId::of_upload(), ContentId::of_upload());
        for bad in ["", "x", &"a".repeat(63), &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(ContentId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn documents_are_spread_over_all_queues() {
        let queue = |id: u128| DocumentId::from(Uuid::from_u128(id)).queue(8);
        assert_eq!([0, 1, 7, 8, 255].map(queue), [0, 1, 7, 0, 7]);
    }

    #[test]
    fn the_key_of_an_object_is_written_as_s3_has_it() {
        let key = DocumentKey::parse("school", "00000000-0000-0000-0000-000000000007").unwrap();
        let object = key.object(&ContentId::of_bytes(&Checksum::sha256(b"x")));
        let expected = format!("school/00000000-0000-0000-0000-000000000007/{}", Checksum::sha256(b"x").hex());
        assert_eq!((object.as_str(), object.to_string()), (expected.as_str(), expected.clone()));
    }

    #[test]
    fn a_key_of_an_object_that_we_never_made_names_no_document() {
        for key in ["", "school", "school/x/y", "School/x/y", "a/b/c/d"] {
            assert_eq!(DocumentKey::of_object(key), None, "{key}");
        }
    }
}
