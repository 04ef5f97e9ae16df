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
    /// Nothing that was committed before is missing, by the server's clock; [`UNKNOWN`] until that is known of a moment.
    pub newest: Time,
}

/// The moment of a span of which none is known yet.
pub const UNKNOWN: Time = Time::from_micros(0);

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

/// The row of a span, which may have been [`cut`] since it was read: the last that begins where it did, or later.
const ITS_ROW: &str = "instance = ?1 AND cluster_id = ?2 AND timeline = ?3 AND start_lsn =
    (SELECT MAX(start_lsn) FROM rds_wal WHERE instance = ?1 AND cluster_id = ?2 AND timeline = ?3 AND start_lsn >= ?4)";

/// Begins a span, or makes one longer: what was added begins at `from`, behind what is there. Where nothing is there
/// any more, because all before it went, the span begins with what was added. Its moment never goes back.
pub fn extend(tx: &mut Tx<'_>, span: &Span, from: Lsn, added: i64) -> Result<(), ApiError> {
    let (cluster, start) = (span.cluster.cast_signed(), span.start.0.cast_signed());
    let end = span.end.0.cast_signed();
    let longer = tx.execute(
        &format!(
            "UPDATE rds_wal SET end_lsn = ?5, bytes = bytes + ?6,
                 newest = CASE WHEN newest < ?7 THEN ?7 ELSE newest END WHERE {ITS_ROW}"
        ),
        params![&span.instance, cluster, span.timeline, start, end, added, span.newest],
    )?;
    if longer == 0 {
        tx.execute(
            "INSERT INTO rds_wal (instance, cluster_id, timeline, start_lsn, end_lsn, bytes, newest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                &span.instance,
                cluster,
                span.timeline,
                from.0.cast_signed(),
                end,
                added,
                span.newest
            ],
        )?;
    }
    Ok(())
}

/// What a span takes where it is stored changed. Says whether it is still there.
pub fn resize(tx: &mut Tx<'_>, span: &Span, change: i64) -> Result<bool, ApiError> {
    let sql = format!("UPDATE rds_wal SET bytes = bytes + ?5 WHERE {ITS_ROW}");
    let (cluster, start) = (span.cluster.cast_signed(), span.start.0.cast_signed());
    Ok(tx.execute(&sql, params![&span.instance, cluster, span.timeline, start, change])? == 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, end: u64) -> Span {
        let (start, end, newest) = (Lsn(start), Lsn(end), Time::from_secs(1));
        Span { instance: "i".to_owned(), cluster: 7, timeline: 1, start, end, bytes: 0, newest }
    }

    /// Whoever archives knows where its span began, not that retention moved that since.
    #[test]
    fn a_span_that_was_cut_grows_and_is_no_second_one() {
        let test = testkit::cloud(&[], &[crate::MIGRATIONS]);
        let write = |tx: &mut Tx<'_>| {
            extend(tx, &span(10, 20), Lsn(10), 100)?;
            cut(tx, &span(10, 20), Lsn(15), 40)?;
            extend(tx, &span(10, 30), Lsn(20), 5)?;
            assert!(resize(tx, &span(10, 30), -1)?, "it is still there");
            let grown = of_instance(tx, "i")?.remove(0);
            cut(tx, &grown, Lsn(25), 20)?;
            extend(tx, &span(10, 40), Lsn(30), 6)?;
            let of = of_instance(tx, "i")?;
            let rows: Vec<_> = of.iter().map(|it| (it.start.0, it.end.0, it.bytes)).collect();
            assert_eq!(rows, [(25, 40, 50)]);
            // After a gap.
            extend(tx, &span(90, 95), Lsn(90), 1)?;
            assert_eq!(of_instance(tx, "i")?.len(), 2);
            let unknown = Span { newest: UNKNOWN, ..span(90, 95) };
            extend(tx, &unknown, Lsn(95), 0)?;
            assert_eq!(of_instance(tx, "i")?.remove(1).newest, Time::from_secs(1));
            // All of it went: what was before is not promised again.
            remove(tx, &span(90, 95))?;
            extend(tx, &span(90, 97), Lsn(95), 1)?;
            assert_eq!(of_instance(tx, "i")?.remove(1).start, Lsn(95));
            Ok::<_, ApiError>(())
        };
        let db = test.cloud.db.clone();
        db.write_blocking(write).unwrap_or_else(|error| panic!("{error:?}"));
    }
}
