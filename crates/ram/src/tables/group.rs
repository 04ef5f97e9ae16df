//! Groups and their members.

use base::{AccountId, ApiError, Time};
use store::{Error, Row, Tx, params};

use super::{Change, count, exists};

/// One group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) comments: String,
    pub(crate) created: Time,
    pub(crate) updated: Time,
}

fn read(row: &Row<'_>) -> Result<Group, Error> {
    Ok(Group {
        id: row.get(0)?,
        name: row.get(1)?,
        comments: row.get(2)?,
        created: row.get(3)?,
        updated: row.get(4)?,
    })
}

/// Adds a group; false where the name is taken.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    account: AccountId,
    group: &Group,
) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_group (id, account, name, comments, created, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
        params![&group.id, account, &group.name, &group.comments, group.created, group.updated],
    )
}

pub(crate) fn find(
    tx: &mut Tx<'_>,
    account: AccountId,
    name: &str,
) -> Result<Option<Group>, ApiError> {
    let sql = "SELECT id, name, comments, created, updated FROM ram_group WHERE account = ?1 AND name = ?2";
    Ok(tx.query_opt(sql, params![account, name], read)?)
}

/// Groups by name, after `after`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: &str,
    limit: usize,
) -> Result<Vec<Group>, ApiError> {
    let groups = tx.query(
        "SELECT id, name, comments, created, updated FROM ram_group WHERE account = ?1 AND name > ?2
         ORDER BY name LIMIT ?3",
        params![account, after, limit],
        read,
    )?;
    Ok(groups)
}

/// Writes everything of a group that can change, its name included.
pub(crate) fn update(change: &mut Change<'_, '_>, group: &Group) -> Result<bool, ApiError> {
    change.execute(
        "UPDATE ram_group SET name = ?2, comments = ?3, updated = ?4 WHERE id = ?1",
        params![&group.id, &group.name, &group.comments, group.updated],
    )
}

pub(crate) fn delete(change: &mut Change<'_, '_>, id: &str) -> Result<bool, ApiError> {
    change.execute("DELETE FROM ram_group WHERE id = ?1", params![id])
}

pub(crate) fn has_member(tx: &mut Tx<'_>, id: &str) -> Result<bool, ApiError> {
    exists(tx, "SELECT 1 FROM ram_member WHERE group_id = ?1 LIMIT 1", params![id])
}

/// Adds a member; false where it is one already.
pub(crate) fn join(
    change: &mut Change<'_, '_>,
    group: &str,
    user: &str,
    now: Time,
) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_member (group_id, user_id, joined) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        params![group, user, now],
    )
}

/// Removes a member; false where it is none.
pub(crate) fn leave(
    change: &mut Change<'_, '_>,
    group: &str,
    user: &str,
) -> Result<bool, ApiError> {
    change.execute(
        "DELETE FROM ram_member WHERE group_id = ?1 AND user_id = ?2",
        params![group, user],
    )
}

pub(crate) fn count_of_user(tx: &mut Tx<'_>, user: &str) -> Result<usize, ApiError> {
    count(tx, "SELECT CAST(COUNT(*) AS BIGINT) FROM ram_member WHERE user_id = ?1", params![user])
}

/// A member of a group.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) joined: Time,
}

/// A group's members by name, after `after`.
pub(crate) fn members(
    tx: &mut Tx<'_>,
    group: &str,
    after: &str,
    limit: usize,
) -> Result<Vec<Member>, ApiError> {
    let members = tx.query(
        "SELECT u.name, u.display_name, m.joined FROM ram_member m JOIN ram_user u ON u.id = m.user_id
         WHERE m.group_id = ?1 AND u.name > ?2 ORDER BY u.name LIMIT ?3",
        params![group, after, limit],
        |row| Ok(Member { name: row.get(0)?, display_name: row.get(1)?, joined: row.get(2)? }),
    )?;
    Ok(members)
}

/// The groups that a user is in, by name, each with when it joined; as many as a user may join.
pub(crate) fn of_user(tx: &mut Tx<'_>, user: &str) -> Result<Vec<(Group, Time)>, ApiError> {
    let groups = tx.query(
        "SELECT g.id, g.name, g.comments, g.created, g.updated, m.joined
         FROM ram_member m JOIN ram_group g ON g.id = m.group_id WHERE m.user_id = ?1 ORDER BY g.name",
        params![user],
        |row| Ok((read(row)?, row.get(5)?)),
    )?;
    Ok(groups)
}
