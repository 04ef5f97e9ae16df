//! Every way in which a log of 5,000 entries may be tampered with, and the words in which an auditor is
//! told: somebody who has the key, remembers the checkpoint that he saw last, and reads the files anew.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use base::Secret;
use tlog::files::CHECKPOINT;
use tlog::{Checkpoint, Fetch, Note, Publisher, Reader, Signer, Store, Tile, tile};

const ENTRIES: u64 = 5_000;
/// The bundle of entries 2560 to 2815, and its place in it of entry 2600.
const BUNDLE: &str = "tile/entries/010";
const FIRST: u64 = 2_560;
const PLACE: usize = 40;

/// The files of a log, in memory.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Fetch for Files {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

impl Store for Files {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.0.insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn remove_partials(&mut self, full: Tile) -> io::Result<()> {
        let folder = format!("{full}.p/");
        self.0.retain(|path, _| !path.starts_with(&folder));
        Ok(())
    }
}

/// A publisher that lends its files.
struct Lent<'a>(&'a mut Files);

impl Fetch for Lent<'_> {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.0.fetch(path)
    }
}

impl Store for Lent<'_> {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.0.put(path, content)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn remove_partials(&mut self, full: Tile) -> io::Result<()> {
        self.0.remove_partials(full)
    }
}

fn key() -> Signer {
    Signer::from_seed("log.example/awan", Secret::new([7; 32])).unwrap()
}

fn entry(index: u64) -> Vec<u8> {
    format!(r#"{{"v":1,"action":"oss:PutObject","number":{index}}}"#).into_bytes()
}

/// The log of these entries, signed by the log's own key.
fn log_of(entries: impl IntoIterator<Item = Vec<u8>>) -> Files {
    let mut files = Files::default();
    Publisher::open(Lent(&mut files), key(), 0).unwrap().publish(entries).unwrap();
    files
}

/// The log, which once was published with 4,000 entries.
fn whole() -> Files {
    let mut files = log_of((0..4_000).map(entry));
    Publisher::open(Lent(&mut files), key(), 0)
        .unwrap()
        .publish((4_000..ENTRIES).map(entry))
        .unwrap();
    files
}

/// All that is said of a log by somebody who saw this checkpoint of it; nothing where it is sound.
fn audit(log: &Files, seen: &Checkpoint) -> Vec<String> {
    let reader = match Reader::open(log, key().verifier()) {
        Ok(reader) => reader,
        Err(error) => return vec![chain(&error)],
    };
    let history = reader.extends(seen).err().map(|error| chain(&error));
    let faults = reader.verify_all().faults.into_iter().map(|fault| fault.to_string());
    history.into_iter().chain(faults).collect()
}

fn chain(error: &dyn Error) -> String {
    let rest = error.source().map(|source| format!(": {}", chain(source)));
    error.to_string() + &rest.unwrap_or_default()
}

/// Tampers with the log and compares what is said with these words, all of them and no others.
#[track_caller]
fn check(tamper: impl FnOnce(&mut Files), words: &[&str]) {
    let mut log = whole();
    let seen = Reader::open(&log, key().verifier()).unwrap().checkpoint().clone();
    tamper(&mut log);
    assert_eq!(audit(&log, &seen), words);
}

fn rebundle(log: &mut Files, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut entries: Vec<_> = (FIRST..FIRST + 256).map(entry).collect();
    change(&mut entries);
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| tile::push_entry(&mut bytes, entry));
    assert!(log.0.insert(BUNDLE.to_owned(), bytes).is_some());
}

fn flip(log: &mut Files, path: &str, at: usize) {
    log.0.get_mut(path).unwrap()[at] ^= 1;
}

/// The log with one entry another, or without it, as its operator would sign it.
fn rewritten(change: impl Fn(u64) -> Option<Vec<u8>>, size: u64) -> Files {
    log_of((0..size).filter_map(change))
}

#[test]
fn an_untouched_log_is_sound_and_may_grow() {
    check(|_| (), &[]);
    check(|log| *log = log_of((0..ENTRIES + 300).map(entry)), &[]);
}

#[test]
fn one_byte_of_an_entry_changed() {
    check(
        |log| rebundle(log, |entries| entries[PLACE][20] ^= 1),
        &["tile/entries/010: entry 2600 is not the one that was logged"],
    );
}

#[test]
fn a_leaf_removed() {
    check(
        |log| rebundle(log, |entries| drop(entries.remove(PLACE))),
        &[
            "tile/entries/010: holds 255 entries where 256 belong",
            "tile/entries/010: entry 2600 is not the one that was logged (215 entries of the file differ)",
        ],
    );
}

#[test]
fn two_leaves_swapped() {
    check(
        |log| rebundle(log, |entries| entries.swap(PLACE, PLACE + 1)),
        &[
            "tile/entries/010: entry 2600 is not the one that was logged (2 entries of the file differ)",
        ],
    );
}

#[test]
fn one_byte_of_a_tile_changed() {
    check(
        |log| flip(log, "tile/0/010", PLACE * 32 + 5),
        &["tile/0/010: the hash of entry 2600 is wrong"],
    );
    check(
        |log| flip(log, "tile/1/000.p/19", 10 * 32),
        &["tile/1/000.p/19: hash 10 is not that of the entries from 2560 on"],
    );
    check(|log| drop(log.0.remove("tile/0/003")), &["tile/0/003: missing"]);
}

#[test]
fn one_byte_of_the_checkpoint_changed() {
    let text =
        |log: &Files, part: &str| String::from_utf8_lossy(&log.0[CHECKPOINT]).find(part).unwrap();
    let wrong = "checkpoint: refused: not a note signed by the log: the signature by log.example/awan is wrong";
    let size = |log: &mut Files| {
        let at = text(log, "5000");
        flip(log, CHECKPOINT, at);
    };
    check(size, &[wrong]);
    check(
        |log| {
            // The first letter of the root, in base64: still a checkpoint, of another tree.
            let at = text(log, "5000\n") + 5;
            let byte = &mut log.0.get_mut(CHECKPOINT).unwrap()[at];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
        },
        &[wrong],
    );
    check(
        |log| {
            let forger = Signer::from_seed("log.example/awan", Secret::new([8; 32])).unwrap();
            let note = Note::parse(&log.0[CHECKPOINT]).unwrap();
            let forged = Note::sign(note.text().to_owned(), &[&forger]).unwrap();
            log.0.insert(CHECKPOINT.to_owned(), forged.to_string().into_bytes());
        },
        &["checkpoint: refused: not a note signed by the log: no signature by a known key"],
    );
}

#[test]
fn a_fork_signed_by_the_log_itself() {
    let another = |at| Some(if at == 2_600 { b"another".to_vec() } else { entry(at) });
    check(
        |log| *log = rewritten(another, ENTRIES),
        &["a split view: the log signed two different roots for 5000 entries"],
    );
    check(
        |log| *log = rewritten(another, ENTRIES + 7),
        &["a fork: the 5007 entries of the log do not begin with the 5000 that were seen before"],
    );
    // One entry taken out of the middle, and the log grown past its old size again.
    let without = |at| (at != 2_600).then(|| entry(at));
    check(
        |log| *log = rewritten(without, ENTRIES + 8),
        &["a fork: the 5007 entries of the log do not begin with the 5000 that were seen before"],
    );
}

#[test]
fn an_old_checkpoint() {
    check(
        |log| {
            let old = log_of((0..4_000).map(entry));
            log.0.insert(CHECKPOINT.to_owned(), old.0[CHECKPOINT].clone());
        },
        // Its tiles are all there, so that nothing else is wrong.
        &["the log had 5000 entries when it was seen before and now shows 4000: rolled back"],
    );
}
