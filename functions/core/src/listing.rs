//! The progress of a listing of the bucket ([`look_through`](fn@crate::use_cases::look_through)): pure rules, the time
//! given.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::UPLOAD_LIFETIME;

/// The time between two listings of the bucket.
const EVERY: Duration = Duration::from_hours(24);
/// The age at which the request that made an object has written its item, or is dead.
const SETTLED_AFTER: Duration = Duration::from_hours(2);

/// One listing of the bucket, from its first key to its last: in as many turns as it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// The time at which it began.
    pub began_at: Timestamp,
    /// Objects that are older have been looked at before; some that are not, too.
    pub since: Timestamp,
    /// The last key that was listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// True if it came to the end of the bucket.
    #[serde(default)]
    pub is_whole: bool,
    /// True if an object could not be looked at.
    #[serde(default)]
    pub has_failed: bool,
}

impl Listing {
    /// The listing to go on with at `now`, given the last one; `None` where it is too early for another.
    pub fn next(last: Option<Self>, now: Timestamp) -> Option<Self> {
        let since = match last {
            None => Timestamp::UNIX_EPOCH,
            Some(last) if !last.is_whole => return Some(last),
            Some(last) if now < last.began_at + EVERY => return None,
            Some(last) if last.has_failed => last.since,
            // S3 gives an upload's object the time at which the upload began.
            Some(last) => last.until() - UPLOAD_LIFETIME,
        };
        Some(Self { began_at: now, since, after: None, is_whole: false, has_failed: false })
    }

    /// Objects that are younger are left to the next listing.
    fn until(&self) -> Timestamp {
        self.began_at - SETTLED_AFTER
    }

    /// Returns whether an object that was made then is to be looked at.
    pub fn concerns(&self, modified_at: Timestamp) -> bool {
        (self.since..self.until()).contains(&modified_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    fn whole(listing: Listing) -> Listing {
        Listing { is_whole: true, ..listing }
    }

    #[test]
    fn every_object_is_looked_at_whenever_it_was_made_and_however_long_its_upload_took() {
        let mut listinges = Vec::new();
        let mut last = None;
        for hour in 0..200 {
            if let Some(listing) = Listing::next(last.clone(), time(hour)) {
                listinges.push(listing.clone());
                last = Some(whole(listing));
            }
        }
        assert_eq!(listinges.len(), 9);
        for began in -1000..140 {
            for took in 0..24 {
                let there = |listing: &&Listing| listing.began_at >= time(began + took);
                let looks = listinges.iter().filter(there);
                let looks = looks.filter(|listing| listing.concerns(time(began))).count();
                assert!((1..=2).contains(&looks), "{began} {took}: {looks}");
            }
        }
    }

    #[test]
    fn a_listing_that_was_not_whole_goes_on_and_one_that_failed_is_repeated() {
        let first = Listing::next(None, time(0)).unwrap();
        assert_eq!(Listing::next(Some(first.clone()), time(1)), Some(first.clone()));
        assert_eq!(Listing::next(Some(whole(first.clone())), time(1)), None);
        let failed = Listing { has_failed: true, ..whole(first.clone()) };
        let again = Listing::next(Some(failed), time(24)).unwrap();
        assert_eq!((again.began_at, again.since), (time(24), first.since));
    }
}
