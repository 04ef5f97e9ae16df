//! The keys of accounts that bytes at rest are encrypted under, sealed under the master key.

use base::{AccountId, ApiError, Time};
use store::{Tx, params};

use super::damaged;

/// Stores a new key of an account; returns its number.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    account: AccountId,
    sealed: &[u8],
    now: Time,
) -> Result<i64, ApiError> {
    let id = tx.query_opt(
        "INSERT INTO oss_key (account, created_at, sealed) VALUES (?1, ?2, ?3) RETURNING id",
        params![account, now, sealed],
        |row| row.get(0),
    )?;
    id.ok_or_else(|| damaged("no number for a key"))
}

/// The newest key of an account, and its number.
pub(crate) fn newest(
    tx: &mut Tx<'_>,
    account: AccountId,
) -> Result<Option<(i64, Vec<u8>)>, ApiError> {
    Ok(tx.query_opt(
        "SELECT id, sealed FROM oss_key WHERE account = ?1 ORDER BY id DESC LIMIT 1",
        params![account],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?)
}

/// The key of that number, and whose it is.
pub(crate) fn find(tx: &mut Tx<'_>, id: i64) -> Result<Option<(AccountId, Vec<u8>)>, ApiError> {
    Ok(tx.query_opt("SELECT account, sealed FROM oss_key WHERE id = ?1", params![id], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?)
}
