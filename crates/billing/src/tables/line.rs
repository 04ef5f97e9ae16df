//! `billing_line`: the lines of bills. They are added and never changed.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

use super::BILLION;
use crate::course::Under;
use crate::month::{DAY, Month};

/// A line, its number aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The month on whose bill it is.
    pub bill: Month,
    /// The hour in which it was used.
    pub hour: i64,
    /// What was used.
    pub resource: String,
    /// By which meter.
    pub meter: String,
    /// The how-manieth time this usage was billed, from 0.
    pub revision: i64,
    /// [`CHARGE`] or [`CORRECTION`].
    pub kind: String,
    /// The product.
    pub product: String,
    /// The billing item.
    pub item: String,
    /// The release that priced it; both empty where none was in force.
    pub under: Under,
    /// ISO 4217.
    pub currency: String,
    /// The tax that its price book sets.
    pub tax_percent: u32,
    /// How much, in the meter's own units; 0 where only its place in the tiers changed.
    pub quantity: i64,
    /// The unit of the price.
    pub unit: String,
    /// How many of the meter's own units that is.
    pub unit_size: i64,
    /// The price of the last part of it, micro-units for a unit.
    pub price: i64,
    /// The parts by price: (quantity, price, amount).
    pub slices: Vec<(i64, i64, i64)>,
    /// What it costs, micro-units.
    pub amount: i64,
    /// Why it costs what it does, where that is not plain: see [`crate::close`].
    pub note: String,
    /// When it was added.
    pub at: Time,
}

/// For the first time, in its hour's own turn.
pub const CHARGE: &str = "charge";
/// For an hour that had been closed.
pub const CORRECTION: &str = "correction";

const COLUMNS: &str = "bill, hour, resource, meter, revision, kind, product, item, ocid, release, currency, tax_percent, quantity, unit, unit_size, price, slices, amount, note, at";

impl Line {
    fn read(row: &Row<'_>) -> Result<Self, store::Error> {
        let slices = serde_json::from_str(row.text(16)?)
            .map_err(|_| store::Error::Other("the slices of a line are not readable".into()))?;
        Ok(Self {
            bill: Month::stored(row.get(0)?),
            hour: row.get(1)?,
            resource: row.get(2)?,
            meter: row.get(3)?,
            revision: row.get(4)?,
            kind: row.get(5)?,
            product: row.get(6)?,
            item: row.get(7)?,
            under: Under { ocid: row.get(8)?, release: row.get(9)? },
            currency: row.get(10)?,
            tax_percent: row.get(11)?,
            quantity: row.get(12)?,
            unit: row.get(13)?,
            unit_size: row.get(14)?,
            price: row.get(15)?,
            slices,
            amount: row.get(17)?,
            note: row.get(18)?,
            at: row.get(19)?,
        })
    }
}

/// Adds a line; answers its number.
pub fn insert(tx: &mut Tx<'_>, account: AccountId, line: &Line) -> Result<i64, ApiError> {
    let slices = serde_json::to_string(&line.slices).map_err(ApiError::internal)?;
    let sql = format!(
        "INSERT INTO billing_line (account, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
             ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21) RETURNING id"
    );
    let id = tx.query_opt(
        &sql,
        params![
            account,
            line.bill.start(),
            line.hour,
            &line.resource,
            &line.meter,
            line.revision,
            &line.kind,
            &line.product,
            &line.item,
            &line.under.ocid,
            &line.under.release,
            &line.currency,
            line.tax_percent,
            line.quantity,
            &line.unit,
            line.unit_size,
            line.price,
            &slices,
            line.amount,
            &line.note,
            line.at
        ],
        |row| row.get(0),
    )?;
    id.ok_or_else(|| ApiError::internal("a line was added and has no number"))
}

/// Which lines are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The bill's month, by its first second.
    pub bill: i64,
    /// ISO 4217. Lines of hours without an agreement have none and are on the bill in any.
    pub currency: String,
    /// A product; empty for all.
    pub product: String,
    /// A resource; empty for all.
    pub resource: String,
    /// Hours from this one on.
    pub from: i64,
    /// Hours before this one.
    pub until: i64,
}

impl Filter {
    /// All lines of a bill.
    pub fn bill(bill: Month, currency: &str) -> Self {
        let (from, until) = (i64::MIN, i64::MAX);
        Self { bill: bill.start(), currency: currency.to_owned(), from, until, ..Self::default() }
    }
}

const WHERE: &str =
    "account = ?1 AND bill = ?2 AND currency IN (?3, '') AND (?4 = '' OR product = ?4)
     AND (?5 = '' OR resource = ?5) AND hour >= ?6 AND hour < ?7";

/// Up to `limit` lines with numbers above `after`, by number.
pub fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    filter: &Filter,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Line)>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS}, id FROM billing_line WHERE {WHERE} AND id > ?8 ORDER BY id LIMIT ?9"
    );
    let params = params![
        account,
        filter.bill,
        &filter.currency,
        &filter.product,
        &filter.resource,
        filter.from,
        filter.until,
        after,
        limit
    ];
    Ok(tx.query(&sql, params, |row| Ok((row.get(20)?, Line::read(row)?)))?)
}

/// All lines of what was used from `from` to `until`, on whichever bill, in no order.
pub fn used(
    tx: &mut Tx<'_>,
    account: AccountId,
    (from, until): (i64, i64),
) -> Result<Vec<Line>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM billing_line WHERE account = ?1 AND hour >= ?2 AND hour < ?3"
    );
    Ok(tx.query(&sql, params![account, from, until], Line::read)?)
}

/// By what lines are added up.
#[derive(Clone, Copy, Debug, Default)]
pub struct By {
    /// By hour.
    pub hour: bool,
    /// By day.
    pub day: bool,
    /// By product.
    pub product: bool,
    /// By billing item (and its meter and unit).
    pub item: bool,
    /// By resource.
    pub resource: bool,
    /// By release.
    pub release: bool,
}

/// Lines added up. What they were not grouped by is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The hour or day.
    pub at: i64,
    /// The product.
    pub product: String,
    /// The billing item.
    pub item: String,
    /// Its meter.
    pub meter: String,
    /// Its unit.
    pub unit: String,
    /// How many of the meter's own units that is.
    pub unit_size: i64,
    /// The resource.
    pub resource: String,
    /// The release.
    pub under: Under,
    /// In the meter's own units; without meaning unless grouped by item.
    pub quantity: i128,
    /// Micro-units.
    pub amount: i64,
    /// Of which corrections.
    pub corrections: i64,
    /// A hundred times the exact tax, micro-units.
    pub hundredfold_tax: i128,
    /// The lowest and the highest price that applied.
    pub prices: (i64, i64),
    /// The first and the last hour.
    pub hours: (i64, i64),
    /// How many lines.
    pub lines: i64,
}

/// Lines of a bill added up, in order of what they are grouped by.
pub fn groups(
    tx: &mut Tx<'_>,
    account: AccountId,
    filter: &Filter,
    by: By,
) -> Result<Vec<Group>, ApiError> {
    let day = format!("(hour / {DAY}) * {DAY}");
    let at = if by.hour { "hour" } else { &day };
    // What is selected where it is not grouped by, in the order of the columns.
    let columns = [
        (by.hour || by.day, at, "0"),
        (by.product, "product", "''"),
        (by.item, "item", "''"),
        (by.item, "meter", "''"),
        (by.item, "unit", "''"),
        (by.item, "unit_size", "1"),
        (by.resource, "resource", "''"),
        (by.release, "ocid", "''"),
        (by.release, "release", "''"),
    ];
    let chosen: Vec<&str> = columns.iter().filter(|c| c.0).map(|c| c.1).collect();
    let selected: Vec<&str> = columns.iter().map(|c| if c.0 { c.1 } else { c.2 }).collect();
    let order = if chosen.is_empty() {
        String::new()
    } else {
        format!("GROUP BY {0} ORDER BY {0}", chosen.join(", "))
    };
    let sum = |what: &str| format!("CAST(SUM({what}) AS BIGINT)");
    let sums = [
        sum(&format!("quantity / {BILLION}")),
        sum(&format!("quantity % {BILLION}")),
        sum("amount"),
        sum("CASE WHEN kind = 'correction' THEN amount ELSE 0 END"),
        sum(&format!("amount / {BILLION} * tax_percent")),
        sum(&format!("amount % {BILLION} * tax_percent")),
        "MIN(price), MAX(price), MIN(hour), MAX(hour), CAST(COUNT(*) AS BIGINT)".to_owned(),
    ];
    let (selected, sums) = (selected.join(", "), sums.join(", "));
    let sql = format!("SELECT {selected}, {sums} FROM billing_line WHERE {WHERE} {order}");
    let params = params![
        account,
        filter.bill,
        &filter.currency,
        &filter.product,
        &filter.resource,
        filter.from,
        filter.until
    ];
    let groups = tx.query(&sql, params, group)?;
    Ok(groups.into_iter().flatten().collect())
}

/// `None` for the one row that an empty list adds up to.
fn group(row: &Row<'_>) -> Result<Option<Group>, store::Error> {
    let lines = row.get(19)?;
    if lines == 0 {
        return Ok(None);
    }
    let wide = |at: usize| -> Result<i128, store::Error> {
        Ok(i128::from(row.get::<i64>(at)?) * BILLION + i128::from(row.get::<i64>(at + 1)?))
    };
    Ok(Some(Group {
        at: row.get(0)?,
        product: row.get(1)?,
        item: row.get(2)?,
        meter: row.get(3)?,
        unit: row.get(4)?,
        unit_size: row.get(5)?,
        resource: row.get(6)?,
        under: Under { ocid: row.get(7)?, release: row.get(8)? },
        quantity: wide(9)?,
        amount: row.get(11)?,
        corrections: row.get(12)?,
        hundredfold_tax: wide(13)?,
        prices: (row.get(15)?, row.get(16)?),
        hours: (row.get(17)?, row.get(18)?),
        lines,
    }))
}

/// The first month from `from` on whose bill has a line.
pub fn first_bill(
    tx: &mut Tx<'_>,
    account: AccountId,
    from: Month,
) -> Result<Option<Month>, ApiError> {
    let sql = "SELECT MIN(bill) FROM billing_line WHERE account = ?1 AND bill >= ?2";
    let first =
        tx.query_opt(sql, params![account, from.start()], |row| row.get::<Option<i64>>(0))?;
    Ok(first.flatten().map(Month::stored))
}

/// The currencies on a bill.
pub fn currencies(
    tx: &mut Tx<'_>,
    account: AccountId,
    bill: Month,
) -> Result<Vec<String>, ApiError> {
    let sql = "SELECT DISTINCT currency FROM billing_line
         WHERE account = ?1 AND bill = ?2 AND currency <> '' ORDER BY currency";
    Ok(tx.query(sql, params![account, bill.start()], |row| row.get(0))?)
}

/// What the hours of a month came to, on whichever bills.
pub fn sum_of_hours(
    tx: &mut Tx<'_>,
    account: AccountId,
    (from, until): (i64, i64),
) -> Result<i64, ApiError> {
    let sql = "SELECT CAST(SUM(amount) AS BIGINT) FROM billing_line
         WHERE account = ?1 AND hour >= ?2 AND hour < ?3";
    let params = params![account, from, until];
    Ok(tx.query_opt(sql, params, |row| row.get::<Option<i64>>(0))?.flatten().unwrap_or_default())
}
