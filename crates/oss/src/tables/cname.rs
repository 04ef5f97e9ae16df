//! Host names that are bound to buckets.

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
