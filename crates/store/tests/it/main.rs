//! What the store promises, proven on SQLite always and on PostgreSQL where `AWAN_TEST_POSTGRES` holds
//! a connection string.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are told of a server, and start and end a child"
)]

mod durability;
mod engines;
mod migrations;
mod postgres;
mod sqlite;
mod transactions;
mod values;
