//! Bytes: from a request's body into a file of `data/`, and out of such files again.
//!
//! An object's content is a list of [`Segment`]s: one for a `PutObject`, one per part for a
//! multipart upload, whose parts are never copied.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, future::try_join};
use http::StatusCode;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::checksums::{Algorithm, Hashes, Sums};
use crate::data::{DataFile, Segment};
use crate::refusal;
use crate::store::{Store, blocking};

/// The bytes of a body that are gathered before they are hashed and written.
const WRITE_BYTES: usize = 1 << 20;
/// The largest body S3 takes in one request: 5 GiB.
const MAX_BODY_BYTES: u64 = 5 << 30;

/// A body that arrived whole. Dropped, it leaves nothing.
pub(crate) struct Received {
    pub(crate) segment: Segment,
    pub(crate) md5: [u8; 16],
    pub(crate) sums: Sums,
}

/// Owns the file's name as well, so that a write still going on when the client is gone has
/// something to remove at its end.
struct Sink {
    data: DataFile,
    file: File,
    hashes: Hashes,
    size: u64,
}

impl Sink {
    fn create(store: &Store, named: Option<Algorithm>) -> S3Result<Sink> {
        let data = DataFile::fresh(&store.data_folder());
        let file = File::create_new(data.path(&store.data_folder())).map_err(S3Error::internal_error)?;
        Ok(Sink { data, file, hashes: Hashes::new(named), size: 0 })
    }

    fn write(mut self, batch: &[Bytes]) -> S3Result<Sink> {
        for bytes in batch {
            self.hashes.update(bytes);
            self.size += bytes.len() as u64;
            self.file.write_all(bytes).map_err(S3Error::internal_error)?;
        }
        if self.size > MAX_BODY_BYTES {
            return Err(too_large());
        }
        Ok(self)
    }
}

/// Writes a body of `length` bytes to a new file, hashing on the way: MD5 and CRC-64/NVME always,
/// and `named` if the client names another algorithm.
pub(crate) async fn receive(
    store: &Arc<Store>,
    body: Option<StreamingBlob>,
    length: u64,
    named: Option<Algorithm>,
) -> S3Result<Received> {
    if length > MAX_BODY_BYTES {
        return Err(too_large());
    }
    let mut body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
    let creating = Arc::clone(store);
    let mut sink = blocking(move || Sink::create(&creating, named)).await?;
    let mut batch = next_batch(&mut body).await?;
    while !batch.is_empty() {
        let write = blocking(move || sink.write(&batch));
        (sink, batch) = try_join(write, next_batch(&mut body)).await?;
    }
    if sink.size != length {
        return Err(incomplete_body());
    }
    if store.durable() {
        let store = Arc::clone(store);
        let sync = move || {
            sink.file.sync_all().map_err(S3Error::internal_error)?;
            store.sync_folder(&store.data_folder())?;
            Ok(sink)
        };
        sink = blocking(sync).await?;
    }
    let (md5, sums) = sink.hashes.finish();
    let segment = Segment { size: sink.size, file: sink.data };
    Ok(Received { segment, md5, sums })
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
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return refusal("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST, message);
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
    s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size")
}

/// The same bytes under a second name, so that a copy can outlive its source.
pub(crate) fn link(file: &DataFile, store: &Store) -> S3Result<DataFile> {
    let folder = store.data_folder();
    let copy = DataFile::fresh(&folder);
    fs::hard_link(file.path(&folder), copy.path(&folder)).map_err(S3Error::internal_error)?;
    store.sync_folder(&folder)?;
    Ok(copy)
}
