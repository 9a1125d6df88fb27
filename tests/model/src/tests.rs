//! The judge judged: true histories, and one lie for each promise.

use std::collections::BTreeSet;

use crate::{
    Answer::{self, *},
    Declared::{Crc64Nvme, Nothing, Sha256},
    End::{Aborted, Expired, Superseded, Wrong},
    Event,
    Operation::{self, *},
    Verdict, judge,
};

/// Requests one after the other.
fn in_turn(requests: &[(Operation, Answer)]) -> Vec<Event> {
    let event = |(number, &(operation, answer)): (usize, &(Operation, Answer))| Event {
        who: 0,
        begin: 2 * number as u64,
        end: 2 * number as u64 + 1,
        operation,
        answer,
    };
    requests.iter().enumerate().map(event).collect()
}

/// Requests all at once.
fn at_once(requests: &[(Operation, Answer)]) -> Vec<Event> {
    let event = |(who, &(operation, answer)): (usize, &(Operation, Answer))| Event {
        who,
        begin: who as u64,
        end: 1000 + who as u64,
        operation,
        answer,
    };
    requests.iter().enumerate().map(event).collect()
}

#[track_caller]
fn holds(history: &[Event]) {
    assert_eq!(judge(history), Verdict::Possible);
}

#[track_caller]
fn lies(history: &[Event]) {
    let verdict = judge(history);
    assert!(matches!(verdict, Verdict::Impossible(_)), "{verdict:?}");
}

const STORED: (Operation, Answer) = (HandIn(1, 1), Stored);

/// Seed 2848: the upload is current, and being compared, before its completion is answered that it is stored.
#[test]
fn a_completion_may_be_seen_before_it_is_answered_and_none_before_it_is_asked_for() {
    let event = |begin, end, operation, answer| Event { who: 0, begin, end, operation, answer };
    let opened = [event(0, 1, Offer(Sha256(1), 1), Open(1, false)), event(2, 3, Send(1, 1), Done)];
    let seen = event(5, 6, Offer(Crc64Nvme(1), 1), Verifying);
    holds(&[&opened[..], &[event(4, 9, Complete(1), Stored), seen, event(7, 8, Look(1), Stored)]].concat());
    lies(&[&opened[..], &[seen]].concat());
    lies(&[&opened[..], &[seen, event(7, 8, Complete(1), Verifying)]].concat());
}

#[test]
fn what_happens_every_day_is_possible() {
    holds(&in_turn(&[
        (Read, Holds(None)),
        STORED,
        STORED,
        (Read, Holds(Some((1, 1)))),
        (Offer(Sha256(1), 1), Stored),
        (Offer(Nothing, 1), Open(1, false)),
        (Complete(1), Incomplete),
        (Look(1), Open(1, false)),
        (Send(1, 2), Done),
        (Look(1), Open(1, true)),
        (Complete(1), Stored),
        (Complete(1), Stored),
        (Read, Holds(Some((2, 1)))),
        (Offer(Sha256(3), 1), Open(2, false)),
        (Offer(Sha256(3), 2), Open(2, false)),
        (Send(2, 3), Done),
        (Complete(2), Verifying),
        (Offer(Sha256(3), 2), Verifying),
        (Complete(2), Stored),
        (Read, Holds(Some((3, 2)))),
    ]));
    holds(&in_turn(&[
        STORED,
        (Offer(Sha256(2), 1), Open(1, false)),
        (Send(1, 3), Done),
        (Complete(1), Verifying),
        (Complete(1), Ended(Wrong)),
        (Read, Holds(Some((1, 1)))),
        (Offer(Nothing, 1), Open(2, false)),
        (Tick, Done),
        (Look(2), Ended(Expired)),
        (Offer(Crc64Nvme(2), 1), Open(3, false)),
        (Send(3, 2), Done),
        (Tick, Done),
        (Look(3), Stored),
        (Abort(3), Done),
        (Read, Holds(Some((2, 1)))),
    ]));
}

#[test]
fn of_two_at_once_either_may_be_the_last() {
    let two = [STORED, (HandIn(2, 1), Stored)];
    for last in [1, 2] {
        let mut history = at_once(&two);
        history.push(Event { who: 9, begin: 2000, end: 2001, operation: Read, answer: Holds(Some((last, 1))) });
        holds(&history);
    }
}

#[test]
fn what_was_not_answered_may_happen_late_or_never() {
    for late in [1, 2] {
        holds(&in_turn(&[
            (HandIn(2, 1), Answer::Silence),
            STORED,
            (Read, Holds(Some((1, 1)))),
            (Read, Holds(Some((late, 1)))),
        ]));
    }
    holds(&in_turn(&[(Offer(Sha256(1), 1), Answer::Silence), (Offer(Sha256(1), 1), Open(7, false))]));
}

#[test]
fn a_file_that_came_whole_and_is_not_current_is_a_lie() {
    lies(&in_turn(&[STORED, (Read, Holds(None))]));
    lies(&in_turn(&[STORED, (HandIn(2, 1), Stored), (Read, Holds(Some((1, 1))))]));
    lies(&in_turn(&[
        (Offer(Nothing, 1), Open(1, false)),
        (Send(1, 1), Done),
        (HandIn(2, 1), Stored),
        (Complete(1), Stored),
    ]));
}

#[test]
fn a_file_that_is_there_and_ends_an_upload_all_the_same_is_a_lie() {
    lies(&in_turn(&[STORED, (Offer(Nothing, 1), Open(1, false)), STORED, (Look(1), Ended(Superseded))]));
}

#[test]
fn metadata_that_are_not_corrected_are_a_lie() {
    lies(&in_turn(&[STORED, (HandIn(1, 2), Stored), (Read, Holds(Some((1, 1))))]));
}

#[test]
fn an_offer_of_what_is_there_that_opens_an_upload_is_a_lie() {
    lies(&in_turn(&[STORED, (Offer(Sha256(1), 1), Open(1, false))]));
    lies(&in_turn(&[
        (Offer(Sha256(1), 1), Open(1, false)),
        (Send(1, 2), Done),
        (Complete(1), Verifying),
        (Offer(Sha256(1), 1), Stored),
    ]));
}

#[test]
fn an_offer_that_forgets_the_upload_that_it_should_go_on_with_is_a_lie() {
    lies(&in_turn(&[(Offer(Sha256(1), 1), Open(1, false)), (Offer(Sha256(1), 1), Open(2, false))]));
}

#[test]
fn two_offers_that_declare_nothing_and_share_an_upload_are_a_lie() {
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (Offer(Nothing, 1), Open(1, false))]));
}

#[test]
fn an_offer_that_changes_what_is_current_is_a_lie() {
    lies(&in_turn(&[STORED, (Offer(Nothing, 2), Open(1, false)), (Read, Holds(None))]));
}

#[test]
fn bytes_of_an_upload_that_had_ended_are_a_lie() {
    lies(&in_turn(&[
        (Offer(Nothing, 1), Open(1, false)),
        (Abort(1), Done),
        (Send(1, 1), Done),
        (Read, Holds(Some((1, 1)))),
    ]));
}

#[test]
fn bytes_refused_for_nothing_are_a_lie() {
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (Send(1, 1), Refused)]));
}

#[test]
fn an_upload_that_is_completed_without_its_bytes_is_a_lie() {
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (Complete(1), Stored)]));
}

#[test]
fn an_upload_that_is_completed_with_anothers_bytes_or_unread_is_a_lie() {
    let begin = [
        (Offer(Nothing, 1), Open(1, false)),
        (Offer(Nothing, 2), Open(2, false)),
        (Send(2, 2), Done),
        (Complete(2), Stored),
    ];
    lies(&in_turn(&[&begin[..], &[(Read, Holds(Some((1, 2))))]].concat()));
    lies(&in_turn(&[&begin[..], &[(Read, Holds(Some((2, 1))))]].concat()));
    // A SHA-256 that is not the bytes' can never be called stored.
    lies(&in_turn(&[(Offer(Sha256(1), 1), Open(1, false)), (Send(1, 2), Done), (Complete(1), Stored)]));
}

#[test]
fn a_wrong_crc_that_is_stored_is_a_lie() {
    let begin = [(Offer(Crc64Nvme(1), 1), Open(1, false)), (Send(1, 2), Done)];
    lies(&in_turn(&[&begin[..], &[(Complete(1), Stored)]].concat()));
    lies(&in_turn(&[&begin[..], &[(Complete(1), Ended(Wrong)), (Read, Holds(Some((2, 1))))]].concat()));
}

#[test]
fn what_is_being_joined_and_aborted_and_then_current_is_a_lie() {
    let begin = [(Offer(Nothing, 1), Open(1, false)), (Send(1, 1), Done), (Complete(1), Completing)];
    holds(&in_turn(&[&begin[..], &[(Read, Holds(Some((1, 1))))]].concat()));
    lies(&in_turn(
        &[&begin[..], &[(Read, Holds(None)), (Abort(1), Done), (Look(1), Ended(Aborted)), (Read, Holds(Some((1, 1))))]]
            .concat(),
    ));
}

#[test]
fn another_answer_to_the_same_completion_is_a_lie() {
    lies(&in_turn(&[
        (Offer(Nothing, 1), Open(1, false)),
        (Send(1, 1), Done),
        (Complete(1), Stored),
        (HandIn(2, 1), Stored),
        (Complete(1), Ended(Superseded)),
    ]));
}

#[test]
fn an_upload_that_was_aborted_and_is_current_is_a_lie() {
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (Send(1, 1), Done), (Abort(1), Done), (Complete(1), Stored)]));
    lies(&in_turn(&[
        (Offer(Nothing, 1), Open(1, false)),
        (Send(1, 1), Done),
        (Complete(1), Stored),
        (Abort(1), Done),
        (Read, Holds(None)),
    ]));
}

#[test]
fn bytes_that_nobody_sent_are_a_lie_also_of_the_service() {
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (Tick, Done), (Read, Holds(Some((1, 1))))]));
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (Send(1, 1), Done), (Tick, Done), (Look(1), Ended(Expired))]));
}

#[test]
fn right_bytes_that_are_lost_and_wrong_ones_that_stay_are_a_lie() {
    lies(&in_turn(&[
        (Offer(Sha256(1), 1), Open(1, false)),
        (Send(1, 1), Done),
        (Complete(1), Verifying),
        (Complete(1), Ended(Wrong)),
    ]));
    lies(&in_turn(&[
        STORED,
        (Offer(Sha256(2), 1), Open(1, false)),
        (Send(1, 3), Done),
        (Complete(1), Verifying),
        (Complete(1), Ended(Wrong)),
        (Read, Holds(Some((3, 1)))),
    ]));
}

#[test]
fn an_upload_that_says_something_else_of_itself_is_a_lie() {
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (Send(1, 1), Done), (Look(1), Open(1, false))]));
    lies(&in_turn(&[(Offer(Nothing, 1), Open(1, false)), (HandIn(2, 1), Stored), (Look(1), Ended(Aborted))]));
    lies(&in_turn(&[(Look(1), Ended(Aborted))]));
}

#[test]
fn an_order_that_runs_against_the_clock_is_a_lie_and_its_story_is_short() {
    let history = in_turn(&[
        (Offer(Nothing, 1), Open(1, false)),
        (Look(1), Open(1, false)),
        STORED,
        (HandIn(2, 1), Stored),
        (Read, Holds(Some((2, 1)))),
        (HandIn(3, 1), Stored),
        (Read, Holds(Some((1, 1)))),
        (Read, Holds(Some((1, 1)))),
    ]);
    let Verdict::Impossible(story) = judge(&history) else {
        panic!("it is a lie");
    };
    assert_eq!(story.len(), 5, "{story:#?}");
    assert!(story.iter().all(|event| event.to_string().contains("->")));
}

#[test]
fn the_page_and_the_judge_have_the_same_sentences() {
    let judged = include_str!("promises.rs").split("promise!(").skip(1);
    let judged: BTreeSet<&str> = judged.filter_map(|rest| rest.split('"').nth(1)).collect();
    let page = include_str!("../../../docs/promises.md").lines();
    let page: BTreeSet<&str> = page.filter_map(|line| line.strip_prefix("- ")).collect();
    assert!(judged.len() > 20);
    assert_eq!(judged, page);
}
