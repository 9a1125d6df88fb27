//! The client that calls, with the rights of its token and its tenant's limits.

use jiff::Timestamp;

use crate::{
    Error, Result,
    class::{DocumentClass, DocumentType, SubjectKind},
    document::{Content, Document},
    ids::{DocumentId, DocumentKey, TenantId},
    retention_rules::RetentionRules,
    stamp::{Actor, Stamp},
    tenant::{Limits, OnDelete, Salt},
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
    /// What becomes of what it deletes.
    pub on_delete: OnDelete,
    /// The limits of its tenant.
    pub limits: Limits,
    /// The rules of its tenant for how long documents are kept.
    pub retention: RetentionRules,
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

    /// Returns whether it may read this document of its tenant.
    pub(crate) fn may_know_of(&self, document: &Document) -> bool {
        (self.sees_all || document.client == self.client) && self.require(document).is_ok()
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

    /// Returns whether it may be told that this content, which was not refused, is stored.
    pub(crate) fn takes_for_stored(&self, content: &Content) -> bool {
        content.unverified().is_none() || self.trusts_unverified
    }

    /// Returns whether it may read this content, which was not refused.
    pub(crate) fn may_read(&self, content: &Content) -> bool {
        self.takes_for_stored(content) && content.is_released()
    }

    /// The stamp of its action at `at`, for the document's history.
    pub(crate) fn stamp(&self, at: Timestamp) -> Stamp {
        Stamp { at, by: Actor { client: Some(self.client.clone()), token: self.token.clone() } }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        document::Verification,
        metadata::{Metadata, SentFile, Subject},
        tenant::{Tenant, UncheckedLimits},
    };

    fn caller(scopes: &[&str], limits: UncheckedLimits) -> Caller {
        let issuer = "https://login.example".to_owned().try_into().unwrap();
        let tenant = Tenant::new("school".to_owned().try_into().unwrap(), issuer, Vec::new());
        Caller {
            tenant: tenant.tenant,
            client: "sis".to_owned(),
            token: Some("token-1".to_owned()),
            scopes: Scopes::of(scopes.iter().copied()).unwrap(),
            sees_all: false,
            trusts_unverified: false,
            on_delete: tenant.on_delete,
            limits: limits.try_into().unwrap(),
            retention: tenant.retention,
            salt: tenant.salt,
        }
    }

    fn metadata(on: SubjectKind, document_type: DocumentType) -> Metadata {
        let offering = if on == SubjectKind::Offering { r#""offeringType": "course","# } else { "" };
        let text = format!(
            r#"{{{offering} "consumers": [{{"consumerKey": "nl-okd", "documentType": "{}"}}]}}"#,
            document_type.as_str()
        );
        let subject = Subject { kind: on, id: Uuid::nil() };
        Metadata::parse(subject, text.as_bytes(), SentFile::default()).unwrap()
    }

    #[test]
    fn a_scope_opens_its_own_type_and_the_enrolment_s_also_what_hangs_on_a_person_alone() {
        use DocumentType::{Bpv, Enrollment, Examination, Graduation, Other};
        use SubjectKind::{Association, Offering, Person};
        for (scope, on, document_type, opened) in [
            ("okd:alldocuments", Association, Other, true),
            ("okd:alldocuments", Offering, Examination, true),
            ("okd:examdocuments", Association, Examination, true),
            ("okd:examdocuments", Association, Bpv, false),
            ("okd:examdocuments", Person, Other, false),
            ("okd:bpvdocuments", Association, Bpv, true),
            ("okd:bpvdocuments", Association, Graduation, false),
            ("okd:graduationdocuments", Association, Graduation, true),
            ("okd:enrollmentderollment", Association, Enrollment, true),
            ("okd:enrollmentderollment", Association, Other, false),
            ("okd:enrollmentderollment", Person, Other, true),
            ("okd:enrollmentderollment", Person, Bpv, false),
            ("okd:enrollmentderollment", Person, Enrollment, true),
        ] {
            let class = DocumentClass { on, document_type };
            assert_eq!(Scopes::of([scope]).unwrap().require(class).is_ok(), opened, "{scope} {class:?}");
            assert_eq!(scopes_for(Some(class)).contains(&scope), opened, "{scope} {class:?}");
        }
        assert_eq!(Scopes::of(["openid", ""]), None);
        assert_eq!(Scopes::of(["openid", "okd:bpvdocuments"]), Scopes::of(["okd:bpvdocuments"]));
        assert_eq!(scopes_for(None).len(), SCOPES.len());
    }

    #[test]
    fn a_caller_needs_a_scope_for_all_that_a_document_is_or_is_about_to_become() {
        let caller = caller(&["okd:bpvdocuments"], UncheckedLimits::default());
        let key = caller.key(Uuid::nil().into());
        assert_eq!(key, DocumentKey { tenant: caller.tenant.clone(), id: Uuid::nil().into() });
        let file = |document_type| content(metadata(SubjectKind::Association, document_type), Verification::Done);
        for (document_type, opened) in [(DocumentType::Bpv, true), (DocumentType::Other, false)] {
            let document =
                Document { content: Some(file(document_type)), ..Document::empty(key.clone(), String::new()) };
            assert_eq!(caller.require(&document).is_ok(), opened, "{document_type:?}");
        }
    }

    #[test]
    fn sizes_are_taken_up_to_the_tenant_s_limits() {
        let limits = UncheckedLimits { document_size: 100, metadata_size: 2000, ..UncheckedLimits::default() };
        let caller = caller(&["okd:alldocuments"], limits);
        assert_eq!([99, 100, 101].map(|size| caller.check_size(size).is_ok()), [true, true, false]);
        assert_eq!([1999, 2000, 2001].map(|size| caller.check_metadata_size(size).is_ok()), [true, true, false]);
    }

    fn content(metadata: Metadata, verification: Verification) -> Content {
        Content { verification, metadata, ..crate::document::tests::content(1, Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn what_is_not_verified_is_stored_for_a_tenant_that_trusts_its_senders() {
        use Verification::{Done, Pending};
        for (verification, trusts_unverified, stored) in
            [(Done, false, true), (Done, true, true), (Pending, false, false), (Pending, true, true)]
        {
            let caller = Caller { trusts_unverified, ..caller(&["okd:alldocuments"], UncheckedLimits::default()) };
            let content = content(metadata(SubjectKind::Person, DocumentType::Other), verification);
            assert_eq!(caller.takes_for_stored(&content), stored, "{verification:?} {trusts_unverified}");
        }
    }

    #[test]
    fn an_action_is_stamped_with_the_client_and_its_token() {
        let stamp = caller(&["okd:alldocuments"], UncheckedLimits::default()).stamp(Timestamp::UNIX_EPOCH);
        let by = Actor { client: Some("sis".to_owned()), token: Some("token-1".to_owned()) };
        assert_eq!(stamp, Stamp { at: Timestamp::UNIX_EPOCH, by });
    }
}
