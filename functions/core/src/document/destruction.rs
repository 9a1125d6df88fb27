//! The destruction of a document: of its contents, with all that was said of them. What stays is that it was there.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::orphan::ORPHANED_FOR;
use crate::checksum::Checksum;

/// The time for which the sweep has its turn to remove what was noted.
const TURN: Duration = Duration::from_mins(5);

/// How far the destruction of contents is. Their objects are noted to be removed, and removed when no request that is
/// storing the same bytes anew can be under way any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destruction {
    /// The number of contents that it is for: the first ones.
    pub contents: u32,
    /// The checksums of the last of these.
    pub checksums: Vec<Checksum>,
    /// The time at which it was asked for.
    pub wanted_at: Timestamp,
    /// The time at which their metadata were gone and their objects noted to be removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noted_at: Option<Timestamp>,
    /// The time at which the last of their objects was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl Destruction {
    /// The time at which the sweep is to go on with it.
    pub fn due(&self) -> Option<Timestamp> {
        match (self.noted_at, self.done_at) {
            (_, Some(_)) => None,
            (Some(noted_at), None) => Some(noted_at + ORPHANED_FOR + TURN),
            (None, None) => Some(self.wanted_at),
        }
    }
}
