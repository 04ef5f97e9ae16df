//! Backups and the archive of the log. Backups outlive their instance.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

/// The status of one that is being made.
pub const RUNNING: &str = "Running";
/// The status of one that can be restored.
pub const SUCCESS: &str = "Success";
/// The status of one that came to nothing.
pub const FAILED: &str = "Failed";
/// The status of one whose bytes are to go: its task removes them, and then the row.
pub const DELETING: &str = "Deleting";

/// A backup, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Digits.
    pub id: String,
    /// Of which instance.
    pub instance: String,
    /// Whose it is.
    pub account: AccountId,
    /// [`RUNNING`], [`SUCCESS`], [`FAILED`], [`DELETING`].
    pub status: String,
    /// `Manual`, `Automated`.
    pub mode: String,
    /// The engine, as the API spells it.
    pub engine: String,
    /// The engine's exact version; its major version until it has begun.
    pub build: String,
    /// The timeline of the log that it is on.
    pub timeline: i64,
    /// Where in the log it begins.
    pub start_lsn: i64,
    /// From where in the log on it is consistent.
    pub end_lsn: i64,
    /// When it began.
    pub started: Time,
    /// When it ended; the epoch while it runs.
    pub ended: Time,
    /// Bytes, as stored.
    pub bytes: i64,
    /// JSON: what only `backup` understands.
    pub facts: String,
}

/// What is known of a backup when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// As [`Backup::build`].
    pub build: String,
    /// As [`Backup::timeline`].
    pub timeline: i64,
    /// As [`Backup::start_lsn`].
    pub start_lsn: i64,
    /// As [`Backup::end_lsn`].
    pub end_lsn: i64,
    /// As [`Backup::ended`].
    pub ended: Time,
    /// As [`Backup::bytes`].
    pub bytes: i64,
    /// As [`Backup::facts`].
    pub facts: String,
}

const COLUMNS: &str =
    "id, instance, account, status, mode, engine, build, timeline, start_lsn, end_lsn, started,
    ended, bytes, facts";

fn understood(row: &Row<'_>) -> Result<Backup, store::Error> {
    Ok(Backup {
        id: row.get(0)?,
        instance: row.get(1)?,
        account: row.get(2)?,
        status: row.get(3)?,
        mode: row.get(4)?,
        engine: row.get(5)?,
        build: row.get(6)?,
        timeline: row.get(7)?,
        start_lsn: row.get(8)?,
        end_lsn: row.get(9)?,
        started: row.get(10)?,
        ended: row.get(11)?,
        bytes: row.get(12)?,
        facts: row.get(13)?,
    })
}

/// Adds one.
pub fn insert(tx: &mut Tx<'_>, backup: &Backup) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_backup (id, instance, account, status, mode, engine, build, timeline, start_lsn, end_lsn,
             started, ended, bytes, facts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            &backup.id,
            &backup.instance,
            backup.account,
            &backup.status,
            &backup.mode,
            &backup.engine,
            &backup.build,
            backup.timeline,
            backup.start_lsn,
            backup.end_lsn,
            backup.started,
            backup.ended,
            backup.bytes,
            &backup.facts
        ],
    )?;
    Ok(())
}

/// It is done, and can be restored.
pub fn finish(tx: &mut Tx<'_>, id: &str, done: &Finished) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE rds_backup SET status = ?2, build = ?3, timeline = ?4, start_lsn = ?5, end_lsn = ?6, ended = ?7,
             bytes = ?8, facts = ?9
         WHERE id = ?1",
        params![
            id,
            SUCCESS,
            &done.build,
            done.timeline,
            done.start_lsn,
            done.end_lsn,
            done.ended,
            done.bytes,
            &done.facts
        ],
    )?;
    Ok(())
}

/// It came to nothing.
pub fn fail(tx: &mut Tx<'_>, id: &str, ended: Time) -> Result<(), ApiError> {
    let sql = "UPDATE rds_backup SET status = ?2, ended = ?3 WHERE id = ?1";
    tx.execute(sql, params![id, FAILED, ended])?;
    Ok(())
}

/// Its bytes are to go.
pub fn retire(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    tx.execute("UPDATE rds_backup SET status = ?2 WHERE id = ?1", params![id, DELETING])?;
    Ok(())
}

/// The backup of that id, whoever owns it.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Backup>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_backup WHERE id = ?1");
    Ok(tx.query_opt(&sql, params![id], understood)?)
}

/// The backups of an instance that began within `from..until`, newest first.
pub fn of_instance(
    tx: &mut Tx<'_>,
    instance: &str,
    (from, until): (Time, Time),
) -> Result<Vec<Backup>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_backup WHERE instance = ?1 AND started >= ?2 AND started < ?3
         ORDER BY started DESC, id DESC"
    );
    Ok(tx.query(&sql, params![instance, from, until], understood)?)
}

/// All of [`of_instance`], whenever they began.
pub fn all_of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Backup>, ApiError> {
    of_instance(tx, instance, (Time::from_micros(0), Time::from_micros(i64::MAX)))
}

/// The newest backup of an instance that can be restored and ended no later than that.
pub fn newest_before(
    tx: &mut Tx<'_>,
    instance: &str,
    until: Time,
) -> Result<Option<Backup>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_backup WHERE instance = ?1 AND status = ?2 AND ended <= ?3
         ORDER BY ended DESC, id DESC LIMIT 1"
    );
    Ok(tx.query_opt(&sql, params![instance, SUCCESS, until], understood)?)
}

/// Removes the row, once its bytes are gone.
pub fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_backup WHERE id = ?1", params![id])?;
    Ok(())
}

/// A gapless piece of the archived log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// On which timeline.
    pub timeline: i64,
    /// From where.
    pub start_lsn: i64,
    /// Up to where.
    pub end_lsn: i64,
    /// Bytes, as stored.
    pub bytes: i64,
    /// When the newest of it was received.
    pub newest: Time,
}

/// What the archive holds of an instance's log, in order.
pub fn log(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Piece>, ApiError> {
    let sql = "SELECT timeline, start_lsn, end_lsn, bytes, newest FROM rds_wal WHERE instance = ?1
               ORDER BY timeline, start_lsn";
    Ok(tx.query(sql, params![instance], |row| {
        Ok(Piece {
            timeline: row.get(0)?,
            start_lsn: row.get(1)?,
            end_lsn: row.get(2)?,
            bytes: row.get(3)?,
            newest: row.get(4)?,
        })
    })?)
}
