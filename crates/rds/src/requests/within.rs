//! What actions on what is within an instance share: who may change it, times and pages.

use base::{ApiError, Time};
use engine::Cx;
use engine::page::ByNumber;

pub(crate) use super::forms::invalid;
use crate::actions::{owned, running};
use crate::errors::{ENGINE_UNSUPPORTED, IS_FOLLOWER};
use crate::model::Engine;
use crate::tables::instance::Instance;

/// The caller's own instance, running, and not one that only follows another.
pub(crate) fn writable(cx: &mut Cx<'_>, id: &str) -> Result<Instance, ApiError> {
    let instance = running(cx, id)?;
    if instance.is_read_only() {
        return Err(ApiError::new(&IS_FOLLOWER));
    }
    Ok(instance)
}

/// The caller's own instance, if it is PostgreSQL.
pub(crate) fn postgres(cx: &mut Cx<'_>, id: &str) -> Result<Instance, ApiError> {
    let instance = owned(cx, id)?;
    if instance.engine == Engine::Postgres {
        Ok(instance)
    } else {
        Err(ApiError::new(&ENGINE_UNSUPPORTED))
    }
}

/// A page of rows that are all there, and how many there are.
pub(crate) struct Page<T> {
    /// The rows of the page.
    pub(crate) rows: Vec<T>,
    /// How many rows there are on all pages.
    pub(crate) total: usize,
    /// The number of this page.
    pub(crate) number: u32,
}

/// How many rows a page has, and how many are on the pages before it.
pub(crate) fn window(page: &ByNumber) -> Result<(usize, usize), ApiError> {
    let size = page.size(30, 200)?;
    Ok(((page.number() as usize - 1).saturating_mul(size), size))
}

/// Cuts rows to a page.
pub(crate) fn cut<T>(rows: Vec<T>, page: &ByNumber) -> Result<Page<T>, ApiError> {
    let (skip, size) = window(page)?;
    let total = rows.len();
    let rows = rows.into_iter().skip(skip).take(size).collect();
    Ok(Page { rows, total, number: page.number() })
}

/// Reads a moment as the API has it: `2026-01-02T03:04Z`, `2026-01-02T03:04:05Z` or `2026-01-02Z`.
pub(crate) fn moment(parameter: &'static str, text: &str) -> Result<Time, ApiError> {
    // Checked first, so that the cuts below fall between characters.
    let stem = text.strip_suffix('Z').filter(|_| text.is_ascii());
    let read = stem.and_then(|stem| match stem.len() {
        10 => Time::parse_iso(&format!("{stem}T00:00:00Z")),
        16 => Time::parse_iso(&format!("{stem}:00Z")),
        _ => Time::parse_iso(text),
    });
    let bad = || invalid(parameter, format!("{parameter} is a time such as 2026-01-02T03:04Z."));
    read.filter(|time| time.micros() >= 0).ok_or_else(bad)
}

/// A span of time, the later end included.
///
/// # Errors
/// `InvalidParameter` where one end is no time, or they are in the wrong order.
pub(crate) fn span(start: &str, end: &str) -> Result<(Time, Time), ApiError> {
    let (from, until) = (moment("StartTime", start)?, moment("EndTime", end)?);
    if from <= until {
        Ok((from, until))
    } else {
        Err(invalid("EndTime", "EndTime is not before StartTime."))
    }
}

/// To the minute: `2026-01-02T03:04Z`.
pub(crate) fn minute(time: Time) -> String {
    let iso = time.iso();
    format!("{}Z", iso.get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_come_to_the_second_the_minute_and_the_day() {
        let read = |text| moment("StartTime", text).ok().map(Time::iso);
        assert_eq!(read("2026-01-02T03:04Z").as_deref(), Some("2026-01-02T03:04:00Z"));
        assert_eq!(read("2026-01-02T03:04:05Z").as_deref(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(read("2026-01-02Z").as_deref(), Some("2026-01-02T00:00:00Z"));
        for bad in
            ["", "Z", "2026-01-02", "2026-13-02Z", "2026-01-02T25:00Z", "1960-01-02Z", "éééééZ"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(span("2026-01-02Z", "2026-01-01Z").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_refused_and_minutes_are_read_back(text: String, minutes in 0i64..100_000_000) {
            let _ = moment("StartTime", &text);
            let time = Time::from_secs(minutes * 60);
            prop_assert_eq!(moment("StartTime", &minute(time)).ok(), Some(time));
        }
    }
}
