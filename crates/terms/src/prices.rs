//! The price book, and what a quantity costs by it.
//!
//! The rule, which anybody can repeat with integers: a price applies to the quantity that an account
//! used of a meter in a calendar month (UTC). The first `free` are free, then each tier's price holds up
//! to its bound. The cost of a month's quantity is computed exactly and rounded down **once** to the
//! micro-unit; a part of the month is the difference of two such sums, so that the parts always add up
//! to the whole, in whatever order they are rated.
//!
//! Where the price book changes within a month, each book prices the hours in which it was in force:
//! its quantity lies behind that of the books before it, so that tiers and free quantities are those of
//! the month and not of a book ([`month`]).
//!
//! Who used what, and which book was in force when, is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::clauses::Text;

/// What things cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PriceBook {
    /// Its name and edition, as `awan-id-2026-11`.
    pub id: String,
    /// ISO 4217 code of every amount.
    pub currency: String,
    /// Tax on the sum of a bill, percent (PPN).
    pub tax_percent: u32,
    /// What a converted list price was multiplied with, in words; empty where none was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub conversion: String,
    /// The prices. What has no price costs nothing and is said to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Price>,
}

/// The price of one meter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Price {
    /// The billing item, as `Storage`.
    pub id: String,
    /// The product, as `oss`.
    pub product: String,
    /// The meter that it prices, as `oss.storage`; one price for each meter.
    pub meter: String,
    /// In words.
    pub name: Text,
    /// What is counted, as `GB-month`, for people.
    pub unit: String,
    /// How many of the meter's own units one such unit is: 2^30 × 720 × 3600 byte-seconds.
    pub unit_size: i64,
    /// Free each month, in the meter's own units.
    #[serde(default)]
    pub free: i64,
    /// The prices by volume, lowest bound first; the last has no bound.
    pub tiers: Vec<Tier>,
    /// Where the figure comes from: a list price and its source, or an assumption.
    pub source: String,
    /// True where nobody's list price stands behind it.
    #[serde(default)]
    pub assumption: bool,
}

/// A price up to a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tier {
    /// Up to this much in a month (including what is free), in the meter's own units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<i64>,
    /// Micro-units of the currency for one unit.
    pub price: i64,
}

/// The largest integer that every reader of JSON keeps exactly (RFC 7493, section 2.2): a price book is
/// signed in its canonical form (RFC 8785), whose numbers are doubles.
const EXACT_MAX: i64 = (1 << 53) - 1;

/// A part of a quantity to which one price applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// How much, in the meter's own units.
    pub quantity: i128,
    /// Micro-units for one unit; 0 for what is free.
    pub price: i64,
    /// What it costs, micro-units. The slices of a quantity add up to its cost.
    pub amount: i128,
}

impl PriceBook {
    /// The price of a meter; without one it costs nothing.
    pub fn price(&self, meter: &str) -> Option<&Price> {
        self.prices.iter().find(|price| price.meter == meter)
    }

    /// Whether the book can be reckoned with.
    ///
    /// # Errors
    /// What is wrong with it, in words: for whoever drafts an agreement.
    pub fn check(&self) -> Result<(), String> {
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            return Err(format!("the currency {:?} is no ISO 4217 code", self.currency));
        }
        if self.tax_percent > 100 {
            return Err(format!("a tax of {} percent is more than the whole", self.tax_percent));
        }
        for (at, price) in self.prices.iter().enumerate() {
            price.check().map_err(|reason| format!("the price {}: {reason}", price.id))?;
            for earlier in &self.prices[..at] {
                if earlier.meter == price.meter {
                    return Err(format!("the meter {} has two prices", price.meter));
                }
                if (&earlier.product, &earlier.id) == (&price.product, &price.id) {
                    return Err(format!("two prices are called {} {}", price.product, price.id));
                }
            }
        }
        Ok(())
    }
}

impl Price {
    fn check(&self) -> Result<(), &'static str> {
        if self.id.is_empty() || self.product.is_empty() || self.meter.is_empty() {
            return Err("it needs an id, a product and a meter");
        }
        if !(1..=EXACT_MAX).contains(&self.unit_size) {
            return Err("a unit must be between 1 and 2^53 - 1 of the meter's own");
        }
        if !(0..=EXACT_MAX).contains(&self.free) {
            return Err("what is free must be between 0 and 2^53 - 1");
        }
        let Some((last, bounded)) = self.tiers.split_last() else {
            return Err("it has no tier");
        };
        if last.up_to.is_some() {
            return Err("its last tier must have no bound");
        }
        let mut bound = self.free;
        for tier in bounded {
            let above = tier.up_to.filter(|up_to| (bound + 1..=EXACT_MAX).contains(up_to));
            bound = above.ok_or("its tiers must rise, from above what is free to 2^53 - 1")?;
        }
        if self.tiers.iter().any(|tier| !(0..=EXACT_MAX).contains(&tier.price)) {
            return Err("a tier's price must be between 0 and 2^53 - 1");
        }
        Ok(())
    }

    /// What the part from `from` to `to` of an account's month costs, micro-units. Both are quantities of
    /// the whole month so far, in the meter's own units; the cost is negative where `to` is less.
    ///
    /// `cost(a, b) + cost(b, c) == cost(a, c)`, always.
    pub fn cost(&self, from: i128, to: i128) -> i128 {
        self.total(to) - self.total(from)
    }

    /// The parts of `from..to` by what applies to them, in that order.
    pub fn slices(&self, from: i128, to: i128) -> Vec<Slice> {
        if to < from {
            let negative =
                |slice: Slice| Slice { quantity: -slice.quantity, amount: -slice.amount, ..slice };
            return self.slices(to, from).into_iter().rev().map(negative).collect();
        }
        let free = (i128::from(self.free), 0);
        let tiers = self.tiers.iter().map(|tier| (tier.up_to.map_or(to, i128::from), tier.price));
        let mut slices = Vec::new();
        let mut at = from;
        for (bound, price) in std::iter::once(free).chain(tiers) {
            let end = bound.min(to);
            if end > at {
                slices.push(Slice { quantity: end - at, price, amount: self.cost(at, end) });
                at = end;
            }
        }
        slices
    }

    /// The cost of the month's first `quantity`, rounded down. Beyond what 128 bits hold it stays at their
    /// largest number, so that it never falls.
    fn total(&self, quantity: i128) -> i128 {
        let unit = i128::from(self.unit_size.max(1));
        let (mut whole, mut rest) = (0_i128, 0_i128);
        let mut at = i128::from(self.free);
        for tier in &self.tiers {
            let end = tier.up_to.map_or(quantity, |bound| quantity.min(i128::from(bound)));
            if end <= at {
                continue;
            }
            let (width, price) = (end - at, i128::from(tier.price));
            whole = whole.saturating_add(price.saturating_mul(width / unit));
            // Both factors are below 2^63 and what was left below 2^63: there is room.
            rest += price * (width % unit);
            whole = whole.saturating_add(rest / unit);
            rest %= unit;
            at = end;
        }
        whole
    }
}

/// What an account used in the hours of one month in which one price book was in force.
#[derive(Clone, Copy, Debug)]
pub struct Period<'a> {
    /// The book.
    pub book: &'a PriceBook,
    /// Quantities by meter, in the meters' own units.
    pub used: &'a BTreeMap<String, i128>,
}

/// What a whole month costs: for each period, in order of time, the cost by meter in micro-units. Meters
/// without a price cost 0. This is the definition of a bill; whatever is billed hour by hour adds up to it.
pub fn month(periods: &[Period<'_>]) -> Vec<BTreeMap<String, i128>> {
    let mut before: BTreeMap<&str, i128> = BTreeMap::new();
    let mut costs = Vec::with_capacity(periods.len());
    for Period { book, used } in periods {
        let mut cost = BTreeMap::new();
        for (meter, quantity) in *used {
            let at = before.entry(meter).or_default();
            let until = *at + quantity;
            let amount = book.price(meter).map_or(0, |price| price.cost(*at, until));
            cost.insert(meter.clone(), amount);
            *at = until;
        }
        costs.push(cost);
    }
    costs
}

/// One line of usage, as the daily commitment in the log takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageLine {
    /// What was used.
    pub resource: String,
    /// By which meter.
    pub meter: String,
    /// The hour's start, `2026-11-22T03:00:00Z`.
    pub hour: String,
    /// How much, in the meter's own units: decimal digits, because JSON numbers end at 2^53.
    pub quantity: String,
}

/// One line of a bill, as the daily commitment in the log takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillLine {
    /// What was used.
    pub resource: String,
    /// By which meter.
    pub meter: String,
    /// The hour's start, `2026-11-22T03:00:00Z`.
    pub hour: String,
    /// The how-manieth time this usage was billed, from 0; decimal digits.
    pub revision: String,
    /// The contracting process that priced it; empty where none was in force.
    pub ocid: String,
    /// The release that priced it; empty where none was in force.
    pub release: String,
    /// How much, in the meter's own units; decimal digits.
    pub quantity: String,
    /// What it costs, micro-units; decimal digits.
    pub amount: String,
    /// ISO 4217; empty where no release was in force.
    pub currency: String,
}

/// What the log commits to of a day's usage: SHA-256, in lower-case hexadecimal, of the canonical form
/// (RFC 8785) of the array of its lines, without those of quantity 0, sorted by the bytes of resource, then
/// meter, then hour.
pub fn usage_digest(mut lines: Vec<UsageLine>) -> String {
    lines.retain(|line| line.quantity != "0");
    lines.sort_by(|a, b| (&a.resource, &a.meter, &a.hour).cmp(&(&b.resource, &b.meter, &b.hour)));
    digest(&lines)
}

/// What the log commits to of a day's bill lines: as [`usage_digest`], of all lines for that day's hours,
/// sorted by resource, meter, hour, revision (as a number), process and release.
pub fn bill_digest(mut lines: Vec<BillLine>) -> String {
    let key = |line: &BillLine| {
        let BillLine { resource, meter, hour, revision, ocid, release, .. } = line.clone();
        (resource, meter, hour, (revision.len(), revision), ocid, release)
    };
    lines.sort_by_cached_key(key);
    digest(&lines)
}

fn digest(lines: &impl Serialize) -> String {
    let bytes = canonical::bytes(lines).expect("text has a canonical form");
    canonical::sha256(&bytes)
}

/// The tax on a bill, micro-units: the exact sum of each amount's percentage, rounded once, half up.
pub fn tax(amounts: &[(i128, u32)]) -> i128 {
    let hundredfold: i128 =
        amounts.iter().map(|(amount, percent)| amount * i128::from(*percent)).sum();
    (hundredfold * 2 + 100).div_euclid(200)
}

#[cfg(test)]
mod tests;
