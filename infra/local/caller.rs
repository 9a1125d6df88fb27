//! The caller of a store: a process of a function, or another client.

use crate::signed::Role;

/// The caller of a store.
pub(crate) struct Caller {
    /// The process of a function, by the name that its SDK gives itself; empty for other callers.
    pub(crate) process: String,
    /// The role of the session whose key signs.
    pub(crate) role: Option<Role>,
}

impl Caller {
    /// Reads the caller of a request, with a session of this role.
    pub(crate) fn of(headers: &http::HeaderMap, role: Option<Role>) -> Self {
        let agent = headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let app = agent.split(' ').find_map(|word| word.strip_prefix("app/"));
        let process = app.unwrap_or_default().to_owned();
        Self { process, role }
    }

    /// A process of a function, by its own rights.
    pub(crate) fn process(name: String) -> Self {
        Self { process: name, role: None }
    }

    /// The logical id of its function.
    pub(crate) fn function(&self) -> &str {
        let function = self.process.rsplit_once('-');
        function.map_or("", |(function, _)| function)
    }
}
