//! Virtual devices for one-time passwords.

use base::{AccountId, ApiError, Time};
use store::{Error, Row, Tx, params};

use super::{Change, exists};

/// One device.
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) seed: Vec<u8>,
    pub(crate) user_id: Option<String>,
}

fn read(row: &Row<'_>) -> Result<Device, Error> {
    Ok(Device { name: row.get(0)?, seed: row.get(1)?, user_id: row.get(2)? })
}

/// What a device's seed is sealed for.
pub(crate) fn seal_context(serial_number: &str) -> String {
    format!("ram.mfa/{serial_number}")
}

/// Adds a device that nobody has yet; false where the name is taken.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    account: AccountId,
    name: &str,
    seed: &[u8],
) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_mfa_device (account, name, seed) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        params![account, name, seed],
    )
}

pub(crate) fn find(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
) -> Result<Option<Device>, ApiError> {
    let sql = "SELECT name, seed, user_id FROM ram_mfa_device WHERE account = ?1 AND name = ?2";
    Ok(tx.query_opt(sql, params![account, name], read)?)
}

pub(crate) fn of_user(tx: &mut Tx<'_>, user: &str) -> Result<Option<Device>, ApiError> {
    let sql = "SELECT name, seed, user_id FROM ram_mfa_device WHERE user_id = ?1";
    Ok(tx.query_opt(sql, params![user], read)?)
}

/// A device as lists show it.
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) activated: Option<Time>,
    /// Id, name and display name of the user it is bound to.
    pub(crate) user: Option<(String, String, String)>,
}

/// All devices of an account, by name. The API has no pages here; `limit` bounds the answer.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    limit: usize,
) -> Result<Vec<Listed>, ApiError> {
    let devices = tx.query(
        "SELECT d.name, d.activated, u.id, u.name, u.display_name
         FROM ram_mfa_device d LEFT JOIN ram_user u ON u.id = d.user_id
         WHERE d.account = ?1 ORDER BY d.name LIMIT ?2",
        params![account, limit],
        |row| {
            let user: Option<String> = row.get(2)?;
            let user = match user {
                Some(id) => Some((id, row.get(3)?, row.get(4)?)),
                None => None,
            };
            Ok(Listed { name: row.get(0)?, activated: row.get(1)?, user })
        },
    )?;
    Ok(devices)
}

/// Binds a device to a user, or to nobody.
pub(crate) fn bind(
    change: &mut Change<'_, '_>,
    account: AccountId,
    name: &str,
    user: Option<(&str, Time)>,
) -> Result<bool, ApiError> {
    let (user, activated) = user.unzip();
    change.execute(
        "UPDATE ram_mfa_device SET user_id = ?3, activated = ?4 WHERE account = ?1 AND name = ?2",
        params![account, name, user, activated],
    )
}

pub(crate) fn delete(
    change: &mut Change<'_, '_>,
    account: AccountId,
    name: &str,
) -> Result<bool, ApiError> {
    change.execute(
        "DELETE FROM ram_mfa_device WHERE account = ?1 AND name = ?2",
        params![account, name],
    )
}

pub(crate) fn user_has_one(tx: &mut Tx<'_>, user: &str) -> Result<bool, ApiError> {
    exists(tx, "SELECT 1 FROM ram_mfa_device WHERE user_id = ?1", params![user])
}
