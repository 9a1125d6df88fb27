//! Links of a document: the ids of others (association, offering, person, student) by which it is asked for.
//!
//! OOAPI gives a neighbour as a bare id or as an expanded object; either is read. The standard's flows 1 to 5 and 11 to
//! 14 name documents by these ids.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Subject, SubjectKind,
    consumer::Consumer,
    json::Node,
    parse_uuid,
    reference::{id, id_of},
};
use crate::Result;

/// The typed ids of a document's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    /// The student's enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association_id: Option<String>,
    /// The offering: of a programme, or an exam sitting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offering_id: Option<String>,
    /// The student.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_id: Option<String>,
    /// The school's number of the student.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub student_number: Option<String>,
    /// The school's number of the enrolment ("opleidingsblad").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_code: Option<String>,
    /// The exam.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exam_code: Option<String>,
    /// The exam's sitting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exam_component_offering: Option<String>,
}

/// One id, or day, by which documents are found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The kind of id.
    pub kind: LinkKind,
    /// The id.
    pub id: String,
}

/// The kinds of id, and the day, by which documents are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// An association's.
    Association,
    /// An offering's.
    Offering,
    /// A person's.
    Person,
    /// A student number.
    Student,
    /// A day, as `2029-07-31`: the last to which the document is to be kept.
    Retention,
}

impl From<SubjectKind> for LinkKind {
    fn from(kind: SubjectKind) -> Self {
        match kind {
            SubjectKind::Association => Self::Association,
            SubjectKind::Offering => Self::Offering,
            SubjectKind::Person => Self::Person,
        }
    }
}

impl LinkKind {
    /// Every kind of id.
    pub const IDS: [Self; 4] = [Self::Association, Self::Offering, Self::Person, Self::Student];

    /// The kind as the table's keys spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Association => "association",
            Self::Offering => "offering",
            Self::Person => "person",
            Self::Student => "student",
            Self::Retention => "retention",
        }
    }
}

impl Links {
    /// Reads the ids of metadata about `subject`. Values that are no ids are ignored.
    pub(super) fn parse(subject: Subject, root: &Node<'_>, consumer: &Consumer<'_>) -> Result<Self> {
        let of_subject = |kind| (subject.kind == kind).then(|| subject.id.to_string());
        let neighbour = |kind: SubjectKind| match (of_subject(kind), neighbour(root, kind.as_str())?) {
            (Some(own), Some(other)) if own != other => {
                Err(root.refuse(format!("holds the id of another {} than the path, {own}", kind.as_str())))
            }
            (own, other) => Ok(own.or(other)),
        };
        let person = match subject.kind {
            SubjectKind::Person => Some(root.clone()),
            SubjectKind::Association | SubjectKind::Offering => root.get("person")?,
        };
        let in_consumer = |key: &str| Ok::<_, crate::Error>(consumer.get(key)?.and_then(|node| id(&node)));
        Ok(Self {
            association_id: neighbour(SubjectKind::Association)?,
            offering_id: neighbour(SubjectKind::Offering)?,
            person_id: neighbour(SubjectKind::Person)?,
            student_number: student_number(consumer, person.as_ref())?,
            // Flows 5 and 7 have it here still; in flow 1 it moved to the consumer in November 2025, whose examples
            // give the two different values.
            sequence_code: in_consumer("sequenceCode")?.or_else(|| codes(root, "opleidingsblad").into_iter().next()),
            exam_code: in_consumer("examCode")?,
            exam_component_offering: consumer.get("examComponentOffering")?.and_then(|node| id_of(&node, "offeringId")),
        })
    }

    /// The association, if its id is one that a report can be about.
    pub fn association(&self) -> Option<Uuid> {
        self.association_id.as_deref().and_then(parse_uuid)
    }

    /// The ids by which the document is found.
    pub fn all(&self) -> BTreeSet<Link> {
        let link = |kind, id: &Option<String>| id.clone().map(|id| Link { kind, id });
        let links = [
            link(LinkKind::Association, &self.association_id),
            link(LinkKind::Offering, &self.offering_id),
            link(LinkKind::Person, &self.person_id),
            link(LinkKind::Student, &self.student_number),
        ];
        links.into_iter().flatten().collect()
    }
}

/// The id of a neighbour: `person`, as an id or an object, and `personId`. Two that differ would have the document
/// found under a wrong one.
fn neighbour(root: &Node<'_>, name: &str) -> Result<Option<String>> {
    let key = format!("{name}Id");
    let expanded = root.get(name)?.and_then(|node| id_of(&node, &key));
    let Some(beside) = root.get(&key)? else {
        return Ok(expanded);
    };
    match (expanded, id(&beside)) {
        (Some(expanded), Some(beside_id)) if expanded != beside_id => {
            Err(beside.refuse(format!("differs from the id in {name}; send one of the two")))
        }
        (expanded, beside) => Ok(expanded.or(beside)),
    }
}

/// The student's number: the consumer's, else the first that the expanded `person` has. One that the person does not
/// have is another student's.
fn student_number(consumer: &Consumer<'_>, person: Option<&Node<'_>>) -> Result<Option<String>> {
    let persons = person.map_or(Vec::new(), |person| codes(person, "studentNumber"));
    let Some(node) = consumer.get("studentNumber")? else {
        return Ok(persons.into_iter().next());
    };
    match id(&node) {
        Some(number) if !persons.is_empty() && !persons.contains(&number) => {
            Err(node.refuse("differs from the studentNumber of the person; send the number of one student"))
        }
        Some(number) => Ok(Some(number)),
        None => Ok(persons.into_iter().next()),
    }
}

/// The codes of this type among an object's `primaryCode` and `otherCodes`, each of which may be one or a list.
fn codes(node: &Node<'_>, code_type: &str) -> Vec<String> {
    let listed = ["primaryCode", "otherCodes"].into_iter().filter_map(|key| node.get(key).ok()?);
    let codes = listed.flat_map(|codes| match codes.items() {
        Ok(items) => items.collect(),
        Err(_) => vec![codes],
    });
    let of_type = |code: Node<'_>| {
        let is_type = code.get("codeType").ok()??.value.as_str() == Some(code_type);
        is_type.then(|| id(&code.get("code").ok()??)).flatten()
    };
    codes.filter_map(of_type).collect()
}
