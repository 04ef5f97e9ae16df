//! `billing_ledger`: see [`crate::ledger`].

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

use crate::ledger::{Posting, RECEIVABLE};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Time,
    /// What for.
    pub kind: String,
    /// What made it.
    pub reference: String,
    /// By how much it changed what the tenant has.
    pub change: i64,
    /// ISO 4217.
    pub currency: String,
    /// The month of the bill.
    pub bill: i64,
    /// What the tenant has after it.
    pub balance: i64,
    /// For people.
    pub note: String,
}

impl Entry {
    fn read(row: &Row<'_>) -> Result<Self, store::Error> {
        let (credit, amount): (String, i64) = (row.get(4)?, row.get(5)?);
        Ok(Self {
            id: row.get(0)?,
            at: row.get(1)?,
            kind: row.get(2)?,
            reference: row.get(3)?,
            change: if credit == RECEIVABLE { amount } else { -amount },
            currency: row.get(6)?,
            bill: row.get(7)?,
            balance: row.get(8)?,
            note: row.get(9)?,
        })
    }
}

const COLUMNS: &str = "id, at, kind, reference, credit, amount, currency, bill, balance, note";

/// What the tenant has; less than zero where it owes.
pub fn balance(tx: &mut Tx<'_>, account: AccountId, currency: &str) -> Result<i64, ApiError> {
    let sql = "SELECT balance FROM billing_ledger WHERE account = ?1 AND currency = ?2
         ORDER BY id DESC LIMIT 1";
    Ok(tx.query_opt(sql, params![account, currency], |row| row.get(0))?.unwrap_or_default())
}

/// The currency of the account's last entry.
pub fn last_currency(tx: &mut Tx<'_>, account: AccountId) -> Result<Option<String>, ApiError> {
    let sql = "SELECT currency FROM billing_ledger WHERE account = ?1 ORDER BY id DESC LIMIT 1";
    Ok(tx.query_opt(sql, params![account], |row| row.get(0))?)
}

/// Adds an entry: (debit, credit, amount, balance).
pub fn insert(
    tx: &mut Tx<'_>,
    posting: &Posting<'_>,
    (debit, credit, amount, balance): (&str, &str, i64, i64),
    now: Time,
) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO billing_ledger (account, at, kind, reference, debit, credit, amount, currency, bill, balance, note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            posting.account,
            now,
            posting.kind.as_str(),
            posting.reference,
            debit,
            credit,
            amount,
            posting.currency,
            posting.bill.start(),
            balance,
            posting.note
        ],
    )?;
    Ok(())
}

/// The entry of that kind and reference.
pub fn find(
    tx: &mut Tx<'_>,
    account: AccountId,
    kind: &str,
    reference: &str,
) -> Result<Option<Entry>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM billing_ledger WHERE account = ?1 AND kind = ?2 AND reference = ?3"
    );
    Ok(tx.query_opt(&sql, params![account, kind, reference], Entry::read)?)
}

/// Which entries are asked for.
#[derive(Clone, Debug)]
pub struct Filter {
    /// From this moment on.
    pub from: Time,
    /// Before this moment.
    pub until: Time,
    /// Up to two kinds; empty text for all.
    pub kinds: (&'static str, &'static str),
    /// 1 for what the tenant got, -1 for what it was charged, 0 for both.
    pub flow: i64,
    /// A number; 0 for all.
    pub id: i64,
}

const WHERE: &str = "account = ?1 AND at >= ?2 AND at < ?3 AND (?4 = '' OR kind IN (?4, ?5))
     AND (?6 = 0 OR (?6 = 1 AND credit = 'receivable') OR (?6 = -1 AND debit = 'receivable'))
     AND (?7 = 0 OR id = ?7)";

/// Up to `limit` entries with numbers below `before`, newest first.
pub fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<Vec<Entry>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM billing_ledger WHERE {WHERE} AND id < ?8 ORDER BY id DESC LIMIT ?9"
    );
    let Filter { from, until, kinds, flow, id } = *filter;
    let params = params![account, from, until, kinds.0, kinds.1, flow, id, before, limit];
    Ok(tx.query(&sql, params, Entry::read)?)
}

/// How many there are of them.
pub fn count(tx: &mut Tx<'_>, account: AccountId, filter: &Filter) -> Result<i64, ApiError> {
    let sql = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM billing_ledger WHERE {WHERE}");
    let Filter { from, until, kinds, flow, id } = *filter;
    let params = params![account, from, until, kinds.0, kinds.1, flow, id];
    Ok(tx.query_opt(&sql, params, |row| row.get(0))?.unwrap_or_default())
}

/// What came in altogether: payments and credits.
pub fn paid(tx: &mut Tx<'_>, account: AccountId, currency: &str) -> Result<i64, ApiError> {
    let sql = "SELECT CAST(SUM(amount) AS BIGINT) FROM billing_ledger
         WHERE account = ?1 AND currency = ?2 AND kind IN ('payment', 'credit') AND credit = 'receivable'";
    let sum = tx.query_opt(sql, params![account, currency], |row| row.get::<Option<i64>>(0))?;
    Ok(sum.flatten().unwrap_or_default())
}

/// What was charged for one bill.
pub fn charged(
    tx: &mut Tx<'_>,
    account: AccountId,
    currency: &str,
    bill: i64,
) -> Result<i64, ApiError> {
    let sql = "SELECT CAST(SUM(CASE WHEN debit = 'receivable' THEN amount ELSE -amount END) AS BIGINT)
         FROM billing_ledger WHERE account = ?1 AND currency = ?2 AND bill = ?3 AND kind = 'charge'";
    let params = params![account, currency, bill];
    let sum = tx.query_opt(sql, params, |row| row.get::<Option<i64>>(0))?;
    Ok(sum.flatten().unwrap_or_default())
}
