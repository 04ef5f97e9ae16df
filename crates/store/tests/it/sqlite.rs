//! What only SQLite has: the group commit, files, a disk that is full.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use store::{Backend, Config, Db, Error, Prior, Tx, params};
use tempfile::TempDir;

use crate::engines::{
    ITEMS, Pending, Store, eventually, hold_writer, insert, names, runtime, start, start_after,
};

#[test]
fn writes_that_wait_share_a_commit() {
    let store = Store::sqlite();
    let before = store.db.counters();
    let (release, held) = hold_writer(&store.db);
    let writes: Vec<_> =
        (0..200).map(|n| start(&store.db, move |tx| insert(tx, &n.to_string()))).collect();
    release.send(()).unwrap();
    runtime().block_on(async {
        held.await.unwrap();
        for write in writes {
            assert_eq!(write.await, Ok(1));
        }
    });
    let after = store.db.counters();
    assert_eq!(after.writes - before.writes, 201);
    // The one that held the writer, then 128, then 72.
    assert_eq!(after.commits - before.commits, 3);
    assert_eq!(store.names().len(), 200);
}

#[test]
fn a_closure_that_fails_leaves_its_neighbours_committed() {
    let store = Store::sqlite();
    let (release, held) = hold_writer(&store.db);
    let before = start(&store.db, |tx| insert(tx, "a"));
    let refused = start(&store.db, |tx| {
        insert(tx, "refused")?;
        Err::<(), _>(Error::Other("no".to_owned()))
    });
    let conflicting = start(&store.db, |tx| {
        insert(tx, "conflicting")?;
        let _ = insert(tx, "a");
        Ok(())
    });
    let panicking = start(&store.db, |tx| -> Result<(), Error> {
        insert(tx, "panicking")?;
        panic!("on purpose");
    });
    let after = start(&store.db, |tx| insert(tx, "b"));
    release.send(()).unwrap();
    let runtime = runtime();
    runtime.block_on(held).unwrap();
    assert_eq!(runtime.block_on(before), Ok(1));
    assert_eq!(runtime.block_on(refused), Err(Error::Other("no".to_owned())));
    assert!(matches!(runtime.block_on(conflicting), Err(Error::Conflict(_))));
    let panic = runtime.block_on(runtime.spawn(panicking)).unwrap_err();
    assert_eq!(panic.into_panic().downcast_ref(), Some(&"on purpose"));
    assert_eq!(runtime.block_on(after), Ok(1));
    assert_eq!(store.names(), ["a", "b"]);
}

fn limit_pages(db: &Db, pages: &'static str) {
    db.write_blocking(move |tx| tx.query(pages, params![], |_| Ok(()))).unwrap();
}

#[test]
fn a_full_database_refuses_writes_and_recovers() {
    let store = Store::sqlite();
    store.db.write_blocking(|tx| insert(tx, "before")).unwrap();
    limit_pages(&store.db, "PRAGMA max_page_count = 20");
    let big = |tx: &mut Tx<'_>| insert(tx, &"x".repeat(1 << 20));
    let answer = store.db.write_blocking(big);
    assert!(matches!(answer, Err(Error::Full(_))), "{answer:?}");

    // In a batch the neighbours are either kept and told so, or refused and not kept.
    let (release, held) = hold_writer(&store.db);
    let batch: Vec<Pending<u64>> = vec![
        start(&store.db, |tx| insert(tx, "first")),
        start(&store.db, big),
        start(&store.db, |tx| insert(tx, "last")),
    ];
    release.send(()).unwrap();
    let runtime = runtime();
    runtime.block_on(held).unwrap();
    let answers: Vec<_> = batch.into_iter().map(|write| runtime.block_on(write)).collect();
    assert!(matches!(answers[1], Err(Error::Full(_))), "{answers:?}");
    let names = store.names();
    for (name, answer) in [("first", &answers[0]), ("last", &answers[2])] {
        assert_eq!(names.iter().any(|stored| stored == name), answer.is_ok(), "{name}: {answer:?}");
    }

    limit_pages(&store.db, "PRAGMA max_page_count = 1000000");
    assert_eq!(store.db.write_blocking(big), Ok(1));
}

#[test]
fn a_file_that_is_no_database_is_reported_as_damaged() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("test.db");
    fs::write(&path, [b'x'; 4096]).unwrap();
    let error = Db::open(Config::new(Backend::Sqlite(path))).err().unwrap();
    assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
}

#[test]
fn a_place_that_cannot_be_opened_is_reported_as_unavailable() {
    let path = PathBuf::from("/nonexistent/test.db");
    let error = Db::open(Config::new(Backend::Sqlite(path))).err().unwrap();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[test]
fn a_backup_is_the_database_of_one_moment() {
    let store = Store::sqlite();
    store.db.write_blocking(|tx| insert(tx, "a")).unwrap();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("copy.db");
    store.db.backup(&path).unwrap();
    store.db.write_blocking(|tx| insert(tx, "b")).unwrap();
    assert!(matches!(store.db.backup(&path), Err(Error::Other(_))), "it must not overwrite");
    let copy = Db::open(Config::new(Backend::Sqlite(path))).unwrap();
    assert_eq!(names(&copy), ["a"]);
}

#[test]
fn a_closed_database_is_one_complete_file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("test.db");
    let db = Db::open(Config::new(Backend::Sqlite(path.clone()))).unwrap();
    db.migrate(&[ITEMS]).unwrap();
    db.write_blocking(|tx| insert(tx, "a")).unwrap();
    assert_eq!(names(&db), ["a"]);
    drop(db);
    let files: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files, [path]);
}

fn file_of(db: &Db) -> String {
    let sql = "SELECT file FROM pragma_database_list";
    db.read_blocking(|tx| tx.query_opt(sql, params![], |row| row.get(0))).unwrap().unwrap()
}

#[test]
fn a_memory_database_leaves_no_file() {
    let db = Db::open(Config::new(Backend::Memory)).unwrap();
    db.migrate(&[ITEMS]).unwrap();
    let file = file_of(&db);
    assert!(Path::new(&file).exists());
    drop(db);
    assert!(!Path::new(&file).exists() && !Path::new(&format!("{file}-wal")).exists());
}

/// Keeps at least one read open at every moment until `stop`: each ends only after a later one began.
fn read_without_a_break(db: &Db, begun: &Arc<AtomicU64>, stop: &Arc<AtomicBool>) {
    while !stop.load(Ordering::SeqCst) {
        let (begun, stop) = (Arc::clone(begun), Arc::clone(stop));
        db.read_blocking(move |tx| {
            tx.query("SELECT 1 FROM item LIMIT 1", params![], |_| Ok(()))?;
            let own = begun.fetch_add(1, Ordering::SeqCst) + 1;
            while begun.load(Ordering::SeqCst) == own && !stop.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            Ok::<_, Error>(())
        })
        .unwrap();
    }
}

#[test]
fn reads_without_a_break_do_not_let_the_log_grow_for_ever() {
    const MIB: usize = 1 << 20;
    let db = Db::open(Config::new(Backend::Memory)).unwrap();
    db.migrate(&[ITEMS]).unwrap();
    let (begun, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| read_without_a_break(&db, &begun, &stop));
        }
        for number in 0..160 {
            let name = format!("{number}{}", "x".repeat(MIB));
            db.write_blocking(move |tx| insert(tx, &name)).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
    });
    let log = fs::metadata(format!("{}-wal", file_of(&db))).unwrap().len();
    // Without the bound it is more than 300 MiB; a busy machine may miss a chance or two.
    assert!(log < 192 * MIB as u64, "{log} bytes");
}

#[test]
fn a_closure_may_hold_the_last_clone_of_its_database() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("test.db");
    let db = Db::open(Config::new(Backend::Sqlite(path.clone()))).unwrap();
    db.migrate(&[ITEMS]).unwrap();
    let (release, held) = hold_writer(&db);
    let own = db.clone();
    let write = start(&db, move |tx| {
        own.counters();
        insert(tx, "a")
    });
    drop((db, held));
    // From here on only the two closures keep the database.
    drop(write);
    release.send(()).unwrap();
    let log = dir.path().join("test.db-wal");
    eventually(|| !log.exists());
    let other = Db::open(Config::new(Backend::Sqlite(path))).unwrap();
    assert_eq!(names(&other), ["a"]);
}

#[test]
fn reads_run_beside_each_other_up_to_the_configured_number() {
    let config = Config { backend: Backend::Memory, readers: 2 };
    let db = Db::open(config).unwrap();
    db.migrate(&[ITEMS]).unwrap();
    // A third read inside two would wait for ever; two do not.
    let inner = db.clone();
    let nested = db.read_blocking(move |_| {
        inner.read_blocking(|tx| {
            tx.query("SELECT name FROM item", params![], |row| row.get::<String>(0))
        })
    });
    assert_eq!(nested, Ok(vec![]));
}

#[test]
fn the_version_changes_with_each_commit_and_with_nothing_else() {
    let store = Store::sqlite();
    let version = || store.db.version().unwrap();
    let before = version();
    assert!(store.names().is_empty());
    let refused = store.db.write_blocking(|tx| {
        insert(tx, "no")?;
        Err::<(), _>(Error::Other("no".to_owned()))
    });
    assert!(refused.is_err());
    assert_eq!(version(), before);
    assert_eq!(store.db.write_blocking(|tx| insert(tx, "a")), Ok(1));
    assert_ne!(version(), before);
}

/// Counts how often it was made durable; fails where that is told.
#[derive(Default)]
struct Counted {
    times: AtomicU64,
    fails: bool,
}

impl Prior for Counted {
    fn make_durable(&self) -> Result<(), Error> {
        self.times.fetch_add(1, Ordering::SeqCst);
        if self.fails { Err(Error::Full("no".to_owned())) } else { Ok(()) }
    }
}

#[test]
fn what_a_write_refers_to_is_durable_before_its_closure_runs() {
    let store = Store::sqlite();
    let prior = Arc::new(Counted::default());
    let seen = Arc::clone(&prior);
    let write = store.db.write_after(vec![prior.clone()], move |tx| {
        assert_eq!(seen.times.load(Ordering::SeqCst), 1);
        insert(tx, "a")
    });
    assert_eq!(runtime().block_on(write), Ok(1));
}

#[test]
fn writes_that_share_a_commit_share_what_they_refer_to() {
    let store = Store::sqlite();
    let prior = Arc::new(Counted::default());
    let (release, held) = hold_writer(&store.db);
    let write = |n: usize| {
        start_after(&store.db, vec![prior.clone()], move |tx| insert(tx, &n.to_string()))
    };
    let writes: Vec<_> = (0..20).map(write).collect();
    release.send(()).unwrap();
    runtime().block_on(async {
        held.await.unwrap();
        for write in writes {
            assert_eq!(write.await, Ok(1));
        }
    });
    assert_eq!(prior.times.load(Ordering::SeqCst), 1);
}

struct Panics;

impl Prior for Panics {
    fn make_durable(&self) -> Result<(), Error> {
        panic!("on purpose");
    }
}

#[test]
fn a_prior_that_panics_fails_its_write_and_no_other() {
    let store = Store::sqlite();
    let refused = store.db.write_after(vec![Arc::new(Panics)], |tx| insert(tx, "a"));
    assert!(matches!(runtime().block_on(refused), Err(Error::Other(_))));
    assert_eq!(store.db.write_blocking(|tx| insert(tx, "b")), Ok(1));
    assert_eq!(store.names(), ["b"]);
}

#[test]
fn a_write_whose_prior_fails_does_not_run_and_hurts_no_other() {
    let store = Store::sqlite();
    let prior = Arc::new(Counted { fails: true, ..Counted::default() });
    let refused = store.db.write_after(vec![prior], |tx| insert(tx, "a"));
    let (refused, kept) =
        runtime().block_on(async { tokio::join!(refused, store.db.write(|tx| insert(tx, "b"))) });
    assert_eq!(refused, Err(Error::Full("no".to_owned())));
    assert_eq!(kept, Ok(1));
    assert_eq!(store.names(), ["b"]);
}

/// Fails once it is let go.
struct Held(Mutex<Receiver<()>>);

impl Prior for Held {
    fn make_durable(&self) -> Result<(), Error> {
        let _ = self.0.lock().unwrap().recv();
        Err(Error::Full("no".to_owned()))
    }
}

#[test]
fn a_closure_that_is_refused_may_hold_the_last_clone_of_its_database() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("test.db");
    let db = Db::open(Config::new(Backend::Sqlite(path))).unwrap();
    db.migrate(&[ITEMS]).unwrap();
    let (release, released) = channel();
    let own = db.clone();
    let prior = Arc::new(Held(Mutex::new(released)));
    let refused = start_after(&db, vec![prior], move |_| Ok(own.counters()));
    drop((db, refused));
    release.send(()).unwrap();
    let log = dir.path().join("test.db-wal");
    eventually(|| !log.exists());
}
