//! Users.

use base::{AccountId, ApiError, Time};
use store::{Error, Row, Tx, params};

use super::{Change, exists};

/// One user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) mobile_phone: String,
    pub(crate) email: String,
    pub(crate) comments: String,
    pub(crate) created: Time,
    pub(crate) updated: Time,
}

const COLUMNS: &str = "id, name, display_name, mobile_phone, email, comments, created, updated";

fn read(row: &Row<'_>) -> Result<User, Error> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        display_name: row.get(2)?,
        mobile_phone: row.get(3)?,
        email: row.get(4)?,
        comments: row.get(5)?,
        created: row.get(6)?,
        updated: row.get(7)?,
    })
}

/// Adds a user; false where the name is taken.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    account: AccountId,
    user: &User,
) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_user (id, account, name, display_name, mobile_phone, email, comments, created, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        params![
            &user.id,
            account,
            &user.name,
            &user.display_name,
            &user.mobile_phone,
            &user.email,
            &user.comments,
            user.created,
            user.updated
        ],
    )
}

pub(crate) fn find(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
) -> Result<Option<User>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM ram_user WHERE account = ?1 AND name = ?2");
    Ok(tx.query_opt(&sql, params![account, name], read)?)
}

/// Users by name, after `after`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: &str,
    limit: usize,
) -> Result<Vec<User>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM ram_user WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3"
    );
    Ok(tx.query(&sql, params![account, after, limit], read)?)
}

/// Writes everything of a user that can change, its name included.
pub(crate) fn update(change: &mut Change<'_, '_>, user: &User) -> Result<bool, ApiError> {
    change.execute(
        "UPDATE ram_user SET name = ?2, display_name = ?3, mobile_phone = ?4, email = ?5, comments = ?6, updated = ?7
         WHERE id = ?1",
        params![
            &user.id,
            &user.name,
            &user.display_name,
            &user.mobile_phone,
            &user.email,
            &user.comments,
            user.updated
        ],
    )
}

pub(crate) fn delete(change: &mut Change<'_, '_>, id: &str) -> Result<bool, ApiError> {
    change.execute("DELETE FROM ram_user WHERE id = ?1", params![id])
}

pub(crate) fn has_group(tx: &mut Tx<'_>, id: &str) -> Result<bool, ApiError> {
    exists(tx, "SELECT 1 FROM ram_member WHERE user_id = ?1 LIMIT 1", params![id])
}
