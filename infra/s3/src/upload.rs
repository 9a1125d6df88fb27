//! Multipart uploads and their parts, as they are kept.

use std::collections::BTreeMap;

use s3s::dto::Tag;
use serde::{Deserialize, Serialize};

use crate::checksums::{Algorithm, Kind};
use crate::data::DataFile;
use crate::headers::Headers;
use crate::hex;
use crate::seconds::Seconds;

/// An upload under way.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) initiated: Seconds,
    /// `None` if the client named no algorithm.
    pub(crate) asked: Option<(Algorithm, Kind)>,
    pub(crate) headers: Headers,
    pub(crate) tags: Vec<Tag>,
    #[serde(skip)]
    pub(crate) parts: BTreeMap<i32, Part>,
}

/// A part that has arrived.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) number: i32,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    /// Base64, in the upload's algorithm.
    pub(crate) sum: String,
    pub(crate) modified: Seconds,
    pub(crate) file: DataFile,
}

impl Part {
    pub(crate) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

impl Upload {
    /// The kind of checksum that the object will have.
    pub(crate) fn checksum(&self) -> (Algorithm, Kind) {
        self.asked.unwrap_or((Algorithm::Crc64Nvme, Kind::FullObject))
    }
}
