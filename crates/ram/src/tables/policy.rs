//! Custom policies and their versions.

use base::{AccountId, ApiError, Time};
use store::{Error, Row, Tx, Value, params};

use super::tag::{self, TagFilter};
use super::{Change, count};

/// One custom policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) default_version: u32,
    pub(crate) newest_version: u32,
    pub(crate) created: Time,
    pub(crate) updated: Time,
    /// How many users, groups and roles it is attached to.
    pub(crate) attachments: usize,
}

const COLUMNS: &str =
    "p.name, p.description, p.default_version, p.newest_version, p.created, p.updated,
    (SELECT CAST(COUNT(*) AS BIGINT) FROM ram_attachment t
      WHERE t.account = p.account AND t.policy_type = 'Custom' AND t.policy = p.name)";

/// One version of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) number: u32,
    pub(crate) document: String,
    pub(crate) created: Time,
}

fn read(row: &Row<'_>) -> Result<Policy, Error> {
    Ok(Policy {
        name: row.get(0)?,
        description: row.get(1)?,
        default_version: row.get(2)?,
        newest_version: row.get(3)?,
        created: row.get(4)?,
        updated: row.get(5)?,
        attachments: row.get(6)?,
    })
}

fn read_version(row: &Row<'_>) -> Result<Version, Error> {
    Ok(Version { number: row.get(0)?, document: row.get(1)?, created: row.get(2)? })
}

/// Adds a policy without its versions; false where the name is taken.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    account: AccountId,
    policy: &Policy,
) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_policy (account, name, description, default_version, newest_version, created, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        params![
            account,
            &policy.name,
            &policy.description,
            policy.default_version,
            policy.newest_version,
            policy.created,
            policy.updated
        ],
    )
}

pub(crate) fn find(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
) -> Result<Option<Policy>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM ram_policy p WHERE p.account = ?1 AND p.name = ?2");
    Ok(tx.query_opt(&sql, params![account, name], read)?)
}

/// Policies by name, after `after`, that have all of `tags`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: &str,
    tags: &[TagFilter],
    limit: usize,
) -> Result<Vec<Policy>, ApiError> {
    let mut values = vec![Value::from(account), Value::from(after), Value::from(limit)];
    let filter = tag::having(tag::POLICY, tags, "p", &mut values);
    let sql = format!(
        "SELECT {COLUMNS} FROM ram_policy p WHERE p.account = ?1 AND p.name > ?2{filter} ORDER BY p.name LIMIT ?3"
    );
    Ok(tx.query(&sql, &values, read)?)
}

/// Writes everything of a policy that can change.
pub(crate) fn update(
    change: &mut Change<'_, '_>,
    account: AccountId,
    policy: &Policy,
) -> Result<bool, ApiError> {
    change.execute(
        "UPDATE ram_policy SET description = ?3, default_version = ?4, newest_version = ?5, updated = ?6
         WHERE account = ?1 AND name = ?2",
        params![
            account,
            &policy.name,
            &policy.description,
            policy.default_version,
            policy.newest_version,
            policy.updated
        ],
    )
}

/// Removes a policy and all of its versions.
pub(crate) fn delete(
    change: &mut Change<'_, '_>,
    account: AccountId,
    name: &str,
) -> Result<(), ApiError> {
    change.execute(
        "DELETE FROM ram_policy_version WHERE account = ?1 AND policy = ?2",
        params![account, name],
    )?;
    change.execute(
        "DELETE FROM ram_policy WHERE account = ?1 AND name = ?2",
        params![account, name],
    )?;
    Ok(())
}

pub(crate) fn insert_version(
    change: &mut Change<'_, '_>,
    account: AccountId,
    policy: &str,
    version: &Version,
) -> Result<(), ApiError> {
    change.execute(
        "INSERT INTO ram_policy_version (account, policy, version, document, created) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![account, policy, version.number, &version.document, version.created],
    )?;
    Ok(())
}

pub(crate) fn version(
    tx: &mut Tx<'_>,
    account: AccountId,
    policy: &str,
    number: u32,
) -> Result<Option<Version>, ApiError> {
    let found = tx.query_opt(
        "SELECT version, document, created FROM ram_policy_version WHERE account = ?1 AND policy = ?2 AND version = ?3",
        params![account, policy, number],
        read_version,
    )?;
    Ok(found)
}

/// A policy's versions, oldest first; as many as a policy may have.
pub(crate) fn versions(
    tx: &mut Tx<'_>,
    account: AccountId,
    policy: &str,
) -> Result<Vec<Version>, ApiError> {
    let versions = tx.query(
        "SELECT version, document, created FROM ram_policy_version WHERE account = ?1 AND policy = ?2 ORDER BY version",
        params![account, policy],
        read_version,
    )?;
    Ok(versions)
}

pub(crate) fn count_versions(
    tx: &mut Tx<'_>,
    account: AccountId,
    policy: &str,
) -> Result<usize, ApiError> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM ram_policy_version WHERE account = ?1 AND policy = ?2";
    count(tx, sql, params![account, policy])
}

/// Removes a version; false where there is none.
pub(crate) fn delete_version(
    change: &mut Change<'_, '_>,
    account: AccountId,
    policy: &str,
    number: u32,
) -> Result<bool, ApiError> {
    change.execute(
        "DELETE FROM ram_policy_version WHERE account = ?1 AND policy = ?2 AND version = ?3",
        params![account, policy, number],
    )
}
