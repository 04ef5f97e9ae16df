//! White lists: named arrays of addresses and networks that may reach an instance.

use base::ApiError;
use store::{Row, Tx, params};

use super::route;

/// An array of a white list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpArray {
    /// Its name: `default` is always there.
    pub name: String,
    /// `hidden` for those that consoles do not show, else empty.
    pub attribute: String,
    /// Addresses and networks, a comma between them, in the order they were given.
    pub addresses: String,
}

fn array(row: &Row<'_>) -> Result<IpArray, store::Error> {
    Ok(IpArray { name: row.get(0)?, attribute: row.get(1)?, addresses: row.get(2)? })
}

/// The arrays of an instance by name.
pub fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<IpArray>, ApiError> {
    let sql =
        "SELECT name, attribute, addresses FROM rds_ip_array WHERE instance = ?1 ORDER BY name";
    Ok(tx.query(sql, params![instance], array)?)
}

/// Adds or replaces one.
pub fn put(tx: &mut Tx<'_>, instance: &str, array: &IpArray) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_ip_array (instance, name, attribute, addresses) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (instance, name) DO UPDATE SET attribute = excluded.attribute, addresses = excluded.addresses",
        params![instance, &array.name, &array.attribute, &array.addresses],
    )?;
    route::changed(tx);
    Ok(())
}

/// Removes one.
pub fn remove(tx: &mut Tx<'_>, instance: &str, name: &str) -> Result<(), ApiError> {
    let sql = "DELETE FROM rds_ip_array WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name])?;
    route::changed(tx);
    Ok(())
}

/// Removes all of an instance.
pub fn remove_all(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_ip_array WHERE instance = ?1", params![instance])?;
    Ok(())
}
