//! The search for an order (Wing and Gong's): every request takes effect at one moment between its begin and its
//! answer, or, where it was not answered, at any moment after its begin or never.

use std::{collections::HashSet, fmt};

use crate::promises::{Answer, Meanwhile, Operation, State, step};

/// One request, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Who made it.
    pub who: usize,
    /// When it began: any clock that goes on with each event.
    pub begin: u64,
    /// When it was answered.
    pub end: u64,
    /// What was asked.
    pub operation: Operation,
    /// What was answered.
    pub answer: Answer,
}

/// What the judge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains every answer.
    Possible,
    /// There is none. The shortest part of the history that cannot be.
    Impossible(Vec<Event>),
    /// The search was given up.
    Undecided,
}

/// The most requests of a history.
pub const LONGEST: usize = 128;
/// States looked at before the search is given up.
const PATIENCE: usize = 2_000_000;

impl Event {
    fn is_answered(&self) -> bool {
        self.answer != Answer::Silence
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, begin, end, operation, answer } = self;
        write!(f, "{begin:>4} to {end:>4}  {who}: {operation:?} -> {answer:?}")
    }
}

/// Judges a history of one document that was not there before.
///
/// # Panics
/// If it has more than [`LONGEST`] requests.
pub fn judge(history: &[Event]) -> Verdict {
    assert!(history.len() <= LONGEST, "a longer history than the judge remembers");
    match search(history) {
        Some(true) => Verdict::Possible,
        None => Verdict::Undecided,
        Some(false) => Verdict::Impossible(shrink(history)),
    }
}

/// Whether bytes were under way while this request was.
fn meets_bytes(history: &[Event], event: &Event) -> bool {
    let end = |event: &Event| {
        if event.is_answered() { event.end } else { u64::MAX }
    };
    let mut sends = history.iter().filter(|other| matches!(other.operation, Operation::Send(..)));
    sends.any(|send| send.begin < end(event) && event.begin < end(send))
}

/// Whether there is an order; `None` where the search was given up.
fn search(history: &[Event]) -> Option<bool> {
    let answered = history.iter().zip(0..).filter(|(event, _)| event.is_answered());
    let all: u128 = answered.map(|(_, number)| 1 << number).sum();
    let mut seen: HashSet<(u128, State)> = HashSet::new();
    let mut to_do = vec![(0_u128, State::default())];
    while let Some((done, state)) = to_do.pop() {
        if done & all == all {
            return Some(true);
        }
        if seen.len() > PATIENCE {
            return None;
        }
        let left = || history.iter().enumerate().filter(move |(number, _)| done & (1 << number) == 0);
        let ends = left().filter(|(_, event)| event.is_answered());
        let first_end = ends.map(|(_, event)| event.end).min().unwrap_or(u64::MAX);
        let begun = || left().filter(|(_, event)| event.begin < first_end);
        let completing = begun().filter_map(|(_, event)| match event.operation {
            Operation::Complete(upload) => Some(upload),
            _ => None,
        });
        let completing: Vec<_> = completing.collect();
        for (number, event) in begun() {
            let meanwhile = Meanwhile { bytes: meets_bytes(history, event), completing: completing.clone() };
            for next in step(&state, number, event.operation, event.answer, &meanwhile) {
                // What was not answered and changes nothing need not be in the order.
                if !event.is_answered() && next == state {
                    continue;
                }
                let next = (done | 1 << number, next);
                if seen.insert(next.clone()) {
                    to_do.push(next);
                }
            }
        }
    }
    Some(false)
}

/// The shortest beginning that cannot be, without the requests that it cannot be without all the same.
fn shrink(history: &[Event]) -> Vec<Event> {
    let mut ends: Vec<u64> = history.iter().map(|event| event.end).collect();
    ends.sort_unstable();
    let until = |end: u64| -> Vec<Event> {
        let begun = history.iter().filter(|event| event.begin <= end);
        let seen = |event: &Event| {
            let answer = if event.end <= end { event.answer } else { Answer::Silence };
            Event { answer, ..*event }
        };
        begun.map(seen).collect()
    };
    let impossible = |events: &[Event]| search(events) == Some(false);
    let beginnings = ends.into_iter().map(until);
    let mut story = beginnings.into_iter().find(|events| impossible(events)).unwrap_or_else(|| history.to_vec());
    // Without an effect a request can be left out, and what is left means the same.
    let mut number = 0;
    while number < story.len() {
        let mut shorter = story.clone();
        let left_out = shorter.remove(number);
        let has_no_effect =
            matches!(left_out.operation, Operation::Look(_) | Operation::Read) || !left_out.is_answered();
        if has_no_effect && impossible(&shorter) {
            story = shorter;
        } else {
            number += 1;
        }
    }
    story.sort_by_key(|event| event.begin);
    story
}
