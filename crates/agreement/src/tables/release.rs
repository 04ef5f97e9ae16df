//! Rows of `agreement_release`: the releases of all agreements, and how far each has come.

use base::{AccountId, ApiError, Time};
use store::{Row as Stored, Tx, params};

/// How far a release has come by what was done with it. Whether an active one is superseded or ended
/// follows from its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Draft,
    Signed,
    Published,
    Active,
    Superseded,
    Ended,
    /// A signature was taken back after it was published: it never binds.
    Withdrawn,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Draft,
        Self::Signed,
        Self::Published,
        Self::Active,
        Self::Superseded,
        Self::Ended,
        Self::Withdrawn,
    ];

    /// As answers show it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Signed => "Signed",
            Self::Published => "Published",
            Self::Active => "Active",
            Self::Superseded => "Superseded",
            Self::Ended => "Ended",
            Self::Withdrawn => "Withdrawn",
        }
    }

    /// As it is stored.
    const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Signed => "signed",
            Self::Published => "published",
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::Ended => "ended",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn read(code: &str) -> Result<Self, store::Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.code() == code)
            .ok_or_else(|| store::Error::Corrupt(format!("a release is in the state {code:?}")))
    }
}

/// One of the two parties to an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Provider,
    Tenant,
}

impl Side {
    /// As leaves name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Tenant => "tenant",
        }
    }
}

/// A release, without its document.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) number: i64,
    pub(crate) ocid: String,
    pub(crate) id: String,
    pub(crate) account: AccountId,
    /// The OCDS tag.
    pub(crate) tag: String,
    pub(crate) state: State,
    pub(crate) digest: String,
    pub(crate) date: Time,
    /// The parties' names.
    pub(crate) provider: String,
    pub(crate) tenant: String,
    /// The parties' signature lines; empty where there is none.
    pub(crate) signed_provider: String,
    pub(crate) signed_tenant: String,
    /// When they were put in; meaningless where there is none.
    pub(crate) signed_provider_at: Time,
    pub(crate) signed_tenant_at: Time,
    /// What opens withheld fields, JSON; empty where there is nothing.
    pub(crate) openings: String,
}

impl Row {
    /// The signature lines that there are.
    pub(crate) fn signatures(&self) -> Vec<&str> {
        let lines = [self.signed_provider.as_str(), self.signed_tenant.as_str()];
        lines.into_iter().filter(|line| !line.is_empty()).collect()
    }

    /// When the first of both signatures was put in.
    pub(crate) fn offered(&self) -> Time {
        self.signed_provider_at.min(self.signed_tenant_at)
    }

    fn read(row: &Stored<'_>) -> Result<Self, store::Error> {
        Ok(Self {
            number: row.get(0)?,
            ocid: row.get(1)?,
            id: row.get(2)?,
            account: row.get(3)?,
            tag: row.get(4)?,
            state: State::read(row.text(5)?)?,
            digest: row.get(6)?,
            date: row.get(7)?,
            provider: row.get(8)?,
            tenant: row.get(9)?,
            signed_provider: row.get(10)?,
            signed_tenant: row.get(11)?,
            openings: row.get(12)?,
            signed_provider_at: row.get(13)?,
            signed_tenant_at: row.get(14)?,
        })
    }
}

const COLUMNS: &str = "number, ocid, id, account, tag, state, digest, date, provider, tenant, signed_provider, signed_tenant, openings, signed_provider_at, signed_tenant_at";

/// Adds a release; its number is given here.
///
/// # Errors
/// Those of the store; ask [`find`] first.
pub(crate) fn insert(tx: &mut Tx<'_>, row: &Row, document: &[u8]) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO agreement_release (ocid, id, account, tag, state, digest, document, date, provider, tenant, signed_provider, signed_tenant, openings, signed_provider_at, signed_tenant_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            &row.ocid, &row.id, row.account, &row.tag, row.state.code(), &row.digest, document, row.date,
            &row.provider, &row.tenant, &row.signed_provider, &row.signed_tenant, &row.openings,
            row.signed_provider_at, row.signed_tenant_at
        ],
    )?;
    Ok(())
}

/// A release by its name.
pub(crate) fn find(tx: &mut Tx<'_>, ocid: &str, id: &str) -> Result<Option<Row>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM agreement_release WHERE ocid = ?1 AND id = ?2");
    Ok(tx.query_opt(&sql, params![ocid, id], Row::read)?)
}

/// A release by its digest.
pub(crate) fn by_digest(tx: &mut Tx<'_>, digest: &str) -> Result<Option<Row>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM agreement_release WHERE digest = ?1");
    Ok(tx.query_opt(&sql, params![digest], Row::read)?)
}

/// The canonical bytes of a release.
pub(crate) fn document(tx: &mut Tx<'_>, digest: &str) -> Result<Vec<u8>, ApiError> {
    let sql = "SELECT document FROM agreement_release WHERE digest = ?1";
    let found = tx.query_opt(sql, params![digest], |row| row.get(0))?;
    found.ok_or_else(|| ApiError::internal(format!("there is no release {digest}")))
}

/// Any release of a contracting process: whose it is.
pub(crate) fn owner(tx: &mut Tx<'_>, ocid: &str) -> Result<Option<AccountId>, ApiError> {
    let sql = "SELECT account FROM agreement_release WHERE ocid = ?1 LIMIT 1";
    Ok(tx.query_opt(sql, params![ocid], |row| row.get(0))?)
}

/// How many contracting processes an account has, and how many of its releases never became more than
/// signed.
pub(crate) fn count(tx: &mut Tx<'_>, account: AccountId) -> Result<(i64, i64), ApiError> {
    let sql = "SELECT CAST(COUNT(DISTINCT ocid) AS BIGINT),
                      CAST(COUNT(CASE WHEN state IN ('draft', 'signed') THEN 1 END) AS BIGINT)
               FROM agreement_release WHERE account = ?1";
    let found = tx.query_opt(sql, params![account], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.unwrap_or_default())
}

/// Up to `limit` releases after a number, in the order in which they were made: of one account, or all.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: Option<AccountId>,
    after: i64,
    limit: usize,
) -> Result<Vec<Row>, ApiError> {
    let Some(account) = account else {
        let sql = format!(
            "SELECT {COLUMNS} FROM agreement_release WHERE number > ?1 ORDER BY number LIMIT ?2"
        );
        return Ok(tx.query(&sql, params![after, limit], Row::read)?);
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM agreement_release
         WHERE account = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
    );
    Ok(tx.query(&sql, params![account, after, limit], Row::read)?)
}

/// Notes how far it has come.
pub(crate) fn set_state(tx: &mut Tx<'_>, digest: &str, state: State) -> Result<(), ApiError> {
    let sql = "UPDATE agreement_release SET state = ?2 WHERE digest = ?1";
    tx.execute(sql, params![digest, state.code()])?;
    Ok(())
}

/// Notes a party's signature line, and when it was put in; an empty line takes it back.
pub(crate) fn set_signature(
    tx: &mut Tx<'_>,
    digest: &str,
    side: Side,
    (line, at): (&str, Time),
) -> Result<(), ApiError> {
    let sql = match side {
        Side::Provider => {
            "UPDATE agreement_release SET signed_provider = ?2, signed_provider_at = ?3 WHERE digest = ?1"
        }
        Side::Tenant => {
            "UPDATE agreement_release SET signed_tenant = ?2, signed_tenant_at = ?3 WHERE digest = ?1"
        }
    };
    tx.execute(sql, params![digest, line, at])?;
    Ok(())
}
