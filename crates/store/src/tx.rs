//! What a closure sees of its transaction. This file keeps the rules that are the same on both
//! engines; how a statement is run is behind [`Session`]. Beginning and ending a transaction is the
//! engines' work, so that a closure cannot do it.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Row, Value};

/// What is called for each row; it may stop the answer early.
pub(crate) type Each<'e> = dyn FnMut(&Row<'_>) -> ControlFlow<()> + 'e;

/// Whether an answer may be too large to be held at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// It is small: get it in one round trip.
    Whole,
    /// It may be large, or be left early: get it in pages.
    Paged,
}

/// An open transaction of one engine.
pub(crate) trait Session {
    /// Runs a statement that returns no rows; says how many rows it changed.
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, Error>;
    /// Runs a statement and shows its rows in turn.
    fn rows(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        fetch: Fetch,
        each: &mut Each<'_>,
    ) -> Result<(), Error>;
    /// Runs a script of the project's dialect: statements between semicolons, no parameters.
    fn script(&mut self, sql: &str) -> Result<(), Error>;
}

/// A transaction: a serializable view of the database, and in `write` the right to change it.
pub struct Tx<'c> {
    session: &'c mut dyn Session,
    books: &'c mut Books,
}

/// What an engine must know of a transaction when its closure has returned.
#[derive(Default)]
pub(crate) struct Books {
    failed: Option<Error>,
    hooks: Vec<Box<dyn FnOnce() + Send>>,
    /// What the last [`Tx::remember`] was given.
    memo: Option<Box<dyn Any + Send>>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(session: &'c mut dyn Session, books: &'c mut Books) -> Self {
        Self { session, books }
    }

    /// The same transaction for a shorter time, to be kept in a struct beside other references.
    pub fn reborrow(&mut self) -> Tx<'_> {
        Tx { session: &mut *self.session, books: &mut *self.books }
    }

    /// Runs a statement without an answer and returns how many rows it changed.
    ///
    /// # Errors
    /// Any [`Error`]; after one, every later statement of this transaction fails with the same.
    pub fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, Error> {
        self.books.memo = None;
        self.guarded(|session| session.execute(sql, params))
    }

    /// Runs a statement and maps each row of its answer.
    ///
    /// # Errors
    /// As [`Tx::execute`], and whatever `map` refuses (which does not end the transaction).
    pub fn query<T>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut out = Vec::new();
        self.rows(sql, params, Fetch::Whole, &mut |row| {
            out.push(map(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(out)
    }

    /// As [`Tx::query`], but only the first row, or `None` where there is none.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub fn query_opt<T>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut out = None;
        self.rows(sql, params, Fetch::Whole, &mut |row| {
            out = Some(map(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(out)
    }

    /// Keeps something that was read in this transaction, in place of what was kept before, for who asks the same
    /// again: until the next statement that may change rows.
    pub fn remember<T: Send + 'static>(&mut self, value: T) {
        self.books.memo = Some(Box::new(value));
    }

    /// What was kept, if it is of that type.
    pub fn remembered<T: 'static>(&self) -> Option<&T> {
        self.books.memo.as_ref()?.downcast_ref()
    }

    /// Shows each row as it arrives, in bounded memory, until `each` breaks.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub fn visit(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut each: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        self.rows(sql, params, Fetch::Paged, &mut each)
    }

    /// Calls `f` once this transaction is durable, before its caller is answered; never after a
    /// rollback. On SQLite it runs on the writer's thread: poke somebody, do no work.
    pub fn on_commit(&mut self, f: impl FnOnce() + Send + 'static) {
        self.books.hooks.push(Box::new(f));
    }

    /// Runs one step of a migration.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), Error> {
        self.guarded(|session| session.script(sql))
    }

    fn rows(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        fetch: Fetch,
        each: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut refused = None;
        if !sql.starts_with("SELECT") {
            self.books.memo = None;
        }
        self.guarded(|session| {
            session.rows(sql, params, fetch, &mut |row| {
                each(row).unwrap_or_else(|error| {
                    refused = Some(error);
                    ControlFlow::Break(())
                })
            })
        })?;
        refused.map_or(Ok(()), Err)
    }

    /// PostgreSQL refuses every statement after a failed one; so does this, on both engines.
    fn guarded<T>(
        &mut self,
        run: impl FnOnce(&mut dyn Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(error) = &self.books.failed {
            return Err(error.clone());
        }
        run(self.session).inspect_err(|error| self.books.failed = Some(error.clone()))
    }
}

impl Books {
    /// What the first failing statement failed with.
    pub(crate) fn failed(&self) -> Option<Error> {
        self.failed.clone()
    }

    /// Closes the books: `kept` says whether the closure returned `Ok`.
    pub(crate) fn end(self, kept: bool) -> Ending {
        match (kept, self.failed) {
            (true, None) => Ending::Keep(Hooks(self.hooks)),
            (true, Some(error)) => Ending::Fail(error),
            (false, _) => Ending::Undo,
        }
    }
}

/// What is to become of a transaction whose closure has returned.
pub(crate) enum Ending {
    /// Commit it, then run these.
    Keep(Hooks),
    /// Roll it back, as the closure wished.
    Undo,
    /// Roll it back although the closure returned `Ok`: a statement in it had failed.
    Fail(Error),
}

/// What was asked for by [`Tx::on_commit`].
pub(crate) struct Hooks(Vec<Box<dyn FnOnce() + Send>>);

impl Hooks {
    /// Runs them in order. One that panics is logged and the rest still run: the commit stands.
    pub(crate) fn run(self) {
        for hook in self.0 {
            if catch_unwind(AssertUnwindSafe(hook)).is_err() {
                tracing::error!("an on_commit hook panicked; its transaction is committed");
            }
        }
    }
}
