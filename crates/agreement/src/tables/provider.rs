//! The row of `agreement_provider`: who the provider is, as configured at the last start.

use base::ApiError;
use serde::{Deserialize, Serialize};
use store::{Tx, params};
use terms::clauses::Log;
use terms::release::Party;

use crate::Provider;

/// How a party is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    scheme: String,
    id: String,
    additional: Vec<(String, String)>,
    contact: Option<String>,
}

impl From<&Party> for Stored {
    fn from(party: &Party) -> Self {
        let Party { name, scheme, id, additional, contact } = party.clone();
        Self { name, scheme, id, additional, contact }
    }
}

impl From<Stored> for Party {
    fn from(stored: Stored) -> Self {
        let Stored { name, scheme, id, additional, contact } = stored;
        Self { name, scheme, id, additional, contact }
    }
}

/// Notes who it is.
pub(crate) fn set(tx: &mut Tx<'_>, provider: &Provider) -> Result<(), ApiError> {
    let party =
        serde_json::to_string(&Stored::from(&provider.party)).map_err(ApiError::internal)?;
    let log = serde_json::to_string(&provider.log).map_err(ApiError::internal)?;
    tx.execute(
        "INSERT INTO agreement_provider (id, party, key, log) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET party = excluded.party, key = excluded.key, log = excluded.log",
        params![&party, &provider.key, &log],
    )?;
    Ok(())
}

/// Whether anybody was ever noted.
pub(crate) fn exists(tx: &mut Tx<'_>) -> Result<bool, ApiError> {
    let sql = "SELECT id FROM agreement_provider";
    Ok(tx.query_opt(sql, &[], |row| row.get::<i64>(0))?.is_some())
}

/// Who it is.
///
/// # Errors
/// `INTERNAL_ERROR` before [`set`]: a cloud says who its provider is when it starts.
pub(crate) fn get(tx: &mut Tx<'_>) -> Result<Provider, ApiError> {
    let sql = "SELECT party, key, log FROM agreement_provider WHERE id = 1";
    let read = |row: &store::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Option<(String, String, String)> = tx.query_opt(sql, &[], read)?;
    let (party, key, log) =
        found.ok_or_else(|| ApiError::internal("no provider was declared at the start"))?;
    let party: Stored = serde_json::from_str(&party).map_err(ApiError::internal)?;
    let log: Log = serde_json::from_str(&log).map_err(ApiError::internal)?;
    Ok(Provider { party: party.into(), key, log })
}
