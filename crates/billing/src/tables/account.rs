//! `billing_account`: how far an account is billed; `billing_late`: closed hours to look at again.

use base::{AccountId, ApiError};
use store::{Tx, params};

use crate::month::Month;

/// How far an account is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Hours before this second have been closed.
    pub closed: i64,
    /// The first month without a final bill.
    pub open_month: Month,
    /// The month and amount noted last with the agreement.
    pub spent: (i64, i64),
}

/// How far the account is billed; `None` before it was looked at for the first time.
pub fn find(tx: &mut Tx<'_>, account: AccountId) -> Result<Option<State>, ApiError> {
    let sql =
        "SELECT closed, open_month, spent_month, spent FROM billing_account WHERE account = ?1";
    let read = |row: &store::Row<'_>| {
        let open_month = Month::stored(row.get(1)?);
        Ok(State { closed: row.get(0)?, open_month, spent: (row.get(2)?, row.get(3)?) })
    };
    Ok(tx.query_opt(sql, params![account], read)?)
}

/// Keeps how far it is billed.
pub fn store(tx: &mut Tx<'_>, account: AccountId, state: &State) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO billing_account (account, closed, open_month, spent_month, spent)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account) DO UPDATE SET closed = excluded.closed, open_month = excluded.open_month,
             spent_month = excluded.spent_month, spent = excluded.spent",
        params![account, state.closed, state.open_month.start(), state.spent.0, state.spent.1],
    )?;
    Ok(())
}

/// Notes that something was added in an hour that is closed.
pub fn note_late(tx: &mut Tx<'_>, account: AccountId, hour: i64) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO billing_late (account, hour) VALUES (?1, ?2) ON CONFLICT (account, hour) DO NOTHING",
        params![account, hour],
    )?;
    Ok(())
}

/// Up to `limit` such hours before `until`, in order.
pub fn late(
    tx: &mut Tx<'_>,
    account: AccountId,
    until: i64,
    limit: usize,
) -> Result<Vec<i64>, ApiError> {
    let sql =
        "SELECT hour FROM billing_late WHERE account = ?1 AND hour < ?2 ORDER BY hour LIMIT ?3";
    Ok(tx.query(sql, params![account, until, limit], |row| row.get(0))?)
}

/// Forgets such an hour.
pub fn forget_late(tx: &mut Tx<'_>, account: AccountId, hour: i64) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM billing_late WHERE account = ?1 AND hour = ?2",
        params![account, hour],
    )?;
    Ok(())
}
