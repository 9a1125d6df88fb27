//! Many schools on one service, and nobody else: whose token it is, what it may do, and that nobody gets at what is
//! another's, with everything hostile that we could think of.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../cloud/mod.rs"]
mod cloud;
mod command;
mod history;
mod hostile;
mod isolation;
mod issuers;
mod keys;
mod limits;
mod refusals;
mod rsa;
mod school;
#[path = "../api/sender.rs"]
#[expect(dead_code, reason = "the whole system's tests use all of it")]
mod sender;
mod sessions;
mod shapes;
mod token_endpoint;
