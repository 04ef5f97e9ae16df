//! What can go wrong in the store, as far as callers decide by it. It holds no row's contents, since
//! errors reach logs.

use base::{ApiError, code};

/// Why a statement or a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A unique or foreign key forbids it; names the constraint or its columns.
    #[error("a stored row forbids it: {0}")]
    Conflict(String),
    /// The disk is full or the database is read-only: reads go on, writes do not.
    #[error("the database takes no writes: {0}")]
    Full(String),
    /// The database file is damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The database cannot be reached, is closed, or too many others want the same rows. Where a
    /// connection broke during a commit the outcome is unknown, and the text says so.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Anything else: wrong SQL, a wrong type, a broken check constraint.
    #[error("{0}")]
    Other(String),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Full(_) | Error::Unavailable(_) => Self::new(&code::UNAVAILABLE).detail(error),
            Error::Conflict(_) | Error::Corrupt(_) | Error::Other(_) => Self::internal(error),
        }
    }
}
