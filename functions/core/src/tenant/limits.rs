//! The limits of a tenant: never beyond what the service can do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    metadata::MAX_METADATA,
    parts::{MAX_DOCUMENT, STANDARD_DOCUMENT},
    quota::Quota,
};

/// The limits of a tenant, within what the service can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedLimits", into = "UncheckedLimits")]
pub struct Limits(UncheckedLimits);

/// Limits as an operator wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UncheckedLimits {
    /// Bytes in a document, at most.
    pub document_size: u64,
    /// Bytes of metadata, at most.
    pub metadata_size: usize,
    /// Uploads that are open at once, at most.
    pub open_uploads: u64,
    /// Bytes that these uploads declare together, at most.
    pub bytes_in_flight: u64,
    /// The part of both that one client may have, in percent, so that it does not shut the others out.
    pub client_percent: u64,
    /// The lifetime of a part's URL, in seconds.
    pub part_url_seconds: u64,
    /// The number of requests a second one process of the api function sees to.
    pub requests_per_second: u32,
}

impl Default for UncheckedLimits {
    fn default() -> Self {
        Self {
            document_size: STANDARD_DOCUMENT,
            metadata_size: MAX_METADATA,
            open_uploads: 1000,
            bytes_in_flight: 256 * STANDARD_DOCUMENT,
            client_percent: 50,
            part_url_seconds: 3600,
            requests_per_second: 100,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let limits = UncheckedLimits::default().try_into();
        limits.expect("the defaults are within what the service can do; a test says so")
    }
}

impl TryFrom<UncheckedLimits> for Limits {
    type Error = String;

    fn try_from(wanted: UncheckedLimits) -> Result<Self, String> {
        let UncheckedLimits {
            document_size,
            metadata_size,
            open_uploads,
            bytes_in_flight,
            client_percent,
            part_url_seconds,
            requests_per_second,
        } = wanted;
        if !(1..=MAX_DOCUMENT).contains(&document_size) {
            return Err(format!("a document has 1 to {MAX_DOCUMENT} bytes"));
        }
        if !(1024..=MAX_METADATA).contains(&metadata_size) {
            return Err(format!("metadata may have 1024 to {MAX_METADATA} bytes"));
        }
        if !(1..=1_000_000).contains(&open_uploads) {
            return Err("1 to 1000000 uploads may be open".to_owned());
        }
        if !(document_size..=1 << 50).contains(&bytes_in_flight) {
            return Err(format!(
                "the bytes in flight must leave room for a document of the largest size, {document_size}"
            ));
        }
        if !(1..=100).contains(&client_percent) {
            return Err("one client may have 1 to 100 percent".to_owned());
        }
        if !(60..=3600).contains(&part_url_seconds) {
            return Err("a part's URL lives 60 to 3600 seconds".to_owned());
        }
        if !(1..=10_000).contains(&requests_per_second) {
            return Err("1 to 10000 requests a second may be seen to".to_owned());
        }
        Ok(Self(wanted))
    }
}

impl From<Limits> for UncheckedLimits {
    fn from(limits: Limits) -> Self {
        limits.0
    }
}

impl Limits {
    /// Bytes in a document, at most.
    pub fn document_size(&self) -> u64 {
        self.0.document_size
    }

    /// Bytes of metadata, at most.
    pub fn metadata_size(&self) -> usize {
        self.0.metadata_size
    }

    /// The time that a part's URL lives.
    pub(crate) fn part_url_lifetime(&self) -> Duration {
        Duration::from_secs(self.0.part_url_seconds)
    }

    /// The number of requests a second one process sees to.
    pub fn requests_per_second(&self) -> u32 {
        self.0.requests_per_second
    }

    /// The quota of what may be on its way at once.
    pub fn quota(&self) -> Quota {
        let UncheckedLimits { open_uploads, bytes_in_flight, client_percent, document_size, .. } = self.0;
        Quota { open_uploads, bytes_in_flight, client_percent, document_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_beyond_what_the_service_can_do_are_refused() {
        let sound = UncheckedLimits::default();
        for limits in [
            UncheckedLimits { document_size: 0, ..sound },
            UncheckedLimits { document_size: MAX_DOCUMENT + 1, ..sound },
            UncheckedLimits { metadata_size: MAX_METADATA + 1, ..sound },
            UncheckedLimits { open_uploads: 0, ..sound },
            UncheckedLimits { open_uploads: 1_000_001, ..sound },
            UncheckedLimits { metadata_size: 1023, ..sound },
            UncheckedLimits { bytes_in_flight: STANDARD_DOCUMENT - 1, ..sound },
            UncheckedLimits { bytes_in_flight: (1 << 50) + 1, ..sound },
            UncheckedLimits { client_percent: 0, ..sound },
            UncheckedLimits { part_url_seconds: 59, ..sound },
            UncheckedLimits { requests_per_second: 10_001, ..sound },
            UncheckedLimits { client_percent: 101, ..sound },
            UncheckedLimits { part_url_seconds: 3601, ..sound },
            UncheckedLimits { requests_per_second: 0, ..sound },
        ] {
            assert!(Limits::try_from(limits).is_err(), "{limits:?}");
        }
    }

    #[test]
    fn limits_are_taken_up_to_what_the_service_can_do() {
        let sound = UncheckedLimits::default();
        for limits in [
            UncheckedLimits { document_size: 1, bytes_in_flight: 1, ..sound },
            UncheckedLimits { metadata_size: 1024, ..sound },
            UncheckedLimits { open_uploads: 1_000_000, ..sound },
            UncheckedLimits { bytes_in_flight: STANDARD_DOCUMENT, ..sound },
            UncheckedLimits { document_size: MAX_DOCUMENT, bytes_in_flight: MAX_DOCUMENT, ..sound },
            UncheckedLimits { bytes_in_flight: 1 << 50, ..sound },
            UncheckedLimits { client_percent: 1, ..sound },
            UncheckedLimits { client_percent: 100, part_url_seconds: 60, ..sound },
            UncheckedLimits { requests_per_second: 10_000, ..sound },
        ] {
            let taken = Limits::try_from(limits).unwrap();
            assert_eq!(UncheckedLimits::from(taken), limits);
            assert_eq!(taken.document_size(), limits.document_size);
            assert_eq!(taken.metadata_size(), limits.metadata_size);
            assert_eq!(taken.part_url_lifetime().as_secs(), limits.part_url_seconds);
            assert_eq!(taken.requests_per_second(), limits.requests_per_second);
            assert_eq!(taken.quota().open_uploads, limits.open_uploads);
        }
    }

    #[test]
    fn by_default_open_uploads_are_counted_in_eight_shards() {
        assert_eq!(Limits::default().quota().shards(), 8);
    }
}
