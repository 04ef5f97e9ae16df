//! What accounts want of all their buckets.

use base::{AccountId, ApiError};
use store::{Tx, params};

use super::from_json;
use crate::acl::AccessBlock;

/// What an account keeps from being public; `None` where it never said.
pub(crate) fn block(tx: &mut Tx<'_>, account: AccountId) -> Result<Option<AccessBlock>, ApiError> {
    let kept: Option<String> = tx.query_opt(
        "SELECT block FROM oss_account WHERE account = ?1",
        params![account],
        |row| row.get(0),
    )?;
    kept.as_deref().map(from_json).transpose()
}

/// Changes what an account keeps from being public.
pub(crate) fn set_block(
    tx: &mut Tx<'_>,
    account: AccountId,
    block: Option<AccessBlock>,
) -> Result<(), ApiError> {
    let Some(block) = block else {
        tx.execute("DELETE FROM oss_account WHERE account = ?1", params![account])?;
        return Ok(());
    };
    let text = serde_json::to_string(&block).map_err(ApiError::internal)?;
    tx.execute(
        "INSERT INTO oss_account (account, block) VALUES (?1, ?2)
         ON CONFLICT (account) DO UPDATE SET block = excluded.block",
        params![account, &text],
    )?;
    Ok(())
}
