//! Clusters that Patroni keeps: which instance each is, and its servers.

use base::{ApiError, Time};
use store::{Row, Tx, params};

use super::member::Member;
use super::{read, text};

/// The clusters that are instances: the configuration's names, each with its instance.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<(String, String)>, ApiError> {
    let sql = "SELECT name, instance FROM rds_patroni ORDER BY name";
    Ok(tx.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The instance that a cluster is.
pub fn instance(tx: &mut Tx<'_>, name: &str) -> Result<Option<String>, ApiError> {
    let sql = "SELECT instance FROM rds_patroni WHERE name = ?1";
    Ok(tx.query_opt(sql, params![name], |row| row.get(0))?)
}

/// Notes which instance a cluster is. It is none yet: that is for the caller to look up.
pub fn insert(tx: &mut Tx<'_>, name: &str, instance: &str) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_patroni (name, instance) VALUES (?1, ?2)",
        params![name, instance],
    )?;
    Ok(())
}

/// Adds or replaces a server, by the name that Patroni has for it.
pub fn put(tx: &mut Tx<'_>, name: &str, member: &Member) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_patroni_member (instance, name, site, zone, role, host, port, observed, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (instance, name) DO UPDATE SET site = excluded.site, zone = excluded.zone,
             role = excluded.role, host = excluded.host, port = excluded.port, observed = excluded.observed,
             seen = excluded.seen",
        params![
            &member.instance,
            name,
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

/// The servers of an instance by their names, the one that leads first.
pub fn members(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<(String, Member)>, ApiError> {
    let sql = "SELECT instance, name, site, zone, role, host, observed, port, seen FROM rds_patroni_member
               WHERE instance = ?1 ORDER BY role, name";
    let rows = tx.query(sql, params![instance], raw)?;
    rows.into_iter().map(understood).collect()
}

/// Removes one server.
pub fn remove_member(tx: &mut Tx<'_>, instance: &str, name: &str) -> Result<(), ApiError> {
    tx.execute(
        "DELETE FROM rds_patroni_member WHERE instance = ?1 AND name = ?2",
        params![instance, name],
    )?;
    Ok(())
}

/// Forgets the cluster that an instance is, with its servers.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_patroni_member WHERE instance = ?1", params![instance])?;
    tx.execute("DELETE FROM rds_patroni WHERE instance = ?1", params![instance])?;
    Ok(())
}

type Raw = ([String; 7], [i64; 2]);

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    Ok((
        [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?],
        [row.get(7)?, row.get(8)?],
    ))
}

fn understood((texts, [port, seen]): Raw) -> Result<(String, Member), ApiError> {
    let [instance, name, site, zone, role, host, observed] = texts;
    let member = Member {
        primary: role == "primary",
        port: u16::try_from(port).unwrap_or_default(),
        observed: read(&observed)?,
        seen: Time::from_micros(seen),
        instance,
        site,
        zone,
        host,
    };
    Ok((name, member))
}
