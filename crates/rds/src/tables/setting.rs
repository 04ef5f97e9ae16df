//! What engines that nodes have can be set to: read here, written by whoever asks the nodes.

use base::ApiError;
use store::{Tx, params};

use super::read;
use crate::engines::Build;
use crate::model::Engine;

/// A build of that engine and major version: the one at `site` where there is one, else any.
pub fn build(
    tx: &mut Tx<'_>,
    engine: Engine,
    major: &str,
    site: &str,
) -> Result<Option<Build>, ApiError> {
    let sql = "SELECT facts FROM rds_engine WHERE engine = ?1 AND major = ?2
               ORDER BY CASE WHEN site = ?3 THEN 0 ELSE 1 END, site LIMIT 1";
    let facts: Option<String> =
        tx.query_opt(sql, params![engine.as_str(), major, site], |row| row.get(0))?;
    facts.as_deref().map(read).transpose()
}
