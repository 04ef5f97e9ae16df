//! The one thread that writes: takes batches from the queue, makes durable what they refer to, commits each,
//! then answers. (A second thread that syncs the next batch's files meanwhile costs more than it gains: batches
//! become smaller.) It decides nothing about rows; a closure that fails or panics undoes only its own savepoint.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rusqlite::Connection;

use super::{BATCH_MAX, BUSY_TIMEOUT, LOG_BYTES, OnConnection, command};
use crate::db::Tally;
use crate::job::{self, Job, Prior};
use crate::tx::{Books, Ending};
use crate::{Error, Tx};

/// How long a checkpoint that starts the log over waits for readers: all writes wait with it.
const RESTART_WAIT: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    connection: Connection,
    tally: Arc<Tally>,
    log: PathBuf,
    log_bytes_max: u64,
}

impl Writer {
    /// A writer on its connection; `log` is the path of the write-ahead log.
    pub(super) fn new(connection: Connection, log: PathBuf, tally: Arc<Tally>) -> Self {
        Self { connection, tally, log, log_bytes_max: LOG_BYTES }
    }

    /// Works until the queue is closed and empty, then leaves the database file complete by itself.
    pub(super) fn serve(mut self, queue: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(BATCH_MAX - 1));
            let batch = make_durable(batch);
            if !batch.is_empty() {
                self.run(batch);
            }
            self.bound_log();
        }
        checkpoint(&self.connection, "TRUNCATE");
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
    ///
    /// Most batches hold nothing that wishes to be undone. So a batch is first run without savepoints, for
    /// which SQLite copies every page that each job touches; where a job is to be undone after all, all of them
    /// are run again, each in one. (Closures may be run again: on PostgreSQL they are, too.)
    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Ending>, Error> {
        command(&self.connection, "BEGIN IMMEDIATE")?;
        let done = self.run_plainly(batch).and_then(|endings| match endings {
            Some(endings) => Ok(endings),
            None => {
                command(&self.connection, "ROLLBACK")?;
                command(&self.connection, "BEGIN IMMEDIATE")?;
                batch.iter_mut().map(|job| self.run_in_savepoint(job.as_mut())).collect()
            }
        });
        let done = done.and_then(|endings| self.finish(endings));
        if done.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = command(&self.connection, "ROLLBACK")
        {
            tracing::error!(%error, "a failed batch could not be rolled back");
        }
        done
    }

    /// Runs the jobs one after another; `None` where one of several is to be undone. (The transaction is
    /// savepoint enough for a single one; `finish` rolls it back.)
    fn run_plainly(&self, batch: &mut [Box<dyn Job>]) -> Result<Option<Vec<Ending>>, Error> {
        let alone = batch.len() == 1;
        let mut endings = Vec::with_capacity(batch.len());
        for job in batch {
            let ending = self.run_job(job.as_mut())?;
            if !alone && !matches!(ending, Ending::Keep(_)) {
                return Ok(None);
            }
            endings.push(ending);
        }
        Ok(Some(endings))
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

    /// Starts a log over that has outgrown its bound. SQLite's own checkpoints never wait, so that an
    /// unbroken stream of reads would let it grow for ever. (A log that was started over is cut to
    /// the bound at the next commit, so the file's length tells the two apart.)
    fn bound_log(&mut self) {
        let length = fs::metadata(&self.log).map_or(0, |file| file.len());
        if length > self.log_bytes_max {
            let _ = self.connection.busy_timeout(RESTART_WAIT);
            let restarted = checkpoint(&self.connection, "RESTART");
            let _ = self.connection.busy_timeout(BUSY_TIMEOUT);
            // Where a long read is in the way, do not make every batch wait for it.
            self.log_bytes_max = if restarted { LOG_BYTES } else { length + LOG_BYTES / 4 };
        }
    }
}

/// Makes durable what the jobs refer to, each thing once for all of them. Answers those for which it failed, and
/// leaves the others.
fn make_durable(batch: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let mut done: Vec<(*const (), Result<(), Error>)> = Vec::new();
    let mut once = |prior: &Arc<dyn Prior>| {
        let this = Arc::as_ptr(prior).cast::<()>();
        if let Some((_, result)) = done.iter().find(|(other, _)| *other == this) {
            return result.clone();
        }
        let result = job::make_durable(&**prior);
        done.push((this, result.clone()));
        result
    };
    let mut ready = Vec::with_capacity(batch.len());
    for job in batch {
        match job.priors().iter().try_for_each(&mut once) {
            Ok(()) => ready.push(job),
            Err(error) => job.answer(Err(error)),
        }
    }
    ready
}

/// Copies the log into the database file; false where a reader was in the way.
fn checkpoint(connection: &Connection, mode: &str) -> bool {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let busy: rusqlite::Result<i64> = connection.query_row(&sql, [], |row| row.get(0));
    if let Err(error) = &busy {
        tracing::warn!(%error, mode, "a checkpoint failed; the log is kept");
    }
    matches!(busy, Ok(0))
}
