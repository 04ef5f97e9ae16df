//! Data centres with a disk of their own, and which segments begin on one.

use std::collections::{BTreeMap, HashMap};

use base::ApiError;
use store::{Tx, params};

/// The marks of the disks, by data centre.
pub(crate) fn list(tx: &mut Tx<'_>) -> Result<BTreeMap<String, String>, ApiError> {
    let sql = "SELECT site, mark FROM oss_disk";
    Ok(tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
}

/// Notes the mark of a new disk.
pub(crate) fn insert(tx: &mut Tx<'_>, site: &str, mark: &str) -> Result<(), ApiError> {
    tx.execute("INSERT INTO oss_disk (site, mark) VALUES (?1, ?2)", params![site, mark])?;
    Ok(())
}

/// The data centres of first copies that are on a disk of their own, by segment.
pub(crate) fn homes(tx: &mut Tx<'_>) -> Result<HashMap<u32, String>, ApiError> {
    let sql = "SELECT segment, site FROM oss_home";
    Ok(tx.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
}

/// Notes on whose disk the first copy of a segment is that this transaction relies on.
pub(crate) fn insert_home(tx: &mut Tx<'_>, segment: u32, site: &str) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO oss_home (segment, site) VALUES (?1, ?2) ON CONFLICT (segment) DO NOTHING",
        params![segment, site],
    )?;
    Ok(())
}

/// Forgets that of a segment that is no more.
pub(crate) fn forget_home(tx: &mut Tx<'_>, segment: u32) -> Result<(), ApiError> {
    tx.execute("DELETE FROM oss_home WHERE segment = ?1", params![segment])?;
    Ok(())
}
