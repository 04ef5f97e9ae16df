//! The usage of reads: requests by class and bytes that left.
//!
//! A read has no commit of its own that its usage could be part of, and giving it one would cost
//! more than the read. It is added up in memory and written once a second and when the program
//! drains. A crash loses at most what that second used, in the tenant's favour; nothing is ever
//! written twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, ApiError};
use engine::Cloud;
use engine::meter::Meters;

use crate::model::Bucket;

/// Requests that wrote or deleted.
pub const PUTS: &str = "oss.requests.put";
/// Requests that read an object or something about one.
pub const GETS: &str = "oss.requests.get";
/// Requests that listed.
pub const LISTS: &str = "oss.requests.list";
/// Bytes of object bodies that left.
pub const EGRESS: &str = "oss.egress";
/// Bytes stored; a level, so its usage is in byte-seconds.
pub const STORAGE: &str = "oss.storage";
/// Bytes stored in the classes other than Standard, in their order: levels too. What is in one of these is not in
/// [`STORAGE`].
pub const TIERS: [&str; 4] = [
    "oss.storage.ia",
    "oss.storage.archive",
    "oss.storage.cold-archive",
    "oss.storage.deep-cold-archive",
];

const SHARDS: usize = 8;

type Key = (AccountId, Arc<str>, &'static str);

/// Whose usage of which bucket (by its ARN), cheap to copy.
#[derive(Clone, Debug)]
pub(crate) struct Payer {
    account: AccountId,
    arn: Arc<str>,
}

impl Payer {
    pub(crate) fn new(account: AccountId, bucket: &Bucket) -> Self {
        Self { account, arn: bucket.arn().into() }
    }
}

/// Counts of reads not yet written.
#[derive(Default)]
pub struct ReadMeter {
    shards: [Mutex<HashMap<Key, i64>>; SHARDS],
    // Spreads the buckets over the shards.
    hash: RandomState,
}

impl ReadMeter {
    /// Adds to a counter.
    pub(crate) fn count(&self, payer: &Payer, meter: &'static str, quantity: u64) {
        let shard = self.hash.hash_one(&payer.arn) as usize % SHARDS;
        let quantity = i64::try_from(quantity).unwrap_or(i64::MAX);
        let key = (payer.account, Arc::clone(&payer.arn), meter);
        let mut counts = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(key).or_default() += quantity;
    }

    fn take(&self) -> Vec<(Key, i64)> {
        let drain = |shard: &Mutex<HashMap<Key, i64>>| {
            std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.shards.iter().flat_map(drain).collect()
    }

    /// Writes everything counted so far in one transaction.
    ///
    /// Where that surely failed (a full disk) the counts stay for the next time; where the outcome is
    /// unknown they are dropped rather than written twice.
    pub(crate) async fn flush(&self, cloud: &Arc<Cloud>) {
        let counts = Arc::new(self.take());
        if counts.is_empty() {
            return;
        }
        let (rows, now) = (Arc::clone(&counts), cloud.clock.now());
        let written = cloud
            .db
            .write(move |tx| {
                let mut meters = Meters::default();
                for ((account, arn, meter), quantity) in rows.iter() {
                    meters.count(*account, arn, meter, *quantity);
                }
                meters.write(tx, now).map_err(Unwritten::RolledBack)
            })
            .await;
        if let Err(error) = written {
            self.keep(&counts, &error);
        }
    }

    fn keep(&self, counts: &[(Key, i64)], error: &Unwritten) {
        let kept =
            matches!(error, Unwritten::RolledBack(_) | Unwritten::Commit(store::Error::Full(_)));
        tracing::error!(?error, kept, counters = counts.len(), "write the usage of reads");
        if kept {
            for ((account, arn, meter), quantity) in counts {
                let payer = Payer { account: *account, arn: Arc::clone(arn) };
                self.count(&payer, meter, quantity.cast_unsigned());
            }
        }
    }
}

/// Why counts were not written.
#[derive(Debug)]
enum Unwritten {
    /// The statement failed and was rolled back.
    RolledBack(#[expect(dead_code, reason = "it is logged")] ApiError),
    /// The transaction failed as a whole.
    Commit(store::Error),
}

impl From<store::Error> for Unwritten {
    fn from(error: store::Error) -> Self {
        Self::Commit(error)
    }
}
