//! Object storage through its operations: one engine, no dialect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod bucket_policy;
mod concurrency;
mod copies;
mod harness;
mod http;
mod http_bodies;
mod http_client;
mod http_places;
mod listing;
mod mirror;
mod multipart;
mod objects;
mod privilege;
mod residency;
mod space;
mod usage;
