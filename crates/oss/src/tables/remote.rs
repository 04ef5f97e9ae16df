//! Copies of segments in backends, and what is garbage there.

use base::ApiError;
use store::{Tx, params};

use super::int;

/// A backend as it was first seen.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    /// The data centre that it stands in.
    pub(crate) site: String,
    /// What all that is ours in it lies below.
    pub(crate) folder: String,
    /// True where segments have copies in it.
    pub(crate) used: bool,
}

/// A copy of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) segment: u32,
    pub(crate) site: String,
    pub(crate) first: bool,
    pub(crate) backend: String,
    pub(crate) folder: String,
}

/// All backends that ever were configured.
pub(crate) fn backends(tx: &mut Tx<'_>) -> Result<Vec<Known>, ApiError> {
    Ok(tx.query(
        "SELECT b.name, b.site, b.folder,
                (SELECT COUNT(*) FROM oss_remote r WHERE r.backend = b.name)
         FROM oss_backend b ORDER BY b.name",
        params![],
        |row| {
            let used = row.get::<i64>(3)? > 0;
            Ok(Known { name: row.get(0)?, site: row.get(1)?, folder: row.get(2)?, used })
        },
    )?)
}

/// Writes a backend down, or that it stands elsewhere now. Its folder stays.
pub(crate) fn put_backend(
    tx: &mut Tx<'_>,
    name: &str,
    site: &str,
    folder: &str,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_backend (name, site, folder) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET site = excluded.site",
        params![name, site, folder],
    )?;
    Ok(())
}

/// Writes a copy down, before the first byte of it is sent.
pub(crate) fn insert(tx: &mut Tx<'_>, row: &Row) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_remote (segment, site, is_first, backend, folder) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![row.segment, &row.site, i64::from(row.first), &row.backend, &row.folder],
    )?;
    Ok(())
}

/// Every copy.
pub(crate) fn all(tx: &mut Tx<'_>) -> Result<Vec<Row>, ApiError> {
    Ok(tx.query(
        "SELECT segment, site, is_first, backend, folder FROM oss_remote ORDER BY segment, site",
        params![],
        |row| {
            Ok(Row {
                segment: row.get(0)?,
                site: row.get(1)?,
                first: row.get::<i64>(2)? != 0,
                backend: row.get(3)?,
                folder: row.get(4)?,
            })
        },
    )?)
}

/// Forgets the copies of a segment. What is in their folders is nobody's from then on.
pub(crate) fn remove(tx: &mut Tx<'_>, segment: u32) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_remote WHERE segment = ?1", params![segment])?;
    Ok(())
}

/// The segment that a folder is a copy of.
pub(crate) fn segment_of(tx: &mut Tx<'_>, folder: &str) -> Result<Option<u32>, ApiError> {
    let sql = "SELECT segment FROM oss_remote WHERE folder = ?1";
    Ok(tx.query_opt(sql, params![folder], |row| row.get(0))?)
}

/// Whether nothing will ever refer to what begins at `start` of a segment: it was given back, or the segment
/// is sealed and ends before.
pub(crate) fn is_garbage(tx: &mut Tx<'_>, segment: u32, start: u64) -> Result<bool, ApiError> {
    let hole_end = tx.query_opt(
        "SELECT start + length FROM oss_hole WHERE segment = ?1 AND start <= ?2 ORDER BY start DESC LIMIT 1",
        params![segment, int(start)],
        |row| row.get::<u64>(0),
    )?;
    if hole_end.is_some_and(|end| end > start) {
        return Ok(true);
    }
    let sql = "SELECT length FROM oss_segment WHERE id = ?1";
    let length = tx.query_opt(sql, params![segment], |row| row.get::<u64>(0))?;
    Ok(length.is_some_and(|length| length <= start))
}
