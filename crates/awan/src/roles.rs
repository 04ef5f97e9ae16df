//! What a copy of the program does. One machine runs all roles in one process; more machines share
//! them over one PostgreSQL (see
//! `docs/operating.md`).

use clap::ValueEnum;

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// The control API.
    Api,
    /// Object storage.
    Oss,
    /// The task runner and the sequencer of the log.
    Tasks,
    /// The public portal.
    Portal,
    /// The gateway to PostgreSQL instances.
    Gateway,
    /// Runs database servers of one data centre, and nothing else; it is told what by the cloud.
    DbNode,
}

impl Role {
    /// What a process does that is not told otherwise.
    pub const ALL_OF_ONE: [Self; 5] =
        [Self::Api, Self::Oss, Self::Tasks, Self::Portal, Self::Gateway];
}

/// A door's distance from the port base.
pub const API: u16 = 0;
/// Object storage, both dialects.
pub const OSS: u16 = 1;
/// Console and transparency portal.
pub const PORTAL: u16 = 4;
/// PostgreSQL, by host name.
pub const POSTGRES: u16 = 5;
/// Metrics and health.
pub const METRICS: u16 = 6;
/// The farthest door that the program will ever have: edge HTTPS.
pub const HIGHEST_DOOR: u16 = 443;
