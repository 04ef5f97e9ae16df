//! The schema's history: numbered scripts, applied once, in order, never taken back. Which tables
//! there are is the services' business.

use base::{Clock, SystemClock, text};
use ring::digest;

use crate::{Db, Error, params};

/// The steps that lead to the tables of one crate.
#[derive(Clone, Copy)]
pub struct MigrationSet {
    /// Who owns the tables, for example `ram`. Stored; never renamed.
    pub name: &'static str,
    /// One script each, numbered from 1. Append only: the text of an applied step is fixed.
    pub steps: &'static [&'static str],
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    name TEXT NOT NULL, step INTEGER NOT NULL, digest TEXT NOT NULL, applied_at INTEGER NOT NULL,
    PRIMARY KEY (name, step)) /*rowless*/";

/// Applies what is missing. A set in the database that the program does not name is left alone, since
/// sets may be applied one by one.
pub(crate) fn run(db: &Db, sets: &[MigrationSet]) -> Result<(), Error> {
    db.write_blocking(|tx| tx.script(TABLE))?;
    for &set in sets {
        let applied = db.read_blocking(move |tx| {
            let sql = "SELECT digest FROM migration WHERE name = ?1 ORDER BY step";
            tx.query(sql, params![set.name], |row| row.get::<String>(0))
        })?;
        check(set, &applied)?;
        for (step, &script) in (1_usize..).zip(set.steps).skip(applied.len()) {
            apply(db, set.name, step, script)?;
        }
    }
    Ok(())
}

fn check(set: MigrationSet, applied: &[String]) -> Result<(), Error> {
    if applied.len() > set.steps.len() {
        return Err(Error::Other(format!(
            "the database is newer than this program: {} is at step {}, known are {}",
            set.name,
            applied.len(),
            set.steps.len()
        )));
    }
    match applied.iter().zip(set.steps).position(|(digest, step)| *digest != digest_of(step)) {
        Some(at) => Err(Error::Other(format!(
            "step {} of {} was applied with another text than this program's",
            at + 1,
            set.name
        ))),
        None => Ok(()),
    }
}

fn apply(db: &Db, set: &'static str, step: usize, script: &'static str) -> Result<(), Error> {
    db.write_blocking(move |tx| {
        tx.script(script)?;
        tx.execute(
            "INSERT INTO migration (name, step, digest, applied_at) VALUES (?1, ?2, ?3, ?4)",
            params![set, step, &digest_of(script), SystemClock.now()],
        )
    })?;
    tracing::info!(set, step, "applied a migration");
    Ok(())
}

fn digest_of(script: &str) -> String {
    text::hex(digest::digest(&digest::SHA256, script.as_bytes()).as_ref())
}
