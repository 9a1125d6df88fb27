//! The files on the disk, and the one lock over them.
//!
//! ```text
//! lock                                       held by the process that has the folder open
//! data/<uuid>                                the bytes of one PutObject or one part; written once
//! tmp/<uuid>                                 JSON on its way to its place
//! buckets/<bucket>/bucket.json               versioning, CORS, lifecycle
//! buckets/<bucket>/objects/<key>.<version>.json   one version of one key: its manifest
//! buckets/<bucket>/uploads/<upload>.json     a multipart upload under way
//! buckets/<bucket>/uploads/<upload>.<n>.json its part number n
//! ```
//!
//! `<key>` is the SHA-256 of the key, so any key S3 takes is a file name here; the key itself is
//! in the JSON. Everything is also in memory ([`State`]) and read from the disk only by
//! [`Store::open`].
//!
//! Every change has one commit point: a JSON file is renamed into place, or removed. Bytes come
//! before the JSON that names them and go after it, so a crash leaves the old state or the new
//! one, and at worst files that no JSON names, which `open` removes.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3s::crypto::{Checksum as _, Sha256};
use s3s::dto::Tag;
use s3s::{S3Error, S3Result, s3_error};
use serde::Serialize;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::calls::CallLog;
use crate::data::Segment;
use crate::seconds::Seconds;
use crate::state::{Bucket, Content, NULL_VERSION, Settings, State, Version, Versioning};
use crate::upload::{Part, Upload};
use crate::{ObjectCreated, hex};

/// The number of events that a subscriber may be behind before it loses the oldest.
const EVENTS_KEPT: usize = 4096;

pub(crate) struct Store {
    pub(crate) root: PathBuf,
    durable: bool,
    state: Mutex<State>,
    pub(crate) calls: CallLog,
    pub(crate) events: broadcast::Sender<ObjectCreated>,
    pub(crate) events_told: AtomicUsize,
    _lock: File,
}

impl Store {
    pub(crate) fn open(root: &Path, durable: bool) -> io::Result<Store> {
        fs::create_dir_all(root)?;
        let lock = File::create(root.join("lock"))?;
        // Opening removes what looks like litter; it could be another process's upload.
        lock.try_lock().map_err(|error| {
            let what = format!("{} is open already: {error}", root.display());
            io::Error::new(io::ErrorKind::ResourceBusy, what)
        })?;
        let _ = fs::remove_dir_all(root.join("tmp"));
        for folder in ["tmp", "data", "buckets"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let store = Store {
            root: root.to_owned(),
            durable,
            state: Mutex::default(),
            calls: CallLog::default(),
            events: broadcast::channel(EVENTS_KEPT).0,
            events_told: AtomicUsize::new(0),
            _lock: lock,
        };
        let state = store.load()?;
        store.remove_unnamed_data(&state)?;
        *store.lock() = state;
        Ok(store)
    }

    /// The whole state. A change is written to the disk first, then made here, under this lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the map half changed: changes are single inserts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn durable(&self) -> bool {
        self.durable
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn bucket_folder(&self, bucket: &str) -> PathBuf {
        self.root.join("buckets").join(bucket)
    }

    fn version_file(&self, bucket: &str, key: &str, id: &str) -> PathBuf {
        let name = format!("{}.{id}.json", hex(&Sha256::checksum(key.as_bytes())));
        self.bucket_folder(bucket).join("objects").join(name)
    }

    fn upload_file(&self, bucket: &str, upload_id: &str) -> PathBuf {
        self.bucket_folder(bucket).join("uploads").join(format!("{upload_id}.json"))
    }

    fn part_file(&self, bucket: &str, upload_id: &str, number: i32) -> PathBuf {
        self.bucket_folder(bucket).join("uploads").join(format!("{upload_id}.{number}.json"))
    }

    // --- buckets

    pub(crate) fn create_bucket(&self, state: &mut State, name: &str) -> S3Result {
        if state.buckets.contains_key(name) {
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it."
            ));
        }
        let folder = self.bucket_folder(name);
        for inner in ["objects", "uploads"] {
            fs::create_dir_all(folder.join(inner)).map_err(S3Error::internal_error)?;
        }
        let settings = Settings { created: Seconds::now(), ..Settings::default() };
        self.write_json(&folder.join("bucket.json"), &settings)?;
        self.sync_folder(&self.root.join("buckets"))?;
        let bucket = Bucket { settings, ..Bucket::default() };
        state.buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    pub(crate) fn delete_bucket(&self, state: &mut State, name: &str) -> S3Result {
        let bucket = state.bucket(name)?;
        if !bucket.objects.is_empty() || !bucket.uploads.is_empty() {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
        }
        let folder = self.bucket_folder(name);
        self.remove(&folder.join("bucket.json"))?;
        state.buckets.remove(name);
        fs::remove_dir_all(folder).map_err(S3Error::internal_error)
    }

    pub(crate) fn change_settings(&self, name: &str, change: impl FnOnce(&mut Settings)) -> S3Result {
        let mut state = self.lock();
        let bucket = state.bucket_mut(name)?;
        let mut settings = bucket.settings.clone();
        change(&mut settings);
        self.write_json(&self.bucket_folder(name).join("bucket.json"), &settings)?;
        bucket.settings = settings;
        Ok(())
    }

    // --- versions

    /// Makes `content` (`None`: a delete marker) the newest version of the key. The rename of its
    /// manifest is the commit point of `PutObject`, `CopyObject` and `CompleteMultipartUpload`.
    pub(crate) fn publish(
        &self,
        state: &mut State,
        bucket: &str,
        key: &str,
        modified: Seconds,
        content: Option<Content>,
    ) -> S3Result<Arc<Version>> {
        let order = state.last_order + 1;
        let id = match state.bucket(bucket)?.settings.versioning {
            Versioning::Enabled => Uuid::new_v4().simple().to_string(),
            Versioning::Never | Versioning::Suspended => NULL_VERSION.to_owned(),
        };
        let version = Arc::new(Version { key: key.to_owned(), id, order, modified, content });
        // Before the rename: once it has happened, a failed sync must not take the bytes away.
        version.segments().iter().for_each(|segment| segment.file.keep());
        self.write_json(&self.version_file(bucket, key, &version.id), &*version)?;
        state.last_order = order;
        let versions = state.bucket_mut(bucket)?.objects.entry(key.to_owned()).or_default();
        if let Some(replaced) = versions.iter().position(|old| old.id == version.id) {
            self.forget_data(&versions.remove(replaced));
        }
        versions.push(Arc::clone(&version));
        Ok(version)
    }

    /// Writes a version again with other tags; its bytes, id and place in the order stay.
    pub(crate) fn set_tags(&self, bucket: &str, key: &str, id: Option<&str>, tags: Vec<Tag>) -> S3Result<Arc<Version>> {
        let mut state = self.lock();
        let mut version = (*state.bucket(bucket)?.find(key, id)?).clone();
        if let Some(content) = &mut version.content {
            content.tags = tags;
        }
        self.write_json(&self.version_file(bucket, key, &version.id), &version)?;
        let version = Arc::new(version);
        for old in state.bucket_mut(bucket)?.objects.get_mut(key).into_iter().flatten() {
            if old.id == version.id {
                *old = Arc::clone(&version);
            }
        }
        Ok(version)
    }

    /// Removes one version for good; `None` if there is no such version.
    pub(crate) fn remove_version(
        &self,
        state: &mut State,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> S3Result<Option<Arc<Version>>> {
        let objects = &mut state.bucket_mut(bucket)?.objects;
        let Some(versions) = objects.get_mut(key) else {
            return Ok(None);
        };
        let Some(at) = versions.iter().position(|version| version.id == id) else {
            return Ok(None);
        };
        self.remove(&self.version_file(bucket, key, id))?;
        let version = versions.remove(at);
        if versions.is_empty() {
            objects.remove(key);
        }
        self.forget_data(&version);
        Ok(Some(version))
    }

    fn forget_data(&self, version: &Version) {
        for segment in version.segments() {
            segment.file.remove_when_unused(&self.data_folder());
        }
    }

    // --- multipart uploads

    pub(crate) fn add_upload(&self, bucket: &str, upload: Upload) -> S3Result {
        let mut state = self.lock();
        let uploads = &mut state.bucket_mut(bucket)?.uploads;
        self.write_json(&self.upload_file(bucket, &upload.id), &upload)?;
        uploads.insert(upload.id.clone(), upload);
        Ok(())
    }

    /// The rename of the part's JSON is the commit point of `UploadPart`.
    pub(crate) fn put_part(&self, bucket: &str, key: &str, upload_id: &str, part: Part) -> S3Result {
        let mut state = self.lock();
        let upload = state.bucket_mut(bucket)?.upload_mut(key, upload_id)?;
        part.file.keep();
        self.write_json(&self.part_file(bucket, upload_id, part.number), &part)?;
        if let Some(replaced) = upload.parts.insert(part.number, part) {
            replaced.file.remove_when_unused(&self.data_folder());
        }
        Ok(())
    }

    /// Removes an upload and those of its parts that are not in `kept`. The removal of the
    /// upload's own JSON is the commit point of `AbortMultipartUpload`.
    pub(crate) fn remove_upload(&self, bucket: &mut Bucket, name: &str, upload_id: &str, kept: &[Segment]) -> S3Result {
        // Memory first: should the disk fail after a Complete, no later Abort may find the upload
        // and take the object's bytes with it.
        let Some(upload) = bucket.uploads.remove(upload_id) else {
            return Ok(());
        };
        self.remove(&self.upload_file(name, upload_id))?;
        let kept: HashSet<Uuid> = kept.iter().map(|segment| segment.file.name()).collect();
        for part in upload.parts.values() {
            if !kept.contains(&part.file.name()) {
                part.file.remove_when_unused(&self.data_folder());
            }
            // Without the upload's JSON these name nothing, so their removal need not be synced.
            fs::remove_file(self.part_file(name, upload_id, part.number)).map_err(S3Error::internal_error)?;
        }
        Ok(())
    }

    // --- files

    fn write_json(&self, path: &Path, value: &impl Serialize) -> S3Result {
        let write = || -> io::Result<()> {
            let draft = self.root.join("tmp").join(Uuid::new_v4().to_string());
            let mut file = File::create_new(&draft)?;
            file.write_all(&serde_json::to_vec(value)?)?;
            if self.durable {
                file.sync_all()?;
            }
            fs::rename(draft, path)
        };
        write().map_err(S3Error::internal_error)?;
        self.sync_folder(path.parent().unwrap_or(&self.root))
    }

    fn remove(&self, path: &Path) -> S3Result {
        fs::remove_file(path).map_err(S3Error::internal_error)?;
        self.sync_folder(path.parent().unwrap_or(&self.root))
    }

    pub(crate) fn sync_folder(&self, folder: &Path) -> S3Result {
        if !self.durable {
            return Ok(());
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(S3Error::internal_error)
    }

    // --- opening
}

/// Runs disk work off the threads that serve connections. Once started it runs to its end, even
/// if the client has gone.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> S3Result<T> + Send + 'static) -> S3Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(S3Error::internal_error)?
}
