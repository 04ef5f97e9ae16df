//! What the month has come to so far, the open hours included, and what it may come to. Both are
//! estimates in the sense that nothing is entered anywhere; their arithmetic is that of the bill.

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, ApiError, Time};
use engine::meter;
use engine::ports::Covenant;
use store::Tx;

use crate::course::Course;
use crate::month::{Month, hour_of};
use crate::pricing::{Pricing, currency, under};
use crate::tables::account;

/// The month so far.
pub struct Estimate {
    /// The month.
    pub month: Month,
    /// The currency of the agreement; other currencies are left out.
    pub currency: String,
    /// What the usage of the month has come to, micro-units.
    pub amount: i64,
    /// What of it lies in hours that are not closed, by hour.
    pub open: BTreeMap<i64, i64>,
    /// Each meter's month.
    courses: BTreeMap<String, Course>,
}

/// What the current month has come to.
pub fn so_far(
    tx: &mut Tx<'_>,
    covenant: &dyn Covenant,
    account: AccountId,
    now: Time,
) -> Result<Estimate, ApiError> {
    let month = Month::of(now.secs());
    let currency = currency(tx, covenant, account, now)?;
    let mut pricing = Pricing::new(covenant, account);
    let mut courses = pricing.courses(tx, month)?;
    let closed = account::find(tx, account)?.map_or(i64::MIN, |state| state.closed);
    let mut lines = meter::usage(tx, account, closed.max(month.start()), i64::MAX, now)?;
    lines.sort_by_key(|line| line.hour);
    let mut open = BTreeMap::new();
    for line in lines {
        let Some(in_force) = pricing.at(tx, line.hour)? else { continue };
        let book = &in_force.terms.price_book;
        let course = courses.entry(line.meter.clone()).or_default();
        let price = book.price(&line.meter);
        let changes = course.add(&under(&in_force), line.hour, price, line.quantity.into());
        if book.currency == currency {
            let amount: i128 = changes.iter().map(|change| change.amount).sum();
            *open.entry(line.hour).or_default() += clamp(amount);
        }
    }
    let mut amount = 0_i128;
    for course in courses.values() {
        amount += in_currency(tx, &mut pricing, course, &currency)?;
    }
    Ok(Estimate { month, currency, amount: clamp(amount), open, courses })
}

/// What a meter may come to.
pub struct Outlook {
    /// The meter.
    pub meter: String,
    /// Whether it is a level, that is taken to stay, or a count, that is taken to go on at its rate.
    pub level: bool,
    /// How much was used so far.
    pub used: i128,
    /// How much may be used by the end of the month.
    pub expected: i128,
    /// What it costs so far, micro-units.
    pub amount: i64,
    /// What it may cost by the end of the month, micro-units.
    pub forecast: i64,
}

/// What the current month may come to: levels stay as they are now until its end; counts go on at the
/// average rate since the month's first use; prices stay those of the release in force now.
pub fn forecast(
    tx: &mut Tx<'_>,
    covenant: &dyn Covenant,
    account: AccountId,
    now: Time,
) -> Result<(Estimate, Vec<Outlook>), ApiError> {
    let mut estimate = so_far(tx, covenant, account, now)?;
    let (currency, month) = (estimate.currency.clone(), estimate.month);
    let remaining = i128::from((month.end() - now.secs()).max(0));
    let first = meter::first_hour(tx, account, month.start())?.unwrap_or(month.start());
    let elapsed = i128::from((now.secs() - first).max(1));
    let mut running = BTreeMap::<String, i128>::new();
    let mut levels = BTreeSet::new();
    for level in meter::levels(tx, account)? {
        *running.entry(level.meter.clone()).or_default() += i128::from(level.quantity);
        levels.insert(level.meter);
    }
    let mut pricing = Pricing::new(covenant, account);
    let in_force = pricing.at(tx, hour_of(now.secs()))?;
    let mut outlooks = Vec::new();
    for (meter, course) in &mut estimate.courses {
        let used: i128 = course.periods().iter().map(|period| period.quantity).sum();
        let amount = clamp(in_currency(tx, &mut pricing, course, &currency)?);
        let level = levels.contains(meter);
        let more = match level {
            true => running.get(meter).copied().unwrap_or_default().saturating_mul(remaining),
            false => used.saturating_mul(remaining) / elapsed,
        };
        if let Some(in_force) = &in_force {
            let price = in_force.terms.price_book.price(meter);
            course.add(&under(in_force), hour_of(now.secs()), price, more);
        }
        let forecast = clamp(in_currency(tx, &mut pricing, course, &currency)?);
        let expected = used + more;
        outlooks.push(Outlook { meter: meter.clone(), level, used, expected, amount, forecast });
    }
    Ok((estimate, outlooks))
}

/// What of a course was priced in a currency.
fn in_currency(
    tx: &mut Tx<'_>,
    pricing: &mut Pricing<'_>,
    course: &Course,
    currency: &str,
) -> Result<i128, ApiError> {
    let mut sum = 0;
    for period in course.periods() {
        let in_force = pricing.at(tx, period.since)?;
        if in_force.is_some_and(|it| it.terms.price_book.currency == currency) {
            sum += period.amount;
        }
    }
    Ok(sum)
}

/// Estimates need not fail where they are absurd.
fn clamp(amount: i128) -> i64 {
    let most = i128::from(i64::MAX);
    i64::try_from(amount.clamp(-most, most)).unwrap_or(i64::MAX)
}
