//! Usage, lines and commitments of one month, from the cloud or from the files that `awan bill export`
//! writes. Both give the same, so a bill is checked in one way.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};
use base::{Clock, SystemClock, Time};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::month::Month;
use crate::api::{self, Api};
use crate::error::Error;

/// What the audit row of a daily commitment is called.
pub(crate) const COMMIT: &str = "awan:CommitUsage";

/// What was used of a resource in an hour, in the meter's own units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    #[serde(alias = "Resource")]
    pub resource: String,
    #[serde(alias = "Meter")]
    pub meter: String,
    /// The hour's start.
    #[serde(alias = "Hour")]
    pub hour: String,
    #[serde(alias = "Quantity")]
    pub quantity: i64,
}

/// A line of a bill, as `ListBillLines` tells it. Amounts are micro-units.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Line {
    pub line_id: i64,
    /// The month on whose bill it is.
    #[serde(default)]
    pub bill: String,
    pub hour: String,
    pub resource: String,
    pub meter: String,
    #[serde(default)]
    pub item: String,
    #[serde(default)]
    pub correction: bool,
    pub revision: i64,
    pub quantity: i64,
    #[serde(default)]
    pub unit: String,
    #[serde(default = "one")]
    pub unit_size: i64,
    pub amount_micro: i64,
    pub currency: String,
    pub ocid: String,
    pub release_id: String,
    /// `NoPrice`, `NoAgreement`, `TiersMoved`, or empty.
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub tiers: Tiers,
}

const fn one() -> i64 {
    1
}

/// The parts of a line's quantity to which one price each applied.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tiers {
    #[serde(default)]
    pub tier: Vec<Tier>,
}

/// One such part.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tier {
    pub quantity: i64,
    pub price_micro: i64,
    pub amount_micro: i64,
}

/// What the cloud states of a month's bill, as `GetBill` tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Stated {
    pub account_id: String,
    pub month: String,
    pub currency: String,
    /// `Open` or `Final`.
    pub status: String,
    /// Hours before this one are billed.
    #[serde(default)]
    pub billed_until: Option<String>,
    pub amount_micro: i64,
    pub tax_micro: i64,
}

/// The file of a bill.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Bill {
    pub stated: Stated,
    /// The lines on the bill, and those on later bills for hours of the month.
    pub lines: Vec<Line>,
    /// The audit rows of the daily commitments, with what opens them.
    pub commitments: Vec<Value>,
}

/// A month's bill, grouped as asked, with all its groups; the current month unless named.
///
/// # Errors
/// Where the cloud refuses.
pub(crate) fn bill(api: &Api, month: Option<&str>, group_by: &str) -> Result<Value> {
    let mut params = vec![("GroupBy", group_by)];
    params.extend(month.map(|month| ("Month", month)));
    let mut bill = Value::Null;
    let read = api::pages(api, api::AWAN, "GetBill", &params, |page| {
        if bill.is_null() {
            bill = page.clone();
        } else if let (Some(all), Some(more)) =
            (bill["Groups"]["Group"].as_array_mut(), page["Groups"]["Group"].as_array())
        {
            all.extend(more.iter().cloned());
        }
        ControlFlow::Continue(())
    });
    read.context("ask for the bill")?;
    Ok(bill)
}

/// What was used in a month.
///
/// # Errors
/// Where the cloud refuses.
pub(crate) fn usage(api: &Api, month: &Month) -> Result<Vec<Usage>> {
    let (from, until) = (month.start().iso(), month.end().iso());
    let items = crate::usage::read(api, &[("From", &from), ("Until", &until)]);
    items.context("list the usage")?.into_iter().map(typed).collect()
}

/// The lines on a month's bill.
///
/// # Errors
/// Where the cloud refuses.
pub(crate) fn lines(api: &Api, month: &Month, more: api::Params<'_>) -> Result<Vec<Line>> {
    let params: Vec<_> = [("Month", month.as_str()), ("MaxResults", "1000")]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    let mut lines: Vec<Value> = Vec::new();
    let read = api::pages(api, api::AWAN, "ListBillLines", &params, |page| {
        lines.extend(page["Lines"]["Line"].as_array().into_iter().flatten().cloned());
        ControlFlow::Continue(())
    });
    read.context("list the lines of the bill")?;
    let line = |value| typed(value).map(|line| Line { bill: month.as_str().to_owned(), ..line });
    lines.into_iter().map(line).collect()
}

/// Everything that a month's bill is checked with.
///
/// # Errors
/// Where the cloud refuses.
pub(crate) fn fetch(api: &Api, month: &Month) -> Result<Bill> {
    let stated: Stated = typed(bill(api, Some(month.as_str()), "Product")?)?;
    let mut all = lines(api, month, &[])?;
    // What was late for the month is on the bills after it.
    let (from, until) = (month.start().iso(), month.end().iso());
    let last = Month::of(SystemClock.now());
    let mut later = month.next();
    while later <= last {
        all.extend(lines(api, &later, &[("From", &from), ("Until", &until)])?);
        later = later.next();
    }
    Ok(Bill { stated, lines: all, commitments: commitments(api, month)? })
}

/// The audit rows of the commitments to the days of a month, newest first.
fn commitments(api: &Api, month: &Month) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let read = api::pages(api, api::AWAN, "ListAuditEntries", &[("MaxResults", "1000")], |page| {
        let mut before = false;
        for entry in api::items(page) {
            if entry["Action"] == COMMIT
                && day_of(entry).is_some_and(|day| day.starts_with(month.as_str()))
            {
                rows.push(entry.clone());
            }
            let at = entry["At"].as_str().and_then(Time::parse_iso);
            before |= at.is_some_and(|at| at < month.start());
        }
        if before { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    read.context("list the audit trail")?;
    Ok(rows)
}

/// What a commitment's row says beside its statement.
pub(crate) fn detail_of(row: &Value) -> Option<Value> {
    let statement: Value = serde_json::from_str(row["Statement"].as_str()?).ok()?;
    serde_json::from_str(statement["detail"].as_str()?).ok()
}

fn day_of(row: &Value) -> Option<String> {
    detail_of(row)?["day"].as_str().map(str::to_owned)
}

/// Reads a file that `awan bill export` wrote.
///
/// # Errors
/// Where it cannot be read, or is something else.
pub(crate) fn from_file<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not what `awan bill export` writes", file.display()))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    let read = serde_json::from_value(value);
    read.map_err(|error| Error::Corrupt(format!("an answer of another form: {error}")).into())
}
