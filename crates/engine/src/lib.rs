//! The path every request takes, and what stands behind it.
//!
//! A control action goes *signature → principal → policy → agreement → transaction → effect, audit,
//! usage and work in one commit → answer* ([`pipeline`]); a data-plane request (object bodies)
//! streams outside of transactions and enters the same path for what it commits
//! ([`Cloud::read`], [`Cloud::write`]). Then tasks act ([`task`]) and the sequencer publishes
//! ([`sequencer`]).
//!
//! What is deliberately not here: any product's actions but the shared ones ([`actions`]), any
//! policy language (`ram`, behind [`ports::Authority`]), any agreement (`agreement`, behind
//! [`ports::Covenant`]). A service never imports a service; what one needs of another is a trait in
//! [`ports`], joined in the program.

pub mod action;
pub mod actions;
pub mod audit;
pub mod caller;
pub mod cloud;
pub mod context;
pub mod files;
mod known;
pub mod meter;
pub mod metrics;
pub mod page;
pub mod pipeline;
pub mod places;
pub mod ports;
pub mod public;
pub mod replay;
pub mod seal;
pub mod sequencer;
pub mod server;
pub mod task;
pub mod throttle;

pub use action::{Action, Entry, Kind, Meta, action};
pub use caller::{Caller, CallerKind, RequestInfo, Session, SignedBy};
pub use cloud::{Cloud, Endpoints};
pub use context::Cx;

/// The tables of the shared path.
pub const MIGRATIONS: store::MigrationSet = store::MigrationSet {
    name: "engine",
    steps: &[
        include_str!("../schema/0001.sql"),
        include_str!("../schema/0002.sql"),
        include_str!("../schema/0003.sql"),
    ],
};
