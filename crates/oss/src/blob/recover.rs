//! Start-up: finds the segments that a crash left open, gives back what was never committed, and
//! seals them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base::ApiError;
use store::Db;

use super::dirs::{self, Dirs};
use super::reclaim::{Merge, merge, punch, remove, write_holes};
use super::remote::{Remote, Spread};
use super::repair::restore;
use super::segment::path;
use super::{Error, Range, used_up};
use crate::tables;

/// Which data centres hold further copies of which segments.
type Mirrors = BTreeMap<u32, Vec<String>>;

/// What a start found.
pub(super) struct Recovered {
    /// The number of the next segment.
    pub(super) next: u32,
    /// Where the copies are of the segments that have others than the first file.
    pub(super) spread: HashMap<u32, Spread>,
    /// Segments in backends that a crash left open. Nothing is asked of a backend at a start, which is not to
    /// hang on it: [`super::sweep`] removes what is there and has no row.
    pub(super) suspects: Vec<u32>,
    /// Segments that were open and of which there is no file.
    pub(super) lost: Vec<u32>,
}

/// Recovers the directories, and the segments of which there are the copies `remote`. Blocks.
///
/// A file without a row is a segment that was open (at most a few: those that were taking bytes, and
/// full ones with a slow upload in them). Its rows in `oss_settled` say which of its bytes were
/// decided about, and those in `oss_mirror` where else they are.
pub(super) fn recover(
    db: &Db,
    dirs: &Dirs,
    remote: HashMap<u32, Vec<Remote>>,
) -> Result<Recovered, ApiError> {
    let mirrors = db.read_blocking(tables::space::mirrors)?;
    let mut files = segment_files(dirs, &mirrors)?;
    files.extend(remote.keys());
    let mut spread: HashMap<u32, Spread> = HashMap::new();
    for (id, mirrors) in mirrors {
        spread.entry(id).or_default().mirrors = mirrors;
    }
    for (id, remote) in remote {
        spread.entry(id).or_default().remote = remote;
    }
    let sealed = db.read_blocking(tables::space::segments)?;
    for id in sealed.difference(&files) {
        tracing::error!(segment = id, "a segment file is missing; the objects in it are lost");
    }
    db.write_blocking(tables::space::forget_settled_of_sealed)?;
    let mut suspects = Vec::new();
    for id in files.difference(&sealed) {
        let copies = spread.get(id).cloned().unwrap_or_default();
        if !recover_segment(db, dirs, *id, &copies)? {
            spread.remove(id);
        } else if !copies.remote.is_empty() {
            suspects.push(*id);
        }
    }
    let named = db.read_blocking(tables::space::settled_segments)?;
    let mut lost = Vec::new();
    for id in named.difference(&files).copied() {
        if db.read_blocking(move |tx| tables::space::is_dead(tx, id))? {
            db.write_blocking(move |tx| tables::space::remove_segment(tx, id))?;
            continue;
        }
        tracing::error!(segment = id, "a segment file is missing; the objects in it are lost");
        lost.push(id);
    }
    // A number that rows still name is never used again: they would name the new bytes.
    let last = [files.last(), sealed.last(), named.last()].into_iter().flatten().max();
    let last = last.copied().unwrap_or(0);
    Ok(Recovered { next: last.checked_add(1).ok_or_else(used_up)?, spread, suspects, lost })
}

/// The segments of which there is any copy. One that no commit ever relied on is removed, but for those in
/// the data directory's own: that is told by what is settled in them.
fn segment_files(dirs: &Dirs, mirrors: &Mirrors) -> Result<BTreeSet<u32>, Error> {
    let mut ids = dirs::segments(&dirs.home())?;
    for (site, home) in dirs.own_homes() {
        ids.append(&mut relied_on(&home, |id| dirs.home_of(id).as_ref() == Some(&site))?);
    }
    for site in dirs.sites()? {
        let known = |id| mirrors.get(&id).is_some_and(|sites| sites.contains(&site));
        for dir in dirs.mirrors(&site) {
            ids.append(&mut relied_on(&dir, known)?);
        }
    }
    Ok(ids)
}

/// The segments of a directory that commits rely on; the others are removed.
fn relied_on(dir: &Path, known: impl Fn(u32) -> bool) -> Result<BTreeSet<u32>, Error> {
    let (known, unknown): (BTreeSet<_>, BTreeSet<_>) =
        dirs::segments(dir)?.into_iter().partition(|id| known(*id));
    unknown.iter().try_for_each(|id| remove(&path(dir, *id)))?;
    Ok(known)
}

/// Cuts off the tail that nothing refers to, punches out the gaps, and seals the segment: the same in every
/// copy, of which a lost one is made anew first. Says whether anything of it is left.
fn recover_segment(db: &Db, dirs: &Dirs, id: u32, spread: &Spread) -> Result<bool, ApiError> {
    let settled = db.read_blocking(move |tx| tables::space::settled(tx, id))?;
    let length = settled.last().map_or(0, Range::end);
    let files = dirs.files(id, spread);
    if length == 0 {
        files.iter().try_for_each(|file| remove(file))?;
        db.write_blocking(move |tx| tables::remote::remove(tx, id))?;
        return Ok(false);
    }
    restore(dirs, id, spread, Some(length))?;
    let gaps = gaps(id, &settled);
    let dead = gaps.iter().map(|gap| gap.len).sum::<u64>();
    let merges = db.read_blocking(move |tx| merge(tx, gaps.clone()))?;
    let cut: u64 = cut_off(&files, length, &merges)?;
    db.write_blocking(move |tx| {
        write_holes(tx, &merges)?;
        tables::space::insert_segment(tx, id, length)?;
        tables::space::forget_settled_of_sealed(tx)
    })?;
    tracing::info!(segment = id, length, given_back = dead + cut, "recovered a segment");
    Ok(true)
}

/// Ends every copy at `length` and punches out the holes; says how many bytes the ends were.
fn cut_off(files: &[PathBuf], length: u64, holes: &[Merge]) -> Result<u64, Error> {
    let mut cut = 0;
    for file in files {
        let file: File = OpenOptions::new().write(true).open(file)?;
        let data = file.metadata()?;
        if data.len() > length {
            file.set_len(length)?;
        }
        cut += data.len().saturating_sub(length);
        let block = data.blksize().max(512);
        for Merge { hole, .. } in holes {
            let first = hole.start.next_multiple_of(block);
            let end = hole.end() - hole.end() % block;
            if first < end {
                punch(&file, first, end - first)?;
            }
        }
        file.sync_all()?;
    }
    Ok(cut)
}

/// What no settled range covers, up to the last of them.
fn gaps(segment: u32, settled: &[Range]) -> Vec<Range> {
    let mut gaps = Vec::new();
    let mut at = 0;
    for range in settled {
        if range.start > at {
            gaps.push(Range { segment, start: at, len: range.start - at });
        }
        at = range.end();
    }
    gaps
}
