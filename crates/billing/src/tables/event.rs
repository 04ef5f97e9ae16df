//! `usage_event`: events of meters outside of the cloud.

use base::{AccountId, ApiError, Time};
use store::{Tx, params};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Given by who sends it; the same forever.
    pub id: String,
    /// Who used it.
    pub account: AccountId,
    /// What was used.
    pub resource: String,
    /// By which meter.
    pub meter: String,
    /// When; the hour that it is in is billed.
    pub start: i64,
    /// How much.
    pub quantity: i64,
}

/// The event of that id.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Event>, ApiError> {
    let sql = "SELECT id, account, resource, meter, start, quantity FROM usage_event WHERE id = ?1";
    Ok(tx.query_opt(sql, params![id], |row| {
        Ok(Event {
            id: row.get(0)?,
            account: row.get(1)?,
            resource: row.get(2)?,
            meter: row.get(3)?,
            start: row.get(4)?,
            quantity: row.get(5)?,
        })
    })?)
}

/// Keeps a new event.
pub fn insert(tx: &mut Tx<'_>, event: &Event, now: Time) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO usage_event (id, account, resource, meter, start, quantity, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            &event.id,
            event.account,
            &event.resource,
            &event.meter,
            event.start,
            event.quantity,
            now
        ],
    )?;
    Ok(())
}
