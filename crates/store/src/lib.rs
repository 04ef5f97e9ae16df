//! The store: one synchronous transaction type, [`Tx`], over SQLite (one machine) and PostgreSQL
//! (several). Everything that the cloud knows is rows behind this crate; object bytes are not.
//!
//! # How it is used
//! ```ignore
//! let id = db.write(move |tx| {
//!     tx.execute("INSERT INTO person (name) VALUES (?1)", params![&name])?;
//!     tx.on_commit(|| runner.poke());
//!     Ok::<_, ApiError>(())
//! }).await?;
//! ```
//! A closure sees one serializable transaction. It **may run more than once** (after a serialization
//! failure on PostgreSQL), so it has no effect outside its transaction; `on_commit` is for those. `Err`
//! rolls back. A statement that fails ends the transaction on both engines: whatever the closure
//! returns, nothing of it is kept (PostgreSQL has no other way, and one rule is easier than two).
//! Nobody is answered before the commit is durable. Dropping a pending `write` future does not undo
//! it: it commits as a whole, unobserved, or not at all.
//!
//! # The SQL that works on both engines
//! - Placeholders `?1 ?2 …`; no other use of `?` outside quotes.
//! - Column types `INTEGER` (64 bits), `TEXT`, `BLOB`, and `AUTOID` (an integer primary key that counts
//!   up), in capitals. Tables are strict. `/*rowless*/` after a table's closing parenthesis asks for
//!   `WITHOUT ROWID`. The module `dialect` lists what becomes of each.
//! - Text compares by its bytes. No zero byte in text (PostgreSQL refuses it). `LIKE` is
//!   case-sensitive and needs an explicit `ESCAPE`.
//! - Constraints are checked at once: no `DEFERRABLE`, which would fail other callers' writes at the
//!   common commit. No triggers. `SUM` and `COUNT` are written `CAST(SUM(x) AS BIGINT)`.
//!
//! # The map
//! `db` the public face; `job` a closure with its types erased; `tx` what a closure sees; `value`
//! parameters and rows; `sqlite` and `postgres` the engines; `dialect` one SQL to two; `migrate` the
//! schema's history.
//!
//! It deliberately has no query builder, no object mapping, no nested or asynchronous transactions.

mod db;
mod dialect;
mod error;
mod job;
mod migrate;
mod postgres;
mod sqlite;
mod tx;
mod value;

pub use db::{Backend, Config, Counters, Db};
pub use error::Error;
pub use job::Prior;
pub use migrate::MigrationSet;
pub use tx::Tx;
pub use value::{FromValue, Row, Value};

/// The parameters of a statement: `params![a, &b]` is a `&[Value]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::Value::from($value)),*] as &[$crate::Value<'_>]
    };
}
