//! Segments, what of them is settled, and their holes.

use std::collections::{BTreeMap, BTreeSet};

use base::{ApiError, Time};
use store::{Row, Tx, params};

use super::{free, int};
use crate::blob::{Body, Extent, Range};

fn range(segment: u32, row: &Row<'_>) -> Result<Range, store::Error> {
    Ok(Range { segment, start: row.get(0)?, len: row.get(1)? })
}

/// Notes that this transaction decides the fate of a range: it refers to it.
///
/// # Errors
/// A conflict where the range was given up before: then the transaction must not commit.
pub(crate) fn settle(tx: &mut Tx<'_>, range: &Range) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_settled (segment, start, length) VALUES (?1, ?2, ?3)",
        params![range.segment, int(range.start), int(range.len)],
    )?;
    Ok(())
}

/// Frees a range that its writer gave up, unless a commit refers to it after all.
pub(crate) fn give_up(tx: &mut Tx<'_>, range: &Range, now: Time) -> Result<(), ApiError> {
    let claimed = tx.execute(
        "INSERT INTO oss_settled (segment, start, length) VALUES (?1, ?2, ?3) ON CONFLICT (segment, start) DO NOTHING",
        params![range.segment, int(range.start), int(range.len)],
    )?;
    if claimed == 0 {
        return Ok(());
    }
    let word =
        |value: u64| u32::try_from(value).map_err(|_| super::damaged("a range beyond 4 GiB"));
    let extent = Extent {
        segment: range.segment,
        start: word(range.start)?,
        len: word(range.len)?,
        crc64: 0,
        // What is given up is never read.
        seal: 0,
    };
    free::insert(tx, &Body::Inline(vec![extent]), now)
}

/// The settled ranges of an open segment, in order.
pub(crate) fn settled(tx: &mut Tx<'_>, segment: u32) -> Result<Vec<Range>, ApiError> {
    Ok(tx.query(
        "SELECT start, length FROM oss_settled WHERE segment = ?1 ORDER BY start",
        params![segment],
        |row| range(segment, row),
    )?)
}

/// Forgets up to `limit` settled ranges of a sealed segment; says how many.
pub(crate) fn forget_settled(tx: &mut Tx<'_>, segment: u32, limit: usize) -> Result<u64, ApiError> {
    Ok(tx.execute(
        "DELETE FROM oss_settled WHERE segment = ?1 AND start IN
         (SELECT start FROM oss_settled WHERE segment = ?1 ORDER BY start LIMIT ?2)",
        params![segment, limit],
    )?)
}

/// Forgets what a crash left of that.
pub(crate) fn forget_settled_of_sealed(tx: &mut Tx<'_>) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM oss_settled WHERE EXISTS (SELECT 1 FROM oss_segment s WHERE s.id = oss_settled.segment)",
        params![],
    )?;
    Ok(())
}

/// The numbers of all sealed segments.
pub(crate) fn segments(tx: &mut Tx<'_>) -> Result<BTreeSet<u32>, ApiError> {
    let ids = tx.query("SELECT id FROM oss_segment", params![], |row| row.get::<u32>(0))?;
    Ok(ids.into_iter().collect())
}

/// The numbers of all segments of which bytes were decided about and that are not sealed.
pub(crate) fn settled_segments(tx: &mut Tx<'_>) -> Result<BTreeSet<u32>, ApiError> {
    let sql = "SELECT DISTINCT segment FROM oss_settled";
    let ids = tx.query(sql, params![], |row| row.get::<u32>(0))?;
    Ok(ids.into_iter().collect())
}

/// Seals a segment, every byte of which is settled.
///
/// # Errors
/// `InternalError` where that is not so: the segment stays open rather than wrong.
pub(crate) fn seal(tx: &mut Tx<'_>, segment: u32, length: u64) -> Result<(), ApiError> {
    let settled = tx.query_opt(
        "SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) FROM oss_settled WHERE segment = ?1",
        params![segment],
        |row| row.get::<u64>(0),
    )?;
    if settled != Some(length) {
        return Err(ApiError::internal(format!(
            "segment {segment}: {settled:?} of {length} bytes are settled"
        )));
    }
    insert_segment(tx, segment, length)
}

/// Writes the row of a sealed segment.
pub(crate) fn insert_segment(tx: &mut Tx<'_>, segment: u32, length: u64) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_segment (id, length, dead)
         SELECT ?1, ?2, CAST(COALESCE(SUM(length), 0) AS BIGINT) FROM oss_hole WHERE segment = ?1
         ON CONFLICT (id) DO NOTHING",
        params![segment, int(length)],
    )?;
    Ok(())
}

/// Notes that a data centre holds a further copy of a segment that this transaction relies on.
pub(crate) fn insert_mirror(tx: &mut Tx<'_>, segment: u32, site: &str) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_mirror (segment, site) VALUES (?1, ?2) ON CONFLICT (segment, site) DO NOTHING",
        params![segment, site],
    )?;
    Ok(())
}

/// The data centres that hold further copies, by segment.
pub(crate) fn mirrors(tx: &mut Tx<'_>) -> Result<BTreeMap<u32, Vec<String>>, ApiError> {
    let sql = "SELECT segment, site FROM oss_mirror ORDER BY segment, site";
    Ok(by_segment(tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?))
}

/// As [`mirrors`], of sealed segments.
pub(crate) fn mirrors_of_sealed(tx: &mut Tx<'_>) -> Result<BTreeMap<u32, Vec<String>>, ApiError> {
    let sql = "SELECT m.segment, m.site FROM oss_mirror m JOIN oss_segment s ON s.id = m.segment
               ORDER BY m.segment, m.site";
    Ok(by_segment(tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?))
}

fn by_segment(rows: Vec<(u32, String)>) -> BTreeMap<u32, Vec<String>> {
    let mut sites: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (segment, site) in rows {
        sites.entry(segment).or_default().push(site);
    }
    sites
}

/// Counts dead bytes of a segment, if it is sealed; an open one is counted when it is.
pub(crate) fn add_dead(tx: &mut Tx<'_>, segment: u32, bytes: u64) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE oss_segment SET dead = dead + ?2 WHERE id = ?1",
        params![segment, int(bytes)],
    )?;
    Ok(())
}

/// Sealed segments without a live byte.
pub(crate) fn dead_segments(tx: &mut Tx<'_>) -> Result<Vec<u32>, ApiError> {
    Ok(tx.query("SELECT id FROM oss_segment WHERE dead = length", params![], |row| row.get(0))?)
}

/// Whether every byte of a segment that was never sealed and that was decided about is in a hole.
pub(crate) fn is_dead(tx: &mut Tx<'_>, segment: u32) -> Result<bool, ApiError> {
    let sums = tx.query_opt(
        "SELECT (SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) FROM oss_settled WHERE segment = ?1),
                (SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) FROM oss_hole WHERE segment = ?1)",
        params![segment],
        |row| Ok((row.get::<u64>(0)?, row.get::<u64>(1)?)),
    )?;
    Ok(sums.is_some_and(|(settled, holes)| settled == holes))
}

/// Forgets a segment.
pub(crate) fn remove_segment(tx: &mut Tx<'_>, segment: u32) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_settled WHERE segment = ?1", params![segment])?;
    tx.execute("DELETE FROM oss_hole WHERE segment = ?1", params![segment])?;
    tx.execute("DELETE FROM oss_mirror WHERE segment = ?1", params![segment])?;
    super::disk::forget_home(tx, segment)?;
    super::remote::remove(tx, segment)?;
    tx.execute("DELETE FROM oss_segment WHERE id = ?1", params![segment])?;
    Ok(())
}

/// The hole that ends where a range begins.
pub(crate) fn hole_ending_at(
    tx: &mut Tx<'_>,
    segment: u32,
    start: u64,
) -> Result<Option<Range>, ApiError> {
    let before = tx.query_opt(
        "SELECT start, length FROM oss_hole WHERE segment = ?1 AND start < ?2 ORDER BY start DESC LIMIT 1",
        params![segment, int(start)],
        |row| range(segment, row),
    )?;
    Ok(before.filter(|hole| hole.end() == start))
}

/// The hole that begins where a range ends.
pub(crate) fn hole_beginning_at(
    tx: &mut Tx<'_>,
    segment: u32,
    end: u64,
) -> Result<Option<Range>, ApiError> {
    Ok(tx.query_opt(
        "SELECT start, length FROM oss_hole WHERE segment = ?1 AND start = ?2",
        params![segment, int(end)],
        |row| range(segment, row),
    )?)
}

/// Writes a hole.
pub(crate) fn insert_hole(tx: &mut Tx<'_>, hole: &Range) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_hole (segment, start, length) VALUES (?1, ?2, ?3)",
        params![hole.segment, int(hole.start), int(hole.len)],
    )?;
    Ok(())
}

/// Forgets a hole that a larger one swallowed.
pub(crate) fn delete_hole(tx: &mut Tx<'_>, segment: u32, start: u64) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM oss_hole WHERE segment = ?1 AND start = ?2",
        params![segment, int(start)],
    )?;
    Ok(())
}
