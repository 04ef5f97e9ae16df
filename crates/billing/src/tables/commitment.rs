//! `billing_due` and `billing_commitment`: days to commit to, and what was committed to.

use base::{AccountId, ApiError, Time};
use store::{Tx, params};

/// Notes that something of a day was billed.
pub fn note_due(tx: &mut Tx<'_>, account: AccountId, day: i64) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO billing_due (account, day) VALUES (?1, ?2) ON CONFLICT (account, day) DO NOTHING",
        params![account, day],
    )?;
    Ok(())
}

/// The first such day that begins before `until`.
pub fn due(tx: &mut Tx<'_>, account: AccountId, until: i64) -> Result<Option<i64>, ApiError> {
    let sql = "SELECT MIN(day) FROM billing_due WHERE account = ?1 AND day < ?2";
    Ok(tx.query_opt(sql, params![account, until], |row| row.get::<Option<i64>>(0))?.flatten())
}

/// Strikes a day off; false where it was not on the list.
pub fn strike(tx: &mut Tx<'_>, account: AccountId, day: i64) -> Result<bool, ApiError> {
    let sql = "DELETE FROM billing_due WHERE account = ?1 AND day = ?2";
    Ok(tx.execute(sql, params![account, day])? == 1)
}

/// The number that the day's next commitment gets: 1 for the first.
pub fn next_revision(tx: &mut Tx<'_>, account: AccountId, day: i64) -> Result<i64, ApiError> {
    let sql = "SELECT COALESCE(MAX(revision), 0) + 1 FROM billing_commitment
         WHERE account = ?1 AND day = ?2";
    Ok(tx.query_opt(sql, params![account, day], |row| row.get(0))?.unwrap_or(1))
}

/// Keeps what was committed to: (revision, digest of the usage, digest of the lines).
pub fn insert(
    tx: &mut Tx<'_>,
    account: AccountId,
    day: i64,
    (revision, usage, bill): (i64, &str, &str),
    now: Time,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO billing_commitment (account, day, revision, usage_digest, bill_digest, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![account, day, revision, usage, bill, now],
    )?;
    Ok(())
}
