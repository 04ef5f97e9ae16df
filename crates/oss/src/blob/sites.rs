//! Disks of data centres' own: that each is there, and is the right one. How much is left on them, and how many
//! threads each may have, is [`super::pool`]'s.
//!
//! A disk that is not mounted looks like an empty directory. Taken for the disk it would lose every first
//! copy on it, so each disk has a mark, and the database knows which.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base::{ApiError, Rng};
use engine::files::write_whole;
use store::Db;

use super::Error;
use crate::tables;

/// Names the data centre, and bears the mark that the database knows.
pub(super) const MARK: &str = "awan-site";
const MARK_LEN: usize = 20;

/// Where the disks of data centres are that have one of their own.
pub(crate) type Disks = BTreeMap<String, PathBuf>;

/// Checks every disk and marks new ones. Blocks.
///
/// # Errors
/// Where one is missing, is another's, or was there before and is not configured any more: the text says
/// what to do.
pub(super) fn check(db: &Db, rng: &dyn Rng, disks: &Disks) -> Result<(), ApiError> {
    let known = db.read_blocking(tables::disk::list)?;
    if let Some(site) = known.keys().find(|site| !disks.contains_key(*site)) {
        return refused(format!(
            "the data centre {site} has a disk of its own, and the configuration does not say where: add it to [oss.disks]"
        ));
    }
    for (site, path) in disks {
        match known.get(site) {
            Some(mark) => check_known(site, path, mark)?,
            None => mark_new(db, rng, site, path)?,
        }
    }
    Ok(())
}

fn refused<T>(what: String) -> Result<T, ApiError> {
    Err(ApiError::internal(&what).message(what))
}

fn read_mark(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path.join(MARK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        mark => Ok(Some(mark?.trim().to_owned())),
    }
}

fn check_known(site: &str, path: &Path, mark: &str) -> Result<(), ApiError> {
    let here = path.display();
    let expected = format!("{site} {mark}");
    match read_mark(path)? {
        Some(found) if found == expected => Ok(()),
        Some(found) => {
            refused(format!("{here} is not the disk of data centre {site}: its mark is {found:?}"))
        }
        None => refused(format!(
            "the disk of data centre {site} is not at {here}: mount it. If it is lost for good, mount an empty one \
             and write {expected:?} to {here}/{MARK}; what has a copy elsewhere is then made anew"
        )),
    }
}

/// Marks a disk that is used for the first time. The mark comes first: without its row it is written again.
fn mark_new(db: &Db, rng: &dyn Rng, site: &str, path: &Path) -> Result<(), ApiError> {
    let here = path.display();
    if !path.is_dir() {
        return refused(format!(
            "the disk of data centre {site} should be at {here}, and there is no such directory"
        ));
    }
    let used = ["segments", "mirror"].iter().any(|name| path.join(name).exists());
    if used {
        return refused(format!("{here} has segments of another cloud or data centre"));
    }
    let mark = rng.alphanumeric(MARK_LEN);
    write_whole(&path.join(MARK), format!("{site} {mark}\n").as_bytes(), 0o600)
        .map_err(Error::from)?;
    let site = site.to_owned();
    db.write_blocking(move |tx| tables::disk::insert(tx, &site, &mark))
}
