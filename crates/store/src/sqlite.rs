//! SQLite: one thread that writes, a pool of connections that read.
//!
//! The writer takes every closure that waits (up to [`BATCH_MAX`]), runs each inside its own
//! savepoint of one transaction, commits once and then answers all of them: while one batch is being
//! synchronised to the disk the next one gathers. This is the whole program's group commit. Readers
//! use write-ahead-log snapshots, so neither side waits for the other.

mod writer;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::{Rng, SystemRng};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, params_from_iter};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::db::Tally;
use crate::dialect::{self, Target};
use crate::job::Job;
use crate::tx::{Books, Each, Ending, Fetch, Session};
use crate::value::Columns;
use crate::{Error, Row, Tx, Value};
use writer::Writer;

/// The most closures that share one commit: bounds how long the first of them waits.
const BATCH_MAX: usize = 128;
/// Distinct statements kept prepared on each connection.
const STATEMENTS_MAX: usize = 256;
/// Only outside tools (a shell, a backup) can hold a lock that the writer or a reader waits for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What the write-ahead log may grow to before readers are waited for.
const LOG_BYTES: u64 = 64 << 20;
/// In KiB; the pages that many small transactions touch again and again.
const WRITER_CACHE_KIB: u32 = 16 * 1024;
const READER_CACHE_KIB: u32 = 8 * 1024;

/// An open SQLite database.
pub(crate) struct Sqlite {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    writer: Mutex<Option<Thread>>,
    // The last field: a scratch file goes when nothing has it open any more.
    _scratch: Option<Scratch>,
}

struct Thread {
    jobs: Sender<Box<dyn Job>>,
    handle: JoinHandle<()>,
}

impl Sqlite {
    pub(crate) fn open(path: PathBuf, readers: usize, tally: Arc<Tally>) -> Result<Self, Error> {
        Self::start(path, readers, tally, None)
    }

    pub(crate) fn open_scratch(readers: usize, tally: Arc<Tally>) -> Result<Self, Error> {
        let name = (&SystemRng as &dyn Rng).alphanumeric(20);
        let path = std::env::temp_dir().join(format!("awan-{name}.db"));
        Self::start(path.clone(), readers, tally, Some(Scratch(path)))
    }

    fn start(
        path: PathBuf,
        readers: usize,
        tally: Arc<Tally>,
        scratch: Option<Scratch>,
    ) -> Result<Self, Error> {
        let durable = scratch.is_none();
        let connection = connect_writer(&path, durable)?;
        let writer = Writer::new(connection, beside(&path, "-wal"), tally);
        let (jobs, queue) = mpsc::channel();
        let handle = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.serve(&queue))
            .map_err(|error| Error::Other(format!("start the writer's thread: {error}")))?;
        Ok(Self {
            path,
            idle: Mutex::default(),
            permits: Semaphore::new(readers),
            writer: Mutex::new(Some(Thread { jobs, handle })),
            _scratch: scratch,
        })
    }

    /// Queues a write. On a closed database the job is dropped, which tells its caller so.
    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        if let Some(writer) = &*lock(&self.writer) {
            let _ = writer.jobs.send(job);
        }
    }

    /// A connection to read with, once one is free.
    pub(crate) async fn reader(&self) -> Result<Reader<'_>, Error> {
        let closed = |_| Error::Unavailable("it is closed".to_owned());
        let permit = self.permits.acquire().await.map_err(closed)?;
        let idle = lock(&self.idle).pop();
        let connection = idle.map_or_else(|| connect_reader(&self.path), Ok)?;
        Ok(Reader { connection: Some(connection), database: self, _permit: permit })
    }

    pub(crate) fn backup(&self, to: &Path) -> Result<(), Error> {
        if to.exists() {
            return Err(Error::Other(format!("{} exists already", to.display())));
        }
        let from = connect_reader(&self.path)?;
        let mut copy = connect(to, OpenFlags::SQLITE_OPEN_CREATE, READER_CACHE_KIB)?;
        let backup = Backup::new(&from, &mut copy).map_err(failure)?;
        // All pages in one step are one snapshot; with smaller steps every write would start it over.
        match backup.step(-1).map_err(failure)? {
            StepResult::Done => Ok(()),
            other => Err(Error::Unavailable(format!("the backup stopped: {other:?}"))),
        }
    }

    pub(crate) fn close(&self) {
        self.permits.close();
        lock(&self.idle).clear();
        let writer = lock(&self.writer).take();
        if let Some(Thread { jobs, handle }) = writer {
            drop(jobs);
            // A closure may hold the last clone of its database; its thread then ends by itself.
            if handle.thread().id() != thread::current().id() && handle.join().is_err() {
                tracing::error!("the store's writer thread panicked");
            }
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}

/// The files of a memory database, removed when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            // Most are gone already: SQLite removes its own when the last connection closes.
            let _ = std::fs::remove_file(beside(&self.0, suffix));
        }
    }
}

/// The path of a file that SQLite keeps beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}

/// A read connection that is checked out.
pub(crate) struct Reader<'d> {
    connection: Option<Connection>,
    database: &'d Sqlite,
    _permit: SemaphorePermit<'d>,
}

impl Reader<'_> {
    /// Runs a closure on one snapshot, on this thread.
    pub(crate) fn snapshot<T, E: From<Error>>(
        self,
        mut f: impl FnMut(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut returned = None;
        self.run(&mut |tx| {
            let result = f(tx);
            let kept = result.is_ok();
            returned = Some(result);
            kept
        })?;
        returned.expect("a run that succeeds has called its closure")
    }

    fn run(&self, step: &mut dyn FnMut(&mut Tx<'_>) -> bool) -> Result<(), Error> {
        let connection = self.connection.as_ref().expect("taken by drop alone");
        command(connection, "BEGIN DEFERRED")?;
        let mut session = OnConnection(connection);
        let mut books = Books::default();
        let kept = step(&mut Tx::new(&mut session, &mut books));
        let ending = books.end(kept);
        command(connection, "COMMIT")?;
        match ending {
            Ending::Keep(hooks) => hooks.run(),
            Ending::Undo => {}
            Ending::Fail(error) => return Err(error),
        }
        Ok(())
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // A panic or a failed commit leaves the snapshot open.
        let clean = connection.is_autocommit() || command(&connection, "ROLLBACK").is_ok();
        if clean && !self.database.permits.is_closed() {
            lock(&self.database.idle).push(connection);
        }
    }
}

/// A transaction on one connection; whoever made it begins and ends it.
struct OnConnection<'c>(&'c Connection);

impl Session for OnConnection<'_> {
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, Error> {
        let mut statement = self.0.prepare_cached(sql).map_err(failure)?;
        let changed = statement.execute(params_from_iter(params)).map_err(failure)?;
        Ok(changed as u64)
    }

    fn rows(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        _: Fetch,
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        let mut statement = self.0.prepare_cached(sql).map_err(failure)?;
        let mut rows = statement.query(params_from_iter(params)).map_err(failure)?;
        while let Some(row) = rows.next().map_err(failure)? {
            if let ControlFlow::Break(()) = each(&Row(row)) {
                break;
            }
        }
        Ok(())
    }

    fn script(&mut self, sql: &str) -> Result<(), Error> {
        dialect::script(sql, Target::Sqlite)
            .iter()
            .try_for_each(|statement| self.0.execute_batch(statement).map_err(failure))
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Columns for rusqlite::Row<'_> {
    fn value(&self, index: usize) -> Result<Value<'_>, Error> {
        match self.get_ref(index).map_err(failure)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(value) => Ok(Value::Int(value)),
            ValueRef::Blob(bytes) => Ok(Value::Blob(bytes)),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(Value::Text).map_err(|_| {
                Error::Corrupt(format!("column {index} holds text that is not UTF-8"))
            }),
            ValueRef::Real(_) => {
                Err(Error::Other(format!("column {index} holds a float, which the store has not")))
            }
        }
    }
}

fn connect_writer(path: &Path, durable: bool) -> Result<Connection, Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE, WRITER_CACHE_KIB)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failure)?;
    if mode != "wal" {
        return Err(Error::Other(format!("SQLite keeps journal mode {mode}, not wal")));
    }
    // FULL synchronises the log at every commit: what was answered survives a loss of power.
    let synchronous = if durable { "FULL" } else { "OFF" };
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA journal_size_limit = {LOG_BYTES};"
        ))
        .map_err(failure)?;
    Ok(connection)
}

fn connect_reader(path: &Path) -> Result<Connection, Error> {
    let connection = connect(path, OpenFlags::empty(), READER_CACHE_KIB)?;
    connection.execute_batch("PRAGMA query_only = ON").map_err(failure)?;
    Ok(connection)
}

fn connect(path: &Path, more: OpenFlags, cache_kib: u32) -> Result<Connection, Error> {
    // A connection is used by one thread at a time: no lock of SQLite's own is needed. Readers too
    // open the file for writing, since even they write to the index of the log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags).map_err(failure)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failure)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection
        .execute_batch(&format!(
            "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;
             PRAGMA case_sensitive_like = ON; PRAGMA cache_size = -{cache_kib};"
        ))
        .map_err(failure)?;
    Ok(connection)
}

/// Runs a statement that begins or ends something, prepared once per connection.
fn command(connection: &Connection, sql: &str) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(sql).map_err(failure)?;
    statement.execute([]).map(|_| ()).map_err(failure)
}

/// What an error of SQLite means to a caller.
fn failure(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    let rusqlite::Error::SqliteFailure(cause, _) = error else { return Error::Other(text) };
    match cause.code {
        ErrorCode::ConstraintViolation => match cause.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID
            | ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Error::Conflict(text),
            _ => Error::Other(text),
        },
        ErrorCode::DiskFull | ErrorCode::ReadOnly => Error::Full(text),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt(text),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::CannotOpen => {
            Error::Unavailable(text)
        }
        _ => Error::Other(text),
    }
}

/// A thread that panicked while it held one of these locks left nothing half done behind it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
