//! Who may do what: accounts, users, groups, access keys, policies, roles, and the short-lived keys
//! that STS gives out.
//!
//! # The map
//! - [`policy`]: the policies of the system; the language is the crate of that name.
//! - [`Ram`] (`authority`): what the rest of the cloud asks, behind
//!   [`engine::ports::Authority`]: whose key is this, and may they do that. It runs for every object
//!   request, so it keeps what it read in memory, for exactly as long as nothing changed (`cache`).
//! - `token`: security tokens. A token carries its session, sealed; there is no table of sessions.
//! - `actions`: the API, RAM 2015-05-01, STS 2015-04-01 and the account actions of the product
//!   `awan` 2026-01-01, one line each in [`ACTIONS`].
//! - `tables`: every SQL statement, one function each. What changes keys or policies can only be
//!   written through `tables::Change`, which draws a new generation with it.
//! - `password`, `totp`: the two proofs of a person; `password_throttle`: how often an account may
//!   have passwords hashed.
//! - `bootstrap`: the operator's account and its first key.
//!
//! # Invariants
//! - Two snapshots with the same generation hold the same keys and policies.
//! - Nothing of one account is found from another: it does not exist there.
//! - A secret is stored sealed (keys, seeds) or hashed (passwords), and shown once.
//!
//! # Deliberately absent
//! Console sign-in, single sign-on (`AssumeRoleWithSAML`, `AssumeRoleWithOIDC` and their providers),
//! resource groups, and policies of resources (a bucket's policy is the business of its service).

mod actions;
mod authority;
mod bootstrap;
mod cache;
mod check;
mod errors;
mod ids;
mod password;
mod password_throttle;
pub mod policy;
mod tables;
mod token;
mod totp;

pub use actions::ACTIONS;
pub use authority::Ram;
pub use bootstrap::{RootKey, first_start, operator};

/// The tables of this crate.
pub const MIGRATIONS: store::MigrationSet = store::MigrationSet {
    name: "ram",
    steps: &[include_str!("../schema/0001.sql"), include_str!("../schema/0002.sql")],
};
