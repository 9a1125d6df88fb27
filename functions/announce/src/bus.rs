//! The EventBridge bus on which it is announced what becomes of documents. Needs `events:PutEvents` on it.

use aws_sdk_eventbridge::{Client, config, primitives::DateTime, types::PutEventsRequestEntry};
use okd_core::{Error, Result, metrics::TimesCalls, stores::SdkConfig};

use crate::change::Announcement;

/// EventBridge takes so many events in a call at most.
pub const AT_ONCE: usize = 10;
/// The `source` of the events.
const SOURCE: &str = "okd.documents";

/// The bus.
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// The bus of this name.
    pub fn new(sdk: &SdkConfig, name: String) -> Self {
        let config = config::Builder::from(sdk).interceptor(TimesCalls).build();
        Self { client: Client::from_conf(config), name }
    }

    /// Puts up to [`AT_ONCE`] announcements on the bus; says how many of them, from the first, are certainly there.
    pub async fn announce(&self, announcements: &[&Announcement]) -> Result<usize> {
        let entry = |announcement: &&Announcement| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(announcement.kind)
                .detail(announcement.detail.to_string())
                .time(DateTime::from_millis(announcement.at.as_millisecond()))
                .build()
        };
        let entries = announcements.iter().map(entry).collect();
        let sent = self.client.put_events().set_entries(Some(entries)).send();
        let answer = sent.await.map_err(|error| Error::unavailable("announcing documents", error))?;
        let mut entries = answer.entries().iter().enumerate();
        let refused = entries.find(|(_, entry)| entry.error_code().is_some());
        let Some((index, entry)) = refused else {
            return Ok(announcements.len());
        };
        tracing::error!(code = entry.error_code(), cause = entry.error_message(), "not announced");
        Ok(index)
    }
}
