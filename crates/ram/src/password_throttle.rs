//! How often the passwords of one account may be hashed.
//!
//! Hashing is slow by design and holds up the only writer, so no account may have much of it. A
//! refused or failed attempt costs as much as one that succeeds but rolls its transaction back: the
//! count is kept in memory, and a restart forgets it. So is an attempt counted twice whose
//! transaction the store runs again; it hashed twice.
//!
//! The general flow control of requests is the engine's.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use base::{AccountId, ApiError, Time, code};

/// Password operations of one account at once, after a minute of silence.
const BURST: u32 = 10;
/// One more is admitted each time this has passed: ten a minute.
const EVERY: Duration = Duration::from_secs(6);
/// After so much silence the whole burst is there again.
const FULL: Duration = Duration::from_secs(60);
const _: () = assert!(EVERY.as_secs() * BURST as u64 == FULL.as_secs());
/// Past this many accounts the idle ones are forgotten.
const ACCOUNTS_MAX: usize = 10_000;

/// Of the whole process, since an action reaches nothing of this crate that lives longer than its
/// transaction. Account numbers are drawn at random: two clouds in one process do not share any.
static THROTTLE: LazyLock<Throttle> = LazyLock::new(Throttle::default);

/// Takes one password operation of an account. Call it right before hashing.
///
/// # Errors
/// `Throttling.User`.
pub(crate) fn admit(account: AccountId, now: Time) -> Result<(), ApiError> {
    THROTTLE.admit(account, now)
}

/// A token bucket for each account, kept as the moment at which it will be full again.
#[derive(Default)]
struct Throttle {
    full_at: Mutex<HashMap<AccountId, Time>>,
}

impl Throttle {
    fn admit(&self, account: AccountId, now: Time) -> Result<(), ApiError> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= ACCOUNTS_MAX {
            full_at.retain(|_, full| *full > now);
        }
        // One further ahead than a bucket is deep was noted before the clock was set back.
        let noted = full_at.get(&account).filter(|full| full.since(now) <= FULL);
        let full = noted.map_or(now, |full| now.max(*full)).plus(EVERY);
        if full.since(now) > FULL {
            return Err(code::THROTTLED.into());
        }
        full_at.insert(account, full);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: AccountId = AccountId::new(1);
    const OTHER: AccountId = AccountId::new(2);
    const BEGIN: Time = Time::from_secs(1_000);

    /// How many of a hundred attempts at one moment pass.
    fn admitted(throttle: &Throttle, account: AccountId, now: Time) -> usize {
        (0..100).filter(|_| throttle.admit(account, now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_then_the_rate_holds_for_each_account_on_its_own() {
        let throttle = Throttle::default();
        let check = |account, secs, wanted| {
            let now = BEGIN.plus(Duration::from_secs(secs));
            assert_eq!(admitted(&throttle, account, now), wanted, "after {secs} s");
        };
        check(ONE, 0, 10);
        check(ONE, 5, 0);
        check(OTHER, 5, 10);
        check(ONE, 6, 1);
        check(ONE, 18, 2);
        check(ONE, 1_000, 10);
        let refused = throttle.admit(ONE, BEGIN.plus(Duration::from_secs(1_000)));
        assert!(refused.is_err_and(|error| error.is(&code::THROTTLED)));
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let throttle = Throttle::default();
        assert_eq!(admitted(&throttle, ONE, BEGIN), 10);
        assert_eq!(admitted(&throttle, ONE, Time::from_secs(0)), 10);
    }

    #[test]
    fn idle_accounts_are_forgotten() {
        let throttle = Throttle::default();
        for number in 0..ACCOUNTS_MAX as u64 {
            throttle.admit(AccountId::new(number), BEGIN).expect("it is the first");
        }
        throttle.admit(OTHER, BEGIN.plus(FULL)).expect("its bucket is full again");
        assert_eq!(throttle.full_at.lock().expect("nobody panicked").len(), 1);
    }
}
