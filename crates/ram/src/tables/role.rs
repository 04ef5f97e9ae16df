//! Roles.

use base::{AccountId, ApiError, Time};
use store::{Error, Row, Tx, Value, params};

use super::Change;
use super::tag::{self, TagFilter};

/// One role.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) trust: String,
    /// The longest session, seconds.
    pub(crate) max_session: u32,
    pub(crate) console_login: bool,
    pub(crate) created: Time,
    pub(crate) updated: Time,
}

const COLUMNS: &str = "id, name, description, trust, max_session, console_login, created, updated";

fn read(row: &Row<'_>) -> Result<Role, Error> {
    Ok(Role {
        id: row.get(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        trust: row.get(3)?,
        max_session: row.get(4)?,
        console_login: row.get(5)?,
        created: row.get(6)?,
        updated: row.get(7)?,
    })
}

/// Adds a role; false where the name is taken.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    account: AccountId,
    role: &Role,
) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_role (id, account, name, description, trust, max_session, console_login, created, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        params![
            &role.id,
            account,
            &role.name,
            &role.description,
            &role.trust,
            role.max_session,
            role.console_login,
            role.created,
            role.updated
        ],
    )
}

pub(crate) fn find(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
) -> Result<Option<Role>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM ram_role WHERE account = ?1 AND name = ?2");
    Ok(tx.query_opt(&sql, params![account, name], read)?)
}

/// What a session of a role needs to know of it.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) name: String,
    pub(crate) suspended: bool,
    pub(crate) operator: bool,
}

/// A role by its id.
pub(crate) fn standing(tx: &mut Tx<'_>, id: &str) -> Result<Option<Standing>, ApiError> {
    let found = tx.query_opt(
        "SELECT r.name, a.suspended, a.operator FROM ram_role r JOIN ram_account a ON a.id = r.account WHERE r.id = ?1",
        params![id],
        |row| Ok(Standing { name: row.get(0)?, suspended: row.get(1)?, operator: row.get(2)? }),
    )?;
    Ok(found)
}

/// Roles by name, after `after`, that have all of `tags`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: &str,
    tags: &[TagFilter],
    limit: usize,
) -> Result<Vec<Role>, ApiError> {
    let mut values = vec![Value::from(account), Value::from(after), Value::from(limit)];
    let filter = tag::having(tag::ROLE, tags, "ram_role", &mut values);
    let sql = format!(
        "SELECT {COLUMNS} FROM ram_role WHERE account = ?1 AND name > ?2{filter} ORDER BY name LIMIT ?3"
    );
    Ok(tx.query(&sql, &values, read)?)
}

/// Writes everything of a role that can change.
pub(crate) fn update(change: &mut Change<'_, '_>, role: &Role) -> Result<bool, ApiError> {
    change.execute(
        "UPDATE ram_role SET description = ?2, trust = ?3, max_session = ?4, console_login = ?5, updated = ?6
         WHERE id = ?1",
        params![&role.id, &role.description, &role.trust, role.max_session, role.console_login, role.updated],
    )
}

pub(crate) fn delete(change: &mut Change<'_, '_>, id: &str) -> Result<bool, ApiError> {
    change.execute("DELETE FROM ram_role WHERE id = ?1", params![id])
}
