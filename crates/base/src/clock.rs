//! The one door to the wall clock, so that tests can turn it by hand.

use crate::Time;

/// Tells the time. Services take this instead of asking the operating system.
pub trait Clock: Send + Sync {
    /// The current time, UTC.
    fn now(&self) -> Time;
}

/// The operating system's clock.
#[derive(Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the door the lint points to")]
    fn now(&self) -> Time {
        let since =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
