//! Databases: tenants' own in an instance.

use base::{ApiError, Time};
use store::{Row, Tx, params};

/// A database, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its owner; empty for the service.
    pub owner: String,
    /// Its character set.
    pub charset: String,
    /// Its collation; empty for the engine's own.
    pub collation: String,
    /// Its character classes; empty for the engine's own.
    pub ctype: String,
    /// `Creating`, `Running`, `Deleting`.
    pub status: String,
    /// What its owner says of it.
    pub description: String,
    /// False: it is to go.
    pub wanted: bool,
}

/// The status of one that is there.
pub const RUNNING: &str = "Running";
const CREATING: &str = "Creating";
const DELETING: &str = "Deleting";

const COLUMNS: &str = "name, owner, charset, collation_name, ctype, status, description, wanted";

fn understood(row: &Row<'_>) -> Result<Database, store::Error> {
    Ok(Database {
        name: row.get(0)?,
        owner: row.get(1)?,
        charset: row.get(2)?,
        collation: row.get(3)?,
        ctype: row.get(4)?,
        status: row.get(5)?,
        description: row.get(6)?,
        wanted: row.get(7)?,
    })
}

/// Adds one, which is not there yet: its `status` and `wanted` are not looked at.
pub fn insert(tx: &mut Tx<'_>, instance: &str, new: &Database, now: Time) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_database (instance, name, owner, charset, collation_name, ctype, status, description, wanted,
             created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9)",
        params![
            instance,
            &new.name,
            &new.owner,
            &new.charset,
            &new.collation,
            &new.ctype,
            CREATING,
            &new.description,
            now
        ],
    )?;
    Ok(())
}

/// The databases of an instance by name, those that are going too.
pub fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Database>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_database WHERE instance = ?1 ORDER BY name");
    Ok(tx.query(&sql, params![instance], understood)?)
}

/// One of them.
pub fn find(tx: &mut Tx<'_>, instance: &str, name: &str) -> Result<Option<Database>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_database WHERE instance = ?1 AND name = ?2");
    Ok(tx.query_opt(&sql, params![instance, name], understood)?)
}

/// Stores what its owner says of it.
pub fn describe(tx: &mut Tx<'_>, instance: &str, name: &str, text: &str) -> Result<(), ApiError> {
    let sql = "UPDATE rds_database SET description = ?3 WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name, text])?;
    Ok(())
}

/// It is to go.
pub fn retire(tx: &mut Tx<'_>, instance: &str, name: &str) -> Result<(), ApiError> {
    let sql = "UPDATE rds_database SET wanted = 0, status = ?3 WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name, DELETING])?;
    Ok(())
}

/// The server has all that are wanted, and none of the others.
pub fn settle(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_database WHERE instance = ?1 AND wanted = 0", params![instance])?;
    let sql = "UPDATE rds_database SET status = ?2 WHERE instance = ?1 AND status = ?3";
    tx.execute(sql, params![instance, RUNNING, CREATING])?;
    Ok(())
}

/// Removes all of an instance that is gone.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_database WHERE instance = ?1", params![instance])?;
    Ok(())
}
