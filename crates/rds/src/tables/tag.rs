//! Tags of instances.

use base::{AccountId, ApiError};
use store::{Row, Tx, params};

/// A tag of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Of which instance.
    pub instance: String,
    /// Its key.
    pub key: String,
    /// Its value, perhaps empty.
    pub value: String,
}

fn tag(row: &Row<'_>) -> Result<Tag, store::Error> {
    Ok(Tag { instance: row.get(0)?, key: row.get(1)?, value: row.get(2)? })
}

/// The tags of an instance by key.
pub fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Tag>, ApiError> {
    let sql = "SELECT instance, name, value FROM rds_tag WHERE instance = ?1 ORDER BY name";
    Ok(tx.query(sql, params![instance], tag)?)
}

/// The tags of all instances of an account, by instance and key.
pub fn of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<Tag>, ApiError> {
    let sql =
        "SELECT t.instance, t.name, t.value FROM rds_tag t JOIN rds_instance i ON i.id = t.instance
               WHERE i.account = ?1 ORDER BY t.instance, t.name";
    Ok(tx.query(sql, params![account], tag)?)
}

/// Adds one, or gives it another value.
pub fn put(tx: &mut Tx<'_>, tag: &Tag) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_tag (instance, name, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (instance, name) DO UPDATE SET value = excluded.value",
        params![&tag.instance, &tag.key, &tag.value],
    )?;
    Ok(())
}

/// Removes one.
pub fn remove(tx: &mut Tx<'_>, instance: &str, key: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_tag WHERE instance = ?1 AND name = ?2", params![instance, key])?;
    Ok(())
}

/// Removes all of an instance.
pub fn remove_all(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_tag WHERE instance = ?1", params![instance])?;
    Ok(())
}
