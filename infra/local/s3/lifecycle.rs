//! Lifecycle rules. All are stored and given back; the one that is carried out is
//! `AbortIncompleteMultipartUpload`, when [`S3::run_lifecycle`](super::S3::run_lifecycle) is called.

use std::time::SystemTime;

use s3s::dto::{BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule};
use s3s::{S3Result, s3_error};

use super::seconds::Seconds;
use super::state::Settings;
use super::store::Store;
use super::{AbortedUpload, malformed_xml, multipart};

const DAY: u64 = 24 * 60 * 60;

/// When a rule will abort an upload.
pub(super) struct Abort {
    pub(super) due: Seconds,
    pub(super) rule_id: Option<String>,
}

/// The earliest abort among the bucket's enabled rules that cover the key.
pub(super) fn abort_of(settings: &Settings, key: &str, initiated: Seconds) -> Option<Abort> {
    let rules = &settings.lifecycle.as_ref()?.rules;
    let aborts = rules.iter().filter_map(|rule| {
        let enabled = rule.status.as_str() == ExpirationStatus::ENABLED;
        let days = rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation?;
        let days = u64::try_from(days).ok()?;
        // S3 counts whole days and rounds up to the next midnight UTC.
        let due = Seconds((initiated.0 + days * DAY).div_ceil(DAY) * DAY);
        (enabled && key.starts_with(prefix(rule))).then(|| Abort { due, rule_id: rule.id.clone() })
    });
    aborts.min_by_key(|abort| abort.due)
}

fn prefix(rule: &LifecycleRule) -> &str {
    let filter = rule.filter.as_ref();
    let in_filter = filter.and_then(|filter| filter.prefix.as_deref());
    let in_and = filter.and_then(|filter| filter.and.as_ref()?.prefix.as_deref());
    in_filter.or(in_and).or(rule.prefix.as_deref()).unwrap_or_default()
}

/// What S3 refuses to store.
pub(super) fn check(configuration: &BucketLifecycleConfiguration) -> S3Result {
    if configuration.rules.is_empty() || configuration.rules.len() > 1000 {
        return Err(malformed_xml());
    }
    for rule in &configuration.rules {
        let Some(abort) = &rule.abort_incomplete_multipart_upload else {
            continue;
        };
        if abort.days_after_initiation.is_none_or(|days| days < 1) {
            return Err(s3_error!(
                InvalidArgument,
                "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer"
            ));
        }
        let tagged = rule.filter.as_ref().is_some_and(|filter| {
            let in_and = filter.and.as_ref().is_some_and(|and| and.tags.as_ref().is_some_and(|tags| !tags.is_empty()));
            filter.tag.is_some() || in_and
        });
        if tagged {
            return Err(s3_error!(InvalidRequest, "AbortIncompleteMultipartUpload cannot be specified with Tags."));
        }
    }
    Ok(())
}

pub(super) fn run(store: &Store, now: SystemTime) -> S3Result<Vec<AbortedUpload>> {
    let now = Seconds::from(now);
    let mut due = Vec::new();
    for (name, bucket) in &store.lock().buckets {
        for upload in bucket.uploads.values() {
            if abort_of(&bucket.settings, &upload.key, upload.initiated).is_some_and(|abort| abort.due <= now) {
                due.push(AbortedUpload { bucket: name.clone(), key: upload.key.clone(), upload_id: upload.id.clone() });
            }
        }
    }
    let mut aborted = Vec::new();
    for upload in due {
        match multipart::abort(store, &upload.bucket, &upload.key, &upload.upload_id) {
            Ok(()) => aborted.push(upload),
            // Completed or aborted in between.
            Err(error) if *error.code() == s3s::S3ErrorCode::NoSuchUpload => {}
            Err(error) => return Err(error),
        }
    }
    Ok(aborted)
}
