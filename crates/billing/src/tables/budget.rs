//! `billing_budget` and `billing_alarm`.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

use crate::month::Month;

/// A budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Unique for the account.
    pub name: String,
    /// For a month, micro-units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// At how many percent of it an alarm is raised, lowest first.
    pub thresholds: Vec<u32>,
    /// When it was set.
    pub at: Time,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The budget's name.
    pub name: String,
    /// The month.
    pub month: Month,
    /// Percent of the budget.
    pub threshold: u32,
    /// The budget then, micro-units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// What the month had come to.
    pub spent: i64,
    /// When.
    pub at: Time,
}

/// Makes a budget, or changes the one of that name.
pub fn store(tx: &mut Tx<'_>, account: AccountId, budget: &Budget) -> Result<(), ApiError> {
    let thresholds = serde_json::to_string(&budget.thresholds).map_err(ApiError::internal)?;
    tx.execute(
        "INSERT INTO billing_budget (account, name, amount, currency, thresholds, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (account, name) DO UPDATE SET amount = excluded.amount,
             currency = excluded.currency, thresholds = excluded.thresholds, at = excluded.at",
        params![account, &budget.name, budget.amount, &budget.currency, &thresholds, budget.at],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Budget, store::Error> {
    let thresholds = serde_json::from_str(row.text(3)?)
        .map_err(|_| store::Error::Other("the thresholds of a budget are not readable".into()))?;
    Ok(Budget {
        name: row.get(0)?,
        amount: row.get(1)?,
        currency: row.get(2)?,
        thresholds,
        at: row.get(4)?,
    })
}

/// Up to `limit` budgets of an account with names after `after`, by name.
pub fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: &str,
    limit: usize,
) -> Result<Vec<Budget>, ApiError> {
    let sql = "SELECT name, amount, currency, thresholds, at FROM billing_budget
         WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    Ok(tx.query(sql, params![account, after, limit], read)?)
}

/// Removes one; false where there is none of that name. Its alarms stay.
pub fn delete(tx: &mut Tx<'_>, account: AccountId, name: &str) -> Result<bool, ApiError> {
    let sql = "DELETE FROM billing_budget WHERE account = ?1 AND name = ?2";
    Ok(tx.execute(sql, params![account, name])? == 1)
}

/// Adds an alarm; false where it was raised before.
pub fn raise(tx: &mut Tx<'_>, account: AccountId, alarm: &Alarm) -> Result<bool, ApiError> {
    let sql =
        "INSERT INTO billing_alarm (account, name, month, threshold, amount, currency, spent, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (account, name, month, threshold, amount) DO NOTHING";
    let (month, at) = (alarm.month.start(), alarm.at);
    let (name, currency) = (&alarm.name, &alarm.currency);
    let params =
        params![account, name, month, alarm.threshold, alarm.amount, currency, alarm.spent, at];
    Ok(tx.execute(sql, params)? == 1)
}

/// Whether an alarm was raised for that budget amount, month and threshold.
pub fn raised(
    tx: &mut Tx<'_>,
    account: AccountId,
    (name, amount): (&str, i64),
    month: Month,
    threshold: u32,
) -> Result<bool, ApiError> {
    let sql = "SELECT 1 FROM billing_alarm
         WHERE account = ?1 AND name = ?2 AND month = ?3 AND threshold = ?4 AND amount = ?5";
    let params = params![account, name, month.start(), threshold, amount];
    Ok(tx.query_opt(sql, params, |row| row.get::<i64>(0))?.is_some())
}

/// Up to `limit` alarms with numbers below `before`, newest first, each with its number.
pub fn alarms(
    tx: &mut Tx<'_>,
    account: AccountId,
    before: i64,
    limit: usize,
) -> Result<Vec<(i64, Alarm)>, ApiError> {
    let sql = "SELECT id, name, month, threshold, amount, currency, spent, at FROM billing_alarm
         WHERE account = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    Ok(tx.query(sql, params![account, before, limit], |row| {
        let alarm = Alarm {
            name: row.get(1)?,
            month: Month::stored(row.get(2)?),
            threshold: row.get(3)?,
            amount: row.get(4)?,
            currency: row.get(5)?,
            spent: row.get(6)?,
            at: row.get(7)?,
        };
        Ok((row.get(0)?, alarm))
    })?)
}
