//! Figures of instances over time.

use base::{ApiError, Time};
use store::{Tx, params};

use super::{read, text};
use crate::node::api::Figures;

/// Adds a point; one of the same moment is replaced.
pub fn put(tx: &mut Tx<'_>, instance: &str, figures: &Figures) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_figure (instance, at, figures) VALUES (?1, ?2, ?3)
         ON CONFLICT (instance, at) DO UPDATE SET figures = excluded.figures",
        params![instance, figures.at, &text(figures)?],
    )?;
    Ok(())
}

/// The points within `from..=until` in order, at most so many.
pub fn between(
    tx: &mut Tx<'_>,
    instance: &str,
    (from, until): (Time, Time),
    limit: usize,
) -> Result<Vec<Figures>, ApiError> {
    let sql = "SELECT figures FROM rds_figure WHERE instance = ?1 AND at >= ?2 AND at <= ?3 ORDER BY at LIMIT ?4";
    let rows: Vec<String> =
        tx.query(sql, params![instance, from, until, limit], |row| row.get(0))?;
    rows.iter().map(|row| read(row)).collect()
}

/// The last point before that moment.
pub fn before(tx: &mut Tx<'_>, instance: &str, at: Time) -> Result<Option<Figures>, ApiError> {
    let sql =
        "SELECT figures FROM rds_figure WHERE instance = ?1 AND at < ?2 ORDER BY at DESC LIMIT 1";
    let row: Option<String> = tx.query_opt(sql, params![instance, at], |row| row.get(0))?;
    row.as_deref().map(read).transpose()
}

/// Removes the oldest points before that moment, at most so many; says how many.
pub fn remove_before(
    tx: &mut Tx<'_>,
    instance: &str,
    before: Time,
    limit: usize,
) -> Result<u64, ApiError> {
    let sql = "DELETE FROM rds_figure WHERE instance = ?1 AND at IN
                   (SELECT at FROM rds_figure WHERE instance = ?1 AND at < ?2 ORDER BY at LIMIT ?3)";
    Ok(tx.execute(sql, params![instance, before, limit])?)
}
