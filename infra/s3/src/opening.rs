//! Reading the folder back, and putting right what a crash left half done.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::state::{Bucket, State, Version};
use crate::store::Store;
use crate::upload::Part;

impl Store {
    pub(crate) fn load(&self) -> io::Result<State> {
        let mut state = State::default();
        for entry in fs::read_dir(self.root.join("buckets"))? {
            let folder = entry?.path();
            let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if !folder.join("bucket.json").exists() {
                // A crash while the bucket was being made or removed.
                fs::remove_dir_all(&folder)?;
                continue;
            }
            let bucket = self.load_bucket(name, &mut state.last_order)?;
            state.buckets.insert(name.to_owned(), bucket);
        }
        Ok(state)
    }

    fn load_bucket(&self, name: &str, last_order: &mut u64) -> io::Result<Bucket> {
        let folder = self.bucket_folder(name);
        let mut bucket = Bucket { settings: read_json(&folder.join("bucket.json"))?, ..Bucket::default() };
        for (_, path) in json_files(&folder.join("objects"))? {
            let version: Version = read_json(&path)?;
            *last_order = version.order.max(*last_order);
            bucket.objects.entry(version.key.clone()).or_default().push(Arc::new(version));
        }
        for versions in bucket.objects.values_mut() {
            versions.sort_by_key(|version| version.order);
        }
        let (parts, uploads): (Vec<_>, Vec<_>) =
            json_files(&folder.join("uploads"))?.into_iter().partition(|(stem, _)| stem.contains('.'));
        for (id, path) in uploads {
            bucket.uploads.insert(id, read_json(&path)?);
        }
        for (stem, path) in parts {
            let id = stem.split('.').next().unwrap_or_default();
            match bucket.uploads.get_mut(id) {
                Some(upload) => {
                    let part: Part = read_json(&path)?;
                    upload.parts.insert(part.number, part);
                }
                // A crash in the middle of `remove_upload`.
                None => fs::remove_file(path)?,
            }
        }
        self.finish_completes(name, &mut bucket)?;
        Ok(bucket)
    }

    /// A crash between Complete's commit point and the removal of its upload leaves both.
    fn finish_completes(&self, name: &str, bucket: &mut Bucket) -> io::Result<()> {
        let done: Vec<Arc<Version>> = bucket
            .objects
            .values()
            .flatten()
            .filter(|version| version.completed().is_some_and(|done| bucket.uploads.contains_key(&done.upload_id)))
            .cloned()
            .collect();
        for version in done {
            let Some(completed) = version.completed() else {
                continue;
            };
            self.remove_upload(bucket, name, &completed.upload_id, version.segments()).map_err(io::Error::other)?;
        }
        Ok(())
    }

    pub(crate) fn remove_unnamed_data(&self, state: &State) -> io::Result<()> {
        let buckets = || state.buckets.values();
        let of_versions = buckets()
            .flat_map(|bucket| bucket.objects.values().flatten())
            .flat_map(|version| version.segments())
            .map(|segment| segment.file.name());
        let of_parts = buckets()
            .flat_map(|bucket| bucket.uploads.values())
            .flat_map(|upload| upload.parts.values())
            .map(|part| part.file.name());
        let named: HashSet<String> = of_versions.chain(of_parts).map(|name| name.to_string()).collect();
        for entry in fs::read_dir(self.data_folder())? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn json_files(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(stem) = name.strip_suffix(".json") {
            files.push((stem.to_owned(), path));
        }
    }
    Ok(files)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let name = || path.display().to_string();
    serde_json::from_slice(&fs::read(path)?).map_err(|error| io::Error::other(format!("{}: {error}", name())))
}
