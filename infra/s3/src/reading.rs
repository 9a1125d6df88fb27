//! Bytes out of an object's files, in bounded memory.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{TryFutureExt as _, stream};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Result, s3_error};

use crate::state::Version;
use crate::store::{Store, blocking};

/// The bytes of an object that are in memory at a time while it is read.
const READ_BYTES: u64 = 512 << 10;

/// The place of a read: the version is held so that its files stay.
struct Cursor {
    version: Arc<Version>,
    store: Arc<Store>,
    next_segment: usize,
    open: Option<File>,
    left_in_segment: u64,
    left: u64,
}

/// Streams bytes `range` of a version, across the borders of its parts.
pub(crate) fn read(store: &Arc<Store>, version: Arc<Version>, range: Range<u64>) -> StreamingBlob {
    let store = Arc::clone(store);
    let left = range.end - range.start;
    let cursor = Cursor { version, store, next_segment: 0, open: None, left_in_segment: 0, left };
    let skip = range.start;
    let steps = stream::try_unfold((cursor, skip), |(cursor, skip)| {
        blocking(move || Ok(cursor.step(skip)?.map(|(bytes, cursor)| (bytes, (cursor, 0)))))
            .map_err(|error| io::Error::other(error.to_string()))
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
            let segment = self.version.segments().get(self.next_segment).ok_or_else(missing)?;
            self.next_segment += 1;
            if skip >= segment.size {
                skip -= segment.size;
                continue;
            }
            let mut file = File::open(segment.file.path(&self.store.data_folder())).map_err(S3Error::internal_error)?;
            file.seek(SeekFrom::Start(skip)).map_err(S3Error::internal_error)?;
            self.left_in_segment = segment.size - skip;
            self.open = Some(file);
        };
        let count = READ_BYTES.min(self.left).min(self.left_in_segment);
        let mut bytes = vec![0; usize::try_from(count).map_err(S3Error::internal_error)?];
        file.read_exact(&mut bytes).map_err(S3Error::internal_error)?;
        self.left -= count;
        self.left_in_segment -= count;
        self.open = Some(file);
        Ok(Some((bytes.into(), self)))
    }
}
