//! Accounts, and the settings of each as a whole.

use base::{AccountId, ApiError, Time};
use store::{Error, Row, Tx, params};

use super::Change;

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) created: Time,
    pub(crate) suspended: bool,
    pub(crate) operator: bool,
}

const COLUMNS: &str = "id, name, display_name, created, suspended, operator";

fn read(row: &Row<'_>) -> Result<Account, Error> {
    Ok(Account {
        id: row.get(0)?,
        name: row.get(1)?,
        display_name: row.get(2)?,
        created: row.get(3)?,
        suspended: row.get(4)?,
        operator: row.get(5)?,
    })
}

/// Adds an account; false where its name (or, by chance, its id) is taken.
pub(crate) fn insert(change: &mut Change<'_, '_>, account: &Account) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_account (id, name, display_name, created, suspended, operator)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![
            account.id,
            &account.name,
            &account.display_name,
            account.created,
            account.suspended,
            account.operator
        ],
    )
}

pub(crate) fn find(tx: &mut Tx<'_>, id: AccountId) -> Result<Option<Account>, ApiError> {
    Ok(tx.query_opt(
        &format!("SELECT {COLUMNS} FROM ram_account WHERE id = ?1"),
        params![id],
        read,
    )?)
}

/// The account that runs this cloud.
pub(crate) fn operator(tx: &mut Tx<'_>) -> Result<Option<Account>, ApiError> {
    Ok(tx.query_opt(
        &format!("SELECT {COLUMNS} FROM ram_account WHERE operator = 1"),
        params![],
        read,
    )?)
}

/// Accounts by name, after `after`.
pub(crate) fn list(tx: &mut Tx<'_>, after: &str, limit: usize) -> Result<Vec<Account>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM ram_account WHERE name > ?1 ORDER BY name LIMIT ?2");
    Ok(tx.query(&sql, params![after, limit], read)?)
}

pub(crate) fn set_suspended(
    change: &mut Change<'_, '_>,
    id: AccountId,
    suspended: bool,
) -> Result<bool, ApiError> {
    change.execute("UPDATE ram_account SET suspended = ?2 WHERE id = ?1", params![id, suspended])
}

/// Takes note of when the tenant signed for a new root key; false where that is not later than the last.
pub(crate) fn use_signature(
    change: &mut Change<'_, '_>,
    id: AccountId,
    signed: Time,
) -> Result<bool, ApiError> {
    let sql = "UPDATE ram_account SET root_signed = ?2 WHERE id = ?1 AND root_signed < ?2";
    change.execute(sql, params![id, signed])
}

pub(crate) fn alias(tx: &mut Tx<'_>, id: AccountId) -> Result<Option<String>, ApiError> {
    let alias =
        tx.query_opt("SELECT alias FROM ram_account WHERE id = ?1", params![id], |row| row.get(0))?;
    Ok(alias.flatten())
}

/// The account that an alias belongs to.
pub(crate) fn of_alias(tx: &mut Tx<'_>, alias: &str) -> Result<Option<AccountId>, ApiError> {
    Ok(tx.query_opt("SELECT id FROM ram_account WHERE alias = ?1", params![alias], |row| {
        row.get(0)
    })?)
}

pub(crate) fn set_alias(
    change: &mut Change<'_, '_>,
    id: AccountId,
    alias: Option<&str>,
) -> Result<bool, ApiError> {
    change.execute("UPDATE ram_account SET alias = ?2 WHERE id = ?1", params![id, alias])
}

/// The JSON text of the password policy; `None` until it was set.
pub(crate) fn password_policy(tx: &mut Tx<'_>, id: AccountId) -> Result<Option<String>, ApiError> {
    let sql = "SELECT password_policy FROM ram_account WHERE id = ?1";
    Ok(tx.query_opt(sql, params![id], |row| row.get(0))?.flatten())
}

pub(crate) fn set_password_policy(
    change: &mut Change<'_, '_>,
    id: AccountId,
    text: &str,
) -> Result<bool, ApiError> {
    change.execute("UPDATE ram_account SET password_policy = ?2 WHERE id = ?1", params![id, text])
}

/// The JSON text of the security preference; `None` until it was set.
pub(crate) fn security_preference(
    tx: &mut Tx<'_>,
    id: AccountId,
) -> Result<Option<String>, ApiError> {
    let sql = "SELECT security_preference FROM ram_account WHERE id = ?1";
    Ok(tx.query_opt(sql, params![id], |row| row.get(0))?.flatten())
}

pub(crate) fn set_security_preference(
    change: &mut Change<'_, '_>,
    id: AccountId,
    text: &str,
) -> Result<bool, ApiError> {
    change
        .execute("UPDATE ram_account SET security_preference = ?2 WHERE id = ?1", params![id, text])
}
