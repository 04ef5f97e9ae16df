//! OSS Signature Version 2: as version 1, but HMAC-SHA256, with every query parameter signed, the
//! resource percent-encoded (slashes too) and further headers at the client's choice. Only verified:
//! our own clients sign with version 1 or 4.

use base::ApiError;
use http::header::DATE;

use super::auth::{Asked, Payload, Proof, Scheme, Signed, Version, check_deadline, check_skew};
use super::canonical::{Empty, parse_date, push_encoded, push_headers};
use super::oss_v1::{push_resource, start};
use super::{Resource, error};

pub(super) fn from_header(asked: &Asked<'_>, credential: &str) -> Result<Signed, ApiError> {
    let part = |name: &str| {
        credential.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix(':'))
    };
    let (Some(key_id), Some(signature)) = (part("AccessKeyId"), part("Signature")) else {
        return Err(error::INVALID_ARGUMENT
            .error("The Authorization header must be `OSS2 AccessKeyId:…,AdditionalHeaders:…,Signature:…`."));
    };
    let headers = asked.head.headers;
    let line = asked.head.header(DATE.as_str()).unwrap_or("");
    let date = asked.head.header("x-oss-date").filter(|text| !text.is_empty()).unwrap_or(line);
    let moment = parse_date(date).ok_or_else(|| {
        error::ACCESS_DENIED.error("A signed request needs a valid Date or x-oss-date header.")
    })?;
    check_skew(asked.now, moment)?;
    let token = asked.first_header(&["x-oss-security-token"]);
    let mut text = start(asked.head.method, headers);
    text.extend_from_slice(line.as_bytes());
    text.push(b'\n');
    finish(&mut text, asked, part("AdditionalHeaders").unwrap_or(""));
    Ok(signed(key_id, token, signature, text, false))
}

pub(super) fn from_query(asked: &Asked<'_>) -> Result<Signed, ApiError> {
    let missing = || {
        error::ACCESS_DENIED.error("A signed URL needs the parameters x-oss-access-key-id, x-oss-expires and x-oss-signature.")
    };
    let key_id = asked.need("x-oss-access-key-id", missing)?;
    let expires = asked.need("x-oss-expires", missing)?;
    let signature = asked.need("x-oss-signature", missing)?;
    check_deadline(asked.now, expires)?;
    let mut text = start(asked.head.method, asked.head.headers);
    text.extend_from_slice(expires.as_bytes());
    text.push(b'\n');
    finish(&mut text, asked, asked.pairs.get("x-oss-additional-headers").unwrap_or(""));
    let token =
        asked.pairs.get("security-token").or_else(|| asked.pairs.get("x-oss-security-token"));
    Ok(signed(key_id, token.map(str::to_owned), signature, text, true))
}

fn signed(
    key_id: &str,
    token: Option<String>,
    signature: &str,
    text: Vec<u8>,
    presigned: bool,
) -> Signed {
    Signed {
        key_id: key_id.to_owned(),
        token,
        payload: Payload::Unsigned,
        version: Version::OssV2,
        presigned,
        proof: Proof { signature: signature.to_owned(), scheme: Scheme::Sha256(text) },
    }
}

/// The headers, the list of those that the client chose, the resource and all parameters.
fn finish(text: &mut Vec<u8>, asked: &Asked<'_>, additional: &str) {
    let additional = additional_headers(additional);
    push_headers(text, asked.head.headers, |name| {
        name.starts_with("x-oss-") || additional.iter().any(|a| a == name)
    });
    text.extend_from_slice(additional.join(";").as_bytes());
    text.push(b'\n');
    push_encoded_resource(text, &asked.resource);
    let at = text.len();
    text.push(b'?');
    if !asked.pairs.push(text, "x-oss-signature", Empty::Bare) {
        text.truncate(at);
    }
}

fn push_encoded_resource(out: &mut Vec<u8>, resource: &Resource<'_>) {
    let mut plain = Vec::with_capacity(128);
    push_resource(&mut plain, resource);
    push_encoded(out, &plain, None);
}

/// The names of a list such as `range;if-modified-since`, lower case and sorted.
pub(super) fn additional_headers(list: &str) -> Vec<String> {
    let mut names: Vec<String> = list
        .split(';')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
