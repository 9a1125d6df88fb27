//! The second net. S3 tells of every new object, and a request that dies before its item is written counts on that; but
//! an event can get lost too, and then a person's document would outlive every rule. So once a day the bucket is
//! listed, and every object that is new since the last time is looked at as its event would have had it looked at.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::on_object_created::{Created, look_at};
use crate::{Result, Stores, document::FoundBy, listing::Listing, stores::Tenants};

/// Objects looked at at once.
const AT_ONCE: usize = 8;

/// The figures of one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Objects listed.
    pub listed: u64,
    /// Objects of these that are new since the last time.
    pub new: u64,
    /// Objects of these that no document points to: noted, to be removed after 35 days. There are none but after lost
    /// events; many, where the table was restored to an earlier time.
    pub strays: u64,
    /// Objects that could not be looked at; they are again the next day.
    pub failed: u64,
}

/// Goes on with the listing, or begins another if it is time, until `until`.
pub async fn look_through(stores: &Stores, tenants: &Tenants, now: Timestamp, until: Instant) -> Result<Looked> {
    let mut looked = Looked::default();
    let Some(mut listing) = Listing::next(stores.documents.last_listing().await?, now) else {
        return Ok(looked);
    };
    while !listing.is_whole && Instant::now() < until {
        let (objects, next) = stores.files.list(listing.after.as_deref()).await?;
        looked.listed += objects.len() as u64;
        let new = objects.iter().filter(|object| listing.concerns(object.modified_at));
        let outcomes = stream::iter(new).map(|object| {
            let s3_version = object.s3_version.as_deref();
            look_at(stores, tenants, &object.key, s3_version, FoundBy::Listing, now)
        });
        let outcomes: Vec<_> = outcomes.buffer_unordered(AT_ONCE).collect().await;
        for outcome in outcomes {
            looked.count(&outcome);
        }
        listing.has_failed |= looked.failed > 0;
        listing.is_whole = next.is_none();
        listing.after = next;
        stores.documents.save_listing(&listing).await?;
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
                let cause = error.to_string();
                tracing::error!(cause, "an object could not be looked at; it is again tomorrow");
                self.failed += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_counts_what_is_new_what_nothing_points_to_and_what_failed() {
        let mut looked = Looked::default();
        for outcome in [Ok(Created::Known), Ok(Created::Stray), Ok(Created::Foreign), Err(crate::Error::Contended)] {
            looked.count(&outcome);
        }
        assert_eq!(looked, Looked { listed: 0, new: 4, strays: 1, failed: 1 });
    }
}
