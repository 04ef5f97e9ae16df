//! Agreements between the provider and its tenants: without one in force that grants a service, there
//! is no service.
//!
//! # The map
//! - [`Agreements`] (`covenant`): what the rest of the cloud asks, behind
//!   [`engine::ports::Covenant`]. It runs for every request.
//! - `rules`: the clauses of one release as Cedar policies, and their answers. Pure.
//! - `lifecycle`: what may become of a release, and when. A release is immutable; it is drafted, signed
//!   by both parties, published and activated, and later superseded or ended.
//! - `access`: the provider's people reading a tenant's data: asked for, approved, ended.
//! - `start`: the agreement of the account that runs the cloud, made when there is none.
//! - `actions`: the API (product `awan` 2026-01-01), one line each in [`ACTIONS`].
//! - `tables`: every SQL statement.
//!
//! # Invariants
//! - At most one release binds an account at any moment, and which one it was at any past moment can
//!   still be told.
//! - Nothing binds that is not signed by both parties with the keys that it names, and published.
//! - A signature is an offer for 90 days, and until the agreement before it ends; it can be taken back
//!   until the release binds.
//! - What only the tenant may decide (a new root key, the reading of its data) takes its key, not an API
//!   key, which the provider could make.
//! - An amendment begins on a whole hour: no hour has two price books.
//!
//! # Deliberately absent
//! What a document says and how it is signed (`terms`), prices and bills (`billing`), where bytes go
//! (`engine::places` decides and asks here), and any private key but at the first start: parties sign at
//! home.

mod access;
mod actions;
mod covenant;
mod errors;
mod lifecycle;
mod rules;
mod start;
mod tables;
mod template;

use terms::clauses::Log;
use terms::release::Party;

pub use actions::ACTIONS;
pub use covenant::Agreements;
pub use start::{FirstStart, first_start, has_provider, provider_key_name, tenant_key_name};

/// The tables of this crate.
pub const MIGRATIONS: store::MigrationSet = store::MigrationSet {
    name: "agreement",
    steps: &[
        include_str!("../schema/0001.sql"),
        include_str!("../schema/0002.sql"),
        include_str!("../schema/0003.sql"),
    ],
};

/// The provider of this cloud, as every agreement must name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Who it is.
    pub party: Party,
    /// The key that it signs agreements with, as a note verifier key.
    pub key: String,
    /// The cloud's log.
    pub log: Log,
}
