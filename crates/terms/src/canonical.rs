//! The one byte form of a document, RFC 8785 (JSON Canonicalization Scheme), and its digest.

use base::text::hex;
use ring::digest::{SHA256, digest};
use serde::Serialize;

/// The canonical bytes.
///
/// # Errors
/// Where the value has no JSON form (a map with keys that are not text, a number that is not finite).
pub fn bytes(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(value)
}

/// SHA-256 of some bytes, lower-case hexadecimal: how public documents are named.
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
