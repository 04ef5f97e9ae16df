//! Relational databases: PostgreSQL and MariaDB servers as instances that are made, served, backed up, restored
//! and failed over.
//!
//! # The parts
//! | module | owns | does not |
//! |---|---|---|
//! | `actions` | the RDS API: validates, writes what is wanted, wakes the task | wait, or touch a server |
//! | `requests` | what actions share: forms, networks, how an instance is placed and made | hold actions |
//! | `model` | the words | know SQL |
//! | `classes` | which classes there are and what each may use | enforce it |
//! | `deployment` | what the program is told of host names and ports | read configuration |
//! | `tables` | rows: every statement of this crate | decide |
//! | `machine` | takes an instance from what it is to what it is to be; opens and closes usage | know an engine |
//! | `nodes` | the control plane's side of the talk with nodes; starts those of this machine | decide |
//! | `node` | a process that is the parent of servers in one data centre | know accounts, agreements, the database |
//! | `engines` | programs of engines: found, installed, described | run servers |
//! | `backup` | base backups, the archive of the log, restores, retention, restore tests | know where bytes lie (`engine::ports::Vault`) |
//! | `ha` | leases, fencing, failover | copy data |
//! | `patroni` | clusters that Patroni keeps: finds the leader, asks for switch-overs and restarts | make, stop or remove servers |
//! | `gateway` | the public port: routes by SNI, white lists, holds connections during failover | end TLS |
//!
//! # How an instance is made
//! `CreateDBInstance` decides where its data may be ([`engine::places::decide`]), writes the rows and spawns its
//! task. The task tells the node of that data centre the whole [`node::api::Spec`]; the node copies a warm template,
//! gives it an identity, starts the server as its child and says so; the commit that records `Running` opens the
//! usage. Everything later is the same: rows change, `generation` grows, the task tells the node the new whole.
//!
//! # Invariants
//! - A data directory is where a [`engine::places::Placement`] says, and its bytes leave it only for the archive, whose
//!   bucket has a placement of its own.
//! - No superuser for tenants, no password at rest: rows have what the server checks a password with.
//! - A primary of a highly available instance serves only under a lease; who promotes another waits until that lease
//!   has ended or has seen the server dead.
//! - Usage is open exactly while the row says that it runs.

mod actions;
pub mod backup;
pub mod classes;
mod deployment;
mod dial;
pub mod engines;
mod errors;
pub mod gateway;
pub mod ha;
pub(crate) mod hba;
pub mod machine;
pub mod model;
pub mod monitor;
pub(crate) mod names;
pub mod node;
pub mod nodes;
pub mod password;
pub mod patroni;
mod prove;
mod requests;
mod scratch;
mod service;
pub(crate) mod tables;
#[doc(hidden)]
pub mod testing;
pub(crate) mod values;

pub use actions::ACTIONS;
pub use deployment::Settings;
pub use service::Service;

/// The tables of relational databases.
pub const MIGRATIONS: store::MigrationSet = store::MigrationSet {
    name: "rds",
    steps: &[
        include_str!("../schema/0001.sql"),
        include_str!("../schema/0002.sql"),
        include_str!("../schema/0003.sql"),
        include_str!("../schema/0004.sql"),
    ],
};
