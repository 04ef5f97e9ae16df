//! What the scrub walks through, and the damage that it found.

use base::{ApiError, Time};
use store::{Tx, params};

use super::{damaged, key, object, upload, version};
use crate::blob::extent::unpack;
use crate::blob::{Body, Extent};
use crate::model::Damage;

/// What has a body: an object, or a part of an upload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) bucket: i64,
    pub(crate) key: Vec<u8>,
    /// The upload's id; the age of a version behind the current one; empty for an object.
    pub(crate) version: String,
    /// The part's number; 0 for an object.
    pub(crate) part: u32,
}

/// Rows that refer to bodies.
pub(crate) struct Source {
    /// The places after one, in order.
    pub(crate) after: fn(&mut Tx<'_>, &Place, usize) -> Result<Vec<Place>, ApiError>,
    /// The body at a place; an error where its row does not read.
    pub(crate) body: fn(&mut Tx<'_>, &Place) -> Result<Option<Body>, ApiError>,
}

/// All of them. A row that is in none of these is never scrubbed.
pub(crate) static SOURCES: [Source; 3] = [
    Source { after: objects, body: object_body },
    Source { after: versions, body: version_body },
    Source { after: parts, body: part_body },
];

fn objects(tx: &mut Tx<'_>, after: &Place, limit: usize) -> Result<Vec<Place>, ApiError> {
    Ok(tx.query(
        "SELECT bucket, key FROM oss_object WHERE (bucket, key) > (?1, ?2) ORDER BY bucket, key LIMIT ?3",
        params![after.bucket, after.key.as_slice(), limit],
        |row| Ok(Place { bucket: row.get(0)?, key: row.get(1)?, ..Place::default() }),
    )?)
}

fn object_body(tx: &mut Tx<'_>, place: &Place) -> Result<Option<Body>, ApiError> {
    Ok(object::find(tx, place.bucket, &key(&place.key)?)?.map(|object| object.body))
}

/// The age of a version, as a place names it.
fn age(place: &Place) -> i64 {
    place.version.parse().unwrap_or(i64::MIN)
}

fn versions(tx: &mut Tx<'_>, after: &Place, limit: usize) -> Result<Vec<Place>, ApiError> {
    Ok(tx.query(
        "SELECT bucket, key, age FROM oss_version WHERE (bucket, key, age) > (?1, ?2, ?3) AND marker = 0
         ORDER BY bucket, key, age LIMIT ?4",
        params![after.bucket, after.key.as_slice(), age(after), limit],
        |row| {
            let version = row.get::<i64>(2)?.to_string();
            Ok(Place { bucket: row.get(0)?, key: row.get(1)?, version, part: 0 })
        },
    )?)
}

fn version_body(tx: &mut Tx<'_>, place: &Place) -> Result<Option<Body>, ApiError> {
    let found = version::of_age(tx, place.bucket, &key(&place.key)?, age(place))?;
    Ok(found.map(|version| version.object.body))
}

fn parts(tx: &mut Tx<'_>, after: &Place, limit: usize) -> Result<Vec<Place>, ApiError> {
    Ok(tx.query(
        "SELECT bucket, key, upload, number FROM oss_part JOIN oss_upload ON id = upload
         WHERE (upload, number) > (?1, ?2) ORDER BY upload, number LIMIT ?3",
        params![&after.version, after.part, limit],
        |row| {
            let (bucket, key) = (row.get(0)?, row.get(1)?);
            Ok(Place { bucket, key, version: row.get(2)?, part: row.get(3)? })
        },
    )?)
}

fn part_body(tx: &mut Tx<'_>, place: &Place) -> Result<Option<Body>, ApiError> {
    Ok(upload::part(tx, &place.version, place.part)?.map(|part| Body::Blob(part.blob)))
}

/// Extents of a body after the row that begins at `after`, one row at a time, with where it begins.
pub(crate) fn extents(
    tx: &mut Tx<'_>,
    blob: i64,
    after: i64,
) -> Result<Option<(i64, Vec<Extent>)>, ApiError> {
    let row = tx.query_opt(
        "SELECT start, extents, seal FROM oss_extent WHERE blob = ?1 AND start > ?2 ORDER BY start LIMIT 1",
        params![blob, after],
        |row| Ok((row.get::<i64>(0)?, unpack(row.blob(1)?, row.get(2)?))),
    )?;
    row.map(|(start, extents)| Ok((start, extents?))).transpose()
}

/// Notes that nobody has these bytes; where that is known, that it is still so.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    place: &Place,
    (segment, start, length): (u32, u32, u32),
    now: Time,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_damage (bucket, key, version, part, segment, start, length, found_at, seen_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
         ON CONFLICT (bucket, key, version, part, segment, start)
         DO UPDATE SET length = excluded.length, seen_at = excluded.seen_at",
        params![
            place.bucket,
            place.key.as_slice(),
            &place.version,
            place.part,
            segment,
            start,
            length,
            now
        ],
    )?;
    Ok(())
}

/// Forgets what was last seen before a round that has ended.
pub(crate) fn forget_before(tx: &mut Tx<'_>, begun: Time) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_damage WHERE seen_at < ?1", params![begun])?;
    Ok(())
}

/// Forgets that of an object that is no more, or has another body.
pub(crate) fn forget_object(tx: &mut Tx<'_>, bucket: i64, key: &str) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM oss_damage WHERE bucket = ?1 AND key = ?2 AND version = ''",
        params![bucket, key.as_bytes()],
    )?;
    Ok(())
}

/// Keeps the damage of an object whose body goes behind a newer one, as that of the version of this age.
pub(crate) fn move_behind(
    tx: &mut Tx<'_>,
    bucket: i64,
    key: &str,
    age: i64,
) -> Result<(), ApiError> {
    rename(tx, (bucket, key), "", &age.to_string())
}

/// Keeps the damage of a version that becomes the current one.
pub(crate) fn move_ahead(
    tx: &mut Tx<'_>,
    bucket: i64,
    key: &str,
    age: i64,
) -> Result<(), ApiError> {
    rename(tx, (bucket, key), &age.to_string(), "")
}

fn rename(
    tx: &mut Tx<'_>,
    (bucket, key): (i64, &str),
    old: &str,
    new: &str,
) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE oss_damage SET version = ?4 WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        params![bucket, key.as_bytes(), old, new],
    )?;
    Ok(())
}

/// Forgets that of a version behind the current one that is no more.
pub(crate) fn forget_version(
    tx: &mut Tx<'_>,
    bucket: i64,
    key: &str,
    age: i64,
) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM oss_damage WHERE bucket = ?1 AND key = ?2 AND version = ?3",
        params![bucket, key.as_bytes(), &age.to_string()],
    )?;
    Ok(())
}

/// Forgets that of a part that has another body.
pub(crate) fn forget_part(tx: &mut Tx<'_>, upload: &str, part: u32) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_damage WHERE version = ?1 AND part = ?2", params![upload, part])?;
    Ok(())
}

/// Forgets that of the parts of an upload that has ended.
pub(crate) fn forget_upload(tx: &mut Tx<'_>, upload: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_damage WHERE version = ?1", params![upload])?;
    Ok(())
}

/// The name of a bucket by its number.
pub(crate) fn bucket_name(tx: &mut Tx<'_>, bucket: i64) -> Result<String, ApiError> {
    let name =
        tx.query_opt("SELECT name FROM oss_bucket WHERE id = ?1", params![bucket], |row| {
            row.get(0)
        })?;
    name.ok_or_else(|| damaged("an object without a bucket"))
}

/// What is damaged, by bucket and key.
pub(crate) fn list(tx: &mut Tx<'_>, limit: usize) -> Result<Vec<Damage>, ApiError> {
    Ok(tx.query(
        "SELECT name, key, version, part, segment, start, length, found_at
         FROM oss_damage JOIN oss_bucket ON id = bucket
         ORDER BY bucket, key, version, part, segment, start LIMIT ?1",
        params![limit],
        |row| {
            Ok(Damage {
                bucket: row.get(0)?,
                key: String::from_utf8_lossy(row.blob(1)?).into_owned(),
                upload: row.get(2)?,
                part: row.get(3)?,
                segment: row.get(4)?,
                start: row.get(5)?,
                length: row.get(6)?,
                found_at: row.get(7)?,
            })
        },
    )?)
}
