//! Who does something to a document or an enrolment, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The author and the time of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The time.
    pub at: Timestamp,
    /// The author.
    pub by: Actor,
}

impl Stamp {
    /// The service itself does it, behind the senders' backs.
    pub(crate) fn of_the_service(at: Timestamp) -> Self {
        let by = Actor::default();
        Self { at, by }
    }
}

/// The author of an action: a client of the document's tenant, or the service itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The id of its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}
