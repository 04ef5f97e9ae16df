//! Objects: the current version of each key.

use std::ops::ControlFlow;

use base::ApiError;
use store::{Row, Tx, params};

use super::{damage, from_json, int, key, md5, own_acl, storage_class, to_json};
use crate::acl::AccessList;
use crate::blob::{Body, extent};
use crate::model::{Acl, Etag, Facts, ObjectInfo, Restored, StorageClass, Tags};

/// An object with where its body is.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) info: ObjectInfo,
    pub(crate) body: Body,
    /// Orders the versions of a key: larger is newer.
    pub(crate) ordinal: i64,
    /// 0 for the null version, else the ordinal.
    pub(crate) version: i64,
}

/// What [`read`] reads, but for the ordinal, which follows.
macro_rules! columns {
    () => {
        "key, modified_at, size, md5, parts, crc64, storage_class, owner, site, acl, attributes, tags, \
         extents, blob, facts, version, seal"
    };
}

pub(super) const COLUMNS: &str = columns!();

pub(super) fn read(row: &Row<'_>) -> Result<Object, ApiError> {
    let body = match row.get::<Option<i64>>(13)? {
        Some(blob) => Body::Blob(blob),
        None => Body::Inline(extent::unpack(row.blob(12)?, row.get(16)?)?),
    };
    let info = ObjectInfo {
        key: key(row.blob(0)?)?,
        modified: row.get(1)?,
        size: row.get(2)?,
        etag: Etag { md5: md5(row.blob(3)?)?, parts: row.get(4)? },
        crc64: row.get::<i64>(5)?.cast_unsigned(),
        storage_class: storage_class(row.text(6)?)?,
        owner: row.get(7)?,
        site: row.get(8)?,
        acl: own_acl(row.text(9)?)?,
        attributes: from_json(row.text(10)?)?,
        tags: from_json(row.text(11)?)?,
        facts: from_json(row.text(14)?)?,
        version: None,
    };
    Ok(Object { info, body, version: row.get(15)?, ordinal: row.get(17)? })
}

/// The object of that key.
pub(crate) fn find(tx: &mut Tx<'_>, bucket: i64, key: &str) -> Result<Option<Object>, ApiError> {
    // As that of buckets.
    const FIND: &str =
        concat!("SELECT ", columns!(), ", ordinal FROM oss_object WHERE bucket = ?1 AND key = ?2");
    tx.query_opt(FIND, params![bucket, key.as_bytes()], |row| Ok(read(row)))?.transpose()
}

/// Stores an object in place of the one before, whose damage is forgotten by [`replaced`].
pub(crate) fn put(tx: &mut Tx<'_>, bucket: i64, object: &Object) -> Result<(), ApiError> {
    let info = &object.info;
    let (extents, seal, blob) = match &object.body {
        Body::Inline(extents) => (extent::pack(extents), extent::seal_of(extents), None),
        // The rows of its extents say it.
        Body::Blob(blob) => (Vec::new(), 0, Some(*blob)),
    };
    tx.execute(
        "INSERT INTO oss_object (bucket, key, version, modified_at, size, md5, parts, crc64, storage_class, owner, site,
                                 acl, attributes, tags, extents, blob, facts, ordinal, seal, kind)
         VALUES (?1, ?2, ?17, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?18, ?19, ?20)
         ON CONFLICT (bucket, key) DO UPDATE SET version = excluded.version, modified_at = excluded.modified_at, size = excluded.size,
             md5 = excluded.md5, parts = excluded.parts, crc64 = excluded.crc64,
             storage_class = excluded.storage_class, owner = excluded.owner, site = excluded.site,
             acl = excluded.acl, attributes = excluded.attributes, tags = excluded.tags,
             extents = excluded.extents, blob = excluded.blob, facts = excluded.facts,
             ordinal = excluded.ordinal, seal = excluded.seal, kind = excluded.kind",
        params![
            bucket,
            info.key.as_bytes(),
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
            &extents,
            blob,
            &to_json(&info.facts)?,
            object.version,
            object.ordinal,
            seal,
            info.facts.kind.number()
        ],
    )?;
    Ok(())
}

/// Forgets what is about the body of an object that gets another one.
pub(crate) fn replaced(tx: &mut Tx<'_>, bucket: i64, key: &str) -> Result<(), ApiError> {
    damage::forget_object(tx, bucket, key)
}

/// Deletes an object.
pub(crate) fn delete(tx: &mut Tx<'_>, bucket: i64, key: &str) -> Result<(), ApiError> {
    damage::forget_object(tx, bucket, key)?;
    tx.execute(
        "DELETE FROM oss_object WHERE bucket = ?1 AND key = ?2",
        params![bucket, key.as_bytes()],
    )?;
    Ok(())
}

/// Changes the own ACL of a version, whether it is the current one or behind it.
pub(crate) fn set_acl(
    tx: &mut Tx<'_>,
    bucket: i64,
    object: &Object,
    list: AccessList,
) -> Result<(), ApiError> {
    set(tx, bucket, object, "acl", list.acl.map_or("", Acl::as_str))?;
    if list.grants == object.info.facts.grants {
        return Ok(());
    }
    let facts = Facts { grants: list.grants, ..object.info.facts.clone() };
    set(tx, bucket, object, "facts", &to_json(&facts)?)
}

/// Changes the tags of a version, as [`set_acl`].
pub(crate) fn set_tags(
    tx: &mut Tx<'_>,
    bucket: i64,
    object: &Object,
    tags: &Tags,
) -> Result<(), ApiError> {
    set(tx, bucket, object, "tags", &to_json(tags)?)
}

/// Changes what is known about a version, as [`set_acl`].
pub(crate) fn set_facts(
    tx: &mut Tx<'_>,
    bucket: i64,
    object: &Object,
    facts: &Facts,
) -> Result<(), ApiError> {
    set(tx, bucket, object, "facts", &to_json(facts)?)
}

/// Changes the class of a version, as [`set_acl`]. How it is metered stands in its facts.
pub(crate) fn set_class(
    tx: &mut Tx<'_>,
    bucket: i64,
    object: &Object,
    class: StorageClass,
) -> Result<(), ApiError> {
    set(tx, bucket, object, "storage_class", class.as_str())
}

fn set(
    tx: &mut Tx<'_>,
    bucket: i64,
    object: &Object,
    column: &'static str,
    value: &str,
) -> Result<(), ApiError> {
    let key = object.info.key.as_bytes();
    let current = tx.execute(
        &format!(
            "UPDATE oss_object SET {column} = ?3 WHERE bucket = ?1 AND key = ?2 AND ordinal = ?4"
        ),
        params![bucket, key, value, object.ordinal],
    )?;
    if current == 0 {
        tx.execute(
            &format!(
                "UPDATE oss_version SET {column} = ?3 WHERE bucket = ?1 AND key = ?2 AND age = ?4"
            ),
            params![bucket, key, value, -object.ordinal],
        )?;
    }
    Ok(())
}

/// True where the bucket has any object.
pub(crate) fn any(tx: &mut Tx<'_>, bucket: i64) -> Result<bool, ApiError> {
    let found = tx.query_opt(
        "SELECT 1 FROM oss_object WHERE bucket = ?1 LIMIT 1",
        params![bucket],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// One line of a listing.
pub(crate) const LISTED: &str = "key, modified_at, size, md5, parts, storage_class, kind";

/// The column behind those of a listing: few objects are archived, and nothing is read of the facts of others.
pub(super) const ARCHIVED: &str = "CASE WHEN storage_class IN ('Archive', 'ColdArchive', 'DeepColdArchive') THEN facts ELSE '' END";

/// What [`ARCHIVED`] says.
pub(crate) fn restored(facts: &str) -> Result<Option<Restored>, ApiError> {
    from_json::<Facts>(facts).map(|facts| facts.restored)
}

/// Shows the objects with keys from `from` (inclusive) to `until` (exclusive; `None` is without end),
/// in order, until `each` breaks off or `limit` is reached. The columns are [`LISTED`] and [`ARCHIVED`].
pub(crate) fn scan(
    tx: &mut Tx<'_>,
    bucket: i64,
    from: &[u8],
    until: Option<&[u8]>,
    limit: usize,
    each: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, store::Error>,
) -> Result<(), ApiError> {
    match until {
        Some(until) => tx.visit(
            &format!(
                "SELECT {LISTED}, {ARCHIVED} FROM oss_object WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4"
            ),
            params![bucket, from, until, limit],
            each,
        )?,
        None => tx.visit(
            &format!("SELECT {LISTED}, {ARCHIVED} FROM oss_object WHERE bucket = ?1 AND key >= ?2 ORDER BY key LIMIT ?3"),
            params![bucket, from, limit],
            each,
        )?,
    }
    Ok(())
}
