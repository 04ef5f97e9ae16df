//! From usage to bills, against an in-process cloud.

#![allow(clippy::unwrap_used, reason = "tests")]

mod balance;
mod bills;
mod bss;
mod budgets;
mod commitments;
mod events;
mod focus;
mod hazards;
mod histories;
mod usage;
mod world;
