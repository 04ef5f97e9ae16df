//! Answered means durable: a child process is killed in the middle of its writes, again and again.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use base::{Rng, SystemRng};
use store::{Backend, Config, Db, Error, MigrationSet, Tx, params};
use tempfile::TempDir;

const CHILD: &str = "AWAN_STORE_TEST_CHILD";
const ROUNDS: usize = 20;

const LEDGER: MigrationSet = MigrationSet {
    name: "ledger",
    steps: &["CREATE TABLE entry (number INTEGER PRIMARY KEY, filling BLOB NOT NULL);
              CREATE TABLE total (id INTEGER PRIMARY KEY, entries INTEGER NOT NULL);
              INSERT INTO total (id, entries) VALUES (1, 0);"],
};

#[test]
fn acknowledged_writes_survive_kill_9() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_until_killed(&open(Path::new(&path)));
    }
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.db");
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let limit = usize::from(u16::from_le_bytes((&SystemRng as &dyn Rng).bytes())) % 400 + 1;
        acknowledged.extend(killed_after(limit, &path));
        verify(&path, &acknowledged, &format!("round {round}, killed after {limit}"));
    }
    assert!(acknowledged.len() >= ROUNDS);
}

/// Lets a child write until it has acknowledged `limit` numbers; returns all that it acknowledged.
fn killed_after(limit: usize, path: &Path) -> Vec<i64> {
    let mut child: Child = Command::new(std::env::current_exe().unwrap())
        .args(["durability::acknowledged_writes_survive_kill_9", "--exact"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut numbers = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some(number) = line.strip_prefix("ack ").and_then(|rest| rest.strip_suffix('\n')) {
            numbers.push(number.parse().unwrap());
            if numbers.len() == limit {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(numbers.len() >= limit, "the child ended by itself after {}", numbers.len());
    numbers
}

fn open(path: &Path) -> Db {
    let db = Db::open(Config::new(Backend::Sqlite(PathBuf::from(path)))).unwrap();
    db.migrate(&[LEDGER]).unwrap();
    db
}

fn verify(path: &Path, acknowledged: &BTreeSet<i64>, when: &str) {
    let db = open(path);
    let stored =
        db.read_blocking(|tx| tx.query("SELECT number FROM entry", params![], |row| row.get(0)));
    let stored: BTreeSet<i64> = stored.unwrap().into_iter().collect();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{when}: lost {lost:?}");
    let total = db
        .read_blocking(|tx| tx.query_opt("SELECT entries FROM total", params![], |row| row.get(0)));
    assert_eq!(total, Ok(Some(stored.len())), "{when}: half a write");
    let check = db.read_blocking(|tx| {
        tx.query("PRAGMA integrity_check", params![], |row| row.get::<String>(0))
    });
    assert_eq!(check.unwrap(), ["ok"], "{when}");
}

fn append(tx: &mut Tx<'_>, number: i64) -> Result<(), Error> {
    let filling = [7_u8; 300];
    tx.execute("INSERT INTO entry (number, filling) VALUES (?1, ?2)", params![number, &filling])?;
    tx.execute("UPDATE total SET entries = entries + 1", params![])?;
    Ok(())
}

fn write_until_killed(db: &Db) -> ! {
    let sql = "SELECT COALESCE(MAX(number), 0) FROM entry";
    let last = db.read_blocking(|tx| tx.query_opt(sql, params![], |row| row.get::<i64>(0)));
    let next = AtomicI64::new(last.unwrap().unwrap() + 1);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    db.write_blocking(move |tx| append(tx, number)).unwrap();
                    // One short write to a pipe is never split. A parent that is gone ends the child.
                    let line = format!("ack {number}\n");
                    if std::io::stdout().write_all(line.as_bytes()).is_err() {
                        std::process::exit(1);
                    }
                }
            });
        }
    });
    unreachable!("the loops end with the process")
}
