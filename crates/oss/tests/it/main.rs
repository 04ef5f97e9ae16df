//! Object storage through its operations: one engine, no dialect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod backends;
mod bucket_policy;
mod concurrency;
mod copies;
mod diskfull;
mod harness;
mod http;
mod http_bodies;
mod http_client;
mod http_cors;
mod http_form;
mod http_places;
mod http_referer;
mod listing;
mod mirror;
mod multipart;
mod objects;
mod powerloss;
mod privilege;
mod residency;
mod retention;
mod scrub;
mod sealed;
mod space;
mod usage;
mod versions;
