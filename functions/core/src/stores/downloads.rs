//! Files on their way to readers: through us, or straight from S3 by a presigned URL.
//!
//! Needs `s3:GetObject` on `{bucket}/*`, also to presign.

use std::{
    fmt,
    ops::RangeInclusive,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::Stream;
use jiff::Timestamp;

use super::files::Files;
use crate::{Error, Result, document::Content, ids::ObjectKey};

/// The time that the URL of a file lives: enough to follow it at once.
const LINK_LIFETIME: Duration = Duration::from_mins(5);

/// Permission to read one file straight from S3, for any holder of it.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadLink {
    /// The URL to `GET`. A secret.
    pub href: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The bytes of a file as they come from S3.
pub struct FileStream(ByteStream);

impl fmt::Debug for FileStream {
    /// Without the bytes, which are a person's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a file")
    }
}

impl Stream for FileStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.0).poll_next(context);
        next.map(|next| next.map(|read| read.map_err(|error| Error::unavailable("reading a document's file", error))))
    }
}

impl Files {
    /// Reads these bytes of an object, or all of them.
    pub(crate) async fn read(&self, key: &ObjectKey, range: Option<RangeInclusive<u64>>) -> Result<Bytes> {
        let FileStream(body) = self.open(key, range).await?;
        let read = body.collect().await;
        Ok(read.map_err(|error| Error::unavailable("reading a document's file", error))?.into_bytes())
    }

    /// Begins to read these bytes of an object, or all of them.
    pub(crate) async fn open(&self, key: &ObjectKey, range: Option<RangeInclusive<u64>>) -> Result<FileStream> {
        let range = range.map(|range| format!("bytes={}-{}", range.start(), range.end()));
        let get = self.client.get_object().bucket(&self.bucket).key(key.as_str()).set_range(range);
        let sent = get.send().await;
        let answer = sent.map_err(|error| Error::unavailable("reading a document's file", error))?;
        Ok(FileStream(answer.body))
    }

    /// A URL for the file of a content: S3 sends it as one to save, under its own name and as a type that no browser runs.
    /// Made here, without a call to S3.
    pub(crate) async fn link_to(&self, key: &ObjectKey, content: &Content, now: Timestamp) -> Result<DownloadLink> {
        let (presigning, expires_at) = self.signing(LINK_LIFETIME, now, now + LINK_LIFETIME)?;
        let metadata = &content.metadata;
        let get = self
            .signer
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .response_cache_control("no-store")
            .response_content_disposition(metadata.okd.file_name.to_save_as())
            .response_content_type(metadata.media_type.harmless());
        let request = get.presigned(presigning).await;
        let request = request.map_err(|error| Error::unavailable("presigning a download", error))?;
        Ok(DownloadLink { href: request.uri().to_owned(), expires_at })
    }
}
