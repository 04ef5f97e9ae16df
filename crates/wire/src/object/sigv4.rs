//! S3 Signature Version 4: the key chain of [`super::v4`] over a canonical request with the path, all
//! parameters and the headers that the client lists. `Host` and every `x-amz-` header that is sent
//! must be among them, so that nothing that changes a request's meaning can be added on the way.

use std::time::Duration;

use base::{ApiError, Time};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};

use super::auth::{Asked, Payload, Proof, Scheme, Signed, Version, check_skew, check_window};
use super::canonical::{
    Empty, Pairs, parse_date, push_listed_headers, push_raw_query, recode_path,
};
use super::oss_v1::join;
use super::v4::{self, Scope, part};
use super::{Draft, Signer, error};
use crate::query;

/// The payload text of requests whose body is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The region that SDKs sign for when they were told none.
const DEFAULT_REGION: &str = "us-east-1";

pub(super) fn from_header(asked: &Asked<'_>, credential: &str) -> Result<Signed, ApiError> {
    let malformed = |what: &str| {
        error::AUTHORIZATION_HEADER_MALFORMED.error(format!(
            "The authorization header is malformed; {what} is missing or not valid."
        ))
    };
    let need = |name: &str| {
        part(credential, name).filter(|value| !value.is_empty()).ok_or_else(|| malformed(name))
    };
    let claim = Claim {
        credential: need("Credential")?,
        signature: need("Signature")?,
        signed_headers: need("SignedHeaders")?,
        sha256: asked.head.header("x-amz-content-sha256").ok_or_else(|| {
            error::INVALID_REQUEST
                .error("Missing required header for this request: x-amz-content-sha256")
        })?,
        moment: asked
            .head
            .header("x-amz-date")
            .or_else(|| asked.head.header("date"))
            .and_then(parse_date)
            .ok_or_else(|| {
                error::ACCESS_DENIED
                    .error("A signed request needs a valid Date or x-amz-date header.")
            })?,
    };
    let (key_id, scope) =
        Scope::parse(claim.credential, &v4::S3).ok_or_else(|| malformed("Credential"))?;
    claim.check_scope(asked, &scope, &error::AUTHORIZATION_HEADER_MALFORMED)?;
    check_skew(asked.now, claim.moment)?;
    claim.signed(asked, key_id, scope, asked.first_header(&["x-amz-security-token"]), false)
}

pub(super) fn from_query(asked: &Asked<'_>) -> Result<Signed, ApiError> {
    let malformed = || {
        error::AUTHORIZATION_QUERY_PARAMETERS_ERROR.error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
             X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    };
    if asked.need("X-Amz-Algorithm", malformed)? != v4::S3.algorithm {
        return Err(error::AUTHORIZATION_QUERY_PARAMETERS_ERROR
            .error("X-Amz-Algorithm must be AWS4-HMAC-SHA256."));
    }
    let sha256 = asked
        .pairs
        .get("X-Amz-Content-Sha256")
        .or_else(|| asked.head.header("x-amz-content-sha256"));
    let claim = Claim {
        credential: asked.need("X-Amz-Credential", malformed)?,
        signature: asked.need("X-Amz-Signature", malformed)?,
        signed_headers: asked.need("X-Amz-SignedHeaders", malformed)?,
        sha256: sha256.unwrap_or(UNSIGNED_PAYLOAD),
        moment: Time::parse_compact(asked.need("X-Amz-Date", malformed)?).ok_or_else(malformed)?,
    };
    let (key_id, scope) = Scope::parse(claim.credential, &v4::S3).ok_or_else(malformed)?;
    claim.check_scope(asked, &scope, &error::AUTHORIZATION_QUERY_PARAMETERS_ERROR)?;
    check_window(asked.now, claim.moment, asked.need("X-Amz-Expires", malformed)?)?;
    let token = asked.pairs.get("X-Amz-Security-Token").map(str::to_owned);
    claim.signed(asked, key_id, scope, token, true)
}

/// The parts of a signature, wherever they stood.
struct Claim<'a> {
    credential: &'a str,
    signature: &'a str,
    signed_headers: &'a str,
    sha256: &'a str,
    moment: Time,
}

impl Claim<'_> {
    fn check_scope(
        &self,
        asked: &Asked<'_>,
        scope: &Scope,
        code: &base::Code,
    ) -> Result<(), ApiError> {
        if scope.region != asked.region && scope.region != DEFAULT_REGION {
            let text =
                format!("The region '{}' is wrong; expecting '{}'", scope.region, asked.region);
            return Err(code.error(text).field("Region", asked.region));
        }
        if scope.service != "s3" {
            return Err(
                code.error(format!("The service '{}' is wrong; expecting 's3'", scope.service))
            );
        }
        if self.moment.compact().starts_with(&scope.date) {
            Ok(())
        } else {
            Err(code.error(format!(
                "The credential's date '{}' is not that of the request.",
                scope.date
            )))
        }
    }

    fn signed(
        &self,
        asked: &Asked<'_>,
        key_id: String,
        scope: Scope,
        token: Option<String>,
        presigned: bool,
    ) -> Result<Signed, ApiError> {
        check_coverage(asked.head.headers, self.signed_headers)?;
        let payload = Payload::parse(self.sha256)?;
        let path = recode_path(asked.head.path);
        let mut query = Vec::with_capacity(asked.head.query.len());
        asked.pairs.push(&mut query, "X-Amz-Signature", Empty::Equals);
        let mut raw_query = Vec::with_capacity(asked.head.query.len());
        push_raw_query(&mut raw_query, asked.head.query, "X-Amz-Signature");
        let of = |path: &[u8], query: &[u8]| {
            canonical(
                asked.head.method,
                path,
                query,
                asked.head.headers,
                self.signed_headers,
                self.sha256,
            )
        };
        let differs = *path != *asked.head.path.as_bytes() || raw_query != query;
        let scheme = Scheme::V4 {
            family: &v4::S3,
            moment: self.moment.compact(),
            scope,
            canonical: of(&path, &query),
            alternative: differs.then(|| of(asked.head.path.as_bytes(), &raw_query)),
        };
        let proof = Proof { signature: self.signature.to_owned(), scheme };
        Ok(Signed { key_id, token, payload, version: Version::SigV4, presigned, proof })
    }
}

/// Refuses unsigned headers that change what a request means, and a list that is not sorted with each
/// name once: a name repeated a thousand times would make a canonical request a thousand times the
/// request's size. The content digest is part of the canonical request in its own right, so that it
/// need not be listed.
fn check_coverage(headers: &HeaderMap, listed: &str) -> Result<(), ApiError> {
    let names: Vec<&str> = listed.split(';').collect();
    if !names.is_sorted_by(|one, next| one < next) {
        return Err(error::ACCESS_DENIED.error("SignedHeaders must be sorted, each name once."));
    }
    let is_listed = |name: &str| names.binary_search(&name).is_ok();
    let unsigned: Vec<&str> = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| {
            name.starts_with("x-amz-") && *name != "x-amz-content-sha256" && !is_listed(name)
        })
        .chain((!is_listed("host")).then_some("host"))
        .collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(error::ACCESS_DENIED
        .error("There were headers present in the request which were not signed")
        .field("HeadersNotSigned", unsigned.join(", ")))
}

fn canonical(
    method: &str,
    path: &[u8],
    query: &[u8],
    headers: &HeaderMap,
    listed: &str,
    sha256: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + path.len() + query.len());
    for line in [method.as_bytes(), path, query] {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    push_listed_headers(&mut out, headers, listed);
    for part in ["\n", listed, "\n", sha256] {
        out.extend_from_slice(part.as_bytes());
    }
    out
}

/// The names of the headers that our own clients sign.
fn to_sign(headers: &HeaderMap) -> String {
    let mut names: Vec<&str> = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| {
            name.starts_with("x-amz-")
                || matches!(*name, "host" | "content-type" | "content-md5" | "range")
        })
        .collect();
    names.sort_unstable();
    names.join(";")
}

/// Signs in the header: sets `x-amz-date`, `x-amz-content-sha256` (to `payload`: a SHA-256 in
/// hexadecimal, [`UNSIGNED_PAYLOAD`] or a `STREAMING-` form), `Authorization` and, for a temporary
/// key, the token's header. All other headers, and `Host` among them, must be there already.
///
/// Errors: a key id, token or payload that cannot be a header.
pub fn sign(
    signer: &Signer<'_>,
    draft: &Draft<'_>,
    payload: &str,
    headers: &mut HeaderMap,
) -> Result<(), InvalidHeaderValue> {
    let moment = signer.now.compact();
    headers.insert("x-amz-date", HeaderValue::from_str(&moment)?);
    headers.insert("x-amz-content-sha256", HeaderValue::from_str(payload)?);
    if let Some(token) = signer.token {
        headers.insert("x-amz-security-token", HeaderValue::from_str(token)?);
    }
    let scope = Scope::new(signer.now, signer.region, "s3");
    let listed = to_sign(headers);
    let canonical = of_draft(draft, draft.query, headers, &listed, payload);
    let signature = v4::sign(&v4::S3, signer.secret, &moment, &scope, &canonical);
    let value = format!(
        "{} Credential={}/{}, SignedHeaders={listed}, Signature={signature}",
        v4::S3.algorithm,
        signer.key_id,
        scope.text(&v4::S3)
    );
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
    Ok(())
}

/// Signs in the URL: answers the whole query, good for `lifetime` (at most seven days). `headers` are
/// those that whoever uses the URL must send; `Host` must be one of them.
pub fn presign(
    signer: &Signer<'_>,
    draft: &Draft<'_>,
    headers: &HeaderMap,
    lifetime: Duration,
) -> String {
    let moment = signer.now.compact();
    let scope = Scope::new(signer.now, signer.region, "s3");
    let credential = format!("{}/{}", signer.key_id, scope.text(&v4::S3));
    let lifetime = lifetime.as_secs().to_string();
    let listed = to_sign(headers);
    let extra = [
        ("X-Amz-Algorithm", v4::S3.algorithm),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &moment),
        ("X-Amz-Expires", &lifetime),
        ("X-Amz-SignedHeaders", &listed),
    ];
    let token = signer.token.map(|token| ("X-Amz-Security-Token", token));
    let mut whole = draft.query.to_owned();
    join(&mut whole, &query::encode(extra.into_iter().chain(token)));
    let canonical = of_draft(draft, &whole, headers, &listed, UNSIGNED_PAYLOAD);
    let signature = v4::sign(&v4::S3, signer.secret, &moment, &scope, &canonical);
    join(&mut whole, &query::encode([("X-Amz-Signature", signature.as_str())]));
    whole
}

fn of_draft(
    draft: &Draft<'_>,
    query: &str,
    headers: &HeaderMap,
    listed: &str,
    payload: &str,
) -> Vec<u8> {
    let mut sorted = Vec::with_capacity(query.len());
    Pairs::parse(query).push(&mut sorted, "", Empty::Equals);
    canonical(draft.method, &recode_path(draft.path), &sorted, headers, listed, payload)
}

#[cfg(test)]
mod tests;
