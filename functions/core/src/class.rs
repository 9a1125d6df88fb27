//! The classes of documents: their types, and the resources that they hang on.

use serde::{Deserialize, Serialize};

/// `documentType`: the standard's closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentType {
    /// `examination`, `examinering`.
    Examination,
    /// `enrollment`, `inschrijving`.
    Enrollment,
    /// `bpv`: work placement, in both revisions.
    Bpv,
    /// `graduation`, `diplomering`.
    Graduation,
    /// `other`.
    Other,
}

impl DocumentType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Examination, Self::Enrollment, Self::Bpv, Self::Graduation, Self::Other];

    /// The type of this name, in either revision.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "examination" | "examinering" => Some(Self::Examination),
            "enrollment" | "inschrijving" => Some(Self::Enrollment),
            "bpv" => Some(Self::Bpv),
            "graduation" | "diplomering" => Some(Self::Graduation),
            "other" => Some(Self::Other),
            _ => None,
        }
    }

    /// The standard's word for it, in revision 1.5.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Examination => "examination",
            Self::Enrollment => "enrollment",
            Self::Bpv => "bpv",
            Self::Graduation => "graduation",
            Self::Other => "other",
        }
    }
}

/// The kinds of resource that a document can hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubjectKind {
    /// A student's enrolment (`/associations/{id}`).
    Association,
    /// An exam sitting (`/offering/{id}`, `/offerings/{id}`).
    Offering,
    /// A student, for what belongs to no programme (`/persons/{id}`, flow 1).
    Person,
}

impl SubjectKind {
    /// OOAPI's word for it, as in `associationId`, `offeringId` and `personId`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Association => "association",
            Self::Offering => "offering",
            Self::Person => "person",
        }
    }
}

/// A class of documents for which a scope is needed: a type, on a kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentClass {
    /// The kind of resource.
    pub on: SubjectKind,
    /// The type.
    pub document_type: DocumentType,
}
