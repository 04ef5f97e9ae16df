//! What the two protocols call the same things: header names, storage classes, ACLs, tags; and the
//! headers of a request read into the engine's words.

use base::ApiError;
use http::{HeaderMap, HeaderName, HeaderValue};
use wire::Head;
use wire::object::checksum::{Algorithm, parse_content_md5};
use wire::object::{Dialect, error};

use super::route::Query;
use super::website::{REDIRECT, check_redirect};
use super::{acl, conditions, encryption, retention};
use crate::config::tags::check_characters;
use crate::digest::Checksum;
use crate::model::{Attributes, Expected, PutOptions, StorageClass, Tags};

/// Our own, in both protocols: the class of data that a bucket is for.
pub(super) const DATA_CLASS: &str = "x-awan-data-class";
/// Our own: the data centre of a bucket, and in answers all of them, with commas between.
pub(super) const SITE: &str = "x-awan-site";

/// The names of a protocol's headers, lower case.
#[derive(Debug)]
pub(super) struct Names {
    /// User metadata begin with this.
    pub(super) meta: &'static str,
    pub(super) bucket_acl: &'static str,
    pub(super) object_acl: &'static str,
    pub(super) storage_class: &'static str,
    /// `LRS` or `ZRS`. S3 has none of its own.
    pub(super) redundancy: &'static str,
    pub(super) tagging: &'static str,
    pub(super) tagging_count: &'static str,
    pub(super) copy_source: &'static str,
    pub(super) copy_source_range: &'static str,
    pub(super) copy_source_version: &'static str,
    pub(super) version_id: &'static str,
    pub(super) delete_marker: &'static str,
    /// `if-match`, `if-none-match`, `if-modified-since`, `if-unmodified-since` of a copy's source.
    pub(super) copy_source_conditions: [&'static str; 4],
    pub(super) metadata_directive: &'static str,
    pub(super) tagging_directive: &'static str,
    /// Headers that ask for something that is not done here. Ignoring them would be a lie.
    refused: &'static [&'static str],
    /// The content type of objects that have none.
    pub(super) content_type: &'static str,
    meta_bytes_max: usize,
}

static OSS: Names = Names {
    meta: "x-oss-meta-",
    bucket_acl: "x-oss-acl",
    object_acl: "x-oss-object-acl",
    storage_class: "x-oss-storage-class",
    redundancy: "x-oss-data-redundancy-type",
    tagging: "x-oss-tagging",
    tagging_count: "x-oss-tagging-count",
    copy_source: "x-oss-copy-source",
    copy_source_range: "x-oss-copy-source-range",
    copy_source_version: "x-oss-copy-source-version-id",
    version_id: "x-oss-version-id",
    delete_marker: "x-oss-delete-marker",
    copy_source_conditions: [
        "x-oss-copy-source-if-match",
        "x-oss-copy-source-if-none-match",
        "x-oss-copy-source-if-modified-since",
        "x-oss-copy-source-if-unmodified-since",
    ],
    metadata_directive: "x-oss-metadata-directive",
    tagging_directive: "x-oss-tagging-directive",
    refused: &["x-oss-callback"],
    content_type: "application/octet-stream",
    meta_bytes_max: 8 << 10,
};

static S3: Names = Names {
    meta: "x-amz-meta-",
    bucket_acl: "x-amz-acl",
    object_acl: "x-amz-acl",
    storage_class: "x-amz-storage-class",
    redundancy: "x-awan-redundancy",
    tagging: "x-amz-tagging",
    tagging_count: "x-amz-tagging-count",
    copy_source: "x-amz-copy-source",
    copy_source_range: "x-amz-copy-source-range",
    copy_source_version: "x-amz-copy-source-version-id",
    version_id: "x-amz-version-id",
    delete_marker: "x-amz-delete-marker",
    copy_source_conditions: [
        "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-none-match",
        "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-unmodified-since",
    ],
    metadata_directive: "x-amz-metadata-directive",
    tagging_directive: "x-amz-tagging-directive",
    refused: &["x-amz-write-offset-bytes"],
    content_type: "binary/octet-stream",
    meta_bytes_max: 2 << 10,
};

pub(super) const fn names(dialect: Dialect) -> &'static Names {
    match dialect {
        Dialect::Oss => &OSS,
        Dialect::S3 => &S3,
    }
}

/// Refuses headers that ask for what is not done here.
///
/// Errors: `NotImplemented`.
pub(super) fn check_understood(headers: &HeaderMap, dialect: Dialect) -> Result<(), ApiError> {
    let asks = |name: &&&str| headers.get(**name).is_some_and(|value| value != "false");
    let refused = names(dialect).refused.iter().find(asks);
    refused
        .map_or(Ok(()), |name| Err(ApiError::new(&error::NOT_IMPLEMENTED).field("Header", *name)))
}

/// Parameters that belong to a signature or that change nothing which is done here.
fn is_harmless(name: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Oss => matches!(
            name,
            "x-oss-access-key-id"
                | "x-oss-access-point-name"
                | "x-oss-additional-headers"
                | "x-oss-credential"
                | "x-oss-date"
                | "x-oss-expires"
                | "x-oss-async-process"
                | "x-oss-process"
                | "x-oss-request-payer"
                | "x-oss-security-token"
                | "x-oss-signature"
                | "x-oss-signature-version"
                | "x-oss-traffic-limit"
        ),
        Dialect::S3 => matches!(
            name,
            "x-amz-algorithm"
                | "x-amz-content-sha256"
                | "x-amz-credential"
                | "x-amz-date"
                | "x-amz-expires"
                | "x-amz-security-token"
                | "x-amz-signature"
                | "x-amz-signedheaders"
        ),
    }
}

/// The headers with those that stand in the query: clients put `x-amz-` and `x-oss-` headers into a signed
/// URL, so that whoever uses it need not send them. `None` where there are none. One that the signature does
/// not cover is refused, and so is a parameter of OSS like `x-oss-ac-source-ip`, which narrows the URL.
///
/// Errors: `NotImplemented`; `InvalidArgument` for a parameter that is no header or says something
/// else than the header of that name.
pub(super) fn hoisted(
    head: &Head<'_>,
    dialect: Dialect,
    query: &Query,
) -> Result<Option<HeaderMap>, ApiError> {
    let prefix = match dialect {
        Dialect::Oss => "x-oss-",
        Dialect::S3 => "x-amz-",
    };
    let mut headers = None;
    for (sent, value) in query.pairs() {
        let name = sent.to_ascii_lowercase();
        if !name.starts_with(prefix) || is_harmless(&name, dialect) {
            continue;
        }
        let signed = match dialect {
            // Versions 2 and 4 sign every parameter, version 1 only those of its list.
            Dialect::Oss => query.has("x-oss-signature-version") && !name.starts_with("x-oss-ac-"),
            // Version 2 signs a parameter only where it is lower case.
            Dialect::S3 => name == sent || query.has("X-Amz-Signature"),
        };
        if !signed {
            return Err(ApiError::new(&error::NOT_IMPLEMENTED).field("Header", sent));
        }
        let refused = |()| {
            error::INVALID_ARGUMENT.error("A parameter is not valid.").field("ArgumentName", sent)
        };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(drop).map_err(refused)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(drop).map_err(refused)?;
        let headers = headers.get_or_insert_with(|| head.headers.clone());
        match headers.get(&header) {
            Some(other) if *other != value => return Err(refused(())),
            Some(_) => {}
            None => {
                headers.try_insert(header, value).map_err(drop).map_err(refused)?;
            }
        }
    }
    Ok(headers)
}

/// Standard headers that are kept with an object and given back.
pub(super) const KEPT: [&str; 6] = [
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
];

/// What a request's headers say about an object.
///
/// Errors: `MetadataTooLarge` (S3) or `InvalidArgument` for too much of it; `InvalidArgument` for
/// text that is not UTF-8.
pub(super) fn attributes(head: &Head<'_>, dialect: Dialect) -> Result<Attributes, ApiError> {
    let mut attributes = Attributes::default();
    for name in KEPT {
        let Some(value) = head.headers.get(name) else { continue };
        let value = text(name, value)?;
        let value =
            if name == "content-encoding" { without_chunked(value) } else { value.to_owned() };
        if !value.is_empty() {
            attributes.headers.push((name.to_owned(), value));
        }
    }
    if let Some(value) = head.headers.get(REDIRECT).filter(|_| dialect == Dialect::S3) {
        let value = text(REDIRECT, value)?;
        check_redirect(value)?;
        attributes.headers.push((REDIRECT.to_owned(), value.to_owned()));
    }
    let names = names(dialect);
    let mut bytes = 0;
    for name in head.headers.keys() {
        let Some(short) = name.as_str().strip_prefix(names.meta).filter(|short| !short.is_empty())
        else {
            continue;
        };
        let mut values = head.headers.get_all(name).iter();
        let mut joined = values.next().map_or(Ok(""), |value| text(short, value))?.to_owned();
        for value in values {
            joined.push(',');
            joined.push_str(text(short, value)?);
        }
        bytes += short.len() + joined.len();
        attributes.user.push((short.to_owned(), joined));
    }
    if bytes > names.meta_bytes_max {
        return Err(match dialect {
            Dialect::Oss => {
                error::INVALID_ARGUMENT.error("The user metadata are longer than 8 KiB.")
            }
            Dialect::S3 => ApiError::new(&error::METADATA_TOO_LARGE),
        });
    }
    Ok(attributes)
}

fn text<'a>(name: &str, value: &'a HeaderValue) -> Result<&'a str, ApiError> {
    let text = std::str::from_utf8(value.as_bytes()).map(str::trim);
    text.map_err(|_| error::INVALID_ARGUMENT.error(format!("The header {name} is not UTF-8.")))
}

/// `aws-chunked` is how the body was sent, not how the object is encoded.
fn without_chunked(value: &str) -> String {
    let codings: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    codings.join(", ")
}

/// All that the headers say about a new object.
///
/// Errors: those of the parts.
pub(super) fn put_options(
    head: &Head<'_>,
    dialect: Dialect,
    expected: Expected,
) -> Result<PutOptions, ApiError> {
    check_understood(head.headers, dialect)?;
    let list = acl::of_object(head, dialect)?;
    Ok(PutOptions {
        attributes: attributes(head, dialect)?,
        storage_class: storage_class(head, dialect)?,
        acl: list.acl,
        grants: list.grants,
        tags: tags(head, dialect)?,
        conditions: conditions::of_write(head, dialect)?,
        expected,
        encryption: encryption::wanted(head, dialect)?,
        lock: retention::lock(head, dialect)?,
    })
}

/// The storage class that the headers name.
///
/// Errors: `InvalidStorageClass` (S3), `InvalidArgument` (OSS).
pub(super) fn storage_class(
    head: &Head<'_>,
    dialect: Dialect,
) -> Result<Option<StorageClass>, ApiError> {
    let Some(word) = head.header(names(dialect).storage_class) else { return Ok(None) };
    let known = match dialect {
        Dialect::Oss => StorageClass::parse(word),
        Dialect::S3 => StorageClass::parse_s3(word),
    };
    known.map(Some).ok_or_else(|| match dialect {
        Dialect::Oss => error::INVALID_ARGUMENT.error("The storage class is not valid."),
        Dialect::S3 => ApiError::new(&error::INVALID_STORAGE_CLASS),
    })
}

/// What a class is called.
pub(super) const fn class_name(class: StorageClass, dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Oss => class.as_str(),
        Dialect::S3 => class.s3_name(),
    }
}

pub(super) fn bad_acl(word: &str) -> ApiError {
    error::INVALID_ARGUMENT.error("The ACL is not valid.").field("ArgumentValue", word)
}

/// The most tags of an object, and of a bucket.
const OBJECT_TAGS_MAX: usize = 10;
pub(super) const BUCKET_TAGS_MAX: usize = 50;

/// The tags that the headers name, as a query: `a=1&b=2`.
///
/// Errors: as [`check_object_tags`].
pub(super) fn tags(head: &Head<'_>, dialect: Dialect) -> Result<Tags, ApiError> {
    let mut tags = head.header(names(dialect).tagging).map(wire::query::parse).unwrap_or_default();
    // A query has no order.
    tags.sort();
    check_object_tags(tags, dialect)
}

/// Checks the form of an object's tags.
///
/// Errors: as [`check_tags`].
pub(super) fn check_object_tags(tags: Tags, dialect: Dialect) -> Result<Tags, ApiError> {
    check_characters(&tags, dialect)?;
    check_tags(tags, OBJECT_TAGS_MAX)
}

/// Checks the form of tags: keys of 1 to 128 characters, each once; values of up to 256.
///
/// Errors: `InvalidTag`.
pub(super) fn check_tags(tags: Tags, count_max: usize) -> Result<Tags, ApiError> {
    let long = |text: &str, max: usize| text.chars().count() > max;
    let wrong =
        |(key, value): &(String, String)| key.is_empty() || long(key, 128) || long(value, 256);
    let doubled = tags
        .iter()
        .enumerate()
        .any(|(at, (key, _))| tags[..at].iter().any(|(other, _)| other == key));
    if tags.len() > count_max || doubled || tags.iter().any(wrong) {
        return Err(ApiError::new(&error::INVALID_TAG));
    }
    Ok(tags)
}

/// What the headers promise about the body but for its length, which depends on how it is framed.
///
/// Errors: `InvalidDigest`, `InvalidRequest`, `InvalidArgument` for values that cannot be read.
pub(super) fn expected(head: &Head<'_>, dialect: Dialect) -> Result<Expected, ApiError> {
    let mut expected = Expected { md5: md5(head)?, ..Expected::default() };
    match dialect {
        Dialect::Oss => expected.crc64 = crc64(head)?,
        Dialect::S3 => {
            for algorithm in Algorithm::ALL {
                if let Some(value) = head.header(algorithm.header()) {
                    expected.checksums.push(Checksum::whole(algorithm, algorithm.parse(value)?));
                }
            }
            expected.compute = promised(head);
        }
    }
    Ok(expected)
}

/// `Content-MD5`.
///
/// Errors: `InvalidDigest`.
pub(super) fn md5(head: &Head<'_>) -> Result<Option<[u8; 16]>, ApiError> {
    head.header("content-md5").map(parse_content_md5).transpose()
}

/// `x-oss-hash-crc64ecma`.
///
/// Errors: `InvalidArgument`.
pub(super) fn crc64(head: &Head<'_>) -> Result<Option<u64>, ApiError> {
    let number = |value: &str| {
        value.parse().map_err(|_| {
            error::INVALID_ARGUMENT.error("The header x-oss-hash-crc64ecma is not a number.")
        })
    };
    head.header("x-oss-hash-crc64ecma").map(number).transpose()
}

/// The checksum that S3 is asked to make and keep.
///
/// Errors: `InvalidRequest` for one that there is not.
pub(super) fn wanted_checksum(head: &Head<'_>) -> Result<Option<Algorithm>, ApiError> {
    let Some(name) = head.header("x-amz-checksum-algorithm") else { return Ok(None) };
    let unknown = || error::INVALID_REQUEST.error("Checksum algorithm provided is unsupported.");
    Algorithm::from_name(name).map(Some).ok_or_else(unknown)
}

/// The checksums that are announced for the trailing headers.
pub(super) fn promised(head: &Head<'_>) -> Vec<Algorithm> {
    let listed = head.header("x-amz-trailer").unwrap_or_default();
    listed.split(',').filter_map(|name| Algorithm::from_header(name.trim())).collect()
}

#[cfg(test)]
mod tests;
