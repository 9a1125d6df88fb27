//! The state of S3 at a moment: buckets, versions, uploads. In memory; [`Store`](crate::store::Store)
//! keeps it and the disk the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use s3s::dto::{BucketLifecycleConfiguration, CORSConfiguration, Tag};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use crate::checksums::Checksum;
use crate::data::Segment;
use crate::headers::Headers;
use crate::seconds::Seconds;
use crate::upload::Upload;

/// The version id of what was put while versioning was not enabled.
pub(crate) const NULL_VERSION: &str = "null";

#[derive(Default)]
pub(crate) struct State {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    /// The order in which versions came to be; larger is newer.
    pub(crate) last_order: u64,
}

#[derive(Default)]
pub(crate) struct Bucket {
    pub(crate) settings: Settings,
    /// Versions oldest first; a key without versions is not in the map.
    pub(crate) objects: BTreeMap<String, Vec<Arc<Version>>>,
    pub(crate) uploads: BTreeMap<String, Upload>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) created: Seconds,
    pub(crate) versioning: Versioning,
    pub(crate) cors: Option<CORSConfiguration>,
    pub(crate) lifecycle: Option<BucketLifecycleConfiguration>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// One version of one key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) order: u64,
    pub(crate) modified: Seconds,
    /// `None` is a delete marker.
    pub(crate) content: Option<Content>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) size: u64,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Checksum,
    pub(crate) headers: Headers,
    pub(crate) tags: Vec<Tag>,
    pub(crate) segments: Vec<Segment>,
    /// The multipart upload this came from, so that a repeated Complete finds its answer.
    pub(crate) completed: Option<Completed>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Completed {
    pub(crate) upload_id: String,
    /// Number and `ETag` of every part, as Complete listed them.
    pub(crate) parts: Vec<(i32, String)>,
}

impl State {
    pub(crate) fn bucket(&self, name: &str) -> S3Result<&Bucket> {
        self.buckets.get(name).ok_or_else(no_such_bucket)
    }

    pub(crate) fn bucket_mut(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(no_such_bucket)
    }
}

impl Bucket {
    /// The newest version of a key unless that is a delete marker.
    pub(crate) fn current(&self, key: &str) -> Option<&Arc<Version>> {
        self.objects.get(key)?.last().filter(|version| version.content.is_some())
    }

    pub(crate) fn upload(&self, key: &str, id: &str) -> S3Result<&Upload> {
        self.uploads.get(id).filter(|upload| upload.key == key).ok_or_else(no_such_upload)
    }

    pub(crate) fn upload_mut(&mut self, key: &str, id: &str) -> S3Result<&mut Upload> {
        self.uploads.get_mut(id).filter(|upload| upload.key == key).ok_or_else(no_such_upload)
    }

    /// The version a request means: the one with `id`, or the newest.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion`; `MethodNotAllowed` for a delete marker asked for by its id.
    pub(crate) fn find(&self, key: &str, id: Option<&str>) -> S3Result<Arc<Version>> {
        let versions = self.objects.get(key).map_or(&[][..], Vec::as_slice);
        let found = match id {
            Some(id) => versions
                .iter()
                .find(|version| version.id == id)
                .ok_or_else(|| s3_error!(NoSuchVersion, "The specified version does not exist."))?,
            None => versions.last().ok_or_else(no_such_key)?,
        };
        if found.content.is_some() {
            return Ok(Arc::clone(found));
        }
        let mut error = match id {
            Some(_) => s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource."),
            None => no_such_key(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
        if let Ok(id) = HeaderValue::from_str(&found.id) {
            headers.insert("x-amz-version-id", id);
        }
        error.set_headers(headers);
        Err(error)
    }
}

impl Version {
    pub(crate) fn segments(&self) -> &[Segment] {
        self.content.as_ref().map_or(&[], |content| &content.segments)
    }

    pub(crate) fn completed(&self) -> Option<&Completed> {
        self.content.as_ref()?.completed.as_ref()
    }

    /// The id S3 tells: none in a bucket that was never versioned.
    pub(crate) fn shown_id(&self) -> Option<String> {
        (self.id != NULL_VERSION).then(|| self.id.clone())
    }
}

fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

pub(crate) fn no_such_upload() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
}

pub(crate) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}
