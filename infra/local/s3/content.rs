//! Bytes: from a request's body into a file of `data/`, and out of such files again.
//!
//! An object's content is a list of [`Segment`]s: one for a `PutObject`, one per part for a
//! multipart upload, whose parts are never copied.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryFutureExt as _, future::try_join, stream};
use s3s::dto::{Metadata, StreamingBlob, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::checksums::{Algorithm, Hashes, Sums};
use super::store::{Store, Version, blocking};

/// How much of a body is gathered before it is hashed and written.
const WRITE_BYTES: usize = 1 << 20;
/// How much of an object is in memory at a time while it is read.
const READ_BYTES: u64 = 512 << 10;
/// The largest body S3 takes in one request: 5 GiB.
const MAX_BODY_BYTES: u64 = 5 << 30;

/// What S3 keeps for the client and gives back with the object.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Headers {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) expires: Option<Timestamp>,
    pub(super) metadata: Option<Metadata>,
}

/// The headers to keep out of any of the inputs that create an object.
macro_rules! headers_of {
    ($input:expr) => {
        $crate::s3::content::Headers {
            cache_control: $input.cache_control,
            content_disposition: $input.content_disposition,
            content_encoding: $crate::s3::content::without_aws_chunked($input.content_encoding),
            content_language: $input.content_language,
            content_type: $input.content_type,
            expires: $input.expires,
            metadata: $input.metadata,
        }
    };
}
pub(super) use headers_of;

/// `aws-chunked` is how the body travelled, no property of the object.
pub(super) fn without_aws_chunked(encoding: Option<String>) -> Option<String> {
    let encoding = encoding?;
    let kept: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) size: u64,
    pub(super) file: DataFile,
}

/// A file in `data/`. Clones are the same file.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct DataFile {
    name: Uuid,
    #[serde(skip)]
    fate: Arc<Fate>,
}

/// What to remove when the last holder of a file is gone. A GET holds what it reads, so it ends
/// well even if the object is deleted under it; an upload that is cut off leaves nothing.
#[derive(Default)]
struct Fate(Mutex<Option<PathBuf>>);

impl Drop for Fate {
    fn drop(&mut self) {
        let path = self
            .0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(path) = path
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "data left behind; the next start removes it");
        }
    }
}

impl DataFile {
    /// A new name, whose file goes away unless it is [kept](DataFile::keep).
    fn fresh(store: &Store) -> DataFile {
        let file = DataFile {
            name: Uuid::new_v4(),
            fate: Arc::default(),
        };
        file.remove_when_unused(store);
        file
    }

    pub(super) fn name(&self) -> Uuid {
        self.name
    }

    fn path(&self, store: &Store) -> PathBuf {
        store.data_folder().join(self.name.to_string())
    }

    pub(super) fn keep(&self) {
        *self.fate.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn remove_when_unused(&self, store: &Store) {
        *self.fate.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.path(store));
    }

    /// The same bytes under a second name, so that a copy can outlive its source.
    pub(super) fn link(&self, store: &Store) -> S3Result<DataFile> {
        let copy = DataFile {
            name: Uuid::new_v4(),
            fate: Arc::default(),
        };
        fs::hard_link(self.path(store), copy.path(store)).map_err(S3Error::internal_error)?;
        copy.remove_when_unused(store);
        Ok(copy)
    }
}

/// A body that arrived whole. Dropped, it leaves nothing.
pub(super) struct Received {
    pub(super) segment: Segment,
    pub(super) md5: [u8; 16],
    pub(super) sums: Sums,
}

struct Sink {
    file: File,
    hashes: Hashes,
    size: u64,
}

impl Sink {
    fn write(mut self, batch: &[Bytes]) -> S3Result<Sink> {
        for bytes in batch {
            self.hashes.update(bytes);
            self.size += bytes.len() as u64;
            self.file
                .write_all(bytes)
                .map_err(S3Error::internal_error)?;
        }
        if self.size > MAX_BODY_BYTES {
            return Err(too_large());
        }
        Ok(self)
    }
}

/// Writes a body of `length` bytes to a new file, hashing on the way: MD5 and CRC-64/NVME always,
/// and `named` if the client names another algorithm.
pub(super) async fn receive(
    store: &Arc<Store>,
    body: Option<StreamingBlob>,
    length: u64,
    named: Option<Algorithm>,
) -> S3Result<Received> {
    if length > MAX_BODY_BYTES {
        return Err(too_large());
    }
    let mut body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
    let file = DataFile::fresh(store);
    let path = file.path(store);
    let create = move || File::create_new(path).map_err(S3Error::internal_error);
    let hashes = Hashes::new(named);
    let mut sink = Sink {
        file: blocking(create).await?,
        hashes,
        size: 0,
    };
    let mut batch = next_batch(&mut body).await?;
    while !batch.is_empty() {
        let write = blocking(move || sink.write(&batch));
        (sink, batch) = try_join(write, next_batch(&mut body)).await?;
    }
    if sink.size != length {
        return Err(incomplete_body());
    }
    let Sink {
        file: written,
        hashes,
        size,
    } = sink;
    if store.durable() {
        let store = Arc::clone(store);
        let sync = move || {
            written.sync_all().map_err(S3Error::internal_error)?;
            store.sync_folder(&store.data_folder())
        };
        blocking(sync).await?;
    }
    let (md5, sums) = hashes.finish();
    Ok(Received {
        segment: Segment { size, file },
        md5,
        sums,
    })
}

/// Empty at the end of the body.
async fn next_batch(body: &mut StreamingBlob) -> S3Result<Vec<Bytes>> {
    let mut batch = Vec::new();
    let mut gathered = 0;
    while gathered < WRITE_BYTES {
        let Some(bytes) = body.next().await else {
            break;
        };
        let bytes = bytes.map_err(broken_body)?;
        gathered += bytes.len();
        if !bytes.is_empty() {
            batch.push(bytes);
        }
    }
    Ok(batch)
}

fn broken_body(error: s3s::StdError) -> S3Error {
    // s3s keeps the types of these errors to itself; their names are in the text.
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        let message =
            "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return super::refusal(
            "XAmzContentSHA256Mismatch",
            http::StatusCode::BAD_REQUEST,
            message,
        );
    }
    if text.contains("SignatureMismatch") {
        return s3_error!(SignatureDoesNotMatch);
    }
    let mut incomplete = incomplete_body();
    incomplete.set_source(error);
    incomplete
}

fn incomplete_body() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

fn too_large() -> S3Error {
    s3_error!(
        EntityTooLarge,
        "Your proposed upload exceeds the maximum allowed size"
    )
}

/// Where a read is: the version is held so that its files stay.
struct Cursor {
    version: Arc<Version>,
    store: Arc<Store>,
    next_segment: usize,
    open: Option<File>,
    left_in_segment: u64,
    left: u64,
}

/// Streams bytes `range` of a version, across the borders of its parts.
pub(super) fn read(store: &Arc<Store>, version: Arc<Version>, range: Range<u64>) -> StreamingBlob {
    let store = Arc::clone(store);
    let left = range.end - range.start;
    let cursor = Cursor {
        version,
        store,
        next_segment: 0,
        open: None,
        left_in_segment: 0,
        left,
    };
    let skip = range.start;
    let steps = stream::try_unfold((cursor, skip), |(cursor, skip)| {
        blocking(move || {
            Ok(cursor
                .step(skip)?
                .map(|(bytes, cursor)| (bytes, (cursor, 0))))
        })
        .map_err(|error| std::io::Error::other(error.to_string()))
    });
    StreamingBlob::wrap(steps)
}

impl Cursor {
    /// The next bytes, after skipping `skip`; `None` when the range is done.
    fn step(mut self, mut skip: u64) -> S3Result<Option<(Bytes, Cursor)>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut file = loop {
            if let Some(file) = self.open.take().filter(|_| self.left_in_segment > 0) {
                break file;
            }
            let missing = || s3_error!(InternalError, "the manifest is shorter than the object");
            let segment = self
                .version
                .segments()
                .get(self.next_segment)
                .ok_or_else(missing)?;
            self.next_segment += 1;
            if skip >= segment.size {
                skip -= segment.size;
                continue;
            }
            let mut file =
                File::open(segment.file.path(&self.store)).map_err(S3Error::internal_error)?;
            file.seek(SeekFrom::Start(skip))
                .map_err(S3Error::internal_error)?;
            self.left_in_segment = segment.size - skip;
            self.open = Some(file);
        };
        let count = READ_BYTES.min(self.left).min(self.left_in_segment);
        let mut bytes = vec![0; usize::try_from(count).map_err(S3Error::internal_error)?];
        file.read_exact(&mut bytes)
            .map_err(S3Error::internal_error)?;
        self.left -= count;
        self.left_in_segment -= count;
        self.open = Some(file);
        Ok(Some((bytes.into(), self)))
    }
}
