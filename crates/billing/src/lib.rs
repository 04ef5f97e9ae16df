//! From usage to bills.
//!
//! Usage is noted by the shared path (`engine::meter`); prices and their arithmetic are in
//! `terms::prices`. Here, once an hour, usage becomes bill lines, priced by the agreement that was in
//! force ([`Rating`]):
//!
//! | module | owns |
//! |---|---|
//! | [`rating`] | the task: which account is looked at when |
//! | `pricing` | which release prices an hour |
//! | `close` | closing hours: usage → lines, ledger, sums, in one transaction |
//! | `course` | a month of a meter under changing price books, as pure arithmetic |
//! | `commitment` | the daily commitment to usage and bill in the public log |
//! | `invoice` | a month's final bill and its tax |
//! | `estimate` | what the month has come to so far, and what it may come to |
//! | `ledger` | who owes whom, double entry |
//! | `budget` | alarms |
//! | `statement` | a month's bill as it is told: totals, tax, what is paid |
//! | `focus` | the FOCUS 1.2 export |
//! | `bss` | how all of this looks to clients of `bssopenapi` |
//!
//! The whole of it is a pure function: what an account is billed for a month is
//! `terms::prices::month` over its usage and its agreements, however late or often anything arrived.
//! Deliberately absent: measuring, taking payments from a bank, deciding whether an account may go on
//! (that is the agreement's spending limit).

mod actions;
mod bss;
mod budget;
mod close;
mod commitment;
mod course;
mod estimate;
mod focus;
mod invoice;
mod ledger;
mod money;
mod month;
mod pricing;
pub mod rating;
mod request;
mod statement;
mod tables;

/// The table of this crate's actions.
pub use actions::ACTIONS;
pub use rating::Rating;

/// The tables of this crate; they stand on those of `engine`.
pub const MIGRATIONS: store::MigrationSet =
    store::MigrationSet { name: "billing", steps: &[include_str!("../schema/0001.sql")] };
