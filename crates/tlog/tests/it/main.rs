//! A log on a disk, from outside the crate: written in batches, read back, and left behind for other
//! programs where `AWAN_TLOG_DIR` names a folder (`log/`, `vkey`, and the earlier checkpoints in `old/`).
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "the folder to leave a log in comes from whoever runs the test"
)]

mod tamper;

use std::fs;
use std::path::Path;

use base::SystemRng;
use tlog::{Directory, DirectoryWriter, Proof, Publisher, Reader, Signer, Verifier};
use tlog::{Fetch as _, Hash};

const BATCH: u64 = 1_024;

fn entry(index: u64) -> String {
    format!(
        r#"{{"index":{index},"action":"ram:CreateUser","commitment":"{:064x}"}}"#,
        index * 0x9e37_79b9
    )
}

/// Publishes `entries` in batches, as after many restarts, and keeps every checkpoint.
fn write_log(folder: &Path, entries: u64) -> Verifier {
    let log = folder.join("log");
    let old = folder.join("old");
    fs::create_dir_all(&old).unwrap();
    let key = Signer::generate(&SystemRng, "log.example/awan").unwrap().text();
    let mut published = 0;
    while published < entries {
        let store = DirectoryWriter::open(&log).unwrap();
        let mut publisher =
            Publisher::open(store, Signer::parse(&key).unwrap(), published).unwrap();
        let until = entries.min(published + 4 * BATCH);
        while published < until {
            let next = until.min(published + BATCH - published % 7);
            publisher.publish((published..next).map(entry)).unwrap();
            published = next;
            let checkpoint = Directory::new(&log).fetch("checkpoint").unwrap().unwrap();
            fs::write(old.join(published.to_string()), checkpoint).unwrap();
        }
    }
    let verifier = Signer::parse(&key).unwrap().verifier().clone();
    fs::write(folder.join("vkey"), verifier.to_string()).unwrap();
    verifier
}

#[test]
fn a_log_on_disk_is_whole_and_proves_its_entries() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("AWAN_TLOG_DIR")
        .map_or_else(|| temporary.path().to_path_buf(), Into::into);
    let log = write_log(&folder, 5_000);
    let reader = Reader::open(Directory::new(folder.join("log")), &log).unwrap();
    let audit = reader.verify_all();
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!((audit.entries, reader.checkpoint().size), (5_000, 5_000));
    assert_eq!(reader.entry(4_321).unwrap(), entry(4_321).as_bytes());
    let file = reader.proof(4_321).unwrap().to_string();
    let proven =
        Proof::parse(file.as_bytes()).unwrap().verify(Hash::leaf(entry(4_321).as_bytes()), &log);
    assert_eq!(proven.as_ref(), Ok(reader.checkpoint()));
}

/// A floor far below what a disk gives, against a change that writes or syncs per entry.
#[test]
fn batches_are_published_at_a_rate_that_writing_per_entry_cannot_reach() {
    const ENTRIES: u64 = 50 * BATCH;
    let folder = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    let store = DirectoryWriter::open(folder.path()).unwrap();
    let signer = Signer::generate(&SystemRng, "log.example/awan").unwrap();
    let mut publisher = Publisher::open(store, signer, 0).unwrap();
    for batch in 0..ENTRIES / BATCH {
        publisher.publish((batch * BATCH..(batch + 1) * BATCH).map(entry)).unwrap();
    }
    let took = started.elapsed();
    let rate = u128::from(ENTRIES) * 1_000 / took.as_millis().max(1);
    assert!(rate > 500, "{rate} entries a second");
}
