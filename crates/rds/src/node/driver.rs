//! What a node needs of an engine. A driver knows its engine's files, programs and SQL; it does not decide when
//! anything happens, does not watch processes and keeps nothing in memory: [`super::keeper`] does.
//!
//! A keeper calls the functions of one driver for one instance one after the other, never two at once, except
//! [`Driver::observe`], [`Driver::figures`], [`Driver::extensions`], [`Driver::logs`], [`Driver::dump`], [`Driver::load`] and
//! [`Driver::backup`], which may come at any time. Everything may be interrupted by a crash and is then called again.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::AsyncRead;

use super::api::{
    Dump, Figures, InstalledExtension, LogLine, Observed, RefusedExtension, Spec, Upstream,
};
use super::error::Result;
use super::home::InstanceDir;
use super::process::{Program, Programs, User};
use crate::engines::Build;
use crate::model::Engine;

/// Bytes that are read as they come.
pub type Stream = Box<dyn AsyncRead + Send + Unpin>;

/// One instance on this node: where its files are and how programs are run for it.
#[derive(Clone)]
pub struct Seat {
    /// Its directory.
    pub dir: InstanceDir,
    /// The programs of its engine.
    pub build: Build,
    /// Where the warm templates of all engines are.
    pub templates: PathBuf,
    /// Runs programs as our own children, which do not outlive us.
    pub programs: Programs,
    /// Whom its server and its tools run as; `None`: as whoever we are.
    pub user: Option<User>,
    /// The addresses that its server listens on.
    pub listen: Vec<IpAddr>,
    /// Its port, while it runs.
    pub port: u16,
    /// The certificate of the authority whose certificates upstreams show, PEM; empty where that is not known.
    pub authority: Arc<str>,
}

/// What new configuration takes to be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing: it is the same.
    None,
    /// [`Driver::reload`].
    Reload,
    /// A restart; [`Observed::pending_restart`] says so until somebody asks for one.
    Restart,
}

/// How a server is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Once its sessions have ended by themselves.
    Smart,
    /// Sessions are ended, everything is written.
    Fast,
    /// At once; it recovers at the next start.
    Immediate,
}

/// Which lines of the log are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Slow statements; otherwise warnings and errors.
    pub slow: bool,
    /// Not before, microseconds since 1970.
    pub since: i64,
    /// Before, microseconds since 1970.
    pub until: i64,
    /// At most so many lines, the newest.
    pub limit: usize,
}

/// An engine.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Which.
    fn engine(&self) -> Engine;

    /// The major version of the data in `seat.dir.data()`; `None` where there is none, or less than all of it.
    fn major(&self, seat: &Seat) -> Result<Option<String>>;

    /// Makes the warm template of that build where it is missing. Seats of templates have no instance: everything
    /// is run as `user` (a user that has a name), in `templates`.
    async fn warm(
        &self,
        build: &Build,
        templates: &std::path::Path,
        programs: &Programs,
        user: Option<User>,
    ) -> Result<()>;

    /// Makes the data directory from the warm template, durably, under an identity of its own.
    async fn make(&self, seat: &Seat, spec: &Spec) -> Result<()>;

    /// Makes the data directory as a copy of `upstream` (its slot is made there), ready to follow it.
    async fn copy(&self, seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<()>;

    /// Makes the data directory from a tar of a backup (already decompressed). Refuses paths that lead out of it.
    async fn unpack(&self, seat: &Seat, tar: Stream) -> Result<()>;

    /// True for the name of a file of the log that may be kept in `seat.dir.wal()` for [`Driver::recover`].
    fn log_file(&self, name: &str) -> bool;

    /// Recovers an unpacked data directory with what is in `seat.dir.wal()`: to `until` (microseconds since 1970,
    /// later commits are not replayed), or to the consistent end of the backup. It may run the server meanwhile;
    /// in the end none runs, and the directory has an identity of its own.
    async fn recover(&self, seat: &Seat, spec: &Spec, until: Option<i64>) -> Result<()>;

    /// Writes all configuration that follows from `spec`, without disturbing the server.
    async fn configure(&self, seat: &Seat, spec: &Spec) -> Result<Change>;

    /// What starts the server, in the foreground. Its standard output and error go to `seat.dir.log()`.
    fn server(&self, seat: &Seat, spec: &Spec) -> Program;

    /// The signal that asks the server to end that way.
    fn signal(&self, how: Stop) -> rustix::process::Signal;

    /// True once the server answers the administrator. An error means only: not yet.
    async fn ready(&self, seat: &Seat) -> Result<bool>;

    /// Makes written configuration take effect.
    async fn reload(&self, seat: &Seat) -> Result<()>;

    /// On a primary: makes accounts, databases, grants and what else lives in the database as `spec` wants them.
    /// On both: ends sessions that no rule lets in any more, and those of locked or changed accounts.
    async fn apply(&self, seat: &Seat, spec: &Spec) -> Result<()>;

    /// On a primary: does what `spec` wishes of extensions; says what the server refused of it.
    async fn extend(&self, _seat: &Seat, _spec: &Spec) -> Result<Vec<RefusedExtension>> {
        Ok(Vec::new()) // most engines have none
    }

    /// The extensions in a database.
    async fn extensions(&self, _seat: &Seat, _database: &str) -> Result<Vec<InstalledExtension>> {
        Ok(Vec::new())
    }

    /// Fills in what a running server says: `writable`, `timeline`, `lsn`, `replayed`, `lag_seconds`,
    /// `system_identifier`, `pending_restart`.
    async fn observe(&self, seat: &Seat, observed: &mut Observed) -> Result<()>;

    /// With the server stopped: the `lsn` that a standby has to have reached for having everything that was written
    /// here. `None` where it did not end in order.
    async fn end(&self, seat: &Seat, spec: &Spec) -> Result<Option<u64>>;

    /// Makes a running standby the primary; answers once it takes writes and standbys may rewind to it.
    async fn promote(&self, seat: &Seat, spec: &Spec) -> Result<()>;

    /// With the server stopped: makes the directory, whatever it was, ready to follow `upstream` at the next
    /// start. False: it has gone its own way too far, or the log is gone; it has to be copied anew.
    async fn follow(&self, seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<bool>;

    /// With the server running as a standby: true where it can never catch up, because what it needs is gone.
    async fn lost(&self, seat: &Seat) -> Result<bool>;

    /// With the server stopped: brings the data from the version of `from` to that of `seat.build`.
    async fn upgrade(&self, seat: &Seat, from: &Build, spec: &Spec) -> Result<()>;

    /// A physical backup, for engines whose replication protocol has none.
    async fn backup(&self, seat: &Seat) -> Result<Stream>;

    /// Counters; those of processes, cgroups and disks are filled in by the caller.
    async fn figures(&self, seat: &Seat, figures: &mut Figures) -> Result<()>;

    /// Lines of the server's own log, oldest first.
    async fn logs(&self, seat: &Seat, query: LogQuery) -> Result<Vec<LogLine>>;

    /// Dumps tables.
    async fn dump(&self, seat: &Seat, dump: &Dump) -> Result<Stream>;

    /// Loads what [`Driver::dump`] gave.
    async fn load(&self, seat: &Seat, database: &str, dump: Stream) -> Result<()>;
}
