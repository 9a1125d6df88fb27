//! The checksums a client can name and S3 checks, stores and combines.
//!
//! Every object has exactly one stored checksum. Unless the client named an algorithm it is
//! CRC-64/NVME over the whole object, which S3 computes itself. CRCs of parts combine into the
//! CRC of the whole without reading the bytes again; SHAs do not, so theirs is a checksum over the
//! parts' checksums (`COMPOSITE`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, checksum_combine};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{self, ChecksumAlgorithm, ChecksumType};
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

    /// The name as in `x-amz-checksum-algorithm`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => ChecksumAlgorithm::CRC32,
            Algorithm::Crc32c => ChecksumAlgorithm::CRC32C,
            Algorithm::Crc64Nvme => ChecksumAlgorithm::CRC64NVME,
            Algorithm::Sha1 => ChecksumAlgorithm::SHA1,
            Algorithm::Sha256 => ChecksumAlgorithm::SHA256,
        }
    }

    pub(crate) fn lower(self) -> String {
        self.name().to_ascii_lowercase()
    }

    pub(crate) fn header(self) -> String {
        format!("x-amz-checksum-{}", self.lower())
    }

    pub(crate) fn named(name: &str) -> S3Result<Algorithm> {
        let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        found.ok_or_else(|| {
            s3_error!(
                InvalidRequest,
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
            )
        })
    }

    pub(crate) fn dto(self) -> ChecksumAlgorithm {
        ChecksumAlgorithm::from_static(self.name())
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Algorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 | Algorithm::Sha256 => None,
        }
    }

    fn digest_bytes(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        }
    }
}

/// True if a multipart object's checksum is over its bytes or over its parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    FullObject,
    Composite,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::FullObject => ChecksumType::FULL_OBJECT,
            Kind::Composite => ChecksumType::COMPOSITE,
        }
    }

    pub(crate) fn dto(self) -> ChecksumType {
        ChecksumType::from_static(self.name())
    }
}

/// The stored checksum of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: Kind,
    /// Base64; with `-<number of parts>` if composite.
    pub(crate) value: String,
}

/// The algorithm and kind a `CreateMultipartUpload` asks for; `None` if it names no algorithm.
pub(crate) fn asked_for(
    algorithm: Option<&ChecksumAlgorithm>,
    kind: Option<&ChecksumType>,
) -> S3Result<Option<(Algorithm, Kind)>> {
    let Some(algorithm) = algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(s3_error!(
                InvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )),
        };
    };
    let algorithm = Algorithm::named(algorithm.as_str())?;
    let kind = match (kind.map(ChecksumType::as_str), algorithm) {
        (None, Algorithm::Crc64Nvme) | (Some(ChecksumType::FULL_OBJECT), _) => Kind::FullObject,
        (None | Some(ChecksumType::COMPOSITE), _) => Kind::Composite,
        (Some(_), _) => {
            return Err(s3_error!(InvalidRequest, "Value for x-amz-checksum-type header is invalid."));
        }
    };
    let possible = match kind {
        Kind::FullObject => algorithm.crc().is_some(),
        Kind::Composite => algorithm != Algorithm::Crc64Nvme,
    };
    if !possible {
        return Err(s3_error!(
            InvalidRequest,
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.lower()
        ));
    }
    Ok(Some((algorithm, kind)))
}

/// The checksum fields of an input or of a listed part, whichever are set.
macro_rules! given_checksums {
    ($from:expr) => {{
        use $crate::checksums::Algorithm;
        [
            (Algorithm::Crc32, $from.checksum_crc32.clone()),
            (Algorithm::Crc32c, $from.checksum_crc32c.clone()),
            (Algorithm::Crc64Nvme, $from.checksum_crc64nvme.clone()),
            (Algorithm::Sha1, $from.checksum_sha1.clone()),
            (Algorithm::Sha256, $from.checksum_sha256.clone()),
        ]
        .into_iter()
        .filter_map(|(algorithm, value)| Some((algorithm, value?)))
        .collect::<Vec<(Algorithm, String)>>()
    }};
}
pub(crate) use given_checksums;

/// Sets the one checksum field of an output that goes with the algorithm.
macro_rules! set_checksum {
    ($output:expr, $algorithm:expr, $value:expr) => {{
        use $crate::checksums::Algorithm;
        let field = match $algorithm {
            Algorithm::Crc32 => &mut $output.checksum_crc32,
            Algorithm::Crc32c => &mut $output.checksum_crc32c,
            Algorithm::Crc64Nvme => &mut $output.checksum_crc64nvme,
            Algorithm::Sha1 => &mut $output.checksum_sha1,
            Algorithm::Sha256 => &mut $output.checksum_sha256,
        };
        *field = Some(String::clone(&$value));
    }};
}
pub(crate) use set_checksum;

/// Hashes a body while it arrives.
pub(crate) struct Hashes {
    md5: Md5,
    sums: ChecksumHasher,
}

/// The checksums computed over a body; CRC-64/NVME always.
pub(crate) struct Sums(dto::Checksum);

impl Hashes {
    pub(crate) fn new(named: Option<Algorithm>) -> Hashes {
        let mut sums = ChecksumHasher { crc64nvme: Some(Crc64Nvme::new()), ..ChecksumHasher::default() };
        match named {
            Some(Algorithm::Crc32) => sums.crc32 = Some(Crc32::new()),
            Some(Algorithm::Crc32c) => sums.crc32c = Some(Crc32c::new()),
            Some(Algorithm::Sha1) => sums.sha1 = Some(Sha1::new()),
            Some(Algorithm::Sha256) => sums.sha256 = Some(Sha256::new()),
            Some(Algorithm::Crc64Nvme) | None => {}
        }
        Hashes { md5: Md5::new(), sums }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sums.update(bytes);
    }

    pub(crate) fn finish(self) -> ([u8; 16], Sums) {
        (self.md5.finalize(), Sums(self.sums.finalize()))
    }
}

impl Sums {
    /// Base64; empty if the algorithm was not asked for.
    pub(crate) fn get(&self, algorithm: Algorithm) -> String {
        let computed = given_checksums!(self.0);
        let found = computed.into_iter().find(|(of, _)| *of == algorithm);
        found.map(|(_, value)| value).unwrap_or_default()
    }
}

pub(crate) fn bad_digest(name: &str) -> S3Error {
    s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum.")
}

pub(crate) fn decode(algorithm: Algorithm, base64: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    (bytes.len() == algorithm.digest_bytes()).then_some(bytes)
}

/// The checksum of a multipart object out of its parts' (base64, size in bytes).
///
/// # Errors
/// `InternalError` if a part's checksum is missing or not of the algorithm.
pub(crate) fn of_parts(algorithm: Algorithm, kind: Kind, parts: &[(String, u64)]) -> S3Result<Checksum> {
    let broken = || s3_error!(InternalError, "a part has no {} checksum", algorithm.name());
    let digests: Vec<Vec<u8>> =
        parts.iter().map(|(sum, _)| decode(algorithm, sum).ok_or_else(broken)).collect::<S3Result<_>>()?;
    let value = match (kind, algorithm.crc()) {
        (Kind::FullObject, Some(crc)) => {
            let mut whole = 0;
            for (digest, (_, size)) in digests.iter().zip(parts) {
                whole = checksum_combine(crc, whole, big_endian(digest), *size);
            }
            BASE64_STANDARD.encode(&whole.to_be_bytes()[8 - algorithm.digest_bytes()..])
        }
        (Kind::FullObject, None) => return Err(broken()),
        (Kind::Composite, _) => {
            let mut hashes = Hashes::new(Some(algorithm));
            hashes.update(&digests.concat());
            format!("{}-{}", hashes.finish().1.get(algorithm), parts.len())
        }
    };
    Ok(Checksum { algorithm, kind, value })
}

fn big_endian(digest: &[u8]) -> u64 {
    digest.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
