//! What is behind the current version of each key: older versions and delete markers. The newest of a key
//! comes first.

use base::{ApiError, Time};
use store::{Row, Tx, params};

use super::object::{ARCHIVED, COLUMNS, Object, read as read_object, restored};
use super::{damage, int, key, md5, storage_class, to_json};
use crate::blob::{Body, extent};
use crate::model::{Acl, Etag, Restored, StorageClass, VersionId};

/// A version that is not the current one.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// The object; of a delete marker, one without a body.
    pub(crate) object: Object,
    pub(crate) marker: bool,
}

fn read(row: &Row<'_>) -> Result<Version, ApiError> {
    Ok(Version { object: read_object(row)?, marker: row.get::<i64>(18)? != 0 })
}

/// The version of that id, if it is behind the current one.
pub(crate) fn find(
    tx: &mut Tx<'_>,
    bucket: i64,
    key: &str,
    id: VersionId,
) -> Result<Option<Version>, ApiError> {
    // The literal 0 is what the index of null versions is made for.
    let (which, age) = if id.is_null() {
        ("version = 0 AND age <= ?3", i64::MAX)
    } else {
        ("age = ?3", -id.number())
    };
    let sql = format!(
        "SELECT {COLUMNS}, -age, marker FROM oss_version WHERE bucket = ?1 AND key = ?2 AND {which}"
    );
    let found = tx
        .query_opt(&sql, params![bucket, key.as_bytes(), age], |row| Ok(read(row)))?
        .transpose()?;
    Ok(found.filter(|found| found.object.version == id.number()))
}

/// The version of that age, or marker.
pub(crate) fn of_age(
    tx: &mut Tx<'_>,
    bucket: i64,
    key: &str,
    age: i64,
) -> Result<Option<Version>, ApiError> {
    tx.query_opt(
        &format!(
            "SELECT {COLUMNS}, -age, marker FROM oss_version WHERE bucket = ?1 AND key = ?2 AND age = ?3"
        ),
        params![bucket, key.as_bytes(), age],
        |row| Ok(read(row)),
    )?
    .transpose()
}

/// The newest version behind the current one.
pub(crate) fn newest(tx: &mut Tx<'_>, bucket: i64, key: &str) -> Result<Option<Version>, ApiError> {
    tx.query_opt(
        &format!(
            "SELECT {COLUMNS}, -age, marker FROM oss_version WHERE bucket = ?1 AND key = ?2 ORDER BY age LIMIT 1"
        ),
        params![bucket, key.as_bytes()],
        |row| Ok(read(row)),
    )?
    .transpose()
}

/// Puts a version behind what comes `now`; or a delete marker before all others.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    bucket: i64,
    Version { object, marker }: &Version,
    now: Time,
) -> Result<(), ApiError> {
    let info = &object.info;
    let (extents, seal, blob) = match &object.body {
        Body::Inline(extents) => (extent::pack(extents), extent::seal_of(extents), None),
        // The rows of its extents say it.
        Body::Blob(blob) => (Vec::new(), 0, Some(*blob)),
    };
    tx.execute(
        "INSERT INTO oss_version (bucket, key, age, version, marker, superseded_at, modified_at, size, md5, parts,
             crc64, storage_class, owner, site, acl, attributes, tags, facts, extents, blob, seal, kind)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
        params![
            bucket,
            info.key.as_bytes(),
            -object.ordinal,
            object.version,
            i64::from(*marker),
            now,
            info.modified,
            int(info.size),
            &info.etag.md5,
            info.etag.parts,
            info.crc64.cast_signed(),
            info.storage_class.as_str(),
            info.owner,
            &info.site,
            info.acl.map_or("", Acl::as_str),
            &to_json(&info.attributes)?,
            &to_json(&info.tags)?,
            &to_json(&info.facts)?,
            &extents,
            blob,
            seal,
            info.facts.kind.number()
        ],
    )?;
    if *marker {
        return Ok(());
    }
    damage::move_behind(tx, bucket, &info.key, -object.ordinal)
}

/// Deletes the row of a version.
pub(crate) fn delete(tx: &mut Tx<'_>, bucket: i64, object: &Object) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM oss_version WHERE bucket = ?1 AND key = ?2 AND age = ?3",
        params![bucket, object.info.key.as_bytes(), -object.ordinal],
    )?;
    damage::forget_version(tx, bucket, &object.info.key, -object.ordinal)
}

/// True where the bucket has any version behind a current one, or any delete marker.
pub(crate) fn any(tx: &mut Tx<'_>, bucket: i64) -> Result<bool, ApiError> {
    let found = tx.query_opt(
        "SELECT 1 FROM oss_version WHERE bucket = ?1 LIMIT 1",
        params![bucket],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// A row of a listing of versions.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) modified: Time,
    pub(crate) size: u64,
    pub(crate) etag: Etag,
    pub(crate) storage_class: StorageClass,
    pub(crate) version: VersionId,
    pub(crate) age: i64,
    pub(crate) marker: bool,
    pub(crate) kind: i64,
    pub(crate) restored: Option<Restored>,
}

fn read_line(row: &Row<'_>) -> Result<Line, ApiError> {
    Ok(Line {
        key: key(row.blob(0)?)?,
        modified: row.get(1)?,
        size: row.get(2)?,
        etag: Etag { md5: md5(row.blob(3)?)?, parts: row.get(4)? },
        storage_class: storage_class(row.text(5)?)?,
        version: VersionId::of(row.get(6)?),
        age: row.get(7)?,
        marker: row.get::<i64>(8)? != 0,
        kind: row.get(9)?,
        restored: restored(row.text(10)?)?,
    })
}

/// All versions of a bucket after (key, age), current and not, by key, the newest first. Each of the two
/// tables is read no further than `limit` rows.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    bucket: i64,
    (key, age): (&[u8], i64),
    limit: usize,
) -> Result<Vec<Line>, ApiError> {
    let rows = tx.query(
        &format!("SELECT * FROM (SELECT key, modified_at, size, md5, parts, storage_class, version, -ordinal AS age, 0 AS marker, kind, {ARCHIVED} AS archived
                        FROM oss_object WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR -ordinal > ?3)
                        ORDER BY key LIMIT ?4) AS current
         UNION ALL
         SELECT * FROM (SELECT key, modified_at, size, md5, parts, storage_class, version, age, marker, kind, {ARCHIVED} AS archived
                        FROM oss_version WHERE bucket = ?1 AND (key, age) > (?2, ?3)
                        ORDER BY key, age LIMIT ?4) AS older
         ORDER BY 1, 8 LIMIT ?4"),
        params![bucket, key, age, limit],
        |row| Ok(read_line(row)),
    )?;
    rows.into_iter().collect()
}
