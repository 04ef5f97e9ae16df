//! Finds what a chore needs and installs what is missing: Debian packages, Python clients, Node
//! clients. Everything but Debian packages goes below the cache folder, in a folder named after a
//! digest of the pinned versions, so that a second run finds it at once and a changed pin never
//! mixes with an old one.

use std::env;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{Workspace, make_dir, read, write};
use crate::{Result, postgres, process};

/// Written into an installed folder last, so that a broken-off installation is begun anew.
const MARKER: &str = ".complete";

/// A program of the operating system that some chore needs.
pub(crate) struct Need {
    /// What it is called in a sentence.
    pub(crate) name: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    /// Whether it is there and fit for use.
    present: fn() -> bool,
}

/// An interpreter that can make virtual environments.
pub(crate) const PYTHON: Need = Need {
    name: "Python 3.10 or newer with venv",
    packages: &["python3", "python3-venv"],
    present: || python_program().is_some(),
};

/// Node.js and its package manager.
pub(crate) const NODE: Need = Need {
    name: "Node.js 20 or newer with npm",
    packages: &["nodejs", "npm"],
    present: node_present,
};

/// A database server that can be started as an ordinary program.
pub(crate) const POSTGRES: Need = Need {
    name: "PostgreSQL",
    packages: &["postgresql"],
    present: || postgres::bin_dir().is_some(),
};

/// A MariaDB with its clients and its backup program, as packages that start no server.
pub(crate) const MARIADB: Need = Need {
    name: "MariaDB",
    packages: &["mariadb-server-core", "mariadb-client", "mariadb-backup"],
    present: || {
        let there = |name: &&str| process::which(name).is_some();
        Path::new("/usr/sbin/mariadbd").is_file()
            && ["mariadb-dump", "mariadb-binlog", "mariadb-backup"].iter().all(there)
    },
};

/// What `awan engine install` downloads other versions of PostgreSQL with.
pub(crate) const PIP: Need = Need {
    name: "pip",
    packages: &["python3-pip"],
    present: || process::succeeds(Command::new("python3").args(["-m", "pip", "--version"])),
};

/// The Go compiler with the checksum-database packages, whose log verifier is the reference.
pub(crate) const GO: Need = Need {
    name: "Go with golang.org/x/mod",
    packages: &["golang-go", "golang-golang-x-mod-dev"],
    present: || process::which("go").is_some() && Path::new(GO_SUMDB).is_dir(),
};

/// A browser without a window, for the public pages.
pub(crate) const CHROMIUM: Need = Need {
    name: "Chromium",
    packages: &["chromium"],
    present: || process::which("chromium").is_some(),
};

/// What shows a program another time than the machine's.
pub(crate) const FAKETIME: Need = Need {
    name: "faketime",
    packages: &["faketime"],
    present: || process::which("faketime").is_some(),
};

/// What people copy trees with.
pub(crate) const RCLONE: Need =
    Need { name: "rclone", packages: &["rclone"], present: || process::which("rclone").is_some() };

/// What people back up with.
pub(crate) const RESTIC: Need =
    Need { name: "restic", packages: &["restic"], present: || process::which("restic").is_some() };

/// A server of plain files, to measure beside.
pub(crate) const NGINX: Need = Need {
    name: "nginx",
    packages: &["nginx-light"],
    present: || process::which("nginx").is_some() || Path::new("/usr/sbin/nginx").is_file(),
};

/// Where Debian puts Go source packages.
pub(crate) const GO_PATH: &str = "/usr/share/gocode";
const GO_SUMDB: &str = "/usr/share/gocode/src/golang.org/x/mod/sumdb";

/// Installs those of `needs` that are missing. Gives, for each that could not be had, its name and
/// what to do about it.
pub(crate) fn ensure(needs: &[&Need]) -> Vec<(&'static str, String)> {
    let missing: Vec<&&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    for need in &missing {
        eprintln!("{} is missing; installing {}", need.name, need.packages.join(" "));
    }
    let refreshed = apt(&["update", "-q"]);
    let mut absent = Vec::new();
    for need in missing {
        // One call each, so that one package that cannot be had does not take the others with it.
        let words = ["install", "-q", "-y", "--no-install-recommends"];
        let installed = refreshed.clone().and_then(|()| apt(&[&words, need.packages].concat()));
        if !(need.present)() {
            let why = installed.err().unwrap_or_else(|| "the package did not bring it".to_owned());
            let packages = need.packages.join(" ");
            absent.push((need.name, format!("{why}; install the Debian packages {packages}")));
        }
    }
    absent
}

fn apt(words: &[&str]) -> Result<()> {
    if process::which("apt-get").is_none() {
        return Err("there is no apt-get here".to_owned());
    }
    let mut command = if is_root() {
        Command::new("apt-get")
    } else if process::succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        sudo
    } else {
        return Err("installing packages needs root or sudo without a password".to_owned());
    };
    process::run(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// A store of database engines with the versions of PostgreSQL that tests upgrade to, filled by `awan` itself. Gives
/// its folder; what is there already is kept.
pub(crate) fn engines(workspace: &Workspace, awan: &Path) -> Result<PathBuf> {
    // Servers of root's run under other users, who could not pass through root's home.
    let store = if is_root() {
        PathBuf::from("/var/cache/awan/engines")
    } else {
        workspace.cache.join("engines")
    };
    for version in ["17", "18"] {
        let mut install = Command::new(awan);
        install.args(["engine", "install", "postgresql", version, "--store"]).arg(&store);
        process::output(&mut install)?;
    }
    Ok(store)
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn node_present() -> bool {
    let major = process::output(Command::new("node").args(["-p", "process.versions.node"]));
    let major = major.ok().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= 20) && process::which("npm").is_some()
}

fn python_program() -> Option<OsString> {
    const FIT: &str = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
    // The older Alibaba SDK brings an HTTP client whose TLS needs what Python 3.12 took away.
    let known = ["python3.11", "python3.10", "python3", "/usr/bin/python3"];
    let fit = |name: &&str| process::succeeds(Command::new(name).args(["-c", FIT]));
    known.iter().find(|name| fit(name)).map(OsString::from)
}

/// A virtual environment with exactly what `requirements` pins. Gives its folder.
pub(crate) fn python(workspace: &Workspace, requirements: &Path) -> Result<PathBuf> {
    venv(workspace, requirements, &[])
}

/// The same for packages that ask for a newer Python than this machine may have: whoever pins them
/// there knows that they run.
pub(crate) fn python_whatever_version(
    workspace: &Workspace,
    requirements: &Path,
) -> Result<PathBuf> {
    venv(workspace, requirements, &["--ignore-requires-python"])
}

fn venv(workspace: &Workspace, requirements: &Path, options: &[&str]) -> Result<PathBuf> {
    let pins = read(requirements)?;
    let program = python_program().ok_or("there is no fit Python")?;
    let version = process::output(Command::new(&program).arg("--version"))?;
    let dir = workspace.cache.join(format!("python-{}", digest(&(&pins, &version))));
    install(&dir, || {
        process::run(Command::new(&program).args(["-m", "venv"]).arg(&dir))?;
        let mut install = pip(&dir, "install");
        process::run(install.args(options).arg("--requirement").arg(requirements))
    })?;
    Ok(dir)
}

/// The source packages that `list` names with their digests, fetched but not installed: some carry
/// data that is published nowhere else. `venv` is a virtual environment to fetch with.
pub(crate) fn sources(workspace: &Workspace, venv: &Path, list: &Path) -> Result<PathBuf> {
    let dir = workspace.cache.join(format!("sources-{}", digest(&read(list)?)));
    install(&dir, || {
        make_dir(&dir)?;
        let mut download = pip(venv, "download");
        download.args(["--no-binary", ":all:", "--require-hashes", "--dest"]).arg(&dir);
        process::run(download.arg("--requirement").arg(list))
    })?;
    Ok(dir)
}

/// `pip` of a virtual environment, which takes what is named and looks for nothing else.
fn pip(venv: &Path, verb: &str) -> Command {
    let mut command = Command::new(venv.join("bin/python"));
    command.args(["-m", "pip", verb, "--quiet", "--no-deps", "--no-input"]);
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    command
}

/// The packages that the lock file beside `manifest_dir`'s manifest names. Gives `node_modules`.
pub(crate) fn node(workspace: &Workspace, manifest_dir: &Path) -> Result<PathBuf> {
    let manifest = read(&manifest_dir.join("package.json"))?;
    let lock = read(&manifest_dir.join("package-lock.json"))?;
    let dir = workspace.cache.join(format!("node-{}", digest(&(&manifest, &lock))));
    install(&dir, || {
        make_dir(&dir)?;
        write(&dir.join("package.json"), &manifest)?;
        write(&dir.join("package-lock.json"), &lock)?;
        // Without scripts: one dependency would otherwise run a compiler chooser of its own.
        let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        process::run(Command::new("npm").args(words).current_dir(&dir))
    })?;
    Ok(dir.join("node_modules"))
}

fn install(dir: &Path, fill: impl FnOnce() -> Result<()>) -> Result<()> {
    let marker = dir.join(MARKER);
    if marker.is_file() {
        return Ok(());
    }
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(|e| format!("remove {}: {e}", dir.display()))?;
    }
    fill()?;
    write(&marker, "")
}

fn digest(content: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Gives `command` the programs of a virtual environment and none of the user's own settings, so
/// that no profile of a person reaches a test.
pub(crate) fn enter_python(command: &mut Command, dir: &Path) {
    let old = env::var_os("PATH").unwrap_or_default();
    let first = std::iter::once(dir.join("bin"));
    if let Ok(path) = env::join_paths(first.chain(env::split_paths(&old))) {
        command.env("PATH", path);
    }
    command.env("VIRTUAL_ENV", dir).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
}
