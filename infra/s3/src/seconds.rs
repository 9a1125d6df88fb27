//! S3's clock: whole seconds, in `Last-Modified` as in its listings.

use std::time::{Duration, SystemTime};

use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};

/// Whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seconds(pub(crate) u64);

impl Seconds {
    pub(crate) fn now() -> Seconds {
        SystemTime::now().into()
    }

    pub(crate) fn timestamp(self) -> Timestamp {
        (SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)).into()
    }
}

impl From<SystemTime> for Seconds {
    fn from(time: SystemTime) -> Seconds {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        Seconds(since.unwrap_or_default().as_secs())
    }
}
