//! Whose data it is. Every key in DynamoDB and in S3 begins with the tenant, and this module is the
//! only one that makes such keys: two tenants cannot meet in one item or one object.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::document::{DocumentId, Version};

/// The namespace of the `UUIDv5`s that [`Caller::document_id`] makes. Changing it would give every known
/// document a second id.
const DOCUMENT_IDS: Uuid = Uuid::from_u128(0x8f2d_3c5e_5b0a_4e6b_9d1c_6f0b_d0c5_0001);

/// A school (or other customer) of this deployment: 1 to 40 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TryFrom<String> for TenantId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=40).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!(
                "the tenant {text:?} is not 1 to 40 characters of a-z, 0-9 and '-'"
            ))
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

/// Which document, in whose data: what every key in the table and in the bucket is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentKey {
    /// The school that it belongs to.
    pub tenant: TenantId,
    /// Its id.
    pub id: DocumentId,
}

impl DocumentKey {
    /// The partition of the document's items in the table: `{tenant}#{dmsDocumentId}`.
    pub fn partition(&self) -> String {
        format!("{}#{}", self.tenant, self.id)
    }

    /// The S3 key of one of its contents: `{tenant}/{dmsDocumentId}/{version}`. No version is used for two
    /// contents, so no object is ever overwritten by another one's bytes.
    pub fn object(&self, version: &Version) -> String {
        format!("{}/{}/{version}", self.tenant, self.id)
    }

    /// The document whose items are in this partition; `None` where we never made such a key.
    pub fn of_partition(partition: &str) -> Option<Self> {
        let (tenant, id) = partition.split_once('#')?;
        Self::parse(tenant, id)
    }

    /// The document and version of an object; `None` where we never made such a key.
    pub fn of_object(key: &str) -> Option<(Self, Version)> {
        let (tenant, rest) = key.split_once('/')?;
        let (id, version) = rest.split_once('/')?;
        Some((Self::parse(tenant, id)?, Version::parse(version)?))
    }

    fn parse(tenant: &str, id: &str) -> Option<Self> {
        Some(Self {
            tenant: tenant.to_owned().try_into().ok()?,
            id: Uuid::try_parse(id).ok()?.into(),
        })
    }
}

/// Who hands a document in: the client of a tenant, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The school whose token it is.
    pub tenant: TenantId,
    /// The school system, by its token's `client_id`, `azp`, `appid` or `sub`.
    pub client: String,
}

/// What makes two PUTs the same document: the sender's own name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderKey {
    /// The consumer's `documentId`.
    DocumentId(String),
    /// The `Idempotency-Key` header, where no `documentId` was given.
    IdempotencyKey(String),
    /// Neither: every PUT is a new document.
    None,
}

/// The resource that a document hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// An association or an offering.
    pub kind: SubjectKind,
    /// Its id, in the path and in the metadata.
    pub id: Uuid,
}

/// The kinds of resource that a document can hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubjectKind {
    /// A student's enrolment (`/associations/{id}`).
    Association,
    /// An exam sitting (`/offering/{id}`, `/offerings/{id}`).
    Offering,
}

impl SubjectKind {
    /// OOAPI's word for it, as in `associationId` and `offeringId`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Association => "association",
            Self::Offering => "offering",
        }
    }
}

impl Caller {
    /// The `dmsDocumentId` for what this caller calls `key` on `subject`: the same for every repeat, so
    /// that no look-up is needed and racing PUTs meet in one item. A fresh one where there is no key.
    pub fn document_id(&self, subject: Subject, key: &SenderKey) -> DocumentId {
        let (source, key) = match key {
            SenderKey::DocumentId(key) => ("documentId", key),
            SenderKey::IdempotencyKey(key) => ("idempotency-key", key),
            SenderKey::None => return DocumentId::from(Uuid::new_v4()),
        };
        // As JSON, so that no two different lists read the same.
        let name = serde_json::json!([
            self.tenant,
            self.client,
            subject.kind.word(),
            subject.id,
            source,
            key
        ]);
        DocumentId::from(Uuid::new_v5(&DOCUMENT_IDS, name.to_string().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Checksum;

    #[test]
    fn keys_read_back_as_the_document_that_they_were_made_of() {
        let key = DocumentKey {
            tenant: "school-1".to_owned().try_into().unwrap(),
            id: Uuid::from_u128(7).into(),
        };
        assert_eq!(
            DocumentKey::of_partition(&key.partition()),
            Some(key.clone())
        );
        for version in [
            Version::of_upload(),
            Version::of_bytes(&Checksum::sha256(b"x")),
        ] {
            let read = DocumentKey::of_object(&key.object(&version));
            assert_eq!(read, Some((key.clone(), version)));
        }
    }

    #[test]
    fn a_key_that_we_never_made_names_no_document() {
        for key in ["", "school", "school/x/y", "School/x/y", "a/b/c/d"] {
            assert_eq!(DocumentKey::of_object(key), None, "{key}");
            assert_eq!(DocumentKey::of_partition(key), None, "{key}");
        }
    }
}
