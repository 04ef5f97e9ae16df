//! Giving space back: freed bodies become holes, holes merge, whole blocks are punched out, and a
//! segment that is one hole is removed.
//!
//! Always in this order: punch, then commit that it was punched. A crash in between punches again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::ApiError;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use store::Tx;

use super::pins::BodyId;
use super::segment::Copy;
use super::{Blobs, Body, Condemned, Error, Extent, Range, blocking, extent, lock};
use crate::tables;
use crate::tables::free::Freed;

/// Freed bodies worked on at a time.
const BATCH: usize = 256;
/// Rows of a large body worked on at a time.
const BLOB_ROWS: usize = 16;
/// Ranges given up that are worked on at a time.
const CONDEMNED_BATCH: usize = 1024;
/// Rows deleted at a time when a segment is sealed, so that no writer waits long for it.
const SETTLED_BATCH: usize = 10_000;

/// One new hole, with the older ones that it swallows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merge {
    pub(super) hole: Range,
    /// Where the swallowed holes began.
    swallowed: Vec<u64>,
    /// Bytes that were not in a hole before.
    added: u64,
}

/// What one round does, found out on a snapshot.
#[derive(Default)]
struct Plan {
    merges: Vec<Merge>,
    /// What became holes, by extent: in a backend each is an object.
    ranges: Vec<Range>,
    /// Rows of `oss_free` that are left for later: a backend that has some of their bytes is away.
    left: Vec<i64>,
    /// Rows of `oss_free` that are done.
    freed: Vec<i64>,
    /// Rows of `oss_extent` that are done: blob and start.
    extents: Vec<(i64, i64)>,
    /// Blobs that are done.
    blobs: Vec<i64>,
}

impl Blobs {
    /// Gives back what can be given back now.
    pub(crate) async fn reclaim(self: &Arc<Self>) -> Result<(), ApiError> {
        let _alone = self.reclaiming.lock().await;
        while self.claim_condemned().await? {}
        let mut after = 0;
        while let Some(last) = self.reclaim_freed(after).await? {
            after = last;
        }
        self.seal_rotated().await?;
        self.forget_lost().await?;
        self.remove_dead().await
    }

    /// Turns ranges that their writers gave up into freed bodies. False when there are none.
    ///
    /// The row in `oss_settled` is what makes this safe: where a commit whose outcome nobody learnt
    /// had happened after all, the row is there already, and the range is left alone; where it is
    /// still to happen, it will fail on our row.
    async fn claim_condemned(&self) -> Result<bool, ApiError> {
        let batch: Vec<Condemned> = {
            let mut condemned = lock(&self.condemned);
            let rest = condemned.len().saturating_sub(CONDEMNED_BATCH);
            condemned.split_off(rest)
        };
        if batch.is_empty() {
            return Ok(false);
        }
        let given_up = |one: &Condemned| {
            let segment = &one.segment;
            (one.range, self.dirs.home_of(segment.id), segment.spread.mirrors.clone())
        };
        let given_up: Vec<_> = batch.iter().map(given_up).collect();
        let now = self.clock.now();
        let claimed = self.db.write(move |tx| {
            given_up.iter().try_for_each(|(range, home, mirrors)| {
                tables::space::give_up(tx, range, now)?;
                // Where the segment is, so that a start finds what these rows are about.
                if let Some(home) = home {
                    tables::disk::insert_home(tx, range.segment, home)?;
                }
                let insert = |site| tables::space::insert_mirror(tx, range.segment, site);
                mirrors.iter().map(String::as_str).try_for_each(insert)
            })
        });
        if let Err(error) = claimed.await {
            lock(&self.condemned).extend(batch);
            return Err(error);
        }
        for one in batch {
            one.segment.settle(one.range.len);
        }
        Ok(true)
    }

    /// One round over freed bodies with numbers above `after`. Says where to go on; `None` at the end.
    async fn reclaim_freed(self: &Arc<Self>, after: i64) -> Result<Option<i64>, ApiError> {
        let rows = self.db.read(move |tx| tables::free::list(tx, after, BATCH)).await?;
        let Some(last) = rows.last().map(|row| row.id) else {
            return Ok(None);
        };
        if !self.wait_for_look_ups().await {
            return Ok(None);
        }
        let pinned = |row: &Freed| BodyId::of(&row.body).is_some_and(|id| self.pins.is_held(&id));
        let mut rows: Vec<Freed> = rows.into_iter().filter(|row| !pinned(row)).collect();
        let mut away = BTreeSet::new();
        // A large body takes several rounds.
        while !rows.is_empty() {
            let (listed, beyond) = (Arc::new(rows), self.segments_away(&away));
            let seen = Arc::clone(&listed);
            let plan = Arc::new(self.db.read(move |tx| plan(tx, &seen, &beyond)).await?);
            match self.punch_all(&plan).await {
                // Then what is elsewhere is given back without it.
                Err(Error::Away { backend, .. }) if away.insert(backend.clone()) => {
                    rows = listed.to_vec();
                    continue;
                }
                done => done?,
            }
            let done = Arc::clone(&plan);
            self.db.write(move |tx| apply(tx, &done)).await?;
            let ended = |row: &&Freed| plan.freed.contains(&row.id) || plan.left.contains(&row.id);
            rows = listed.iter().filter(|row| !ended(row)).cloned().collect();
        }
        Ok(Some(last))
    }

    /// Waits until nobody can find what was just listed. Look-ups last as long as a read transaction.
    async fn wait_for_look_ups(&self) -> bool {
        let line = self.pins.line();
        for _ in 0..100 {
            if self.pins.passed(line) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        false
    }

    async fn punch_all(self: &Arc<Self>, plan: &Arc<Plan>) -> Result<(), Error> {
        let (blobs, plan) = (Arc::clone(self), Arc::clone(plan));
        blocking(move || {
            plan.ranges.iter().try_for_each(|range| blobs.delete_far(range))?;
            plan.merges.iter().try_for_each(|merge| blobs.punch(&merge.hole))
        })
        .await
    }

    /// Punches the whole blocks within a hole, in every copy that is a file.
    fn punch(&self, hole: &Range) -> Result<(), Error> {
        let first = hole.start.next_multiple_of(self.block);
        let end = hole.end() - hole.end() % self.block;
        if first >= end {
            return Ok(());
        }
        match self.segment(hole.segment) {
            Ok(segment) => segment.copies().flatten().try_for_each(|copy| match copy {
                Copy::File(file) => punch(file, first, end - first),
                Copy::Remote(_) => Ok(()),
            }),
            // Told at start-up; it must not keep the rest from being given back.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Seals the full segments of which every byte is settled.
    pub(super) async fn seal_rotated(&self) -> Result<(), ApiError> {
        let ready: Vec<(u32, u64)> = lock(&self.rotated)
            .iter()
            .filter(|one| one.segment.settled.load(Ordering::Acquire) == one.length)
            .map(|one| (one.segment.id, one.length))
            .collect();
        for (id, length) in ready {
            self.db.write(move |tx| tables::space::seal(tx, id, length)).await?;
            lock(&self.rotated).retain(|one| one.segment.id != id);
            while self
                .db
                .write(move |tx| tables::space::forget_settled(tx, id, SETTLED_BATCH))
                .await?
                > 0
            {}
        }
        Ok(())
    }

    /// Forgets segments that have neither a file nor a live byte.
    async fn forget_lost(&self) -> Result<(), ApiError> {
        let lost = lock(&self.lost).clone();
        for id in lost {
            // Nothing writes there any more: what is dead stays so.
            if self.db.read(move |tx| tables::space::is_dead(tx, id)).await? {
                self.db.write(move |tx| tables::space::remove_segment(tx, id)).await?;
                lock(&self.lost).retain(|other| *other != id);
            }
        }
        Ok(())
    }

    /// Removes the segments that are one hole. The row goes first: a file without a row is looked at
    /// by the next start, which finds nothing settled in it and removes it.
    async fn remove_dead(self: &Arc<Self>) -> Result<(), ApiError> {
        for id in self.db.read(tables::space::dead_segments).await? {
            self.db.write(move |tx| tables::space::remove_segment(tx, id)).await?;
            lock(&self.open).remove(&id);
            let spread = lock(&self.spread).remove(&id).unwrap_or_default();
            let files = self.dirs.files(id, &spread);
            self.dirs.leave(id);
            let removed = blocking(move || files.iter().try_for_each(|file| remove(file)));
            if let Err(error) = removed.await {
                tracing::error!(?error, segment = id, "remove a dead segment; the next start will");
            }
        }
        Ok(())
    }
}

/// Removes a file; there being none is as good.
pub(super) fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Punches a range out of a file: the file system takes the blocks back, and they read as zeros.
/// Where it cannot do that, space comes back only when a whole segment is dead.
pub(super) fn punch(file: &fs::File, start: u64, len: u64) -> Result<(), Error> {
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, start, len) {
        Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// What to do about freed bodies, but for those with bytes in the segments `beyond`.
fn plan(tx: &mut Tx<'_>, rows: &[Freed], beyond: &BTreeSet<u32>) -> Result<Plan, ApiError> {
    let mut plan = Plan::default();
    let mut ranges = Vec::new();
    for row in rows {
        let is_beyond = |extents: &[Extent]| extents.iter().any(|it| beyond.contains(&it.segment));
        match &row.body {
            Body::Inline(extents) if is_beyond(extents) => plan.left.push(row.id),
            Body::Inline(extents) => {
                ranges.extend(extents.iter().map(extent::Extent::range));
                plan.freed.push(row.id);
            }
            Body::Blob(blob) => {
                let some = tables::extent::rows(tx, *blob, 0, BLOB_ROWS)?;
                if some.iter().any(|row| is_beyond(&row.extents)) {
                    plan.left.push(row.id);
                    continue;
                }
                for row in &some {
                    ranges.extend(row.extents.iter().map(extent::Extent::range));
                    plan.extents.push((*blob, row.start));
                }
                if some.len() < BLOB_ROWS {
                    plan.blobs.push(*blob);
                    plan.freed.push(row.id);
                }
            }
        }
    }
    plan.ranges.clone_from(&ranges);
    plan.merges = merge(tx, ranges)?;
    Ok(plan)
}

/// Joins ranges with each other and with the holes beside them.
pub(super) fn merge(tx: &mut Tx<'_>, mut ranges: Vec<Range>) -> Result<Vec<Merge>, ApiError> {
    ranges.sort_unstable();
    let mut merges: Vec<Merge> = Vec::new();
    for range in ranges {
        let joined = merges
            .last_mut()
            .filter(|last| last.hole.segment == range.segment && last.hole.end() == range.start);
        let merge = match joined {
            Some(last) => {
                last.hole.len += range.len;
                last.added += range.len;
                last
            }
            None => {
                let mut merge = Merge { hole: range, swallowed: Vec::new(), added: range.len };
                if let Some(before) = tables::space::hole_ending_at(tx, range.segment, range.start)?
                {
                    merge.hole.start = before.start;
                    merge.hole.len += before.len;
                    merge.swallowed.push(before.start);
                }
                merges.push(merge);
                merges.last_mut().expect("it was just pushed")
            }
        };
        if let Some(behind) = tables::space::hole_beginning_at(tx, range.segment, merge.hole.end())?
        {
            merge.hole.len += behind.len;
            merge.swallowed.push(behind.start);
        }
    }
    Ok(merges)
}

/// Writes holes that were punched.
pub(super) fn write_holes(tx: &mut Tx<'_>, merges: &[Merge]) -> Result<(), ApiError> {
    for Merge { hole, swallowed, added } in merges {
        for start in swallowed {
            tables::space::delete_hole(tx, hole.segment, *start)?;
        }
        tables::space::insert_hole(tx, hole)?;
        tables::space::add_dead(tx, hole.segment, *added)?;
    }
    Ok(())
}

fn apply(tx: &mut Tx<'_>, plan: &Plan) -> Result<(), ApiError> {
    write_holes(tx, &plan.merges)?;
    for (blob, start) in &plan.extents {
        tables::extent::delete(tx, *blob, *start)?;
    }
    for blob in &plan.blobs {
        tables::extent::delete_blob(tx, *blob)?;
    }
    for id in &plan.freed {
        tables::free::delete(tx, *id)?;
    }
    Ok(())
}
