//! The portal over HTTP, in front of a log that was really published.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../examples/sample/world.rs"]
mod world;

mod pages;
mod web;
