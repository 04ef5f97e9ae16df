//! Members: the data directories of an instance, each on a node.

use base::{ApiError, Time};
use store::{Row, Tx, params};

use super::instance::Instance;
use super::{patroni, read, text};
use crate::model::Keeper;
use crate::node::api::Observed;

/// A member of an instance.
#[derive(Clone, Debug)]
pub struct Member {
    /// Of which instance.
    pub instance: String,
    /// In which data centre: its node is the node there.
    pub site: String,
    /// The zone of that data centre.
    pub zone: String,
    /// True for the one that takes writes (of a read-only instance: that serves).
    pub primary: bool,
    /// Where its server listens; empty until it does.
    pub host: String,
    /// The port; 0 until it listens.
    pub port: u16,
    /// What its node said last.
    pub observed: Observed,
    /// When it said so.
    pub seen: Time,
}

const COLUMNS: &str = "instance, site, zone, role, host, port, observed, seen";

type Raw = ([String; 6], [i64; 2]);

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    Ok((
        [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(6)?],
        [row.get(5)?, row.get(7)?],
    ))
}

fn understood((texts, [port, seen]): Raw) -> Result<Member, ApiError> {
    let [instance, site, zone, role, host, observed] = texts;
    Ok(Member {
        primary: role == "primary",
        port: u16::try_from(port).unwrap_or_default(),
        observed: read(&observed)?,
        seen: Time::from_micros(seen),
        instance,
        site,
        zone,
        host,
    })
}

/// Adds or replaces one.
pub fn put(tx: &mut Tx<'_>, member: &Member) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_member (instance, site, zone, role, host, port, observed, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (instance, site) DO UPDATE SET zone = excluded.zone, role = excluded.role, host = excluded.host,
             port = excluded.port, observed = excluded.observed, seen = excluded.seen",
        params![
            &member.instance,
            &member.site,
            &member.zone,
            if member.primary { "primary" } else { "standby" },
            &member.host,
            u32::from(member.port),
            &text(&member.observed)?,
            member.seen
        ],
    )?;
    Ok(())
}

/// The members of an instance, its primary first.
pub fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Member>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_member WHERE instance = ?1 ORDER BY role, site");
    let rows = tx.query(&sql, params![instance], raw)?;
    rows.into_iter().map(understood).collect()
}

/// The members of an instance under the names that clients know them by, its primary first, whoever keeps it.
pub fn named(tx: &mut Tx<'_>, instance: &Instance) -> Result<Vec<(String, Member)>, ApiError> {
    match instance.keeper {
        Keeper::Patroni => patroni::members(tx, &instance.id),
        Keeper::Awan => {
            let members = of(tx, &instance.id)?;
            Ok(members.into_iter().map(|member| (member.site.clone(), member)).collect())
        }
    }
}

/// As [`named`], without the names.
pub fn shown(tx: &mut Tx<'_>, instance: &Instance) -> Result<Vec<Member>, ApiError> {
    Ok(named(tx, instance)?.into_iter().map(|(_, member)| member).collect())
}

/// The data centres that have members.
pub fn sites(tx: &mut Tx<'_>) -> Result<Vec<String>, ApiError> {
    Ok(tx.query("SELECT DISTINCT site FROM rds_member ORDER BY site", &[], |row| row.get(0))?)
}

/// Removes all members of an instance.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_member WHERE instance = ?1", params![instance])?;
    Ok(())
}
