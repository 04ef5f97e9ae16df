//! Closing hours: what was used becomes lines of bills, entries of the ledger and sums of the month,
//! and is noted as billed, in one transaction. Repeating it finds nothing left to bill.
//!
//! An hour is closed [`GRACE`] after its end. The running levels are added up to the end of what is
//! closed first (`engine::meter::settle`), so that the hour's usage is whole. Something that is added
//! to a closed hour later (an event of an outside meter, a clock that was set back) is a line of its own,
//! a correction; nothing is ever changed. Each day is looked through once more as a whole when its last
//! hour is closed, each month when its bill becomes final.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{AccountId, ApiError, Time};
use engine::meter;
use engine::ports::Covenant;
use store::Tx;
use terms::InForce;

use crate::course::{Change, Course, Under};
use crate::ledger::{self, Kind, Posting};
use crate::month::{DAY, HOUR, Month, day_of, hour_of, iso};
use crate::pricing::{Pricing, product_of, under};
use crate::tables::account::{self, State};
use crate::tables::line::{self, Line};
use crate::tables::rated::{self, Unrated};
use crate::tables::{commitment, sum};

/// How long after its end an hour is closed: commits that were under way must be through.
pub const GRACE: Duration = Duration::from_secs(300);

/// Late hours that one transaction looks at.
const LATE_MAX: usize = 48;

/// The note of a line whose meter has no price in the agreement.
pub const NO_PRICE: &str = "NoPrice";
/// The note of a line for whose hour no agreement was in force.
pub const NO_AGREEMENT: &str = "NoAgreement";
/// The note of a line for what a late quantity changed under a later release.
pub const MOVED: &str = "TiersMoved";

/// Whether [`close`] has something to do.
pub fn due(tx: &mut Tx<'_>, account: AccountId, now: Time) -> Result<bool, ApiError> {
    let Some(state) = account::find(tx, account)? else { return Ok(true) };
    let until = closable(now);
    if until > state.closed || !account::late(tx, account, until, 1)?.is_empty() {
        return Ok(true);
    }
    let this_hour = hour_of(now.secs());
    Ok(now.secs() < state.closed
        && !account::late(tx, account, i64::MAX, LATE_MAX)?.contains(&this_hour))
}

/// Closes up to a day's worth of hours of an account. Answers whether there is more to do.
///
/// # Errors
/// Those of the database and of the agreements; nothing is billed then.
pub fn close(
    tx: &mut Tx<'_>,
    covenant: &dyn Covenant,
    account: AccountId,
    now: Time,
) -> Result<bool, ApiError> {
    let mut state = match account::find(tx, account)? {
        Some(state) => state,
        None => first_state(tx, account, now)?,
    };
    if now.secs() < state.closed {
        // The clock was set back: what is noted now is noted in an hour that is closed.
        account::note_late(tx, account, hour_of(now.secs()))?;
    }
    let closable = closable(now);
    let begin = meter::first_hour(tx, account, state.closed)?.unwrap_or(closable);
    let until = closable.min(day_of(begin) + DAY).max(state.closed);
    for hour in meter::settle(tx, account, Time::from_secs(until.min(closable)))? {
        if hour < state.closed {
            account::note_late(tx, account, hour)?;
        }
    }
    let mut closing = Closing::new(covenant, account, state, now);
    if until > state.closed {
        let whole_day = until % DAY == 0;
        let from = if whole_day { state.closed.min(until - DAY) } else { state.closed };
        closing.rate(tx, from, until)?;
    }
    let late = account::late(tx, account, closable, LATE_MAX)?;
    for hour in &late {
        closing.rate(tx, *hour, hour + HOUR)?;
        account::forget_late(tx, account, *hour)?;
    }
    closing.finish(tx)?;
    state.closed = until;
    account::store(tx, account, &state)?;
    Ok(until < closable || late.len() == LATE_MAX)
}

/// Bills what is not billed of a month, before its bill becomes final.
pub fn look_through(
    tx: &mut Tx<'_>,
    covenant: &dyn Covenant,
    account: AccountId,
    month: Month,
    now: Time,
) -> Result<(), ApiError> {
    let Some(state) = account::find(tx, account)? else { return Ok(()) };
    let mut closing = Closing::new(covenant, account, state, now);
    closing.rate(tx, month.start(), month.end().min(state.closed))?;
    closing.finish(tx)
}

/// The end of the last hour that can be closed now.
fn closable(now: Time) -> i64 {
    hour_of(now.minus(GRACE).secs())
}

fn first_state(tx: &mut Tx<'_>, account: AccountId, now: Time) -> Result<State, ApiError> {
    let first = meter::first_hour(tx, account, i64::MIN)?;
    let closed = first.map_or(hour_of(now.secs()), hour_of);
    Ok(State { closed, open_month: Month::of(closed), spent: (0, 0) })
}

/// One closing: what it has added so far and must post at its end.
struct Closing<'a> {
    pricing: Pricing<'a>,
    state: State,
    now: Time,
    courses: BTreeMap<(Month, String), Course>,
    charges: BTreeMap<(Month, String), Charge>,
}

/// What was added to one bill, in one currency.
struct Charge {
    first: i64,
    last: i64,
    amount: i64,
}

impl<'a> Closing<'a> {
    fn new(covenant: &'a dyn Covenant, account: AccountId, state: State, now: Time) -> Self {
        let pricing = Pricing::new(covenant, account);
        Self { pricing, state, now, courses: BTreeMap::new(), charges: BTreeMap::new() }
    }

    /// Bills what is not billed of those hours.
    fn rate(&mut self, tx: &mut Tx<'_>, from: i64, until: i64) -> Result<(), ApiError> {
        let account = self.pricing.account;
        for row in rated::unrated(tx, account, from, until)? {
            match self.pricing.at(tx, row.hour)? {
                Some(in_force) => self.price(tx, &row, &in_force)?,
                None => {
                    let line = self.line(&row, None, None)?;
                    self.add(tx, &line)?;
                }
            }
            rated::store(tx, account, &row)?;
            commitment::note_due(tx, account, day_of(row.hour))?;
        }
        Ok(())
    }

    fn price(
        &mut self,
        tx: &mut Tx<'_>,
        row: &Unrated,
        in_force: &InForce,
    ) -> Result<(), ApiError> {
        let key = (Month::of(row.hour), row.meter.clone());
        let mut course = match self.courses.remove(&key) {
            Some(course) => course,
            None => self.pricing.course(tx, key.0, &key.1)?,
        };
        let price = in_force.terms.price_book.price(&row.meter);
        let quantity = i128::from(row.quantity) - i128::from(row.rated.unwrap_or_default());
        for change in course.add(&under(in_force), row.hour, price, quantity) {
            let later = if change.moved { self.pricing.at(tx, change.since)? } else { None };
            let line = self.line(row, Some(later.as_deref().unwrap_or(in_force)), Some(&change))?;
            self.add(tx, &line)?;
        }
        self.courses.insert(key, course);
        Ok(())
    }

    /// The line for a change; without an agreement there is none, and it costs nothing.
    fn line(
        &self,
        row: &Unrated,
        in_force: Option<&InForce>,
        change: Option<&Change>,
    ) -> Result<Line, ApiError> {
        let book = in_force.map(|in_force| &in_force.terms.price_book);
        let price = book.and_then(|book| book.price(&row.meter));
        let moved = change.is_some_and(|change| change.moved);
        let on_time = row.rated.is_none() && row.hour >= self.state.closed && !moved;
        let quantity = if moved { 0 } else { row.quantity - row.rated.unwrap_or_default() };
        let slices = change.map_or_else(|| Ok(Vec::new()), slices)?;
        let note = match (in_force, price) {
            _ if moved => MOVED,
            (None, _) => NO_AGREEMENT,
            (_, None) => NO_PRICE,
            _ => "",
        };
        Ok(Line {
            bill: Month::of(row.hour).max(self.state.open_month),
            hour: row.hour,
            resource: row.resource.clone(),
            meter: row.meter.clone(),
            revision: row.revision,
            kind: if on_time { line::CHARGE } else { line::CORRECTION }.to_owned(),
            product: price.map_or(product_of(&row.meter), |price| &price.product).to_owned(),
            item: price.map_or(&row.meter, |price| &price.id).to_owned(),
            under: in_force.map_or_else(Under::default, under),
            currency: book.map(|book| book.currency.clone()).unwrap_or_default(),
            tax_percent: book.map_or(0, |book| book.tax_percent),
            quantity,
            unit: price.map(|price| price.unit.clone()).unwrap_or_default(),
            unit_size: price.map_or(1, |price| price.unit_size),
            price: slices.last().map_or(0, |(_, price, _)| *price),
            slices,
            amount: narrow(change.map_or(0, |change| change.amount))?,
            note: note.to_owned(),
            at: self.now,
        })
    }

    fn add(&mut self, tx: &mut Tx<'_>, line: &Line) -> Result<(), ApiError> {
        let id = line::insert(tx, self.pricing.account, line)?;
        let charge = self.charges.entry((line.bill, line.currency.clone())).or_insert(Charge {
            first: id,
            last: id,
            amount: 0,
        });
        charge.last = id;
        let sum = charge.amount.checked_add(line.amount);
        charge.amount =
            sum.ok_or_else(|| ApiError::internal("lines cost more than 64 bits hold"))?;
        Ok(())
    }

    /// Keeps the sums and posts what was added.
    fn finish(&mut self, tx: &mut Tx<'_>) -> Result<(), ApiError> {
        let account = self.pricing.account;
        for ((month, meter), course) in &self.courses {
            for period in course.periods() {
                sum::store(tx, account, *month, meter, period)?;
            }
        }
        for ((bill, currency), charge) in &self.charges {
            let posting = Posting {
                account,
                kind: Kind::Charge,
                reference: &format!("lines {}-{}", charge.first, charge.last),
                amount: charge.amount,
                currency,
                bill: *bill,
                note: &format!("usage up to {}", iso(self.now.secs())),
            };
            ledger::post(tx, &posting, self.now)?;
        }
        Ok(())
    }
}

fn slices(change: &Change) -> Result<Vec<(i64, i64, i64)>, ApiError> {
    let slice = |slice: &terms::prices::Slice| {
        Ok((narrow(slice.quantity)?, slice.price, narrow(slice.amount)?))
    };
    change.slices.iter().map(slice).collect()
}

fn narrow(amount: i128) -> Result<i64, ApiError> {
    i64::try_from(amount).map_err(|_| ApiError::internal("one line costs more than 64 bits hold"))
}
