//! Segments that belong to several data centres: makes a copy that was lost anew from one that is there.
//!
//! A copy is lost where its file is missing or ends early. What is damaged within a file is found by whoever
//! reads it, and mended there ([`super::read`]); nothing here reads bodies.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::ApiError;

use super::dirs::Dirs;
use super::remote::Spread;
use super::{Blobs, Error, blocking, lock};
use crate::tables;

/// What is copied at a time, and the smallest hole that a copy keeps, bytes.
const PIECE_BYTES: usize = 64 << 10;

impl Blobs {
    /// Makes lost copies of sealed segments anew; says how many. An open segment with a lost copy takes no
    /// more bytes, and is mended once it is sealed.
    pub(crate) async fn repair(self: &Arc<Self>) -> Result<usize, ApiError> {
        let _alone = self.reclaiming.lock().await;
        self.repair_wanted.store(false, Ordering::Release);
        let blobs = Arc::clone(self);
        blocking(move || blobs.leave_lost()).await?;
        self.seal_rotated().await?;
        let sealed = self.db.read(tables::space::mirrors_of_sealed).await?;
        let blobs = Arc::clone(self);
        Ok(blocking(move || Ok(blobs.restore_all(&sealed))).await?)
    }

    /// True where a reader found a copy missing.
    pub(crate) fn repair_wanted(&self) -> bool {
        self.repair_wanted.load(Ordering::Acquire)
    }

    /// Begins new segments in place of open ones of which a copy is gone.
    fn leave_lost(&self) -> Result<(), Error> {
        let active: Vec<_> = lock(&self.lanes)
            .active
            .iter()
            .map(|(lane, active)| (lane.clone(), Arc::clone(&active.segment)))
            .collect();
        for (lane, segment) in active {
            let files = self.dirs.files(segment.id, &segment.spread);
            if segment.spread.mirrors.is_empty() || files.iter().all(|file| file.exists()) {
                continue;
            }
            let turn = self.turn(&lane);
            let _turn = lock(&turn);
            let same = |active: &super::Active| Arc::ptr_eq(&active.segment, &segment);
            if lock(&self.lanes).active.get(&lane).is_some_and(same) {
                self.begin(&lane)?;
            }
        }
        Ok(())
    }

    fn restore_all(&self, sealed: &BTreeMap<u32, Vec<String>>) -> usize {
        let mut made = 0;
        for id in sealed.keys() {
            match restore(&self.dirs, *id, &self.spread_of(*id), None) {
                Ok(0) => {}
                Ok(copies) => {
                    made += copies;
                    // Whoever has it open reads what is there no longer.
                    lock(&self.open).remove(id);
                }
                // One data centre that is out of reach must not keep the others from being mended.
                Err(error) => tracing::error!(segment = id, %error, "make a lost copy anew"),
            }
        }
        made
    }
}

/// Makes the copies of a segment anew that are missing or shorter than the longest (than `length`, where
/// that is told); says how many. Blocks.
pub(super) fn restore(
    dirs: &Dirs,
    id: u32,
    spread: &Spread,
    length: Option<u64>,
) -> Result<usize, Error> {
    let files = dirs.files(id, spread);
    if spread.mirrors.is_empty() || files.is_empty() {
        return Ok(0);
    }
    let length_of = |file: &Path| match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        data => data.map(|data| Some(data.len())),
    };
    let lengths =
        files.iter().map(|file| length_of(file)).collect::<io::Result<Vec<Option<u64>>>>()?;
    let Some((longest, source)) =
        lengths.iter().zip(&files).filter_map(|(length, file)| Some(((*length)?, file))).max()
    else {
        if !spread.remote.is_empty() {
            return begin_anew(dirs, id, spread, &files);
        }
        tracing::error!(
            segment = id,
            "every copy of a segment is missing; the objects in it are lost"
        );
        return Ok(0);
    };
    let needed = length.map_or(longest, |length| length.min(longest));
    let lost = |length: &Option<u64>| length.is_none_or(|length| length < needed);
    let lost = lengths.iter().zip(&files).filter(|(length, _)| lost(length));
    let mut made = 0;
    for (_, file) in lost {
        dirs.make(id, spread)?;
        copy(source, file)?;
        tracing::warn!(segment = id, file = %file.display(), "made a lost copy of a segment anew");
        made += 1;
    }
    Ok(made)
}

/// Makes the files of a segment of which only backends have copies now: empty, for whoever reads an extent
/// finds that it is not there and writes it ([`super::read`]), and in the end the scrub reads all of them.
fn begin_anew(dirs: &Dirs, id: u32, spread: &Spread, files: &[PathBuf]) -> Result<usize, Error> {
    dirs.make(id, spread)?;
    files.iter().try_for_each(|file| dirs.disk.create(file).map(drop))?;
    tracing::warn!(segment = id, "a lost copy of a segment is filled from a backend as it is read");
    Ok(files.len())
}

/// Copies a file with its holes. Nobody sees the copy before it is whole and durable.
fn copy(source: &Path, target: &Path) -> Result<(), Error> {
    let growing = target.with_extension("new");
    let (from, to) = (File::open(source)?, File::create(&growing)?);
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    loop {
        let read = from.read_at(&mut piece, at)?;
        if read == 0 {
            break;
        }
        if piece[..read].iter().any(|byte| *byte != 0) {
            to.write_all_at(&piece[..read], at)?;
        }
        at += read as u64;
    }
    to.set_len(at)?;
    to.sync_all()?;
    fs::rename(&growing, target)?;
    File::open(target.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}
