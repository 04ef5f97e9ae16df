//! What the control plane and a node say to each other: JSON over HTTP/1.1 under mutual TLS. The node is the
//! server. Everything here is a wish, told whole and repeated freely; nothing is a command that must not be
//! repeated.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /engines` | | [`crate::engines::Build`]s |
//! | `GET /instances` | | [`Observed`]s |
//! | `PUT /instances/{id}?wait_ms=N` | [`Spec`] | [`Observed`], once it settled or the wait is over |
//! | `GET /instances/{id}` | | [`Observed`] |
//! | `DELETE /instances/{id}?term=N` | | `{}`: nothing of it is left |
//! | `POST /leases` | [`Leases`] | [`Observed`]s of the instances named |
//! | `POST /instances/{id}/promote` | [`Promote`] | [`Observed`] |
//! | `PUT /instances/{id}/seed` | a tar, LZ4 frames | `{}`: the data directory's content is there |
//! | `PUT /instances/{id}/wal/{file}` | the bytes of a segment, LZ4 frames | `{}` |
//! | `GET /instances/{id}/logs?kind=error\|slow&since=US&until=US&limit=N` | | [`LogLine`]s |
//! | `GET /instances/{id}/figures` | | [`Figures`] |
//! | `POST /instances/{id}/dump` | [`Dump`] | the dump, streamed |
//! | `POST /instances/{id}/load?database=D` | a dump | `{}` |
//! | `GET /instances/{id}/backup` | | a physical backup, streamed (engines without a replication protocol for it) |
//!
//! An error is `{"error": "…"}` with a status: 404 unknown, 409 an older term or generation than was seen,
//! 503 try again, 500 anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::Engine;

/// The name in the certificate that the control plane shows to nodes. Nobody else's has it.
pub const CONTROL: &str = "control.awan";

/// All that an instance is to be on this node. Holds secrets: it is never logged, and stored 0600.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The instance.
    pub id: String,
    /// Counts what was asked; [`Observed::generation`] says up to which it was done.
    pub generation: i64,
    /// Counts primaries: a node refuses a spec of an older term than it has seen.
    pub term: i64,
    /// Which engine.
    pub engine: Engine,
    /// Which major version: `17`, `10.11`. Where the directory has an older one, it is upgraded.
    pub major: String,
    /// Whether it is to serve.
    pub running: bool,
    /// Each higher count restarts it once.
    pub restarts: i64,
    /// What it is to be.
    pub role: Role,
    /// Where its data comes from, if there is none yet.
    pub seed: Seed,
    /// Addresses to listen on; none for the one that the node has for its servers.
    pub listen: Vec<IpAddr>,
    /// What it may use.
    pub limits: Limits,
    /// Settings: those of the tenant over those that follow from `limits`.
    pub parameters: BTreeMap<String, String>,
    /// The rules of who may connect, first match wins, after those that the node needs for itself. Of MariaDB: the
    /// networks from which tenants may (`10.0.0.0/8`).
    pub hba: Vec<String>,
    /// Tenants' roles.
    pub accounts: Vec<Account>,
    /// Tenants' databases.
    pub databases: Vec<Database>,
    /// Who may do what in which database.
    pub grants: Vec<Grant>,
    /// The password of the role `awan_replicator`.
    pub replicator: String,
    /// From where that role comes in, besides the machine itself: the cloud and the machines of its nodes.
    #[serde(default)]
    pub peers: Vec<IpAddr>,
    /// What it shows clients, PEM chain.
    pub certificate: String,
    /// That certificate's key, PEM.
    pub key: String,
    /// Where it serves only under a lease ([`Leases`]): for highly available instances.
    pub leased: bool,
    /// Names of standbys that commits wait for, as `synchronous_standby_names` takes them; empty for none.
    pub synchronous: String,
    /// The slots that a primary has: those of its standby, of its read-only instances and of the archive. Others of
    /// ours go, because each keeps the log for somebody who is no more. `None`: that is not known, and none goes.
    #[serde(default)]
    pub slots: Option<BTreeSet<String>>,
    /// What is wished of extensions in [`Self::databases`], once each: what was done needs not be told again.
    #[serde(default)]
    pub extensions: Vec<ExtensionWish>,
    /// The server's time zone, where no setting names another; empty for UTC. A name; of MariaDB `+07:00`, too.
    #[serde(default)]
    pub time_zone: String,
}

/// What a member of an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Takes writes.
    Primary,
    /// Follows a primary, and may be read if `readable`.
    Standby {
        /// Whom.
        upstream: Upstream,
        /// Whether tenants may read it.
        readable: bool,
    },
}

/// A server to copy from and to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name of the slot there, and the `application_name` of the one that follows.
    pub slot: String,
    /// The name that its certificate is for; empty where that is not known, and its password alone shows who it is.
    #[serde(default)]
    pub name: String,
}

impl Upstream {
    /// Whether both are the same server, whatever it is called.
    pub fn is_server_of(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.slot) == (&other.host, other.port, &other.slot)
    }
}

/// Where the data of a new directory comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seed {
    /// The engine's warm template, under an identity of its own.
    Template,
    /// A copy of [`Role::Standby`]'s upstream.
    Copy,
    /// Sent by the control plane (`PUT …/seed`, `PUT …/wal/…`); then recovered and given an identity of its own.
    Sent {
        /// Microseconds since 1970: commits after it are not replayed. `None`: up to the consistent end of the
        /// backup.
        until: Option<i64>,
        /// True once everything that it takes was sent, so that recovery may begin.
        complete: bool,
    },
}

/// What an instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Processor time, thousandths of a core.
    pub cpu_milli: u64,
    /// Disk, GiB.
    pub storage_gib: u64,
    /// Connections of tenants at once.
    pub connections: u32,
}

/// A tenant's role.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// May make roles, databases and safe extensions. Never a superuser.
    pub privileged: bool,
    /// May not log in.
    pub locked: bool,
    /// What the engine checks a password with: a SCRAM-SHA-256 verifier, or MariaDB's hash.
    pub verifier: String,
    /// False: it is to go.
    pub wanted: bool,
}

/// A tenant's database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its owner; empty for the node's own administrator.
    pub owner: String,
    /// Its character set: `UTF8`.
    pub charset: String,
    /// Its collation; empty for the cluster's.
    pub collation: String,
    /// Its character classes; empty for the cluster's.
    pub ctype: String,
    /// False: it is to go.
    pub wanted: bool,
}

/// What is wished of an extension in a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionWish {
    /// The database.
    pub database: String,
    /// The extension.
    pub name: String,
    /// The account that makes it, and whose it is unless the node has to make it.
    pub account: String,
    /// What.
    pub what: ExtensionChange,
}

/// What may be done to an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExtensionChange {
    /// It is to be there, with those that it needs.
    Create,
    /// It is to have the version that new ones get.
    Update,
    /// It is to go, unless something needs it.
    Drop,
}

/// An extension that is in a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledExtension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whose it is.
    pub owner: String,
}

/// A wish that the server refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedExtension {
    /// In which database.
    pub database: String,
    /// Of which extension.
    pub name: String,
    /// The server's own words.
    pub reason: String,
}

/// A right of an account in a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose.
    pub account: String,
    /// Where.
    pub database: String,
    /// Which.
    pub privilege: Privilege,
    /// False: it is to be taken back.
    pub wanted: bool,
}

/// The rights that the API names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privilege {
    /// Everything in that database.
    #[serde(rename = "DBOwner")]
    Owner,
    /// Reads and writes rows.
    ReadWrite,
    /// Reads rows.
    ReadOnly,
    /// Makes, changes and drops tables.
    #[serde(rename = "DDLOnly")]
    DdlOnly,
    /// Reads and writes rows, and nothing else.
    #[serde(rename = "DMLOnly")]
    DmlOnly,
}

/// What a node says of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// The instance.
    pub id: String,
    /// Up to which generation everything is done.
    pub generation: i64,
    /// The newest term that the node has seen.
    pub term: i64,
    /// What it is doing.
    pub phase: Phase,
    /// Why that does not go on, for the operator; empty where it does.
    pub trouble: String,
    /// The address that it listens on.
    pub host: String,
    /// The port; 0 while there is none.
    pub port: u16,
    /// The process id of its server; 0 where none runs.
    pub pid: u32,
    /// True where it takes writes.
    pub writable: bool,
    /// The exact version: `17.11`.
    pub build: String,
    /// The timeline it is on.
    pub timeline: u32,
    /// The end of its log: written, or as a standby received and flushed. Of one that has stopped: what a standby has
    /// to have reached for having everything, and 0 where it did not end in order.
    pub lsn: u64,
    /// As a standby: replayed so far.
    pub replayed: u64,
    /// As a standby: seconds that what it shows is behind, as far as it knows.
    pub lag_seconds: f64,
    /// The identifier that its log and backups carry.
    pub system_identifier: u64,
    /// Bytes on disk, all together, as counted last; 0 until they were.
    pub storage_bytes: u64,
    /// Settings that wait for a restart.
    pub pending_restart: Vec<String>,
    /// `cgroup v1`, `cgroup v2`, or `advisory` where nothing holds it to its limits but its own settings.
    pub confinement: String,
    /// Microseconds of each part of its making, in order, for whom it takes too long.
    pub made: Vec<(String, u64)>,
    /// The extensions in each of the spec's databases that has any besides `plpgsql`, which all have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, Vec<InstalledExtension>>,
    /// What the server refused of [`Spec::extensions`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedExtension>,
    /// The node's clock when it said this.
    pub tick: Tick,
}

/// A reading of the clock by which leases end on a node, and the only kind of moment that the two sides name to each
/// other: their clocks need not agree on anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Which process of a node it is of: drawn at its start, never 0. 0 stands for no reading at all.
    pub node: u64,
    /// Milliseconds since that start.
    pub ms: u64,
}

/// What an instance on a node is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not there.
    #[default]
    Absent,
    /// Waits for its data to be sent.
    Seeding,
    /// Being made, copied, recovered, upgraded or started.
    Working,
    /// Serving.
    Serving,
    /// There, and not running.
    Stopped,
    /// Not running, because it holds no lease.
    Fenced,
}

/// Leases for the primaries of highly available instances. A node whose lease ran out (by its own monotonic
/// clock) stops the server at once, whatever else it thinks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Leases {
    /// For whom.
    pub grants: Vec<LeaseGrant>,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseGrant {
    /// The instance.
    pub id: String,
    /// For the primary of this term only.
    pub term: i64,
    /// A reading that this node gave ([`Observed::tick`]), from which the lease counts. Grants that were long on their
    /// way, and those that a frozen node finds when it wakes, are over when they are read. Of any other process, or
    /// none: nothing is granted, and the answer tells a reading.
    #[serde(default)]
    pub from: Tick,
    /// How long it lasts, milliseconds.
    pub ttl_ms: u64,
}

/// Makes a standby the primary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Promote {
    /// The term that begins with it.
    pub term: i64,
    /// From when its first lease counts, as [`LeaseGrant::from`]: where that is over, nothing is promoted.
    #[serde(default)]
    pub from: Tick,
    /// How long its first lease lasts, milliseconds.
    pub ttl_ms: u64,
    /// As [`Spec::synchronous`], from its first commit on.
    #[serde(default)]
    pub synchronous: String,
}

/// A line of a server's log, or a slow statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Microseconds since 1970.
    pub at: i64,
    /// `ERROR`, `FATAL`, `LOG` …
    pub severity: String,
    /// In which database; empty for none.
    pub database: String,
    /// Whose session; empty for none.
    pub account: String,
    /// From where.
    pub client: String,
    /// What it says; of a slow statement the statement.
    pub text: String,
    /// Of a slow statement: how long it took, microseconds.
    pub duration_us: u64,
}

/// Counters of an instance, since it was started unless said otherwise. Rates are made by whoever asks twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// When they were taken, microseconds since 1970.
    pub at: i64,
    /// Processor time, microseconds.
    pub cpu_us: u64,
    /// Resident memory, bytes.
    pub memory_bytes: u64,
    /// What of the disk its data takes, bytes.
    pub data_bytes: u64,
    /// What of the disk its log takes, bytes.
    pub log_bytes: u64,
    /// Bytes read from disks.
    pub read_bytes: u64,
    /// Bytes written to disks.
    pub write_bytes: u64,
    /// Reads of disks.
    pub reads: u64,
    /// Writes of disks.
    pub writes: u64,
    /// Sessions of tenants.
    pub sessions: u64,
    /// Of those, at work.
    pub active_sessions: u64,
    /// Transactions that were committed.
    pub commits: u64,
    /// Transactions that were rolled back.
    pub rollbacks: u64,
    /// Rows that were returned.
    pub rows_read: u64,
    /// Rows that were inserted, updated or deleted.
    pub rows_written: u64,
    /// Blocks that were found in memory.
    pub blocks_hit: u64,
    /// Blocks that were read.
    pub blocks_read: u64,
    /// Deadlocks.
    pub deadlocks: u64,
    /// Bytes of files for sorting and hashing.
    pub temp_bytes: u64,
    /// By database: its size, bytes.
    pub databases: BTreeMap<String, u64>,
}

/// What to dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// From which database.
    pub database: String,
    /// Which tables (`schema.table`), each under the name it is to get; empty for all.
    pub tables: Vec<(String, String)>,
}
