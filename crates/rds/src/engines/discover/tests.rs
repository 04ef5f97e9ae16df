#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::*;

/// A temporary directory that a user without rights can enter.
fn open_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A version in the store whose programs are scripts.
fn stored(store: &Path, version: &str, server: &str) {
    let dir = store.join("postgresql").join(version);
    script(&dir.join("tree/bin/postgres"), server);
    script(&dir.join("tree/bin/initdb"), "#!/bin/sh\nexit 0\n");
    fs::write(dir.join(store::INSTALLED), "{}").unwrap();
}

/// A server that says that it is of that version, and what its settings are.
fn pretended(version: &str) -> String {
    let row = "setting\\twork_mem\\tResource Usage / Memory\\tuser\\tinteger\\tkB\\t64\\t2147483647\\t4096\\t\\\\N\\tMemory.";
    format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'postgres (PostgreSQL) {version}'; else printf '{row}\\n'; fi\n"
    )
}

/// Majors and versions of what is found in a store alone.
fn found(store: &Path) -> Vec<(String, String)> {
    let builds = among(&[store::candidates(store)], store);
    builds.into_iter().map(|build| (build.major, build.version)).collect()
}

#[test]
fn a_candidate_that_does_not_run_is_not_listed() {
    let dir = open_dir();
    stored(dir.path(), "17.1", "#!/bin/sh\nexit 1\n");
    stored(dir.path(), "16.1", "not a program");
    // Not finished: without its list of what it was made of.
    script(&dir.path().join("postgresql/15.1/tree/bin/postgres"), &pretended("15.1"));
    script(&dir.path().join("postgresql/.work-1/engine/tree/bin/postgres"), &pretended("14.1"));
    assert_eq!(found(dir.path()), []);
}

#[test]
fn the_newest_minor_version_stands_for_its_major() {
    let dir = open_dir();
    for version in ["17.9", "17.11", "16.2", "17.10"] {
        stored(dir.path(), version, &pretended(version));
    }
    let pair = |major: &str, version: &str| (major.to_owned(), version.to_owned());
    assert_eq!(found(dir.path()), [pair("17", "17.11"), pair("16", "16.2")]);
}

#[test]
fn the_first_source_that_has_a_major_version_gives_it() {
    let (first, second) = (open_dir(), open_dir());
    stored(first.path(), "17.1", &pretended("17.1"));
    stored(second.path(), "17.11", &pretended("17.11"));
    stored(second.path(), "16.11", &pretended("16.11"));
    let sources = [store::candidates(first.path()), store::candidates(second.path())];
    let builds = among(&sources, second.path());
    let versions: Vec<&str> = builds.iter().map(|build| build.version.as_str()).collect();
    assert_eq!(versions, ["17.1", "16.11"]);
}

#[test]
fn versions_compare_as_numbers() {
    assert!(numbers("17.11") > numbers("17.9"));
    assert!(numbers("10.11.19") > numbers("10.6.30"));
}

/// The directories of PostgreSQL programs of this machine's packages; the set-up of tests installs one.
fn system() -> Vec<Build> {
    let dir = open_dir();
    let builds = discover(&[], dir.path());
    let packaged = |build: &Build| build.programs.starts_with("/usr/lib/postgresql");
    let system: Vec<Build> = builds.into_iter().filter(packaged).collect();
    assert!(!system.is_empty(), "install the Debian package postgresql (cargo xtask test does)");
    system
}

#[test]
fn the_operating_systems_postgresql_is_found_and_described() {
    for build in system() {
        assert_eq!(build.engine, Engine::Postgres);
        assert!(build.version.starts_with(&format!("{}.", build.major)), "{}", build.version);
        assert_eq!(build.sha256.len(), 64);
        let setting = |name: &str| build.settings.iter().find(|it| it.name == name).unwrap();
        let memory = setting("work_mem");
        assert_eq!(
            (memory.unit.as_str(), memory.default.as_str(), memory.tenant),
            ("kB", "4096", true)
        );
        assert_eq!(setting("autovacuum").default, "on", "the true default");
        assert!(setting("max_worker_processes").restart);
        assert!(!setting("archive_command").tenant && !setting("ssl_key_file").tenant);
        for extension in ["plpgsql", "pg_trgm", "hstore"] {
            assert!(build.extensions.iter().any(|it| it == extension), "{extension}");
        }
        assert!(!build.extensions.iter().any(|it| it == "file_fdw"));
    }
}

#[test]
fn a_second_discovery_asks_no_program_for_its_settings_again() {
    let dir = open_dir();
    let first = discover(&[], dir.path());
    let known: Known = serde_json::from_slice(&fs::read(dir.path().join(KNOWN)).unwrap()).unwrap();
    // What is kept is believed as long as the program is the same: a changed fact shows that it was read.
    let mut marked = known;
    for facts in marked.programs.values_mut() {
        facts.sha256 = "kept".to_owned();
    }
    fs::write(dir.path().join(KNOWN), serde_json::to_vec(&marked).unwrap()).unwrap();
    let begun = Instant::now();
    let second = discover(&[], dir.path());
    assert_eq!(first.len(), second.len());
    assert!(second.iter().all(|build| build.sha256 == "kept"), "after {:?}", begun.elapsed());
    for facts in marked.programs.values_mut() {
        facts.size += 1;
    }
    fs::write(dir.path().join(KNOWN), serde_json::to_vec(&marked).unwrap()).unwrap();
    assert_eq!(discover(&[], dir.path()), first, "another program is asked anew");
}

#[test]
fn an_explicit_path_comes_before_the_operating_system() {
    let dir = open_dir();
    let major = system().remove(0).major;
    let version = format!("{major}.0");
    stored(dir.path(), &version, &pretended(&version));
    let programs = dir.path().join("postgresql").join(&version).join("tree/bin");
    for path in [programs.join("postgres"), programs.clone(), programs.parent().unwrap().to_owned()]
    {
        let builds = discover(&[path], &dir.path().join("none"));
        assert!(!dir.path().join("none").exists(), "finding makes no store");
        let build = builds.iter().find(|build| build.major == major).unwrap();
        assert_eq!(build.programs, programs);
    }
}
