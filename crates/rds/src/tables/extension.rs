//! Wishes about extensions: one of an extension in a database, until it is done or refused. Which extensions there are
//! is not here but in what nodes observed.

use base::ApiError;
use store::{Row, Tx, params};

use super::read;
use crate::node::api::{ExtensionChange, ExtensionWish, RefusedExtension};

/// A change as stored.
fn word(what: ExtensionChange) -> &'static str {
    match what {
        ExtensionChange::Create => "Create",
        ExtensionChange::Update => "Update",
        ExtensionChange::Drop => "Drop",
    }
}

/// Wishes something, in place of what was wished or refused before.
pub fn wish(tx: &mut Tx<'_>, instance: &str, wish: &ExtensionWish) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_extension (instance, database_name, name, account, wish, refused)
         VALUES (?1, ?2, ?3, ?4, ?5, '')
         ON CONFLICT (instance, database_name, name) DO UPDATE SET account = excluded.account, wish = excluded.wish,
             refused = ''",
        params![instance, &wish.database, &wish.name, &wish.account, word(wish.what)],
    )?;
    Ok(())
}

type Raw = [String; 4];

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
}

/// What an instance's node is to do.
pub fn wished(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<ExtensionWish>, ApiError> {
    let sql = "SELECT database_name, name, account, wish FROM rds_extension
               WHERE instance = ?1 AND refused = '' ORDER BY database_name, name";
    let understood = |[database, name, account, wish]: Raw| {
        let what = read(&format!("\"{wish}\""))?;
        Ok(ExtensionWish { database, name, account, what })
    };
    tx.query(sql, params![instance], raw)?.into_iter().map(understood).collect()
}

/// What was refused in a database last.
pub fn refused(
    tx: &mut Tx<'_>,
    instance: &str,
    database: &str,
) -> Result<Vec<RefusedExtension>, ApiError> {
    let sql = "SELECT database_name, name, refused, wish FROM rds_extension
               WHERE instance = ?1 AND database_name = ?2 AND refused <> '' ORDER BY name";
    let rows = tx.query(sql, params![instance, database], raw)?;
    let understood = |[database, name, reason, _]: Raw| RefusedExtension { database, name, reason };
    Ok(rows.into_iter().map(understood).collect())
}

/// The server has done all that was wished, but what it refused.
pub fn settle(
    tx: &mut Tx<'_>,
    instance: &str,
    refused: &[RefusedExtension],
) -> Result<(), ApiError> {
    for one in refused {
        let sql = "UPDATE rds_extension SET refused = ?4
                   WHERE instance = ?1 AND database_name = ?2 AND name = ?3";
        tx.execute(sql, params![instance, &one.database, &one.name, &one.reason])?;
    }
    let sql = "DELETE FROM rds_extension WHERE instance = ?1 AND refused = ''";
    tx.execute(sql, params![instance])?;
    Ok(())
}

/// Removes those of a database that goes.
pub fn remove_database(tx: &mut Tx<'_>, instance: &str, database: &str) -> Result<(), ApiError> {
    let sql = "DELETE FROM rds_extension WHERE instance = ?1 AND database_name = ?2";
    tx.execute(sql, params![instance, database])?;
    Ok(())
}

/// Removes all of an instance that is gone.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_extension WHERE instance = ?1", params![instance])?;
    Ok(())
}
