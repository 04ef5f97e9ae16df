//! What Signature Version 4 of OSS and of S3 share: the credential scope, the key chain and the
//! string to sign. The canonical requests differ and are in `oss_v4.rs` and `sigv4.rs`.

use base::text::hex;
use base::{Secret, Time};
use ring::{digest, hmac};

/// The fixed words of one of the two variants.
pub(super) struct Family {
    /// The algorithm's name, the first line of the string to sign.
    pub(super) algorithm: &'static str,
    /// What stands before the secret in the first key of the chain.
    prefix: &'static str,
    /// The last part of a scope.
    terminator: &'static str,
}

pub(super) static OSS: Family =
    Family { algorithm: "OSS4-HMAC-SHA256", prefix: "aliyun_v4", terminator: "aliyun_v4_request" };
pub(super) static S3: Family =
    Family { algorithm: "AWS4-HMAC-SHA256", prefix: "AWS4", terminator: "aws4_request" };

/// What a signature is good for.
#[derive(Clone)]
pub(super) struct Scope {
    /// The day, `YYYYMMDD`.
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
}

impl Scope {
    /// The scope of a signature made at `now`.
    pub(super) fn new(now: Time, region: &str, service: &str) -> Self {
        let mut date = now.compact();
        date.truncate(8);
        Self { date, region: region.to_owned(), service: service.to_owned() }
    }

    /// Splits `key-id/date/region/service/terminator`.
    pub(super) fn parse(credential: &str, family: &Family) -> Option<(String, Self)> {
        let mut parts = credential.rsplitn(5, '/');
        if parts.next()? != family.terminator {
            return None;
        }
        let service = parts.next()?.to_owned();
        let region = parts.next()?.to_owned();
        let date = parts.next()?.to_owned();
        let key_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
        is_date.then_some((key_id, Self { date, region, service }))
    }

    /// `date/region/service/terminator`.
    pub(super) fn text(&self, family: &Family) -> String {
        format!("{}/{}/{}/{}", self.date, self.region, self.service, family.terminator)
    }

    /// The end of the key chain: secret, date, region, service, terminator.
    pub(super) fn key(&self, family: &Family, secret: &Secret<String>) -> hmac::Key {
        let mut first = Vec::with_capacity(family.prefix.len() + secret.expose().len());
        first.extend_from_slice(family.prefix.as_bytes());
        first.extend_from_slice(secret.expose().as_bytes());
        let start = hmac::Key::new(hmac::HMAC_SHA256, &first);
        [self.date.as_str(), &self.region, &self.service, family.terminator].iter().fold(
            start,
            |key, part| {
                hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
            },
        )
    }
}

/// The algorithm, the moment (`YYYYMMDDTHHMMSSZ`), the scope and the canonical request's digest.
pub(super) fn string_to_sign(
    family: &Family,
    moment: &str,
    scope: &Scope,
    canonical: &[u8],
) -> String {
    let digest = hex(digest::digest(&digest::SHA256, canonical).as_ref());
    format!("{}\n{moment}\n{}\n{digest}", family.algorithm, scope.text(family))
}

/// The signature of a canonical request, lower-case hexadecimal.
pub(super) fn sign(
    family: &Family,
    secret: &Secret<String>,
    moment: &str,
    scope: &Scope,
    canonical: &[u8],
) -> String {
    let text = string_to_sign(family, moment, scope, canonical);
    hex(hmac::sign(&scope.key(family, secret), text.as_bytes()).as_ref())
}

/// Reads `Name=value` parts that stand between commas, as in the `Authorization` headers of V4.
pub(super) fn part<'a>(parts: &'a str, name: &str) -> Option<&'a str> {
    parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}
