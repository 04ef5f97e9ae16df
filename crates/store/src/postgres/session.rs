//! Statements inside one PostgreSQL transaction: translation, preparation, parameters, columns, and
//! what the server's errors mean.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::ops::ControlFlow;

use ::postgres::error::{Severity, SqlState};
use ::postgres::types::private::BytesMut;
use ::postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use ::postgres::{Statement, Transaction};

use crate::dialect::{self, Target};
use crate::tx::{Each, Fetch, Session};
use crate::value::Columns;
use crate::{Error, Row, Value};

/// Distinct statements kept prepared on each connection.
const STATEMENTS_MAX: usize = 512;
/// Rows per round trip where an answer may be large.
const PAGE_ROWS: i32 = 256;

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// Prepared statements by the text they were written as.
pub(super) type Statements = HashMap<String, Statement>;

/// What a failed statement means for the attempt that it was part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It would fail again.
    Final,
    /// The server gave the transaction up for another's sake.
    Again,
    /// The connection is gone, and with it the transaction.
    Lost,
}

impl Fate {
    pub(super) fn of(error: &::postgres::Error) -> Self {
        let Some(cause) = error.as_db_error() else {
            let broken =
                error.is_closed() || error.source().is_some_and(|cause| cause.is::<io::Error>());
            return if broken { Self::Lost } else { Self::Final };
        };
        if matches!(cause.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
            return Self::Lost;
        }
        match *cause.code() {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Self::Again,
            _ => Self::Final,
        }
    }
}

/// What an error of the server means to a caller. It never quotes `DETAIL`, which holds row contents.
pub(super) fn failure(error: &::postgres::Error) -> Error {
    let Some(cause) = error.as_db_error() else {
        let text =
            error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        return match Fate::of(error) {
            Fate::Lost => Error::Unavailable(text),
            Fate::Final | Fate::Again => Error::Other(text),
        };
    };
    let text = format!("{} ({})", cause.message(), cause.code().code());
    match *cause.code() {
        SqlState::UNIQUE_VIOLATION
        | SqlState::FOREIGN_KEY_VIOLATION
        | SqlState::RESTRICT_VIOLATION => Error::Conflict(text),
        SqlState::DISK_FULL | SqlState::READ_ONLY_SQL_TRANSACTION => Error::Full(text),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Error::Corrupt(text),
        _ if Fate::of(error) != Fate::Final => Error::Unavailable(text),
        _ => Error::Other(text),
    }
}

/// An open transaction and the statements prepared on its connection.
pub(super) struct InTransaction<'c> {
    transaction: Transaction<'c>,
    statements: &'c mut Statements,
    trouble: Option<(Error, Fate)>,
}

impl<'c> InTransaction<'c> {
    pub(super) fn new(transaction: Transaction<'c>, statements: &'c mut Statements) -> Self {
        Self { transaction, statements, trouble: None }
    }

    /// Gives the transaction back, with what went wrong in it.
    pub(super) fn finish(self) -> (Transaction<'c>, Option<(Error, Fate)>) {
        (self.transaction, self.trouble)
    }

    fn noted<T>(&mut self, result: Result<T, ::postgres::Error>) -> Result<T, Error> {
        result.map_err(|error| {
            let meaning = failure(&error);
            self.trouble = Some((meaning.clone(), Fate::of(&error)));
            meaning
        })
    }

    fn prepared(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Statement, Error> {
        let statement = match self.statements.get(sql) {
            Some(statement) => statement.clone(),
            None => self.prepare(sql, params)?,
        };
        // The client library panics where the counts differ.
        if statement.params().len() != params.len() {
            let wanted = statement.params().len();
            let text = format!("{} parameters for a statement with {wanted}", params.len());
            return Err(Error::Other(text));
        }
        Ok(statement)
    }

    fn prepare(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Statement, Error> {
        // The server finds out for itself what a NULL is; later values follow what it found.
        let types: Vec<Type> = params
            .iter()
            .map(|value| match value {
                Value::Null => Type::UNKNOWN,
                Value::Int(_) => Type::INT8,
                Value::Text(_) => Type::TEXT,
                Value::Blob(_) => Type::BYTEA,
            })
            .collect();
        let prepared = self.transaction.prepare_typed(&dialect::for_postgres(sql), &types);
        let statement = self.noted(prepared)?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn page_through(
        &mut self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        let bound = self.transaction.bind(statement, params);
        let portal = self.noted(bound)?;
        loop {
            let page = self.transaction.query_portal(&portal, PAGE_ROWS);
            let page = self.noted(page)?;
            if show(&page, each).is_break() || page.len() < PAGE_ROWS as usize {
                return Ok(());
            }
        }
    }
}

impl Session for InTransaction<'_> {
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, Error> {
        let statement = self.prepared(sql, params)?;
        let changed = self.transaction.execute(&statement, &erased(params));
        self.noted(changed)
    }

    fn rows(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        fetch: Fetch,
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        let statement = self.prepared(sql, params)?;
        let params = erased(params);
        if fetch == Fetch::Paged {
            return self.page_through(&statement, &params, each);
        }
        let rows = self.transaction.query(&statement, &params);
        let _ = show(&self.noted(rows)?, each);
        Ok(())
    }

    fn script(&mut self, sql: &str) -> Result<(), Error> {
        for statement in dialect::script(sql, Target::Postgres) {
            let done = self.transaction.batch_execute(&statement);
            self.noted(done)?;
        }
        Ok(())
    }
}

fn show(rows: &[::postgres::Row], each: &mut Each<'_>) -> ControlFlow<()> {
    rows.iter().try_for_each(|row| each(&Row(row)))
}

fn erased<'v>(params: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match (*self, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Value::Int(value), &Type::INT4) => i32::try_from(value)?.to_sql(ty, out),
            (Value::Text(text), &(Type::TEXT | Type::VARCHAR)) => text.to_sql(ty, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            _ => Err(format!("the server takes {ty} for this parameter").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Value<'r> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Failure> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Value::Int),
            Type::INT4 => i32::from_sql(ty, raw).map(|value| Value::Int(value.into())),
            // SQLite has no truth but 0 and 1.
            Type::BOOL => bool::from_sql(ty, raw).map(|value| Value::Int(value.into())),
            Type::BYTEA => <&[u8]>::from_sql(ty, raw).map(Value::Blob),
            _ => <&str>::from_sql(ty, raw).map(Value::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Value::Null)
    }

    fn accepts(ty: &Type) -> bool {
        let known = [Type::INT8, Type::INT4, Type::BOOL, Type::BYTEA, Type::TEXT, Type::VARCHAR];
        known.contains(ty)
    }
}

impl Columns for ::postgres::Row {
    fn value(&self, index: usize) -> Result<Value<'_>, Error> {
        self.try_get(index).map_err(|error| Error::Other(format!("column {index}: {error}")))
    }
}
