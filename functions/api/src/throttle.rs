//! Limits the requests a second of one tenant in this process.
//!
//! A process has one request at a time, and Lambda begins as many as it takes: this keeps one tenant's flood of cheap
//! requests from being worth sending, and what all of them together may ask is the gateway's to limit. (API Gateway's
//! usage plans could count tenants for all processes together, but only by API keys, and OKD's senders have tokens.)

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use okd_core::ids::TenantId;

/// The burst: requests of so many seconds may come at once.
const BURST: f64 = 2.0;

/// A token bucket for each tenant.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    // Tenants are few: no request gets here without a token of one.
    buckets: Mutex<HashMap<TenantId, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    requests: f64,
    filled: Instant,
}

impl Throttle {
    /// Returns whether one more request of this tenant, which may make so many a second, may pass at `now`.
    pub(crate) fn admits(&self, tenant: &TenantId, per_second: u32, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let most = f64::from(per_second) * BURST;
        let full = Bucket { requests: most, filled: now };
        let bucket = buckets.entry(tenant.clone()).or_insert(full);
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.requests = (bucket.requests + since * f64::from(per_second)).min(most);
        bucket.filled = now;
        let admits = bucket.requests >= 1.0;
        if admits {
            bucket.requests -= 1.0;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn tenant(name: &str) -> TenantId {
        name.to_owned().try_into().unwrap()
    }

    proptest! {
        #[test]
        fn no_tenant_gets_more_than_its_burst_and_its_rate_and_none_gets_less_for_another(
            gaps in prop::collection::vec(0..50_u64, 1..200), per_second in 1..100_u32
        ) {
            let throttle = Throttle::default();
            let (greedy, modest) = (tenant("greedy"), tenant("modest"));
            let began = Instant::now();
            let mut now = began;
            let mut admitted = 0.0;
            prop_assert!(throttle.admits(&modest, per_second, now));
            for gap in gaps {
                now += Duration::from_millis(gap);
                admitted += f64::from(u8::from(throttle.admits(&greedy, per_second, now)));
                let elapsed = now.duration_since(began).as_secs_f64();
                let most = f64::from(per_second) * (BURST + elapsed) + 0.001;
                prop_assert!(admitted <= most, "{admitted} of {most}");
            }
            prop_assert!(throttle.admits(&modest, per_second, now));
            prop_assert!(throttle.admits(&greedy, per_second, now + Duration::from_secs(1)));
        }
    }
}
