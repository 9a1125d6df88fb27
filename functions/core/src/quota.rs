//! The quota of a tenant: uploads that are open, and the bytes that they declare.
//!
//! One count for all would be one item that every upload of the tenant writes, and DynamoDB refuses a transaction while
//! another one is at work on the same item. So the count is cut into shards, each with its share of the limit.

/// The most shards that a quota is cut into.
const MAX_SHARDS: u64 = 8;

/// The uploads and bytes that a tenant may have on their way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Uploads that may be open.
    pub open_uploads: u64,
    /// Bytes that these may declare together.
    pub bytes_in_flight: u64,
    /// The part of both that one client may have, in percent.
    pub client_percent: u64,
    /// The bytes of the largest document, for which every shard has room.
    pub document_size: u64,
}

/// The part of a quota that one shard counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Uploads.
    pub uploads: u64,
    /// Bytes that they declare.
    pub bytes: u64,
}

impl Quota {
    /// The number of shards.
    pub fn shards(&self) -> u8 {
        let by_uploads = self.open_uploads / 100;
        let by_bytes = self.bytes_in_flight / self.document_size / 4;
        u8::try_from(by_uploads.min(by_bytes).clamp(1, MAX_SHARDS)).unwrap_or(1)
    }

    /// The share of one shard. All of them together come to the quota.
    pub fn share(&self, shard: u8) -> Share {
        let shards = u64::from(self.shards());
        let cut = |all: u64| all / shards + u64::from(u64::from(shard) < all % shards);
        Share { uploads: cut(self.open_uploads), bytes: cut(self.bytes_in_flight) }
    }

    /// The share of one client in that: at least one document, however large it may be.
    pub(crate) fn share_of_client(&self, shard: u8) -> Share {
        let all = self.share(shard);
        let cut = |all: u64| (all * self.client_percent).div_ceil(100);
        Share { uploads: cut(all.uploads), bytes: cut(all.bytes).max(self.document_size) }
    }

    /// The shards for an upload, in the order in which they are to be tried: the one of the upload whose place it
    /// takes, so that one item changes instead of two, then all of them from its own on.
    pub(crate) fn shards_to_try(&self, before: Option<u8>, own: u8) -> impl Iterator<Item = u8> + use<> {
        let shards = self.shards();
        let before = before.filter(|&shard| shard < shards);
        let all = (0..shards).map(move |turn| (own + turn) % shards);
        before.into_iter().chain(all.filter(move |&shard| Some(shard) != before))
    }
}

/// An open upload as a shard counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The shard that counts it.
    pub shard: u8,
    /// The bytes that it declares.
    pub bytes: u64,
}

/// The change of one shard's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    /// The shard.
    pub shard: u8,
    /// Uploads more or less.
    pub uploads: i64,
    /// Bytes more or less.
    pub bytes: i64,
}

/// The changes of counts when an open upload takes the place of another, or of none; at most one for each shard, for
/// DynamoDB takes no two writes of one item in one transaction.
pub(crate) fn deltas(before: Option<Counted>, after: Option<Counted>) -> Vec<Delta> {
    let delta = |counted: Counted, sign: i64| Delta {
        shard: counted.shard,
        uploads: sign,
        bytes: sign * counted.bytes.cast_signed(),
    };
    let less = before.map(|before| delta(before, -1));
    let more = after.map(|after| delta(after, 1));
    let deltas = match (less, more) {
        (Some(less), Some(more)) if less.shard == more.shard => {
            vec![Delta { shard: more.shard, uploads: 0, bytes: less.bytes + more.bytes }]
        }
        (less, more) => less.into_iter().chain(more).collect(),
    };
    deltas.into_iter().filter(|delta| (delta.uploads, delta.bytes) != (0, 0)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quota(open_uploads: u64, bytes_in_flight: u64) -> Quota {
        Quota { open_uploads, bytes_in_flight, client_percent: 50, document_size: 7 }
    }

    #[test]
    fn a_shard_counts_a_hundred_uploads_and_four_documents_at_least_and_there_are_eight_at_most() {
        for (open_uploads, bytes_in_flight, shards) in [
            (99, 1 << 40, 1),
            (250, 1 << 40, 2),
            (10_000, 83, 2),
            (10_000, 84, 3),
            (10_000, 1 << 40, 8),
            (10_000, 7, 1),
        ] {
            assert_eq!(quota(open_uploads, bytes_in_flight).shards(), shards, "{open_uploads} {bytes_in_flight}");
        }
    }

    #[test]
    fn what_does_not_divide_is_given_to_the_first_shards() {
        let quota = quota(301, 86);
        let shares = [0, 1, 2].map(|shard| (quota.share(shard).uploads, quota.share(shard).bytes));
        assert_eq!(shares, [(101, 29), (100, 29), (100, 28)]);
        assert_eq!(quota.share_of_client(0), Share { uploads: 51, bytes: 15 });
        let little = Quota { client_percent: 1, ..quota };
        assert_eq!(little.share_of_client(0), Share { uploads: 2, bytes: 7 });
    }

    #[test]
    fn the_shards_are_tried_from_the_predecessor_s_and_then_from_the_own_one() {
        for (before, own, tried) in [
            (None, 0, [0, 1, 2]),
            (None, 2, [2, 0, 1]),
            (Some(0), 1, [0, 1, 2]),
            (Some(2), 1, [2, 1, 0]),
            (Some(3), 1, [1, 2, 0]),
        ] {
            let all: Vec<u8> = quota(301, 86).shards_to_try(before, own).collect();
            assert_eq!(all, tried, "{before:?} {own}");
        }
    }

    #[test]
    fn an_upload_in_the_place_of_another_changes_each_shard_once() {
        let counted = |shard, bytes| Some(Counted { shard, bytes });
        let delta = |shard, uploads, bytes| Delta { shard, uploads, bytes };
        for (before, after, expected) in [
            (None, None, vec![]),
            (None, counted(1, 5), vec![delta(1, 1, 5)]),
            (counted(1, 5), None, vec![delta(1, -1, -5)]),
            (counted(1, 5), counted(1, 5), vec![]),
            (counted(1, 5), counted(1, 7), vec![delta(1, 0, 2)]),
            (counted(1, 5), counted(2, 5), vec![delta(1, -1, -5), delta(2, 1, 5)]),
        ] {
            assert_eq!(deltas(before, after), expected, "{before:?} {after:?}");
        }
    }

    proptest! {
        #[test]
        fn the_shares_of_all_shards_come_to_the_quota_and_each_has_room_for_a_document(
            open_uploads in 1..1_000_000_u64, bytes_in_flight in 7..1_u64 << 50, client_percent in 1..=100_u64,
        ) {
            let quota = Quota { client_percent, ..quota(open_uploads, bytes_in_flight) };
            let shares: Vec<Share> = (0..quota.shards()).map(|shard| quota.share(shard)).collect();
            prop_assert_eq!(shares.iter().map(|share| share.uploads).sum::<u64>(), open_uploads);
            prop_assert_eq!(shares.iter().map(|share| share.bytes).sum::<u64>(), bytes_in_flight);
            for (shard, share) in (0..).zip(shares) {
                let of_client = quota.share_of_client(shard);
                prop_assert!(of_client.uploads >= 1 && of_client.bytes >= 7, "{:?}", of_client);
                prop_assert!(of_client.uploads <= share.uploads && of_client.bytes <= share.bytes);
            }
        }

        #[test]
        fn every_shard_is_tried_once_and_the_predecessor_s_first_if_it_still_is_one(
            before in prop::option::of(0..8_u8), own in 0..8_u8, uploads in 1..1000_u64,
        ) {
            let quota = quota(uploads, 1 << 40);
            let own = own % quota.shards();
            let tried: Vec<u8> = quota.shards_to_try(before, own).collect();
            let first = before.filter(|&shard| shard < quota.shards()).unwrap_or(own);
            prop_assert_eq!(tried[0], first);
            let mut all = tried.clone();
            all.sort_unstable();
            prop_assert_eq!(all, (0..quota.shards()).collect::<Vec<_>>());
        }

        #[test]
        fn counts_come_to_nothing_when_the_last_upload_has_ended(
            bytes in prop::collection::vec((0..3_u8, 1..100_u64), 1..20),
        ) {
            let mut counts = [(0, 0); 3];
            let mut before = None;
            for after in bytes.into_iter().map(|(shard, bytes)| Some(Counted { shard, bytes })).chain([None]) {
                for delta in deltas(before, after) {
                    counts[usize::from(delta.shard)].0 += delta.uploads;
                    counts[usize::from(delta.shard)].1 += delta.bytes;
                }
                before = after;
            }
            prop_assert_eq!(counts, [(0, 0); 3]);
        }
    }
}
