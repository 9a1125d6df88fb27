//! The identity of documents: the names from which a `dmsDocumentId` is computed.
//!
//! The id is computed and not looked up, so a repeat meets the same item, and so do two requests that race. It is
//! computed with its tenant's salt, so that no outsider can. A sender names a document by the consumer's `documentId`,
//! else by an `Idempotency-Key` header. Without either the message itself is the name, since HTTP libraries and proxies
//! repeat a PUT by themselves.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    caller::Caller,
    checksum::Checksum,
    ids::DocumentId,
    metadata::Metadata,
    name::{IdempotencyKey, Name},
};

/// The namespace of the `UUIDv5`s that are made here. Changing it would give every known document a second id.
const DOCUMENT_IDS: Uuid = Uuid::from_u128(0x8f2d_3c5e_5b0a_4e6b_9d1c_6f0b_d0c5_0001);

/// A request, as far as it names a document.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its sender.
    pub caller: &'a Caller,
    /// Its metadata.
    pub metadata: &'a Metadata,
    /// Its `Idempotency-Key`, where it has one and nothing better.
    pub idempotency_key: Option<&'a IdempotencyKey>,
}

impl Request<'_> {
    /// Computes the id of a document whose file, of this SHA-256, came with the request.
    pub(crate) fn document_of_file(&self, sha256: &Checksum) -> DocumentId {
        self.document(|| json!(["message", self.metadata.sha256(), sha256]))
    }

    /// Computes the id of a document whose file is to follow. Where the message is its only name, the same message
    /// names one document until that is stored, and then the next `generation`.
    pub(crate) fn document_of_offer(&self, generation: u32) -> DocumentId {
        self.document(|| json!(["offer", self.metadata.sha256(), generation]))
    }

    /// Returns the name that the request gives its document.
    pub fn name(&self) -> Name<'_> {
        match (&self.metadata.okd.document_id, self.idempotency_key) {
            (Some(id), _) => Name::DocumentId(id),
            (None, Some(key)) => Name::IdempotencyKey(key),
            (None, None) => Name::Message,
        }
    }

    /// Computes the id from the sender's name for the document, or from `message` where there is none.
    fn document(&self, message: impl FnOnce() -> Value) -> DocumentId {
        match self.name() {
            Name::DocumentId(id) => self.id_of(&json!(["documentId", id])),
            // Without resource and type, so that a key that is used again for something else is noticed.
            Name::IdempotencyKey(key) => {
                let Caller { tenant, client, salt, .. } = self.caller;
                hash(&json!([salt, tenant, client, "idempotency-key", key.as_str()]))
            }
            Name::Message => self.id_of(&message()),
        }
    }

    /// Computes the id from a name. It counts for one client, one resource and one type of document: the standard's own
    /// examples give an internship contract and a diploma the same `documentId`.
    fn id_of(&self, name: &Value) -> DocumentId {
        let Caller { tenant, client, salt, .. } = self.caller;
        let Metadata { subject, okd, .. } = self.metadata;
        hash(&json!([salt, tenant, client, subject.kind.as_str(), subject.id, okd.document_type, name]))
    }
}

/// Hashes the name as JSON, so that no two different lists read the same.
fn hash(name: &Value) -> DocumentId {
    DocumentId::from(Uuid::new_v5(&DOCUMENT_IDS, name.to_string().as_bytes()))
}
