#![doc = include_str!("../README.md")]
//!
//! ## How a request flows
//!
//! A request comes in through `server`, which hands it to the `s3s` crate: that knows the protocol
//! (routing, XML, Signature Version 4, presigned URLs) and calls one of `operations`. Those are
//! carried out by `objects`, `multipart` and `listing`, on the state in `store`, which is where to
//! read about the folder's layout, its lock and its commit points. `content` moves the bytes,
//! `checksums` vouches for them.
//!
//! `examples/serve.rs` is a whole program of it.

mod calls;
mod checksums;
mod claims;
mod complete;
mod conditions;
mod content;
pub mod cors;
mod data;
mod deleting;
mod headers;
mod lifecycle;
mod listing;
mod multipart;
mod objects;
mod opening;
mod operations;
mod pages;
pub mod percent;
mod reading;
mod seconds;
mod server;
mod state;
mod store;
mod tags;
mod upload;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use http::StatusCode;
use s3s::dto::ETag;
use s3s::{S3Error, S3ErrorCode};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

pub use calls::Call;
use store::Store;

pub use s3s::Body;
pub use server::{Service, error, operation_of, serve};

/// S3 on a folder. Clones are the same S3.
#[derive(Clone)]
pub struct S3 {
    store: Arc<Store>,
}

/// Why an object came to be, as in S3's "Object Created" events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was put in one request.
    PutObject,
    /// It was copied from another.
    CopyObject,
    /// Its multipart upload was completed.
    CompleteMultipartUpload,
}

/// An object was created: what S3 tells `EventBridge` as "Object Created". Unlike S3's, these events
/// come once and in order, and a crash loses those not yet received; see [`S3::tell_again`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCreated {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, not encoded.
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// `None` unless versioning is enabled.
    pub version_id: Option<String>,
    /// The operation that created it.
    pub reason: Reason,
}

/// A multipart upload that a lifecycle rule aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortedUpload {
    /// The bucket's name.
    pub bucket: String,
    /// The key the upload was for.
    pub key: String,
    /// The upload's id, unknown to S3 from now on.
    pub upload_id: String,
}

impl S3 {
    /// Opens a folder, or makes one; what was in it when it was last open is there again, even
    /// after a crash. Reads every manifest, and removes what a crash left over.
    ///
    /// With `durable`, nothing is answered before it is synced to the disk, so that it survives a
    /// power cut; without, it survives only the end of this process.
    ///
    /// # Errors
    /// If the folder cannot be read or written, or is open already, here or in another process.
    pub fn open(folder: &Path, durable: bool) -> io::Result<S3> {
        Ok(S3 { store: Arc::new(Store::open(folder, durable)?) })
    }

    /// The answers of this S3 to requests (path-style addressing) that are signed by the secret of their key, which `secret_of`
    /// knows.
    pub fn service(&self, secret_of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Service {
        Service::new(Arc::clone(&self.store), secret_of)
    }

    /// Answers HTTP/1.1 requests signed with this key until `shutdown` is there; then requests under way have 5 seconds to
    /// end.
    pub async fn serve(
        self,
        listener: TcpListener,
        access_key: impl Into<String>,
        secret_key: impl Into<String>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) {
        let (access_key, secret_key) = (access_key.into(), secret_key.into());
        let service = self.service(move |key| (key == access_key).then(|| secret_key.clone()));
        let answer = move |request| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(service.answer(request).await) }
        };
        server::serve(listener, answer, shutdown).await;
    }

    /// The last 10,000 requests answered, oldest first. Not kept on the disk.
    pub fn calls(&self) -> Vec<Call> {
        self.store.calls.all()
    }

    /// Every object created from now on. A receiver that falls 4,096 events behind loses the
    /// oldest and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<ObjectCreated> {
        self.store.events.subscribe()
    }

    /// The number of objects that were created since this S3 was opened, and so events sent. An object's event is sent
    /// before the request that created it is answered.
    pub fn events_told(&self) -> usize {
        self.store.events_told.load(Ordering::SeqCst)
    }

    /// The number of the newest version of any object: larger is newer, also after this S3 was opened again.
    pub fn newest(&self) -> u64 {
        self.store.lock().last_order
    }

    /// Tells once more of every object that is newer than this number.
    pub fn tell_again(&self, after: u64) {
        let state = self.store.lock();
        for (bucket, there) in &state.buckets {
            let versions = there.objects.values().flatten();
            for version in versions.filter(|version| version.order > after) {
                objects::announce(&self.store, bucket, version, Reason::PutObject);
            }
        }
    }

    /// Aborts the multipart uploads that a bucket's `AbortIncompleteMultipartUpload` rules say
    /// are too old at `now`, which may be a time to come. S3 does this about once a day. Works on
    /// the disk, so call it where blocking is fine.
    ///
    /// # Errors
    /// If the disk fails; uploads aborted before that stay aborted.
    pub fn run_lifecycle(&self, now: SystemTime) -> io::Result<Vec<AbortedUpload>> {
        multipart::abort_due(&self.store, now).map_err(io::Error::other)
    }
}

/// An error whose code `s3s` does not know or gives no status.
fn refusal(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

fn strong(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

/// S3's wire format has signed sizes; ours stay far below the limit.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(digits).collect()
}

fn malformed_xml() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}
