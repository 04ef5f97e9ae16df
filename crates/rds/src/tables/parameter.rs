//! Settings that tenants gave their instances.

use base::{ApiError, Time};
use store::{Tx, params};

/// A setting of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Since when it is asked for.
    pub changed: Time,
}

/// The settings of an instance by name.
pub fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Parameter>, ApiError> {
    let sql = "SELECT name, value, changed FROM rds_parameter WHERE instance = ?1 ORDER BY name";
    Ok(tx.query(sql, params![instance], |row| {
        Ok(Parameter { name: row.get(0)?, value: row.get(1)?, changed: row.get(2)? })
    })?)
}

/// Sets one.
pub fn put(
    tx: &mut Tx<'_>,
    instance: &str,
    name: &str,
    value: &str,
    now: Time,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_parameter (instance, name, value, changed) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (instance, name) DO UPDATE SET value = excluded.value, changed = excluded.changed",
        params![instance, name, value, now],
    )?;
    Ok(())
}

/// Leaves one to its default.
pub fn unset(tx: &mut Tx<'_>, instance: &str, name: &str) -> Result<(), ApiError> {
    let sql = "DELETE FROM rds_parameter WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name])?;
    Ok(())
}

/// Removes all of an instance that is gone.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_parameter WHERE instance = ?1", params![instance])?;
    Ok(())
}
