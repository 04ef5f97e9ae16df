//! Tests of relational databases over an in-process cloud and real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup_archive;
mod backup_replication;
mod backup_restore;
mod backup_world;
