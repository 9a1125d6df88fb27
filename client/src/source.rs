//! The bytes of a document.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::stream;
use reqwest::Body;

use crate::{Error, Result};

/// The largest file that goes inside the request (form A).
pub const INLINE: u64 = 4 << 20;
/// Bytes read at once of each part.
const PIECE: usize = 1 << 18;
/// Bytes read at once for a checksum.
const BLOCK: usize = 1 << 20;

/// The bytes of a document.
#[derive(Debug, Clone)]
pub enum Source {
    /// In memory.
    Bytes(Bytes),
    /// In a file, which must not change while it is sent.
    File(PathBuf),
    /// In a file that is open, and may have no name any more.
    Open(Arc<fs::File>),
}

/// The size of a document and its checksums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Bytes.
    pub size: u64,
    /// The SHA-256, in hexadecimal; `None` of a file that goes by parts, for which it is not needed and would take longer
    /// than all the rest.
    pub sha256: Option<String>,
    /// The CRC-64/NVME in hexadecimal.
    pub crc64nvme: String,
}

impl Contents {
    /// The checksum that S3 computes of parts too, as OKD writes it.
    pub fn checksum_of_parts(&self) -> String {
        format!("crc64nvme:{}", self.crc64nvme)
    }
}

/// Checksums in the making.
pub struct Digests {
    size: u64,
    sha256: Option<aws_lc_rs::digest::Context>,
    crc64nvme: crc_fast::Digest,
}

impl Digests {
    /// Both.
    pub fn both() -> Self {
        let sha256 = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        Self { sha256: Some(sha256), ..Self::of_parts() }
    }

    /// That which S3 computes of parts.
    pub fn of_parts() -> Self {
        let crc64nvme = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
        Self { size: 0, sha256: None, crc64nvme }
    }

    fn of_size(size: u64) -> Self {
        if size <= INLINE { Self::both() } else { Self::of_parts() }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        self.crc64nvme.update(bytes);
    }

    /// The checksums of all of them.
    pub fn finish(self) -> Contents {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Contents {
            size: self.size,
            sha256: self.sha256.map(|sha256| hex(sha256.finish().as_ref())),
            crc64nvme: format!("{:016x}", self.crc64nvme.finalize()),
        }
    }
}

impl Source {
    /// Reads it once, without holding it, for its size and its checksums.
    pub async fn contents(&self) -> Result<Contents> {
        match self.bytes_or_file().await? {
            Stored::Bytes(bytes) => {
                let mut digests = Digests::of_size(bytes.len() as u64);
                digests.update(&bytes);
                Ok(digests.finish())
            }
            Stored::File(file) => self.read(move || digest(Slice::whole(file))).await,
        }
    }

    /// The name of its file, if it has one.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Bytes(_) | Self::Open(_) => None,
            Self::File(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
        }
    }

    /// All of it.
    pub(crate) async fn whole(&self) -> Result<Bytes> {
        match self.bytes_or_file().await? {
            Stored::Bytes(bytes) => Ok(bytes),
            Stored::File(file) => {
                let mut bytes = Vec::new();
                self.read(move || Slice::whole(file).read_to_end(&mut bytes).map(|_| bytes.into())).await
            }
        }
    }

    /// A slice of it, to be sent. Of a file no more is in memory than is on its way, and the disk does not wait for the net.
    pub(crate) async fn slice(&self, offset: u64, size: u64) -> Result<Body> {
        match self.bytes_or_file().await? {
            Stored::Bytes(bytes) => {
                let range = usize::try_from(offset).ok().zip(usize::try_from(offset + size).ok());
                let range = range.filter(|(_, to)| *to <= bytes.len());
                let (from, to) = range.ok_or_else(|| Error::Answer("a part ends after the file".to_owned()))?;
                Ok(bytes.slice(from..to).into())
            }
            Stored::File(file) => {
                let slice = Slice { file, at: offset, left: size };
                let pieces = stream::try_unfold(slice, |mut slice| async {
                    let read = tokio::task::spawn_blocking(move || {
                        let mut piece = vec![0; PIECE];
                        let length = slice.read(&mut piece)?;
                        piece.truncate(length);
                        Ok::<_, io::Error>((piece, slice))
                    });
                    let (piece, slice) = read.await.map_err(io::Error::other)??;
                    Ok::<_, io::Error>((!piece.is_empty()).then_some((piece, slice)))
                });
                Ok(Body::wrap_stream(pieces))
            }
        }
    }

    async fn bytes_or_file(&self) -> Result<Stored> {
        match self {
            Self::Bytes(bytes) => Ok(Stored::Bytes(bytes.clone())),
            Self::Open(file) => Ok(Stored::File(file.clone())),
            Self::File(path) => {
                let path = path.clone();
                Ok(Stored::File(self.read(move || fs::File::open(path).map(Arc::new)).await?))
            }
        }
    }

    /// Reads on a thread that may wait for the disk: hashing and reading are no work for one that serves connections.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
        let read = tokio::task::spawn_blocking(work).await.unwrap_or_else(|broken| Err(io::Error::other(broken)));
        read.map_err(|error| match self {
            Self::File(path) => cannot(path, error),
            Self::Bytes(_) | Self::Open(_) => Error::File("an open file".to_owned(), error),
        })
    }
}

/// The bytes of a source, or the file that they are in.
enum Stored {
    Bytes(Bytes),
    File(Arc<fs::File>),
}

/// A slice of an open file, read without moving its position: many read it at once.
struct Slice {
    file: Arc<fs::File>,
    at: u64,
    left: u64,
}

impl Slice {
    fn whole(file: Arc<fs::File>) -> Self {
        Self { file, at: 0, left: u64::MAX }
    }
}

impl Read for Slice {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        use std::os::unix::fs::FileExt as _;
        #[cfg(windows)]
        use std::os::windows::fs::FileExt as _;

        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        #[cfg(unix)]
        let read = self.file.read_at(&mut into[..length], self.at)?;
        #[cfg(windows)]
        let read = self.file.seek_read(&mut into[..length], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

fn digest(mut slice: Slice) -> io::Result<Contents> {
    let mut digests = Digests::of_size(slice.file.metadata()?.len());
    let mut block = vec![0; BLOCK];
    loop {
        match slice.read(&mut block)? {
            0 => return Ok(digests.finish()),
            length => digests.update(&block[..length]),
        }
    }
}

pub(crate) fn cannot(path: &Path, error: io::Error) -> Error {
    Error::File(path.display().to_string(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-64/NVME, and the first of NIST's examples of SHA-256 that `sha256sum` gives too.
    #[tokio::test]
    async fn contents_are_known_by_their_published_checksums() {
        let source = Source::Bytes(Bytes::from_static(b"123456789"));
        let contents = source.contents().await.unwrap();
        assert_eq!(contents.size, 9);
        assert_eq!(contents.crc64nvme, "ae8b14860a799888");
        let sha256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        assert_eq!(contents.sha256.as_deref(), Some(sha256));
    }
}
