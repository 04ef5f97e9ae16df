//! A PostgreSQL server of this run's own: an empty cluster in a temporary folder, reached by a unix
//! socket only. It keeps its default durability (`fsync` on), for that is what the store relies on.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use crate::process::{self, Running};
use crate::workspace::{Scratch, read};
use crate::{Result, setup};

/// The owner of every database here.
const USER: &str = "awan";

/// A running server. Ended and removed when dropped.
pub(crate) struct Postgres {
    // Field order is drop order: the server ends before its folder goes.
    running: Running,
    scratch: Scratch,
    bin: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub(crate) fn start() -> Result<Self> {
        let bin = bin_dir().ok_or("there is no PostgreSQL server")?;
        let scratch = Scratch::new("postgres")?;
        let owner = Owner::choose()?;
        owner.give(scratch.path())?;
        let data = scratch.path().join("data");
        let mut initdb = owner.command(bin.join("initdb"));
        initdb.args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--username", USER]);
        process::output(initdb.arg("--pgdata").arg(&data))?;
        let log = fs::File::create(scratch.path().join("log")).map_err(|e| format!("log: {e}"))?;
        let mut server = owner.command(bin.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(scratch.path());
        server.args(["-c", "listen_addresses=", "-c", "max_connections=300"]);
        // A SERIALIZABLE test run holds many predicate locks at once.
        server.args(["-c", "max_pred_locks_per_transaction=256"]);
        let running = Running::start(server.stdout(Stdio::null()).stderr(log))?;
        let mut postgres = Self { running, scratch, bin };
        process::wait_for("PostgreSQL", Duration::from_secs(30), || {
            postgres.running.check_alive().map_err(|e| format!("{e}\n{}", postgres.log()))?;
            Ok(postgres.answers().then_some(()))
        })?;
        Ok(postgres)
    }

    /// How a program connects: libpq's key-and-value form.
    pub(crate) fn conninfo(&self, database: &str) -> String {
        format!("host={} user={USER} dbname={database}", self.scratch.path().display())
    }

    /// Makes an empty database.
    pub(crate) fn create_database(&self, name: &str) -> Result<()> {
        let sql = format!("CREATE DATABASE {name}");
        process::output(self.psql().args(["-c", &sql])).map(drop)
    }

    fn answers(&self) -> bool {
        process::succeeds(self.psql().args(["-c", "SELECT 1"]))
    }

    fn psql(&self) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]);
        psql.arg("-d").arg(self.conninfo("postgres"));
        psql
    }

    fn log(&self) -> String {
        read(&self.scratch.path().join("log")).unwrap_or_default()
    }
}

/// Where the newest server's programs are; Debian keeps them off the search path.
pub(crate) fn bin_dir() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name().and_then(OsStr::to_str)?.parse::<u32>().ok();
    let mut installed: Vec<PathBuf> = debian.map(|entry| entry.path()).collect();
    installed.sort_by_key(|path| version(path));
    let mut known: Vec<PathBuf> = installed.into_iter().rev().map(|dir| dir.join("bin")).collect();
    known.extend(env::split_paths(&env::var_os("PATH")?));
    known.into_iter().find(|dir| ["initdb", "postgres"].iter().all(|name| dir.join(name).is_file()))
}

/// Who runs the server. PostgreSQL refuses to run as root.
pub(crate) enum Owner {
    Myself,
    Other { uid: u32, gid: u32 },
}

impl Owner {
    pub(crate) fn choose() -> Result<Self> {
        if !setup::is_root() {
            return Ok(Self::Myself);
        }
        let users = read(Path::new("/etc/passwd"))?;
        let line = users.lines().find(|line| line.starts_with("postgres:"));
        let mut ids = line.into_iter().flat_map(|line| line.split(':').skip(2)).map(str::parse);
        match (ids.next(), ids.next()) {
            (Some(Ok(uid)), Some(Ok(gid))) => Ok(Self::Other { uid, gid }),
            _ => Err("there is no user `postgres` to run PostgreSQL as".to_owned()),
        }
    }

    /// Makes the folder the owner's; sockets in it stay reachable for the tests.
    pub(crate) fn give(&self, dir: &Path) -> Result<()> {
        let Self::Other { uid, gid } = *self else { return Ok(()) };
        chown(dir, Some(uid), Some(gid))
            .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o755)))
            .map_err(|e| format!("give {} to the database's user: {e}", dir.display()))
    }

    pub(crate) fn command(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        if let Self::Other { uid, gid } = *self {
            command.uid(uid).gid(gid);
        }
        // The clone may be closed to that user, and a server must not hold it open.
        command.current_dir("/");
        command
    }
}
