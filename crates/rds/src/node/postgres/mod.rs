//! PostgreSQL, versions 14 and later.
//!
//! The roles that the node keeps for itself: `awan_admin`, the only superuser, who comes through the unix socket
//! only; `awan_replicator`, who copies and follows over TLS; `awan_owner`, no superuser, who owns what has no owner
//! among the tenant's roles, so that nothing of a tenant's ever runs with a superuser's rights.

mod admin;
mod config;
mod data;
mod extensions;
mod identity;
mod logs;
mod recover;
mod roles;
mod slots;
mod users;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;

use super::api::{
    Dump, Figures, InstalledExtension, LogLine, Observed, RefusedExtension, Role, Spec, Upstream,
};
use super::driver::{Change, Driver, LogQuery, Seat, Stop, Stream};
use super::error::{Error, Result};
use super::process::{Program, Programs, User};
use crate::engines::Build;
use crate::model::Engine;

/// The superuser.
const ADMIN: &str = "awan_admin";
/// Who copies and follows.
const REPLICATOR: &str = "awan_replicator";
/// Who owns what nobody else does.
const OWNER: &str = "awan_owner";

/// How long a tool may take that does not depend on how much data there is.
const TOOL: Duration = Duration::from_secs(120);
/// How long one may take that does.
const BULK: Duration = Duration::from_secs(24 * 3600);

/// A major version as a number; 0 for what is none.
fn number(major: &str) -> u32 {
    major.parse().unwrap_or_default()
}

/// The driver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postgres;

/// A program of the instance's build, as its user.
fn tool(seat: &Seat, name: &str) -> Program {
    Program::new(seat.build.programs.join(name)).user(seat.user)
}

#[async_trait]
impl Driver for Postgres {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn major(&self, seat: &Seat) -> Result<Option<String>> {
        data::major(&seat.dir.data())
    }

    async fn warm(
        &self,
        build: &Build,
        templates: &Path,
        programs: &Programs,
        _user: Option<User>,
    ) -> Result<()> {
        data::warm(build, templates, programs).await
    }

    async fn make(&self, seat: &Seat, _spec: &Spec) -> Result<()> {
        data::make(seat).await
    }

    async fn copy(&self, seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<()> {
        data::copy(seat, spec, upstream).await
    }

    async fn unpack(&self, seat: &Seat, tar: Stream) -> Result<()> {
        recover::unpack(seat, tar).await
    }

    fn log_file(&self, name: &str) -> bool {
        recover::is_log_file(name)
    }

    async fn recover(&self, seat: &Seat, _spec: &Spec, until: Option<i64>) -> Result<()> {
        recover::recover(seat, until).await
    }

    async fn configure(&self, seat: &Seat, spec: &Spec) -> Result<Change> {
        config::write(seat, spec)
    }

    fn server(&self, seat: &Seat, _spec: &Spec) -> Program {
        let file = seat.dir.conf().join("postgresql.conf");
        tool(seat, "postgres")
            .arg("-D")
            .arg(seat.dir.data())
            .arg("-c")
            .arg(format!("config_file={}", file.display()))
            .death("QUIT")
    }

    fn signal(&self, how: Stop) -> Signal {
        match how {
            Stop::Smart => Signal::TERM,
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        }
    }

    async fn ready(&self, seat: &Seat) -> Result<bool> {
        // A look at the file first: every connection that comes too early is a line in the tenant's log.
        let text = tokio::fs::read_to_string(seat.dir.data().join("postmaster.pid")).await;
        if !text.is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready")) {
            return Ok(false);
        }
        admin::connect(seat, "postgres").await?.batch_execute("SELECT 1").await?;
        Ok(true)
    }

    async fn reload(&self, seat: &Seat) -> Result<()> {
        admin::reload(seat).await
    }

    async fn apply(&self, seat: &Seat, spec: &Spec) -> Result<()> {
        if spec.role == Role::Primary {
            roles::apply(seat, spec).await?;
            slots::apply(seat, spec).await?;
        }
        admin::end_sessions_without_a_rule(seat).await
    }

    async fn extend(&self, seat: &Seat, spec: &Spec) -> Result<Vec<RefusedExtension>> {
        extensions::extend(seat, spec).await
    }

    async fn extensions(&self, seat: &Seat, database: &str) -> Result<Vec<InstalledExtension>> {
        extensions::installed(seat, database).await
    }

    async fn observe(&self, seat: &Seat, observed: &mut Observed) -> Result<()> {
        admin::observe(seat, observed).await
    }

    async fn end(&self, seat: &Seat, _spec: &Spec) -> Result<Option<u64>> {
        data::end(seat).await
    }

    async fn promote(&self, seat: &Seat, _spec: &Spec) -> Result<()> {
        let client = admin::connect(seat, "postgres").await?;
        let standby: bool = client.query_one("SELECT pg_is_in_recovery()", &[]).await?.get(0);
        if standby {
            let row = client.query_one("SELECT pg_promote(true, 120)", &[]).await?;
            if !row.get::<_, bool>(0) {
                return Err(Error::Later("the standby has not become a primary yet".to_owned()));
            }
        }
        // Only a checkpoint puts the new timeline where pg_rewind looks for it.
        client.batch_execute("CHECKPOINT").await?;
        Ok(())
    }

    async fn follow(&self, seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<bool> {
        data::follow(seat, spec, upstream).await
    }

    async fn lost(&self, seat: &Seat) -> Result<bool> {
        data::lost(seat).await
    }

    async fn upgrade(&self, seat: &Seat, from: &Build, _spec: &Spec) -> Result<()> {
        data::upgrade(seat, from).await
    }

    async fn backup(&self, _seat: &Seat) -> Result<Stream> {
        Err(Error::Unknown("PostgreSQL gives backups through its replication protocol".to_owned()))
    }

    async fn figures(&self, seat: &Seat, figures: &mut Figures) -> Result<()> {
        admin::figures(seat, figures).await
    }

    async fn logs(&self, seat: &Seat, query: LogQuery) -> Result<Vec<LogLine>> {
        let dir = seat.dir.logs();
        let read = tokio::task::spawn_blocking(move || logs::read(&dir, query));
        read.await.map_err(|error| Error::Failed(error.to_string()))?
    }

    async fn dump(&self, seat: &Seat, dump: &Dump) -> Result<Stream> {
        if dump.tables.iter().any(|(from, to)| from != to) {
            return Err(Error::Conflict("tables keep their names when they are dumped".to_owned()));
        }
        let mut program = tool(seat, "pg_dump").args(["--format=custom", "--no-password"]);
        program = program.arg("--username").arg(ADMIN).arg("--host").arg(seat.dir.run());
        program = program.arg("--port").arg(seat.port.to_string()).user(None);
        if !dump.tables.is_empty() {
            // One that is not there is an error, not nothing.
            program = program.args(["--strict-names"]);
        }
        for (table, _) in &dump.tables {
            program = program.arg("--table").arg(admin::pattern(table));
        }
        seat.programs.stream(&program.arg("--dbname").arg(admin::database(&dump.database))).await
    }

    async fn load(&self, seat: &Seat, database: &str, dump: Stream) -> Result<()> {
        // Not as the superuser: what is loaded runs code of tenants' making.
        let program = tool(seat, "pg_restore")
            .args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"])
            .args(["--no-password", "--username", OWNER, "--host"])
            .arg(seat.dir.run())
            .arg("--port")
            .arg(seat.port.to_string())
            .arg("--role")
            .arg(admin::lend_owner(seat, database).await?)
            .arg("--dbname")
            .arg(admin::database(database))
            .user(None);
        seat.programs.feed(&program, dump).await
    }
}
