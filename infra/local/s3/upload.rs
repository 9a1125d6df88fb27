//! Multipart uploads and their parts, as they are kept.

use std::collections::BTreeMap;

use s3s::dto::Tag;
use serde::{Deserialize, Serialize};

use super::checksums::{Algorithm, Kind};
use super::data::DataFile;
use super::headers::Headers;
use super::hex;
use super::seconds::Seconds;

/// An upload under way.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) initiated: Seconds,
    /// `None` if the client named no algorithm.
    pub(super) asked: Option<(Algorithm, Kind)>,
    pub(super) headers: Headers,
    pub(super) tags: Vec<Tag>,
    #[serde(skip)]
    pub(super) parts: BTreeMap<i32, Part>,
}

/// A part that has arrived.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    /// Base64, in the upload's algorithm.
    pub(super) sum: String,
    pub(super) modified: Seconds,
    pub(super) file: DataFile,
}

impl Part {
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

impl Upload {
    /// The kind of checksum that the object will have.
    pub(super) fn checksum(&self) -> (Algorithm, Kind) {
        self.asked.unwrap_or((Algorithm::Crc64Nvme, Kind::FullObject))
    }
}
