//! What is to be done once to an instance, by a task of the same id.

use base::{ApiError, Time};
use store::{Row, Tx, params};

/// A wish, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id, and its task's.
    pub id: String,
    /// Which instance.
    pub instance: String,
    /// The kind of its task.
    pub kind: String,
    /// JSON: what is wished.
    pub wish: String,
    /// `Running`, `Success`, `Failed`.
    pub status: String,
    /// When it was wished.
    pub created: Time,
}

fn understood(row: &Row<'_>) -> Result<Job, store::Error> {
    Ok(Job {
        id: row.get(0)?,
        instance: row.get(1)?,
        kind: row.get(2)?,
        wish: row.get(3)?,
        status: row.get(4)?,
        created: row.get(5)?,
    })
}

/// Adds one.
pub fn insert(tx: &mut Tx<'_>, job: &Job) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_job (id, instance, kind, wish, status, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![&job.id, &job.instance, &job.kind, &job.wish, &job.status, job.created],
    )?;
    Ok(())
}

/// The job of that id.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Job>, ApiError> {
    let sql = "SELECT id, instance, kind, wish, status, created FROM rds_job WHERE id = ?1";
    Ok(tx.query_opt(sql, params![id], understood)?)
}

/// The jobs of an instance, newest first.
pub fn of_instance(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Job>, ApiError> {
    let sql = "SELECT id, instance, kind, wish, status, created FROM rds_job WHERE instance = ?1
         ORDER BY created DESC, id";
    Ok(tx.query(sql, params![instance], understood)?)
}

/// Stores how it ended, `Success` or `Failed`, and what there is to say of that.
pub fn end(tx: &mut Tx<'_>, id: &str, status: &str, wish: &str) -> Result<(), ApiError> {
    let sql = "UPDATE rds_job SET status = ?2, wish = ?3 WHERE id = ?1";
    tx.execute(sql, params![id, status, wish])?;
    Ok(())
}

/// Removes all of an instance that is gone.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_job WHERE instance = ?1", params![instance])?;
    Ok(())
}
