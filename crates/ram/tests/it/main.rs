//! The API of RAM, STS and accounts, driven by action name through the engine's own path.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod accounts;
mod every_action;
mod harness;
mod keys;
mod policies;
mod roles;
mod users;
