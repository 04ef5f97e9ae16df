//! The private store of engines: its layout and its files. Knows neither where engines come from nor what they do.
//!
//! `<store>/<engine>/<version>/` has one engine; in it `tree/` has what was unpacked, `libraries/` (of packages of
//! the operating system) the shared libraries, and `installed.json` what it was made of. Names that begin with a dot
//! are work in progress.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ring::digest;
use serde::{Deserialize, Serialize};

use super::discover::Candidate;
use super::{Error, programs};
use crate::model::Engine;

/// The file that says what an installed engine was made of.
pub(super) const INSTALLED: &str = "installed.json";

/// What an installed engine was made of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Installed {
    pub(super) engine: Engine,
    pub(super) version: String,
    /// SHA-256 of the server program.
    pub(super) sha256: String,
    /// SHA-256 of each archive that was downloaded, by its file name.
    pub(super) archives: BTreeMap<String, String>,
    /// When, microseconds since 1970.
    pub(super) at: i64,
}

/// The directory of an engine's versions.
pub(super) fn home(store: &Path, engine: Engine) -> PathBuf {
    store.join(match engine {
        Engine::Postgres => "postgresql",
        Engine::MariaDb => "mariadb",
    })
}

/// The programs in the directory of an installed version.
pub(super) fn candidate(engine: Engine, dir: &Path) -> Candidate {
    let libraries = dir.join("libraries");
    Candidate {
        engine,
        programs: match engine {
            Engine::Postgres => dir.join("tree/bin"),
            Engine::MariaDb => dir.join("tree/usr/bin"),
        },
        libraries: libraries.is_dir().then_some(libraries),
    }
}

/// The installed versions of an engine: directories that were finished.
pub(super) fn versions(store: &Path, engine: Engine) -> Vec<PathBuf> {
    let all = subdirectories(&home(store, engine)).into_iter();
    all.filter(|dir| dir.join(INSTALLED).is_file()).collect()
}

/// Everything installed.
pub(super) fn candidates(store: &Path) -> Vec<Candidate> {
    let of = |engine| versions(store, engine).into_iter().map(move |dir| candidate(engine, &dir));
    of(Engine::Postgres).chain(of(Engine::MariaDb)).collect()
}

/// The directories in a directory, without those whose names begin with a dot; none where there is no such directory.
pub(super) fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let shown = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    let mut dirs: Vec<PathBuf> =
        shown.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    dirs.sort();
    dirs
}

/// SHA-256 of a file, lower-case hexadecimal.
pub(super) fn sha256(path: &Path) -> Result<String, Error> {
    let failed = |e: io::Error| Error(format!("read {}: {e}", path.display()));
    let mut file = fs::File::open(path).map_err(failed)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            count => context.update(&buffer[..count]),
        }
    }
    let bytes = context.finish();
    Ok(bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Puts a file in place of another at once, so that a reader sees the one or the other.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&new, content)?;
    fs::rename(&new, path)
}

/// Makes a directory, and those above it, which everybody may enter.
pub(super) fn make_open(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        make_open(above)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o755))),
    }
}

/// Lets everybody read what is below a directory, and run what its owner may run.
pub(super) fn open_tree(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            open_tree(&path)?;
        } else if metadata.is_file() {
            let mode = if metadata.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Refuses a store that users of instances could not enter. Only root runs servers under other users.
pub(super) fn check_reachable(store: &Path) -> Result<(), Error> {
    if !programs::is_root() {
        return Ok(());
    }
    let closed =
        |dir: &&Path| fs::metadata(dir).is_ok_and(|it| it.permissions().mode() & 0o001 == 0);
    match store.ancestors().find(closed) {
        None => Ok(()),
        Some(dir) => Err(Error(format!(
            "{} is closed to other users, and database servers run under users of their own: give a store that \
             everybody can enter, for example --store /var/lib/awan/engines",
            dir.display()
        ))),
    }
}

/// The programs that run out of a directory now.
pub(super) fn running_from(dir: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let from =
        |id: &u32| fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe.starts_with(dir));
    ids.filter(from).collect()
}
