#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::SystemRng;
use serde_json::json;
use tlog::{DirectoryWriter, Publisher, Signer};

use super::*;

/// A log in a directory of its own.
struct World {
    dir: tempfile::TempDir,
    publisher: Publisher<DirectoryWriter>,
    key: Verifier,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let signer = Signer::generate(&SystemRng, "awan.test").unwrap();
        let key = signer.verifier().clone();
        let writer = DirectoryWriter::open(dir.path().join("log")).unwrap();
        Self { dir, publisher: Publisher::open(writer, signer, 0).unwrap(), key }
    }

    fn append(&mut self, entries: &[&str]) {
        self.publisher.publish(entries).unwrap();
    }

    fn open(&self) -> Log {
        read(Files::Directory(Directory::new(self.dir.path().join("log"))), &self.key).unwrap()
    }

    fn see(&self) -> Findings {
        let mut findings = Findings::default();
        check_seen(&self.open(), &self.key, &self.dir.path().join("seen"), &mut findings).unwrap();
        findings
    }
}

#[test]
fn a_sound_log_is_verified_and_a_changed_entry_is_named() {
    let mut world = World::new();
    world.append(&["first", "second"]);
    assert_eq!(check(&world.open()).defects, [""; 0]);

    let bundle = world.dir.path().join("log/tile/entries/000.p/2");
    let bytes = std::fs::read(&bundle).unwrap();
    let changed = String::from_utf8(bytes).unwrap().replace("second", "sEcond");
    std::fs::write(&bundle, changed).unwrap();
    let defects = check(&world.open()).defects;
    assert_eq!(defects.len(), 1, "{defects:?}");
    assert!(defects[0].contains("entry 1 is not the one that was logged"), "{defects:?}");
}

#[test]
fn a_log_signed_by_another_key_is_not_opened() {
    let mut world = World::new();
    world.append(&["first"]);
    let other = World::new();
    let files = Files::Directory(Directory::new(world.dir.path().join("log")));
    assert!(read(files, &other.key).is_err());
}

#[test]
fn a_log_that_grows_keeps_its_history() {
    let mut world = World::new();
    world.append(&["first"]);
    assert!(world.see().defects.is_empty());
    world.append(&["second", "third"]);
    let findings = world.see();
    assert!(findings.defects.is_empty());
    assert!(findings.checked[0].contains("begins with the 1 entries"), "{findings:?}");
}

#[test]
fn a_log_that_was_rewritten_or_cut_is_refused() {
    let mut world = World::new();
    world.append(&["first", "second"]);
    world.see();
    let seen = std::fs::read(world.dir.path().join("seen")).unwrap();

    // The operator starts over with another past.
    let mut rewritten = World::new();
    rewritten.append(&["first", "forged", "third"]);
    let old = Checkpoint::parse(Note::parse(&seen).unwrap().text()).unwrap();
    let log = rewritten.open();
    let why = extends(&log, &old, log.reader.checkpoint()).unwrap_err();
    assert_eq!(why, "the first 2 entries are not those that were seen before");
    let longer = Checkpoint { size: 4, ..old };
    let why = extends(&log, &longer, log.reader.checkpoint()).unwrap_err();
    assert_eq!(why, "4 entries were seen before, now there are 3");
}

#[test]
fn an_audit_row_opens_its_own_entry_and_no_other() {
    let row = |statement: &str| json!({"Statement": statement, "Salt": "00ff", "RequestId": "R"});
    let leaf = |row: &Value| json!({"v": 1, "commitment": commitment(row)}).to_string();
    let (mine, other) = (row("{\"a\":1}"), row("{\"a\":2}"));
    let mut world = World::new();
    world.append(&[&leaf(&mine), "not JSON"]);
    let log = world.open();
    assert_eq!(opens(&log, 0, &mine), Ok(()));
    assert_eq!(opens(&log, 0, &other).unwrap_err(), "entry 0 of the log commits to something else");
    assert_eq!(opens(&log, 1, &mine).unwrap_err(), "entry 1 is not JSON");
    // A row without a salt must not match a leaf without a commitment.
    world.append(&["{}"]);
    assert!(opens(&world.open(), 2, &json!({})).is_err());
}
