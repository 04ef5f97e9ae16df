//! Conditions and ranges: headers to the engine's words.

use base::{ApiError, Time};
use wire::Head;
use wire::object::body::DeleteObject;
use wire::object::{Dialect, error};

use super::headers::names;
use crate::model::{EtagMatch, Matching, RangeSpec, ReadConditions, WriteConditions};

/// The conditions of a read (RFC 9110, section 13.1). A date that cannot be read is no condition.
pub(super) fn of_read(head: &Head<'_>) -> ReadConditions {
    of_headers(head, ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"])
}

/// The conditions on the source of a copy.
pub(super) fn of_source(head: &Head<'_>, dialect: Dialect) -> ReadConditions {
    of_headers(head, names(dialect).copy_source_conditions)
}

fn of_headers(
    head: &Head<'_>,
    [fits, fits_not, modified, unmodified]: [&str; 4],
) -> ReadConditions {
    let tags = |name: &str| head.header(name).map(EtagMatch::parse);
    let date = |name: &str| head.header(name).and_then(Time::parse_http);
    ReadConditions {
        if_match: tags(fits),
        if_none_match: tags(fits_not),
        if_modified_since: date(modified),
        if_unmodified_since: date(unmodified),
        customer_key: None,
    }
}

/// The conditions of a write.
///
/// Errors: `InvalidArgument` where `x-oss-forbid-overwrite` is neither `true` nor `false`.
pub(super) fn of_write(head: &Head<'_>, dialect: Dialect) -> Result<WriteConditions, ApiError> {
    let forbid = head
        .header("x-oss-forbid-overwrite")
        .filter(|_| dialect == Dialect::Oss)
        .unwrap_or("false");
    let forbid_overwrite = match forbid {
        _ if forbid.eq_ignore_ascii_case("true") => true,
        _ if forbid.eq_ignore_ascii_case("false") => false,
        _ => {
            return Err(error::INVALID_ARGUMENT
                .error("The header x-oss-forbid-overwrite must be true or false."));
        }
    };
    let tags = |name: &str| head.header(name).map(EtagMatch::parse);
    Ok(WriteConditions {
        if_match: tags("if-match"),
        if_none_match: tags("if-none-match"),
        forbid_overwrite,
    })
}

/// The conditions of a deletion: S3's alone are the size and the moment of the object.
///
/// Errors: `InvalidArgument`.
pub(super) fn of_delete(head: &Head<'_>, dialect: Dialect) -> Result<Matching, ApiError> {
    let told = |name: &str| head.header(name).filter(|_| dialect == Dialect::S3);
    Ok(Matching {
        etag: head.header("if-match").map(EtagMatch::parse),
        modified: told("x-amz-if-match-last-modified-time").map(moment).transpose()?,
        size: told("x-amz-if-match-size").map(size).transpose()?,
    })
}

/// The conditions beside a key that is to be deleted among others (S3).
///
/// Errors: `InvalidArgument`.
pub(super) fn of_deleted(object: &DeleteObject, dialect: Dialect) -> Result<Matching, ApiError> {
    if dialect == Dialect::Oss {
        return Ok(Matching::default());
    }
    Ok(Matching {
        etag: object.etag.as_deref().map(EtagMatch::parse),
        modified: object.modified.as_deref().map(moment).transpose()?,
        size: object.size.as_deref().map(size).transpose()?,
    })
}

/// A moment, in the form of HTTP's dates or of XML's.
fn moment(text: &str) -> Result<Time, ApiError> {
    let read = Time::parse_http(text).or_else(|| Time::parse_iso(text));
    read.ok_or_else(|| error::INVALID_ARGUMENT.error("A time of last modification is not valid."))
}

fn size(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| error::INVALID_ARGUMENT.error("A size is not a number of bytes."))
}

/// The range of a read. Several ranges, other units and what is no range are ignored, so that the
/// whole object is sent; so is a range under `If-Range`, which a server need not weigh.
pub(super) fn range(head: &Head<'_>) -> Option<RangeSpec> {
    let value = head.header("range").filter(|_| !head.headers.contains_key("if-range"))?;
    parse_range(value)
}

/// The range of a part's copy.
///
/// Errors: `InvalidArgument` where it is there and not of the form `bytes=first-last`.
pub(super) fn copy_range(head: &Head<'_>, dialect: Dialect) -> Result<Option<RangeSpec>, ApiError> {
    let name = names(dialect).copy_source_range;
    let Some(value) = head.header(name) else { return Ok(None) };
    let range = parse_range(value);
    range.map(Some).ok_or_else(|| {
        error::INVALID_ARGUMENT.error(format!("The header {name} must be bytes=first-last."))
    })
}

/// Reads `bytes=first-last`, `bytes=first-` and `bytes=-count`.
fn parse_range(value: &str) -> Option<RangeSpec> {
    let (unit, range) = value.split_once('=')?;
    let (first, last) =
        range.split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes"))?;
    let number = |text: &str| {
        let text = text.trim();
        // `parse` alone would also take a plus sign.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    match (first.trim(), last.trim()) {
        ("", last) => number(last).map(RangeSpec::Last),
        (first, "") => number(first).map(|first| RangeSpec::From(first, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(RangeSpec::From(first, Some(last)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_is_read_and_anything_else_is_ignored() {
        assert_eq!(parse_range("bytes=0-0"), Some(RangeSpec::From(0, Some(0))));
        assert_eq!(parse_range("bytes=10-"), Some(RangeSpec::From(10, None)));
        assert_eq!(parse_range("Bytes= -7"), Some(RangeSpec::Last(7)));
        for other in [
            "bytes=0-1,3-4",
            "bytes=5-4",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "lines=1-2",
            "bytes",
            "",
        ] {
            assert_eq!(parse_range(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text: String) {
            let _ = parse_range(&text);
        }

        #[test]
        fn a_range_comes_back(first: u64, more in 0..u64::MAX) {
            let last = first.saturating_add(more);
            prop_assert_eq!(parse_range(&format!("bytes={first}-{last}")), Some(RangeSpec::From(first, Some(last))));
        }
    }
}
