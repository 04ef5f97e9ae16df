//! Which policies are attached to which users, groups and roles.

use base::{AccountId, ApiError, Time};
use store::{Error, Row, Tx, params};

use super::{Change, count, exists};

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    User,
    Group,
    Role,
}

impl Kind {
    /// As it is stored, and as error codes name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Role => "Role",
        }
    }
}

/// A user, group or role, by id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entity {
    pub(crate) kind: Kind,
    pub(crate) id: String,
}

/// A policy: custom ones are the account's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyName {
    pub(crate) system: bool,
    pub(crate) name: String,
}

impl PolicyName {
    /// `System` or `Custom`.
    pub(crate) const fn kind(&self) -> &'static str {
        kind_of(self.system)
    }
}

/// As policy types are stored, and as the API names them.
pub(crate) const fn kind_of(system: bool) -> &'static str {
    if system { "System" } else { "Custom" }
}

/// Attaches a policy; false where it is attached already.
pub(crate) fn insert(
    change: &mut Change<'_, '_>,
    account: AccountId,
    to: &Entity,
    policy: &PolicyName,
    now: Time,
) -> Result<bool, ApiError> {
    change.execute(
        "INSERT INTO ram_attachment (account, entity_kind, entity_id, policy_type, policy, attached)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![account, to.kind.name(), &to.id, policy.kind(), &policy.name, now],
    )
}

/// Detaches a policy; false where it is not attached.
pub(crate) fn delete(
    change: &mut Change<'_, '_>,
    from: &Entity,
    policy: &PolicyName,
) -> Result<bool, ApiError> {
    change.execute(
        "DELETE FROM ram_attachment WHERE entity_kind = ?1 AND entity_id = ?2 AND policy_type = ?3 AND policy = ?4",
        params![from.kind.name(), &from.id, policy.kind(), &policy.name],
    )
}

/// Detaches a custom policy from everything.
pub(crate) fn delete_of_policy(
    change: &mut Change<'_, '_>,
    account: AccountId,
    policy: &str,
) -> Result<bool, ApiError> {
    change.execute(
        "DELETE FROM ram_attachment WHERE account = ?1 AND policy_type = 'Custom' AND policy = ?2",
        params![account, policy],
    )
}

pub(crate) fn any(tx: &mut Tx<'_>, entity: &Entity) -> Result<bool, ApiError> {
    let sql = "SELECT 1 FROM ram_attachment WHERE entity_kind = ?1 AND entity_id = ?2 LIMIT 1";
    exists(tx, sql, params![entity.kind.name(), &entity.id])
}

pub(crate) fn count_of(tx: &mut Tx<'_>, entity: &Entity) -> Result<usize, ApiError> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM ram_attachment WHERE entity_kind = ?1 AND entity_id = ?2";
    count(tx, sql, params![entity.kind.name(), &entity.id])
}

/// How many entities of an account a policy is attached to.
pub(crate) fn count_of_policy(
    tx: &mut Tx<'_>,
    account: AccountId,
    policy: &PolicyName,
) -> Result<usize, ApiError> {
    let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM ram_attachment
               WHERE account = ?1 AND policy_type = ?2 AND policy = ?3";
    count(tx, sql, params![account, policy.kind(), &policy.name])
}

pub(crate) fn policy_has(
    tx: &mut Tx<'_>,
    account: AccountId,
    policy: &PolicyName,
    kind: Kind,
) -> Result<bool, ApiError> {
    exists(
        tx,
        "SELECT 1 FROM ram_attachment WHERE account = ?1 AND policy_type = ?2 AND policy = ?3 AND entity_kind = ?4
         LIMIT 1",
        params![account, policy.kind(), &policy.name, kind.name()],
    )
}

/// A policy attached to an entity; description and version are those of a custom one.
pub(crate) struct Attached {
    pub(crate) policy: PolicyName,
    pub(crate) attached: Time,
    pub(crate) description: Option<String>,
    pub(crate) default_version: Option<u32>,
}

/// The policies attached to an entity; as many as may be.
pub(crate) fn of_entity(tx: &mut Tx<'_>, entity: &Entity) -> Result<Vec<Attached>, ApiError> {
    let attached = tx.query(
        "SELECT t.policy_type, t.policy, t.attached, p.description, p.default_version
         FROM ram_attachment t
         LEFT JOIN ram_policy p ON t.policy_type = 'Custom' AND p.account = t.account AND p.name = t.policy
         WHERE t.entity_kind = ?1 AND t.entity_id = ?2 ORDER BY t.policy_type, t.policy",
        params![entity.kind.name(), &entity.id],
        |row| {
            Ok(Attached {
                policy: PolicyName { system: row.text(0)? == "System", name: row.get(1)? },
                attached: row.get(2)?,
                description: row.get(3)?,
                default_version: row.get(4)?,
            })
        },
    )?;
    Ok(attached)
}

/// An entity that a policy is attached to.
pub(crate) struct Bearer {
    pub(crate) id: String,
    pub(crate) name: String,
    /// A user's display name, a group's comments, a role's description.
    pub(crate) text: String,
    pub(crate) attached: Time,
}

/// The entities of one kind that a policy is attached to, by name. The API has no pages here;
/// `limit` bounds the answer.
pub(crate) fn bearers(
    tx: &mut Tx<'_>,
    account: AccountId,
    policy: &PolicyName,
    kind: Kind,
    limit: usize,
) -> Result<Vec<Bearer>, ApiError> {
    let (table, text) = match kind {
        Kind::User => ("ram_user", "display_name"),
        Kind::Group => ("ram_group", "comments"),
        Kind::Role => ("ram_role", "description"),
    };
    let sql = format!(
        "SELECT e.id, e.name, e.{text}, t.attached FROM ram_attachment t JOIN {table} e ON e.id = t.entity_id
         WHERE t.account = ?1 AND t.policy_type = ?2 AND t.policy = ?3 AND t.entity_kind = ?4
         ORDER BY e.name LIMIT ?5"
    );
    let read = |row: &Row<'_>| {
        Ok::<_, Error>(Bearer {
            id: row.get(0)?,
            name: row.get(1)?,
            text: row.get(2)?,
            attached: row.get(3)?,
        })
    };
    Ok(tx.query(&sql, params![account, policy.kind(), &policy.name, kind.name(), limit], read)?)
}

/// A policy that decides for an entity: a system policy by name, or a custom one's document.
pub(crate) enum Effective {
    System(String),
    Custom(String),
}

/// What decides for an entity: its own policies and, for a user, those of its groups. Each policy is
/// there once, however many ways lead to it.
pub(crate) fn effective(tx: &mut Tx<'_>, entity: &Entity) -> Result<Vec<Effective>, ApiError> {
    // An account's attachments name only its own policies and the system's: type and name say which.
    const DOCUMENTS: &str = "SELECT t.policy_type, t.policy, v.document FROM ram_attachment t
         LEFT JOIN ram_policy p ON t.policy_type = 'Custom' AND p.account = t.account AND p.name = t.policy
         LEFT JOIN ram_policy_version v
                ON v.account = p.account AND v.policy = p.name AND v.version = p.default_version";
    let read = |row: &Row<'_>| match row.text(0)? {
        "System" => row.get(1).map(Effective::System),
        _ => row.get(2).map(Effective::Custom),
    };
    let mut sql = format!("{DOCUMENTS} WHERE t.entity_kind = ?1 AND t.entity_id = ?2");
    if entity.kind == Kind::User {
        // UNION drops the rows that are there already.
        sql = format!(
            "{sql} UNION {DOCUMENTS} JOIN ram_member m ON m.group_id = t.entity_id
             WHERE t.entity_kind = 'Group' AND m.user_id = ?2"
        );
    }
    Ok(tx.query(&sql, params![entity.kind.name(), &entity.id], read)?)
}
