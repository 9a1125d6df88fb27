//! The request log: who asked for what and what it was answered. In memory only, and without
//! query strings, which hold signatures.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The number of calls that are remembered.
const CALLS_KEPT: usize = 10_000;

/// One answered request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The time at which the answer's head was ready; a `GetObject`'s body follows after.
    pub time: SystemTime,
    /// S3's name, `UploadPart` for one; `CorsPreflight` for an OPTIONS request, and empty for a
    /// request refused before its operation was known (a bad signature, an expired URL).
    pub operation: String,
    /// The bucket in the path, or empty.
    pub bucket: String,
    /// The key in the path, or empty.
    pub key: String,
    /// The part's number, of an `UploadPart`.
    pub part_number: Option<u32>,
    /// The HTTP status.
    pub status: u16,
}

#[derive(Default)]
pub(crate) struct CallLog(Mutex<VecDeque<Call>>);

impl CallLog {
    pub(crate) fn push(&self, call: Call) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == CALLS_KEPT {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().cloned().collect()
    }
}
