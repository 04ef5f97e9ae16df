#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::Signer;
use crate::testing::{Memory, Rows, entry, log_of, reader, signer, verifier};

#[test]
fn every_entry_is_read_and_proven() {
    let (log, rows) = (log_of(&[700]), Rows::of_entries(700));
    let reader = reader(&log);
    assert_eq!(reader.checkpoint().root, rows.root(700));
    assert!(reader.check_root().is_ok());
    for index in (0..700).step_by(7).chain([255, 256, 511, 512, 699]) {
        assert_eq!(reader.entry(index).unwrap(), entry(index), "{index}");
        assert_eq!(reader.inclusion(index).unwrap(), rows.inclusion(index, 700), "{index}");
    }
}

#[test]
fn consistency_is_proven_between_any_two_sizes() {
    let (log, rows) = (log_of(&[700]), Rows::of_entries(700));
    let reader = reader(&log);
    for old in [0, 1, 5, 255, 256, 257, 512, 600, 699, 700] {
        assert_eq!(reader.root(old).unwrap(), rows.root(old));
        for new in [256, 300, 700].into_iter().filter(|&new| new >= old) {
            assert_eq!(
                reader.consistency(old, new).unwrap(),
                rows.consistency(old, new),
                "{old} to {new}"
            );
        }
    }
}

#[test]
fn a_log_of_three_levels_is_read_like_a_small_one() {
    let size = 65_536 + 300;
    let (log, rows) = (log_of(&[size]), Rows::of_entries(size));
    let reader = reader(&log);
    for index in [0, 255, 40_000, 65_535, 65_536, size - 1] {
        assert_eq!(reader.entry(index).unwrap(), entry(index));
        assert_eq!(reader.inclusion(index).unwrap(), rows.inclusion(index, size));
    }
    assert_eq!(reader.consistency(65_537, size).unwrap(), rows.consistency(65_537, size));
}

#[test]
fn a_reader_with_an_old_checkpoint_finds_the_full_tiles() {
    let mut log = log_of(&[200, 600]);
    let old = log_of(&[200]).files["checkpoint"].clone();
    assert!(!log.files.contains_key("tile/0/000.p/200"));
    log.files.insert("checkpoint".to_owned(), old);
    let reader = reader(&log);
    assert_eq!(reader.checkpoint().size, 200);
    assert_eq!(reader.entry(199).unwrap(), entry(199));
    assert!(reader.check_root().is_ok());
    assert!(matches!(reader.entry(200), Err(Error::OutOfRange { asked: 200, size: 200 })));
}

#[test]
fn what_is_out_of_range_is_refused() {
    let log = log_of(&[3]);
    let reader = reader(&log);
    assert!(matches!(reader.entry(3), Err(Error::OutOfRange { asked: 3, size: 3 })));
    assert!(matches!(reader.inclusion(u64::MAX), Err(Error::OutOfRange { .. })));
    assert!(matches!(reader.root(4), Err(Error::OutOfRange { asked: 4, size: 3 })));
    assert!(matches!(reader.consistency(1, 4), Err(Error::OutOfRange { asked: 4, size: 3 })));
    assert!(matches!(reader.consistency(3, 2), Err(Error::OutOfRange { asked: 3, size: 2 })));
}

#[test]
fn an_empty_log_has_the_empty_root_and_no_entry() {
    let log = log_of(&[0]);
    let reader = reader(&log);
    assert_eq!((reader.checkpoint().size, reader.checkpoint().root), (0, Hash::empty_tree()));
    assert!(reader.check_root().is_ok());
    assert!(matches!(reader.entry(0), Err(Error::OutOfRange { .. })));
    assert!(reader.verify_all().is_clean());
}

/// Reads entry 300 of a log of 600 after a change to one of its files.
fn after(path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, Error> {
    let mut log = log_of(&[600]);
    change(log.files.get_mut(path).unwrap());
    reader(&log).entry(300)
}

#[test]
fn nothing_is_handed_out_that_the_checkpoint_does_not_confirm() {
    let flip_entry = |file: &mut Vec<u8>| {
        let at = file.windows(9).position(|window| window == b"entry 300").unwrap();
        file[at] ^= 1;
    };
    assert!(matches!(after("tile/entries/001", flip_entry), Err(Error::Root(_))));
    assert!(matches!(after("tile/0/001", |file| file[45 * 32] ^= 1), Err(Error::Root(_))));
    assert!(matches!(after("tile/1/000.p/2", |file| file[0] ^= 1), Err(Error::Root(_))));
    assert!(matches!(
        after("tile/1/000.p/2", |file| file.truncate(63)),
        Err(Error::Malformed { .. })
    ));
    assert!(matches!(
        after("tile/entries/001", |file| file.truncate(63)),
        Err(Error::Malformed { .. })
    ));
}

#[test]
fn a_missing_file_is_named() {
    let mut log = log_of(&[600]);
    log.files.remove("tile/0/002.p/88");
    assert_eq!(reader(&log).entry(599).unwrap_err().to_string(), "tile/0/002.p/88: missing");
    let nothing = Reader::open(Memory::default(), &verifier()).unwrap_err();
    assert_eq!(nothing.to_string(), "checkpoint: missing");
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let other = Signer::from_seed("log.example/other", base::Secret::new([9; 32])).unwrap();
    let log = log_of(&[3]);
    assert!(matches!(Reader::open(&log, other.verifier()), Err(Error::Checkpoint(_))));
    assert!(Reader::open(&log, signer().verifier()).is_ok());
}
