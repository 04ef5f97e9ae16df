//! Bytes that come after those that an object has.

use base::ApiError;
use store::{Tx, params};

use super::object::Object;
use super::{int, to_json};
use crate::blob::Extent;
use crate::blob::extent::{ROW_EXTENTS_MAX, pack, seal_of, unpack};

/// Stores further extents of a body, which begin at byte `at` of it. The last row is filled first, so that
/// many small pieces are few rows: what is read and written does not grow with the body.
pub(crate) fn extend_body(
    tx: &mut Tx<'_>,
    blob: i64,
    at: u64,
    extents: &[Extent],
) -> Result<(), ApiError> {
    let (mut start, mut rest) = (at, extents);
    let last = tx.query_opt(
        "SELECT start, size, extents, seal FROM oss_extent WHERE blob = ?1 ORDER BY start DESC LIMIT 1",
        params![blob],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<Vec<u8>>(2)?, row.get::<i64>(3)?)),
    )?;
    if let Some((row, size, packed, seal)) = last
        && seal == seal_of(extents)
    {
        let mut known = unpack(&packed, seal)?;
        let room = ROW_EXTENTS_MAX.saturating_sub(known.len());
        let (now, later) = extents.split_at(room.min(extents.len()));
        let added = plain(now);
        known.extend_from_slice(now);
        tx.execute(
            "UPDATE oss_extent SET size = ?3, extents = ?4 WHERE blob = ?1 AND start = ?2",
            params![blob, row, size.saturating_add(int(added)), &pack(&known)],
        )?;
        (start, rest) = (at + added, later);
    }
    for some in rest.chunks(ROW_EXTENTS_MAX) {
        let size = plain(some);
        tx.execute(
            "INSERT INTO oss_extent (blob, start, size, part, extents, seal)
             VALUES (?1, ?2, ?3, 0, ?4, ?5)",
            params![blob, int(start), int(size), &pack(some), seal_of(some)],
        )?;
        start += size;
    }
    tx.execute("UPDATE oss_blob SET size = ?2 WHERE id = ?1", params![blob, int(start)])?;
    Ok(())
}

fn plain(extents: &[Extent]) -> u64 {
    extents.iter().map(|extent| u64::from(extent.plain_len())).sum()
}

/// States what an object is now that bytes were appended to it: size, digests, time, how it is metered. Its body stays.
pub(crate) fn restate(tx: &mut Tx<'_>, bucket: i64, object: &Object) -> Result<(), ApiError> {
    let info = &object.info;
    tx.execute(
        "UPDATE oss_object SET size = ?3, md5 = ?4, crc64 = ?5, modified_at = ?6, attributes = ?7, facts = ?8
         WHERE bucket = ?1 AND key = ?2",
        params![
            bucket,
            info.key.as_bytes(),
            int(info.size),
            &info.etag.md5,
            info.crc64.cast_signed(),
            info.modified,
            &to_json(&info.attributes)?,
            &to_json(&info.facts)?
        ],
    )?;
    Ok(())
}
