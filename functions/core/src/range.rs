//! A range of a document's bytes, as a reader asks for it (RFC 9110, section 14).

use std::ops::RangeInclusive;

/// The part of a document that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByteRange {
    /// All of it: no range was asked for, or one that is to be ignored.
    Whole,
    /// These bytes of it.
    Part(RangeInclusive<u64>),
    /// Bytes that it does not have.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads the header `Range` for a document of `size` bytes, at least one. A unit that is not bytes, several ranges and
    /// what cannot be read are ignored, as the RFC lets a server do.
    pub fn parse(header: Option<&str>, size: u64) -> Self {
        let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
            return Self::Whole;
        };
        match range.trim().split_once('-') {
            Some(("", length)) => number(length).map_or(Self::Whole, |length| match length {
                0 => Self::Unsatisfiable,
                length => Self::Part(size.saturating_sub(length)..=size - 1),
            }),
            Some((first, last)) => Self::between(number(first), last, size),
            None => Self::Whole,
        }
    }

    fn between(first: Option<u64>, last: &str, size: u64) -> Self {
        let last = if last.is_empty() { Some(u64::MAX) } else { number(last) };
        match first.zip(last) {
            Some((first, last)) if first > last => Self::Whole,
            Some((first, _)) if first >= size => Self::Unsatisfiable,
            Some((first, last)) => Self::Part(first..=last.min(size - 1)),
            None => Self::Whole,
        }
    }
}

/// A number of digits alone. One that is too large for any document counts as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_means_what_the_rfc_says() {
        let part = ByteRange::Part;
        for (header, expected) in [
            ("bytes=0-0", part(0..=0)),
            ("bytes=2-4", part(2..=4)),
            ("bytes=2-", part(2..=9)),
            ("bytes=2-99", part(2..=9)),
            ("bytes=-3", part(7..=9)),
            ("bytes=-99", part(0..=9)),
            ("bytes=0-99999999999999999999", part(0..=9)),
            ("bytes=10-", ByteRange::Unsatisfiable),
            ("bytes=99999999999999999999-", ByteRange::Unsatisfiable),
            ("bytes=-0", ByteRange::Unsatisfiable),
            ("bytes=4-2", ByteRange::Whole),
            ("bytes=0-1,4-5", ByteRange::Whole),
            ("bytes=+1-2", ByteRange::Whole),
            ("bytes=a-", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=", ByteRange::Whole),
            ("lines=0-1", ByteRange::Whole),
        ] {
            assert_eq!(ByteRange::parse(Some(header), 10), expected, "{header}");
        }
        assert_eq!(ByteRange::parse(None, 10), ByteRange::Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_within_the_document_whatever_is_asked_for(header in "(bytes=)?[0-9]{0,21}-?[0-9]{0,21}.{0,3}", size in 1u64..) {
            if let ByteRange::Part(part) = ByteRange::parse(Some(&header), size) {
                prop_assert!(part.start() <= part.end() && *part.end() < size, "{:?} of {}", part, size);
            }
        }
    }
}
