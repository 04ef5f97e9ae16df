//! Bodies too large for their object's row.

use base::ApiError;
use store::{Tx, params};

use super::{damaged, int};
use crate::blob::extent::{INLINE_EXTENTS_MAX, ROW_EXTENTS_MAX, pack, seal_of, unpack};
use crate::blob::{Body, Extent};

/// Up to 256 extents of a body.
#[derive(Clone, Debug)]
pub(crate) struct ExtentRow {
    pub(crate) start: i64,
    pub(crate) extents: Vec<Extent>,
}

/// Stores where a body is: inline where it is short, in rows of its own otherwise.
pub(crate) fn store(tx: &mut Tx<'_>, extents: &[Extent], size: u64) -> Result<Body, ApiError> {
    if extents.len() <= INLINE_EXTENTS_MAX {
        return Ok(Body::Inline(extents.to_vec()));
    }
    insert_rows(tx, extents, size, 0).map(Body::Blob)
}

/// Stores a body in rows of its own; `part` is the number of the part that it is.
pub(crate) fn insert_rows(
    tx: &mut Tx<'_>,
    extents: &[Extent],
    size: u64,
    part: u32,
) -> Result<i64, ApiError> {
    let blob = insert_blob(tx, size)?;
    let mut start = 0;
    for some in extents.chunks(ROW_EXTENTS_MAX) {
        let size: u64 = some.iter().map(|extent| u64::from(extent.plain_len())).sum();
        tx.execute(
            "INSERT INTO oss_extent (blob, start, size, part, extents, seal)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![blob, int(start), int(size), part, &pack(some), seal_of(some)],
        )?;
        start += size;
    }
    Ok(blob)
}

/// A number for a body.
pub(crate) fn insert_blob(tx: &mut Tx<'_>, size: u64) -> Result<i64, ApiError> {
    let id = tx.query_opt(
        "INSERT INTO oss_blob (size) VALUES (?1) RETURNING id",
        params![int(size)],
        |row| row.get(0),
    )?;
    id.ok_or_else(|| damaged("no number for a body"))
}

/// Moves the rows of a part into a larger body, where they begin at `start`.
pub(crate) fn move_rows(tx: &mut Tx<'_>, from: i64, to: i64, start: u64) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE oss_extent SET blob = ?2, start = start + ?3 WHERE blob = ?1",
        params![from, to, int(start)],
    )?;
    tx.execute("DELETE FROM oss_blob WHERE id = ?1", params![from])?;
    Ok(())
}

/// Rows of a body that reach beyond byte `from`, in order.
pub(crate) fn rows(
    tx: &mut Tx<'_>,
    blob: i64,
    from: u64,
    limit: usize,
) -> Result<Vec<ExtentRow>, ApiError> {
    // The row that holds byte `from` is the last one that begins at or before it.
    let rows = tx.query(
        "SELECT start, extents, seal FROM oss_extent WHERE blob = ?1 AND start >=
         COALESCE((SELECT MAX(start) FROM oss_extent WHERE blob = ?1 AND start <= ?2), 0)
         ORDER BY start LIMIT ?3",
        params![blob, int(from), limit],
        |row| Ok((row.get::<i64>(0)?, row.get::<Vec<u8>>(1)?, row.get::<i64>(2)?)),
    )?;
    rows.into_iter()
        .map(|(start, packed, seal)| Ok(ExtentRow { start, extents: unpack(&packed, seal)? }))
        .collect()
}

/// Deletes one row.
pub(crate) fn delete(tx: &mut Tx<'_>, blob: i64, start: i64) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_extent WHERE blob = ?1 AND start = ?2", params![blob, start])?;
    Ok(())
}

/// Deletes a body's number, once its rows are gone.
pub(crate) fn delete_blob(tx: &mut Tx<'_>, blob: i64) -> Result<(), ApiError> {
    super::attributes::delete(tx, blob)?;
    tx.execute("DELETE FROM oss_blob WHERE id = ?1", params![blob])?;
    Ok(())
}
