//! OSS Signature Version 4: the key chain of [`super::v4`] over a canonical request with the whole
//! resource (the bucket too, wherever it was sent), all parameters, the `x-oss-` headers,
//! Content-Type, Content-MD5 and further headers at the client's choice.

use std::time::Duration;

use base::{ApiError, Time};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};

use super::auth::{Asked, Payload, Proof, Scheme, Signed, Version, check_skew, check_window};
use super::canonical::{Empty, Pairs, parse_date, push_encoded, push_headers};
use super::oss_v1::{join, push_resource};
use super::oss_v2::additional_headers;
use super::v4::{self, Scope, part};
use super::{Draft, Resource, Signer, error};
use crate::query;

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

pub(super) fn from_header(asked: &Asked<'_>, credential: &str) -> Result<Signed, ApiError> {
    let malformed = || {
        error::INVALID_ARGUMENT.error("The Authorization header must be `OSS4-HMAC-SHA256 Credential=…,AdditionalHeaders=…,Signature=…`.")
    };
    let signature = part(credential, "Signature").ok_or_else(malformed)?;
    let scope = part(credential, "Credential").ok_or_else(malformed)?;
    let date = asked.head.header("x-oss-date").or_else(|| asked.head.header("date"));
    let moment = date.and_then(parse_date).ok_or_else(|| {
        error::ACCESS_DENIED.error("A signed request needs a valid x-oss-date or Date header.")
    })?;
    check_skew(asked.now, moment)?;
    let sha256 = asked.head.header("x-oss-content-sha256").unwrap_or(UNSIGNED);
    let claim = Claim {
        credential: scope,
        signature,
        additional: part(credential, "AdditionalHeaders"),
        sha256,
        moment,
    };
    claim.signed(asked, asked.first_header(&["x-oss-security-token"]), false)
}

pub(super) fn from_query(asked: &Asked<'_>) -> Result<Signed, ApiError> {
    let missing = || {
        error::INVALID_ARGUMENT
            .error("A signed URL needs the parameters x-oss-credential, x-oss-date, x-oss-expires and x-oss-signature.")
    };
    let credential = asked.need("x-oss-credential", missing)?;
    let signature = asked.need("x-oss-signature", missing)?;
    let expires = asked.need("x-oss-expires", missing)?;
    let moment = Time::parse_compact(asked.need("x-oss-date", missing)?).ok_or_else(missing)?;
    check_window(asked.now, moment, expires)?;
    let sha256 = asked.head.header("x-oss-content-sha256").unwrap_or(UNSIGNED);
    let additional = asked.pairs.get("x-oss-additional-headers");
    let token = asked.pairs.get("x-oss-security-token").map(str::to_owned);
    Claim { credential, signature, additional, sha256, moment }.signed(asked, token, true)
}

/// The parts of a signature, wherever they stood.
struct Claim<'a> {
    credential: &'a str,
    signature: &'a str,
    additional: Option<&'a str>,
    sha256: &'a str,
    moment: Time,
}

impl Claim<'_> {
    fn signed(
        &self,
        asked: &Asked<'_>,
        token: Option<String>,
        presigned: bool,
    ) -> Result<Signed, ApiError> {
        let refused = |what: &str| {
            error::INVALID_ARGUMENT.error(format!("The credential's {what} is not valid."))
        };
        let (key_id, scope) =
            Scope::parse(self.credential, &v4::OSS).ok_or_else(|| refused("form"))?;
        if scope.region != asked.region {
            return Err(wrong_region(presigned).field("Region", asked.region));
        }
        if scope.service != "oss" && scope.service != "oss-cloudbox" {
            return Err(refused("product"));
        }
        let moment = self.moment.compact();
        if !moment.starts_with(&scope.date) {
            return Err(refused("date"));
        }
        let canonical = canonical(&Parts {
            method: asked.head.method,
            resource: &asked.resource,
            pairs: &asked.pairs,
            headers: asked.head.headers,
            additional: &additional_headers(self.additional.unwrap_or("")),
            sha256: self.sha256,
        });
        let scheme = Scheme::V4 { family: &v4::OSS, moment, scope, canonical, alternative: None };
        Ok(Signed {
            key_id,
            token,
            payload: payload(self.sha256)?,
            version: Version::OssV4,
            presigned,
            proof: Proof { signature: self.signature.to_owned(), scheme },
        })
    }
}

/// In the words of OSS, on which clients rely to find the region.
fn wrong_region(presigned: bool) -> ApiError {
    if presigned {
        return error::INVALID_ARGUMENT.error("The signing region in credential is invalid.");
    }
    error::INVALID_ARGUMENT
        .error("Invalid signing region in Authorization header.")
        .field(error::EC, "0002-00000226")
}

/// OSS itself knows `UNSIGNED-PAYLOAD` only; a digest is taken at its word and checked.
fn payload(sha256: &str) -> Result<Payload, ApiError> {
    match Payload::parse(sha256) {
        Ok(payload @ (Payload::Unsigned | Payload::Sha256(_))) => Ok(payload),
        _ => Err(error::INVALID_ARGUMENT.error(
            "The header x-oss-content-sha256 must be UNSIGNED-PAYLOAD or a SHA-256 in hexadecimal.",
        )),
    }
}

/// What a canonical request is made of.
struct Parts<'a> {
    method: &'a str,
    resource: &'a Resource<'a>,
    pairs: &'a Pairs<'a>,
    headers: &'a HeaderMap,
    additional: &'a [String],
    sha256: &'a str,
}

fn canonical(parts: &Parts<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(parts.method.as_bytes());
    out.push(b'\n');
    let mut plain = Vec::with_capacity(128);
    push_resource(&mut plain, parts.resource);
    push_encoded(&mut out, &plain, Some(b'/'));
    out.push(b'\n');
    parts.pairs.push(&mut out, "x-oss-signature", Empty::Bare);
    out.push(b'\n');
    push_headers(&mut out, parts.headers, |name| {
        name.starts_with("x-oss-")
            || matches!(name, "content-type" | "content-md5")
            || parts.additional.iter().any(|additional| additional == name)
    });
    out.push(b'\n');
    out.extend_from_slice(parts.additional.join(";").as_bytes());
    out.push(b'\n');
    out.extend_from_slice(parts.sha256.as_bytes());
    out
}

/// Signs in the header: sets `x-oss-date`, `x-oss-content-sha256`, `Authorization` and, for a
/// temporary key, the token's header. All other headers must be there already.
///
/// Errors: a key id or token that cannot be a header.
pub fn sign(
    signer: &Signer<'_>,
    draft: &Draft<'_>,
    headers: &mut HeaderMap,
) -> Result<(), InvalidHeaderValue> {
    let moment = signer.now.compact();
    headers.insert("x-oss-date", HeaderValue::from_str(&moment)?);
    headers.insert("x-oss-content-sha256", HeaderValue::from_static(UNSIGNED));
    if let Some(token) = signer.token {
        headers.insert("x-oss-security-token", HeaderValue::from_str(token)?);
    }
    let scope = Scope::new(signer.now, signer.region, "oss");
    let canonical = of_draft(draft, draft.query, headers);
    let signature = v4::sign(&v4::OSS, signer.secret, &moment, &scope, &canonical);
    let value = format!(
        "{} Credential={}/{},Signature={signature}",
        v4::OSS.algorithm,
        signer.key_id,
        scope.text(&v4::OSS)
    );
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
    Ok(())
}

/// Signs in the URL: answers the whole query, good for `lifetime` (at most seven days). `headers` are
/// those that whoever uses the URL must send.
pub fn presign(
    signer: &Signer<'_>,
    draft: &Draft<'_>,
    headers: &HeaderMap,
    lifetime: Duration,
) -> String {
    let moment = signer.now.compact();
    let scope = Scope::new(signer.now, signer.region, "oss");
    let credential = format!("{}/{}", signer.key_id, scope.text(&v4::OSS));
    let lifetime = lifetime.as_secs().to_string();
    let extra = [
        ("x-oss-signature-version", v4::OSS.algorithm),
        ("x-oss-credential", &credential),
        ("x-oss-date", &moment),
        ("x-oss-expires", &lifetime),
    ];
    let token = signer.token.map(|token| ("x-oss-security-token", token));
    let mut whole = draft.query.to_owned();
    join(&mut whole, &query::encode(extra.into_iter().chain(token)));
    let canonical = of_draft(draft, &whole, headers);
    let signature = v4::sign(&v4::OSS, signer.secret, &moment, &scope, &canonical);
    join(&mut whole, &query::encode([("x-oss-signature", signature.as_str())]));
    whole
}

fn of_draft(draft: &Draft<'_>, query: &str, headers: &HeaderMap) -> Vec<u8> {
    canonical(&Parts {
        method: draft.method,
        resource: &draft.resource,
        pairs: &Pairs::parse(query),
        headers,
        additional: &[],
        sha256: UNSIGNED,
    })
}

#[cfg(test)]
mod tests;
