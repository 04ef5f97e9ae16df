//! Access keys, of users and of accounts themselves.

use base::{AccountId, ApiError, Secret, Time};
use engine::seal::Seal;
use store::{Tx, params};

use super::{Change, count};
use crate::ids;

/// The owner of keys that stand for the account itself.
pub(crate) const ROOT: &str = "";

/// One access key, without its secret.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) active: bool,
    pub(crate) created: Time,
    pub(crate) last_used: Option<Time>,
}

/// A key just made, with its secret.
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) secret: Secret<String>,
    pub(crate) created: Time,
}

/// Whom a key stands for, and its state.
pub(crate) struct Material {
    pub(crate) account: AccountId,
    /// The user's id and name; `None` for the account itself.
    pub(crate) user: Option<(String, String)>,
    pub(crate) secret: Vec<u8>,
    pub(crate) active: bool,
    pub(crate) suspended: bool,
    pub(crate) operator: bool,
}

/// What a key's secret is sealed for.
pub(crate) fn seal_context(id: &str) -> String {
    format!("ram.key/{id}")
}

/// Makes a key for a user (by id) or for the account ([`ROOT`]).
pub(crate) fn create(
    change: &mut Change<'_, '_>,
    seal: &Seal,
    account: AccountId,
    owner: &str,
    now: Time,
) -> Result<NewKey, ApiError> {
    let rng = change.rng();
    let key = NewKey { id: ids::access_key(rng), secret: ids::secret(rng), created: now };
    insert(change, seal, account, owner, &key)?;
    Ok(key)
}

/// Adds a key that was drawn elsewhere.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    seal: &Seal,
    account: AccountId,
    owner: &str,
    key: &NewKey,
) -> Result<(), ApiError> {
    let sealed = seal.seal(&seal_context(&key.id), key.secret.expose().as_bytes());
    change.execute(
        "INSERT INTO ram_access_key (id, account, owner, secret, active, created) VALUES (?1, ?2, ?3, ?4, 1, ?5)",
        params![&key.id, account, owner, &sealed, key.created],
    )?;
    Ok(())
}

/// An owner's keys, oldest first.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    owner: &str,
) -> Result<Vec<AccessKey>, ApiError> {
    let keys = tx.query(
        "SELECT id, active, created, last_used FROM ram_access_key WHERE account = ?1 AND owner = ?2
         ORDER BY created, id",
        params![account, owner],
        |row| {
            Ok(AccessKey { id: row.get(0)?, active: row.get(1)?, created: row.get(2)?, last_used: row.get(3)? })
        },
    )?;
    Ok(keys)
}

pub(crate) fn count_of(
    tx: &mut Tx<'_>,
    account: AccountId,
    owner: &str,
) -> Result<usize, ApiError> {
    let sql =
        "SELECT CAST(COUNT(*) AS BIGINT) FROM ram_access_key WHERE account = ?1 AND owner = ?2";
    count(tx, sql, params![account, owner])
}

/// Enables or disables an owner's key; false where it has no such key.
pub(crate) fn set_active(
    change: &mut Change<'_, '_>,
    account: AccountId,
    owner: &str,
    id: &str,
    active: bool,
) -> Result<bool, ApiError> {
    change.execute(
        "UPDATE ram_access_key SET active = ?4 WHERE id = ?3 AND account = ?1 AND owner = ?2",
        params![account, owner, id, active],
    )
}

/// Removes an owner's key; false where it has no such key.
pub(crate) fn delete(
    change: &mut Change<'_, '_>,
    account: AccountId,
    owner: &str,
    id: &str,
) -> Result<bool, ApiError> {
    let sql = "DELETE FROM ram_access_key WHERE id = ?3 AND account = ?1 AND owner = ?2";
    change.execute(sql, params![account, owner, id])
}

/// Removes all of an owner's keys.
pub(crate) fn delete_all(
    change: &mut Change<'_, '_>,
    account: AccountId,
    owner: &str,
) -> Result<(), ApiError> {
    let sql = "DELETE FROM ram_access_key WHERE account = ?1 AND owner = ?2";
    change.execute(sql, params![account, owner])?;
    Ok(())
}

/// What signing with a key needs. A key whose user is gone stands for nobody, never for the account.
pub(crate) fn material(tx: &mut Tx<'_>, id: &str) -> Result<Option<Material>, ApiError> {
    let found = tx.query_opt(
        "SELECT k.account, k.owner, u.name, k.secret, k.active, a.suspended, a.operator
         FROM ram_access_key k JOIN ram_account a ON a.id = k.account LEFT JOIN ram_user u ON u.id = k.owner
         WHERE k.id = ?1 AND (k.owner = '' OR u.id IS NOT NULL)",
        params![id],
        |row| {
            let name: Option<String> = row.get(2)?;
            let user = match name {
                Some(name) => Some((row.get(1)?, name)),
                None => None,
            };
            Ok(Material {
                account: row.get(0)?,
                user,
                secret: row.get(3)?,
                active: row.get(4)?,
                suspended: row.get(5)?,
                operator: row.get(6)?,
            })
        },
    )?;
    Ok(found)
}

/// Notes when a key was last used. It says nothing of what the key may do, so that it draws no new
/// generation: it would empty the caches every minute.
pub(crate) fn set_last_used(tx: &mut Tx<'_>, id: &str, used: Time) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE ram_access_key SET last_used = ?2 WHERE id = ?1 AND (last_used IS NULL OR last_used < ?2)",
        params![id, used],
    )?;
    Ok(())
}
