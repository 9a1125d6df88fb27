//! The plan by which a file is cut into parts: the server dictates it, so that S3's rules (5 MiB at least for every
//! part but the last, 10,000 parts at most) can never be broken by a client.

use serde::{Deserialize, Serialize};

/// The largest document that the standard asks for: 1 GiB ("berichten van maximaal 1 GB"). A tenant may have larger ones where
/// its operator says so.
pub const STANDARD_DOCUMENT: u64 = 1 << 30;
/// The largest document that there can be, 5,000 GiB: [`MAX_PARTS`] parts of the 5 GiB that S3 takes at most.
pub const MAX_DOCUMENT: u64 = MAX_PARTS * (5 << 30);
/// The largest document of which a SHA-256 may be declared: S3 does not compute it, so that the object is read back, by one
/// invocation of a function, which lives 300 s.
pub const MAX_READ_BACK: u64 = STANDARD_DOCUMENT;
/// The largest file that may come inline (form A), in bytes: Lambda takes 6 MB of event, in which a binary body grows
/// by a third (base64) and stands beside headers and metadata.
pub const MAX_INLINE_FILE: usize = 4 << 20;

const MIB: u64 = 1 << 20;
const MIN_PART: u64 = 16 * MIB;
/// One page of `ListParts`, so that asking what is there is always one call.
const MAX_PARTS: u64 = 1000;

/// A document's size in bytes: at least 1, at most [`MAX_DOCUMENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct DocumentSize(u64);

/// Why a number of bytes is no [`DocumentSize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Zero bytes: nothing to keep.
    #[error("a document has at least one byte")]
    Empty,
    /// More than [`MAX_DOCUMENT`].
    #[error("a document has at most {MAX_DOCUMENT} bytes")]
    TooLarge,
}

impl TryFrom<u64> for DocumentSize {
    type Error = SizeError;

    fn try_from(bytes: u64) -> Result<Self, SizeError> {
        match bytes {
            0 => Err(SizeError::Empty),
            1..=MAX_DOCUMENT => Ok(Self(bytes)),
            _ => Err(SizeError::TooLarge),
        }
    }
}

impl From<DocumentSize> for u64 {
    fn from(size: DocumentSize) -> Self {
        size.0
    }
}

impl DocumentSize {
    /// The number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// The parts of one document: of `part_size` bytes each, the last one of what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartPlan {
    /// The whole document's size.
    pub size: DocumentSize,
    /// Bytes in every part but the last: whole MiB, at least 16.
    pub part_size: u64,
}

/// One slice of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// S3's number for it, from 1.
    pub number: i32,
    /// The slice's offset in the file, in bytes.
    pub offset: u64,
    /// The slice's length in bytes.
    pub size: u64,
}

impl From<DocumentSize> for PartPlan {
    /// `max(16 MiB, size / 1000 rounded up to a whole MiB)`: at most 1,000 parts, and a small file is one.
    fn from(size: DocumentSize) -> Self {
        let part_size = size.0.div_ceil(MAX_PARTS).next_multiple_of(MIB).max(MIN_PART);
        Self { size, part_size }
    }
}

impl PartPlan {
    /// The number of parts: 1 to 1,000.
    pub fn count(&self) -> i32 {
        i32::try_from(self.size.0.div_ceil(self.part_size)).expect("a plan has at most 1,000 parts")
    }

    /// The parts in order; together they are the file, without gap or overlap.
    pub fn parts(self) -> impl Iterator<Item = Part> {
        (1..=self.count()).map(move |number| {
            let offset = u64::from((number - 1).unsigned_abs()) * self.part_size;
            Part { number, offset, size: self.part_size.min(self.size.0 - offset) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(bytes: u64) -> PartPlan {
        PartPlan::from(DocumentSize::try_from(bytes).unwrap())
    }

    #[test]
    fn a_gibibyte_is_64_parts_of_16_mib_and_the_largest_document_1000_of_5_gib() {
        assert_eq!((plan(STANDARD_DOCUMENT).count(), plan(STANDARD_DOCUMENT).part_size), (64, 16 * MIB));
        assert_eq!((plan(MAX_DOCUMENT).count(), plan(MAX_DOCUMENT).part_size), (1000, 5 << 30));
    }

    #[test]
    fn a_file_of_4_mib_may_come_inline() {
        assert_eq!(MAX_INLINE_FILE, 4 * 1024 * 1024);
    }

    #[test]
    fn a_file_of_exactly_one_part_is_not_followed_by_an_empty_one() {
        assert_eq!((plan(16 * MIB).count(), plan(16 * MIB + 1).count()), (1, 2));
    }

    #[test]
    fn no_bytes_and_a_byte_too_many_are_no_document() {
        assert_eq!(DocumentSize::try_from(0), Err(SizeError::Empty));
        assert_eq!(DocumentSize::try_from(MAX_DOCUMENT + 1), Err(SizeError::TooLarge));
    }

    proptest! {
        #[test]
        fn the_parts_are_the_file_and_obey_s3(bytes in 1..=MAX_DOCUMENT) {
            let parts: Vec<Part> = plan(bytes).parts().collect();
            let mut end = 0;
            for (index, part) in parts.iter().enumerate() {
                prop_assert_eq!(usize::try_from(part.number).unwrap(), index + 1);
                prop_assert_eq!(part.offset, end);
                prop_assert!(part.size > 0);
                prop_assert!(index + 1 == parts.len() || part.size >= 5 * MIB);
                end += part.size;
            }
            prop_assert_eq!(end, bytes);
            prop_assert!(parts.len() <= 1000);
            prop_assert!(parts.iter().all(|part| part.size <= 5 << 30));
        }
    }
}
