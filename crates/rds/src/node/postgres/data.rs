//! Data directories: the warm template, copies of it, copies of an upstream, rewinding, upgrading.
//!
//! A directory appears under its name only once it is whole: everything is made beside it and renamed.

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base::{Clock as _, Rng as _, SystemClock, SystemRng};

use super::super::api::{Spec, Upstream};
use super::super::driver::{LogQuery, Seat, Stream};
use super::super::error::{Doing, Error, Result};
use super::super::home;
use super::super::process::{Program, Programs, User};
use super::{
    ADMIN, BULK, OWNER, REPLICATOR, TOOL, config, identity, logs, number, roles, slots, tool, users,
};
use crate::engines::Build;

/// The major version of a data directory; `None` where there is none.
pub fn major(data: &Path) -> Result<Option<String>> {
    match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing("PG_VERSION"),
    }
}

/// Runs blocking work on files.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Failed(error.to_string()))?
}

fn template(build: &Build, templates: &Path) -> PathBuf {
    let hash = build.sha256.get(..16).unwrap_or(&build.sha256);
    templates.join(format!("PostgreSQL-{}-{hash}", build.version))
}

/// See [`super::super::driver::Driver::warm`].
pub async fn warm(build: &Build, templates: &Path, programs: &Programs) -> Result<()> {
    let finished = template(build, templates);
    if major(&finished)?.is_some() {
        return Ok(());
    }
    let user = users::named(programs).await?;
    let new = finished.with_extension("new");
    home::remove_dir(&new)?;
    home::make_dir(&new, 0o700, user)?;
    initdb(build, &new, programs, user).await?;
    // Without a postmaster, new objects get numbers of the system's own, which pg_dump then takes for built in.
    let numbers = Program::new(build.programs.join("pg_resetwal")).user(user);
    programs.run(&numbers.args(["-o", "16384", "-D"]).arg(&new), TOOL).await?;
    for (database, sql) in [("template1", template_sql(build)), ("postgres", postgres_sql(build))] {
        alone(build, &new, (programs, user), database, sql).await?;
    }
    blocking(move || {
        sync(&new)?;
        fs::rename(&new, &finished).doing(finished.display())?;
        sync(&finished)
    })
    .await
}

/// Runs statements, one a line, in a cluster that has no server.
async fn alone(
    build: &Build,
    at: &Path,
    (programs, user): (&Programs, Option<User>),
    database: &str,
    sql: String,
) -> Result<()> {
    let single = Program::new(build.programs.join("postgres"))
        .user(user)
        .args(["--single", "-D"])
        .arg(at)
        .args(["-c", "fsync=off", "-c", "exit_on_error=on"])
        // Of what crashed, whoever rewinds it needs the log back to where it parted.
        .args(["-c", "wal_keep_size=1000000", database]);
    let sql: Stream = Box::new(Cursor::new(sql.into_bytes()));
    programs.feed(&single, sql).await
}

async fn initdb(build: &Build, at: &Path, programs: &Programs, user: Option<User>) -> Result<()> {
    let mut program = Program::new(build.programs.join("initdb")).user(user);
    program = program.arg("-D").arg(at).args(["-U", ADMIN, "--auth=reject", "--data-checksums"]);
    program = program.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
    if number(&build.major) >= 17 {
        program = program.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    programs.run(&program, TOOL).await.map(|_| ())
}

/// What every cluster has, one statement a line. No extension: in a tenant's database a superuser's would be in the
/// way of loading a dump of it.
fn template_sql(build: &Build) -> String {
    let roles = format!("CREATE ROLE {OWNER} LOGIN\nCREATE ROLE {REPLICATOR} LOGIN REPLICATION\n");
    let guard = roles::guard(number(&build.major)).map(|guard| guard + "\n");
    roles + &guard.unwrap_or_default()
}

fn extension_sql(build: &Build) -> &'static str {
    let known = build.extensions.iter().any(|name| name == "pg_stat_statements");
    if known { "CREATE EXTENSION pg_stat_statements\n" } else { "" }
}

/// What the database `postgres` has besides: the functions that pg_rewind reads with.
fn postgres_sql(build: &Build) -> String {
    let functions = [
        "pg_ls_dir(text, boolean, boolean)",
        "pg_stat_file(text, boolean)",
        "pg_read_binary_file(text)",
        "pg_read_binary_file(text, bigint, bigint, boolean)",
    ];
    let grant = |name: &str| format!("GRANT EXECUTE ON FUNCTION {name} TO {REPLICATOR}\n");
    functions.into_iter().map(grant).collect::<String>() + extension_sql(build)
}

/// See [`super::super::driver::Driver::make`].
pub async fn make(seat: &Seat) -> Result<()> {
    let from = template(&seat.build, &seat.templates);
    let new = seat.dir.data().with_extension("new");
    let (user, to) = (seat.user, new.clone());
    blocking(move || {
        home::remove_dir(&to)?;
        copy_tree(&from, &to, user)
    })
    .await?;
    new_identity(seat, &new).await?;
    publish(seat, new).await
}

/// Makes a finished directory durable and gives it its name.
pub async fn publish(seat: &Seat, new: PathBuf) -> Result<()> {
    let data = seat.dir.data();
    blocking(move || {
        sync(&new)?;
        fs::rename(&new, &data).doing(data.display())?;
        sync(&data)
    })
    .await
}

/// Everything written so far to the file system of that directory is on the disk. One call for all of it: a call
/// for each of a thousand small files takes seconds.
fn sync(dir: &Path) -> Result<()> {
    rustix::fs::syncfs(fs::File::open(dir)?).doing("syncfs")
}

/// Copies a stopped cluster, without its log, which gets a new beginning with the new identity.
fn copy_tree(from: &Path, to: &Path, user: Option<User>) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(to).doing(to.display())?;
    home::own(to, user)?;
    for entry in fs::read_dir(from).doing(from.display())? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &target, user)?;
        } else if !from.ends_with("pg_wal") {
            fs::copy(&source, &target).doing(target.display())?;
            home::own(&target, user)?;
        }
    }
    Ok(())
}

/// Gives a stopped cluster an identity of its own.
pub async fn new_identity(seat: &Seat, data: &Path) -> Result<()> {
    let path = data.join("global/pg_control");
    blocking(move || {
        let mut control = fs::read(&path).doing("pg_control")?;
        let seconds = SystemClock.now().micros() / 1_000_000;
        let mut chance = [0; 4];
        SystemRng.fill(&mut chance);
        let fresh = seconds.cast_unsigned() << 32 | u64::from(u32::from_ne_bytes(chance));
        identity::rewrite(&mut control, fresh)?;
        // In place: whoever owns it keeps owning it. It is one sector.
        fs::write(&path, control).doing("pg_control")
    })
    .await?;
    let reset = tool(seat, "pg_resetwal").arg("-D").arg(data);
    seat.programs.run(&reset, TOOL).await.map(|_| ())
}

/// Makes the slot for this standby at its upstream.
async fn make_slot(seat: &Seat, upstream: &Upstream) -> Result<()> {
    let program = tool(seat, "pg_receivewal")
        .args(["--no-password", "--create-slot", "--if-not-exists", "--slot"])
        .arg(&upstream.slot)
        .arg("--dbname")
        .arg(config::tool_conninfo(seat, upstream));
    seat.programs.run(&program, TOOL).await.map(|_| ())
}

/// See [`super::super::driver::Driver::copy`].
pub async fn copy(seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<()> {
    config::write(seat, spec)?;
    make_slot(seat, upstream).await?;
    let new = seat.dir.data().with_extension("new");
    home::remove_dir(&new)?;
    home::make_dir(&new, 0o700, seat.user)?;
    let program = tool(seat, "pg_basebackup")
        .args(["--no-password", "--no-sync", "--checkpoint=fast", "--wal-method=stream", "--slot"])
        .arg(&upstream.slot)
        .arg("--pgdata")
        .arg(&new)
        .arg("--dbname")
        .arg(config::tool_conninfo(seat, upstream));
    seat.programs.run(&program, BULK).await?;
    signal_file(seat, &new, "standby.signal")?;
    home::remove_dir(&seat.dir.data())?;
    publish(seat, new).await
}

/// An empty file whose presence tells the server something.
pub fn signal_file(seat: &Seat, data: &Path, name: &str) -> Result<()> {
    home::replace(&data.join(name), b"", 0o600, seat.user)
}

/// See [`super::super::driver::Driver::follow`].
pub async fn follow(seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<bool> {
    config::write(seat, spec)?;
    make_slot(seat, upstream).await?;
    let recovered = recover_crashed(seat).await;
    let rewind = tool(seat, "pg_rewind")
        .arg("--target-pgdata")
        .arg(seat.dir.data())
        .arg("--source-server")
        .arg(config::tool_conninfo(seat, upstream));
    let rewound = match recovered {
        Ok(()) => seat.programs.run(&rewind, BULK).await,
        Err(error) => Err(error),
    };
    if let Err(error) = rewound {
        let text = error.to_string();
        if text.contains("connection to server") || text.contains("could not connect") {
            return Err(Error::Later(text));
        }
        tracing::warn!(instance = %spec.id, %error, "rewind: the directory is copied anew");
        return Ok(false);
    }
    slots::remove_all(seat)?;
    signal_file(seat, &seat.dir.data(), "standby.signal")?;
    Ok(true)
}

/// Has a primary that crashed recover, without a server that anybody could reach. `pg_rewind` would do the same, but as
/// its server's user, who has no name where each instance has a user of its own; and the engine wants one here.
async fn recover_crashed(seat: &Seat) -> Result<()> {
    let Some(user) = users::named(&seat.programs).await? else { return Ok(()) };
    if value_of(&control_data(seat).await?, "Database cluster state") != Some("in production") {
        return Ok(());
    }
    let data = seat.dir.data();
    home::own_tree(&data, Some(user))?;
    let programs = (&seat.programs, Some(user));
    let recovered = alone(&seat.build, &data, programs, "template1", String::new()).await;
    home::own_tree(&data, seat.user)?;
    recovered
}

async fn control_data(seat: &Seat) -> Result<String> {
    let program = tool(seat, "pg_controldata").arg("-D").arg(seat.dir.data());
    let said = seat.programs.run(&program, TOOL).await?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// See [`super::super::driver::Driver::end`].
pub async fn end(seat: &Seat) -> Result<Option<u64>> {
    Ok(shutdown(&control_data(seat).await?))
}

/// A value of those that pg_controldata tells.
fn value_of<'a>(said: &'a str, name: &str) -> Option<&'a str> {
    said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What pg_controldata says of a primary that ended in order: its last checkpoint begins after everything else. Whoever
/// received anything of that has all before it.
fn shutdown(said: &str) -> Option<u64> {
    if value_of(said, "Database cluster state")? != "shut down" {
        return None;
    }
    let (high, low) = value_of(said, "Latest checkpoint location")?.split_once('/')?;
    let half = |text| u32::from_str_radix(text, 16).ok().map(u64::from);
    (half(high)? << 32 | half(low)?).checked_add(1)
}

/// See [`super::super::driver::Driver::lost`].
pub async fn lost(seat: &Seat) -> Result<bool> {
    let client = super::admin::connect(seat, "postgres").await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming')";
    if client.query_one(sql, &[]).await?.get(0) {
        return Ok(false);
    }
    let now = SystemClock.now().micros();
    let query = LogQuery { slow: false, since: now - 30_000_000, until: i64::MAX, limit: 50 };
    let dir = seat.dir.logs();
    let lines = blocking(move || logs::read(&dir, query)).await?;
    let hopeless =
        ["has already been removed", "is not in this server's history", "highest timeline"];
    // Without its slot the log that it needs may go at any time; with a new copy it gets a new one.
    let slotless =
        |text: &str| text.contains("replication slot") && text.contains("does not exist");
    let is_hopeless = |text: &str| hopeless.iter().any(|it| text.contains(it)) || slotless(text);
    Ok(lines.iter().any(|line| is_hopeless(&line.text)))
}

/// See [`super::super::driver::Driver::upgrade`]. Hard links: the old directory is of no use once the new one was
/// started, and is removed when the new one is published.
pub async fn upgrade(seat: &Seat, from: &Build) -> Result<()> {
    let Some(user) = users::named(&seat.programs).await?.or(seat.user).or_else(ourselves) else {
        return Err(Error::Failed("nobody to upgrade as".to_owned()));
    };
    let name = users::name_of(user.uid).unwrap_or_default();
    let new = seat.dir.data().with_extension("new");
    let work = seat.dir.path().join("upgrade");
    for dir in [&new, &work] {
        home::remove_dir(dir)?;
        home::make_dir(dir, 0o700, Some(user))?;
    }
    initdb(&seat.build, &new, &seat.programs, Some(user)).await?;
    let old = seat.dir.data();
    usable_again(&old)?;
    home::own_tree(&old, Some(user))?;
    for data in [&old, &new] {
        let hba = "local all all peer map=awan\n";
        home::replace(&data.join("pg_hba.conf"), hba.as_bytes(), 0o600, Some(user))?;
        let ident = format!("awan \"{name}\" {ADMIN}\n");
        home::replace(&data.join("pg_ident.conf"), ident.as_bytes(), 0o600, Some(user))?;
    }
    let program = Program::new(seat.build.programs.join("pg_upgrade"))
        .user(Some(user))
        .directory(&work)
        .args(["--link", "--username", ADMIN, "--socketdir"])
        .arg(seat.dir.run())
        .arg("--old-bindir")
        .arg(&from.programs)
        .arg("--new-bindir")
        .arg(&seat.build.programs)
        .arg("--old-datadir")
        .arg(&old)
        .arg("--new-datadir")
        .arg(&new);
    home::own(seat.dir.run(), Some(user))?;
    let upgraded = seat.programs.run(&program, BULK).await;
    home::own(seat.dir.run(), seat.user)?;
    home::own_tree(&old, seat.user)?;
    if let Err(error) = upgraded {
        usable_again(&old)?;
        return Err(Error::Failed(format!("{}: {}", first_and_last(&error), consulted(&error))));
    }
    // The roles of the engine's own are the new cluster's, as it was made.
    if let Some(guard) = roles::guard(number(&seat.build.major)) {
        let who = (&seat.programs, Some(user));
        alone(&seat.build, &new, who, "postgres", guard + "\n").await?;
    }
    home::own_tree(&new, seat.user)?;
    home::remove_dir(&work)?;
    let swapped = new.clone();
    blocking(move || {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        sync(&new)?;
        // At no time is there no data directory: an instance without one would be made from nothing.
        renameat_with(CWD, &new, CWD, &old, RenameFlags::EXCHANGE).doing("exchange directories")?;
        sync(&old)
    })
    .await?;
    home::remove_dir(&swapped)
}

/// Until the new cluster was started the old one is as it was, but for the name of one file.
fn usable_again(old: &Path) -> Result<()> {
    let moved = old.join("global/pg_control.old");
    if moved.exists() {
        fs::rename(&moved, old.join("global/pg_control")).doing("pg_control")?;
    }
    Ok(())
}

/// An error's text without its long middle.
fn first_and_last(error: &Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().get(..60).unwrap_or_default().to_owned();
    format!("{first} … {}", lines.next_back().unwrap_or_default())
}

/// The end of the log that pg_upgrade says to consult: the path is in quotes.
fn consulted(error: &Error) -> String {
    let text = error.to_string();
    let path = text.split('"').nth(1).unwrap_or_default();
    let log = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().take(6).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("; ")
}

fn ourselves() -> Option<User> {
    Some(User {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    })
}

/// Makes a directory's mode one that the server accepts.
pub fn private(path: &Path) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).doing(path.display())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAID: &str = "pg_control version number:            1300\n\
                        Database cluster state:               shut down\n\
                        Latest checkpoint location:           2/A0000028\n\
                        Latest checkpoint's REDO location:    2/A0000028\n";

    #[test]
    fn the_end_of_a_log_is_known_only_of_a_primary_that_ended_in_order() {
        assert_eq!(shutdown(SAID), Some(0x2_A000_0029));
        for other in ["in production", "shut down in recovery", "shutting down"] {
            assert_eq!(shutdown(&SAID.replace("shut down", other)), None, "{other}");
        }
        assert_eq!(shutdown(""), None);
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_makes_the_reader_fail(
            at in "[0-9A-Fa-f/]{0,20}", said in "(.|\n){0,60}",
        ) {
            let _ = shutdown(&said);
            let _ = shutdown(&SAID.replace("2/A0000028", &at));
        }
    }
}
