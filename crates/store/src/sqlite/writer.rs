//! The one thread that writes: takes batches from the queue, commits each, then answers. It decides
//! nothing about rows; a closure that fails or panics undoes only its own savepoint.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::Connection;

use super::{BATCH_MAX, OnConnection, command, failure};
use crate::db::Tally;
use crate::job::Job;
use crate::tx::{Books, Ending};
use crate::{Error, Tx};

/// How often the length of the log is looked at, in batches.
const CHECK_LOG_EVERY: u32 = 256;
/// From this many pages (64 MiB) on, the log is started over even if readers must be waited for.
/// SQLite's own checkpoints never wait, so an unbroken stream of reads would let it grow for ever.
const LOG_PAGES_MAX: i64 = 16 * 1024;

pub(super) struct Writer {
    connection: Connection,
    tally: Arc<Tally>,
    batches: u32,
}

impl Writer {
    pub(super) fn new(connection: Connection, tally: Arc<Tally>) -> Self {
        Self { connection, tally, batches: 0 }
    }

    /// Works until the queue is closed and empty, then leaves the database file complete by itself.
    pub(super) fn serve(mut self, queue: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(BATCH_MAX - 1));
            self.run(batch);
            self.bound_log();
        }
        self.checkpoint("TRUNCATE");
    }

    fn run(&self, mut batch: Vec<Box<dyn Job>>) {
        match self.transact(&mut batch) {
            Ok(endings) => {
                for (job, ending) in batch.into_iter().zip(endings) {
                    match ending {
                        Ending::Keep(hooks) => {
                            hooks.run();
                            job.answer(Ok(()));
                        }
                        Ending::Undo => job.answer(Ok(())),
                        Ending::Fail(error) => job.answer(Err(error)),
                    }
                }
            }
            Err(error) => {
                for job in batch {
                    job.answer(Err(error.clone()));
                }
            }
        }
    }

    /// Runs and commits a batch. On an error nothing of it is kept.
    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Ending>, Error> {
        command(&self.connection, "BEGIN IMMEDIATE")?;
        let done = self.run_all(batch).and_then(|endings| self.finish(endings));
        if done.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = command(&self.connection, "ROLLBACK")
        {
            tracing::error!(%error, "a failed batch could not be rolled back");
        }
        done
    }

    fn run_all(&self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Ending>, Error> {
        match batch {
            // The transaction is savepoint enough for one; `finish` rolls it back.
            [job] => Ok(vec![self.run_job(job.as_mut())?]),
            _ => batch.iter_mut().map(|job| self.run_in_savepoint(job.as_mut())).collect(),
        }
    }

    fn finish(&self, endings: Vec<Ending>) -> Result<Vec<Ending>, Error> {
        let kept = endings.iter().filter(|ending| matches!(ending, Ending::Keep(_))).count();
        if kept == 0 {
            command(&self.connection, "ROLLBACK")?;
        } else {
            command(&self.connection, "COMMIT")?;
            self.tally.committed(kept);
        }
        Ok(endings)
    }

    fn run_in_savepoint(&self, job: &mut dyn Job) -> Result<Ending, Error> {
        command(&self.connection, "SAVEPOINT job")?;
        let ending = self.run_job(job)?;
        if !matches!(ending, Ending::Keep(_)) {
            command(&self.connection, "ROLLBACK TO job")?;
        }
        command(&self.connection, "RELEASE job")?;
        Ok(ending)
    }

    fn run_job(&self, job: &mut dyn Job) -> Result<Ending, Error> {
        let mut session = OnConnection(&self.connection);
        let mut books = Books::default();
        let kept = job.run(&mut Tx::new(&mut session, &mut books));
        let failed = books.failed();
        let ending = books.end(kept);
        if self.connection.is_autocommit() {
            // A full disk or a failing one makes SQLite roll back everything, neighbours included.
            let lost = || Error::Other("SQLite rolled the transaction back".to_owned());
            return Err(failed.unwrap_or_else(lost));
        }
        Ok(ending)
    }

    fn bound_log(&mut self) {
        self.batches = self.batches.wrapping_add(1);
        if self.batches.is_multiple_of(CHECK_LOG_EVERY)
            && self.checkpoint("PASSIVE").is_some_and(|pages| pages > LOG_PAGES_MAX)
        {
            self.checkpoint("RESTART");
        }
    }

    /// Copies the log into the database file; returns how many pages the log held.
    fn checkpoint(&self, mode: &str) -> Option<i64> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        self.connection
            .query_row(&sql, [], |row| row.get(1))
            .map_err(failure)
            .inspect_err(
                |error| tracing::warn!(%error, mode, "a checkpoint failed; the log is kept"),
            )
            .ok()
    }
}
