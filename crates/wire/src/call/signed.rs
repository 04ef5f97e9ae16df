//! What a signature claims, and its check once the secret is known. All three signature families
//! end here: they differ in the text that is signed, not in how a text is verified.

use std::fmt;
use std::time::Duration;

use base::{ApiError, Secret, Time, code};
use ring::hmac;

/// How far a signed date may be from the server's clock, either way.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Nonces are 32 or 64 hexadecimal digits or UUIDs in practice; the bound only keeps rows small.
const NONCE_CHARS_MAX: usize = 256;

/// A signature that was read but not yet verified.
#[derive(Clone)]
pub struct Signed {
    /// The access key id that it names.
    pub key_id: String,
    /// The STS token that came along.
    pub security_token: Option<String>,
    /// The client's nonce. Whether it is new is for the caller to know.
    pub nonce: String,
    /// The signed date, within [`WINDOW`] of the server's.
    pub date: Time,
    pub(crate) proof: Proof,
}

/// The signature itself and what it may have been made over.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) algorithm: hmac::Algorithm,
    /// What is appended to the secret to make the key (`&` in RPC V1).
    pub(crate) key_suffix: &'static str,
    /// The decoded signature; empty, which matches nothing, where it could not be decoded.
    pub(crate) signature: Vec<u8>,
    /// The text that was signed, first in the form that most clients use.
    pub(crate) readings: Vec<Reading>,
}

/// One reading of what the client signed.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) to_sign: String,
    /// What `to_sign` only holds the digest of, to tell the client; else empty.
    pub(crate) canonical: String,
}

impl Signed {
    /// Checks the signature with the key's secret, in constant time.
    ///
    /// Errors: `SignatureDoesNotMatch`, whose message ends in the text that the server would have
    /// signed; SDKs read it there.
    pub fn verify(&self, secret: &Secret<String>) -> Result<(), ApiError> {
        let Proof { algorithm, key_suffix, signature, readings } = &self.proof;
        let key = key(*algorithm, secret, key_suffix);
        if readings
            .iter()
            .any(|reading| hmac::verify(&key, reading.to_sign.as_bytes(), signature).is_ok())
        {
            return Ok(());
        }
        Err(self.mismatch())
    }

    fn mismatch(&self) -> ApiError {
        let mut message = format!("{} server string to sign is:", code::SIGNATURE_MISMATCH.message);
        if let Some(reading) = self.proof.readings.first() {
            message.push_str(&reading.to_sign);
            if !reading.canonical.is_empty() {
                message.push('\n');
                message.push_str(&reading.canonical);
            }
        }
        code::SIGNATURE_MISMATCH.error(message)
    }
}

/// Names the key and the date; the rest is credentials.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("key_id", &self.key_id)
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

impl Reading {
    /// A form whose signed text says everything itself.
    pub(crate) fn plain(to_sign: String) -> Self {
        Self { to_sign, canonical: String::new() }
    }
}

/// The HMAC of a text under a secret and its suffix.
pub(crate) fn tag(
    algorithm: hmac::Algorithm,
    secret: &Secret<String>,
    suffix: &str,
    text: &str,
) -> hmac::Tag {
    hmac::sign(&key(algorithm, secret, suffix), text.as_bytes())
}

fn key(algorithm: hmac::Algorithm, secret: &Secret<String>, suffix: &str) -> hmac::Key {
    if suffix.is_empty() {
        return hmac::Key::new(algorithm, secret.expose().as_bytes());
    }
    hmac::Key::new(algorithm, [secret.expose(), suffix].concat().as_bytes())
}

/// The algorithm that a V1 request names; SHA-1 where it names none.
pub(crate) fn algorithm(method: Option<&str>) -> Result<hmac::Algorithm, ApiError> {
    match method {
        None | Some("HMAC-SHA1") => Ok(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Some("HMAC-SHA256") => Ok(hmac::HMAC_SHA256),
        Some(_) => Err(ApiError::new(&code::UNSUPPORTED_SIGNATURE)),
    }
}

/// A date that was there, could be read and is not too far from `now`.
pub(crate) fn fresh(
    name: &str,
    text: Option<&str>,
    parse: fn(&str) -> Option<Time>,
    now: Time,
) -> Result<Time, ApiError> {
    let text = text.ok_or_else(|| missing(name))?;
    let date = parse(text).ok_or(&code::TIMESTAMP_FORMAT)?;
    if date.distance(now) > WINDOW {
        return Err(ApiError::new(&code::TIMESTAMP_EXPIRED));
    }
    Ok(date)
}

/// A nonce that was there and can be stored.
pub(crate) fn nonce(name: &str, text: Option<&str>) -> Result<String, ApiError> {
    let text = text.ok_or_else(|| missing(name))?;
    let short =
        !text.is_empty() && text.chars().take(NONCE_CHARS_MAX + 1).count() <= NONCE_CHARS_MAX;
    if !short || text.chars().any(char::is_control) {
        return Err(code::INVALID_PARAMETER
            .error(format!(
                "The specified parameter \"{name}\" is not valid: 1 to 256 printable characters."
            ))
            .suffix(name));
    }
    Ok(text.to_owned())
}

/// `MissingParameter`, in the words that clients know.
pub(crate) fn missing(name: &str) -> ApiError {
    code::MISSING_PARAMETER.error(format!(
        "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
    ))
}

/// `IncompleteSignature`, with what is wrong.
pub(crate) fn incomplete(what: &str) -> ApiError {
    code::INCOMPLETE_SIGNATURE.error(format!("{} Here {what}.", code::INCOMPLETE_SIGNATURE.message))
}
