//! A fresh database per test, on either engine, and the few words that the tests share.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use base::{Rng, Secret, SystemRng};
use postgres::{Client, NoTls};
use store::{Backend, Config, Db, Error, MigrationSet, Prior, Tx, params};
use tempfile::TempDir;

/// Makes of each fact one test per engine.
macro_rules! on_both_engines {
    ($($fact:ident)*) => {
        mod on_sqlite {
            $(#[test]
            fn $fact() {
                super::$fact(&$crate::engines::Store::sqlite());
            })*
        }
        mod on_postgres {
            $(#[test]
            fn $fact() {
                if let Some(store) = $crate::engines::Store::postgres() {
                    super::$fact(&store);
                }
            })*
        }
    };
}
pub(crate) use on_both_engines;

pub(crate) const ITEMS: MigrationSet = MigrationSet {
    name: "items",
    steps: &["CREATE TABLE item (
        name TEXT PRIMARY KEY, amount INTEGER NOT NULL CHECK (amount >= 0),
        parent TEXT REFERENCES item (name))"],
};

enum Place {
    File(TempDir),
    Schema { server: String, name: String },
}

/// A database of a test's own, with the table `item`, removed at the end.
pub(crate) struct Store {
    pub(crate) db: Db,
    place: Place,
}

impl Store {
    pub(crate) fn sqlite() -> Self {
        Self::at(Place::File(TempDir::new().unwrap()))
    }

    /// `None` where no server is named.
    pub(crate) fn postgres() -> Option<Self> {
        let server = std::env::var("AWAN_TEST_POSTGRES").ok()?;
        let name = format!("t_{}", (&SystemRng as &dyn Rng).string(b"abcdefghijklmnop", 16));
        administer(&server, &format!("CREATE SCHEMA {name}"));
        Some(Self::at(Place::Schema { server, name }))
    }

    fn at(place: Place) -> Self {
        let store = Self { db: Db::open(config(&place)).unwrap(), place };
        store.db.migrate(&[ITEMS]).unwrap();
        store
    }

    /// The same database, opened once more.
    pub(crate) fn reopened(&self) -> Db {
        Db::open(config(&self.place)).unwrap()
    }

    /// The database as several processes have it open at once. SQLite's has one by contract.
    pub(crate) fn copies(&self) -> Vec<Db> {
        match self.place {
            Place::File(_) => vec![self.db.clone()],
            Place::Schema { .. } => (0..4).map(|_| self.reopened()).collect(),
        }
    }

    /// Another database of the same engine.
    pub(crate) fn another(&self) -> Self {
        match self.place {
            Place::File(_) => Self::sqlite(),
            Place::Schema { .. } => Self::postgres().unwrap(),
        }
    }

    /// Runs SQL of the server's own dialect on a connection outside the store.
    pub(crate) fn administer(&self, sql: &str) {
        let Place::Schema { server, .. } = &self.place else { panic!("PostgreSQL only") };
        administer(server, sql);
    }

    /// The name by which the server knows this store's connections.
    pub(crate) fn schema(&self) -> &str {
        let Place::Schema { name, .. } = &self.place else { panic!("PostgreSQL only") };
        name
    }

    /// The names in `item`, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.db)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.db.close();
        if let Place::Schema { server, name } = &self.place {
            administer(server, &format!("DROP SCHEMA {name} CASCADE"));
        }
    }
}

fn config(place: &Place) -> Config {
    Config::new(match place {
        Place::File(dir) => Backend::Sqlite(dir.path().join("test.db")),
        Place::Schema { server, name } => Backend::Postgres(Secret::new(format!(
            "{server} options='-c search_path={name}' application_name={name}"
        ))),
    })
}

fn administer(server: &str, sql: &str) {
    Client::connect(server, NoTls).unwrap().batch_execute(sql).unwrap();
}

pub(crate) fn names(db: &Db) -> Vec<String> {
    let all = |tx: &mut Tx<'_>| {
        tx.query("SELECT name FROM item ORDER BY name", params![], |row| row.get(0))
    };
    db.read_blocking(all).unwrap()
}

/// Inserts an item with amount 0.
pub(crate) fn insert(tx: &mut Tx<'_>, name: &str) -> Result<u64, Error> {
    tx.execute("INSERT INTO item (name, amount) VALUES (?1, 0)", params![name])
}

pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Starts a write as far as it gets without waiting: on SQLite it is in the writer's queue then.
pub(crate) fn start<T: Send + 'static>(
    db: &Db,
    f: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
) -> Pending<T> {
    start_after(db, Vec::new(), f)
}

/// As [`start`], of what refers to something outside of the database.
pub(crate) fn start_after<T: Send + 'static>(
    db: &Db,
    priors: Vec<Arc<dyn Prior>>,
    f: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
) -> Pending<T> {
    let db = db.clone();
    let mut write: Pending<T> = Box::pin(async move { db.write_after(priors, f).await });
    match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => write,
        Poll::Ready(answer) => Box::pin(ready(answer)),
    }
}

/// Keeps SQLite's writer busy until the sender is used, so that what is started meanwhile is one batch.
pub(crate) fn hold_writer(db: &Db) -> (Sender<()>, Pending<()>) {
    let (started, has_started) = channel();
    let (release, released): (_, Receiver<()>) = channel();
    let held = start(db, move |_| {
        started.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    });
    has_started.recv().unwrap();
    (release, held)
}

/// Waits until `fact` holds, within a bound.
pub(crate) fn eventually(fact: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !fact() {
        assert!(Instant::now() < end, "it never came true");
        thread::yield_now();
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}
