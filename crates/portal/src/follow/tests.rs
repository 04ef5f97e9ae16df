#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use base::Secret;
use tlog::{Cosigner, Publisher, Signer, Store};

use super::*;

/// A log's files in memory, which anybody may alter.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Fetch for Files {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().get(path).cloned())
    }
}

impl Store for Files {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().insert(path.to_owned(), content.to_owned());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn remove_partials(&mut self, full: Tile) -> io::Result<()> {
        let prefix = format!("{}.p/", full.full());
        self.0.lock().unwrap().retain(|path, _| !path.starts_with(&prefix));
        Ok(())
    }
}

impl Files {
    fn alter(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.0.lock().unwrap().get_mut(path).unwrap());
    }

    fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }
}

fn signer(seed: u8) -> Signer {
    Signer::from_seed("test.example/log", Secret::new([seed; 32])).unwrap()
}

fn entry(number: u64) -> String {
    format!(
        r#"{{"v":1,"at":"2026-11-22T01:02:03Z","action":"oss:PutObject","outcome":"OK","commitment":"{number}","public":{{"tenant":"7","class":"internal","placed":[{{"site":"jkt-a","country":"ID","objects":1}}]}}}}"#
    )
}

/// A log with a follower that has not looked yet.
fn log(entries: u64) -> (Files, Publisher<Files>, Follower) {
    let files = Files::default();
    let mut publisher = Publisher::open(files.clone(), signer(1), 0).unwrap();
    publisher.publish((0..entries).map(entry)).unwrap();
    let follower = Follower::new(signer(1).verifier().clone());
    (files, publisher, follower)
}

fn now() -> Time {
    Time::from_secs(1_763_800_000)
}

#[test]
fn the_log_is_read_on_from_where_it_ended_at_every_size() {
    let (files, mut publisher, mut follower) = log(1);
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 1030, 1030] {
        publisher.publish((publisher.size()..size).map(entry)).unwrap();
        follower.look(&files, now()).unwrap();
        let view = follower.shared().view();
        assert_eq!(view.model.size, size);
        assert_eq!(view.model.objects_at("jkt-a"), i64::try_from(size).unwrap());
        assert_eq!(follower.shared().progress(), (size, size));
    }
    let sizes: Vec<u64> =
        follower.shared().view().checkpoints.iter().map(|seen| seen.checkpoint.size).collect();
    assert_eq!(sizes, [1, 2, 255, 256, 257, 511, 512, 513, 1030]);
}

#[test]
fn a_partial_bundle_that_is_gone_is_read_from_the_full_one() {
    let (files, mut publisher, mut follower) = log(200);
    let old = files.fetch(CHECKPOINT).unwrap().unwrap();
    publisher.publish((200..300).map(entry)).unwrap();
    // A reader with the checkpoint of before, after the log has grown.
    files.alter(CHECKPOINT, |content| *content = old);
    follower.look(&files, now()).unwrap();
    assert_eq!(follower.shared().view().model.size, 200);
}

#[test]
fn a_log_without_a_checkpoint_is_empty_and_not_wrong() {
    let mut follower = Follower::new(signer(1).verifier().clone());
    assert_eq!(follower.look(&Files::default(), now()), Err(Fault::Nothing));
    assert_eq!(follower.shared().view().model.size, 0);
}

/// Looks at a log, then at what became of it; the pages must stay at what was proven.
fn check(then: impl FnOnce(&Files, Publisher<Files>), expected: &Fault) {
    let (files, publisher, mut follower) = log(300);
    follower.look(&files, now()).unwrap();
    then(&files, publisher);
    assert_eq!(follower.look(&files, now()), Err(expected.clone()));
    let view = follower.shared().view();
    assert_eq!((view.model.size, view.model.objects_at("jkt-a")), (300, 300));
    assert_eq!(view.fault.as_ref(), Some(expected));
}

#[test]
fn an_altered_entry_is_found_and_not_shown() {
    check(
        |files, mut publisher| {
            publisher.publish((300..310).map(entry)).unwrap();
            files.alter("tile/entries/001.p/54", |bytes| {
                let at = bytes.len() - 20;
                bytes[at] ^= 1;
            });
        },
        &Fault::Root { size: 310 },
    );
}

#[test]
fn a_missing_bundle_is_named() {
    check(
        |files, mut publisher| {
            publisher.publish((300..310).map(entry)).unwrap();
            files.0.lock().unwrap().remove("tile/entries/001.p/54");
        },
        &Fault::File { path: "tile/entries/001.p/54".to_owned(), what: "missing".to_owned() },
    );
}

#[test]
fn a_log_that_became_shorter_is_found() {
    let (short, ..) = log(200);
    check(
        |files, _| files.alter(CHECKPOINT, |it| *it = short.fetch(CHECKPOINT).unwrap().unwrap()),
        &Fault::Shrunk { had: 300, says: 200 },
    );
}

#[test]
fn another_history_of_the_same_size_is_found() {
    let fork = Files::default();
    let mut other = Publisher::open(fork.clone(), signer(1), 0).unwrap();
    other.publish((1..301).map(entry)).unwrap();
    check(
        |files, _| files.alter(CHECKPOINT, |it| *it = fork.fetch(CHECKPOINT).unwrap().unwrap()),
        &Fault::Root { size: 300 },
    );
}

#[test]
fn a_checkpoint_by_another_key_is_refused() {
    let foreign = Files::default();
    let mut other = Publisher::open(foreign.clone(), signer(2), 0).unwrap();
    other.publish((0..301).map(entry)).unwrap();
    let (files, _publisher, mut follower) = log(300);
    follower.look(&files, now()).unwrap();
    files.alter(CHECKPOINT, |it| *it = foreign.fetch(CHECKPOINT).unwrap().unwrap());
    assert!(matches!(follower.look(&files, now()), Err(Fault::Checkpoint(_))));
}

#[test]
fn a_mended_log_is_read_on_where_it_was_left() {
    let (files, mut publisher, mut follower) = log(300);
    follower.look(&files, now()).unwrap();
    publisher.publish((300..310).map(entry)).unwrap();
    let good = files.copy();
    files.alter("tile/entries/001.p/54", |bytes| {
        let at = bytes.len() - 20;
        bytes[at] ^= 1;
    });
    follower.look(&files, now()).unwrap_err();
    follower.look(&good, now()).unwrap();
    let view = follower.shared().view();
    assert_eq!((view.model.size, &view.fault), (310, &None));
    assert_eq!(view.model.objects_at("jkt-a"), 310);
}

#[test]
fn cosignatures_that_come_later_join_the_checkpoint_that_was_seen() {
    let (files, _publisher, mut follower) = log(5);
    follower.look(&files, now()).unwrap();
    let witness = Cosigner::from_seed("w.example", Secret::new([9; 32])).unwrap();
    let note = Note::parse(&files.fetch(CHECKPOINT).unwrap().unwrap()).unwrap();
    let cosigned = note.clone().with_signatures([witness.cosign(&note, now())]);
    files.alter(CHECKPOINT, |it| *it = cosigned.to_string().into_bytes());
    let later = Time::from_secs(now().secs() + 60);
    follower.look(&files, later).unwrap();
    let view = follower.shared().view();
    assert_eq!(view.checkpoints.len(), 1);
    assert_eq!((view.checkpoints[0].at, view.checkpoints[0].note.signatures().len()), (now(), 2));
}

#[test]
fn only_so_many_checkpoints_are_remembered() {
    let (files, mut publisher, mut follower) = log(1);
    for size in 2..CHECKPOINTS_MAX as u64 + 10 {
        publisher.publish([entry(size - 1)]).unwrap();
        follower.look(&files, now()).unwrap();
    }
    assert_eq!(follower.shared().view().checkpoints.len(), CHECKPOINTS_MAX);
}
