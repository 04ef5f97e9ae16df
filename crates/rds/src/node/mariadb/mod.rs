//! MariaDB, versions 10.11 and later.
//!
//! The users that the node keeps for itself: `awan_admin`, who has every right and comes through the unix socket only;
//! `awan_replicator`, who copies and follows over TLS. Tenants' users are `NAME@%`, come over TLS only
//! (`require_secure_transport`) and never have a right on the database `mysql` or any other that is not theirs: that is
//! why a privileged account has all rights on each tenant's database, and cannot make databases or users by SQL.
//!
//! White lists are the server's own business (`white`): there is no gateway before it, since MariaDB speaks first and
//! cannot be routed by name.
//!
//! What PostgreSQL has and MariaDB has not: a timeline (always 1), positions of a log that compare across members (the
//! sequence number of the GTID stands for them), and recovery to a microsecond (it is to a second).

mod accounts;
mod config;
mod copies;
mod figures;
mod files;
mod logs;
mod lz4;
mod replication;
mod sql;
mod white;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;

use super::api::{Dump, Figures, LogLine, Observed, Spec, Upstream};
use super::driver::{Change, Driver, LogQuery, Seat, Stop, Stream};
use super::error::{Error, Result};
use super::process::{Program, Programs, User};
use crate::engines::Build;
use crate::model::Engine;

/// Who administers.
const ADMIN: &str = "awan_admin";
/// Who copies and follows.
const REPLICATOR: &str = "awan_replicator";

/// How long a tool may take that does not depend on how much data there is.
const TOOL: Duration = Duration::from_secs(120);
/// How long one may take that does.
const BULK: Duration = Duration::from_secs(24 * 3600);

/// The driver.
#[derive(Clone, Copy, Debug, Default)]
pub struct MariaDb;

/// A program of a build.
fn program(build: &Build, name: &str) -> Program {
    let program = Program::new(build.program(name));
    match &build.libraries {
        Some(libraries) => program.env("LD_LIBRARY_PATH", libraries),
        None => program,
    }
}

/// A program of the instance's build, as its user.
fn tool(seat: &Seat, name: &str) -> Program {
    program(&seat.build, name).user(seat.user)
}

/// Runs blocking work on files.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Failed(error.to_string()))?
}

#[async_trait]
impl Driver for MariaDb {
    fn engine(&self) -> Engine {
        Engine::MariaDb
    }

    fn major(&self, seat: &Seat) -> Result<Option<String>> {
        files::major(&seat.dir.data())
    }

    async fn warm(
        &self,
        build: &Build,
        templates: &Path,
        programs: &Programs,
        user: Option<User>,
    ) -> Result<()> {
        files::warm(build, templates, programs, user).await
    }

    async fn make(&self, seat: &Seat, _spec: &Spec) -> Result<()> {
        files::make(seat).await
    }

    async fn copy(&self, seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<()> {
        copies::copy(seat, spec, upstream).await
    }

    async fn unpack(&self, seat: &Seat, tar: Stream) -> Result<()> {
        copies::unpack(seat, tar).await
    }

    fn log_file(&self, name: &str) -> bool {
        copies::is_log_file(name)
    }

    async fn recover(&self, seat: &Seat, spec: &Spec, until: Option<i64>) -> Result<()> {
        copies::recover(seat, spec, until).await
    }

    async fn configure(&self, seat: &Seat, spec: &Spec) -> Result<Change> {
        config::write(seat, spec)
    }

    fn server(&self, seat: &Seat, _spec: &Spec) -> Program {
        sql::server(seat)
    }

    /// `TERM` ends sessions and writes everything; there is no way to wait for sessions to end by themselves.
    fn signal(&self, how: Stop) -> Signal {
        match how {
            Stop::Smart | Stop::Fast => Signal::TERM,
            Stop::Immediate => Signal::KILL,
        }
    }

    async fn ready(&self, seat: &Seat) -> Result<bool> {
        Ok(sql::ask(seat, "SELECT 1").await.is_ok())
    }

    async fn reload(&self, seat: &Seat) -> Result<()> {
        config::reload(seat).await
    }

    async fn apply(&self, seat: &Seat, spec: &Spec) -> Result<()> {
        accounts::apply(seat, spec).await
    }

    async fn observe(&self, seat: &Seat, observed: &mut Observed) -> Result<()> {
        replication::observe(seat, observed).await
    }

    async fn end(&self, seat: &Seat, spec: &Spec) -> Result<Option<u64>> {
        replication::end(seat, spec)
    }

    async fn promote(&self, seat: &Seat, spec: &Spec) -> Result<()> {
        replication::promote(seat, spec).await
    }

    async fn follow(&self, seat: &Seat, spec: &Spec, _upstream: &Upstream) -> Result<bool> {
        // Whether its own history is a part of the upstream's is found out when it connects: see `lost`.
        config::write(seat, spec)?;
        Ok(files::major(&seat.dir.data())?.is_some())
    }

    async fn lost(&self, seat: &Seat) -> Result<bool> {
        replication::lost(seat).await
    }

    async fn upgrade(&self, seat: &Seat, _from: &Build, spec: &Spec) -> Result<()> {
        copies::upgrade(seat, spec).await
    }

    async fn backup(&self, seat: &Seat) -> Result<Stream> {
        copies::backup(seat).await
    }

    async fn figures(&self, seat: &Seat, figures: &mut Figures) -> Result<()> {
        figures::take(seat, figures).await
    }

    async fn logs(&self, seat: &Seat, query: LogQuery) -> Result<Vec<LogLine>> {
        let (log, slow) = (seat.dir.log(), config::slow_log(seat));
        blocking(
            move || if query.slow { logs::slow(&slow, query) } else { logs::errors(&log, query) },
        )
        .await
    }

    async fn dump(&self, seat: &Seat, dump: &Dump) -> Result<Stream> {
        copies::dump(seat, dump).await
    }

    async fn load(&self, seat: &Seat, database: &str, dump: Stream) -> Result<()> {
        let client =
            sql::admin(seat, "mariadb").arg("--sandbox").arg(format!("--database={database}"));
        seat.programs.feed(&client, dump).await
    }
}
