//! Lines of servers' logs, and slow statements.

use base::text::hex;
use base::{ApiError, Time};
use ring::digest;
use store::{Tx, params};

use super::{read, text};
use crate::node::api::LogLine;

/// What a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server's log.
    Error,
    /// Statements that took long.
    Slow,
}

impl Kind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Slow => "slow",
        }
    }
}

/// Adds a line; the same line told again changes nothing.
pub fn put(tx: &mut Tx<'_>, instance: &str, kind: Kind, line: &LogLine) -> Result<(), ApiError> {
    let text = text(line)?;
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    tx.execute(
        "INSERT INTO rds_log (instance, kind, at, digest, line) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (instance, kind, at, digest) DO NOTHING",
        params![instance, kind.as_str(), line.at, &hex(&digest.as_ref()[..16]), &text],
    )?;
    Ok(())
}

/// How many lines there are within `from..=until`.
pub fn count(
    tx: &mut Tx<'_>,
    instance: &str,
    kind: Kind,
    (from, until): (Time, Time),
) -> Result<usize, ApiError> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM rds_log
               WHERE instance = ?1 AND kind = ?2 AND at >= ?3 AND at <= ?4";
    let rows = params![instance, kind.as_str(), from, until];
    Ok(tx.query_opt(sql, rows, |row| row.get(0))?.unwrap_or_default())
}

/// The lines within `from..=until`, newest first, `limit` of them after the first `skip`.
pub fn between(
    tx: &mut Tx<'_>,
    (instance, kind): (&str, Kind),
    (from, until): (Time, Time),
    (skip, limit): (usize, usize),
) -> Result<Vec<LogLine>, ApiError> {
    let sql = "SELECT line FROM rds_log WHERE instance = ?1 AND kind = ?2 AND at >= ?3 AND at <= ?4
               ORDER BY at DESC, digest LIMIT ?5 OFFSET ?6";
    let values = params![instance, kind.as_str(), from, until, limit, skip];
    let rows: Vec<String> = tx.query(sql, values, |row| row.get(0))?;
    rows.iter().map(|row| read(row)).collect()
}

/// Removes the oldest lines before that moment, at most about so many; says how many. Lines of one moment go
/// together.
pub fn remove_before(
    tx: &mut Tx<'_>,
    (instance, kind): (&str, Kind),
    before: Time,
    limit: usize,
) -> Result<u64, ApiError> {
    let sql = "DELETE FROM rds_log WHERE instance = ?1 AND kind = ?2 AND at IN
                   (SELECT at FROM rds_log WHERE instance = ?1 AND kind = ?2 AND at < ?3 ORDER BY at LIMIT ?4)";
    Ok(tx.execute(sql, params![instance, kind.as_str(), before, limit])?)
}
