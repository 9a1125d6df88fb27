//! A judge of histories: what several clients asked of one document at once, and what they were answered.
//!
//! It knows the service's promises (`docs/promises.md`) and none of its code, so that it does not share the code's
//! beliefs. [`mod@promises`] is them as one function: which states a document can be in after an answer. [`judge()`]
//! looks for an order of the requests that explains every answer; where there is none, [`Verdict::Impossible`] tells
//! the story that cannot be.

pub mod judge;
pub mod promises;

pub use judge::{Event, Verdict, judge};
pub use promises::{Answer, Declared, End, Operation, State, step};

#[cfg(test)]
mod tests;
