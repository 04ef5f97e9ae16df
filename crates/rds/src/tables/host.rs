//! Second host names: by them an instance is found as by its first one ([`super::instance::named`]).

use base::ApiError;
use store::{Tx, params};

/// Gives an instance a second name, which nobody may have: that is for the caller to look up.
pub fn insert(tx: &mut Tx<'_>, name: &str, instance: &str) -> Result<(), ApiError> {
    tx.execute("INSERT INTO rds_host (name, instance) VALUES (?1, ?2)", params![name, instance])?;
    Ok(())
}

/// Takes all second names from an instance.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_host WHERE instance = ?1", params![instance])?;
    Ok(())
}
