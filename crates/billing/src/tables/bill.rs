//! `billing_bill`: final bills.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

use crate::month::Month;

/// A final bill, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Its month.
    pub month: Month,
    /// ISO 4217.
    pub currency: String,
    /// Before tax, micro-units.
    pub amount: i64,
    /// The tax, micro-units.
    pub tax: i64,
    /// When it became final.
    pub at: Time,
}

fn read(row: &Row<'_>) -> Result<Bill, store::Error> {
    Ok(Bill {
        month: Month::stored(row.get(0)?),
        currency: row.get(1)?,
        amount: row.get(2)?,
        tax: row.get(3)?,
        at: row.get(4)?,
    })
}

/// Adds a final bill; there is one for each month and currency.
pub fn insert(tx: &mut Tx<'_>, account: AccountId, bill: &Bill) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO billing_bill (account, month, currency, amount, tax, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![account, bill.month.start(), &bill.currency, bill.amount, bill.tax, bill.at],
    )?;
    Ok(())
}

/// The final bill of a month.
pub fn find(
    tx: &mut Tx<'_>,
    account: AccountId,
    month: Month,
    currency: &str,
) -> Result<Option<Bill>, ApiError> {
    let sql = "SELECT month, currency, amount, tax, at FROM billing_bill
         WHERE account = ?1 AND month = ?2 AND currency = ?3";
    Ok(tx.query_opt(sql, params![account, month.start(), currency], read)?)
}

/// What the final bills before a month came to, with tax.
pub fn payable_before(
    tx: &mut Tx<'_>,
    account: AccountId,
    month: Month,
    currency: &str,
) -> Result<i64, ApiError> {
    let sql = "SELECT CAST(SUM(amount + tax) AS BIGINT) FROM billing_bill
         WHERE account = ?1 AND month < ?2 AND currency = ?3";
    let params = params![account, month.start(), currency];
    Ok(tx.query_opt(sql, params, |row| row.get::<Option<i64>>(0))?.flatten().unwrap_or_default())
}
