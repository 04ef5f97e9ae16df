//! What the store promises, proven on SQLite always and on PostgreSQL where `AWAN_TEST_POSTGRES` holds
//! a connection string.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod durability;
mod engines;
mod migrations;
mod postgres;
mod sqlite;
mod transactions;
mod values;
