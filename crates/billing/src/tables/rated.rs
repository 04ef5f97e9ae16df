//! `usage_rated`: how much of each line of usage is billed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use base::{AccountId, ApiError};
use store::{Tx, params};

/// A line of usage of which something is not billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrated {
    /// When.
    pub hour: i64,
    /// What.
    pub resource: String,
    /// By which meter.
    pub meter: String,
    /// How much there is.
    pub quantity: i64,
    /// How much of it is billed; `None` where nothing ever was.
    pub rated: Option<i64>,
    /// How often it was billed.
    pub revision: i64,
}

/// What is not billed of the hours from `from` (inclusive) to `until` (exclusive).
pub fn unrated(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: i64,
    until: i64,
) -> Result<Vec<Unrated>, ApiError> {
    let sql = "SELECT u.hour, u.resource, u.meter, u.quantity, r.quantity, COALESCE(r.revision, -1) + 1
         FROM usage_count u LEFT JOIN usage_rated r ON r.account = u.account
             AND r.resource = u.resource AND r.meter = u.meter AND r.hour = u.hour
         WHERE u.account = ?1 AND u.hour >= ?2 AND u.hour < ?3 AND u.quantity <> COALESCE(r.quantity, 0)
         ORDER BY u.hour, u.resource, u.meter";
    Ok(tx.query(sql, params![account, from, until], |row| {
        Ok(Unrated {
            hour: row.get(0)?,
            resource: row.get(1)?,
            meter: row.get(2)?,
            quantity: row.get(3)?,
            rated: row.get(4)?,
            revision: row.get(5)?,
        })
    })?)
}

/// Notes that all of it is billed now.
pub fn store(tx: &mut Tx<'_>, account: AccountId, row: &Unrated) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO usage_rated (account, resource, meter, hour, quantity, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (account, resource, meter, hour)
         DO UPDATE SET quantity = excluded.quantity, revision = excluded.revision",
        params![account, &row.resource, &row.meter, row.hour, row.quantity, row.revision],
    )?;
    Ok(())
}

/// The quantities that were used in an account's month, by hour and meter.
pub fn month(
    tx: &mut Tx<'_>,
    account: AccountId,
    (from, until): (i64, i64),
) -> Result<BTreeMap<(i64, String), i128>, ApiError> {
    let sql = "SELECT hour, meter, quantity FROM usage_count
         WHERE account = ?1 AND hour >= ?2 AND hour < ?3";
    let mut sums = BTreeMap::new();
    tx.visit(sql, params![account, from, until], |row| {
        *sums.entry((row.get(0)?, row.get(1)?)).or_default() += i128::from(row.get::<i64>(2)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(sums)
}

/// The first hour in which something of a resource was billed.
pub fn first_hour(
    tx: &mut Tx<'_>,
    account: AccountId,
    resource: &str,
) -> Result<Option<i64>, ApiError> {
    let sql = "SELECT MIN(hour) FROM usage_rated WHERE account = ?1 AND resource = ?2";
    Ok(tx.query_opt(sql, params![account, resource], |row| row.get::<Option<i64>>(0))?.flatten())
}
