//! Rows of `agreement_term`: from when until when which release binds an account. No two overlap.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

/// One stretch of time in which one release binds an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) begins: Time,
    /// Exclusive; `None` where there is no end yet.
    pub(crate) ends: Option<Time>,
    /// The release's.
    pub(crate) digest: String,
    /// Whether it ends because an amendment takes over.
    pub(crate) amended: bool,
}

impl Term {
    /// True where it is over at that moment.
    pub(crate) fn over(&self, at: Time) -> bool {
        self.ends.is_some_and(|end| end <= at)
    }

    fn read(row: &Row<'_>) -> Result<Self, store::Error> {
        let (begins, ends) = (row.get(0)?, row.get(1)?);
        Ok(Self { begins, ends, digest: row.get(2)?, amended: row.get(3)? })
    }
}

const COLUMNS: &str = "begins, ends, digest, amended";

/// What [`begun`] last answered in a transaction: a request asks it for each decision.
struct Begun {
    account: AccountId,
    at: Time,
    term: Option<Term>,
}

/// The last that had begun at a moment; it may be over.
pub(crate) fn begun(
    tx: &mut Tx<'_>,
    account: AccountId,
    at: Time,
) -> Result<Option<Term>, ApiError> {
    let same = |begun: &&Begun| begun.account == account && begun.at == at;
    if let Some(begun) = tx.remembered::<Begun>().filter(same) {
        return Ok(begun.term.clone());
    }
    let sql = "SELECT begins, ends, digest, amended FROM agreement_term
               WHERE account = ?1 AND begins <= ?2 ORDER BY begins DESC LIMIT 1";
    let term = tx.query_opt(sql, params![account, at], Term::read)?;
    tx.remember(Begun { account, at, term: term.clone() });
    Ok(term)
}

/// The last of an account, whether it has begun or not.
pub(crate) fn last(tx: &mut Tx<'_>, account: AccountId) -> Result<Option<Term>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM agreement_term WHERE account = ?1 ORDER BY begins DESC LIMIT 1"
    );
    Ok(tx.query_opt(&sql, params![account], Term::read)?)
}

/// The term of a release, where it ever had one.
pub(crate) fn of_release(tx: &mut Tx<'_>, digest: &str) -> Result<Option<Term>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM agreement_term WHERE digest = ?1");
    Ok(tx.query_opt(&sql, params![digest], Term::read)?)
}

/// Whether any term of the account overlaps `from..until`.
pub(crate) fn any_within(
    tx: &mut Tx<'_>,
    account: AccountId,
    (from, until): (Time, Time),
) -> Result<bool, ApiError> {
    let sql = "SELECT begins FROM agreement_term
               WHERE account = ?1 AND begins < ?3 AND (ends IS NULL OR ends > ?2) LIMIT 1";
    let found = tx.query_opt(sql, params![account, from, until], |row| row.get::<i64>(0))?;
    Ok(found.is_some())
}

/// Adds one.
pub(crate) fn insert(tx: &mut Tx<'_>, account: AccountId, term: &Term) -> Result<(), ApiError> {
    let sql = "INSERT INTO agreement_term (account, begins, ends, digest, amended)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.execute(sql, params![account, term.begins, term.ends, &term.digest, term.amended])?;
    Ok(())
}

/// Ends at a moment what would last longer, and takes away what would only begin then; answers the
/// digests of the releases that so never bind.
pub(crate) fn cut(
    tx: &mut Tx<'_>,
    account: AccountId,
    at: Time,
    amended: bool,
) -> Result<Vec<String>, ApiError> {
    let sql = "DELETE FROM agreement_term WHERE account = ?1 AND begins >= ?2 RETURNING digest";
    let gone = tx.query(sql, params![account, at], |row| row.get(0))?;
    tx.execute(
        "UPDATE agreement_term SET ends = ?2, amended = ?3
         WHERE account = ?1 AND begins < ?2 AND (ends IS NULL OR ends > ?2)",
        params![account, at, amended],
    )?;
    Ok(gone)
}
