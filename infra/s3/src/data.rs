//! Files of `data/`, by their names. An object's content is a list of [`Segment`]s: one for a `PutObject`, one for each
//! part of a multipart upload, whose parts are never copied.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A piece of an object's content.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) size: u64,
    pub(crate) file: DataFile,
}

/// A file in `data/`. Clones are the same file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DataFile {
    name: Uuid,
    #[serde(skip)]
    fate: Arc<Fate>,
}

/// The file to remove when its last holder is gone. A GET holds what it reads, so it ends
/// well even if the object is deleted under it; an upload that is cut off leaves nothing.
#[derive(Default)]
struct Fate(Mutex<Option<PathBuf>>);

impl Drop for Fate {
    fn drop(&mut self) {
        let path = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(path) = path
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "data left behind; the next start removes it");
        }
    }
}

impl DataFile {
    /// A new name, whose file goes away unless it is [kept](DataFile::keep).
    pub(crate) fn fresh(folder: &Path) -> DataFile {
        let file = DataFile { name: Uuid::new_v4(), fate: Arc::default() };
        file.remove_when_unused(folder);
        file
    }

    pub(crate) fn name(&self) -> Uuid {
        self.name
    }

    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.name.to_string())
    }

    pub(crate) fn keep(&self) {
        *self.fate.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn remove_when_unused(&self, folder: &Path) {
        *self.fate.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.path(folder));
    }
}
