//! The whole system over HTTP: gateway, function, S3, DynamoDB and issuer of the local cloud.
//!
//! Each test is a sender of its own, so that tests can share one cloud; those that count calls or look
//! into empty stores start their own. With `OKD_TEST_S3_ENDPOINT` and `OKD_TEST_DYNAMODB_ENDPOINT` set, the
//! shared cloud uses the stores at those URLs (ministack's, in CI) instead of ours.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod downloads;
mod enrolments;
mod examples;
mod facts;
mod forms;
mod gateway;
mod identity;
mod inline;
mod lists;
mod messages;
mod metadata;
mod refusals;
mod repeats;
mod restart;
mod standard;
mod streaming;
mod tokens;
mod uploads;
mod verifying;
