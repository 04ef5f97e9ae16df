//! Rows of `agreement`: one for each account.

use base::{AccountId, ApiError, Time};
use store::{Tx, params};

const ACTIVE: &str = "active";
/// Grants every service.
const ALL: &str = "*";

/// One account's agreement.
pub struct Row {
    /// `active` or `ended`.
    pub state: String,
    /// The granted services, comma-separated; `*` is all.
    pub services: String,
    /// Since when.
    pub active_since: Time,
}

impl Row {
    /// True while it is in force.
    pub fn active(&self) -> bool {
        self.state == ACTIVE
    }

    /// True where it is in force and grants the service.
    pub fn grants(&self, product: &str) -> bool {
        self.active()
            && self.services.split(',').any(|service| service == ALL || service == product)
    }
}

/// The agreement of an account.
pub fn find(tx: &mut Tx<'_>, account: AccountId) -> Result<Option<Row>, ApiError> {
    let sql = "SELECT state, services, active_since FROM agreement WHERE account = ?1";
    let read = |row: &store::Row<'_>| {
        Ok(Row { state: row.get(0)?, services: row.get(1)?, active_since: row.get(2)? })
    };
    Ok(tx.query_opt(sql, params![account], read)?)
}

/// Makes the default agreement: all services, from now on.
pub fn insert_default(tx: &mut Tx<'_>, account: AccountId, now: Time) -> Result<(), ApiError> {
    let sql =
        "INSERT INTO agreement (account, state, services, active_since) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![account, ACTIVE, ALL, now])?;
    Ok(())
}
