#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::testing::{Memory, entry, log_of, reader, verifier};
use crate::tile;

const BUNDLE: &str = "tile/entries/001";

/// The faults of a log of 600 entries after a change, each as it is shown.
fn check(change: impl FnOnce(&mut Memory), expected: &[&str]) {
    let mut log = log_of(&[600]);
    change(&mut log);
    let audit = reader(&log).verify_all();
    let shown: Vec<_> = audit.faults.iter().map(Fault::to_string).collect();
    assert_eq!(shown, expected);
    assert_eq!((audit.entries, audit.is_clean()), (600, expected.is_empty()));
}

/// Writes the bundle of entries 256 to 511 anew.
fn rebundle(log: &mut Memory, entries: &[Vec<u8>]) {
    let mut bundle = Vec::new();
    entries.iter().for_each(|entry| tile::push_entry(&mut bundle, entry));
    log.files.insert(BUNDLE.to_owned(), bundle);
}

fn bundled() -> Vec<Vec<u8>> {
    (256..512).map(entry).collect()
}

fn swap_hashes(file: &mut [u8], one: usize, other: usize) {
    for byte in 0..32 {
        file.swap(one * 32 + byte, other * 32 + byte);
    }
}

#[test]
fn an_untouched_log_is_clean() {
    check(|_| (), &[]);
    assert_eq!(reader(&log_of(&[600])).verify_all().files, 8, "all that the log has");
    assert!(reader(&log_of(&[1])).verify_all().is_clean());
    assert!(reader(&log_of(&[3, 256, 65_536, 65_700])).verify_all().is_clean());
}

#[test]
fn a_changed_entry_is_named() {
    let change = |log: &mut Memory| {
        let mut entries = bundled();
        entries[44][3] ^= 0x20;
        rebundle(log, &entries);
    };
    check(change, &["tile/entries/001: entry 300 is not the one that was logged"]);
}

#[test]
fn a_removed_entry_is_named() {
    let change = |log: &mut Memory| {
        let mut entries = bundled();
        entries.remove(44);
        rebundle(log, &entries);
    };
    check(
        change,
        &[
            "tile/entries/001: holds 255 entries where 256 belong",
            "tile/entries/001: entry 300 is not the one that was logged (211 entries of the file differ)",
        ],
    );
}

#[test]
fn swapped_entries_are_named() {
    let change = |log: &mut Memory| {
        let mut entries = bundled();
        entries.swap(44, 200);
        rebundle(log, &entries);
    };
    check(
        change,
        &[
            "tile/entries/001: entry 300 is not the one that was logged (2 entries of the file differ)",
        ],
    );
}

#[test]
fn a_changed_hash_of_an_entry_is_named() {
    check(
        |log| log.files.get_mut("tile/0/001").unwrap()[44 * 32] ^= 1,
        &["tile/0/001: the hash of entry 300 is wrong"],
    );
}

#[test]
fn swapped_hashes_are_named() {
    check(
        |log| swap_hashes(log.files.get_mut("tile/0/001").unwrap(), 44, 200),
        &[
            "tile/entries/001: entry 300 and its hash in tile/0/001 differ, and the checkpoint confirms neither (2 entries of the file differ)",
        ],
    );
}

#[test]
fn a_changed_hash_above_the_entries_is_named() {
    check(
        |log| log.files.get_mut("tile/1/000.p/2").unwrap()[40] ^= 1,
        &["tile/1/000.p/2: hash 1 is not that of the entries from 256 on"],
    );
}

#[test]
fn an_entry_that_was_changed_with_its_hash_does_not_reach_the_root() {
    let change = |log: &mut Memory| {
        let mut entries = bundled();
        entries[44] = b"another".to_vec();
        rebundle(log, &entries);
        let hashes: Vec<_> = entries.iter().map(|entry| Hash::leaf(entry)).collect();
        log.files.insert("tile/0/001".to_owned(), tile::write_hashes(&hashes));
    };
    check(
        change,
        &[
            "tile/1/000.p/2: hash 1 is not that of the entries from 256 on",
            "checkpoint: its root is not that of the 600 entries",
        ],
    );
}

#[test]
fn missing_and_malformed_files_are_named() {
    let remove =
        |path: &'static str| move |log: &mut Memory| assert!(log.files.remove(path).is_some());
    check(remove("tile/entries/002.p/88"), &["tile/entries/002.p/88: missing"]);
    check(remove("tile/0/000"), &["tile/0/000: missing"]);
    check(remove("tile/1/000.p/2"), &["tile/1/000.p/2: missing"]);
    let cut = |path: &'static str| {
        move |log: &mut Memory| assert!(log.files.get_mut(path).unwrap().pop().is_some())
    };
    check(cut("tile/0/000"), &["tile/0/000: holds 8191 bytes where 8192 belong"]);
    check(
        cut(BUNDLE),
        &[
            "tile/entries/001: ends inside the entry at place 255 of the bundle",
            "tile/entries/001: holds 255 entries where 256 belong",
        ],
    );
}

#[test]
fn a_log_without_any_tile_is_listed_up_to_a_limit() {
    let mut log = log_of(&[30_000]);
    log.files.retain(|path, _| path == "checkpoint");
    let audit = reader(&log).verify_all();
    assert_eq!(audit.faults.len(), FAULTS_MAX);
    assert!(audit.unlisted > 100);
}

#[test]
fn the_entry_of_a_fault_is_given() {
    let mut log = log_of(&[600]);
    log.files.get_mut("tile/0/002.p/88").unwrap()[32] ^= 1;
    let [fault] = &reader(&log).verify_all().faults[..] else { unreachable!("one fault") };
    assert_eq!((fault.path.as_str(), fault.entry), ("tile/0/002.p/88", Some(513)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_flipped_bit_of_any_file_is_found(file: prop::sample::Index, byte: prop::sample::Index, bit in 0..8_u8) {
        let mut log = log_of(&[400]);
        let path = log.files.keys().nth(file.index(log.files.len())).unwrap().clone();
        let content = log.files.get_mut(&path).unwrap();
        let at = byte.index(content.len());
        content[at] ^= 1 << bit;
        match Reader::open(&log, &verifier()) {
            Err(_) => prop_assert_eq!(path, CHECKPOINT),
            Ok(reader) => {
                let audit = reader.verify_all();
                prop_assert!(audit.faults.iter().any(|fault| fault.path == path || fault.what.contains(&path)), "{path}: {audit:?}");
            }
        }
    }
}
