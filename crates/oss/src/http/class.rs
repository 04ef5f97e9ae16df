//! Archived objects and what a lifecycle makes of them: restoring, and the headers that tell of both.

use std::fmt::Write as _;

use base::{ApiError, Time};
use http::StatusCode;
use http::header::HeaderMap;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element};
use wire::object::{Dialect, error};

use super::call::{Call, Payload};
use super::respond::{self, empty};
use super::{Answer, Storage};
use crate::model::{Expiry, Facts, Restored, StorageClass};

/// How soon a restore is wanted. All take the same time here.
const PRIORITIES: [&str; 3] = ["Expedited", "Standard", "Bulk"];

/// A restore as it is asked for.
struct Wanted {
    days: u32,
    priority: Option<String>,
}

fn malformed(message: &'static str) -> ApiError {
    error::MALFORMED_XML.error(message)
}

/// Reads the body of a restore. OSS lets it be empty.
///
/// Errors: `MalformedXML`; `InvalidArgument` for a priority that there is not.
fn wanted(body: &[u8], dialect: Dialect) -> Result<Wanted, ApiError> {
    if body.is_empty() && dialect == Dialect::Oss {
        return Ok(Wanted { days: 1, priority: None });
    }
    let element = xml::read(body, "RestoreRequest", SMALL_BYTES_MAX)?;
    let days = element.word_of("Days").ok_or_else(|| malformed("The element Days is missing."))?;
    let days = days.parse().map_err(|_| malformed("The element Days is not a number."))?;
    let job = match dialect {
        Dialect::Oss => "JobParameters",
        Dialect::S3 => "GlacierJobParameters",
    };
    let tier = |element: &Element<'_>| element.word_of("Tier").map(str::to_owned);
    let priority = element.child(job).and_then(tier).or_else(|| tier(&element));
    if let Some(priority) = priority.as_deref().filter(|it| !PRIORITIES.contains(it)) {
        return Err(error::INVALID_ARGUMENT
            .error("There is no such Tier.")
            .field("ArgumentName", "Tier")
            .field("ArgumentValue", priority));
    }
    Ok(Wanted { days, priority })
}

impl Storage {
    pub(super) async fn restore_object(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let Wanted { days, priority } =
            wanted(&call.read(payload, SMALL_BYTES_MAX).await?, call.dialect)?;
        if call.is_oss() && priority.is_some() {
            let (Ok(info) | Err(info)) =
                self.oss.head(&call.ctx, &call.bucket, call.at()?, &Default::default()).await?;
            if info.storage_class == StorageClass::Archive {
                return Err(malformed(
                    "Objects of class Archive are restored without JobParameters.",
                ));
            }
        }
        let done = self.oss.restore(&call.ctx, &call.bucket, call.at()?, days).await?;
        let mut response = empty(if done.begun { StatusCode::ACCEPTED } else { StatusCode::OK });
        if call.is_oss() && done.class != StorageClass::Archive {
            let priority = priority.as_deref().unwrap_or("Standard");
            respond::put(response.headers_mut(), "x-oss-object-restore-priority", priority);
        }
        Ok(response)
    }

    pub(super) async fn clean_restored(&self, call: &Call<'_>) -> Answer {
        self.oss.clean_restored(&call.ctx, &call.bucket, call.at()?).await?;
        Ok(empty(StatusCode::OK))
    }
}

/// What a restore has come to, as headers and listings tell it; `None` where it is over.
pub(super) fn restored(restored: &Restored, now: Time) -> Option<String> {
    if restored.is_ongoing(now) {
        return Some("ongoing-request=\"true\"".to_owned());
    }
    let until = Time::from_secs(restored.until).http();
    restored.is_readable(now).then(|| format!("ongoing-request=\"false\", expiry-date=\"{until}\""))
}

/// Tells when a lifecycle will end an object.
pub(super) fn put_expiry(headers: &mut HeaderMap, dialect: Dialect, expires: Option<&Expiry>) {
    let Some(Expiry { at, rule }) = expires else { return };
    let mut text = format!("expiry-date=\"{}\"", at.http());
    // The ID of a rule is any text.
    let _ = write!(text, ", rule-id=\"{}\"", base::text::percent_encode(rule));
    let name = match dialect {
        Dialect::Oss => "x-oss-expiration",
        Dialect::S3 => "x-amz-expiration",
    };
    respond::put(headers, name, &text);
}

/// Tells what is known of an object's life: its end, its restore, its last reader.
pub(super) fn put_life(headers: &mut HeaderMap, dialect: Dialect, facts: &Facts, now: Time) {
    put_expiry(headers, dialect, facts.expires.as_ref());
    if let Some(text) = facts.restored.as_ref().and_then(|it| restored(it, now)) {
        let name = match dialect {
            Dialect::Oss => "x-oss-restore",
            Dialect::S3 => "x-amz-restore",
        };
        respond::put(headers, name, &text);
    }
    put_last_access(headers, dialect, facts);
}

/// OSS: since when nobody read an object.
pub(super) fn put_last_access(headers: &mut HeaderMap, dialect: Dialect, facts: &Facts) {
    if let Some(at) = facts.last_access.filter(|_| dialect == Dialect::Oss) {
        respond::put(headers, "x-oss-last-access-time", &at.http());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_restore_names_its_days_and_a_known_priority() {
        let ask = |inside: &str| {
            let body = format!("<RestoreRequest>{inside}</RestoreRequest>");
            wanted(body.as_bytes(), Dialect::S3).map(|it| (it.days, it.priority))
        };
        assert_eq!(ask("<Days>3</Days>").unwrap(), (3, None));
        let job = "<GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters>";
        assert_eq!(ask(&format!("<Days>1</Days>{job}")).unwrap(), (1, Some("Bulk".to_owned())));
        for (inside, code) in [
            ("", "MalformedXML"),
            ("<Days>x</Days>", "MalformedXML"),
            ("<Days>1</Days><Tier>Soon</Tier>", "InvalidArgument"),
        ] {
            assert_eq!(ask(inside).unwrap_err().code(), code, "{inside}");
        }
        assert_eq!(wanted(b"", Dialect::Oss).map(|it| it.days).unwrap(), 1);
    }

    #[test]
    fn a_restore_is_told_while_it_lasts() {
        let told = |now| restored(&Restored { from: 10, until: 20 }, Time::from_secs(now));
        assert_eq!(told(9).unwrap(), "ongoing-request=\"true\"");
        assert!(told(10).unwrap().starts_with("ongoing-request=\"false\", expiry-date=\"Thu"));
        assert_eq!(told(20), None);
    }

    proptest! {
        #[test]
        fn no_body_breaks_the_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
            for dialect in [Dialect::Oss, Dialect::S3] {
                let _ = wanted(&body, dialect);
            }
        }
    }
}
