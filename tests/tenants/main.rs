//! Many schools on one service, and nobody else: whose token it is, what it may do, and that nobody gets at what is
//! another's, with everything hostile that we could think of.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod history;
mod hostile;
mod isolation;
mod issuers;
mod keys;
mod limits;
mod refusals;
mod retention;
mod rsa;
mod school;
mod sessions;
mod shapes;
mod token_endpoint;
