//! S3 Signature Version 2: HMAC-SHA1, as old clients still make it. Only verified: our own clients
//! sign with version 4.
//!
//! As with version 1 of OSS, every parameter that chooses an operation must be in [`SUB_RESOURCES`].

use base::ApiError;
use http::header::{DATE, HeaderMap};

use super::auth::{Asked, Payload, Proof, Scheme, Signed, Version, check_deadline, check_skew};
use super::canonical::{parse_date, push_headers, push_line};
use super::oss_v1::start;
use super::{Dialect, error};

/// The parameters that are part of the signed resource, sorted.
const SUB_RESOURCES: &[&str] = &[
    "accelerate", "acl", "analytics", "attributes", "cors", "defaultObjectAcl", "delete", "encryption",
    "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "location", "logging", "metrics",
    "notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus",
    "publicAccessBlock", "replication", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "restore", "retention", "select", "select-type",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions",
    "website",
];

pub(super) fn from_header(asked: &Asked<'_>, credential: &str) -> Result<Signed, ApiError> {
    let (key_id, signature) = credential
        .split_once(':')
        .filter(|(key_id, signature)| !key_id.is_empty() && !signature.is_empty())
        .ok_or_else(|| error::INVALID_ARGUMENT.error("The Authorization header must be `AWS key-id:signature`."))?;
    let headers = asked.head.headers;
    let own_date = asked.head.header("x-amz-date");
    let moment = own_date
        .or_else(|| asked.head.header(DATE.as_str()))
        .and_then(parse_date)
        .ok_or_else(|| error::ACCESS_DENIED.error("A signed request needs a valid Date or x-amz-date header."))?;
    check_skew(asked.now, moment)?;
    let mut text = start(asked.head.method, headers);
    // The line is empty where x-amz-date is there: it is signed among the headers.
    push_line(&mut text, headers.get(DATE).filter(|_| own_date.is_none()));
    finish(&mut text, asked, headers);
    let token = asked.first_header(&["x-amz-security-token"]);
    signed(asked, key_id, token, signature, text, false)
}

pub(super) fn from_query(asked: &Asked<'_>) -> Result<Signed, ApiError> {
    let missing = || {
        error::ACCESS_DENIED.error("A signed URL needs the parameters AWSAccessKeyId, Expires and Signature.")
    };
    let key_id = asked.need("AWSAccessKeyId", missing)?;
    let expires = asked.need("Expires", missing)?;
    let signature = asked.need("Signature", missing)?;
    check_deadline(asked.now, expires)?;
    let mut text = start(asked.head.method, asked.head.headers);
    text.extend_from_slice(expires.as_bytes());
    text.push(b'\n');
    finish(&mut text, asked, asked.head.headers);
    let token = asked.pairs.get("x-amz-security-token").map(str::to_owned);
    signed(asked, key_id, token, signature, text, true)
}

fn signed(
    asked: &Asked<'_>,
    key_id: &str,
    token: Option<String>,
    signature: &str,
    text: Vec<u8>,
    presigned: bool,
) -> Result<Signed, ApiError> {
    Ok(Signed {
        key_id: key_id.to_owned(),
        token,
        payload: Payload::unsigned(&asked.head, Dialect::S3)?,
        version: Version::SigV2,
        presigned,
        proof: Proof { signature: signature.to_owned(), scheme: Scheme::Sha1(text) },
    })
}

/// The `x-amz-` headers and the resource: the path as sent, after the bucket where this stood in the
/// host. A signed URL may carry `x-amz-` headers as parameters; they are signed as headers.
fn finish(text: &mut Vec<u8>, asked: &Asked<'_>, headers: &HeaderMap) {
    let as_parameters: Vec<(&str, &str)> =
        asked.pairs.iter().filter(|(name, _)| name.starts_with("x-amz-") && !headers.contains_key(*name)).collect();
    if as_parameters.is_empty() {
        push_headers(text, headers, |name| name.starts_with("x-amz-"));
    } else {
        let mut lines: Vec<Vec<u8>> =
            as_parameters.iter().map(|(name, value)| format!("{name}:{value}\n").into_bytes()).collect();
        for name in headers.keys().filter(|name| name.as_str().starts_with("x-amz-")) {
            let mut line = Vec::new();
            push_headers(&mut line, headers, |other| other == name.as_str());
            lines.push(line);
        }
        lines.sort_unstable();
        text.extend(lines.into_iter().flatten());
    }
    push_resource(text, asked);
    let mut subs: Vec<(&str, &str)> =
        asked.pairs.iter().filter(|(name, _)| SUB_RESOURCES.binary_search(name).is_ok()).collect();
    subs.sort_unstable();
    for (at, (name, value)) in subs.iter().enumerate() {
        text.push(if at == 0 { b'?' } else { b'&' });
        text.extend_from_slice(name.as_bytes());
        if !value.is_empty() {
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
        }
    }
}

fn push_resource(text: &mut Vec<u8>, asked: &Asked<'_>) {
    let path = asked.head.path;
    if let Some(bucket) = asked.resource.bucket {
        let in_path = path.strip_prefix('/').and_then(|rest| rest.strip_prefix(bucket));
        // A key in a bucket of the host may begin with the bucket's own name: what tells the two apart
        // is whether the rest of the path is the key.
        let key = asked.resource.key.unwrap_or_default();
        let is_key = |rest: &str| base::text::percent_decode(rest.strip_prefix('/').unwrap_or(rest), false) == key;
        if !in_path.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && is_key(rest)) {
            text.push(b'/');
            text.extend_from_slice(bucket.as_bytes());
        }
    }
    text.extend_from_slice(path.as_bytes());
}

#[cfg(test)]
mod tests;
