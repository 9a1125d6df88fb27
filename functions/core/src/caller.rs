//! Who asks, what that lets them do, and what they call the document that they ask about.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Error, Result,
    document::{Act, By, DocumentId},
    metadata::{DocumentType, Subject},
    tenant::{Limits, TenantId},
};

/// The namespace of the `UUIDv5`s that [`Caller::document_id`] makes. Changing it would give every known
/// document a second id.
const DOCUMENT_IDS: Uuid = Uuid::from_u128(0x8f2d_3c5e_5b0a_4e6b_9d1c_6f0b_d0c5_0001);

/// Each scope and the type of document that it is for; `None`: for every type. (The standard, "Authentication":
/// a flow, and so a type of document, has the scopes any one of which is enough.)
const SCOPES: [(&str, Option<DocumentType>); 5] = [
    ("okd:alldocuments", None),
    ("okd:examdocuments", Some(DocumentType::Examination)),
    ("okd:bpvdocuments", Some(DocumentType::Bpv)),
    ("okd:graduationdocuments", Some(DocumentType::Graduation)),
    ("okd:enrollmentderollment", Some(DocumentType::Enrollment)),
];

/// The client of a tenant, as its access token names it, with what that token and that tenant let it do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The school whose token it is.
    pub tenant: TenantId,
    /// The school system, by its token's `client_id`, `azp` or `appid`.
    pub client: String,
    /// The token's own id (`jti`, at Entra ID `uti`), where it has one.
    pub token: Option<String>,
    /// What its token may be used for.
    pub scopes: Scopes,
    /// Whether its tenant lets it see, and go on with, what the tenant's other clients handed in.
    pub sees_all: bool,
    /// What its tenant allows.
    pub limits: Limits,
}

/// The types of document that a token may be used for: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Option<DocumentType>>);

impl Scopes {
    /// Those of a token with these scopes; other services' are none of our business. `None` where it has
    /// none of ours.
    pub fn of<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let known = |scope| SCOPES.iter().find(|(name, _)| *name == scope);
        let types: Vec<_> = scopes
            .into_iter()
            .filter_map(known)
            .map(|(_, document_type)| *document_type)
            .collect();
        (!types.is_empty()).then_some(Self(types))
    }

    /// Asks for a scope for this type of document.
    pub fn require(&self, document_type: DocumentType) -> Result<()> {
        let enough = self
            .0
            .iter()
            .any(|scope| scope.is_none_or(|scope| scope == document_type));
        if enough {
            Ok(())
        } else {
            Err(Error::MissingScope(Some(document_type)))
        }
    }
}

/// The scopes any one of which is enough for this type of document; for one or other where there is no type.
pub fn scopes_for(document_type: Option<DocumentType>) -> Vec<&'static str> {
    SCOPES
        .iter()
        .filter(|(_, of)| document_type.is_none() || of.is_none() || *of == document_type)
        .map(|(scope, _)| *scope)
        .collect()
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

impl Caller {
    /// Asks that a document of this size, in bytes, is within the tenant's limit.
    pub fn check_size(&self, size: u64) -> Result<()> {
        let limit = self.limits.document_size();
        if size > limit {
            return Err(Error::DocumentTooLarge { size, limit });
        }
        Ok(())
    }

    /// Asks that metadata of this size, in bytes, is within the tenant's limit.
    pub fn check_metadata_size(&self, size: usize) -> Result<()> {
        let limit = self.limits.metadata_size();
        if size > limit {
            return Err(Error::MetadataTooLarge { size, limit });
        }
        Ok(())
    }

    /// What it does at `at`, for the document's history.
    pub fn acts(&self, at: Timestamp) -> Act {
        Act {
            at,
            by: By {
                client: Some(self.client.clone()),
                token: self.token.clone(),
            },
        }
    }

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
