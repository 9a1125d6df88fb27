//! Checksums of a whole document, as a sender declares them and as we compute them.
//!
//! On the wire a checksum is `algorithm:value`, the value in hexadecimal or base64:
//! `sha-256:9f86d081…` or `crc64nvme:…`. SHA-256 is what schools have at hand (`sha256sum`); CRC64NVME is
//! what S3 computes by itself over a multipart object, so it is checked the moment an upload completes.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

/// A checksum over all bytes of a document.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Checksum {
    /// SHA-256: proof of identity.
    Sha256([u8; 32]),
    /// CRC-64/NVME: proof against accidents, computed by S3 itself.
    Crc64Nvme([u8; 8]),
}

impl Checksum {
    /// The SHA-256 of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        let mut sha256 = Digest::sha256();
        sha256.update(bytes);
        sha256.finish()
    }

    /// The CRC64NVME of `bytes`.
    pub fn crc64nvme(bytes: &[u8]) -> Self {
        Self::Crc64Nvme(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes).to_be_bytes())
    }

    /// The checksum that S3 wrote as `x-amz-checksum-crc64nvme`: 8 bytes, big-endian, in base64.
    pub(crate) fn from_s3_crc64nvme(base64: &str) -> Option<Self> {
        BASE64.decode(base64).ok()?.try_into().ok().map(Self::Crc64Nvme)
    }

    /// The algorithm's name on our wire.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha-256",
            Self::Crc64Nvme(_) => "crc64nvme",
        }
    }

    /// The value in base64, as S3's headers have it.
    pub fn base64(&self) -> String {
        BASE64.encode(self.bytes())
    }

    /// The value in hexadecimal, as `sha256sum` prints it.
    pub fn hex(&self) -> String {
        let mut text = String::new();
        push_hex(&mut text, self.bytes());
        text
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(value) => value,
            Self::Crc64Nvme(value) => value,
        }
    }
}

/// A checksum in the making, for bytes that are never held all at once.
pub enum Digest {
    /// A SHA-256.
    Sha256(aws_lc_rs::digest::Context),
    /// A CRC64NVME.
    Crc64Nvme(Box<crc_fast::Digest>),
}

impl Digest {
    /// Begins a SHA-256.
    pub fn sha256() -> Self {
        Self::Sha256(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }

    /// Begins a checksum of the same algorithm as `checksum`.
    pub fn like(checksum: &Checksum) -> Self {
        match checksum {
            Checksum::Sha256(_) => Self::sha256(),
            Checksum::Crc64Nvme(_) => {
                let digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
                Self::Crc64Nvme(Box::new(digest))
            }
        }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(digest) => digest.update(bytes),
            Self::Crc64Nvme(digest) => digest.update(bytes),
        }
    }

    /// Returns the checksum of all of them.
    pub fn finish(self) -> Checksum {
        match self {
            Self::Sha256(digest) => {
                let mut value = [0; 32];
                value.copy_from_slice(digest.finish().as_ref());
                Checksum::Sha256(value)
            }
            Self::Crc64Nvme(digest) => Checksum::Crc64Nvme(digest.finalize().to_be_bytes()),
        }
    }
}

/// Writes bytes in hexadecimal, in lower case.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

impl TryFrom<String> for Checksum {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Checksum {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "must be \"sha-256:\" or \"crc64nvme:\" followed by the checksum of the \
                                whole file in hexadecimal or base64";
        let (algorithm, value) = text.split_once(':').ok_or(EXPECTED)?;
        match algorithm {
            "sha-256" => decode(value).map(Self::Sha256),
            "crc64nvme" => decode(value).map(Self::Crc64Nvme),
            _ => None,
        }
        .ok_or(EXPECTED)
    }
}

/// `N` bytes from hexadecimal or base64; their lengths differ for every `N` that we use.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return BASE64.decode(text).ok()?.try_into().ok();
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_and_base64_name_the_same_checksum() {
        let checksum = Checksum::sha256(b"examen");
        let hex: Checksum = format!("sha-256:{}", checksum.hex().to_uppercase()).parse().unwrap();
        let base64: Checksum = format!("sha-256:{}", checksum.base64()).parse().unwrap();
        assert_eq!((hex, base64), (checksum, checksum));
    }

    #[test]
    fn crc64nvme_has_the_check_value_of_its_specification() {
        assert_eq!(Checksum::crc64nvme(b"123456789").to_string(), "crc64nvme:ae8b14860a799888");
    }

    #[test]
    fn bytes_that_come_in_pieces_have_the_checksum_of_the_whole() {
        for whole in [Checksum::sha256(b"examen"), Checksum::crc64nvme(b"examen")] {
            let mut digest = Digest::like(&whole);
            digest.update(b"exa");
            digest.update(b"men");
            assert_eq!(digest.finish(), whole);
        }
        let of_nothing = "sha-256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Checksum::sha256(b"").to_string(), of_nothing);
    }

    #[test]
    fn a_checksum_is_written_and_logged_as_it_is_read() {
        for checksum in [Checksum::sha256(b"x"), Checksum::crc64nvme(b"x")] {
            assert_eq!(Checksum::try_from(String::from(checksum)), Ok(checksum));
            assert_eq!(format!("{checksum:?}"), checksum.to_string());
        }
    }

    #[test]
    fn s3_writes_a_crc64nvme_in_base64() {
        let checksum = Checksum::crc64nvme(b"123456789");
        assert_eq!(checksum.base64(), "rosUhgp5mIg=");
        assert_eq!(Checksum::from_s3_crc64nvme("rosUhgp5mIg="), Some(checksum));
        assert_eq!(Checksum::from_s3_crc64nvme("rosUhgp5"), None);
        assert_eq!(Checksum::from_s3_crc64nvme("no base64"), None);
    }

    #[test]
    fn a_value_of_the_wrong_length_or_alphabet_is_no_checksum() {
        for text in ["", "sha-256", "sha-256:", "sha-256:zz", "md5:00", "crc64nvme:ae8b14860a79988g"] {
            assert!(text.parse::<Checksum>().is_err(), "{text}");
        }
    }
}
