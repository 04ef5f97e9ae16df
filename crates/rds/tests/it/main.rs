//! Tests of relational databases over an in-process cloud and real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod engines;
mod mariadb_driver;
