//! OSS Signature Version 1: HMAC-SHA1 over verb, digest, type, date, `x-oss-` headers and the
//! resource with its sub-resources; in the `Authorization` header or in the URL.
//!
//! Every parameter that chooses an operation must be in [`SUB_RESOURCES`]: this version does not sign
//! any other, so that whoever holds a signed URL could add it.

use std::time::Duration;

use base::ApiError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, InvalidHeaderValue};
use ring::hmac;

use super::auth::{Asked, Payload, Proof, Scheme, Signed, Version, check_deadline, check_skew};
use super::canonical::{Pairs, parse_date, push_headers, push_line};
use super::{Draft, Resource, Signer, error};
use crate::query;

/// The parameters that are part of the signed resource, sorted: all that the public SDKs sign, of
/// which each knows a part.
pub const SUB_RESOURCES: &[&str] = &[
    "MetaQuery",
    "accessPoint",
    "accessPointPolicy",
    "acl",
    "action",
    "append",
    "asyncFetch",
    "bucketArchiveDirectRead",
    "bucketInfo",
    "callback",
    "callback-var",
    "cleanRestoredObject",
    "cloudboxes",
    "cname",
    "comp",
    "continuation-token",
    "cors",
    "dataPipeline",
    "delete",
    "encryption",
    "endTime",
    "group",
    "httpsConfig",
    "inventory",
    "inventoryId",
    "legalHold",
    "lifecycle",
    "link",
    "live",
    "location",
    "logging",
    "metaQuery",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "objectInfo",
    "objectMeta",
    "objectWorm",
    "overwriteConfig",
    "partNumber",
    "policy",
    "policyStatus",
    "position",
    "publicAccessBlock",
    "qos",
    "qosInfo",
    "qosRequester",
    "quota",
    "redundancyTransition",
    "referer",
    "regionList",
    "replication",
    "replicationLocation",
    "replicationProgress",
    "requestPayment",
    "requesterQosInfo",
    "resourceGroup",
    "resourcePool",
    "resourcePoolBuckets",
    "resourcePoolInfo",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "rtc",
    "seal",
    "security-token",
    "sequential",
    "startTime",
    "stat",
    "status",
    "style",
    "styleName",
    "symlink",
    "tagging",
    "transferAcceleration",
    "uploadId",
    "uploads",
    "userDefinedLogFieldsConfig",
    "versionId",
    "versioning",
    "versions",
    "vod",
    "website",
    "worm",
    "wormExtend",
    "wormId",
    "x-oss-ac-forward-allow",
    "x-oss-ac-source-ip",
    "x-oss-ac-subnet-mask",
    "x-oss-ac-vpc-id",
    "x-oss-access-point-name",
    "x-oss-async-process",
    "x-oss-process",
    "x-oss-redundancy-transition-taskid",
    "x-oss-request-payer",
    "x-oss-target-redundancy-type",
    "x-oss-traffic-limit",
    "x-oss-write-get-object-response",
];

/// Parameters that choose an operation and that no public SDK signs. In a signed URL, to which whoever holds it
/// can add what it likes, they are signed; beside a header they may be.
const UNSIGNED: &[&str] = &["accessmonitor", "processConfiguration", "regions"];

pub(super) fn from_header(asked: &Asked<'_>, credential: &str) -> Result<Signed, ApiError> {
    let (key_id, signature) = credential
        .split_once(':')
        .filter(|(key_id, signature)| !key_id.is_empty() && !signature.is_empty())
        .ok_or_else(|| {
            error::INVALID_ARGUMENT
                .error("The Authorization header must be `OSS key-id:signature`.")
        })?;
    let headers = asked.head.headers;
    let date =
        headers.get("x-oss-date").filter(|value| !value.is_empty()).or_else(|| headers.get(DATE));
    let moment = date
        .and_then(|value| value.to_str().ok())
        .and_then(|text| parse_date(text.trim()))
        .ok_or_else(|| {
            error::ACCESS_DENIED.error("A signed request needs a valid Date or x-oss-date header.")
        })?;
    check_skew(asked.now, moment)?;
    let mut text = start(asked.head.method, headers);
    push_line(&mut text, date);
    let alternative = asked.pairs.iter().any(|(name, _)| UNSIGNED.contains(&name)).then(|| {
        let mut text = text.clone();
        finish(&mut text, headers, &asked.resource, &asked.pairs, &all());
        text
    });
    finish(&mut text, headers, &asked.resource, &asked.pairs, SUB_RESOURCES);
    // One of the two public SDKs for Python sends the token under its bare name.
    let token = asked.first_header(&["x-oss-security-token", "security-token"]);
    Ok(signed(key_id, token, signature, (text, alternative), false))
}

pub(super) fn from_query(asked: &Asked<'_>) -> Result<Signed, ApiError> {
    let missing = || {
        error::ACCESS_DENIED
            .error("A signed URL needs the parameters OSSAccessKeyId, Expires and Signature.")
    };
    let key_id = asked.need("OSSAccessKeyId", missing)?;
    let expires = asked.need("Expires", missing)?;
    let signature = asked.need("Signature", missing)?;
    check_deadline(asked.now, expires)?;
    let headers = asked.head.headers;
    let mut text = start(asked.head.method, headers);
    text.extend_from_slice(expires.as_bytes());
    text.push(b'\n');
    finish(&mut text, headers, &asked.resource, &asked.pairs, &all());
    let token = asked.pairs.get("security-token").map(str::to_owned);
    Ok(signed(key_id, token, signature, (text, None), true))
}

fn signed(
    key_id: &str,
    token: Option<String>,
    signature: &str,
    (text, alternative): (Vec<u8>, Option<Vec<u8>>),
    presigned: bool,
) -> Signed {
    Signed {
        key_id: key_id.to_owned(),
        token,
        payload: Payload::Unsigned,
        version: Version::OssV1,
        presigned,
        proof: Proof {
            signature: signature.to_owned(),
            scheme: Scheme::Sha1 { text, alternative },
        },
    }
}

/// Verb, Content-MD5 and Content-Type, each with its line end. The date line comes next.
pub(super) fn start(method: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    text.extend_from_slice(method.as_bytes());
    text.push(b'\n');
    push_line(&mut text, headers.get("content-md5"));
    push_line(&mut text, headers.get(CONTENT_TYPE));
    text
}

/// The `x-oss-` headers and the resource.
fn finish(
    text: &mut Vec<u8>,
    headers: &HeaderMap,
    resource: &Resource<'_>,
    pairs: &Pairs<'_>,
    known: &[&str],
) {
    push_headers(text, headers, |name| name.starts_with("x-oss-"));
    push_resource(text, resource);
    push_sub_resources(text, pairs, known);
}

/// What is signed in a URL, sorted.
fn all() -> Vec<&'static str> {
    let mut all = [SUB_RESOURCES, UNSIGNED].concat();
    all.sort_unstable();
    all
}

/// The parameters whose names are in the sorted list `known`, sorted, not encoded.
pub(super) fn push_sub_resources(text: &mut Vec<u8>, pairs: &Pairs<'_>, known: &[&str]) {
    let mut subs: Vec<(&str, &str)> =
        pairs.iter().filter(|(name, _)| known.binary_search(name).is_ok()).collect();
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

/// `/`, `/bucket/` or `/bucket/key`, not encoded.
pub(super) fn push_resource(out: &mut Vec<u8>, resource: &Resource<'_>) {
    out.push(b'/');
    if let Some(bucket) = resource.bucket {
        out.extend_from_slice(bucket.as_bytes());
        out.push(b'/');
        out.extend_from_slice(resource.key.unwrap_or_default());
    }
}

/// Signs in the header: sets `Date`, `Authorization` and, for a temporary key, the token's header.
/// All other headers must be there already.
///
/// Errors: a key id or token that cannot be a header.
pub fn sign(
    signer: &Signer<'_>,
    draft: &Draft<'_>,
    headers: &mut HeaderMap,
) -> Result<(), InvalidHeaderValue> {
    headers.insert(DATE, HeaderValue::from_str(&signer.now.http())?);
    if let Some(token) = signer.token {
        headers.insert("x-oss-security-token", HeaderValue::from_str(token)?);
    }
    let mut text = start(draft.method, headers);
    push_line(&mut text, headers.get(DATE));
    finish(&mut text, headers, &draft.resource, &Pairs::parse(draft.query), SUB_RESOURCES);
    let value = format!("OSS {}:{}", signer.key_id, mac(signer, &text));
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
    Ok(())
}

/// Signs in the URL: answers the whole query, good for `lifetime`. `headers` are those that whoever
/// uses the URL must send.
pub fn presign(
    signer: &Signer<'_>,
    draft: &Draft<'_>,
    headers: &HeaderMap,
    lifetime: Duration,
) -> String {
    let expires = signer.now.plus(lifetime).secs().to_string();
    let mut whole = draft.query.to_owned();
    let token = signer.token.map(|token| ("security-token", token));
    let extra = [("OSSAccessKeyId", signer.key_id), ("Expires", expires.as_str())];
    join(&mut whole, &query::encode(extra.into_iter().chain(token)));
    let mut text = start(draft.method, headers);
    text.extend_from_slice(expires.as_bytes());
    text.push(b'\n');
    finish(&mut text, headers, &draft.resource, &Pairs::parse(&whole), &all());
    join(&mut whole, &query::encode([("Signature", mac(signer, &text).as_str())]));
    whole
}

fn mac(signer: &Signer<'_>, text: &[u8]) -> String {
    let key =
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, signer.secret.expose().as_bytes());
    BASE64.encode(hmac::sign(&key, text).as_ref())
}

/// Appends to a query.
pub(super) fn join(query: &mut String, more: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(more);
}

#[cfg(test)]
mod tests;
