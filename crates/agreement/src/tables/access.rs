//! Rows of `privileged_access`: leave for one of the provider's people to read what a tenant owns.

use std::time::Duration;

use base::{AccountId, ApiError, Time};
use engine::{Caller, CallerKind};
use store::{Row as Stored, Tx, params};

/// For how long a request waits for an answer.
const REQUEST_LIFE: Duration = Duration::from_secs(72 * 3600);

/// How far a request for access has come by what was done with it. That a granted one has run out
/// follows from the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Requested,
    Granted,
    Denied,
    Ended,
}

impl State {
    const ALL: [Self; 4] = [Self::Requested, Self::Granted, Self::Denied, Self::Ended];

    const fn code(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Ended => "ended",
        }
    }

    fn read(code: &str) -> Result<Self, store::Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.code() == code)
            .ok_or_else(|| store::Error::Corrupt(format!("an access is in the state {code:?}")))
    }
}

/// One request for access, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) number: i64,
    pub(crate) id: String,
    /// The tenant.
    pub(crate) account: AccountId,
    /// Who asked, as it was called then.
    pub(crate) principal: String,
    /// Who alone may use it: that principal by kind and id, as [`holder`] gives it.
    pub(crate) holder: String,
    pub(crate) reason: String,
    pub(crate) hours: u32,
    pub(crate) state: State,
    pub(crate) requested: Time,
    pub(crate) until: Option<Time>,
}

impl Row {
    /// True while it may be approved or denied: whoever asked has gone on after three days.
    pub(crate) fn waiting(&self, now: Time) -> bool {
        self.state == State::Requested && now < self.requested.plus(REQUEST_LIFE)
    }

    /// True while it may be used.
    pub(crate) fn usable(&self, now: Time) -> bool {
        self.state == State::Granted && self.until.is_some_and(|until| now < until)
    }

    /// As answers show its state.
    pub(crate) fn state_name(&self, now: Time) -> &'static str {
        match self.state {
            State::Requested if self.waiting(now) => "Requested",
            State::Requested => "Lapsed",
            State::Granted if self.usable(now) => "Granted",
            State::Granted => "Expired",
            State::Denied => "Denied",
            State::Ended => "Ended",
        }
    }

    fn read(row: &Stored<'_>) -> Result<Self, store::Error> {
        Ok(Self {
            number: row.get(0)?,
            id: row.get(1)?,
            account: row.get(2)?,
            principal: row.get(3)?,
            reason: row.get(4)?,
            hours: row.get(5)?,
            state: State::read(row.text(6)?)?,
            requested: row.get(7)?,
            until: row.get(8)?,
            holder: row.get(9)?,
        })
    }
}

const COLUMNS: &str =
    "number, id, account, principal, reason, hours, state, requested, until, holder";

/// Adds a request; its number is given here.
pub(crate) fn insert(tx: &mut Tx<'_>, row: &Row) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO privileged_access (id, account, principal, reason, hours, state, requested, until, holder)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            &row.id, row.account, &row.principal, &row.reason, row.hours, row.state.code(), row.requested, row.until, &row.holder
        ],
    )?;
    Ok(())
}

/// A request by its id.
pub(crate) fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Row>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM privileged_access WHERE id = ?1");
    Ok(tx.query_opt(&sql, params![id], Row::read)?)
}

/// Notes what became of it.
pub(crate) fn set(
    tx: &mut Tx<'_>,
    id: &str,
    state: State,
    until: Option<Time>,
) -> Result<(), ApiError> {
    let sql = "UPDATE privileged_access SET state = ?2, until = ?3 WHERE id = ?1";
    tx.execute(sql, params![id, state.code(), until])?;
    Ok(())
}

/// Whom leave can be given to: a user, or the account itself, by what never is another's; a user's name may
/// be given to somebody else. `None` for a session of a role, which anybody may be who is let into it.
pub(crate) fn holder(caller: &Caller) -> Option<String> {
    match &caller.kind {
        CallerKind::Root => Some(format!("root/{}", caller.account)),
        CallerKind::User { id, .. } => Some(format!("user/{id}")),
        CallerKind::AssumedRole { .. } | CallerKind::Anonymous | CallerKind::System => None,
    }
}

/// The access of a holder to an account that may be used, the one that lasts longest.
pub(crate) fn usable(
    tx: &mut Tx<'_>,
    account: AccountId,
    holder: &str,
    now: Time,
) -> Result<Option<Row>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM privileged_access
         WHERE account = ?1 AND holder = ?2 AND state = 'granted' AND until > ?3
         ORDER BY until DESC LIMIT 1"
    );
    Ok(tx.query_opt(&sql, params![account, holder, now], Row::read)?)
}

/// Up to `limit` requests older than a number, newest first: about one account, or all.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: Option<AccountId>,
    before: i64,
    limit: usize,
) -> Result<Vec<Row>, ApiError> {
    let Some(account) = account else {
        let sql = format!(
            "SELECT {COLUMNS} FROM privileged_access WHERE number < ?1 ORDER BY number DESC LIMIT ?2"
        );
        return Ok(tx.query(&sql, params![before, limit], Row::read)?);
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM privileged_access
         WHERE account = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
    );
    Ok(tx.query(&sql, params![account, before, limit], Row::read)?)
}
