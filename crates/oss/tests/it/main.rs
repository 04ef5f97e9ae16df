//! Object storage through its operations: one engine, no dialect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod concurrency;
mod harness;
mod http;
mod http_bodies;
mod http_client;
mod listing;
mod multipart;
mod objects;
mod space;
mod usage;
