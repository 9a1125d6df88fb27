//! Deletes, which in a versioned bucket remove nothing.

use s3s::S3Result;
use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error};

use crate::malformed_xml;
use crate::seconds::Seconds;
use crate::state::{NULL_VERSION, Versioning};
use crate::store::Store;

/// The outcome of a delete: the id that it concerns, and whether that is a delete marker's.
pub(crate) struct Deletion {
    pub(crate) version_id: Option<String>,
    pub(crate) delete_marker: bool,
}

/// Without `version_id` in a versioned bucket a delete marker hides the key; otherwise the version
/// is gone. Deleting what is not there succeeds, as on S3.
pub(crate) fn delete(store: &Store, bucket: &str, key: &str, version_id: Option<&str>) -> S3Result<Deletion> {
    let mut state = store.lock();
    let versioning = state.bucket(bucket)?.settings.versioning;
    match version_id {
        Some(id) => {
            let removed = store.remove_version(&mut state, bucket, key, id)?;
            let delete_marker = removed.is_some_and(|version| version.content.is_none());
            Ok(Deletion { version_id: Some(id.to_owned()), delete_marker })
        }
        None if versioning == Versioning::Never => {
            store.remove_version(&mut state, bucket, key, NULL_VERSION)?;
            Ok(Deletion { version_id: None, delete_marker: false })
        }
        None => {
            let marker = store.publish(&mut state, bucket, key, Seconds::now(), None)?;
            Ok(Deletion { version_id: Some(marker.id.clone()), delete_marker: true })
        }
    }
}

/// Deletes up to 1000 keys; each stands for itself.
pub(crate) fn delete_many(store: &Store, input: &DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(malformed_xml());
    }
    store.lock().bucket(&input.bucket)?;
    let quiet = input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in &input.delete.objects {
        match delete(store, &input.bucket, &object.key, object.version_id.as_deref()) {
            Ok(_) if quiet => {}
            Ok(done) => deleted.push(DeletedObject {
                delete_marker: done.delete_marker.then_some(true),
                delete_marker_version_id: done.version_id.filter(|_| done.delete_marker),
                key: Some(object.key.clone()),
                version_id: object.version_id.clone(),
            }),
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key.clone()),
                message: error.message().map(str::to_owned),
                version_id: object.version_id.clone(),
            }),
        }
    }
    Ok(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..DeleteObjectsOutput::default() })
}
