//! Multipart uploads under way and their parts.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

use super::{damage, damaged, from_json, int, key, md5, own_acl, storage_class, to_json};
use crate::digest::{Algorithm, Checksum, Coverage};
use crate::model::{Acl, Attributes, Facts, StorageClass, Tags};

/// An upload under way.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) created: Time,
    pub(crate) storage_class: StorageClass,
    pub(crate) site: String,
    pub(crate) acl: Option<Acl>,
    pub(crate) attributes: Attributes,
    pub(crate) tags: Tags,
    pub(crate) facts: Facts,
    /// Whose the object is to be; 0 for the bucket's owner.
    pub(crate) owner: AccountId,
    pub(crate) checksum: Option<(Algorithm, Coverage)>,
}

const COLUMNS: &str =
    "id, key, created_at, storage_class, site, acl, attributes, tags, checksum, facts, owner";

fn read(row: &Row<'_>) -> Result<Upload, ApiError> {
    Ok(Upload {
        id: row.get(0)?,
        key: key(row.blob(1)?)?,
        created: row.get(2)?,
        storage_class: storage_class(row.text(3)?)?,
        site: row.get(4)?,
        acl: own_acl(row.text(5)?)?,
        attributes: from_json(row.text(6)?)?,
        tags: from_json(row.text(7)?)?,
        checksum: read_checksum(row.text(8)?)?,
        facts: from_json(row.text(9)?)?,
        owner: row.get(10)?,
    })
}

/// `CRC32C FULL_OBJECT`, or empty.
fn write_checksum(checksum: Option<(Algorithm, Coverage)>) -> String {
    match checksum {
        None => String::new(),
        Some((algorithm, Coverage::FullObject)) => format!("{} FULL_OBJECT", algorithm.name()),
        Some((algorithm, Coverage::Composite)) => format!("{} COMPOSITE", algorithm.name()),
    }
}

fn read_checksum(text: &str) -> Result<Option<(Algorithm, Coverage)>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let (name, coverage) = text.split_once(' ').ok_or_else(|| damaged("checksum"))?;
    let algorithm = Algorithm::from_name(name).ok_or_else(|| damaged("checksum"))?;
    let coverage =
        if coverage == "FULL_OBJECT" { Coverage::FullObject } else { Coverage::Composite };
    Ok(Some((algorithm, coverage)))
}

/// Begins an upload.
pub(crate) fn insert(tx: &mut Tx<'_>, bucket: i64, upload: &Upload) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_upload (id, bucket, key, created_at, storage_class, site, acl, attributes, tags, checksum, facts, owner)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            &upload.id,
            bucket,
            upload.key.as_bytes(),
            upload.created,
            upload.storage_class.as_str(),
            &upload.site,
            upload.acl.map_or("", Acl::as_str),
            &to_json(&upload.attributes)?,
            &to_json(&upload.tags)?,
            &write_checksum(upload.checksum),
            &to_json(&upload.facts)?,
            upload.owner
        ],
    )?;
    Ok(())
}

/// The upload of that id, bucket and key.
pub(crate) fn find(
    tx: &mut Tx<'_>,
    bucket: i64,
    key: &str,
    id: &str,
) -> Result<Option<Upload>, ApiError> {
    tx.query_opt(
        &format!("SELECT {COLUMNS} FROM oss_upload WHERE id = ?1 AND bucket = ?2 AND key = ?3"),
        params![id, bucket, key.as_bytes()],
        |row| Ok(read(row)),
    )?
    .transpose()
}

/// Ends an upload. Its parts are gone before.
pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_upload WHERE id = ?1", params![id])?;
    Ok(())
}

/// A bucket's uploads after (key, id), by key and age.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    bucket: i64,
    from: &[u8],
    after: (&[u8], &str),
    limit: usize,
) -> Result<Vec<Upload>, ApiError> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS} FROM oss_upload WHERE bucket = ?1 AND key >= ?2 AND (key, id) > (?3, ?4)
             ORDER BY key, id LIMIT ?5"
        ),
        params![bucket, from, after.0, after.1, limit],
        |row| Ok(read(row)),
    )?;
    rows.into_iter().collect()
}

/// True where the bucket has any upload under way.
pub(crate) fn any(tx: &mut Tx<'_>, bucket: i64) -> Result<bool, ApiError> {
    let found = tx.query_opt(
        "SELECT 1 FROM oss_upload WHERE bucket = ?1 LIMIT 1",
        params![bucket],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// A part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) modified: Time,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) crc64: u64,
    pub(crate) checksums: Vec<Checksum>,
    pub(crate) blob: i64,
}

fn read_part(row: &Row<'_>) -> Result<Part, ApiError> {
    Ok(Part {
        number: row.get(0)?,
        modified: row.get(1)?,
        size: row.get(2)?,
        md5: md5(row.blob(3)?)?,
        crc64: row.get::<i64>(4)?.cast_unsigned(),
        checksums: from_json(row.text(5)?)?,
        blob: row.get(6)?,
    })
}

const PART_COLUMNS: &str = "number, modified_at, size, md5, crc64, checksums, blob";

/// Stores a part in place of the one before.
pub(crate) fn put_part(tx: &mut Tx<'_>, upload: &str, part: &Part) -> Result<(), ApiError> {
    damage::forget_part(tx, upload, part.number)?;
    tx.execute(
        "INSERT INTO oss_part (upload, number, modified_at, size, md5, crc64, checksums, blob)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (upload, number) DO UPDATE SET modified_at = excluded.modified_at, size = excluded.size,
             md5 = excluded.md5, crc64 = excluded.crc64, checksums = excluded.checksums, blob = excluded.blob",
        params![
            upload,
            part.number,
            part.modified,
            int(part.size),
            &part.md5,
            part.crc64.cast_signed(),
            &to_json(&part.checksums)?,
            part.blob
        ],
    )?;
    Ok(())
}

/// The part of that number.
pub(crate) fn part(tx: &mut Tx<'_>, upload: &str, number: u32) -> Result<Option<Part>, ApiError> {
    tx.query_opt(
        &format!("SELECT {PART_COLUMNS} FROM oss_part WHERE upload = ?1 AND number = ?2"),
        params![upload, number],
        |row| Ok(read_part(row)),
    )?
    .transpose()
}

/// Parts with numbers above `after`, in order.
pub(crate) fn parts(
    tx: &mut Tx<'_>,
    upload: &str,
    after: u32,
    limit: usize,
) -> Result<Vec<Part>, ApiError> {
    let rows = tx.query(
        &format!("SELECT {PART_COLUMNS} FROM oss_part WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3"),
        params![upload, after, limit],
        |row| Ok(read_part(row)),
    )?;
    rows.into_iter().collect()
}

/// Deletes the rows of all parts.
pub(crate) fn delete_parts(tx: &mut Tx<'_>, upload: &str) -> Result<(), ApiError> {
    damage::forget_upload(tx, upload)?;
    tx.execute("DELETE FROM oss_part WHERE upload = ?1", params![upload])?;
    Ok(())
}
