//! Whatever is done to the files of a log that was seen before is found, and said in the right words.

use std::fs;
use std::path::Path;

use super::world::World;

/// More than one full bundle, and one tile above it.
const SIZE: usize = 300;

fn entries(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("entry {number:04}")).collect()
}

fn seen_before(state: &Path) -> World {
    let mut world = World::new();
    world.append(&entries(0..SIZE));
    assert_eq!(world.defects(state), [""; 0]);
    world
}

/// Does something to a sound log that was seen, and expects exactly these defects.
fn check(tamper: impl FnOnce(&mut World), expected: &[&str]) {
    let state = tempfile::tempdir().unwrap();
    let mut world = seen_before(state.path());
    tamper(&mut world);
    let defects = world.defects(state.path());
    assert_eq!(defects.len(), expected.len(), "{defects:#?}");
    for (defect, expected) in defects.iter().zip(expected) {
        assert!(defect.contains(expected), "{defect:?} lacks {expected:?}");
    }
}

fn edit(world: &World, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let file = world.log_dir().join(file);
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn replace(world: &World, file: &str, from: &str, to: &str) {
    edit(world, file, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(from));
        *bytes = text.replacen(from, to, 1).into_bytes();
    });
}

/// Puts the files of another log in the place of this one's.
fn show_instead(world: &World, other: &World) {
    fs::remove_dir_all(world.log_dir()).unwrap();
    fs::rename(other.log_dir(), world.log_dir()).unwrap();
}

#[test]
fn one_byte_of_an_entry() {
    check(
        |world| replace(world, "tile/entries/000", "entry 0017", "entry 0O17"),
        &["tile/entries/000: entry 17 is not the one that was logged"],
    );
}

#[test]
fn one_byte_of_a_tile() {
    check(
        |world| edit(world, "tile/0/000", |bytes| bytes[17 * 32 + 5] ^= 1),
        &["tile/0/000: the hash of entry 17 is wrong"],
    );
    check(
        |world| edit(world, "tile/1/000.p/1", |bytes| bytes[0] ^= 1),
        &["tile/1/000.p/1: hash 0 is not that of the entries from 0 on"],
    );
}

#[test]
fn one_byte_of_the_checkpoint() {
    check(
        |world| replace(world, "checkpoint", "\n300\n", "\n301\n"),
        &["the signature by awan.test/log is wrong"],
    );
}

#[test]
fn an_entry_that_was_removed() {
    check(
        |world| {
            edit(world, "tile/entries/000", |bytes| {
                let length = 2 + "entry 0017".len();
                bytes.drain(17 * length..18 * length);
            });
        },
        &["holds 255 entries where 256 belong", "entry 17 is not the one that was logged"],
    );
}

#[test]
fn two_entries_that_changed_places() {
    check(
        |world| {
            replace(world, "tile/entries/000", "entry 0017", "entry XXXX");
            replace(world, "tile/entries/000", "entry 0042", "entry 0017");
            replace(world, "tile/entries/000", "entry XXXX", "entry 0042");
        },
        &["entry 17 is not the one that was logged (2 entries of the file differ)"],
    );
}

#[test]
fn a_file_that_is_gone() {
    check(
        |world| fs::remove_file(world.log_dir().join("tile/entries/000")).unwrap(),
        &["tile/entries/000: missing"],
    );
}

#[test]
fn a_fork_is_told_by_memory_and_both_checkpoints_are_kept() {
    let state = tempfile::tempdir().unwrap();
    let world = seen_before(state.path());
    let mut other = world.rewritten();
    let mut history = entries(0..SIZE + 5);
    history[17] = "entry forged".to_owned();
    other.append(&history);
    show_instead(&world, &other);
    let defects = world.defects(state.path());
    assert_eq!(defects.len(), 1, "{defects:?}");
    assert!(
        defects[0].starts_with(
            "a fork: the 305 entries of the log do not begin with the 300 that were seen before"
        ),
        "{defects:?}"
    );
    // The evidence is two notes by the log's own key.
    let kept: Vec<_> = fs::read_dir(state.path().join("evidence")).unwrap().collect();
    let dir = kept[0].as_ref().unwrap().path();
    for (file, size) in [("seen.checkpoint", 300), ("shown.checkpoint", 305)] {
        let note = tlog::Note::parse(&fs::read(dir.join(file)).unwrap()).unwrap();
        let checkpoint = tlog::Checkpoint::verify(&note, world.signer.verifier()).unwrap();
        assert_eq!(checkpoint.size, size, "{file}");
    }
    // What was seen stays seen: the fork is told again.
    assert_eq!(world.defects(state.path()), defects);
}

#[test]
fn two_roots_of_one_size() {
    let state = tempfile::tempdir().unwrap();
    let world = seen_before(state.path());
    let mut other = world.rewritten();
    let mut history = entries(0..SIZE);
    history.swap(17, 42);
    other.append(&history);
    show_instead(&world, &other);
    let defects = world.defects(state.path());
    assert_eq!(defects.len(), 1, "{defects:?}");
    assert!(
        defects[0].starts_with("a split view: the log signed two different roots for 300 entries"),
        "{defects:?}"
    );
}

#[test]
fn an_old_checkpoint() {
    let state = tempfile::tempdir().unwrap();
    let world = seen_before(state.path());
    let mut old = world.rewritten();
    old.append(&entries(0..SIZE - 1));
    show_instead(&world, &old);
    let defects = world.defects(state.path());
    assert_eq!(defects.len(), 1, "{defects:?}");
    assert!(
        defects[0].starts_with(
            "the log had 300 entries when it was seen before and now shows 299: rolled back"
        ),
        "{defects:?}"
    );
}

#[test]
fn damage_is_not_called_a_fork() {
    let state = tempfile::tempdir().unwrap();
    let mut world = seen_before(state.path());
    world.append(&entries(SIZE..SIZE + 10));
    edit(&world, "tile/0/000", |bytes| bytes[0] ^= 1);
    let defects = world.defects(state.path());
    assert!(defects.iter().all(|defect| !defect.contains("fork")), "{defects:?}");
    assert!(!state.path().join("evidence").exists());
}
