//! What operators and the schools' own systems see: what is announced, what is measured, and that the template says
//! neither less nor more than what the code needs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod announcements;
mod conformance;
mod contract;
mod guard;
mod metrics;
mod sam;
mod start;
mod template;
