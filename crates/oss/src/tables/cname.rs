//! Host names that are bound to buckets, and the tokens by which their owners prove that they may be.

use base::{ApiError, Time};
use store::{Tx, params};

/// The name of the bucket that a host name is bound to.
pub(crate) fn bucket_of(tx: &mut Tx<'_>, host: &str) -> Result<Option<String>, ApiError> {
    Ok(tx.query_opt(
        "SELECT b.name FROM oss_cname c JOIN oss_bucket b ON b.id = c.bucket WHERE c.host = ?1",
        params![host],
        |row| row.get(0),
    )?)
}

/// Binds a host name that is not bound.
pub(crate) fn insert(tx: &mut Tx<'_>, host: &str, bucket: i64, now: Time) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_cname (host, bucket, bound_at) VALUES (?1, ?2, ?3)",
        params![host, bucket, now],
    )?;
    Ok(())
}

/// Unbinds a host name; false where it is not bound to this bucket.
pub(crate) fn delete(tx: &mut Tx<'_>, host: &str, bucket: i64) -> Result<bool, ApiError> {
    Ok(tx
        .execute("DELETE FROM oss_cname WHERE host = ?1 AND bucket = ?2", params![host, bucket])?
        > 0)
}

/// How many host names a bucket has.
pub(crate) fn count(tx: &mut Tx<'_>, bucket: i64) -> Result<u64, ApiError> {
    let count =
        tx.query_opt("SELECT COUNT(*) FROM oss_cname WHERE bucket = ?1", params![bucket], |row| {
            row.get(0)
        })?;
    Ok(count.unwrap_or(0))
}

/// A bucket's host names and since when they are bound, by name. There are never more than the skin
/// lets be bound.
pub(crate) fn list(tx: &mut Tx<'_>, bucket: i64) -> Result<Vec<(String, Time)>, ApiError> {
    Ok(tx.query(
        "SELECT host, bound_at FROM oss_cname WHERE bucket = ?1 ORDER BY host",
        params![bucket],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?)
}

/// What the owner of a host name is to put into its DNS.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) expires: Time,
}

/// A bucket's token for a host name, where there is one that has not expired.
pub(crate) fn token(
    tx: &mut Tx<'_>,
    bucket: i64,
    host: &str,
    now: Time,
) -> Result<Option<Token>, ApiError> {
    Ok(tx.query_opt(
        "SELECT token, expires_at FROM oss_cname_token WHERE bucket = ?1 AND host = ?2 AND expires_at > ?3",
        params![bucket, host, now],
        |row| Ok(Token { text: row.get(0)?, expires: row.get(1)? }),
    )?)
}

/// Keeps a token where there is none.
pub(crate) fn insert_token(
    tx: &mut Tx<'_>,
    bucket: i64,
    host: &str,
    token: &Token,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_cname_token (bucket, host, token, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![bucket, host, &token.text, token.expires],
    )?;
    Ok(())
}

/// How many tokens a bucket has.
pub(crate) fn count_tokens(tx: &mut Tx<'_>, bucket: i64) -> Result<u64, ApiError> {
    let count = tx.query_opt(
        "SELECT COUNT(*) FROM oss_cname_token WHERE bucket = ?1",
        params![bucket],
        |row| row.get(0),
    )?;
    Ok(count.unwrap_or(0))
}

/// Deletes a bucket's token for a host name; false where there is none.
pub(crate) fn forget_token(tx: &mut Tx<'_>, bucket: i64, host: &str) -> Result<bool, ApiError> {
    let sql = "DELETE FROM oss_cname_token WHERE bucket = ?1 AND host = ?2";
    Ok(tx.execute(sql, params![bucket, host])? > 0)
}

/// Deletes a bucket's tokens that have expired.
pub(crate) fn forget_expired(tx: &mut Tx<'_>, bucket: i64, now: Time) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM oss_cname_token WHERE bucket = ?1 AND expires_at <= ?2",
        params![bucket, now],
    )?;
    Ok(())
}

/// Unbinds a host name, whatever bucket has it.
pub(crate) fn unbind(tx: &mut Tx<'_>, host: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_cname WHERE host = ?1", params![host])?;
    Ok(())
}
