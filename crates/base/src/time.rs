//! Time: whole microseconds since 1970, UTC, and the text forms that the protocols use.

use std::fmt;
use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description as form;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const SECONDS: &[BorrowedFormatItem<'_>] = form!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLIS: &[BorrowedFormatItem<'_>] =
    form!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const COMPACT: &[BorrowedFormatItem<'_>] = form!("[year][month][day]T[hour][minute][second]Z");
const HTTP: &[BorrowedFormatItem<'_>] =
    form!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// A moment. Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch, as stored.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment, later by `by`.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This moment, earlier by `by`.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The distance to another moment, whichever is first.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }

    /// The start of the hour that this moment is in.
    #[must_use]
    pub const fn hour(self) -> Self {
        const HOUR: i64 = 3_600_000_000;
        Self(self.0.div_euclid(HOUR) * HOUR)
    }

    fn date(self) -> OffsetDateTime {
        // Years outside 0..=9999 cannot come from a clock; the text forms hold four digits only.
        const FIRST: i64 = -62_167_219_200;
        const LAST: i64 = 253_402_300_799;
        let secs = self.secs().clamp(FIRST, LAST);
        OffsetDateTime::from_unix_timestamp(secs).unwrap_or(OffsetDateTime::UNIX_EPOCH)
            + time::Duration::microseconds(self.0.rem_euclid(1_000_000))
    }

    fn text(self, form: &[BorrowedFormatItem<'_>]) -> String {
        self.date().format(&form).unwrap_or_default()
    }

    fn parsed(text: &str, form: &[BorrowedFormatItem<'_>]) -> Option<Self> {
        let date = PrimitiveDateTime::parse(text, &form).ok()?.assume_offset(UtcOffset::UTC);
        i64::try_from(date.unix_timestamp_nanos() / 1000).ok().map(Self)
    }

    /// `2026-01-02T03:04:05Z`.
    pub fn iso(self) -> String {
        self.text(SECONDS)
    }

    /// `2026-01-02T03:04:05.000Z`.
    pub fn iso_millis(self) -> String {
        self.text(MILLIS)
    }

    /// `20260102T030405Z`, the date form of the V4 signatures.
    pub fn compact(self) -> String {
        self.text(COMPACT)
    }

    /// `Fri, 02 Jan 2026 03:04:05 GMT` (RFC 9110, section 5.6.7).
    pub fn http(self) -> String {
        self.text(HTTP)
    }

    /// Reads `2026-01-02T03:04:05Z`, with or without milliseconds.
    pub fn parse_iso(text: &str) -> Option<Self> {
        Self::parsed(text, SECONDS).or_else(|| Self::parsed(text, MILLIS))
    }

    /// Reads `20260102T030405Z`.
    pub fn parse_compact(text: &str) -> Option<Self> {
        Self::parsed(text, COMPACT)
    }

    /// Reads `Fri, 02 Jan 2026 03:04:05 GMT`.
    pub fn parse_http(text: &str) -> Option<Self> {
        Self::parsed(text, HTTP)
    }
}

/// The ISO form, to the second.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_forms_are_those_of_the_protocols() {
        let time = Time::from_secs(1_767_323_045);
        assert_eq!(time.iso(), "2026-01-02T03:04:05Z");
        assert_eq!(time.iso_millis(), "2026-01-02T03:04:05.000Z");
        assert_eq!(time.compact(), "20260102T030405Z");
        assert_eq!(time.http(), "Fri, 02 Jan 2026 03:04:05 GMT");
        for text in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"] {
            assert_eq!(Time::parse_iso(text), Some(time));
        }
        assert_eq!(Time::parse_compact("20260102T030405Z"), Some(time));
        assert_eq!(Time::parse_http("Fri, 02 Jan 2026 03:04:05 GMT"), Some(time));
        assert_eq!(Time::parse_iso("2026-13-02T03:04:05Z"), None);
        assert_eq!(time.hour().iso(), "2026-01-02T03:00:00Z");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_panic(text: String, micros: i64) {
            let _ = (Time::parse_iso(&text), Time::parse_compact(&text), Time::parse_http(&text));
            let _ = (Time::from_micros(micros).http(), Time::from_micros(micros).iso_millis());
        }
    }
}
