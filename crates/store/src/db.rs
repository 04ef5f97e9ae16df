//! The public face: opening a database, reading and writing. Generic shells over engines that know
//! nothing of the callers' types.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use base::Secret;

use crate::postgres::{Mode, Postgres};
use crate::sqlite::Sqlite;
use crate::{Error, MigrationSet, Prior, Tx, job, migrate};

/// Where the rows are.
pub enum Backend {
    /// A file, made where there is none. One process at a time may have it open; seeing to that is
    /// the program's business.
    Sqlite(PathBuf),
    /// A private file among the temporary ones, not synchronised, gone when the database is closed.
    Memory,
    /// A server, by its connection string (`host=… user=… dbname=…`, or a URL). The connection is
    /// not encrypted: use a Unix socket or a network that is.
    Postgres(Secret<String>),
}

/// How to open a database.
pub struct Config {
    /// Where the rows are.
    pub backend: Backend,
    /// How many reads run at once on SQLite; how many connections there are on PostgreSQL. At least 1.
    pub readers: usize,
}

impl Config {
    /// The usual number of readers on a backend.
    pub const fn new(backend: Backend) -> Self {
        Self { backend, readers: 8 }
    }
}

/// What a database has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Write closures that were committed.
    pub writes: u64,
    /// Commits they shared. On SQLite many writes share one.
    pub commits: u64,
    /// Transactions run again after a serialization failure or a lost connection.
    pub retries: u64,
}

/// [`Counters`] while they count.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) writes: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) retries: AtomicU64,
}

impl Tally {
    pub(crate) fn committed(&self, writes: usize) {
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        // Released for `Db::version`.
        self.commits.fetch_add(1, Ordering::Release);
    }
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Arc<Postgres>),
}

/// A database. Clones share it; it closes when the last one is dropped.
#[derive(Clone)]
pub struct Db {
    engine: Arc<Engine>,
    tally: Arc<Tally>,
}

impl Db {
    /// Opens a database. Blocks; for start-up.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it cannot be reached, [`Error::Corrupt`] where it is no database.
    pub fn open(config: Config) -> Result<Self, Error> {
        let tally = Arc::new(Tally::default());
        let shared = Arc::clone(&tally);
        let readers = config.readers.max(1);
        let engine = match config.backend {
            Backend::Sqlite(path) => Engine::Sqlite(Sqlite::open(path, readers, shared)?),
            Backend::Memory => Engine::Sqlite(Sqlite::open_scratch(readers, shared)?),
            Backend::Postgres(conninfo) => Engine::Postgres(Arc::new(off_runtime(|| {
                Postgres::open(&conninfo, readers, tally.clone())
            })?)),
        };
        Ok(Self { engine: Arc::new(engine), tally })
    }

    /// Brings the schema up to date, each step in a transaction of its own. Blocks; for start-up.
    /// Several processes may do it at the same time.
    ///
    /// # Errors
    /// [`Error::Other`] where the database is newer than the program, or an applied step was edited;
    /// otherwise what the failing step failed with, and the steps before it stand.
    pub fn migrate(&self, sets: &[MigrationSet]) -> Result<(), Error> {
        off_runtime(|| {
            let _alone = match &*self.engine {
                Engine::Sqlite(_) => None,
                Engine::Postgres(postgres) => Some(postgres.lock_schema()?),
            };
            migrate::run(self, sets)
        })
    }

    /// Runs a transaction that may change rows; returns once it is durable.
    ///
    /// # Errors
    /// What the closure returned, after a rollback; or why the transaction could not be kept.
    pub async fn write<T, E>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.write_after(Vec::new(), f).await
    }

    /// As [`Self::write`], of a transaction that refers to something outside of the database: that is durable
    /// before the closure runs. Writes that share a commit share this, too, so it is to be quick: all others
    /// wait for it.
    ///
    /// # Errors
    /// As [`Self::write`], and what [`Prior::make_durable`] fails with; the closure did not run then.
    pub async fn write_after<T, E>(
        &self,
        priors: Vec<Arc<dyn Prior>>,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = job::new(f, priors);
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.submit(job),
            Engine::Postgres(postgres) => postgres.submit(job, Mode::Write).await,
        }
        answer.wait().await
    }

    /// Runs a transaction that only reads, on one snapshot of everything committed before it.
    ///
    /// On SQLite the closure runs on the calling task, so keep it to what a page cache answers.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn read<T, E>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.reader().await?.snapshot(f),
            Engine::Postgres(postgres) => {
                let (job, answer) = job::new(f, Vec::new());
                postgres.submit(job, Mode::Read).await;
                answer.wait().await
            }
        }
    }

    /// As [`Db::write`], blocking. Never call it on a thread that drives asynchronous tasks, nor
    /// inside a transaction's closure.
    ///
    /// # Errors
    /// As [`Db::write`].
    ///
    /// # Panics
    /// On a thread that drives asynchronous tasks.
    pub fn write_blocking<T, E>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = job::new(f, Vec::new());
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.submit(job),
            Engine::Postgres(postgres) => postgres.run_here(job, Mode::Write),
        }
        answer.wait_blocking()
    }

    /// As [`Db::read`], blocking. Never call it on a thread that drives asynchronous tasks.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn read_blocking<T, E>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &*self.engine {
            Engine::Sqlite(sqlite) => block_on(sqlite.reader())?.snapshot(f),
            Engine::Postgres(postgres) => {
                let (job, answer) = job::new(f, Vec::new());
                postgres.run_here(job, Mode::Read);
                answer.wait_blocking()
            }
        }
    }

    /// Copies the whole database, as of one moment, into a new file while it is in use. Blocks.
    ///
    /// # Errors
    /// [`Error::Other`] on PostgreSQL (use `pg_dump`) and where the file exists already.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.backup(to),
            Engine::Postgres(_) => {
                Err(Error::Other("a PostgreSQL database is backed up with pg_dump".to_owned()))
            }
        }
    }

    /// Finishes what was submitted, then closes the database for all clones; later calls fail with
    /// [`Error::Unavailable`]. Blocks. Dropping the last clone does the same.
    pub fn close(&self) {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.close(),
            Engine::Postgres(postgres) => postgres.close(),
        }
    }

    /// A number that changes with each commit, after the commit and before anybody is answered: what was read
    /// when it was the same as now is still so. `None` where other programs commit, too.
    ///
    /// Ask before reading: what is committed in between then counts as newer, and never as older.
    pub fn version(&self) -> Option<u64> {
        match &*self.engine {
            Engine::Sqlite(_) => Some(self.tally.commits.load(Ordering::Acquire)),
            Engine::Postgres(_) => None,
        }
    }

    /// What was done since the database was opened.
    pub fn counters(&self) -> Counters {
        Counters {
            writes: self.tally.writes.load(Ordering::Relaxed),
            commits: self.tally.commits.load(Ordering::Relaxed),
            retries: self.tally.retries.load(Ordering::Relaxed),
        }
    }
}

/// Waits on this thread for a future that needs no runtime, such as a semaphore's.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Runs `f` on a thread without a runtime and waits: the PostgreSQL client has a runtime of its own
/// and panics where it finds itself inside another, as in an asynchronous `main`.
pub(crate) fn off_runtime<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(f).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
