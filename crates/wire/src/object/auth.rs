//! Who signed a request: one entry to all versions of both protocols.
//!
//! [`parse`] checks all that needs no secret (form, coverage, clock, expiry) and builds the string
//! that was to be signed; [`Signed::verify`] compares, in constant time, once the caller has found
//! the secret. A key that is unknown is the caller's to refuse, with `error::INVALID_ACCESS_KEY_ID`.

use std::fmt;
use std::time::Duration;

use base::text::unhex;
use base::{ApiError, Secret, Time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

use super::canonical::Pairs;
use super::chunked::ChunkKey;
use super::v4::{self, Family, Scope};
use super::{Dialect, Resource, error, oss_v1, oss_v2, oss_v4, sigv2, sigv4};
use crate::Head;

/// How far a request's date may be from now, either way.
pub const SKEW_MAX: Duration = Duration::from_secs(15 * 60);
/// How long a V4 presigned URL may live.
pub const PRESIGN_SECS_MAX: u64 = 7 * 24 * 60 * 60;

/// Who made a request, as far as the request itself tells.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives for a request and is taken apart at once")]
pub enum Auth {
    /// Nobody signed it.
    Anonymous,
    /// Somebody signed it; nothing is proven before [`Signed::verify`] has answered.
    Signed(Signed),
}

/// The signature's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `OSS`, HMAC-SHA1.
    OssV1,
    /// `OSS2`, HMAC-SHA256.
    OssV2,
    /// `OSS4-HMAC-SHA256`.
    OssV4,
    /// `AWS`, HMAC-SHA1.
    SigV2,
    /// `AWS4-HMAC-SHA256`.
    SigV4,
}

impl Version {
    /// The protocol that it belongs to.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::OssV1 | Self::OssV2 | Self::OssV4 => Dialect::Oss,
            Self::SigV2 | Self::SigV4 => Dialect::S3,
        }
    }
}

/// What the signature says about the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the body is as it is.
    Unsigned,
    /// Its SHA-256. The caller hashes the body and answers `XAmzContentSHA256Mismatch`.
    Sha256([u8; 32]),
    /// `aws-chunked`, each chunk signed; with `trailer` also signed trailing headers.
    StreamingSigned {
        /// True where trailing headers follow the last chunk.
        trailer: bool,
    },
    /// `aws-chunked`, chunks not signed, trailing headers follow.
    StreamingUnsignedTrailer,
}

impl Payload {
    /// Reads an `x-amz-content-sha256` value.
    ///
    /// Errors: `InvalidArgument`; `NotImplemented` for the asymmetric (ECDSA) variants.
    pub fn parse(value: &str) -> Result<Self, ApiError> {
        match value {
            "UNSIGNED-PAYLOAD" => Ok(Self::Unsigned),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Self::StreamingSigned { trailer: false }),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(Self::StreamingSigned { trailer: true }),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Self::StreamingUnsignedTrailer),
            _ if value.starts_with("STREAMING-AWS4-ECDSA-") => {
                Err(error::NOT_IMPLEMENTED.error("Asymmetric signatures are not supported."))
            }
            _ => unhex(value).and_then(|bytes| bytes.try_into().ok()).map(Self::Sha256).ok_or_else(|| {
                error::INVALID_ARGUMENT
                    .error("The content digest must be UNSIGNED-PAYLOAD, a STREAMING form or a SHA-256 in hexadecimal.")
                    .field("ArgumentName", "x-amz-content-sha256")
            }),
        }
    }

    /// The framing and digest of a body whose signature says nothing about it (anonymous requests
    /// and Signature Version 2).
    ///
    /// Errors: as [`Payload::parse`]; `InvalidRequest` for signed chunks, which nobody has signed.
    pub fn unsigned(head: &Head<'_>, dialect: Dialect) -> Result<Self, ApiError> {
        let declared = head.header("x-amz-content-sha256").filter(|_| dialect == Dialect::S3);
        match declared.map_or(Ok(Self::Unsigned), Self::parse)? {
            Self::StreamingSigned { .. } => Err(error::INVALID_REQUEST
                .error("Signed chunks need a request that is signed with AWS4-HMAC-SHA256.")),
            payload => Ok(payload),
        }
    }
}

/// A request's signature, with all that is needed to verify it.
pub struct Signed {
    /// The access key that is claimed.
    pub key_id: String,
    /// The security token that goes with a temporary key.
    pub token: Option<String>,
    /// What the signature says about the body.
    pub payload: Payload,
    /// The signature's version.
    pub version: Version,
    /// True where the signature stands in the URL.
    pub presigned: bool,
    pub(super) proof: Proof,
}

/// The signature as sent, and what it should have been made of.
pub(super) struct Proof {
    pub(super) signature: String,
    pub(super) scheme: Scheme,
}

pub(super) enum Scheme {
    /// Base64 HMAC-SHA1 of one of these texts; the second is there where clients differ.
    Sha1 { text: Vec<u8>, alternative: Option<Vec<u8>> },
    /// Base64 HMAC-SHA256 of this text.
    Sha256(Vec<u8>),
    /// The key chain of V4 right over this text, as the policy of a form is signed.
    V4Text { family: &'static Family, scope: Scope, text: Vec<u8> },
    /// The key chain of V4.
    V4 {
        family: &'static Family,
        /// The moment of signing, `YYYYMMDDTHHMMSSZ`.
        moment: String,
        scope: Scope,
        canonical: Vec<u8>,
        /// The same request with path and query exactly as sent, where that differs.
        alternative: Option<Vec<u8>>,
    },
}

/// Says who claims to have signed, never the token or the signature.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("key_id", &self.key_id)
            .field("version", &self.version)
            .field("presigned", &self.presigned)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

impl Signed {
    /// Checks the signature in constant time. Answers the key for the chunks of the body where these
    /// are signed too.
    ///
    /// Errors: `SignatureDoesNotMatch`, with the strings of our own calculation, so that the author of
    /// a client can compare. They hold nothing that the client did not send.
    pub fn verify(&self, secret: &Secret<String>) -> Result<Option<ChunkKey>, ApiError> {
        let signature = &self.proof.signature;
        match &self.proof.scheme {
            Scheme::Sha1 { text, alternative } => {
                let key =
                    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose().as_bytes());
                let tag = BASE64.decode(signature).unwrap_or_default();
                let made_of = |text: &[u8]| matches(&key, text, &tag);
                self.expect(made_of(text) || alternative.as_deref().is_some_and(made_of))
            }
            Scheme::Sha256(text) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
                self.expect(BASE64.decode(signature).is_ok_and(|tag| matches(&key, text, &tag)))
            }
            Scheme::V4Text { family, scope, text } => {
                let tag = unhex(signature).unwrap_or_default();
                self.expect(matches(&scope.key(family, secret), text, &tag))
            }
            Scheme::V4 { family, moment, scope, canonical, alternative } => {
                let key = scope.key(family, secret);
                let tag = unhex(signature).unwrap_or_default();
                let made_of = |canonical: &[u8]| {
                    matches(
                        &key,
                        v4::string_to_sign(family, moment, scope, canonical).as_bytes(),
                        &tag,
                    )
                };
                self.expect(made_of(canonical) || alternative.as_deref().is_some_and(made_of))?;
                let streaming = matches!(self.payload, Payload::StreamingSigned { .. });
                Ok(streaming.then(|| {
                    ChunkKey::new(
                        key,
                        moment.clone(),
                        scope.text(family),
                        signature.to_ascii_lowercase(),
                    )
                }))
            }
        }
    }

    fn expect(&self, matched: bool) -> Result<Option<ChunkKey>, ApiError> {
        if matched { Ok(None) } else { Err(self.mismatch()) }
    }

    fn mismatch(&self) -> ApiError {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let key_field = match self.version.dialect() {
            Dialect::Oss => "OSSAccessKeyId",
            Dialect::S3 => "AWSAccessKeyId",
        };
        let refused = ApiError::new(&error::SIGNATURE_DOES_NOT_MATCH)
            .field(key_field, &self.key_id)
            .field("SignatureProvided", &self.proof.signature);
        match &self.proof.scheme {
            Scheme::Sha1 { text: bytes, .. }
            | Scheme::Sha256(bytes)
            | Scheme::V4Text { text: bytes, .. } => refused.field("StringToSign", text(bytes)),
            Scheme::V4 { family, moment, scope, canonical, .. } => refused
                .field("StringToSign", v4::string_to_sign(family, moment, scope, canonical))
                .field("CanonicalRequest", text(canonical)),
        }
    }
}

fn matches(key: &hmac::Key, text: &[u8], tag: &[u8]) -> bool {
    hmac::verify(key, text, tag).is_ok()
}

/// What the versions read a signature from.
pub(super) struct Asked<'a> {
    pub(super) head: Head<'a>,
    pub(super) pairs: Pairs<'a>,
    pub(super) resource: Resource<'a>,
    pub(super) region: &'a str,
    pub(super) now: Time,
}

impl Asked<'_> {
    /// The value of a query parameter, for a signature that needs it.
    pub(super) fn need(
        &self,
        name: &str,
        otherwise: impl FnOnce() -> ApiError,
    ) -> Result<&str, ApiError> {
        self.pairs.get(name).filter(|value| !value.is_empty()).ok_or_else(otherwise)
    }

    /// The first of these headers that is there and not empty, owned.
    pub(super) fn first_header(&self, names: &[&str]) -> Option<String> {
        names
            .iter()
            .find_map(|name| self.head.header(name).filter(|value| !value.is_empty()))
            .map(str::to_owned)
    }
}

/// Finds out who signed. `resource` is what the request acts on; `region` is ours.
///
/// Errors, all in the words of the dialect: malformed or doubled credentials, a date that is missing
/// or more than [`SKEW_MAX`] away, an expired or too long-lived URL, headers that must be signed and
/// are not, another region.
pub fn parse<'a>(
    head: &Head<'a>,
    dialect: Dialect,
    resource: &Resource<'a>,
    region: &'a str,
    now: Time,
) -> Result<Auth, ApiError> {
    let asked =
        Asked { head: *head, pairs: Pairs::parse(head.query), resource: *resource, region, now };
    let header = head.header("authorization").filter(|value| !value.is_empty());
    let signed = match dialect {
        Dialect::Oss => oss(&asked, header)?,
        Dialect::S3 => s3(&asked, header)?,
    };
    Ok(signed.map_or(Auth::Anonymous, Auth::Signed))
}

fn oss(asked: &Asked<'_>, header: Option<&str>) -> Result<Option<Signed>, ApiError> {
    let has = |name: &str| asked.pairs.get(name).is_some();
    let new = has("x-oss-signature-version") || has("x-oss-signature");
    let old = has("OSSAccessKeyId") || has("Signature");
    let Some(header) = header else {
        return match asked.pairs.get("x-oss-signature-version") {
            _ if !new && !old => Ok(None),
            None if old => oss_v1::from_query(asked).map(Some),
            Some("OSS2") => oss_v2::from_query(asked).map(Some),
            Some("OSS4-HMAC-SHA256") => oss_v4::from_query(asked).map(Some),
            _ => Err(error::INVALID_ARGUMENT
                .error("The parameter x-oss-signature-version is not valid.")),
        };
    };
    if new || old {
        return Err(doubled());
    }
    if let Some(rest) = header.strip_prefix("OSS ") {
        oss_v1::from_header(asked, rest.trim()).map(Some)
    } else if let Some(rest) = header.strip_prefix("OSS2 ") {
        oss_v2::from_header(asked, rest.trim()).map(Some)
    } else if let Some(rest) = header.strip_prefix("OSS4-HMAC-SHA256 ") {
        oss_v4::from_header(asked, rest.trim()).map(Some)
    } else {
        Err(error::INVALID_ARGUMENT.error("The Authorization header is not of a supported form."))
    }
}

fn s3(asked: &Asked<'_>, header: Option<&str>) -> Result<Option<Signed>, ApiError> {
    let has = |name: &str| asked.pairs.get(name).is_some();
    let new = has("X-Amz-Signature") || has("X-Amz-Algorithm") || has("X-Amz-Credential");
    let old = has("AWSAccessKeyId") || has("Signature");
    let Some(header) = header else {
        return match (new, old) {
            (false, false) => Ok(None),
            (true, false) => sigv4::from_query(asked).map(Some),
            (false, true) => sigv2::from_query(asked).map(Some),
            (true, true) => Err(doubled()),
        };
    };
    if new || old {
        return Err(doubled());
    }
    if let Some(rest) = header.strip_prefix("AWS4-HMAC-SHA256") {
        sigv4::from_header(asked, rest.trim()).map(Some)
    } else if let Some(rest) = header.strip_prefix("AWS ") {
        sigv2::from_header(asked, rest.trim()).map(Some)
    } else if header.starts_with("AWS4-ECDSA-") {
        Err(error::NOT_IMPLEMENTED.error("Asymmetric signatures are not supported."))
    } else {
        Err(error::INVALID_ARGUMENT.error("The Authorization header is not of a supported form."))
    }
}

fn doubled() -> ApiError {
    error::INVALID_ARGUMENT.error(
        "A request may be signed in its Authorization header or in its query, and only once.",
    )
}

/// Refuses a request whose date is more than [`SKEW_MAX`] away from now.
pub(super) fn check_skew(now: Time, date: Time) -> Result<(), ApiError> {
    if now.distance(date) <= SKEW_MAX {
        return Ok(());
    }
    Err(ApiError::new(&error::REQUEST_TIME_TOO_SKEWED)
        .field("RequestTime", date.iso_millis())
        .field("ServerTime", now.iso_millis())
        .field("MaxAllowedSkewMilliseconds", SKEW_MAX.as_millis().to_string()))
}

/// Refuses a URL that has expired at `end`.
pub(super) fn check_expiry(now: Time, end: Time) -> Result<(), ApiError> {
    if now < end {
        return Ok(());
    }
    Err(error::ACCESS_DENIED
        .error("Request has expired.")
        .field("Expires", end.iso_millis())
        .field("ServerTime", now.iso_millis()))
}

/// Refuses a URL outside its time: signed at `start`, good for `seconds` (as text).
pub(super) fn check_window(now: Time, start: Time, seconds: &str) -> Result<(), ApiError> {
    let seconds =
        seconds.parse::<u64>().ok().filter(|seconds| *seconds <= PRESIGN_SECS_MAX).ok_or_else(
            || {
                error::ACCESS_DENIED.error(
                    "A presigned URL must expire between 0 seconds and 7 days after it was made.",
                )
            },
        )?;
    if start > now.plus(SKEW_MAX) {
        return Err(error::ACCESS_DENIED
            .error("The request is not valid yet.")
            .field("ServerTime", now.iso_millis()));
    }
    check_expiry(now, start.plus(Duration::from_secs(seconds)))
}

/// Refuses a URL outside its time: good until this many seconds after 1970 (as text).
pub(super) fn check_deadline(now: Time, expires: &str) -> Result<(), ApiError> {
    let end = expires.parse::<i64>().map_err(|_| {
        error::ACCESS_DENIED.error("The parameter Expires must be a number of seconds since 1970.")
    })?;
    check_expiry(now, Time::from_secs(end))
}

#[cfg(test)]
mod tests;
