//! Parameter groups: settings that an account keeps under a name.

use std::collections::BTreeMap;

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

use super::{read, text};
use crate::model::Engine;

/// A parameter group, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `rpg-…`.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// In which region.
    pub region: String,
    /// For which engine.
    pub engine: Engine,
    /// For which major version.
    pub major: String,
    /// Its name, unique in its account and region.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Settings.
    pub parameters: BTreeMap<String, String>,
    /// When it was made.
    pub created: Time,
    /// When it was changed last.
    pub updated: Time,
}

const COLUMNS: &str =
    "id, account, region, engine, major, name, description, parameters, created, updated";

type Raw = ([String; 7], AccountId, [Time; 2]);

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    Ok((
        [row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
        row.get(1)?,
        [row.get(8)?, row.get(9)?],
    ))
}

fn understood((texts, account, [created, updated]): Raw) -> Result<Group, ApiError> {
    let [id, region, engine, major, name, description, parameters] = texts;
    let engine = Engine::parse(&engine)
        .ok_or_else(|| ApiError::internal(format!("parameter group {id}: engine {engine:?}")))?;
    let parameters = read(&parameters)?;
    Ok(Group {
        id,
        account,
        region,
        engine,
        major,
        name,
        description,
        parameters,
        created,
        updated,
    })
}

/// Adds one, or stores everything about it that may change.
pub fn put(tx: &mut Tx<'_>, group: &Group) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_parameter_group (id, account, region, engine, major, name, description, parameters, created,
             updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description,
             parameters = excluded.parameters, updated = excluded.updated",
        params![
            &group.id,
            group.account,
            &group.region,
            group.engine.as_str(),
            &group.major,
            &group.name,
            &group.description,
            &text(&group.parameters)?,
            group.created,
            group.updated
        ],
    )?;
    Ok(())
}

/// The group of that id, whoever owns it.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Group>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_parameter_group WHERE id = ?1");
    tx.query_opt(&sql, params![id], raw)?.map(understood).transpose()
}

/// The groups of an account in a region by name.
pub fn of(tx: &mut Tx<'_>, account: AccountId, region: &str) -> Result<Vec<Group>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_parameter_group WHERE account = ?1 AND region = ?2 ORDER BY name"
    );
    tx.query(&sql, params![account, region], raw)?.into_iter().map(understood).collect()
}

/// Removes one.
pub fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_parameter_group WHERE id = ?1", params![id])?;
    Ok(())
}
