//! Tags of roles and policies.

use base::{AccountId, ApiError};
use store::{Tx, Value, params};

use super::{Change, count};

/// The kind of a role's tags.
pub(crate) const ROLE: &str = "role";

/// The kind of a policy's tags.
pub(crate) const POLICY: &str = "policy";

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// A tag that a list asks for; without a value, any value of the key.
#[derive(Clone, Debug)]
pub(crate) struct TagFilter {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// Sets a tag, whatever its value was.
pub(crate) fn set(
    change: &mut Change<'_, '_>,
    account: AccountId,
    kind: &str,
    name: &str,
    tag: &Tag,
) -> Result<(), ApiError> {
    change.execute(
        "INSERT INTO ram_tag (account, kind, name, tag_key, tag_value) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account, kind, name, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        params![account, kind, name, &tag.key, &tag.value],
    )?;
    Ok(())
}

pub(crate) fn delete(
    change: &mut Change<'_, '_>,
    account: AccountId,
    kind: &str,
    name: &str,
    key: &str,
) -> Result<bool, ApiError> {
    change.execute(
        "DELETE FROM ram_tag WHERE account = ?1 AND kind = ?2 AND name = ?3 AND tag_key = ?4",
        params![account, kind, name, key],
    )
}

pub(crate) fn delete_all(
    change: &mut Change<'_, '_>,
    account: AccountId,
    kind: &str,
    name: &str,
) -> Result<bool, ApiError> {
    let sql = "DELETE FROM ram_tag WHERE account = ?1 AND kind = ?2 AND name = ?3";
    change.execute(sql, params![account, kind, name])
}

pub(crate) fn count_of(
    tx: &mut Tx<'_>,
    account: AccountId,
    kind: &str,
    name: &str,
) -> Result<usize, ApiError> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM ram_tag WHERE account = ?1 AND kind = ?2 AND name = ?3";
    count(tx, sql, params![account, kind, name])
}

/// The tags of the resources of one kind whose names are from `first` to `last`: those of a page.
pub(crate) fn between(
    tx: &mut Tx<'_>,
    account: AccountId,
    kind: &str,
    first: &str,
    last: &str,
) -> Result<Vec<(String, Tag)>, ApiError> {
    let tags = tx.query(
        "SELECT name, tag_key, tag_value FROM ram_tag
         WHERE account = ?1 AND kind = ?2 AND name >= ?3 AND name <= ?4 ORDER BY name, tag_key",
        params![account, kind, first, last],
        |row| Ok((row.get(0)?, Tag { key: row.get(1)?, value: row.get(2)? })),
    )?;
    Ok(tags)
}

/// The tags of one kind by resource and key, after `after`: of the resources in `names` (of all
/// where it is empty) that have all of `tags`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    kind: &str,
    names: &[String],
    tags: &[TagFilter],
    after: (&str, &str),
    limit: usize,
) -> Result<Vec<(String, Tag)>, ApiError> {
    let mut values: Vec<Value<'_>> =
        vec![account.into(), kind.into(), after.0.into(), after.1.into(), limit.into()];
    let mut filter = String::new();
    if !names.is_empty() {
        let places: Vec<String> = names.iter().map(|name| place(&mut values, name)).collect();
        filter = format!(" AND o.name IN ({})", places.join(", "));
    }
    filter.push_str(&having(kind, tags, "o", &mut values));
    let sql = format!(
        "SELECT o.name, o.tag_key, o.tag_value FROM ram_tag o
         WHERE o.account = ?1 AND o.kind = ?2 AND (o.name, o.tag_key) > (?3, ?4){filter}
         ORDER BY o.name, o.tag_key LIMIT ?5"
    );
    Ok(tx.query(&sql, &values, |row| {
        Ok((row.get(0)?, Tag { key: row.get(1)?, value: row.get(2)? }))
    })?)
}

/// The conditions, to stand behind a `WHERE`, that the row of `table` has all of `tags`. Their
/// values join `values`.
pub(super) fn having<'v>(
    kind: &'v str,
    tags: &'v [TagFilter],
    table: &str,
    values: &mut Vec<Value<'v>>,
) -> String {
    let mut sql = String::new();
    for tag in tags {
        let (kind, key) = (place(values, kind), place(values, &tag.key));
        let value = tag
            .value
            .as_deref()
            .map(|value| format!(" AND g.tag_value = {}", place(values, value)));
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM ram_tag g WHERE g.account = {table}.account AND g.name = {table}.name
               AND g.kind = {kind} AND g.tag_key = {key}{})",
            value.unwrap_or_default()
        ));
    }
    sql
}

/// Adds a parameter and returns its placeholder.
fn place<'v>(values: &mut Vec<Value<'v>>, value: &'v str) -> String {
    values.push(value.into());
    format!("?{}", values.len())
}
