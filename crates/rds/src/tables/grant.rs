//! Rights of accounts in databases: one of an account in a database.

use base::ApiError;
use store::{Tx, params};

use super::read;
use crate::node::api::{Grant, Privilege};

/// A privilege as the API spells it, and as stored.
pub fn word(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Owner => "DBOwner",
        Privilege::ReadWrite => "ReadWrite",
        Privilege::ReadOnly => "ReadOnly",
        Privilege::DdlOnly => "DDLOnly",
        Privilege::DmlOnly => "DMLOnly",
    }
}

/// Gives a right, in place of the one that the account had there.
pub fn put(
    tx: &mut Tx<'_>,
    instance: &str,
    (account, database): (&str, &str),
    privilege: Privilege,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_grant (instance, account, database_name, privilege, wanted) VALUES (?1, ?2, ?3, ?4, 1)
         ON CONFLICT (instance, account, database_name) DO UPDATE SET privilege = excluded.privilege, wanted = 1",
        params![instance, account, database, word(privilege)],
    )?;
    Ok(())
}

/// The rights in an instance, those that are taken back too.
pub fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Grant>, ApiError> {
    let sql = "SELECT account, database_name, privilege, wanted FROM rds_grant WHERE instance = ?1
               ORDER BY account, database_name";
    let rows: Vec<(String, String, String, bool)> = tx.query(sql, params![instance], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let understood = |(account, database, privilege, wanted): (String, String, String, bool)| {
        let privilege = read(&format!("\"{privilege}\""))?;
        Ok(Grant { account, database, privilege, wanted })
    };
    rows.into_iter().map(understood).collect()
}

/// One right is to be taken back. True where there was one.
pub fn retire(
    tx: &mut Tx<'_>,
    instance: &str,
    account: &str,
    database: &str,
) -> Result<bool, ApiError> {
    let sql = "UPDATE rds_grant SET wanted = 0
               WHERE instance = ?1 AND account = ?2 AND database_name = ?3 AND wanted = 1";
    Ok(tx.execute(sql, params![instance, account, database])? > 0)
}

/// All rights of an account that goes are to be taken back.
pub fn retire_account(tx: &mut Tx<'_>, instance: &str, account: &str) -> Result<(), ApiError> {
    let sql = "UPDATE rds_grant SET wanted = 0 WHERE instance = ?1 AND account = ?2";
    tx.execute(sql, params![instance, account])?;
    Ok(())
}

/// All rights in a database that goes are to be taken back.
pub fn retire_database(tx: &mut Tx<'_>, instance: &str, database: &str) -> Result<(), ApiError> {
    let sql = "UPDATE rds_grant SET wanted = 0 WHERE instance = ?1 AND database_name = ?2";
    tx.execute(sql, params![instance, database])?;
    Ok(())
}

/// The server gives all that are wanted, and none of the others.
pub fn settle(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_grant WHERE instance = ?1 AND wanted = 0", params![instance])?;
    Ok(())
}

/// Removes all of an instance that is gone.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_grant WHERE instance = ?1", params![instance])?;
    Ok(())
}
