//! ROA signature version 1.0 (`authorization: acs KEY:SIGNATURE`), which Terraform and the older
//! SDKs use for MaxCompute.
//!
//! The protocol does not encode query values before signing and signs a body only through
//! Content-MD5, which most clients do not send: over plain HTTP it protects little else than the
//! secret. Prefer ACS3.

#[cfg(test)]
mod tests;

use base::{ApiError, Time, code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::Head;
use crate::call::{Credentials, Proof, Reading, Signed, algorithm, fresh, incomplete, nonce, tag};

/// The word that starts the Authorization header.
pub const PREFIX: &str = "acs";

/// The headers whose values stand on lines of their own, after the method.
const LINES: [&str; 4] = ["accept", "content-md5", "content-type", "date"];

/// How a parameter without a value is written in the string to sign.
#[derive(Clone, Copy)]
enum Empty {
    /// `k`: Python and Go.
    Bare,
    /// `k=`: Node.
    Equals,
}

/// Reads the signature. `pairs` is the decoded query, sorted by name.
pub(crate) fn read(
    head: &Head<'_>,
    pairs: &[(String, String)],
    body: &[u8],
    now: Time,
) -> Result<Signed, ApiError> {
    let text = head.header("authorization").unwrap_or_default();
    let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.trim().split_once(':'));
    let (key_id, signature) = parts
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| incomplete("the Authorization header is not KEY:SIGNATURE"))?;
    if head.header("x-acs-signature-version").is_some_and(|version| version != "1.0") {
        return Err(ApiError::new(&code::UNSUPPORTED_SIGNATURE));
    }
    if head.header("content-md5").is_some_and(|sent| sent != STANDARD.encode(Md5::digest(body))) {
        return Err(ApiError::new(&code::BODY_MISMATCH));
    }
    let headers = signed_headers(head)?;
    let refs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let reading =
        |empty| Reading::plain(string_to_sign(head.method, head.path, &refs, &headers, empty));
    let mut readings = vec![reading(Empty::Bare)];
    if refs.iter().any(|(_, value)| value.is_empty()) {
        readings.push(reading(Empty::Equals));
    }
    Ok(Signed {
        key_id: key_id.to_owned(),
        security_token: head.header("x-acs-security-token").map(str::to_owned),
        nonce: nonce("x-acs-signature-nonce", head.header("x-acs-signature-nonce"))?,
        date: fresh("Date", head.header("date"), Time::parse_http, now)?,
        proof: Proof {
            algorithm: algorithm(head.header("x-acs-signature-method"))?,
            key_suffix: "",
            signature: STANDARD.decode(signature).unwrap_or_default(),
            readings,
        },
    })
}

fn signed_headers<'a>(head: &Head<'a>) -> Result<Vec<(&'a str, &'a str)>, ApiError> {
    let decides = |name: &str| name.starts_with("x-acs-") || LINES.contains(&name);
    let mut headers = Vec::new();
    for (name, value) in head.headers.iter().filter(|(name, _)| decides(name.as_str())) {
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| incomplete("a signed header is not UTF-8"))?;
        headers.push((name.as_str(), value.trim()));
    }
    headers.sort_unstable();
    Ok(headers)
}

fn string_to_sign(
    method: &str,
    path: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    empty: Empty,
) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(method);
    out.push('\n');
    for line in LINES {
        let value = headers.iter().find(|(name, _)| *name == line).map_or("", |(_, value)| value);
        out.push_str(value);
        out.push('\n');
    }
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-acs-")) {
        for part in [name, ":", value, "\n"] {
            out.push_str(part);
        }
    }
    out.push_str(path);
    for (at, (name, value)) in query.iter().enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        out.push_str(name);
        if !value.is_empty() || matches!(empty, Empty::Equals) {
            out.push('=');
            out.push_str(value);
        }
    }
    out
}

/// The `authorization` header for a request that will be sent with `headers` (lower-case names; all
/// of `x-acs-*`, `accept`, `content-md5`, `content-type` and `date` that will be sent). `path` is as it will be
/// sent, `query` decoded. An STS token goes into `headers` as `x-acs-security-token`.
///
/// Errors: `UnsupportedSignatureMethod`.
pub fn sign(
    method: &str,
    path: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    credentials: &Credentials<'_>,
) -> Result<String, ApiError> {
    let (mut query, mut headers) = (query.to_vec(), headers.to_vec());
    query.sort_unstable();
    headers.sort_unstable();
    let named =
        headers.iter().find(|(name, _)| *name == "x-acs-signature-method").map(|(_, value)| *value);
    let to_sign = string_to_sign(method, path, &query, &headers, Empty::Bare);
    let signature = STANDARD.encode(tag(algorithm(named)?, credentials.secret, "", &to_sign));
    Ok(format!("{PREFIX} {}:{signature}", credentials.key_id))
}
