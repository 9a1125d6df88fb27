//! What operators and the schools' own systems see: what is announced, what is measured, and that the template says
//! neither less nor more than what the code needs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod announcements;
#[path = "../cloud/mod.rs"]
mod cloud;
mod guard;
mod metrics;
#[path = "../cloud/program.rs"]
mod program;
mod sam;
#[path = "../api/sender.rs"]
#[expect(dead_code, reason = "the whole system's tests use all of it")]
mod sender;
mod start;
mod template;
