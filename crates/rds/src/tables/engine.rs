//! Engines: which node really has which build of which major version.

use base::ApiError;
use store::{Row, Tx, params};

use super::{read, text};
use crate::engines::Build;
use crate::model::Engine;

/// A build at a data centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The data centre.
    pub site: String,
    /// What is there.
    pub build: Build,
}

const COLUMNS: &str = "site, facts";

fn raw(row: &Row<'_>) -> Result<(String, String), store::Error> {
    Ok((row.get(0)?, row.get(1)?))
}

fn understood((site, facts): (String, String)) -> Result<Offer, ApiError> {
    Ok(Offer { site, build: read(&facts)? })
}

/// Makes `builds` all that a data centre has.
pub fn replace(tx: &mut Tx<'_>, site: &str, builds: &[Build]) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_engine WHERE site = ?1", params![site])?;
    for build in builds {
        tx.execute(
            "INSERT INTO rds_engine (site, engine, major, build, facts) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![site, build.engine.as_str(), &build.major, &build.version, &text(build)?],
        )?;
    }
    Ok(())
}

/// Everything that runs anywhere, in order of engine, major version (as text) and data centre.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Offer>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_engine ORDER BY engine, major, site");
    tx.query(&sql, &[], raw)?.into_iter().map(understood).collect()
}

/// Where a major version of an engine runs.
pub fn of(tx: &mut Tx<'_>, engine: Engine, major: &str) -> Result<Vec<Offer>, ApiError> {
    let sql =
        format!("SELECT {COLUMNS} FROM rds_engine WHERE engine = ?1 AND major = ?2 ORDER BY site");
    tx.query(&sql, params![engine.as_str(), major], raw)?.into_iter().map(understood).collect()
}

/// The build of a major version at a data centre.
pub fn find(
    tx: &mut Tx<'_>,
    site: &str,
    engine: Engine,
    major: &str,
) -> Result<Option<Build>, ApiError> {
    let sql =
        format!("SELECT {COLUMNS} FROM rds_engine WHERE site = ?1 AND engine = ?2 AND major = ?3");
    let found = tx.query_opt(&sql, params![site, engine.as_str(), major], raw)?;
    Ok(found.map(understood).transpose()?.map(|offer| offer.build))
}

/// The builds of one data centre.
pub fn at(tx: &mut Tx<'_>, site: &str) -> Result<Vec<Build>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_engine WHERE site = ?1 ORDER BY engine, major");
    let offers: Result<Vec<Offer>, _> =
        tx.query(&sql, params![site], raw)?.into_iter().map(understood).collect();
    Ok(offers?.into_iter().map(|offer| offer.build).collect())
}
