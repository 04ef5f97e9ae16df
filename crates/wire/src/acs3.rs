//! ACS3-HMAC-SHA256, the header signature of the newer Alibaba Cloud SDKs, read and written.
//!
//! The key is the access key secret itself: there are no derived keys and no date or region scope.
//! Other ACS3 algorithms (SM3, RSA) are refused in [`crate::call`].

#[cfg(test)]
mod tests;

use base::text::{hex, unhex};
use base::{ApiError, Secret, Time, code};
use ring::{digest, hmac};

use crate::call::{
    Credentials, Proof, Reading, Signed, fresh, get, incomplete, missing, nonce, tag,
};
use crate::{Head, query};

/// The name of the algorithm, as it starts the Authorization header and the string to sign.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Headers that must be there, and in the list of signed ones. `x-acs-action` and `x-acs-version`
/// may be missing, but where they are there they must be signed like every other `x-acs-*`.
const MANDATORY: [&str; 4] =
    ["host", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce"];

type Pair<'a> = (&'a str, &'a str);

/// The three parts of an Authorization header.
struct Authorization<'a> {
    key_id: &'a str,
    names: &'a str,
    signature: &'a str,
}

/// Reads the signature of a request whose Authorization header names this algorithm. `pairs` is the
/// decoded query, sorted by name.
pub(crate) fn read(
    head: &Head<'_>,
    pairs: &[(String, String)],
    body: &[u8],
    now: Time,
) -> Result<Signed, ApiError> {
    let authorization = authorization(head.header("authorization").unwrap_or_default())?;
    let digest = hex(digest::digest(&digest::SHA256, body).as_ref());
    check_coverage(head, authorization.names)?;
    if head.header("x-acs-content-sha256") != Some(&digest) {
        return Err(ApiError::new(&code::BODY_MISMATCH));
    }
    let headers = canonical_headers(head, authorization.names)?;
    let reading = |query: &str| {
        reading(head.method, head.path, query, &headers, authorization.names, &digest)
    };
    let refs = || pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // The documentation encodes the keys, the SDKs do not; most keys are the same either way.
    let mut readings = Vec::with_capacity(1);
    if !pairs.iter().any(|(name, _)| is_ambiguous(name)) {
        readings.push(reading(&query::encode_values(refs())));
    }
    if pairs.iter().any(|(name, _)| !query::is_plain(name)) {
        readings.push(reading(&query::encode(refs())));
    }
    let token = head.header("x-acs-security-token").or_else(|| get(pairs, "SecurityToken"));
    Ok(Signed {
        key_id: authorization.key_id.to_owned(),
        security_token: token.map(str::to_owned),
        nonce: nonce("x-acs-signature-nonce", head.header("x-acs-signature-nonce"))?,
        date: fresh("x-acs-date", head.header("x-acs-date"), Time::parse_iso, now)?,
        proof: Proof {
            algorithm: hmac::HMAC_SHA256,
            key_suffix: "",
            signature: lower_hex(authorization.signature),
            readings,
        },
    })
}

/// A name with a delimiter in it reads like several parameters where it is not encoded, so it counts
/// only in the reading that encodes names.
fn is_ambiguous(name: &str) -> bool {
    name.contains(['&', '='])
}

fn authorization(text: &str) -> Result<Authorization<'_>, ApiError> {
    let parts = text.strip_prefix(ALGORITHM).unwrap_or_default();
    let (mut key_id, mut names, mut signature) = ("", "", "");
    for part in parts.split(',') {
        match part.trim().split_once('=') {
            Some(("Credential", value)) => key_id = value,
            Some(("SignedHeaders", value)) => names = value,
            Some(("Signature", value)) => signature = value,
            _ => return Err(incomplete("the Authorization header has a part that is not known")),
        }
    }
    if [key_id, names, signature].contains(&"") {
        return Err(incomplete(
            "the Authorization header lacks Credential, SignedHeaders or Signature",
        ));
    }
    Ok(Authorization { key_id, names, signature })
}

/// Checks that all that decides is signed, and that the list is sorted, each name once: a name
/// repeated a thousand times would make a canonical request a thousand times the request's size.
fn check_coverage(head: &Head<'_>, names: &str) -> Result<(), ApiError> {
    let names: Vec<&str> = names.split(';').collect();
    if !names.is_sorted_by(|one, next| one < next) {
        return Err(incomplete("SignedHeaders is not sorted"));
    }
    if let Some(name) = MANDATORY.iter().find(|name| !head.headers.contains_key(**name)) {
        return Err(missing(name));
    }
    let decides =
        |name: &str| name.starts_with("x-acs-") || matches!(name, "host" | "content-type");
    let present = head.headers.keys().map(http::HeaderName::as_str);
    match present.filter(|name| decides(name)).find(|name| names.binary_search(name).is_err()) {
        Some(name) => Err(incomplete(&format!("the header {name} is not signed"))),
        None => Ok(()),
    }
}

fn canonical_headers(head: &Head<'_>, names: &str) -> Result<String, ApiError> {
    let mut out = String::with_capacity(512);
    for name in names.split(';') {
        let values = head.headers.get_all(name).iter();
        let values: Result<Vec<&str>, _> =
            values.map(|value| std::str::from_utf8(value.as_bytes())).collect();
        let mut values = values.map_err(|_| incomplete("a signed header is not UTF-8"))?;
        if values.is_empty() {
            return Err(incomplete("SignedHeaders names a header that was not sent"));
        }
        values.iter_mut().for_each(|value| *value = value.trim());
        values.sort_unstable();
        push_header(&mut out, name, &values);
    }
    Ok(out)
}

fn push_header(out: &mut String, name: &str, values: &[&str]) {
    out.push_str(name);
    out.push(':');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(value);
    }
    out.push('\n');
}

/// The canonical request and the string to sign that holds its digest.
fn reading(
    method: &str,
    path: &str,
    query: &str,
    headers: &str,
    names: &str,
    digest: &str,
) -> Reading {
    let canonical =
        [method, "\n", path, "\n", query, "\n", headers, "\n", names, "\n", digest].concat();
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    Reading { to_sign: [ALGORITHM, "\n", &hash].concat(), canonical }
}

/// Only the lower-case spelling: an upper-case one is not what the client signed with.
fn lower_hex(text: &str) -> Vec<u8> {
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if lower { unhex(text).unwrap_or_default() } else { Vec::new() }
}

/// A request to sign.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The HTTP method, upper case.
    pub method: &'a str,
    /// The Host header as it will be sent.
    pub host: &'a str,
    /// The path as it will be sent, percent-encoded; `/` for RPC.
    pub path: &'a str,
    /// The query, decoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The Content-Type header, where one will be sent.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The action.
    pub action: &'a str,
    /// The API version.
    pub version: &'a str,
    /// The date of the signature.
    pub date: Time,
    /// A text never used before.
    pub nonce: &'a str,
}

/// Signs a request: the headers to send with it, `host` and `authorization` included.
pub fn sign(request: &Request<'_>, credentials: &Credentials<'_>) -> Vec<(&'static str, String)> {
    let digest = hex(digest::digest(&digest::SHA256, request.body).as_ref());
    let mut headers = vec![
        ("host", request.host.to_owned()),
        ("x-acs-action", request.action.to_owned()),
        ("x-acs-content-sha256", digest.clone()),
        ("x-acs-date", request.date.iso()),
        ("x-acs-signature-nonce", request.nonce.to_owned()),
        ("x-acs-version", request.version.to_owned()),
    ];
    if let Some(media) = request.content_type {
        headers.push(("content-type", media.to_owned()));
    }
    if let Some(token) = credentials.token {
        headers.push(("x-acs-accesskey-id", credentials.key_id.to_owned()));
        headers.push(("x-acs-security-token", token.to_owned()));
    }
    headers.sort_unstable();
    let value = sign_headers(request, credentials, &headers, &digest);
    headers.push(("authorization", value));
    headers
}

fn sign_headers(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    headers: &[(&'static str, String)],
    digest: &str,
) -> String {
    let mut lines = String::new();
    for (name, value) in headers {
        push_header(&mut lines, name, &[value.trim()]);
    }
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut pairs: Vec<Pair<'_>> = request.query.to_vec();
    pairs.sort_unstable();
    let query = if pairs.iter().any(|(name, _)| is_ambiguous(name)) {
        query::encode(pairs)
    } else {
        query::encode_values(pairs)
    };
    let reading = reading(request.method, request.path, &query, &lines, &names, digest);
    let signature = signature(credentials.secret, &reading.to_sign);
    format!(
        "{ALGORITHM} Credential={},SignedHeaders={names},Signature={signature}",
        credentials.key_id
    )
}

fn signature(secret: &Secret<String>, to_sign: &str) -> String {
    hex(tag(hmac::HMAC_SHA256, secret, "", to_sign).as_ref())
}
