//! Tests of relational databases over an in-process cloud and real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod backups;
mod databases;
mod monitoring;
mod parameters;
mod restores;
mod strangers;
mod world;
