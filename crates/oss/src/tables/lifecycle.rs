//! What the lifecycle's runner walks through, and how far it has come.

use base::{ApiError, Time};
use store::{Row, Tx, params};

use super::{from_json, key, storage_class};
use crate::model::{Facts, StorageClass, Tags};

/// A version of a key, current or not, as the rules look at it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) age: i64,
    pub(crate) version: i64,
    pub(crate) current: bool,
    pub(crate) marker: bool,
    pub(crate) modified: Time,
    /// When something newer came; of a current version, when it came itself.
    pub(crate) superseded: Time,
    pub(crate) size: u64,
    pub(crate) tags: Tags,
    pub(crate) storage_class: StorageClass,
    pub(crate) facts: Facts,
}

fn read(row: &Row<'_>) -> Result<Line, ApiError> {
    Ok(Line {
        key: key(row.blob(0)?)?,
        age: row.get(1)?,
        version: row.get(2)?,
        current: row.get::<i64>(3)? != 0,
        marker: row.get::<i64>(4)? != 0,
        modified: row.get(5)?,
        superseded: row.get(6)?,
        size: row.get(7)?,
        tags: from_json(row.text(8)?)?,
        storage_class: storage_class(row.text(9)?)?,
        facts: from_json(row.text(10)?)?,
    })
}

/// All versions of a bucket after (key, age), by key, the newest first.
pub(crate) fn versions(
    tx: &mut Tx<'_>,
    bucket: i64,
    (key, age): (&[u8], i64),
    limit: usize,
) -> Result<Vec<Line>, ApiError> {
    let rows = tx.query(
        "SELECT * FROM (SELECT key, -ordinal AS age, version, 1 AS is_current, 0 AS marker, modified_at,
                               modified_at AS superseded_at, size, tags, storage_class, facts
                        FROM oss_object WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR -ordinal > ?3)
                        ORDER BY key LIMIT ?4) AS seen
         UNION ALL
         SELECT * FROM (SELECT key, age, version, 0 AS is_current, marker, modified_at,
                               superseded_at, size, tags, storage_class, facts
                        FROM oss_version WHERE bucket = ?1 AND (key, age) > (?2, ?3)
                        ORDER BY key, age LIMIT ?4) AS older
         ORDER BY 1, 2 LIMIT ?4",
        params![bucket, key, age, limit],
        |row| Ok(read(row)),
    )?;
    rows.into_iter().collect()
}

/// How many versions and markers behind the current one are newer than that.
pub(crate) fn count_newer(
    tx: &mut Tx<'_>,
    bucket: i64,
    key: &str,
    age: i64,
) -> Result<u32, ApiError> {
    let count = tx.query_opt(
        "SELECT COUNT(*) FROM oss_version WHERE bucket = ?1 AND key = ?2 AND age < ?3",
        params![bucket, key.as_bytes(), age],
        |row| row.get::<i64>(0),
    )?;
    Ok(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX))
}

/// A bucket with rules whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) bucket: i64,
    pub(crate) name: String,
    /// The key at which the round that is under way goes on; empty where it begins.
    pub(crate) next_key: Vec<u8>,
}

/// The buckets above a number that have rules and whose last round ended by then.
pub(crate) fn due(
    tx: &mut Tx<'_>,
    above: i64,
    ended_by: Time,
    limit: usize,
) -> Result<Vec<Due>, ApiError> {
    Ok(tx.query(
        "SELECT b.id, b.name, r.next_key FROM oss_bucket_document d
         JOIN oss_bucket b ON b.id = d.bucket LEFT JOIN oss_lifecycle_round r ON r.bucket = b.id
         WHERE d.name = 'lifecycle' AND b.id > ?1 AND (r.bucket IS NULL OR r.ended_at <= ?2)
         ORDER BY b.id LIMIT ?3",
        params![above, ended_by, limit],
        |row| {
            let next_key: Option<Vec<u8>> = row.get(2)?;
            let next_key = next_key.unwrap_or_default();
            Ok(Due { bucket: row.get(0)?, name: row.get(1)?, next_key })
        },
    )?)
}

/// Notes at which key a round goes on.
pub(crate) fn note(tx: &mut Tx<'_>, bucket: i64, next_key: &[u8]) -> Result<(), ApiError> {
    let zero = Time::default();
    set(tx, bucket, (next_key, zero), "next_key = excluded.next_key")
}

/// Notes that a round has come to its end.
pub(crate) fn end(tx: &mut Tx<'_>, bucket: i64, now: Time) -> Result<(), ApiError> {
    set(tx, bucket, (b"", now), "ended_at = excluded.ended_at, next_key = excluded.next_key")
}

fn set(
    tx: &mut Tx<'_>,
    bucket: i64,
    (next_key, ended_at): (&[u8], Time),
    update: &'static str,
) -> Result<(), ApiError> {
    let found =
        tx.query_opt("SELECT 1 FROM oss_bucket WHERE id = ?1", params![bucket], |_| Ok(()))?;
    if found.is_none() {
        return Ok(()); // It was deleted while it was looked through.
    }
    tx.execute(
        &format!(
            "INSERT INTO oss_lifecycle_round (bucket, ended_at, next_key) VALUES (?1, ?2, ?3)
             ON CONFLICT (bucket) DO UPDATE SET {update}"
        ),
        params![bucket, ended_at, next_key],
    )?;
    Ok(())
}
