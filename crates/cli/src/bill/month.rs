//! A calendar month, UTC, as bills name it: `2026-11`.

use std::time::Duration;

use base::Time;

const DAY: Duration = Duration::from_secs(86_400);

/// A calendar month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month(String);

impl Month {
    /// Reads `2026-11`, for a command line.
    ///
    /// # Errors
    /// In words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let month = Self(text.to_owned());
        match Time::parse_iso(&format!("{text}-01T00:00:00Z")) {
            Some(_) => Ok(month),
            None => Err("a month is written as 2026-11".to_owned()),
        }
    }

    /// The month that a moment is in.
    pub fn of(at: Time) -> Self {
        Self(at.iso()[..7].to_owned())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first moment.
    pub fn start(&self) -> Time {
        let first = Time::parse_iso(&format!("{}-01T00:00:00Z", self.0));
        first.expect("it was read when the month was made")
    }

    /// The month after it.
    pub fn next(&self) -> Self {
        Self::of(self.start().plus(DAY * 32))
    }

    /// The first moment after it.
    pub fn end(&self) -> Time {
        self.next().start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_also_over_the_year() {
        let month = Month::parse("2024-12").expect("it is one");
        assert_eq!(
            (month.next().as_str(), month.end().iso()),
            ("2025-01", "2025-01-01T00:00:00Z".to_owned())
        );
        assert_eq!(Month::of(Time::from_secs(month.end().secs() - 1)), month);
        for text in ["", "2024", "2024-13", "2024-1", "2024-01-01"] {
            assert!(Month::parse(text).is_err(), "{text}");
        }
    }
}
