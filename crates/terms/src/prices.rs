//! The price book, and what a quantity costs by it.
//!
//! The rule, which anybody can repeat with integers: a price applies to the quantity that an account
//! used of a meter in a calendar month (UTC). The first `free` are free, then each tier's price holds up
//! to its bound. The cost of a month's quantity is computed exactly and rounded down **once** to the
//! micro-unit; a part of the month is the difference of two such sums, so that the parts always add up
//! to the whole, in whatever order they are rated.

use serde::{Deserialize, Serialize};

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
    #[serde(default)]
    pub conversion: String,
    /// The prices. What has no price costs nothing and is said to.
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
