//! What may go wrong on a node, by what the one who asked can do about it.

use std::fmt::Display;

/// An error of a node. None carries a secret: texts of programs that were given one are not taken over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such instance, or no such engine: status 404.
    #[error("{0}")]
    Unknown(String),
    /// Older than what was seen, or not fitting what is there: status 409.
    #[error("{0}")]
    Conflict(String),
    /// Not now: status 503.
    #[error("{0}")]
    Later(String),
    /// Anything else: status 500.
    #[error("{0}")]
    Failed(String),
}

/// What functions of a node answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The status that says it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unknown(_) => 404,
            Self::Conflict(_) => 409,
            Self::Later(_) => 503,
            Self::Failed(_) => 500,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        // The server's own message; never the statement, which may hold a verifier.
        match error.as_db_error() {
            Some(db) => Self::Failed(format!("{}: {}", db.code().code(), db.message())),
            None => Self::Failed(error.to_string()),
        }
    }
}

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// Puts `what` before the error's own words.
    fn doing(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Error::Failed(format!("{what}: {error}")))
    }
}
