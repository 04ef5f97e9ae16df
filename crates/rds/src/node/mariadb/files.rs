//! Data directories: the warm template and copies of it. A directory appears under its name only once it is whole.

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};

use super::super::driver::{Seat, Stream};
use super::super::error::{Doing, Result};
use super::super::home;
use super::super::process::{Programs, User};
use super::{TOOL, blocking, config, program};
use crate::engines::Build;

/// The file in a data directory that says of which major version it is, and that all of it is there.
const MARK: &str = "awan-major";

/// The template's redo log: the smallest; the first start makes it as large as the configuration says.
const LOG_SIZE: &str = "--innodb-log-file-size=16M";

/// The major version of a data directory; `None` where there is none, or less than all of it.
pub fn major(data: &Path) -> Result<Option<String>> {
    match fs::read_to_string(data.join(MARK)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(MARK),
    }
}

/// Says that a data directory is whole, durably.
pub fn mark(data: &Path, build: &Build, user: Option<User>) -> Result<()> {
    sync(data)?;
    home::replace(&data.join(MARK), format!("{}\n", build.major).as_bytes(), 0o600, user)
}

/// Says that a data directory is not whole.
pub fn unmark(data: &Path) -> Result<()> {
    fs::remove_file(data.join(MARK)).doing(MARK)
}

fn template(build: &Build, templates: &Path) -> PathBuf {
    let hash = build.sha256.get(..16).unwrap_or(&build.sha256);
    templates.join(format!("MariaDB-{}-{hash}", build.version))
}

/// See [`super::super::driver::Driver::warm`].
pub async fn warm(
    build: &Build,
    templates: &Path,
    programs: &Programs,
    user: Option<User>,
) -> Result<()> {
    let finished = template(build, templates);
    if major(&finished)?.is_some() {
        return Ok(());
    }
    let new = finished.with_extension("new");
    home::remove_dir(&new)?;
    home::make_dir(&new, 0o700, user)?;
    let base = config::base(build);
    let install = program(build, "mariadb-install-db")
        .user(user)
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .args(["--skip-name-resolve", LOG_SIZE])
        .arg(format!("--datadir={}", new.display()))
        .arg(format!("--basedir={}", base.display()))
        .arg(format!("--lc-messages-dir={}", config::share(build).display()));
    programs.run(&install, TOOL).await?;
    // Nobody logs in but whom the node makes; its own user is made at each start.
    let nobody = "DELETE FROM mysql.global_priv WHERE User IN ('root', '');\n";
    let bootstrap = program(build, "mariadbd")
        .user(user)
        .args(["--no-defaults", "--bootstrap", LOG_SIZE])
        .arg(format!("--datadir={}", new.display()))
        .arg(format!("--lc-messages-dir={}", config::share(build).display()));
    let input: Stream = Box::new(Cursor::new(nobody.as_bytes()));
    programs.feed(&bootstrap, input).await?;
    let build = build.clone();
    blocking(move || {
        mark(&new, &build, user)?;
        fs::rename(&new, &finished).doing(finished.display())?;
        sync(&finished)
    })
    .await
}

/// See [`super::super::driver::Driver::make`]. The identity of a MariaDB is in its configuration.
pub async fn make(seat: &Seat) -> Result<()> {
    let from = template(&seat.build, &seat.templates);
    let (data, user) = (seat.dir.data(), seat.user);
    blocking(move || {
        let new = data.with_extension("new");
        home::remove_dir(&new)?;
        copy_tree(&from, &new, user)?;
        sync(&new)?;
        fs::rename(&new, &data).doing(data.display())?;
        sync(&data)
    })
    .await
}

/// Everything written so far to the file system of that directory is on the disk.
pub fn sync(dir: &Path) -> Result<()> {
    rustix::fs::syncfs(fs::File::open(dir)?).doing("syncfs")
}

fn copy_tree(from: &Path, to: &Path, user: Option<User>) -> Result<()> {
    home::make_dir(to, 0o700, user)?;
    for entry in fs::read_dir(from).doing(from.display())? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &target, user)?;
        } else {
            fs::copy(&source, &target).doing(source.display())?;
            home::own(&target, user)?;
        }
    }
    Ok(())
}
