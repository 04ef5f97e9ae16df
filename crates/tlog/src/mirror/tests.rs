#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;

use base::Secret;
use proptest::prelude::*;

use super::*;
use crate::testing::{Memory, entries, entry, log_of, reader, signer, verifier};
use crate::{Publisher, Signer};

fn open(copy: &mut Memory) -> Mirror<&mut Memory> {
    Mirror::open(copy, verifier()).unwrap()
}

/// Mirrors a log into `copy`; the entries that were new.
fn update(copy: &mut Memory, log: &Memory) -> Result<Vec<Vec<u8>>, Error> {
    let mut new = Vec::new();
    let mut mirror = Mirror::open(copy, verifier())?;
    let from = mirror.size();
    let copied = mirror.copy(&Reader::open(log, &verifier())?, |index, entry| {
        assert_eq!(index, from + u64::try_from(new.len()).unwrap());
        new.push(entry.to_vec());
    })?;
    if let Some(copied) = copied {
        mirror.place(copied)?;
    }
    Ok(new)
}

/// The words with which a log that was changed after it was mirrored at 600 entries is refused; the
/// mirror stays as it was.
#[track_caller]
fn refused(change: impl FnOnce(&mut Memory), words: &str) {
    let mut copy = Memory::default();
    update(&mut copy, &log_of(&[600])).unwrap();
    let before = copy.files[CHECKPOINT].clone();
    let mut log = log_of(&[600, 1_500]);
    change(&mut log);
    let error = update(&mut copy, &log).unwrap_err();
    let shown = chain(&error);
    assert!(shown.contains(words), "{shown}");
    assert_eq!(copy.files[CHECKPOINT], before);
    assert!(reader(&copy).verify_all().is_clean());
}

fn chain(error: &dyn std::error::Error) -> String {
    let next = error.source().map(chain);
    [Some(error.to_string()), next].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// A log signed by the same key whose entry number `changed` is another.
fn forked(changed: u64, size: u64) -> Memory {
    let mut log = Memory::default();
    let mut publisher = Publisher::open(&mut log, signer(), 0).unwrap();
    let of = |at| if at == changed { b"another".to_vec() } else { entry(at) };
    publisher.publish((0..size).map(of)).unwrap();
    log
}

#[test]
fn a_mirror_is_the_log_file_by_file() {
    let mut copy = Memory::default();
    let mut log = Memory::default();
    for size in [1, 255, 256, 700, 66_000] {
        let from = log_size(&log);
        Publisher::open(&mut log, signer(), 0).unwrap().publish(entries(from..size)).unwrap();
        let known = log_size(&copy);
        assert_eq!(update(&mut copy, &log).unwrap(), entries(known..size));
        let promised = |files: &Memory| {
            let mut files = files.files.clone();
            files.retain(|path, _| {
                Tile::parse(path)
                    .is_none_or(|tile| Tile::in_tree(tile.kind, tile.index, size) == Some(tile))
            });
            files
        };
        assert_eq!(promised(&copy), promised(&log), "at {size}");
    }
    assert_eq!(update(&mut copy, &log).unwrap(), Vec::<Vec<u8>>::new());
}

fn log_size(log: &Memory) -> u64 {
    log.files.get(CHECKPOINT).map_or(0, |_| reader(log).checkpoint().size)
}

#[test]
fn what_is_wrong_with_a_log_is_said_and_not_mirrored() {
    let bundle = |log: &mut Memory, change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut entries = entries(768..1_024);
        change(&mut entries);
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| tile::push_entry(&mut bytes, entry));
        log.files.insert("tile/entries/003".to_owned(), bytes);
    };
    refused(
        |log| bundle(log, &|entries| entries[32][3] ^= 1),
        "tile/entries/003: entry 800 is not the one that was logged",
    );
    refused(
        |log| bundle(log, &|entries| entries.swap(32, 33)),
        "entry 800 is not the one that was logged (2 entries",
    );
    refused(
        |log| bundle(log, &|entries| drop(entries.remove(32))),
        "holds 255 entries where 256 belong",
    );
    refused(|log| drop(log.files.remove("tile/entries/003")), "the log: tile/entries/003: missing");
    refused(
        |log| log.files.get_mut(CHECKPOINT).unwrap()[20] ^= 1,
        "the signature by log.example/awan is wrong",
    );
    refused(
        |log| *log = forked(5, 1_500),
        "a fork: the 1500 entries of the log do not begin with the 600",
    );
    refused(
        |log| *log = forked(5, 600),
        "a split view: the log signed two different roots for 600 entries",
    );
    refused(|log| *log = forked(5, 300), "a fork: the 300 entries");
    refused(
        |log| *log = log_of(&[300]),
        "had 600 entries when it was seen before and now shows 300: rolled back",
    );
}

#[test]
fn a_split_view_and_a_smaller_view_of_another_reader_are_judged() {
    let mut copy = Memory::default();
    update(&mut copy, &log_of(&[600])).unwrap();
    let mirror = open(&mut copy);
    let (split, old) = (forked(5, 600), forked(5, 300));
    let split_view = mirror.split_view(reader(&split).note()).unwrap();
    assert!(split_view.is_proof(&verifier()));
    assert_eq!(mirror.split_view(reader(&old).note()), None);
    assert!(matches!(
        mirror.agrees(reader(&split).checkpoint()),
        Err(History::SplitView { size: 600 })
    ));
    assert!(matches!(
        mirror.agrees(reader(&old).checkpoint()),
        Err(History::Fork { seen: 300, now: 600 })
    ));
    for size in [0, 1, 300, 600, 900] {
        mirror.agrees(reader(&log_of(&[size])).checkpoint()).unwrap();
    }
    let other = Signer::from_seed("log.example/other", Secret::new([8; 32])).unwrap();
    assert!(Mirror::open(&mut copy, other.verifier().clone()).is_err());
}

/// Counts the bundles that are read, and gives up after some.
struct Counting<'a> {
    log: &'a Memory,
    bundles: Cell<u64>,
    until: u64,
}

impl Fetch for Counting<'_> {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        if path.starts_with("tile/entries/") {
            if self.bundles.get() == self.until {
                return Err(io::Error::other("cut off"));
            }
            self.bundles.set(self.bundles.get() + 1);
        }
        self.log.fetch(path)
    }
}

#[test]
fn a_copy_that_was_cut_short_goes_on_where_it_was() {
    let log = log_of(&[5_000]);
    let mut copy = Memory::default();
    let read = |copy: &mut Memory, until| {
        let counting = Counting { log: &log, bundles: Cell::new(0), until };
        let mut mirror = open(copy);
        let copied = mirror.copy(&Reader::open(&counting, &verifier()).unwrap(), |_, _| ());
        if let Ok(Some(copied)) = copied {
            mirror.place(copied).unwrap();
        }
        counting.bundles.get()
    };
    assert_eq!(read(&mut copy, 12), 12);
    assert!(!copy.files.contains_key(CHECKPOINT));
    // One of the bundles that are here was damaged meanwhile: it is read again.
    copy.files.get_mut("tile/entries/004").unwrap()[9] ^= 1;
    assert_eq!(read(&mut copy, 100), 20 - 12 + 1);
    assert!(reader(&copy).verify_all().is_clean());
    assert_eq!(reader(&copy).checkpoint().size, 5_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_flipped_bit_of_a_log_gets_into_a_mirror(file: prop::sample::Index, byte: prop::sample::Index, bit in 0..8_u8) {
        let good = log_of(&[300, 900]);
        let mut log = good.clone();
        let path = log.files.keys().nth(file.index(log.files.len())).unwrap().clone();
        let content = log.files.get_mut(&path).unwrap();
        let at = byte.index(content.len());
        content[at] ^= 1 << bit;
        let mut copy = Memory::default();
        update(&mut copy, &log_of(&[300])).unwrap();
        if Reader::open(&log, &verifier()).is_ok() && update(&mut copy, &log).is_ok() {
            prop_assert_eq!(reader(&copy).checkpoint().root, reader(&good).checkpoint().root);
        }
        prop_assert!(reader(&copy).verify_all().is_clean());
    }
}
