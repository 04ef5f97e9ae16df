//! A copy of the log: whole, without its cloud, and not to be deceived.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::SystemRng;
use cli::object::{Body, Dialect};
use tlog::{DirectoryWriter, Publisher, Signer};

use crate::dice::{Dice, variable};
use crate::server::{Ran, Server, awan, verb, wait_for};
use crate::web::{Web, copy};

/// A mirror of a log below `home`.
struct Mirror {
    home: PathBuf,
    dir: PathBuf,
    log: String,
    key: String,
}

impl Mirror {
    fn new(home: &Path, name: &str, log: String, key: &str) -> Self {
        Self { home: home.to_owned(), dir: home.join(name), log, key: key.to_owned() }
    }

    fn args(&self) -> [&str; 8] {
        let dir = self.dir.to_str().unwrap();
        ["mirror", "--log", &self.log, "--log-key", &self.key, "--dir", dir, "--once"]
    }

    fn run(&self) -> Ran {
        awan(&self.home, &self.args())
    }

    fn verify(&self, more: &[&str]) -> Ran {
        let dir = self.dir.to_str().unwrap();
        let args = ["verify", "--log", dir, "--log-key", &self.key, "--no-memory"];
        awan(&self.home, &[&args[..], more].concat())
    }
}

#[test]
fn a_mirror_answers_for_agreements_and_placements_when_the_cloud_is_gone() {
    let home = tempfile::TempDir::new().unwrap();
    let home = home.path();
    let dir = home.join("cloud");
    let cloud = Server::start(&dir, &[]);
    let store = cloud.store(Dialect::Oss);
    store.create_bucket("plain").unwrap();
    cloud.create_zoned_bucket("zoned");
    for n in 0..7 {
        store.put("plain", &format!("kept-{n}"), Body::Bytes(b"here"), None).unwrap();
        store.put("zoned", &format!("kept-{n}"), Body::Bytes(b"and there"), None).unwrap();
    }
    store.delete("zoned", "kept-0").unwrap();
    let answer = cloud.api().call("2015-04-01", "GetCallerIdentity", &[]).unwrap();
    let account = answer["AccountId"].as_str().unwrap().to_owned();
    wait_for("everything is published", || {
        (cloud.metric("awan_log_leaves")? >= 18 && cloud.metric("awan_log_waiting_leaves")? == 0)
            .then_some(())
    });
    let key = cloud.log_key().to_owned();
    let mirror = Mirror::new(home, "mirror", format!("{}/log", cloud.door("console")), &key);
    let told = mirror.run().ok();
    assert!(told.contains("mirrored"), "{told}");
    cloud.stop();
    fs::remove_dir_all(&dir).unwrap();

    let told = mirror.verify(&["--agreements", "--placements", &account]).ok();
    assert!(told.contains(&account), "{told}");
    mirror.verify(&["--placements", &account, "--country", "ID"]).ok();
    let told = mirror.verify(&["--placements", &account, "--country", "SG"]).refused();
    assert!(told.contains("ID"), "{told}");

    // Whoever has the mirror can be mirrored in turn; one byte changed there is noticed.
    changed_at_the_source(home, &mirror);
}

#[test]
fn a_mirror_follows_a_log_that_grows_under_it() {
    let home = tempfile::TempDir::new().unwrap();
    let home = home.path();
    let cloud = Server::start(&home.join("cloud"), &[]);
    cloud.store(Dialect::S3).create_bucket("grows").unwrap();
    let mirror =
        Mirror::new(home, "mirror", format!("{}/log", cloud.door("console")), cloud.log_key());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for hand in 0..3 {
            let (store, stop) = (cloud.store(Dialect::S3), &stop);
            scope.spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    store.put("grows", &format!("{hand}/{n}"), Body::Bytes(b"x"), None).unwrap();
                }
            });
        }
        wait_for("the log begins", || cloud.metric("awan_log_leaves").filter(|leaves| *leaves > 0));
        // Until partial tiles became full ones, and were removed, under the mirror's hands.
        let copied = (0..200).find(|_| {
            let ran = mirror.run();
            let grown = cloud.metric("awan_log_leaves").is_some_and(|leaves| leaves > 700);
            // The writers end with the scope, whatever was found.
            if grown || !ran.success {
                stop.store(true, Ordering::Relaxed);
            }
            ran.ok();
            grown
        });
        stop.store(true, Ordering::Relaxed);
        assert!(copied.is_some(), "the log does not grow");
    });
    cloud.stop();
    mirror.verify(&["--agreements"]).ok();
}

/// Serves copies of a mirror in each of which one byte is another.
fn changed_at_the_source(home: &Path, good: &Mirror) {
    let source = home.join("source");
    copy(&good.dir, &source.join("log"));
    fs::rename(source.join("log/documents"), source.join("documents")).unwrap();
    let web = Web::serve(&source, Duration::ZERO);
    let entries = files(&source.join("log/tile/entries"));
    let documents = files(&source.join("documents"));
    assert!(!entries.is_empty() && !documents.is_empty());
    let checkpoint = source.join("log/checkpoint");
    let targets = [checkpoint].into_iter().chain(entries).chain(documents);
    for (number, file) in targets.enumerate() {
        let sound = fs::read(&file).unwrap();
        let mut bytes = sound.clone();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let name = format!("deceived-{number}");
        let mirror = Mirror::new(home, &name, format!("{}/log", web.url), &good.key);
        let told = mirror.run().refused();
        assert!(told.contains("DEFECT"), "{}: {told}", file.display());
        fs::write(&file, &sound).unwrap();
        mirror.run().ok();
        mirror.verify(&["--agreements"]).ok();
    }
}

/// The files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_mirror_that_is_killed_goes_on_with_what_it_has() {
    let seed = variable("AWAN_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 31);
    println!("mirror test: seed {seed}");
    let mut dice = Dice(seed);
    let home = tempfile::TempDir::new().unwrap();
    let home = home.path();
    let source = home.join("source");
    let signer = Signer::generate(&SystemRng, "awan.local/log").unwrap();
    let key = signer.verifier().to_string();
    fs::create_dir(&source).unwrap();
    let files = DirectoryWriter::open(source.join("log")).unwrap();
    let mut log = Publisher::open(files, signer, 0).unwrap();
    let mut grow = |size: u64| {
        let first = log.size();
        log.publish((first..size).map(|n| format!("{{\"entry\":{n}}}"))).unwrap();
    };
    let web = Web::serve(&source, Duration::from_millis(4));
    let mirror = Mirror::new(home, "mirror", format!("{}/log", web.url), &key);
    grow(1000);
    mirror.run().ok();
    grow(6000);
    let whole = Mirror::new(home, "whole", mirror.log.clone(), &key);
    let before = web.asked();
    whole.run().ok();
    let cost = web.asked() - before;
    for _ in 0..8 {
        let last = web.asked() + 1 + dice.roll(cost - 8);
        let mut child =
            verb(home, &mirror.args()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for("the mirror copies", || {
            (web.asked() >= last || child.try_wait().unwrap().is_some()).then_some(())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        // What it promised before is whole, whatever lies beyond.
        mirror.verify(&[]).ok();
    }
    let before = web.asked();
    let told = mirror.run().ok();
    assert!(told.contains("6,000 entries"), "{told}");
    let asked = web.asked() - before;
    assert!(asked < cost, "{asked} requests after the kills, {cost} for the whole");
    let told = mirror.verify(&[]).ok();
    assert!(told.contains("6,000 checked"), "{told}");
}
