//! Flow control: a token bucket for each principal.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use base::{AccountId, ApiError, Time, code};

use crate::Caller;

/// A bucket holds this many seconds' worth, so that a burst after silence passes.
const BURST_SECONDS: i64 = 4;
/// Past this many principals the idle ones are forgotten; a full bucket is what they would have.
const PRINCIPALS_MAX: usize = 100_000;

/// Admits at most so many requests a second of each principal.
pub struct Throttle {
    per_second: i64,
    buckets: Mutex<HashMap<(AccountId, String), Bucket>>,
}

/// What is left, in micro-requests (so that refilling by the microsecond is exact), and since when.
struct Bucket {
    left: i64,
    at: Time,
}

impl Throttle {
    /// `per_second` zero is without limit.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: i64::from(per_second), buckets: Mutex::default() }
    }

    /// Takes one request.
    ///
    /// # Errors
    /// `Throttling.User`.
    pub fn admit(&self, caller: &Caller, now: Time) -> Result<(), ApiError> {
        const ONE: i64 = 1_000_000;
        if self.per_second == 0 {
            return Ok(());
        }
        let full = self.per_second * BURST_SECONDS * ONE;
        let mut buckets = self.buckets.lock().expect("nothing panics while it holds this lock");
        if buckets.len() >= PRINCIPALS_MAX {
            buckets.retain(|_, bucket| now.since(bucket.at) < Duration::from_secs(60));
        }
        let bucket = buckets
            .entry((caller.account, caller.principal_id()))
            .or_insert(Bucket { left: full, at: now });
        let refill = i64::try_from(now.since(bucket.at).as_micros()).unwrap_or(i64::MAX);
        bucket.left = full.min(bucket.left.saturating_add(refill.saturating_mul(self.per_second)));
        bucket.at = bucket.at.max(now);
        if bucket.left < ONE {
            return Err(code::THROTTLED.into());
        }
        bucket.left -= ONE;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let throttle = Throttle::new(10);
        let caller = Caller::anonymous();
        let mut now = Time::from_secs(100);
        let admitted = (0..100).filter(|_| throttle.admit(&caller, now).is_ok()).count();
        assert_eq!(admitted, 40);
        now = now.plus(Duration::from_secs(1));
        let admitted = (0..100).filter(|_| throttle.admit(&caller, now).is_ok()).count();
        assert_eq!(admitted, 10);
    }
}
