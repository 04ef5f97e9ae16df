//! What the cloud says in public beside commitments: facts in leaves, and documents that leaves name.

use base::ApiError;
use store::{Tx, params};

/// Facts of one leaf, in the order in which they were stated.
pub type Facts = serde_json::Map<String, serde_json::Value>;

/// As an audit row keeps them.
pub(crate) fn text(facts: &Facts) -> String {
    if facts.is_empty() {
        return String::new();
    }
    serde_json::to_string(facts).expect("a map of JSON values has a JSON text")
}

/// Keeps a document under its SHA-256; the same bytes twice are one document.
pub(crate) fn insert(tx: &mut Tx<'_>, body: &[u8]) -> Result<String, ApiError> {
    let digest = terms::canonical::sha256(body);
    tx.execute(
        "INSERT INTO public_document (digest, body) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING",
        params![&digest, body],
    )?;
    Ok(digest)
}

/// The public document of that SHA-256 (lower-case hexadecimal).
pub fn find(tx: &mut Tx<'_>, digest: &str) -> Result<Option<Vec<u8>>, ApiError> {
    let sql = "SELECT body FROM public_document WHERE digest = ?1";
    Ok(tx.query_opt(sql, params![digest], |row| row.get(0))?)
}
