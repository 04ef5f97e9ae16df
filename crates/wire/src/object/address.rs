//! Where a request points: from host and path to bucket and key. It does not know which buckets
//! exist, and it looks up no names: the caller resolves a CNAME and passes what it found.
//!
//! Keys are taken as they were sent, percent-decoded exactly once and **never normalised**. A key
//! with a segment `.` or `..` is refused in both dialects, although S3 itself would store it: most
//! HTTP clients and proxies fold such segments before sending, so that one client could write what
//! another would silently read from elsewhere, and no export to a file system could hold it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use base::ApiError;
use base::text::percent_decode;

use super::{Dialect, Resource, error};

/// The longest key of OSS, in bytes of UTF-8.
pub const KEY_BYTES_MAX_OSS: usize = 1023;
/// The longest key of S3, in bytes of UTF-8.
pub const KEY_BYTES_MAX_S3: usize = 1024;

/// What the `Host` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// The service itself, or an address: the bucket is the first segment of the path.
    Service,
    /// `bucket.<suffix>`: the bucket is in the host, and the whole path is the key.
    Bucket(Cow<'a, str>),
    /// Another name, lower case: a bucket's CNAME if one is bound to it, otherwise as [`Host::Service`].
    Other(Cow<'a, str>),
}

/// Reads a `Host` header. `suffixes` are the names that the service answers to, lower case, such as
/// `oss.localhost`; the longest that fits wins.
pub fn host<'a>(header: &'a str, suffixes: &[impl AsRef<str>]) -> Host<'a> {
    let name = without_port(header);
    if name.is_empty() || name.parse::<IpAddr>().is_ok() {
        return Host::Service;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let lower = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    };
    let fits = |suffix: &&str| {
        lower
            .strip_suffix(*suffix)
            .is_some_and(|rest| rest.is_empty() || (rest.len() > 1 && rest.ends_with('.')))
    };
    let Some(suffix) =
        suffixes.iter().map(AsRef::as_ref).filter(fits).max_by_key(|suffix| suffix.len())
    else {
        return Host::Other(lower);
    };
    let bucket_len = lower.len() - suffix.len();
    match lower {
        _ if bucket_len == 0 => Host::Service,
        Cow::Borrowed(name) => Host::Bucket(Cow::Borrowed(&name[..bucket_len - 1])),
        Cow::Owned(mut name) => {
            name.truncate(bucket_len - 1);
            Host::Bucket(Cow::Owned(name))
        }
    }
}

fn without_port(header: &str) -> &str {
    let header = header.trim();
    if let Some(rest) = header.strip_prefix('[') {
        let literal = rest.split(']').next().unwrap_or(rest);
        return if literal.parse::<Ipv6Addr>().is_ok() { literal } else { header };
    }
    match header.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => header,
    }
}

/// A bucket and a key, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// The bucket; `None` for requests to the service.
    pub bucket: Option<Cow<'a, str>>,
    /// The key; `None` for requests to the service or to a bucket.
    pub key: Option<Cow<'a, str>>,
}

impl Address<'_> {
    /// The form that signatures and errors use.
    pub fn resource(&self) -> Resource<'_> {
        Resource { bucket: self.bucket.as_deref(), key: self.key.as_deref().map(str::as_bytes) }
    }
}

/// Reads a path as sent. `bucket` is the one found in the host, if any; otherwise the bucket ends at
/// the first *raw* slash, since `%2F` belongs to the key (some clients encode every slash of a key).
///
/// Errors: what [`check_key`] answers, and `InvalidBucketName`.
pub fn parse<'a>(
    path: &'a str,
    bucket: Option<Cow<'a, str>>,
    dialect: Dialect,
) -> Result<Address<'a>, ApiError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, rest) = match bucket {
        Some(bucket) => (Some(bucket), path),
        None => {
            let (bucket, rest) = path.split_once('/').unwrap_or((path, ""));
            let text = decode(bucket).ok_or_else(|| ApiError::new(&error::INVALID_BUCKET_NAME))?;
            if text.is_empty() && !rest.is_empty() {
                return Err(ApiError::new(&error::INVALID_BUCKET_NAME));
            }
            (Some(text).filter(|text| !text.is_empty()), rest)
        }
    };
    if rest.is_empty() {
        return Ok(Address { bucket, key: None });
    }
    let key = decode(rest).ok_or_else(|| refused_key(dialect))?;
    check_key(&key, dialect)?;
    Ok(Address { bucket, key: Some(key) })
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('%') {
        String::from_utf8(percent_decode(text, false)).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(text))
    }
}

fn refused_key(dialect: Dialect) -> ApiError {
    ApiError::new(match dialect {
        Dialect::Oss => &error::INVALID_OBJECT_NAME,
        Dialect::S3 => &error::INVALID_URI,
    })
}

/// Checks a key wherever it came from (path, XML body, copy source): 1 to 1,023 bytes (S3 1,024),
/// no NUL, no segment `.` or `..`; in OSS also no slash or backslash in front.
///
/// Errors: `InvalidObjectName` (OSS); `InvalidURI` or `KeyTooLongError` (S3).
pub fn check_key(key: &str, dialect: Dialect) -> Result<(), ApiError> {
    let bytes_max = match dialect {
        Dialect::Oss => KEY_BYTES_MAX_OSS,
        Dialect::S3 => KEY_BYTES_MAX_S3,
    };
    if key.len() > bytes_max && dialect == Dialect::S3 {
        return Err(ApiError::new(&error::KEY_TOO_LONG)
            .field("Size", key.len().to_string())
            .field("MaxSizeAllowed", bytes_max.to_string()));
    }
    let leading = dialect == Dialect::Oss && key.starts_with(['/', '\\']);
    let refused = key.is_empty()
        || key.len() > bytes_max
        || leading
        || key.contains('\0')
        || (key.contains('.') && key.split('/').any(|segment| segment == "." || segment == ".."));
    if refused { Err(refused_key(dialect)) } else { Ok(()) }
}

/// Checks the name of a bucket that is to be made. 3 to 63 characters of `a-z 0-9 -`, a letter or a
/// digit at both ends; in S3 also single dots, and not the form of an IPv4 address.
///
/// Errors: `InvalidBucketName`.
pub fn check_bucket(name: &str, dialect: Dialect) -> Result<(), ApiError> {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let allowed = |byte: u8| edge(byte) || byte == b'-' || (byte == b'.' && dialect == Dialect::S3);
    let bytes = name.as_bytes();
    let valid = (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(allowed)
        && bytes.first().copied().is_some_and(edge)
        && bytes.last().copied().is_some_and(edge)
        && !["..", ".-", "-."].iter().any(|pair| name.contains(pair))
        && name.parse::<IpAddr>().is_err();
    if valid {
        Ok(())
    } else {
        Err(ApiError::new(&error::INVALID_BUCKET_NAME).field("BucketName", name))
    }
}

#[cfg(test)]
mod tests;
