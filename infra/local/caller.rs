//! The caller of a store: a process of a function, or another client.

use http::HeaderMap;
use okd_faults::{Call, Named};

use crate::{policies::Principal, signed::Role};

/// The caller of a store.
pub(crate) struct Caller {
    /// The process of a function, by the name that its SDK gives itself; empty for other callers.
    process: String,
    /// The role of the session whose key signs.
    role: Option<Role>,
}

impl Caller {
    /// Reads the caller of a request, with a session of this role.
    pub(crate) fn of(headers: &HeaderMap, role: Option<Role>) -> Self {
        Self { process: process_of(headers), role }
    }

    /// Its role, or else its function; a nameless one for other callers.
    pub(crate) fn principal(&self) -> Principal<'_> {
        match &self.role {
            Some(role) => Principal { name: &role.name, tags: Some(&role.tags) },
            None => Principal::function(function_of(&self.process)),
        }
    }
}

/// Names a request as it passes the [fault layer](okd_faults).
pub(crate) fn named(headers: &HeaderMap, operation: &str) -> Named {
    let process = process_of(headers);
    let call = Call { from: function_of(&process).to_owned(), operation: operation.to_owned() };
    // S3 begins its answer before the parts are joined.
    Named { process, call, fails_inside: operation == "CompleteMultipartUpload" }
}

fn process_of(headers: &HeaderMap) -> String {
    let agent = headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let app = agent.split(' ').find_map(|word| word.strip_prefix("app/"));
    app.unwrap_or_default().to_owned()
}

/// The logical id of a process's function.
fn function_of(process: &str) -> &str {
    process.rsplit_once('-').map_or("", |(function, _)| function)
}
