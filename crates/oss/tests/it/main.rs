//! Object storage through its operations: one engine, no dialect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod concurrency;
mod harness;
mod listing;
mod multipart;
mod objects;
mod space;
mod usage;
mod zz_cpu;
