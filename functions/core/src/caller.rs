//! The client that calls, with the rights of its token and its tenant's limits.

use jiff::Timestamp;

use crate::{
    Error, Result,
    class::{DocumentClass, DocumentType, SubjectKind},
    document::{Actor, Content, Document, Stamp},
    ids::{DocumentId, DocumentKey, TenantId},
    tenant::{Limits, Salt},
};

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
    /// The types of document that its token may be used for.
    pub scopes: Scopes,
    /// True if its tenant lets it see, and go on with, what the tenant's other clients handed in.
    pub sees_all: bool,
    /// True if its tenant takes a document for stored before it was compared with the checksum declared.
    pub trusts_unverified: bool,
    /// The limits of its tenant.
    pub limits: Limits,
    /// The salt of its tenant's document ids.
    pub salt: Salt,
}

/// The types of document that a token may be used for: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Option<DocumentType>>);

impl Scopes {
    /// Those of a token with these scopes; other services' are none of our business. `None` where it has
    /// none of ours.
    pub fn of<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let known = |scope| SCOPES.iter().find(|(name, _)| *name == scope);
        let types: Vec<_> = scopes.into_iter().filter_map(known).map(|(_, document_type)| *document_type).collect();
        (!types.is_empty()).then_some(Self(types))
    }

    /// Checks that one of the scopes opens this class of document.
    pub(crate) fn require(&self, class: DocumentClass) -> Result<()> {
        if self.0.iter().any(|&scope| opens(scope, class)) { Ok(()) } else { Err(Error::MissingScope(Some(class))) }
    }
}

/// Returns whether a scope for documents of type `scope` is enough. On a person the enrolment's scope is enough for
/// `other` too: flow 1 asks no other scope for a document that hangs on no programme, and its example is of that type.
fn opens(scope: Option<DocumentType>, class: DocumentClass) -> bool {
    let DocumentClass { on, document_type } = class;
    let on_person = on == SubjectKind::Person && document_type == DocumentType::Other;
    scope.is_none_or(|scope| scope == document_type || (on_person && scope == DocumentType::Enrollment))
}

/// The scopes any one of which is enough for this class of document; for one or other where there is no class.
pub fn scopes_for(class: Option<DocumentClass>) -> Vec<&'static str> {
    SCOPES.iter().filter(|(_, of)| class.is_none_or(|class| opens(*of, class))).map(|(scope, _)| *scope).collect()
}

impl Caller {
    /// Asks for a scope for every class of document that this one is, or is about to become.
    pub(crate) fn require(&self, document: &Document) -> Result<()> {
        document.metadata().try_for_each(|metadata| self.scopes.require(metadata.class()))
    }

    /// The key of this document of the caller's tenant.
    pub fn key(&self, id: DocumentId) -> DocumentKey {
        DocumentKey { tenant: self.tenant.clone(), id }
    }

    /// Asks that a document of this size, in bytes, is within the tenant's limit.
    pub(crate) fn check_size(&self, size: u64) -> Result<()> {
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

    /// Returns whether it may be told that this content, which is not corrupt, is stored.
    pub(crate) fn takes_for_stored(&self, content: &Content) -> bool {
        content.unverified().is_none() || self.trusts_unverified
    }

    /// The stamp of its action at `at`, for the document's history.
    pub(crate) fn stamp(&self, at: Timestamp) -> Stamp {
        Stamp { at, by: Actor { client: Some(self.client.clone()), token: self.token.clone() } }
    }
}
