//! The second net. S3 tells of every new object, and a request that dies before its item is written counts on that; but an
//! event can get lost too, and then a person's document would outlive every rule. So once a day the bucket is listed, and
//! every object that is new since the last time is looked at as its event would have had it looked at.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::created::{Created, created};
use crate::{
    Result, Stores,
    document::UPLOAD_LIFETIME,
    stores::{Listed, Tenants},
};

/// How often the bucket is listed.
const EVERY: Duration = Duration::from_hours(24);
/// Whoever made an object that is older than this has written its item by now, or is dead.
const SETTLED_AFTER: Duration = Duration::from_hours(2);
/// Objects looked at at once.
const AT_ONCE: usize = 8;

/// One listing of the bucket, from its first key to its last: in as many turns as it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// When it began.
    pub began_at: Timestamp,
    /// Objects that are older have been looked at before; some that are not, too.
    pub since: Timestamp,
    /// The last key that was listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether it came to the end of the bucket.
    #[serde(default)]
    pub is_whole: bool,
    /// Whether an object could not be looked at.
    #[serde(default)]
    pub has_failed: bool,
}

/// What one turn came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Objects listed.
    pub listed: u64,
    /// Of these, objects that are new since the last time.
    pub new: u64,
    /// Of these, objects that no document points to: noted, to be removed.
    pub strays: u64,
    /// Objects that could not be looked at; they are again the next day.
    pub failed: u64,
}

impl Pass {
    /// The listing to go on with at `now`, given the last one; `None` where it is too early for another.
    fn next(last: Option<Self>, now: Timestamp) -> Option<Self> {
        let since = match last {
            None => Timestamp::UNIX_EPOCH,
            Some(last) if !last.is_whole => return Some(last),
            Some(last) if now < last.began_at + EVERY => return None,
            Some(last) if last.has_failed => last.since,
            // Of an upload S3 gives its object the time that it began at.
            Some(last) => last.until() - UPLOAD_LIFETIME,
        };
        Some(Self {
            began_at: now,
            since,
            after: None,
            is_whole: false,
            has_failed: false,
        })
    }

    /// Objects that are younger are left to the next listing.
    fn until(&self) -> Timestamp {
        self.began_at - SETTLED_AFTER
    }

    fn concerns(&self, object: &Listed) -> bool {
        (self.since..self.until()).contains(&object.modified_at)
    }
}

/// Goes on with the listing, or begins another if it is time, until `until`.
pub async fn look_through(
    stores: &Stores,
    tenants: &Tenants,
    now: Timestamp,
    until: Instant,
) -> Result<Looked> {
    let mut looked = Looked::default();
    let Some(mut pass) = Pass::next(stores.documents.last_pass().await?, now) else {
        return Ok(looked);
    };
    while !pass.is_whole && Instant::now() < until {
        let (objects, next) = stores.files.list(pass.after.as_deref()).await?;
        looked.listed += objects.len() as u64;
        let new = objects.iter().filter(|object| pass.concerns(object));
        let outcomes = stream::iter(new).map(|object| {
            let s3_version = object.s3_version.as_deref();
            created(stores, tenants, &object.key, s3_version, now)
        });
        let outcomes: Vec<_> = outcomes.buffer_unordered(AT_ONCE).collect().await;
        for outcome in outcomes {
            looked.count(&outcome);
        }
        pass.has_failed |= looked.failed > 0;
        pass.is_whole = next.is_none();
        pass.after = next;
        stores.documents.save_pass(&pass).await?;
    }
    Ok(looked)
}

impl Looked {
    fn count(&mut self, outcome: &Result<Created>) {
        self.new += 1;
        match outcome {
            Ok(Created::Stray) => self.strays += 1,
            Ok(_) => {}
            Err(error) => {
                let cause = error.for_the_log();
                tracing::error!(
                    cause,
                    "an object could not be looked at; it is again tomorrow"
                );
                self.failed += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn object(modified_at: Timestamp) -> Listed {
        Listed {
            key: "school/a/b".to_owned(),
            s3_version: None,
            modified_at,
        }
    }

    fn whole(pass: Pass) -> Pass {
        Pass {
            is_whole: true,
            ..pass
        }
    }

    #[test]
    fn every_object_is_looked_at_whenever_it_was_made_and_however_long_its_upload_took() {
        let mut passes = Vec::new();
        let mut last = None;
        for hour in 0..200 {
            if let Some(pass) = Pass::next(last.clone(), time(hour)) {
                passes.push(pass.clone());
                last = Some(whole(pass));
            }
        }
        assert_eq!(passes.len(), 9);
        for began in -1000..140 {
            for took in 0..24 {
                let object = object(time(began));
                let there = |pass: &&Pass| pass.began_at >= time(began + took);
                let looks = passes.iter().filter(there);
                let looks = looks.filter(|pass| pass.concerns(&object)).count();
                assert!((1..=2).contains(&looks), "{began} {took}: {looks}");
            }
        }
    }

    #[test]
    fn a_listing_that_was_not_whole_goes_on_and_one_that_failed_is_repeated() {
        let first = Pass::next(None, time(0)).unwrap();
        assert_eq!(
            Pass::next(Some(first.clone()), time(1)),
            Some(first.clone())
        );
        assert_eq!(Pass::next(Some(whole(first.clone())), time(1)), None);
        let failed = Pass {
            has_failed: true,
            ..whole(first.clone())
        };
        let again = Pass::next(Some(failed), time(24)).unwrap();
        assert_eq!((again.began_at, again.since), (time(24), first.since));
    }
}
