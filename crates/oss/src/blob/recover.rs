//! Start-up: finds the segments that a crash left open, gives back what was never committed, and
//! seals them.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base::ApiError;
use store::Db;

use super::reclaim::{merge, punch, write_holes};
use super::segment::path;
use super::{Error, Range};
use crate::tables;

/// Recovers the directory; says which number the next segment has. Blocks.
///
/// A file without a row is a segment that was open (at most a few: one that was taking bytes, and
/// full ones with a slow upload in them). Its rows in `oss_settled` say which of its bytes were
/// decided about.
pub(super) fn recover(db: &Db, dir: &Path) -> Result<u32, ApiError> {
    let files = segment_files(dir)?;
    let sealed = db.read_blocking(tables::space::segments)?;
    for id in sealed.difference(&files) {
        tracing::error!(segment = id, "a segment file is missing; the objects in it are lost");
    }
    db.write_blocking(tables::space::forget_settled_of_sealed)?;
    for id in files.difference(&sealed) {
        recover_segment(db, dir, *id)?;
    }
    let named = db.read_blocking(tables::space::settled_segments)?;
    for id in named.difference(&files) {
        tracing::error!(segment = id, "a segment file is missing; the objects in it are lost");
    }
    // A number that rows still name is never used again: they would name the new bytes.
    let last = [files.last(), sealed.last(), named.last()].into_iter().flatten().max();
    let last = last.copied().unwrap_or(0);
    last.checked_add(1).ok_or_else(|| ApiError::internal("segment numbers are used up"))
}

fn segment_files(dir: &Path) -> Result<BTreeSet<u32>, Error> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let id =
            name.to_str().and_then(|name| name.strip_suffix(".seg")).and_then(|id| id.parse().ok());
        match id {
            Some(id) => drop(ids.insert(id)),
            None => tracing::warn!(?name, "a file among the segments that is none"),
        }
    }
    Ok(ids)
}

/// Cuts off the tail that nothing refers to, punches out the gaps, and seals the segment.
fn recover_segment(db: &Db, dir: &Path, id: u32) -> Result<(), ApiError> {
    let settled = db.read_blocking(move |tx| tables::space::settled(tx, id))?;
    let length = settled.last().map_or(0, Range::end);
    let path = path(dir, id);
    if length == 0 {
        fs::remove_file(&path).map_err(Error::from)?;
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(&path).map_err(Error::from)?;
    let data = file.metadata().map_err(Error::from)?;
    if data.len() > length {
        file.set_len(length).map_err(Error::from)?;
    }
    let gaps = gaps(id, &settled);
    let given_back =
        gaps.iter().map(|gap| gap.len).sum::<u64>() + data.len().saturating_sub(length);
    let merges = db.read_blocking(move |tx| merge(tx, gaps.clone()))?;
    let block = data.blksize().max(512);
    for found in &merges {
        let first = found.hole.start.next_multiple_of(block);
        let end = found.hole.end() - found.hole.end() % block;
        if first < end {
            punch(&file, first, end - first)?;
        }
    }
    file.sync_all().map_err(Error::from)?;
    db.write_blocking(move |tx| {
        write_holes(tx, &merges)?;
        tables::space::insert_segment(tx, id, length)?;
        tables::space::forget_settled_of_sealed(tx)
    })?;
    tracing::info!(segment = id, length, given_back, "recovered a segment");
    Ok(())
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
