//! The course of one meter through one account's month: what it has come to under each release, and
//! what adding to it changes. Pure arithmetic over [`terms::prices`]; rows and lines are `close`'s.
//!
//! The releases of a month follow each other, each on hours of its own. A release prices the quantity
//! that was used in its hours, behind the quantity of the releases before it. So something that is late
//! for an earlier release moves the later ones up in their tiers: what that changes is an amount of its
//! own, and the sum stays what the whole month computed at once would give.

use terms::prices::{Price, Slice};

/// Which release of which agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Under {
    /// The contracting process.
    pub ocid: String,
    /// The release.
    pub release: String,
}

/// The part of a month that one release prices.
#[derive(Clone, Debug)]
pub struct Period {
    /// The release.
    pub under: Under,
    /// Any hour of the release in which the meter was used; gives the order.
    pub since: i64,
    /// Its price for the meter; without one the quantity costs nothing.
    pub price: Option<Price>,
    /// What was used in its hours.
    pub quantity: i128,
    /// What that costs, micro-units.
    pub amount: i128,
}

impl Period {
    fn cost(&self, from: i128) -> i128 {
        self.price.as_ref().map_or(0, |price| price.cost(from, from + self.quantity))
    }
}

/// What an addition changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Under which release.
    pub under: Under,
    /// An hour of that release.
    pub since: i64,
    /// By how much, micro-units.
    pub amount: i128,
    /// The prices that applied, for the addition itself; empty where a later release only moved.
    pub slices: Vec<Slice>,
    /// Whether a later release moved up in its tiers.
    pub moved: bool,
}

/// A meter's month.
#[derive(Clone, Debug, Default)]
pub struct Course {
    periods: Vec<Period>,
}

impl Course {
    /// From what is stored, in any order.
    pub fn new(mut periods: Vec<Period>) -> Self {
        periods.sort_by_key(|period| period.since);
        Self { periods }
    }

    /// Its parts, in order of time.
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// Adds what was used in an hour in which that release was in force. The first change is the
    /// addition's own; the others are those of later releases that moved.
    pub fn add(
        &mut self,
        under: &Under,
        hour: i64,
        price: Option<&Price>,
        quantity: i128,
    ) -> Vec<Change> {
        let at = self.find(under, hour, price);
        let before: i128 = self.periods[..at].iter().map(|period| period.quantity).sum();
        let period = &mut self.periods[at];
        let from = before + period.quantity;
        let slices =
            period.price.as_ref().map_or_else(Vec::new, |p| p.slices(from, from + quantity));
        let amount = slices.iter().map(|slice| slice.amount).sum();
        period.quantity += quantity;
        period.amount += amount;
        let mut from = from + quantity;
        let mut changes =
            vec![Change { under: under.clone(), since: hour, amount, slices, moved: false }];
        for later in &mut self.periods[at + 1..] {
            let amount = later.cost(from) - later.amount;
            from += later.quantity;
            if amount != 0 {
                later.amount += amount;
                let (under, since) = (later.under.clone(), later.since);
                changes.push(Change { under, since, amount, slices: Vec::new(), moved: true });
            }
        }
        changes
    }

    fn find(&mut self, under: &Under, hour: i64, price: Option<&Price>) -> usize {
        if let Some(at) = self.periods.iter().position(|period| period.under == *under) {
            return at;
        }
        let at = self.periods.partition_point(|period| period.since < hour);
        let under = under.clone();
        let price = price.cloned();
        self.periods.insert(at, Period { under, since: hour, price, quantity: 0, amount: 0 });
        at
    }
}

#[cfg(test)]
mod tests;
