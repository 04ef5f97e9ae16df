//! What many of this crate's actions take.

use base::{ApiError, Time, code};

use crate::month::{DAY, Month};

/// A parameter that is not what it should be.
pub fn invalid(name: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(&code::INVALID_PARAMETER).suffix(name).message(message)
}

/// A month as `2026-11`; the current one where none is given.
pub fn month(name: &str, text: Option<&str>, now: Time) -> Result<Month, ApiError> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(Month::of(now.secs())),
        Some(text) => Month::parse(text)
            .ok_or_else(|| invalid(name, format!("{name} must look like 2026-11."))),
    }
}

/// A moment as `2026-01-02T03:00:00Z`, in seconds.
pub fn moment(name: &str, text: Option<&str>, default: i64) -> Result<i64, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    let bad = || invalid(name, format!("{name} must look like 2026-01-02T03:00:00Z."));
    Time::parse_iso(text).map(Time::secs).ok_or_else(bad)
}

/// A day as `2026-11-22`: its first second and the first after it.
pub fn day(name: &str, text: &str) -> Result<(i64, i64), ApiError> {
    let start = Time::parse_iso(&format!("{text}T00:00:00Z"));
    let start = start.ok_or_else(|| invalid(name, format!("{name} must look like 2026-11-22.")))?;
    Ok((start.secs(), start.secs() + DAY))
}

/// Text of 1 to `max` bytes without control characters.
pub fn word<'t>(name: &str, text: &'t str, max: usize) -> Result<&'t str, ApiError> {
    if text.is_empty() || text.len() > max || text.chars().any(char::is_control) {
        let message = format!("{name} must be 1 to {max} bytes without control characters.");
        return Err(invalid(name, message));
    }
    Ok(text)
}
