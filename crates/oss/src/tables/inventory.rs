//! Inventories of buckets: what they are to be, and the rows that their reports are written from.

use std::ops::ControlFlow;

use base::{ApiError, Time};
use store::{Row, Tx, params};

use super::{from_json, key, md5, storage_class};
use crate::model::{Etag, Facts, StorageClass};

/// One line of a report: an object, an older version or a delete marker.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    /// Orders the versions of a key; larger is newer.
    pub(crate) ordinal: i64,
    /// The number of the version, 0 for the null version.
    pub(crate) version: i64,
    pub(crate) marker: bool,
    /// True where there is no current object of the key.
    pub(crate) bare: bool,
    pub(crate) modified: Time,
    pub(crate) size: u64,
    pub(crate) etag: Etag,
    pub(crate) class: StorageClass,
    pub(crate) facts: Facts,
}

fn read(row: &Row<'_>) -> Result<Result<Line, ApiError>, store::Error> {
    let name = key(&row.get::<Vec<u8>>(0)?);
    let digest = md5(&row.get::<Vec<u8>>(7)?);
    let class = storage_class(row.text(9)?);
    let facts = from_json(row.text(10)?);
    let (ordinal, version, marker, bare) =
        (row.get(1)?, row.get(2)?, row.get::<i64>(3)? != 0, row.get::<i64>(4)? != 0);
    let (modified, size, parts) = (row.get(5)?, row.get(6)?, row.get(8)?);
    let line = || {
        Ok(Line {
            key: name?,
            ordinal,
            version,
            marker,
            bare,
            modified,
            size,
            etag: Etag { md5: digest?, parts },
            class: class?,
            facts: facts?,
        })
    };
    Ok(line())
}

/// The current objects of a bucket after a version of a key, in the order of keys.
pub(crate) fn objects(
    tx: &mut Tx<'_>,
    bucket: i64,
    (after, ordinal): (&str, i64),
    limit: usize,
) -> Result<Vec<Line>, ApiError> {
    let rows = tx.query(
        "SELECT key, ordinal, version, CAST(0 AS BIGINT), CAST(0 AS BIGINT), modified_at, size, md5, parts, storage_class, facts
         FROM oss_object WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR ordinal < ?3)
         ORDER BY key LIMIT ?4",
        params![bucket, after.as_bytes(), ordinal, limit],
        read,
    )?;
    rows.into_iter().collect()
}

/// What is behind the current objects, after a version of a key: in the order of keys, newest first.
pub(crate) fn versions(
    tx: &mut Tx<'_>,
    bucket: i64,
    (after, ordinal): (&str, i64),
    limit: usize,
) -> Result<Vec<Line>, ApiError> {
    let mut lines = Vec::new();
    let mut wrong = None;
    tx.visit(
        "SELECT v.key, -v.age, v.version, v.marker, CAST(CASE WHEN o.key IS NULL THEN 1 ELSE 0 END AS BIGINT), v.modified_at, v.size,
         v.md5, v.parts, v.storage_class, v.facts
         FROM oss_version v LEFT JOIN oss_object o ON o.bucket = v.bucket AND o.key = v.key
         WHERE v.bucket = ?1 AND v.key >= ?2 AND (v.key > ?2 OR v.age > ?3) ORDER BY v.key, v.age LIMIT ?4",
        params![bucket, after.as_bytes(), -ordinal, limit],
        |row| {
            match read(row)? {
                Ok(line) => lines.push(line),
                Err(damaged) => {
                    wrong = Some(damaged);
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    wrong.map_or(Ok(lines), Err)
}

/// An inventory's document.
pub(crate) fn find(tx: &mut Tx<'_>, bucket: i64, id: &str) -> Result<Option<String>, ApiError> {
    Ok(tx.query_opt(
        "SELECT document FROM oss_inventory WHERE bucket = ?1 AND id = ?2",
        params![bucket, id],
        |row| row.get(0),
    )?)
}

/// How many inventories a bucket has.
pub(crate) fn count(tx: &mut Tx<'_>, bucket: i64) -> Result<u64, ApiError> {
    let count = tx.query_opt(
        "SELECT COUNT(*) FROM oss_inventory WHERE bucket = ?1",
        params![bucket],
        |row| row.get(0),
    )?;
    Ok(count.unwrap_or(0))
}

/// The documents of a bucket's inventories after an id, with their ids, by id.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    bucket: i64,
    after: &str,
    limit: usize,
) -> Result<Vec<(String, String)>, ApiError> {
    Ok(tx.query(
        "SELECT id, document FROM oss_inventory WHERE bucket = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        params![bucket, after, limit],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?)
}

/// Stores an inventory's document, in place of the one before, which leaves its next report when it was.
pub(crate) fn set(
    tx: &mut Tx<'_>,
    bucket: i64,
    id: &str,
    document: &str,
    due: Time,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_inventory (bucket, id, due_at, document) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (bucket, id) DO UPDATE SET document = excluded.document",
        params![bucket, id, due, document],
    )?;
    Ok(())
}

/// Deletes an inventory; false where there is none.
pub(crate) fn delete(tx: &mut Tx<'_>, bucket: i64, id: &str) -> Result<bool, ApiError> {
    let deleted =
        tx.execute("DELETE FROM oss_inventory WHERE bucket = ?1 AND id = ?2", params![bucket, id])?;
    Ok(deleted > 0)
}

/// An inventory whose report is due, by the bucket's name.
pub(crate) struct Due {
    pub(crate) bucket: String,
    pub(crate) id: String,
    pub(crate) document: String,
}

/// The inventory that has been due the longest.
pub(crate) fn due(tx: &mut Tx<'_>, now: Time) -> Result<Option<Due>, ApiError> {
    Ok(tx.query_opt(
        "SELECT b.name, i.id, i.document FROM oss_inventory i JOIN oss_bucket b ON b.id = i.bucket
         WHERE i.due_at <= ?1 ORDER BY i.due_at LIMIT 1",
        params![now],
        |row| Ok(Due { bucket: row.get(0)?, id: row.get(1)?, document: row.get(2)? }),
    )?)
}

/// Sets when the next report of an inventory is due; false where it was another's turn meanwhile.
pub(crate) fn put_off(
    tx: &mut Tx<'_>,
    bucket: i64,
    id: &str,
    now: Time,
    due: Time,
) -> Result<bool, ApiError> {
    let changed = tx.execute(
        "UPDATE oss_inventory SET due_at = ?4 WHERE bucket = ?1 AND id = ?2 AND due_at <= ?3",
        params![bucket, id, now, due],
    )?;
    Ok(changed > 0)
}
