//! Where things are: the clone, the folder for what chores install, and the build output.
//! Nothing is ever installed inside the clone.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Result;
use crate::process as program;

/// The places that every chore works with.
pub(crate) struct Workspace {
    /// The clone.
    pub(crate) root: PathBuf,
    /// Outside clients, peers and builds; survives between runs.
    pub(crate) cache: PathBuf,
    /// What cargo builds into.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the clone that this `xtask` belongs to, and makes the cache folder.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().ok_or("xtask is not inside a workspace")?.to_owned();
        let cache = cache_dir()?;
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| cache.join("target"), |dir| root.join(dir));
        make_dir(&cache)?;
        Ok(Self { root, cache, target })
    }

    /// `cargo` as it was called, in the clone, building into this workspace's target folder.
    ///
    /// The variables that cargo gave *this* program are taken away: build scripts that watch them
    /// would run again, and their crates be rebuilt, whenever a chore and a hand-typed `cargo`
    /// take turns.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Builds the program `awan` and tells where it is.
    pub(crate) fn build_awan(&self, release: bool) -> Result<PathBuf> {
        let mut cargo = self.cargo();
        cargo.args(["build", "--locked", "--package", "awan", "--bin", "awan"]);
        if release {
            cargo.arg("--release");
        }
        program::run(&mut cargo)?;
        Ok(self.target.join(if release { "release" } else { "debug" }).join("awan"))
    }
}

fn cache_dir() -> Result<PathBuf> {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given("AWAN_CACHE")
        .or_else(|| given("XDG_CACHE_HOME").map(|dir| dir.join("awan")))
        .or_else(|| given("HOME").map(|dir| dir.join(".cache/awan")))
        .ok_or_else(|| "set AWAN_CACHE: there is no home folder to keep a cache in".to_owned())
}

/// Whether an automated run forbids skipping.
pub(crate) fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| format!("read {}: {e}", path.display()))
}

/// Writes a file whole.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, content).map_err(|e| format!("write {}: {e}", path.display()))
}

/// Makes a folder and those above it.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| format!("make folder {}: {e}", path.display()))
}

/// A folder of this run's own, removed with all its content at the end.
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes an empty folder whose name begins with `awan-<name>`.
    pub(crate) fn new(name: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("awan-{name}-{}-{number}", process::id()));
        // Left by a run that was killed and whose process number came round again.
        let _ = fs::remove_dir_all(&path);
        make_dir(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
