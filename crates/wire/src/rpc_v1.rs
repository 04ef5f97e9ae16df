//! RPC signature version 1.0: HMAC over all parameters, itself a parameter. Terraform, the `aliyun`
//! command line and the older SDKs use it.
//!
//! It signs neither headers nor any body but a form, so [`crate::call`] believes only parameters.

#[cfg(test)]
mod tests;

use base::{ApiError, Secret, Time, code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::call::{Proof, Reading, Signed, algorithm, fresh, get, missing, nonce, tag};
use crate::query;

/// Reads the signature. `pairs` is all of query and form, decoded and sorted by name, each once.
pub(crate) fn read(
    method: &str,
    pairs: &[(String, String)],
    now: Time,
) -> Result<Signed, ApiError> {
    let named = |name| get(pairs, name).filter(|value| !value.is_empty());
    let mandatory = |name| named(name).ok_or_else(|| missing(name));
    let key_id = mandatory("AccessKeyId")?.to_owned();
    let signature = mandatory("Signature")?;
    // Private-key and other types; bearer tokens never come here. Present and empty is usual.
    if named("SignatureType").is_some()
        || named("SignatureVersion").is_some_and(|version| version != "1.0")
    {
        return Err(ApiError::new(&code::UNSUPPORTED_SIGNATURE));
    }
    let refs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(Signed {
        key_id,
        security_token: named("SecurityToken").map(str::to_owned),
        nonce: nonce("SignatureNonce", named("SignatureNonce"))?,
        date: fresh("Timestamp", named("Timestamp"), Time::parse_iso, now)?,
        proof: Proof {
            algorithm: algorithm(named("SignatureMethod"))?,
            key_suffix: "&",
            signature: STANDARD.decode(signature).unwrap_or_default(),
            readings: vec![Reading::plain(string_to_sign(method, refs))],
        },
    })
}

fn string_to_sign<'a>(method: &str, sorted: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let canonical = query::encode(sorted.filter(|(name, _)| *name != "Signature"));
    let mut out = String::with_capacity(canonical.len() * 3 / 2 + 16);
    out.push_str(method);
    out.push_str("&%2F&");
    query::push_encoded(&mut out, &canonical);
    out
}

/// The `Signature` parameter for a request that will carry `pairs` (all parameters of query and form
/// body, in any order). `SignatureMethod` among them chooses the algorithm.
///
/// Errors: `UnsupportedSignatureMethod`.
pub fn sign(
    method: &str,
    pairs: &[(&str, &str)],
    secret: &Secret<String>,
) -> Result<String, ApiError> {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let named = sorted.iter().find(|(name, _)| *name == "SignatureMethod").map(|(_, value)| *value);
    let to_sign = string_to_sign(method, sorted.iter().copied());
    Ok(STANDARD.encode(tag(algorithm(named)?, secret, "&", &to_sign)))
}
