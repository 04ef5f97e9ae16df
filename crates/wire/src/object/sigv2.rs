//! S3 Signature Version 2: HMAC-SHA1, as old clients still make it. Only verified: our own clients
//! sign with version 4.
//!
//! As with version 1 of OSS, every parameter that chooses an operation must be in [`SUB_RESOURCES`].

use base::ApiError;
use http::header::DATE;

use super::auth::{Asked, Payload, Proof, Scheme, Signed, Version, check_deadline, check_skew};
use super::canonical::{parse_date, push_headers, push_line};
use super::oss_v1::{push_sub_resources, start};
use super::{Dialect, error};

/// The parameters that are part of the signed resource, sorted.
const SUB_RESOURCES: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

pub(super) fn from_header(asked: &Asked<'_>, credential: &str) -> Result<Signed, ApiError> {
    let (key_id, signature) = credential
        .split_once(':')
        .filter(|(key_id, signature)| !key_id.is_empty() && !signature.is_empty())
        .ok_or_else(|| {
            error::INVALID_ARGUMENT
                .error("The Authorization header must be `AWS key-id:signature`.")
        })?;
    let headers = asked.head.headers;
    let own_date = asked.head.header("x-amz-date");
    let moment = own_date
        .or_else(|| asked.head.header(DATE.as_str()))
        .and_then(parse_date)
        .ok_or_else(|| {
            error::ACCESS_DENIED.error("A signed request needs a valid Date or x-amz-date header.")
        })?;
    check_skew(asked.now, moment)?;
    let mut text = start(asked.head.method, headers);
    // The line is empty where x-amz-date is there: it is signed among the headers.
    push_line(&mut text, headers.get(DATE).filter(|_| own_date.is_none()));
    let token = asked.first_header(&["x-amz-security-token"]);
    signed(asked, key_id, token, signature, text, false)
}

pub(super) fn from_query(asked: &Asked<'_>) -> Result<Signed, ApiError> {
    let missing = || {
        error::ACCESS_DENIED
            .error("A signed URL needs the parameters AWSAccessKeyId, Expires and Signature.")
    };
    let key_id = asked.need("AWSAccessKeyId", missing)?;
    let expires = asked.need("Expires", missing)?;
    let signature = asked.need("Signature", missing)?;
    check_deadline(asked.now, expires)?;
    let mut text = start(asked.head.method, asked.head.headers);
    text.extend_from_slice(expires.as_bytes());
    text.push(b'\n');
    let token = asked.pairs.get("x-amz-security-token").map(str::to_owned);
    signed(asked, key_id, token, signature, text, true)
}

fn signed(
    asked: &Asked<'_>,
    key_id: &str,
    token: Option<String>,
    signature: &str,
    mut text: Vec<u8>,
    presigned: bool,
) -> Result<Signed, ApiError> {
    check_lines(asked)?;
    push_amz_headers(&mut text, asked);
    // Some clients sign `/bucket/` although they send `/bucket`.
    let bare = asked.resource.bucket.is_some()
        && asked.resource.key.is_none()
        && !asked.head.path.ends_with('/');
    let alternative = bare.then(|| {
        let mut text = text.clone();
        push_resource(&mut text, asked, "/");
        text
    });
    push_resource(&mut text, asked, "");
    Ok(Signed {
        key_id: key_id.to_owned(),
        token,
        payload: Payload::unsigned(&asked.head, Dialect::S3)?,
        version: Version::SigV2,
        presigned,
        proof: Proof {
            signature: signature.to_owned(),
            scheme: Scheme::Sha1 { text, alternative },
        },
    })
}

/// Refuses control characters in the parameters that are signed. Their decoded text is put between
/// line ends, so that a line end within one could pass for another header.
///
/// Errors: `InvalidArgument`.
fn check_lines(asked: &Asked<'_>) -> Result<(), ApiError> {
    let is_signed =
        |name: &str| name.starts_with("x-amz-") || SUB_RESOURCES.binary_search(&name).is_ok();
    let broken = |text: &str| text.chars().any(char::is_control);
    let mut pairs = asked.pairs.iter().filter(|(name, _)| is_signed(name));
    if pairs.any(|(name, value)| broken(name) || broken(value)) {
        return Err(
            error::INVALID_ARGUMENT.error("A signed parameter must not hold control characters.")
        );
    }
    Ok(())
}

/// The `x-amz-` headers. A signed URL may carry some as parameters; they are signed as headers.
fn push_amz_headers(text: &mut Vec<u8>, asked: &Asked<'_>) {
    let headers = asked.head.headers;
    let mut lines: Vec<Vec<u8>> = asked
        .pairs
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-") && !headers.contains_key(*name))
        .map(|(name, value)| format!("{name}:{value}\n").into_bytes())
        .collect();
    if lines.is_empty() {
        return push_headers(text, headers, |name| name.starts_with("x-amz-"));
    }
    for name in headers.keys().filter(|name| name.as_str().starts_with("x-amz-")) {
        let mut line = Vec::new();
        push_headers(&mut line, headers, |other| other == name.as_str());
        lines.push(line);
    }
    lines.sort_unstable();
    text.extend(lines.into_iter().flatten());
}

/// The path as sent and `end`, after the bucket where this stood in the host, and the sub-resources.
fn push_resource(text: &mut Vec<u8>, asked: &Asked<'_>, end: &str) {
    let path = asked.head.path;
    if let Some(bucket) = asked.resource.bucket {
        let in_path = path.strip_prefix('/').and_then(|rest| rest.strip_prefix(bucket));
        // A key in a bucket of the host may begin with the bucket's own name: what tells the two apart
        // is whether the rest of the path is the key.
        let key = asked.resource.key.unwrap_or_default();
        let is_key = |rest: &str| {
            base::text::percent_decode(rest.strip_prefix('/').unwrap_or(rest), false) == key
        };
        if !in_path.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && is_key(rest)) {
            text.push(b'/');
            text.extend_from_slice(bucket.as_bytes());
        }
    }
    text.extend_from_slice(path.as_bytes());
    text.extend_from_slice(end.as_bytes());
    push_sub_resources(text, &asked.pairs, SUB_RESOURCES);
}

#[cfg(test)]
mod tests;
