//! `billing_sum`: what a month of a meter has come to under each release.

use base::{AccountId, ApiError};
use store::{Tx, params};

use super::wide;
use crate::course::{Period, Under};
use crate::month::Month;

/// One row; its price is found by whoever knows the agreements.
pub struct Sum {
    /// The meter.
    pub meter: String,
    /// The release.
    pub under: Under,
    /// An hour of that release.
    pub since: i64,
    /// How much was used.
    pub quantity: i128,
    /// What it costs.
    pub amount: i64,
}

/// All meters' sums of a month, or one meter's.
pub fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    month: Month,
    meter: Option<&str>,
) -> Result<Vec<Sum>, ApiError> {
    let sql = "SELECT meter, ocid, release, since, quantity, amount FROM billing_sum
         WHERE account = ?1 AND month = ?2 AND (?3 = '' OR meter = ?3) ORDER BY meter, since";
    Ok(tx.query(sql, params![account, month.start(), meter.unwrap_or_default()], |row| {
        Ok(Sum {
            meter: row.get(0)?,
            under: Under { ocid: row.get(1)?, release: row.get(2)? },
            since: row.get(3)?,
            quantity: wide(row.text(4)?)?,
            amount: row.get(5)?,
        })
    })?)
}

/// Keeps a meter's sum under a release.
pub fn store(
    tx: &mut Tx<'_>,
    account: AccountId,
    month: Month,
    meter: &str,
    period: &Period,
) -> Result<(), ApiError> {
    let amount = i64::try_from(period.amount)
        .map_err(|_| ApiError::internal("a month costs more than 64 bits hold"))?;
    tx.execute(
        "INSERT INTO billing_sum (account, month, meter, ocid, release, since, quantity, amount)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (account, month, meter, ocid, release)
         DO UPDATE SET quantity = excluded.quantity, amount = excluded.amount",
        params![
            account,
            month.start(),
            meter,
            &period.under.ocid,
            &period.under.release,
            period.since,
            &period.quantity.to_string(),
            amount
        ],
    )?;
    Ok(())
}
