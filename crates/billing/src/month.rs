//! Calendar months and days, UTC. Everything is in seconds since the epoch.

use base::Time;

/// Seconds of an hour.
pub const HOUR: i64 = 3600;
/// Seconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// A calendar month, by its first second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i64);

impl Month {
    /// The month that a moment is in.
    pub fn of(secs: i64) -> Self {
        let text = Time::from_secs(secs).iso();
        let first = Time::parse_iso(&format!("{}-01T00:00:00Z", &text[..7]));
        Self(first.expect("a date with another day of its month is a date").secs())
    }

    /// Reads `2026-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let first = Time::parse_iso(&format!("{text}-01T00:00:00Z"))?;
        Some(Self(first.secs()))
    }

    /// From a stored first second.
    pub const fn stored(first: i64) -> Self {
        Self(first)
    }

    /// Its first second.
    pub const fn start(self) -> i64 {
        self.0
    }

    /// The next month.
    pub fn next(self) -> Self {
        Self::of(self.0 + 32 * DAY)
    }

    /// The first second after it.
    pub fn end(self) -> i64 {
        self.next().0
    }

    /// `2026-11`.
    pub fn text(self) -> String {
        Time::from_secs(self.0).iso()[..7].to_owned()
    }
}

/// The start of the hour that a second is in.
pub const fn hour_of(secs: i64) -> i64 {
    secs.div_euclid(HOUR) * HOUR
}

/// The start of the day that a second is in.
pub const fn day_of(secs: i64) -> i64 {
    secs.div_euclid(DAY) * DAY
}

/// `2026-11-22`.
pub fn day_text(secs: i64) -> String {
    Time::from_secs(secs).iso()[..10].to_owned()
}

/// `2026-11-22T03:00:00Z`.
pub fn iso(secs: i64) -> String {
    Time::from_secs(secs).iso()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_without_a_gap_over_leap_days_and_years() {
        let mut month = Month::parse("2023-11").expect("it is one");
        for wanted in ["2023-12", "2024-01", "2024-02", "2024-03", "2024-04"] {
            assert_eq!(Month::of(month.end() - 1), month);
            month = month.next();
            assert_eq!(month.text(), wanted);
        }
        assert_eq!(
            Month::parse("2024-03").map(Month::start),
            Some(Month::of(month.start() - 1).start())
        );
        assert_eq!(Month::parse("2024-13"), None);
        assert_eq!(Month::parse("2024-3"), None);
        assert_eq!(day_text(1_767_323_045), "2026-01-02");
        assert_eq!(iso(hour_of(1_767_323_045)), "2026-01-02T03:00:00Z");
    }
}
