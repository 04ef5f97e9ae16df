//! Rules of who may connect that tenants wrote, and the white lists that they are held to.

use base::ApiError;
use store::{Tx, params};

use super::{read, route, text};
use crate::hba::Rule;

/// The rules of an instance, first first, each with its priority.
pub(crate) fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<(i64, Rule)>, ApiError> {
    let sql = "SELECT priority, rule FROM rds_hba WHERE instance = ?1 ORDER BY priority";
    let rows: Vec<(i64, String)> =
        tx.query(sql, params![instance], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.into_iter().map(|(priority, rule)| Ok((priority, read(&rule)?))).collect()
}

/// Stores these in place of all that there were.
pub(crate) fn replace(
    tx: &mut Tx<'_>,
    instance: &str,
    rules: &[(i64, Rule)],
) -> Result<(), ApiError> {
    remove(tx, instance)?;
    for (priority, rule) in rules {
        let sql = "INSERT INTO rds_hba (instance, priority, rule) VALUES (?1, ?2, ?3)";
        tx.execute(sql, params![instance, *priority, &text(rule)?])?;
    }
    route::changed(tx);
    Ok(())
}

/// Removes all of an instance that is gone.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_hba WHERE instance = ?1", params![instance])?;
    Ok(())
}

/// The networks on the white lists of an instance.
pub fn white(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<String>, ApiError> {
    let sql = "SELECT addresses FROM rds_ip_array WHERE instance = ?1 ORDER BY name";
    let lists: Vec<String> = tx.query(sql, params![instance], |row| row.get(0))?;
    let networks = lists.iter().flat_map(|list| list.split(','));
    Ok(networks.map(|net| net.trim().to_owned()).filter(|net| !net.is_empty()).collect())
}
