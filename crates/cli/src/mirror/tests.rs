#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use base::Secret;
use tempfile::TempDir;
use tlog::{Directory, Publisher, Signer};

use super::*;
use base::text::hex;
use ring::digest::{SHA256, digest};

const LOG: &str = "log.example/awan";

fn key() -> Signer {
    Signer::from_seed(LOG, Secret::new([7; 32])).unwrap()
}

/// Serves the files of a directory until the test's process ends; its address.
fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let path = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
            let (status, body) = match fs::read(dir.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    address
}

/// A portal with a log, and a mirror of it.
struct World {
    portal: TempDir,
    mirror: TempDir,
    url: String,
    witnesses: Vec<String>,
}

impl World {
    fn new() -> Self {
        let portal = tempfile::tempdir().unwrap();
        fs::create_dir(portal.path().join("documents")).unwrap();
        let url = serve(portal.path().to_owned());
        Self { portal, mirror: tempfile::tempdir().unwrap(), url, witnesses: Vec::new() }
    }

    fn log(&self) -> PathBuf {
        self.portal.path().join("log")
    }

    fn publish(&self, entries: impl IntoIterator<Item = String>) {
        let store = DirectoryWriter::open(self.log()).unwrap();
        Publisher::open(store, key(), 0).unwrap().publish(entries).unwrap();
    }

    /// Replaces the log by another that the same key signed.
    fn rewrite(&self, entries: impl IntoIterator<Item = String>) {
        fs::remove_dir_all(self.log()).unwrap();
        self.publish(entries);
    }

    fn document(&self, text: &str) -> String {
        let name = hex(digest(&SHA256, text.as_bytes()).as_ref());
        fs::write(self.portal.path().join(format!("documents/{name}.json")), text).unwrap();
        name
    }

    fn args(&self) -> MirrorArgs {
        MirrorArgs {
            log: format!("{}/log/", self.url),
            log_key: key().verifier().clone(),
            dir: self.mirror.path().to_owned(),
            once: true,
            every: 5,
            witness: self.witnesses.clone(),
            ca_cert: None,
        }
    }

    fn turn(&self) -> Result<Turn> {
        Copy::open(&self.args()).unwrap().turn()
    }

    #[track_caller]
    fn mirrored(&self, entries: u64, new: u64) {
        assert_eq!(self.turn().unwrap(), Turn::Mirrored { entries, new });
        let files = Directory::new(self.mirror.path());
        let reader = Reader::open(files, key().verifier()).unwrap();
        assert_eq!(reader.checkpoint().size, entries);
        assert!(reader.verify_all().is_clean());
    }

    /// What is said of the log, and that the mirror stays at so many entries.
    #[track_caller]
    fn refused(&self, words: &[&str], stays: u64) {
        let Turn::Refused(said) = self.turn().unwrap() else { unreachable!("it is refused") };
        assert_eq!(said.len(), words.len(), "{said:?}");
        for (said, words) in said.iter().zip(words) {
            assert!(said.contains(words), "{said}");
        }
        let files = Directory::new(self.mirror.path());
        assert_eq!(Reader::open(files, key().verifier()).unwrap().checkpoint().size, stays);
    }
}

fn entries(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|at| format!(r#"{{"v":1,"number":{at}}}"#))
}

#[test]
fn a_log_is_mirrored_and_the_mirror_follows_it() {
    let world = World::new();
    world.publish(entries(0..700));
    world.mirrored(700, 700);
    world.mirrored(700, 0);
    world.publish(entries(700..1_300));
    world.mirrored(1_300, 600);
}

#[test]
fn documents_come_with_the_entries_that_name_them() {
    let world = World::new();
    let (release, signatures) = (world.document(r#"{"ocid":"1"}"#), world.document("a note"));
    let leaf =
        format!(r#"{{"v":1,"public":{{"document":"{release}","signatures":"{signatures}"}}}}"#);
    world.publish([
        leaf,
        "no JSON".to_owned(),
        r#"{"public":{"document":"../../etc/passwd"}}"#.to_owned(),
    ]);
    world.mirrored(3, 3);
    let here = |name: &str| world.mirror.path().join(format!("documents/{name}.json"));
    assert_eq!(fs::read_to_string(here(&release)).unwrap(), r#"{"ocid":"1"}"#);
    assert_eq!(fs::read_to_string(here(&signatures)).unwrap(), "a note");
    // One that is not there yet, and one that is not what its name says.
    let late = hex(digest(&SHA256, b"late").as_ref());
    let changed = world.document("what was signed");
    fs::write(world.portal.path().join(format!("documents/{changed}.json")), "another").unwrap();
    world.publish([&late, &changed].map(|name| format!(r#"{{"public":{{"document":"{name}"}}}}"#)));
    let words = [&late, &changed].map(|name| match name == &late {
        true => format!("document {name}, which entry 3 names, is not published"),
        false => format!("document {name}, which entry 4 names, was changed"),
    });
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    world.refused(&words, 5);
    assert!(!here(&changed).exists());
    // They are not forgotten when no entry names them anew.
    world.document("late");
    world.document("what was signed");
    world.mirrored(5, 0);
    assert!(here(&late).exists() && here(&changed).exists());
    assert!(!world.mirror.path().join("documents/missing.txt").exists());
}

#[test]
fn a_log_that_changes_its_past_is_told_on_and_not_followed() {
    let world = World::new();
    world.publish(entries(0..600));
    world.mirrored(600, 600);
    let other =
        |range: std::ops::Range<u32>| entries(range).map(|entry| entry.replace(":5}", ":55}"));
    world.rewrite(other(0..600));
    world.refused(
        &["a split view: the log signed two different roots for 600 entries", "split-view-600.txt"],
        600,
    );
    let proof = fs::read_to_string(world.mirror.path().join("split-view-600.txt")).unwrap();
    assert_eq!(proof.matches("\nlog.example/awan\n600\n").count(), 2, "{proof}");
    world.rewrite(other(0..900));
    world.refused(&["a fork: the 900 entries", "fork-900.txt"], 600);
    world.rewrite(entries(0..500));
    world.refused(&["had 600 entries when it was seen before and now shows 500: rolled back"], 600);
    world.rewrite(entries(0..900));
    world.mirrored(900, 300);
}

#[test]
fn a_damaged_log_is_named_and_not_copied() {
    let world = World::new();
    world.publish(entries(0..600));
    world.mirrored(600, 600);
    world.publish(entries(600..1_200));
    let bundle = world.log().join("tile/entries/003");
    let good = fs::read(&bundle).unwrap();
    let mut bad = good.clone();
    bad[40] ^= 1;
    fs::write(&bundle, bad).unwrap();
    world.refused(&["tile/entries/003: entry 769 is not the one that was logged"], 600);
    fs::write(&bundle, good).unwrap();
    world.mirrored(1_200, 600);
}

#[test]
fn a_witness_that_was_shown_another_log_is_heard() {
    let mut world = World::new();
    world.publish(entries(0..600));
    // What a witness serves: the last checkpoint that it cosigned, below the hash of the origin.
    let witness = tempfile::tempdir().unwrap();
    let hash = hex(digest(&SHA256, LOG.as_bytes()).as_ref());
    let folder = witness.path().join(&hash);
    world.witnesses.push(serve(witness.path().to_owned()));
    world.refused_first("has not seen this log");
    fs::create_dir(&folder).unwrap();
    let show = |from: &World| {
        fs::copy(from.log().join("checkpoint"), folder.join("checkpoint")).unwrap();
    };
    show(&world);
    world.mirrored(600, 0);
    let (other, smaller) = (World::new(), World::new());
    other.publish((0..600).map(|at| format!("other {at}")));
    smaller.publish((0..300).map(|at| format!("other {at}")));
    show(&other);
    world.refused(
        &["was shown another log: a split view: the log signed two", "split-view-600.txt"],
        600,
    );
    show(&smaller);
    world.refused(&["was shown another log: a fork: the 600 entries", "fork-300.txt"], 600);
    smaller.rewrite(entries(0..300));
    show(&smaller);
    world.mirrored(600, 0);
}

impl World {
    fn refused_first(&self, words: &str) {
        let Turn::Refused(said) = self.turn().unwrap() else { unreachable!("it is refused") };
        assert!(said.iter().any(|said| said.contains(words)), "{said:?}");
    }
}

#[test]
fn a_log_that_cannot_be_reached_is_tried_again() {
    let world = World::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let args = MirrorArgs { log: format!("http://{closed}/log"), ..world.args() };
    let error = Copy::open(&args).unwrap().turn().unwrap_err();
    assert!(is_passing(&error), "{error:#}");
    // A log without a checkpoint is not there yet, unless it was there already.
    let error = world.turn().unwrap_err();
    assert!(is_passing(&error), "{error:#}");
    world.publish(entries(0..3));
    world.mirrored(3, 3);
    fs::remove_file(world.log().join("checkpoint")).unwrap();
    world.refused(&["checkpoint: missing"], 3);
}
