//! Lifecycle rules. All are stored and given back; the one that is carried out is
//! `AbortIncompleteMultipartUpload`, when [`S3::run_lifecycle`](crate::S3::run_lifecycle) is called.

use s3s::dto::{BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule};
use s3s::{S3Result, s3_error};

use crate::malformed_xml;
use crate::seconds::Seconds;
use crate::state::Settings;

const DAY: u64 = 24 * 60 * 60;

/// The time at which a rule will abort an upload.
pub(crate) struct Abort {
    pub(crate) due: Seconds,
    pub(crate) rule_id: Option<String>,
}

/// The earliest abort among the bucket's enabled rules that cover the key.
pub(crate) fn abort_of(settings: &Settings, key: &str, initiated: Seconds) -> Option<Abort> {
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

/// The configurations that S3 refuses to store.
pub(crate) fn check(configuration: &BucketLifecycleConfiguration) -> S3Result {
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
