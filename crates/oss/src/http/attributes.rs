//! GetObjectAttributes, and single parts of objects (S3).

use base::ApiError;
use http::Response;
use http::header::{HeaderMap, HeaderValue};
use wire::object::error;

use super::call::Call;
use super::render::{self, Style};
use super::respond::{self, xml};
use super::{Answer, Storage, conditions, encryption};
use crate::model::{ObjectInfo, ObjectPart, RangeSpec, ReadConditions};

/// What may be asked for.
const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
/// Parts in one answer.
const PARTS_MAX: usize = 1000;

impl Storage {
    pub(super) async fn object_attributes(&self, call: &Call<'_>) -> Answer {
        let wanted = wanted(call)?;
        let mut conditions = conditions::of_read(&call.head);
        conditions.customer_key = encryption::customer_key(&call.head, call.dialect)?;
        let (limit, after) = page(call)?;
        let (info, parts) =
            self.oss.object_parts(&call.ctx, &call.bucket, call.at()?, &conditions).await?;
        let begin = parts.partition_point(|part| part.number <= after);
        let shown: Vec<&ObjectPart> = parts.iter().skip(begin).take(limit).collect();
        let asked = render::Attributes {
            wanted: &wanted,
            info: &info,
            total: parts.len(),
            after,
            limit,
            truncated: begin + shown.len() < parts.len(),
            parts: &shown,
        };
        let mut response: Response<_> = xml(render::attributes(Style::plain(call.dialect), &asked));
        let headers = response.headers_mut();
        respond::put_state(headers, call.dialect, &info);
        headers.remove(http::header::ETAG);
        Ok(response)
    }

    /// The bytes of the part that the request names, and what is to be told of it.
    ///
    /// Errors: `InvalidPart`; those of the look-up; `InvalidArgument` for a number that is none, or a range
    /// besides it.
    pub(super) async fn part(
        &self,
        call: &Call<'_>,
        conditions: &ReadConditions,
    ) -> Result<Option<OnePart>, ApiError> {
        let Some(text) = call.query.get("partNumber") else { return Ok(None) };
        if call.is_oss() {
            return Err(ApiError::new(&error::NOT_IMPLEMENTED).field("Header", "partNumber"));
        }
        let refused = |why: &'static str| {
            error::INVALID_ARGUMENT.error(why).field("ArgumentName", "partNumber")
        };
        let number = text.parse().map_err(|_| refused("The part number must be a number."))?;
        if call.head.headers.contains_key(http::header::RANGE) {
            return Err(refused("Either a range or a part can be asked for."));
        }
        // Conditions on the object are those of the read itself, which comes next.
        let (asked, key) = ((call.at()?, number), conditions.customer_key.as_ref());
        let (info, part) = self.oss.object_part(&call.ctx, &call.bucket, asked, key).await?;
        Ok(Some(OnePart { part, of: info }))
    }
}

/// A part that is asked for.
pub(super) struct OnePart {
    pub(super) part: ObjectPart,
    of: ObjectInfo,
}

impl OnePart {
    /// Its bytes; `None` where there are none to make a range of.
    pub(super) fn range(&self) -> Option<RangeSpec> {
        let last = (self.part.start + self.part.size).checked_sub(1)?;
        (self.part.size > 0).then_some(RangeSpec::From(self.part.start, Some(last)))
    }

    /// How many these are.
    pub(super) const fn size(&self) -> u64 {
        self.part.size
    }

    /// Whether the object that was read is the one that this is a part of.
    ///
    /// Errors: `OperationAborted` where another one has come in its place.
    pub(super) fn check(&self, read: &ObjectInfo) -> Result<(), ApiError> {
        let same = self.of.etag == read.etag && self.of.modified == read.modified;
        if same { Ok(()) } else { Err(ApiError::new(&error::OPERATION_ABORTED)) }
    }

    /// The number of parts, and the part's own checksums in place of the object's.
    pub(super) fn put(&self, headers: &mut HeaderMap, call: &Call<'_>) {
        if self.of.etag.parts == 0 {
            return;
        }
        headers.insert("x-amz-mp-parts-count", HeaderValue::from(self.of.etag.parts));
        let names: Vec<_> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("x-amz-checksum-"))
            .filter(|name| *name != "x-amz-checksum-type")
            .cloned()
            .collect();
        for name in names {
            headers.remove(name);
        }
        let enabled = |mode: &str| mode.eq_ignore_ascii_case("enabled");
        if call.head.header("x-amz-checksum-mode").is_some_and(enabled) {
            for checksum in &self.part.checksums {
                respond::put(headers, checksum.algorithm.header(), &checksum.text());
            }
        }
    }
}

/// Errors: `InvalidArgument` for an attribute that there is not, or none at all.
fn wanted(call: &Call<'_>) -> Result<Vec<&'static str>, ApiError> {
    let refused = || {
        error::INVALID_ARGUMENT
            .error("Invalid attribute name specified.")
            .field("ArgumentName", "x-amz-object-attributes")
    };
    let sent = call.head.headers.get_all("x-amz-object-attributes");
    let mut wanted = Vec::new();
    for value in sent {
        for word in value.to_str().map_err(|_| refused())?.split(',').map(str::trim) {
            wanted.push(*KNOWN.iter().find(|known| **known == word).ok_or_else(refused)?);
        }
    }
    if wanted.is_empty() { Err(refused()) } else { Ok(wanted) }
}

/// How many parts to show, and after which.
///
/// Errors: `InvalidArgument`.
fn page(call: &Call<'_>) -> Result<(usize, u32), ApiError> {
    let number = |name: &'static str| {
        let Some(text) = call.head.header(name) else { return Ok(None) };
        text.parse::<u32>().map(Some).map_err(|_| {
            error::INVALID_ARGUMENT.error(format!("The header {name} is not a number."))
        })
    };
    let limit = number("x-amz-max-parts")?.and_then(|limit| usize::try_from(limit).ok());
    let after = number("x-amz-part-number-marker")?;
    Ok((limit.unwrap_or(PARTS_MAX).min(PARTS_MAX), after.unwrap_or(0)))
}
