//! The offer of other bytes for a document that is stored: flow y by parts.

use super::{consumer, faults::Faults, json, json::Node, media_type::MediaType, text_of};
use crate::{Result, checksum::Checksum, parts::DocumentSize};

/// Bytes that are yet to come, for a document that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// `documentSize`.
    pub size: DocumentSize,
    /// `documentChecksum`, where declared.
    pub checksum: Option<Checksum>,
    /// `format`, where declared.
    pub media_type: Option<MediaType>,
}

impl Replacement {
    /// Reads the body of a request: an object with `documentSize` and, if the sender likes, `documentChecksum` and
    /// `format`. What else it holds is not read: a document's metadata are changed by handing it in again.
    ///
    /// Errors: as those of [`Metadata::parse`](super::Metadata::parse).
    pub fn parse(text: &[u8]) -> Result<Self> {
        let value = json::parse(text_of(text)?)?;
        let root = Node::root(&value);
        let mut faults = Faults::default();
        let size = faults.take(root.required("documentSize").and_then(|node| consumer::size(&node)));
        let checksum = root.get("documentChecksum")?.and_then(|node| faults.take(consumer::checksum(&node, size)));
        let media_type = root.get("format")?.and_then(|node| faults.take(consumer::media_type(&node)));
        Ok(Self { size: faults.end_with(size)?, checksum, media_type })
    }
}
