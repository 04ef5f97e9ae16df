//! Slots of replication: a primary has those of who follows it, and no other, because each keeps the log.
//!
//! Who follows makes its own slot ([`super::data`]); here they go.

use std::fs;

use super::super::api::Spec;
use super::super::driver::Seat;
use super::super::error::{Doing, Result};
use super::super::home;
use super::admin::connect;

/// Drops those of ours that nobody is to have. Who streams from one all the same, as a copy may whose instance is just
/// gone, is cut off.
pub async fn apply(seat: &Seat, spec: &Spec) -> Result<()> {
    let Some(wanted) = &spec.slots else { return Ok(()) };
    let client = connect(seat, "postgres").await?;
    let others = "SELECT slot_name::text, active_pid FROM pg_replication_slots
                  WHERE slot_name LIKE 'awan\\_%' AND slot_type = 'physical' AND NOT temporary";
    for row in client.query(others, &[]).await? {
        let (slot, user): (String, Option<i32>) = (row.get(0), row.get(1));
        if wanted.contains(&slot) {
            continue;
        }
        tracing::info!(instance = %spec.id, slot, "a slot of nobody's goes");
        if let Some(pid) = user {
            // Answers when its process has ended, or after so many milliseconds.
            client.query("SELECT pg_terminate_backend($1, 5000)", &[&pid]).await?;
        }
        client.query("SELECT pg_drop_replication_slot($1::text::name)", &[&slot]).await?;
    }
    Ok(())
}

/// Removes all from the directory of a stopped server that is to follow another: what it had as a primary would keep
/// its log for ever.
pub fn remove_all(seat: &Seat) -> Result<()> {
    let dir = seat.dir.data().join("pg_replslot");
    for entry in fs::read_dir(&dir).doing(dir.display())? {
        home::remove_dir(&entry?.path())?;
    }
    Ok(())
}
