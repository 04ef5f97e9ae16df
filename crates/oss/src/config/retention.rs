//! The documents of retention: of a bucket's object lock, of its WORM, and of one version. In OSS and S3 they
//! differ by the names of the first.
//!
//! Not here: what they are kept as and when they are obeyed (`ops::retention`).

use base::{ApiError, Time};
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element};
use wire::object::{Dialect, error};

use super::{malformed, root};
use crate::model::{DefaultRetention, Lock, LockMode, ObjectLock, Period, Retention, Worm};

const DAYS_MAX: u32 = 36_500;
const YEARS_MAX: u32 = 100;

/// The root of a bucket's object lock, and the element that says that it is on.
const fn lock_names(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Oss => ("ObjectWormConfiguration", "ObjectWormEnabled"),
        Dialect::S3 => ("ObjectLockConfiguration", "ObjectLockEnabled"),
    }
}

/// Reads the object lock of a bucket.
///
/// Errors: `MalformedXML`; `InvalidRetentionPeriod` for one of no time, or of too much.
pub(crate) fn object_lock(body: &[u8], dialect: Dialect) -> Result<ObjectLock, ApiError> {
    let (name, enabled) = lock_names(dialect);
    let document = xml::read(body, name, SMALL_BYTES_MAX)?;
    if document.word_of(enabled) != Some("Enabled") {
        return Err(malformed(format!("The element {enabled} must be Enabled.")));
    }
    let Some(rule) = document.child("Rule") else { return Ok(ObjectLock::default()) };
    let default = rule
        .child("DefaultRetention")
        .ok_or_else(|| malformed("The element DefaultRetention is missing."))?;
    let period = match (number(default, "Days")?, number(default, "Years")?) {
        (Some(days), None) => Period::Days(within(days, DAYS_MAX)?),
        (None, Some(years)) => Period::Years(within(years, YEARS_MAX)?),
        _ => return Err(malformed("There must be either Days or Years.")),
    };
    let default = DefaultRetention { mode: mode(default)?, period };
    Ok(ObjectLock { default: Some(default) })
}

fn mode(element: &Element<'_>) -> Result<LockMode, ApiError> {
    let known = element.word_of("Mode").and_then(LockMode::parse);
    known.ok_or_else(|| malformed("The element Mode must be GOVERNANCE or COMPLIANCE."))
}

fn number(element: &Element<'_>, name: &str) -> Result<Option<i64>, ApiError> {
    let read = |word: &str| {
        word.parse().map_err(|_| malformed(format!("The element {name} is not a number.")))
    };
    element.word_of(name).map(read).transpose()
}

fn within(number: i64, max: u32) -> Result<u32, ApiError> {
    let number = u32::try_from(number).ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| {
        error::INVALID_RETENTION_PERIOD.error(format!("The retention must be 1 to {max}."))
    })
}

/// Tells the object lock of a bucket.
pub(crate) fn render_object_lock(lock: &ObjectLock, dialect: Dialect) -> Vec<u8> {
    let (name, enabled) = lock_names(dialect);
    let mut xml = root(name, dialect);
    xml.text(enabled, "Enabled");
    if let Some(DefaultRetention { mode, period }) = lock.default {
        xml.open("Rule").open("DefaultRetention").text("Mode", mode.as_str());
        match period {
            Period::Days(days) => xml.value("Days", days),
            Period::Years(years) => xml.value("Years", years),
        };
    }
    xml.finish()
}

/// Reads the retention of a version; `None` for a document that says nothing, which takes it away.
///
/// Errors: `MalformedXML`.
pub(crate) fn retention(body: &[u8]) -> Result<Option<Retention>, ApiError> {
    let document = xml::read(body, "Retention", SMALL_BYTES_MAX)?;
    let Some(until) = document.word_of("RetainUntilDate") else {
        return match document.word_of("Mode") {
            None => Ok(None),
            Some(_) => Err(malformed("The element RetainUntilDate is missing.")),
        };
    };
    let until =
        moment(until).ok_or_else(|| malformed("The element RetainUntilDate is not a date."))?;
    Ok(Some(Retention::new(mode(&document)?, until)))
}

/// Reads a moment as ISO 8601 writes it in UTC, with any fraction of a second.
pub(crate) fn moment(text: &str) -> Option<Time> {
    let Some((whole, fraction)) = text.split_once('.') else { return Time::parse_iso(text) };
    let digits = fraction.strip_suffix('Z')?;
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let nanos: u32 = plain.then(|| format!("{digits:0<9}").parse().ok()).flatten()?;
    let whole = Time::parse_iso(&format!("{whole}Z"))?;
    Some(Time::from_micros(whole.micros() + i64::from(nanos.div_ceil(1000))))
}

/// Tells the retention of a version.
pub(crate) fn render_retention(retention: &Retention, dialect: Dialect) -> Vec<u8> {
    let mut xml = root("Retention", dialect);
    xml.text("Mode", retention.mode.as_str());
    xml.text("RetainUntilDate", &retention.until().iso_millis());
    xml.finish()
}

/// Reads `ON` or `OFF`.
pub(crate) fn on_off(word: &str) -> Option<bool> {
    match word {
        "ON" => Some(true),
        "OFF" => Some(false),
        _ => None,
    }
}

/// Reads a legal hold.
///
/// Errors: `MalformedXML`.
pub(crate) fn legal_hold(body: &[u8]) -> Result<bool, ApiError> {
    let document = xml::read(body, "LegalHold", SMALL_BYTES_MAX)?;
    let status = document.word_of("Status").and_then(on_off);
    status.ok_or_else(|| malformed("The element Status must be ON or OFF."))
}

/// Tells a legal hold.
pub(crate) fn render_legal_hold(on: bool, dialect: Dialect) -> Vec<u8> {
    let mut xml = root("LegalHold", dialect);
    xml.text("Status", if on { "ON" } else { "OFF" });
    xml.finish()
}

/// Reads the days of a bucket's retention, in the document of that name.
///
/// Errors: `MalformedXML`; `InvalidArgument` for a number that is none of days.
pub(crate) fn worm_days(body: &[u8], root: &str) -> Result<u32, ApiError> {
    let document = xml::read(body, root, SMALL_BYTES_MAX)?;
    let days = number(&document, "RetentionPeriodInDays")?
        .ok_or_else(|| malformed("The element RetentionPeriodInDays is missing."))?;
    u32::try_from(days).map_err(|_| {
        let refused = error::INVALID_ARGUMENT.error("The retention period is not valid.");
        refused.field("ArgumentName", "RetentionPeriodInDays")
    })
}

/// Tells the retention of a bucket.
pub(crate) fn render_worm(worm: &Worm) -> Vec<u8> {
    let mut xml = root("WormConfiguration", Dialect::Oss);
    xml.text("WormId", &worm.id)
        .text("State", worm.state())
        .value("RetentionPeriodInDays", worm.days)
        .text("CreationDate", &worm.created().iso_millis())
        .text_opt("ExpirationDate", worm.expires().map(Time::iso_millis).as_deref());
    xml.finish()
}

/// Reads what headers say is to keep a new version.
///
/// Errors: `InvalidArgument` for words that are none, and for a mode without a date or the other way round.
pub(crate) fn lock(
    mode: Option<&str>,
    until: Option<&str>,
    legal_hold: Option<&str>,
) -> Result<Lock, ApiError> {
    let invalid = |message: &'static str| error::INVALID_ARGUMENT.error(message);
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = LockMode::parse(mode).ok_or_else(|| invalid("Unknown retention mode."))?;
            let until =
                moment(until).ok_or_else(|| invalid("The retain until date is not a date."))?;
            Some(Retention::new(mode, until))
        }
        _ => return Err(invalid("A retention has both a mode and a retain until date.")),
    };
    let read = |word: &str| on_off(word).ok_or_else(|| invalid("A legal hold is ON or OFF."));
    Ok(Lock { retention, legal_hold: legal_hold.map(read).transpose()? })
}

#[cfg(test)]
mod tests;
