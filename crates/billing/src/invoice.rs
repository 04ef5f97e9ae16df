//! Final bills. A month's bill becomes final on the third day of the next month at noon (UTC), when all
//! its hours are closed. Tax is reckoned then, on the sum, and rounded once. What arrives later is a
//! correction on the next bill.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, ApiError, Time};
use engine::ports::Covenant;
use engine::{Cx, Meta};
use store::Tx;
use terms::InForce;
use terms::prices::{self, Period};

use crate::course::Under;
use crate::ledger::{self, Kind, Posting};
use crate::month::{DAY, HOUR, Month};
use crate::pricing::{Pricing, under};
use crate::tables::account::{self, State};
use crate::tables::bill::{self, Bill};
use crate::tables::line::{self, By, Filter};
use crate::tables::{ledger as entries, rated, sum};

/// What the audit row of a final bill is called.
pub const META: Meta = Meta::write("awan", "2026-01-01", "CloseBill");

/// How long after its end a month becomes final.
pub const FINAL_AFTER: i64 = 2 * DAY + 12 * HOUR;

/// What is to be done about an account's months.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// No bill before this month has a line: pass over them.
    PassTo(Month),
    /// This month's bill becomes final.
    Close(Month),
}

/// What is due.
pub fn due(tx: &mut Tx<'_>, account: AccountId, now: Time) -> Result<Due, ApiError> {
    let Some(state) = account::find(tx, account)? else { return Ok(Due::Nothing) };
    let limit = Month::of(state.closed.min(now.secs() - FINAL_AFTER));
    if limit <= state.open_month {
        return Ok(Due::Nothing);
    }
    let first = line::first_bill(tx, account, state.open_month)?.unwrap_or(limit);
    Ok(if first == state.open_month { Due::Close(first) } else { Due::PassTo(first.min(limit)) })
}

/// Passes over months without lines.
pub fn pass_to(tx: &mut Tx<'_>, account: AccountId, month: Month) -> Result<(), ApiError> {
    let Some(state) = account::find(tx, account)? else { return Ok(()) };
    let open_month = state.open_month.max(month);
    account::store(tx, account, &State { open_month, ..state })
}

/// Makes a month's bill final.
pub fn close(cx: &mut Cx<'_>, account: AccountId, month: Month) -> Result<(), ApiError> {
    let now = cx.now;
    let state = account::find(cx.tx(), account)?
        .filter(|state| state.open_month == month)
        .ok_or_else(|| ApiError::internal("the bill is final already"))?;
    cx.audit_account(account);
    cx.audit_resource(format!("acs:awan:*:{account}:bill/{}", month.text()));
    cx.public("tenant", account.to_string());
    cx.public("month", month.text());
    let currencies = line::currencies(cx.tx(), account, month)?;
    let (mut amounts, mut taxes) = (Vec::new(), Vec::new());
    for currency in &currencies {
        let (amount, tax) = totals(cx.tx(), account, month, currency)?;
        let bill = Bill { month, currency: currency.clone(), amount, tax, at: now };
        bill::insert(cx.tx(), account, &bill)?;
        let posting = Posting {
            account,
            kind: Kind::Tax,
            reference: &format!("{} {currency}", month.text()),
            amount: tax,
            currency,
            bill: month,
            note: "tax",
        };
        ledger::post(cx.tx(), &posting, now)?;
        amounts.push(amount.to_string());
        taxes.push(tax.to_string());
    }
    cx.audit_detail("currency", currencies.join(","));
    cx.audit_detail("amount", amounts.join(","));
    cx.audit_detail("tax", taxes.join(","));
    account::store(cx.tx(), account, &State { open_month: month.next(), ..state })
}

/// What a bill's lines add up to so far, and the tax on that.
pub fn totals(
    tx: &mut Tx<'_>,
    account: AccountId,
    month: Month,
    currency: &str,
) -> Result<(i64, i64), ApiError> {
    let groups = line::groups(tx, account, &Filter::bill(month, currency), By::default())?;
    let Some(all) = groups.first() else { return Ok((0, 0)) };
    let tax = prices::tax(&[(all.hundredfold_tax, 1)]);
    let tax = i64::try_from(tax).map_err(|_| ApiError::internal("a tax beyond 64 bits"))?;
    Ok((all.amount, tax))
}

/// Checks a month before its bill becomes final: what its hours were billed must be what the month
/// costs when it is computed at once from the usage, and the ledger must say the same as the lines.
///
/// # Errors
/// What does not fit; a bill that nobody could repeat must not become final.
pub fn reconcile(
    tx: &mut Tx<'_>,
    covenant: &dyn Covenant,
    account: AccountId,
    month: Month,
) -> Result<(), ApiError> {
    let wanted = whole(tx, covenant, account, month)?;
    let hours = (month.start(), month.end());
    let lines = i128::from(line::sum_of_hours(tx, account, hours)?);
    let sums: i128 =
        sum::list(tx, account, month, None)?.iter().map(|sum| i128::from(sum.amount)).sum();
    if lines != wanted || sums != wanted {
        return Err(ApiError::internal(format!(
            "{} of {account}: lines {lines}, sums {sums}, recomputed {wanted}",
            month.text()
        )));
    }
    for currency in line::currencies(tx, account, month)? {
        let (amount, _) = totals(tx, account, month, &currency)?;
        let entered = entries::charged(tx, account, &currency, month.start())?;
        if amount != entered {
            return Err(ApiError::internal(format!(
                "{} of {account}: the bill says {amount} {currency}, the ledger {entered}",
                month.text()
            )));
        }
    }
    Ok(())
}

/// What the usage of a month costs, computed at once from usage and agreements.
pub fn whole(
    tx: &mut Tx<'_>,
    covenant: &dyn Covenant,
    account: AccountId,
    month: Month,
) -> Result<i128, ApiError> {
    let mut pricing = Pricing::new(covenant, account);
    let mut used: Vec<(Under, Arc<InForce>, BTreeMap<String, i128>)> = Vec::new();
    // In order of the hours, and so of the releases.
    for ((hour, meter), quantity) in rated::month(tx, account, (month.start(), month.end()))? {
        let Some(in_force) = pricing.at(tx, hour)? else { continue };
        let name = under(&in_force);
        let at = used.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            used.push((name, in_force, BTreeMap::new()));
            used.len() - 1
        });
        *used[at].2.entry(meter).or_default() += quantity;
    }
    let periods: Vec<Period<'_>> = used
        .iter()
        .map(|(_, in_force, used)| Period { book: &in_force.terms.price_book, used })
        .collect();
    Ok(prices::month(&periods).iter().flat_map(BTreeMap::values).sum())
}
