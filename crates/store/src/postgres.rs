//! PostgreSQL: a bounded pool of connections, used on threads that may block. Every transaction is
//! SERIALIZABLE and is run again when the server gives it up for the sake of another one.
//!
//! The connections are not encrypted (see [`Backend`](crate::Backend)), and nothing here is
//! asynchronous: the client library drives its own runtime, which is why no connection may be made,
//! used or dropped on a thread that drives asynchronous tasks.

mod session;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use ::postgres::{Client, Config, IsolationLevel, NoTls};
use base::{Rng, Secret, SystemRng};
use tokio::sync::Semaphore;

use crate::db::{Tally, block_on, off_runtime};
use crate::job::{self, Job};
use crate::tx::{Books, Ending};
use crate::{Error, Tx};
use session::{Fate, InTransaction, Statements, failure};

/// Sixteen writers of one row need a handful; beyond this the load is wrong, not the luck.
const ATTEMPTS_MAX: u32 = 30;
/// A write that lost so often to others goes alone: a long one that many short ones overtake never would
/// come to its end by luck.
const RACES_MAX: u32 = 6;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const LOST_COMMIT: &str = "the connection broke during a commit, so its outcome is unknown";

/// Makes a commit durable where the server's configuration would not, and keeps notices quiet.
const PREPARE_SESSION: &str = "SET client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";

/// Taken while the schema is brought up to date; one per schema.
const LOCK_SCHEMA: &str =
    "SELECT pg_advisory_lock(hashtextextended('awan.migration.' || current_schema(), 0))";

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
}

/// A PostgreSQL database.
pub(crate) struct Postgres {
    config: Config,
    idle: Mutex<Vec<Link>>,
    permits: Arc<Semaphore>,
    /// Shared by the writes of this process, and held alone by one that lost too often.
    turn: RwLock<()>,
    size: u32,
    tally: Arc<Tally>,
}

/// Why an attempt came to nothing.
struct Setback {
    error: Error,
    /// Nothing of it is kept, and another attempt may succeed.
    again: bool,
    /// There is no connection, or it is not to be used again.
    lost: bool,
}

impl Postgres {
    pub(crate) fn open(
        conninfo: &Secret<String>,
        size: usize,
        tally: Arc<Tally>,
    ) -> Result<Self, Error> {
        let mut config: Config = conninfo
            .expose()
            .parse()
            .map_err(|error| Error::Other(format!("read the connection string: {error}")))?;
        config.connect_timeout(CONNECT_TIMEOUT);
        let first = Link::open(&config)?;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Ok(Self {
            config,
            idle: Mutex::new(vec![first]),
            permits: Arc::new(Semaphore::new(size as usize)),
            turn: RwLock::new(()),
            size,
            tally,
        })
    }

    /// Runs a job on a thread for blocking work, once a connection is free. On a closed database the
    /// job is dropped, which tells its caller so.
    pub(crate) async fn submit(self: &Arc<Self>, job: Box<dyn Job>, mode: Mode) {
        // Before there is a connection: a disk that hangs is not to hold any.
        let job = match job.priors() {
            [] => job,
            _ => match tokio::task::spawn_blocking(move || after_priors(job)).await {
                Ok(Some(job)) => job,
                _ => return,
            },
        };
        if let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            let pool = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                pool.run(job, mode);
                drop(permit);
            });
        }
    }

    /// As [`Postgres::submit`], on this thread.
    pub(crate) fn run_here(&self, job: Box<dyn Job>, mode: Mode) {
        let Some(job) = after_priors(job) else { return };
        if let Ok(_permit) = block_on(self.permits.acquire()) {
            self.run(job, mode);
        }
    }

    fn run(&self, mut job: Box<dyn Job>, mode: Mode) {
        let mut last = None;
        let mut races = 0;
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                self.tally.retries.fetch_add(1, Ordering::Relaxed);
                pause(attempt);
            }
            match self.attempt_in_turn(job.as_mut(), mode, races) {
                Ok(Ending::Keep(hooks)) => {
                    if mode == Mode::Write {
                        self.tally.committed(1);
                    }
                    hooks.run();
                    return job.answer(Ok(()));
                }
                Ok(Ending::Undo) => return job.answer(Ok(())),
                Ok(Ending::Fail(error)) => return job.answer(Err(error)),
                Err(setback) if setback.again => {
                    // A database that cannot be reached is no rival: going alone would only make others wait.
                    races += u32::from(!setback.lost);
                    last = Some(setback.error);
                }
                Err(setback) => return job.answer(Err(setback.error)),
            }
        }
        let reason = last.map_or_else(String::new, |error| error.to_string());
        job.answer(Err(Error::Unavailable(format!(
            "given up after {ATTEMPTS_MAX} attempts: {reason}"
        ))));
    }

    /// Reads wait for nobody; a read that is given up was in the way of nobody either.
    fn attempt_in_turn(
        &self,
        job: &mut dyn Job,
        mode: Mode,
        races: u32,
    ) -> Result<Ending, Setback> {
        if mode == Mode::Read {
            return self.attempt(job, mode);
        }
        if races < RACES_MAX {
            let _turn = self.turn.read().unwrap_or_else(PoisonError::into_inner);
            return self.attempt(job, mode);
        }
        let _turn = self.turn.write().unwrap_or_else(PoisonError::into_inner);
        self.attempt(job, mode)
    }

    fn attempt(&self, job: &mut dyn Job, mode: Mode) -> Result<Ending, Setback> {
        let idle = lock(&self.idle).pop();
        let mut link = match idle {
            Some(link) => link,
            None => Link::open(&self.config).map_err(|error| Setback {
                error,
                again: true,
                lost: true,
            })?,
        };
        let done = link.transact(job, mode);
        match &done {
            Err(setback) if setback.lost => {
                tracing::warn!(error = %setback.error, "replacing the connections to PostgreSQL");
                // What broke one broke the idle ones too, as a restart of the server does.
                drop(std::mem::take(&mut *lock(&self.idle)));
            }
            _ => lock(&self.idle).push(link),
        }
        done
    }

    /// Keeps other processes from changing the schema until the guard is dropped.
    pub(crate) fn lock_schema(&self) -> Result<SchemaLock, Error> {
        let mut link = Link::open(&self.config)?;
        link.client.batch_execute(LOCK_SCHEMA).map_err(|error| failure(&error))?;
        Ok(SchemaLock(link))
    }

    pub(crate) fn close(&self) {
        // All permits back means that all jobs are done.
        if let Ok(all) = block_on(self.permits.acquire_many(self.size)) {
            self.permits.close();
            drop(all);
        }
        self.disconnect();
    }

    fn disconnect(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        if !idle.is_empty() {
            off_runtime(|| drop(idle));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Jobs hold this, so none runs but perhaps the one whose closure held the last `Db` and is
        // being dropped here: waiting for its permit would be waiting for ourselves.
        self.disconnect();
    }
}

/// The job, once what it refers to is durable; where that fails, it is answered so.
fn after_priors(job: Box<dyn Job>) -> Option<Box<dyn Job>> {
    match job.priors().iter().try_for_each(|prior| job::make_durable(&**prior)) {
        Ok(()) => Some(job),
        Err(error) => {
            job.answer(Err(error));
            None
        }
    }
}

/// The right to change the schema: a connection of its own, whose end releases the lock.
pub(crate) struct SchemaLock(#[allow(dead_code, reason = "held, never used")] Link);

/// One connection and what is prepared on it.
struct Link {
    client: Client,
    statements: Statements,
}

impl Link {
    fn open(config: &Config) -> Result<Self, Error> {
        let unavailable =
            |error: ::postgres::Error| Error::Unavailable(format!("connect: {error}"));
        let mut client = config.connect(NoTls).map_err(unavailable)?;
        client.batch_execute(PREPARE_SESSION).map_err(unavailable)?;
        Ok(Self { client, statements: Statements::default() })
    }

    fn transact(&mut self, job: &mut dyn Job, mode: Mode) -> Result<Ending, Setback> {
        let transaction = self
            .client
            .build_transaction()
            .isolation_level(IsolationLevel::Serializable)
            .read_only(mode == Mode::Read)
            .start()
            .map_err(|error| setback(&error))?;
        let mut session = InTransaction::new(transaction, &mut self.statements);
        let mut books = Books::default();
        let kept = job.run(&mut Tx::new(&mut session, &mut books));
        let ending = books.end(kept);
        let (transaction, trouble) = session.finish();
        if let Some(setback) = trouble.map(Setback::from).filter(|setback| setback.again) {
            return Err(setback);
        }
        match ending {
            Ending::Keep(_) => transaction.commit().map_err(|error| uncommitted(&error))?,
            // Where this fails the server has rolled back by itself, and the next use finds out.
            Ending::Undo | Ending::Fail(_) => drop(transaction.rollback()),
        }
        Ok(ending)
    }
}

impl From<(Error, Fate)> for Setback {
    fn from((error, fate): (Error, Fate)) -> Self {
        Self { error, again: fate != Fate::Final, lost: fate == Fate::Lost }
    }
}

fn setback(error: &::postgres::Error) -> Setback {
    Setback::from((failure(error), Fate::of(error)))
}

/// A lost connection is no reason to try again here: the commit may have happened.
fn uncommitted(error: &::postgres::Error) -> Setback {
    match Fate::of(error) {
        Fate::Lost => {
            let error = Error::Unavailable(format!("{LOST_COMMIT}: {error}"));
            Setback { error, again: false, lost: true }
        }
        fate => Setback::from((failure(error), fate)),
    }
}

/// Waits longer from attempt to attempt, up to 64 ms, and never two rivals equally long.
fn pause(attempt: u32) {
    let limit_us = 500_u64 << attempt.min(7);
    let random = u64::from(u16::from_le_bytes((&SystemRng as &dyn Rng).bytes()));
    thread::sleep(Duration::from_micros(limit_us * random / u64::from(u16::MAX)));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
