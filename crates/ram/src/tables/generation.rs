//! The number of the present state of keys and policies.

use base::{ApiError, Rng};
use store::{Tx, params};

/// The number of this transaction's view.
pub(crate) fn read(tx: &mut Tx<'_>) -> Result<i64, ApiError> {
    tx.query_opt("SELECT value FROM ram_generation WHERE id = 1", params![], |row| row.get(0))?
        .ok_or_else(|| ApiError::internal("the generation's row is gone"))
}

/// Draws the number of a new state. Drawn and not counted: a counter would give the number of a
/// change that was rolled back to the next one, and with it what caches hold of the first.
pub(super) fn draw(tx: &mut Tx<'_>, rng: &dyn Rng) -> Result<(), ApiError> {
    let value = i64::from_le_bytes(rng.bytes());
    tx.execute("UPDATE ram_generation SET value = ?1 WHERE id = 1", params![value])?;
    Ok(())
}
