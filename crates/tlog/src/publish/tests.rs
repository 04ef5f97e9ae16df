#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::testing::{Memory, Rows, entries, log_of, reader, signer};
use crate::tile::Tile;
use crate::{DirectoryWriter, Fetch};

fn open(log: &mut Memory, published: u64) -> Result<Publisher<&mut Memory>, Error> {
    Publisher::open(log, signer(), published)
}

/// The files that the checkpoint of a log promises, and the checkpoint: what is the same however the
/// entries were batched.
fn promised(log: &Memory) -> Memory {
    let size = reader(log).checkpoint().size;
    let mut log = log.clone();
    log.files.retain(|path, _| {
        Tile::parse(path)
            .is_none_or(|tile| Tile::in_tree(tile.kind, tile.index, size) == Some(tile))
    });
    log
}

#[test]
fn the_files_are_those_of_the_specification() {
    let log = log_of(&[600]);
    let paths: Vec<_> = log.files.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "checkpoint",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/88",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/88",
        ]
    );
    assert_eq!(reader(&log).checkpoint().root, Rows::of_entries(600).root(600));
}

#[test]
fn every_published_size_has_its_partial_tiles_until_the_full_ones_are_published() {
    let partial = |log: &Memory| {
        log.files.keys().filter(|path| path.contains(".p/")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        partial(&log_of(&[1, 3, 255])),
        [
            "tile/0/000.p/1",
            "tile/0/000.p/255",
            "tile/0/000.p/3",
            "tile/entries/000.p/1",
            "tile/entries/000.p/255",
            "tile/entries/000.p/3",
        ]
    );
    assert_eq!(partial(&log_of(&[1, 3, 255, 256])), ["tile/1/000.p/1"]);
    assert_eq!(
        partial(&log_of(&[1, 256, 257, 512])),
        ["tile/1/000.p/1", "tile/1/000.p/2"],
        "those of the second tile went when it was full"
    );
}

#[test]
fn publishing_nothing_signs_an_empty_log_once_and_then_changes_nothing() {
    let mut log = Memory::default();
    let mut publisher = open(&mut log, 0).unwrap();
    assert_eq!(publisher.checkpoint(), None);
    assert_eq!(publisher.publish::<&[u8]>([]).unwrap().size, 0);
    publisher.publish(entries(0..3)).unwrap();
    let before = publisher.checkpoint().cloned();
    assert_eq!(Some(publisher.publish::<&[u8]>([]).unwrap()), before.as_ref());
}

#[test]
fn the_longest_entry_is_published_and_a_longer_one_publishes_nothing() {
    let mut log = Memory::default();
    let mut publisher = open(&mut log, 0).unwrap();
    publisher.publish([vec![1; ENTRY_BYTES_MAX], Vec::new()]).unwrap();
    let error = publisher.publish([vec![2], vec![3; ENTRY_BYTES_MAX + 1]]).unwrap_err();
    assert!(matches!(error, Error::EntryTooLong { index: 3, bytes: 65_536 }));
    assert_eq!(publisher.publish([vec![4]]).unwrap().size, 3);
    drop(publisher);
    assert_eq!(reader(&log).entry(0).unwrap(), vec![1; ENTRY_BYTES_MAX]);
    assert_eq!(reader(&log).entry(1).unwrap(), b"");
    assert_eq!(reader(&log).entry(2).unwrap(), [4]);
}

#[test]
fn files_older_than_what_was_published_are_refused() {
    let mut log = log_of(&[250]);
    assert!(open(&mut log, 250).is_ok());
    assert!(open(&mut log, 249).is_ok(), "the caller died before noting the last checkpoint");
    assert!(matches!(open(&mut log, 251), Err(Error::RolledBack { published: 251, found: 250 })));
    assert!(matches!(
        open(&mut Memory::default(), 1),
        Err(Error::RolledBack { published: 1, found: 0 })
    ));
}

#[test]
fn a_damaged_end_of_the_log_is_refused() {
    let check = |path: &str, at: usize| {
        let mut log = log_of(&[600]);
        log.files.get_mut(path).unwrap()[at] ^= 1;
        let error = open(&mut log, 600).unwrap_err();
        assert!(
            matches!(error, Error::Inconsistent | Error::Note(_) | Error::Checkpoint(_)),
            "{path}: {error:?}"
        );
    };
    check("tile/0/002.p/88", 0);
    check("tile/1/000.p/2", 63);
    check("tile/entries/002.p/88", 5);
    check("checkpoint", 20);
    let mut log = log_of(&[600]);
    log.files.remove("tile/entries/002.p/88");
    assert!(matches!(open(&mut log, 600), Err(Error::Read(read::Error::Missing { .. }))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn batches_of_any_size_give_the_log_of_one_batch(batches in prop::collection::vec((0..400_u64, any::<bool>()), 1..12)) {
        let mut log = Memory::default();
        let mut size = 0;
        let mut publisher = open(&mut log, 0).unwrap();
        publisher.publish::<&[u8]>([]).unwrap();
        for (count, reopen) in batches {
            if reopen {
                drop(publisher);
                publisher = open(&mut log, size).unwrap();
            }
            publisher.publish(entries(size..size + count)).unwrap();
            size += count;
        }
        drop(publisher);
        prop_assert_eq!(promised(&log), log_of(&[size]));
        prop_assert!(reader(&log).verify_all().is_clean());
    }
}

/// Files as they were before an operation, `None` where there was none.
type Replaced = Vec<(String, Option<Vec<u8>>)>;

/// A store that notes what is done and stops working at one of its operations.
#[derive(Clone, Default)]
struct Faulty {
    log: Rc<RefCell<Memory>>,
    done: Rc<RefCell<Vec<String>>>,
    /// The operation that fails, counted from 0.
    fails_at: Rc<Cell<Option<usize>>>,
    /// Whether the failing operation still takes effect.
    takes_effect: bool,
    /// For each operation that is not durable yet, what it took the place of.
    unflushed: Rc<RefCell<Vec<Replaced>>>,
}

impl Faulty {
    fn over(log: &Memory, fails_at: usize, takes_effect: bool) -> Self {
        let faulty = Self { takes_effect, ..Self::default() };
        *faulty.log.borrow_mut() = log.clone();
        faulty.fails_at.set(Some(fails_at));
        faulty
    }

    fn operate(
        &mut self,
        what: String,
        effect: impl FnOnce(&mut Memory) -> Replaced,
    ) -> io::Result<()> {
        let fails = self.fails_at.get().is_some_and(|at| self.done.borrow().len() >= at);
        let first = self.fails_at.get() == Some(self.done.borrow().len());
        if !fails || (first && self.takes_effect) {
            let replaced = effect(&mut self.log.borrow_mut());
            self.unflushed.borrow_mut().push(replaced);
        }
        self.done.borrow_mut().push(what);
        if fails { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }

    /// What is on the disk after the power failed: each operation that was not flushed is there or not,
    /// as `lost` says, whatever their order was.
    fn after_power_failure(&self, mut lost: u64) -> Memory {
        let mut log = self.log.borrow().clone();
        for replaced in self.unflushed.borrow().iter().rev() {
            if lost & 1 == 1 {
                for (path, content) in replaced.iter().cloned() {
                    match content {
                        Some(content) => drop(log.files.insert(path, content)),
                        None => drop(log.files.remove(&path)),
                    }
                }
            }
            lost >>= 1;
        }
        log
    }
}

impl Fetch for Faulty {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.log.borrow().fetch(path)
    }
}

impl Store for Faulty {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.operate(path.to_owned(), |log| {
            vec![(path.to_owned(), log.files.insert(path.to_owned(), content.to_vec()))]
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.operate("flush".to_owned(), |_| Vec::new())?;
        self.unflushed.borrow_mut().clear();
        Ok(())
    }

    fn remove_partials(&mut self, full: Tile) -> io::Result<()> {
        self.operate(format!("remove {full}.p"), |log| {
            let before = log.files.clone();
            log.remove_partials(full).unwrap();
            let gone = before.into_iter().filter(|(path, _)| !log.files.contains_key(path));
            gone.map(|(path, content)| (path, Some(content))).collect()
        })
    }
}

#[test]
fn what_did_not_change_is_not_written_and_the_checkpoint_comes_last() {
    let store = Faulty::over(&log_of(&[300]), usize::MAX, false);
    let mut publisher = Publisher::open(store.clone(), signer(), 300).unwrap();
    let mut check = |to: u64, expected: &[&str]| {
        store.done.borrow_mut().clear();
        publisher.publish(entries(publisher.size()..to)).unwrap();
        assert_eq!(*store.done.borrow(), expected);
    };
    check(301, &["tile/entries/001.p/45", "tile/0/001.p/45", "flush", "checkpoint", "flush"]);
    check(
        513,
        &[
            "tile/entries/001",
            "tile/0/001",
            "tile/entries/002.p/1",
            "tile/0/002.p/1",
            "tile/1/000.p/2",
            "flush",
            "checkpoint",
            "flush",
            "remove tile/entries/001.p",
            "remove tile/0/001.p",
        ],
    );
    check(513, &[]);
}

/// Publishes from one size to another and fails at every operation in turn; `check` gets the broken
/// publisher with its store, and says when it has recovered.
fn fail_at_every_operation(
    from: &[u64],
    to: u64,
    check: impl Fn(Publisher<Faulty>, &Faulty, &Memory),
) {
    let start = from.last().copied().unwrap_or(0);
    let before = log_of(from);
    let expected = log_of(&[from, &[to]].concat());
    for takes_effect in [false, true] {
        for fails_at in 0.. {
            let store = Faulty::over(&before, usize::MAX, takes_effect);
            let mut publisher = Publisher::open(store.clone(), signer(), start).unwrap();
            store.done.borrow_mut().clear();
            store.fails_at.set(Some(fails_at));
            if publisher.publish(entries(start..to)).is_ok() {
                assert!(fails_at > 4, "{fails_at} operations publish nothing");
                break;
            }
            check(publisher, &store, &expected);
        }
    }
}

const JOURNEYS: [(&[u64], u64); 4] = [(&[], 3), (&[], 600), (&[200, 250], 900), (&[256], 512)];
/// Over the end of a tile of the second level.
const LONG_JOURNEY: (&[u64], u64) = (&[65_500], 65_800);

/// A reader sees the old log or the new one, and either is whole. Of a long log the ends are checked.
fn check_whole(log: &Memory) {
    let reader = reader(log);
    let size = reader.checkpoint().size;
    assert!(reader.check_root().is_ok());
    for index in [0, size - 1, (size - 1) & !255] {
        assert!(reader.entry(index).is_ok(), "{index} of {size}");
    }
    if size < 10_000 {
        let audit = reader.verify_all();
        assert!(audit.is_clean(), "{audit:?}");
    }
}

#[test]
fn a_crash_at_any_operation_is_recovered_to_the_same_bytes() {
    for (from, to) in JOURNEYS.into_iter().chain([LONG_JOURNEY]) {
        fail_at_every_operation(from, to, |publisher, store, expected| {
            drop(publisher);
            for lost in [0, u64::MAX, 0x5555_5555_5555_5555, 0x9249_2492_4924_9249] {
                let mut log = store.after_power_failure(lost);
                if log.files.contains_key(CHECKPOINT) {
                    check_whole(&log);
                }
                let published = from.last().copied().unwrap_or(0);
                let mut publisher = open(&mut log, published).unwrap();
                publisher.publish(entries(publisher.size()..to)).unwrap();
                drop(publisher);
                assert!(
                    log == *expected,
                    "from {from:?} to {to}, failed after {:?}",
                    store.done.borrow()
                );
            }
        });
    }
}

#[test]
fn a_crash_may_be_recovered_in_other_batches() {
    let step = 77;
    for (from, to) in JOURNEYS {
        fail_at_every_operation(from, to, |publisher, store, expected| {
            drop(publisher);
            let mut log = store.log.borrow().clone();
            let mut publisher = open(&mut log, 0).unwrap();
            while publisher.size() < to {
                let size = publisher.size();
                publisher.publish(entries(size..to.min(size + step))).unwrap();
            }
            drop(publisher);
            assert_eq!(promised(&log), promised(expected));
        });
    }
}

#[test]
fn a_publisher_goes_on_after_an_error() {
    for (from, to) in JOURNEYS {
        fail_at_every_operation(from, to, |mut publisher, store, expected| {
            store.fails_at.set(None);
            let size = publisher.size();
            publisher.publish(entries(size..to)).unwrap();
            assert_eq!(publisher.checkpoint().map(|checkpoint| checkpoint.size), Some(to));
            assert_eq!(promised(&store.log.borrow()), promised(expected));
        });
    }
}

/// The files of a log in a directory, without the writer's lock.
fn snapshot(folder: &std::path::Path) -> Memory {
    let mut log = Memory::default();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for item in std::fs::read_dir(next).unwrap() {
            let path = item.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name != ".lock" {
                log.files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    log
}

fn publish_in(folder: &std::path::Path, published: u64, to: u64) {
    let store = DirectoryWriter::open(folder).unwrap();
    let mut publisher = Publisher::open(store, signer(), published).unwrap();
    publisher.publish(entries(publisher.size()..to)).unwrap();
}

#[test]
fn a_log_in_a_directory_is_that_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (published, to) in [(0, 200), (200, 257), (257, 1_000)] {
        publish_in(folder.path(), published, to);
    }
    assert_eq!(snapshot(folder.path()), log_of(&[200, 257, 1_000]));
}

#[test]
fn a_directory_that_lost_its_last_files_before_the_first_checkpoint_is_completed() {
    for lost in [
        &["checkpoint"][..],
        &["checkpoint", "tile/0/001", "tile/entries/002.p/88", "tile/1/000.p/2"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        publish_in(folder.path(), 0, 600);
        lost.iter().for_each(|path| std::fs::remove_file(folder.path().join(path)).unwrap());
        std::fs::write(folder.path().join(".new"), "half a ti").unwrap();
        publish_in(folder.path(), 0, 600);
        assert_eq!(snapshot(folder.path()), log_of(&[600]), "{lost:?}");
    }
}

#[test]
fn what_is_staged_is_written_and_not_published_until_it_is_released() {
    let mut log = log_of(&[100]);
    let mut publisher = open(&mut log, 100).unwrap();
    assert_eq!(publisher.stage::<&[u8]>([]).unwrap(), None, "all is published");
    let first = publisher.stage(entries(100..300)).unwrap().cloned().unwrap();
    assert_eq!((publisher.size(), publisher.staged_size()), (100, 300));
    assert_eq!(publisher.stage::<&[u8]>([]).unwrap(), Some(&first), "the same again");
    let second = publisher.stage(entries(300..700)).unwrap().cloned().unwrap();
    assert!(matches!(publisher.release(&first), Err(Error::NotStaged)));
    let cosigned = second
        .clone()
        .with_signatures([crate::testing::cosigner(1).cosign(&second, base::Time::from_secs(9))]);
    assert_eq!(publisher.release(&cosigned).unwrap().size, 700);
    assert!(matches!(publisher.release(&cosigned), Err(Error::NotStaged)));
    publisher.publish(entries(700..701)).unwrap();
    drop(publisher);
    assert!(reader(&log).verify_all().is_clean());
    assert_eq!(promised(&log), promised(&log_of(&[701])));
    assert!(!log.files.contains_key("tile/0/000.p/100"), "it was removed when it was full");
}

#[test]
fn a_published_checkpoint_carries_its_cosignatures() {
    let mut log = Memory::default();
    let mut publisher = open(&mut log, 0).unwrap();
    let note = publisher.stage(entries(0..3)).unwrap().cloned().unwrap();
    let cosigner = crate::testing::cosigner(1);
    let cosigned = note.clone().with_signatures([cosigner.cosign(&note, base::Time::from_secs(9))]);
    publisher.release(&cosigned).unwrap();
    drop(publisher);
    let published = reader(&log).note().clone();
    assert_eq!(cosigner.key().verify(&published), Ok(Some(base::Time::from_secs(9))));
    assert_eq!(reader(&log).proof(1).unwrap().checkpoint, published, "a proof carries them too");
}

#[test]
fn a_crash_after_staging_leaves_the_published_log_and_the_same_entries_are_staged_again() {
    let mut log = log_of(&[250]);
    let staged = open(&mut log, 250).unwrap().stage(entries(250..600)).unwrap().cloned().unwrap();
    assert!(reader(&log).verify_all().is_clean());
    assert_eq!(reader(&log).checkpoint().size, 250);
    let mut publisher = open(&mut log, 250).unwrap();
    assert_eq!(publisher.stage(entries(250..600)).unwrap(), Some(&staged));
    publisher.release(&staged).unwrap();
    drop(publisher);
    assert_eq!(promised(&log), promised(&log_of(&[600])));
}
