//! Who owes whom. Each entry takes an amount from one book and puts it into another, so that the books
//! of an account add up to zero by construction; entries are added and never changed.
//!
//! | what | debit | credit |
//! |---|---|---|
//! | lines of a bill | receivable | revenue |
//! | its tax | receivable | tax |
//! | a payment | cash | receivable |
//! | a service credit | credits | receivable |
//!
//! An amount below zero is entered the other way round. What a tenant has (its balance) is the credit
//! side of `receivable` less the debit side.

use base::{AccountId, ApiError, Time};
use store::Tx;

use crate::month::Month;
use crate::tables::ledger;

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines of a bill.
    Charge,
    /// The tax on a final bill.
    Tax,
    /// Money that came in.
    Payment,
    /// What the provider forgives, as for a missed service level.
    Credit,
}

impl Kind {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Tax => "tax",
            Self::Payment => "payment",
            Self::Credit => "credit",
        }
    }

    /// The books that a positive amount goes from and to: (debit, credit).
    const fn books(self) -> (&'static str, &'static str) {
        match self {
            Self::Charge => (RECEIVABLE, "revenue"),
            Self::Tax => (RECEIVABLE, "tax"),
            Self::Payment => ("cash", RECEIVABLE),
            Self::Credit => ("credits", RECEIVABLE),
        }
    }
}

/// The book of what the tenant owes.
pub const RECEIVABLE: &str = "receivable";

/// What is to be entered.
#[derive(Clone, Copy, Debug)]
pub struct Posting<'a> {
    /// The tenant.
    pub account: AccountId,
    /// What for.
    pub kind: Kind,
    /// Unique for the account and kind: what makes a repeat fail instead of counting twice.
    pub reference: &'a str,
    /// Micro-units; 0 enters nothing.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// The bill that it belongs to.
    pub bill: Month,
    /// For people.
    pub note: &'a str,
}

/// Enters it.
///
/// # Errors
/// Where the reference was used already, or the amount cannot be turned round.
pub fn post(tx: &mut Tx<'_>, posting: &Posting<'_>, now: Time) -> Result<(), ApiError> {
    let (mut debit, mut credit) = posting.kind.books();
    if posting.amount == 0 {
        return Ok(());
    }
    if posting.amount < 0 {
        (debit, credit) = (credit, debit);
    }
    let too_much = || ApiError::internal("an amount is beyond what the ledger holds");
    let amount = posting.amount.checked_abs().ok_or_else(too_much)?;
    let change = if credit == RECEIVABLE { amount } else { -amount };
    let before = ledger::balance(tx, posting.account, posting.currency)?;
    let balance = before.checked_add(change).ok_or_else(too_much)?;
    ledger::insert(tx, posting, (debit, credit, amount, balance), now)
}
