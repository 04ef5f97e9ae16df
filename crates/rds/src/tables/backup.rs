//! Base backups, and what is kept of instances that are gone.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};

use super::{read, text};
use crate::backup::Facts;
use crate::model::{Category, Engine, Options};

/// A base backup, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// Digits.
    pub id: String,
    /// Of which instance, which may be gone.
    pub instance: String,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub status: State,
    /// `Manual` or `Automated`.
    pub mode: String,
    /// Of which engine.
    pub engine: Engine,
    /// The engine's exact version: `17.11`.
    pub build: String,
    /// The timeline that it was made on.
    pub timeline: u32,
    /// From where the log is replayed.
    pub start_lsn: u64,
    /// Up to where it must be, before anything may read the data.
    pub end_lsn: u64,
    /// When it began.
    pub started: Time,
    /// When it ended; `None` while it runs.
    pub ended: Option<Time>,
    /// Its size as stored, bytes.
    pub bytes: i64,
    /// Everything else.
    pub facts: Facts,
}

/// Where a backup is in its life, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Being made.
    Running,
    /// Whole, and checked.
    Success,
    /// Not there.
    Failed,
    /// Its bytes are to go, and then its row.
    Deleting,
}

impl State {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::Deleting => "Deleting",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Success, Self::Failed, Self::Deleting]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

const COLUMNS: &str = "id, instance, status, mode, engine, build, facts, account, timeline, start_lsn, end_lsn, \
    started, ended, bytes";

type Raw = ([String; 7], [i64; 7]);

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    let mut texts: [String; 7] = Default::default();
    for (at, text) in texts.iter_mut().enumerate() {
        *text = row.get(at)?;
    }
    let mut numbers = [0; 7];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = row.get(at + 7)?;
    }
    Ok((texts, numbers))
}

fn understood((texts, numbers): Raw) -> Result<Backup, ApiError> {
    let [id, instance, status, mode, engine, build, facts] = texts;
    let [account, timeline, start_lsn, end_lsn, started, ended, bytes] = numbers;
    let unknown =
        |what: &str, text: &str| ApiError::internal(format!("backup {id}: {what} {text:?}"));
    Ok(Backup {
        status: State::parse(&status).ok_or_else(|| unknown("status", &status))?,
        engine: Engine::parse(&engine).ok_or_else(|| unknown("engine", &engine))?,
        facts: read(&facts)?,
        account: AccountId::from_i64(account),
        timeline: u32::try_from(timeline).unwrap_or_default(),
        start_lsn: start_lsn.cast_unsigned(),
        end_lsn: end_lsn.cast_unsigned(),
        started: Time::from_micros(started),
        ended: (ended != 0).then(|| Time::from_micros(ended)),
        id,
        instance,
        mode,
        build,
        bytes,
    })
}

/// Adds one.
pub fn insert(tx: &mut Tx<'_>, backup: &Backup) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_backup (id, instance, account, status, mode, engine, build, timeline, start_lsn, end_lsn,
             started, ended, bytes, facts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            &backup.id,
            &backup.instance,
            backup.account,
            backup.status.as_str(),
            &backup.mode,
            backup.engine.as_str(),
            &backup.build,
            backup.timeline,
            backup.start_lsn.cast_signed(),
            backup.end_lsn.cast_signed(),
            backup.started,
            backup.ended.unwrap_or(Time::from_micros(0)),
            backup.bytes,
            &text(&backup.facts)?
        ],
    )?;
    Ok(())
}

/// Stores what came of one that ran: everything but whose and of what it is. Says whether it still ran.
pub fn finish(tx: &mut Tx<'_>, backup: &Backup) -> Result<bool, ApiError> {
    let changed = tx.execute(
        "UPDATE rds_backup SET status = ?2, build = ?3, timeline = ?4, start_lsn = ?5, end_lsn = ?6, ended = ?7,
             bytes = ?8, facts = ?9
         WHERE id = ?1 AND status = 'Running'",
        params![
            &backup.id,
            backup.status.as_str(),
            &backup.build,
            backup.timeline,
            backup.start_lsn.cast_signed(),
            backup.end_lsn.cast_signed(),
            backup.ended.unwrap_or(Time::from_micros(0)),
            backup.bytes,
            &text(&backup.facts)?
        ],
    )?;
    Ok(changed == 1)
}

/// Stores other facts about one.
pub fn set_facts(tx: &mut Tx<'_>, id: &str, facts: &Facts) -> Result<(), ApiError> {
    tx.execute("UPDATE rds_backup SET facts = ?2 WHERE id = ?1", params![id, &text(facts)?])?;
    Ok(())
}

/// Notes that one failed, and why. Says whether it still ran.
pub fn fail(tx: &mut Tx<'_>, id: &str, reason: &str, now: Time) -> Result<bool, ApiError> {
    let Some(mut backup) = find(tx, id)? else { return Ok(false) };
    backup.status = State::Failed;
    backup.ended = Some(now);
    backup.facts.trouble = reason.to_owned();
    finish(tx, &backup)
}

/// Its bytes are to go.
pub fn retire(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    let deleting = State::Deleting.as_str();
    tx.execute("UPDATE rds_backup SET status = ?2 WHERE id = ?1", params![id, deleting])?;
    Ok(())
}

/// The backup of that id, whoever owns it.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Backup>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_backup WHERE id = ?1");
    tx.query_opt(&sql, params![id], raw)?.map(understood).transpose()
}

/// The backups of an instance, oldest first.
pub fn of_instance(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Backup>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_backup WHERE instance = ?1 ORDER BY started, id");
    let rows = tx.query(&sql, params![instance], raw)?;
    rows.into_iter().map(understood).collect()
}

/// The newest successful backup of an instance that had ended by then.
pub fn newest_before(
    tx: &mut Tx<'_>,
    instance: &str,
    until: Time,
) -> Result<Option<Backup>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_backup WHERE instance = ?1 AND status = 'Success' AND ended <= ?2
         ORDER BY ended DESC, id DESC LIMIT 1"
    );
    tx.query_opt(&sql, params![instance, until], raw)?.map(understood).transpose()
}

/// Removes the row of one.
pub fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_backup WHERE id = ?1", params![id])?;
    Ok(())
}

/// An instance that is gone, and until when its backups stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Released {
    /// Which it was.
    pub instance: String,
    /// Whose it was.
    pub account: AccountId,
    /// When everything of it goes.
    pub until: Time,
    /// What is still to be known of it.
    pub facts: ReleasedFacts,
}

/// What is still to be known of an instance that is gone.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ReleasedFacts {
    /// `None`, `Lastest` (so spelt by the API), `All`: which of its backups stay until then.
    pub policy: String,
    /// In which region it was.
    pub region: String,
    /// The class of the data in it.
    pub data_class: String,
    /// What a restore makes another like; `None` where nothing is kept that could be restored. Its accounts, databases,
    /// rights and settings stay in their own tables until it is forgotten.
    pub was: Option<Was>,
}

/// What an instance was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Was {
    /// Its engine.
    pub engine: Engine,
    /// The engine's major version.
    pub major: String,
    /// Its class.
    pub class: String,
    /// Its storage, GiB.
    pub storage_gib: i64,
    /// How many members it had, as the API spells it.
    pub category: String,
    /// What else was set.
    pub options: Options,
    /// When it was made, microseconds since 1970.
    pub created: i64,
}

impl Was {
    /// How many members it had.
    pub fn category(&self) -> Category {
        Category::parse(&self.category).unwrap_or(Category::Basic)
    }
}

/// Notes that an instance is gone.
pub fn release(tx: &mut Tx<'_>, released: &Released) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO rds_released (instance, account, until, facts) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (instance) DO UPDATE SET until = excluded.until, facts = excluded.facts",
        params![&released.instance, released.account, released.until, &text(&released.facts)?],
    )?;
    Ok(())
}

type RawReleased = (String, i64, i64, String);

fn raw_released(row: &Row<'_>) -> Result<RawReleased, store::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn understood_released(
    (instance, account, until, facts): RawReleased,
) -> Result<Released, ApiError> {
    Ok(Released {
        instance,
        account: AccountId::from_i64(account),
        until: Time::from_micros(until),
        facts: read(&facts)?,
    })
}

/// Instances that are gone and have something left, after that id, at most so many.
pub fn released(tx: &mut Tx<'_>, after: &str, limit: usize) -> Result<Vec<Released>, ApiError> {
    let sql = "SELECT instance, account, until, facts FROM rds_released WHERE instance > ?1
         ORDER BY instance LIMIT ?2";
    let rows = tx.query(sql, params![after, limit], raw_released)?;
    rows.into_iter().map(understood_released).collect()
}

/// Those of an account, by id.
pub fn released_of_account(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<Released>, ApiError> {
    let sql = "SELECT instance, account, until, facts FROM rds_released WHERE account = ?1
         ORDER BY instance";
    let rows = tx.query(sql, params![account], raw_released)?;
    rows.into_iter().map(understood_released).collect()
}

/// One of them, whoever owned it.
pub fn find_released(tx: &mut Tx<'_>, instance: &str) -> Result<Option<Released>, ApiError> {
    let sql = "SELECT instance, account, until, facts FROM rds_released WHERE instance = ?1";
    tx.query_opt(sql, params![instance], raw_released)?.map(understood_released).transpose()
}

/// Forgets an instance that is gone.
pub fn forget(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_released WHERE instance = ?1", params![instance])?;
    Ok(())
}
