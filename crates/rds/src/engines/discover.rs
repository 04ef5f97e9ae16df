//! Finds engines and proves that they run. Only what proved it is told; what is slow to learn of a program (its
//! digest, its settings) is kept beside the store, so that a start costs some twenty milliseconds an engine.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::programs;
use super::store::{self, sha256};
use super::{Build, Error, extensions, mariadb, postgres};
use crate::model::Engine;

/// How long a server may take to tell its version, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// The file of what is known of programs, in the store.
const KNOWN: &str = "known.json";

/// A directory that seems to have an engine's programs.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) engine: Engine,
    pub(super) programs: PathBuf,
    pub(super) libraries: Option<PathBuf>,
}

impl Candidate {
    /// The program that serves.
    pub(super) fn server(&self) -> PathBuf {
        programs::find(&self.programs, server_name(self.engine))
    }

    /// What is in a directory: `dir` itself, its `bin`, or the directory of a program that `dir` is.
    fn at(dir: &Path) -> Vec<Self> {
        let dir = if dir.is_file() { dir.parent().unwrap_or(dir) } else { dir };
        let places = [dir.to_owned(), dir.join("bin")];
        let engines = [Engine::Postgres, Engine::MariaDb];
        let pairs = places.iter().flat_map(|place| engines.map(|engine| (engine, place.clone())));
        let all = pairs.map(|(engine, programs)| Self { engine, programs, libraries: None });
        all.filter(|it| it.server().is_file()).collect()
    }
}

fn server_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "postgres",
        Engine::MariaDb => "mariadbd",
    }
}

/// The engines that run here: at most one of each major version, newest first.
///
/// The first source that has a major version gives it, with its newest minor one: `extra` (directories of programs,
/// or server programs), the operating system's packages, the store. A candidate that does not run, or lacks a shared
/// library, is logged and left out. Blocks: about a second for each program that was not seen before, which is
/// remembered in `store` if there is such a directory.
pub fn discover(extra: &[PathBuf], store: &Path) -> Vec<Build> {
    let explicit: Vec<Candidate> = extra.iter().flat_map(|dir| Candidate::at(dir)).collect();
    among(&[explicit, of_the_system(), store::candidates(store)], store)
}

/// The best of those sources, in their order.
fn among(sources: &[Vec<Candidate>], store: &Path) -> Vec<Build> {
    let mut known = Known::read(store);
    let mut builds: Vec<Build> = Vec::new();
    for source in sources {
        let mut running: Vec<Build> =
            source.iter().filter_map(|it| offered(&mut known, it)).collect();
        running.sort_by_key(|build| Reverse(numbers(&build.version)));
        for build in running {
            let other = |it: &Build| (it.engine, &it.major) != (build.engine, &build.major);
            if builds.iter().all(other) {
                builds.push(build);
            }
        }
    }
    known.write(store);
    builds.sort_by_key(|build| (build.engine, Reverse(numbers(&build.version))));
    builds
}

fn offered(known: &mut Known, candidate: &Candidate) -> Option<Build> {
    let found = known.describe(candidate);
    let told = |error: &Error| {
        tracing::warn!(program = %candidate.server().display(), %error, "an engine does not run and is left out");
    };
    found.inspect_err(told).ok()
}

/// `17.11` as numbers, so that versions compare as people mean it.
pub(super) fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

/// What the operating system's packages bring.
fn of_the_system() -> Vec<Candidate> {
    let versions = store::subdirectories(Path::new("/usr/lib/postgresql"));
    let mut all: Vec<Candidate> =
        versions.iter().flat_map(|dir| Candidate::at(&dir.join("bin"))).collect();
    let programs = PathBuf::from("/usr/bin");
    let mariadb = Candidate { engine: Engine::MariaDb, programs, libraries: None };
    if mariadb.server().is_file() {
        all.push(mariadb);
    }
    all
}

/// What is known of programs, by the server's path.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Known {
    programs: BTreeMap<PathBuf, Facts>,
    #[serde(skip)]
    changed: bool,
}

/// What was learnt of a program while it had that size and time.
#[derive(Clone, Serialize, Deserialize)]
struct Facts {
    size: u64,
    modified_us: u64,
    sha256: String,
    /// What it said of its settings. Kept as it was said: the rules about settings are this program's, and change
    /// with it.
    said: String,
}

impl Known {
    fn read(store: &Path) -> Self {
        let text = std::fs::read(store.join(KNOWN)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Keeps it for the next start, where there is a store: finding makes none. Without it that start is slower, and
    /// nothing else.
    fn write(&self, store: &Path) {
        let content = serde_json::to_vec(self).unwrap_or_default();
        if self.changed
            && store.is_dir()
            && let Err(error) = store::replace(&store.join(KNOWN), &content)
        {
            tracing::debug!(%error, "what is known of engines is not kept");
        }
    }

    /// Proves that a candidate runs, and describes it.
    pub(super) fn describe(&mut self, candidate: &Candidate) -> Result<Build, Error> {
        let server = candidate.server();
        let libraries = candidate.libraries.as_deref();
        programs::check_libraries(&server, libraries)?;
        let mut ask = programs::unprivileged(&server, libraries);
        let said = programs::output(ask.arg("--version"), "", DEADLINE)?;
        let (major, version) = match candidate.engine {
            Engine::Postgres => postgres::version(&said),
            Engine::MariaDb => mariadb::version(&said),
        }
        .ok_or_else(|| Error(format!("what it is, is not clear from {:?}", said.trim())))?;
        let facts = self.facts(candidate, &server)?;
        let settings = match candidate.engine {
            Engine::Postgres => postgres::settings(&facts.said),
            Engine::MariaDb => mariadb::settings(&facts.said),
        };
        if settings.is_empty() {
            return Err(Error("it told no settings".to_owned()));
        }
        let (extensions, offers) = match candidate.engine {
            Engine::Postgres => extensions::offered(&candidate.programs, &major),
            Engine::MariaDb => Default::default(),
        };
        Ok(Build {
            engine: candidate.engine,
            extensions,
            offers,
            major,
            version,
            programs: candidate.programs.clone(),
            libraries: candidate.libraries.clone(),
            sha256: facts.sha256.clone(),
            settings,
        })
    }

    /// What takes long to learn, unless the program is the one that it was learnt of.
    fn facts(&mut self, candidate: &Candidate, server: &Path) -> Result<Facts, Error> {
        let failed = |e| Error(format!("read {}: {e}", server.display()));
        let metadata = server.metadata().map_err(failed)?;
        let modified = metadata.modified().map_err(failed)?.duration_since(UNIX_EPOCH);
        let modified_us =
            modified.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        let same =
            |facts: &&Facts| (facts.size, facts.modified_us) == (metadata.len(), modified_us);
        if let Some(facts) = self.programs.get(server).filter(same) {
            return Ok(facts.clone());
        }
        let libraries = candidate.libraries.as_deref();
        let facts = Facts {
            size: metadata.len(),
            modified_us,
            sha256: sha256(server)?,
            said: match candidate.engine {
                Engine::Postgres => postgres::describe(&candidate.programs, libraries)?,
                Engine::MariaDb => mariadb::describe(server, libraries)?,
            },
        };
        self.programs.insert(server.to_owned(), facts.clone());
        self.changed = true;
        Ok(facts)
    }
}

#[cfg(test)]
mod tests;
