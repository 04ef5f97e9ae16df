//! All SQL of this crate: one file for each noun, one function for each query.

pub mod account;
pub mod bill;
pub mod budget;
pub mod commitment;
pub mod event;
pub mod ledger;
pub mod line;
pub mod rated;
pub mod sum;

use store::Error;

/// A number that is kept as decimal text.
pub(crate) fn wide(text: &str) -> Result<i128, Error> {
    text.parse().map_err(|_| Error::Other("a stored quantity is no number".to_owned()))
}

/// A sum that came in two parts: of the whole billions, and of what is left of each.
pub(crate) const BILLION: i128 = 1_000_000_000;
