//! What a document knows of its enrolment.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::*;
use crate::{
    association::{Association, AssociationState, FINAL_END, Report},
    metadata::LinkKind,
};

const END: Date = Date::constant(2026, 7, 31);

/// The association of the tests' documents after so many reports, the last of which says that it is so.
fn reported(revision: u64, state: AssociationState) -> Association {
    let tenant = empty().tenant;
    let dates = BTreeMap::from([(FINAL_END, Some(END))]);
    let mut association = Association::unknown(tenant, SUBJECT.id);
    for number in 0..revision {
        let report = Report { state: Some(state), dates: dates.clone(), as_sent: number.to_string() };
        association = association.after(&report, &stamp(1)).unwrap();
    }
    association
}

/// A document that is kept for a year, as it was first written by one who knew of no report.
fn kept() -> Change {
    let suggestion = r#", "retentionPeriodSuggestion": "1Y""#;
    let metadata = metadata_with(1, suggestion, SentFile::default());
    empty().receive(Content { metadata, ..content(1, at(0)) }, &stamp(1)).unwrap()
}

fn days(links: &[Link]) -> Vec<&str> {
    let days = links.iter().filter(|link| link.kind == LinkKind::Retention);
    days.map(|link| link.id.as_str()).collect()
}

#[test]
fn a_change_that_links_a_document_to_an_enrolment_asks_whether_it_knows_of_its_last_report() {
    let change = kept();
    assert_eq!((change.enrollments.get(&SUBJECT.id), days(&change.linked)), (Some(&0), vec!["1971-01-01"]));
    let ended = reported(3, AssociationState::Finished);
    let change = change.knowing(&empty(), &ended);
    assert_eq!((change.enrollments.get(&SUBJECT.id), days(&change.linked)), (Some(&3), vec!["2027-07-31"]));
    let running = reported(4, AssociationState::Associated);
    let change = change.knowing(&empty(), &running);
    assert_eq!((change.enrollments.get(&SUBJECT.id), days(&change.linked)), (Some(&4), vec![]));
    // What it is linked to it is told of.
    let again = change.next.receive(content(2, at(0)), &stamp(2)).unwrap();
    assert_eq!((again.enrollments.len(), again.next.enrollments.len()), (0, 1));
}

#[test]
fn a_document_that_is_told_of_its_enrolment_moves_the_day_to_which_it_is_kept_once() {
    let document = kept().next;
    let ended = reported(1, AssociationState::Finished);
    let told = document.told(&ended, &stamp(2)).unwrap();
    assert_eq!((days(&told.linked), days(&told.unlinked)), (vec!["2027-07-31"], vec!["1971-01-01"]));
    assert_eq!(told.enrollments.get(&SUBJECT.id), Some(&1));
    assert_eq!(told.next.content, document.content);
    assert_eq!(told.next.told(&ended, &stamp(3)), None);
    // The same end by another report is no news.
    assert_eq!(told.next.told(&reported(2, AssociationState::Denied), &stamp(3)), None);
    let deleted = told.next.delete(&stamp(3)).unwrap();
    assert_eq!(days(&deleted.unlinked), ["2027-07-31"]);
    assert_eq!((deleted.next.told(&ended, &stamp(4)), deleted.next.enrollments), (None, vec![]));
}

#[test]
fn an_enrolment_of_an_upload_alone_is_known_when_it_completes() {
    let open = upload(1, false, at(0));
    let document = Document { upload: Some(open.clone()), ..empty() };
    let told = document.told(&reported(1, AssociationState::Finished), &stamp(1)).unwrap();
    assert_eq!(told.entry().map(|entry| &entry.content_id), Some(&open.content_id));
    let complete = told.next.complete(open.into_content(None, None, at(2)), &stamp(2));
    assert_eq!((complete.enrollments.len(), complete.next.enrollments.len()), (0, 1));
}
