//! What the archive holds of the write-ahead log: spans without a gap.

use base::{ApiError, Time};
use store::{Row, Tx, params};

use crate::backup::wal::Lsn;

/// A span of a timeline that is archived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Of which instance, which may be gone.
    pub instance: String,
    /// The server's system identifier.
    pub cluster: u64,
    /// The timeline.
    pub timeline: u32,
    /// Its first byte.
    pub start: Lsn,
    /// Behind its last byte.
    pub end: Lsn,
    /// Its size as stored, bytes.
    pub bytes: i64,
    /// When the newest of it was received.
    pub newest: Time,
}

fn span(row: &Row<'_>) -> Result<Span, store::Error> {
    let lsn = |at| Ok::<_, store::Error>(Lsn(row.get::<i64>(at)?.cast_unsigned()));
    Ok(Span {
        instance: row.get(0)?,
        cluster: row.get::<i64>(1)?.cast_unsigned(),
        timeline: u32::try_from(row.get::<i64>(2)?).unwrap_or_default(),
        start: lsn(3)?,
        end: lsn(4)?,
        bytes: row.get(5)?,
        newest: Time::from_micros(row.get(6)?),
    })
}

/// The spans of an instance, by cluster, timeline and start.
pub fn of_instance(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Span>, ApiError> {
    let sql =
        "SELECT instance, cluster_id, timeline, start_lsn, end_lsn, bytes, newest FROM rds_wal
         WHERE instance = ?1 ORDER BY cluster_id, timeline, start_lsn";
    Ok(tx.query(sql, params![instance], span)?)
}

/// Begins a span, or makes one longer: what was added lies behind what is there. Who streams knows nothing of a cut
/// in the meantime; so the row is the first one that begins within the span.
pub fn extend(tx: &mut Tx<'_>, span: &Span, added: i64) -> Result<(), ApiError> {
    let (cluster, start) = (span.cluster.cast_signed(), span.start.0.cast_signed());
    let end = span.end.0.cast_signed();
    let first = tx.query(
        "SELECT start_lsn FROM rds_wal WHERE instance = ?1 AND cluster_id = ?2 AND timeline = ?3
         AND start_lsn >= ?4 AND start_lsn <= ?5 ORDER BY start_lsn LIMIT 1",
        params![&span.instance, cluster, span.timeline, start, end],
        |row| row.get::<i64>(0),
    )?;
    let start = first.first().copied().unwrap_or(start);
    tx.execute(
        "INSERT INTO rds_wal (instance, cluster_id, timeline, start_lsn, end_lsn, bytes, newest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (instance, cluster_id, timeline, start_lsn) DO UPDATE SET end_lsn = excluded.end_lsn,
             bytes = rds_wal.bytes + excluded.bytes, newest = excluded.newest",
        params![
            &span.instance,
            cluster,
            span.timeline,
            start,
            end,
            added,
            span.newest
        ],
    )?;
    Ok(())
}

/// What a span takes where it is stored changed. Says whether it is still there.
pub fn resize(tx: &mut Tx<'_>, span: &Span, change: i64) -> Result<bool, ApiError> {
    let sql = "UPDATE rds_wal SET bytes = bytes + ?5
         WHERE instance = ?1 AND cluster_id = ?2 AND timeline = ?3 AND start_lsn = ?4";
    let (cluster, start) = (span.cluster.cast_signed(), span.start.0.cast_signed());
    Ok(tx.execute(sql, params![&span.instance, cluster, span.timeline, start, change])? == 1)
}

/// A span begins later: what was before is gone.
pub fn cut(tx: &mut Tx<'_>, span: &Span, start: Lsn, freed: i64) -> Result<(), ApiError> {
    let (cluster, from) = (span.cluster.cast_signed(), span.start.0.cast_signed());
    tx.execute(
        "UPDATE rds_wal SET start_lsn = ?5, bytes = bytes - ?6
         WHERE instance = ?1 AND cluster_id = ?2 AND timeline = ?3 AND start_lsn = ?4",
        params![&span.instance, cluster, span.timeline, from, start.0.cast_signed(), freed],
    )?;
    Ok(())
}

/// Removes a span.
pub fn remove(tx: &mut Tx<'_>, span: &Span) -> Result<(), ApiError> {
    let (cluster, start) = (span.cluster.cast_signed(), span.start.0.cast_signed());
    let sql = "DELETE FROM rds_wal
         WHERE instance = ?1 AND cluster_id = ?2 AND timeline = ?3 AND start_lsn = ?4";
    tx.execute(sql, params![&span.instance, cluster, span.timeline, start])?;
    Ok(())
}
