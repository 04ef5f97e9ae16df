//! Bytes: append-only segments, for each set of data centres one that takes new bytes.
//!
//! A writer reserves room, writes extents of at most 1 MiB at offsets of its own, and shares its
//! `fdatasync` with everybody else ([`segment`]). Where the bytes belong to several data centres, the
//! segment is the same file in each of them, and nothing is acknowledged before all have it. A reader gets
//! whole extents whose CRC-64 fits, opened under their body's key ([`seal`]), from whichever copy has them
//! ([`read`]); lost copies are made anew ([`repair`]), and what nobody reads is read all the same
//! ([`scrub`]). Where a data centre has a backend, its copy is not a file but objects there ([`remote`]).
//! Freed bytes are punched out of the files once nobody reads them, and a segment that is dead altogether is
//! removed ([`reclaim`], [`recover`], [`sweep`]). Offsets are never used twice.
//!
//! Not here: what the bytes are, and whose keys they are sealed under. Buckets, keys and permissions are unknown on this side.

mod dirs;
mod disk;
pub(crate) mod extent;
pub(crate) mod pins;
mod read;
mod reclaim;
mod recover;
mod remote;
mod repair;
mod scrub;
pub(crate) mod seal;
pub(crate) mod segment;
mod sites;
mod sweep;
mod write;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{ApiError, Clock, Rng};
use store::Db;

use dirs::Dirs;
use recover::Recovered;
use remote::{Spread, Stores};

pub use disk::{DiskStep, Recorder};
pub(crate) use extent::{Extent, Range};
pub(crate) use pins::Pins;
pub(crate) use seal::BodyKey;
pub(crate) use segment::Segment;
pub(crate) use sites::Disks;
pub(crate) use write::{Priors, Written};

use crate::backend::Backend;
use crate::digest::Md5Pool;
use crate::{error, tables};

/// A stored body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Few extents, in the object's own row.
    Inline(Vec<Extent>),
    /// The number under which `oss_extent` has them.
    Blob(i64),
}

/// Sizes that tests make smaller.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A segment is full at so many bytes; at most 4 GiB, since offsets are 32 bits wide.
    pub segment_bytes_max: u64,
    /// And at so many extents, which bounds what start-up has to look at after a crash.
    pub segment_extents_max: u32,
    /// When so many bytes of unfinished bodies are in memory, they are written in smaller pieces.
    pub buffered_bytes_max: usize,
    /// Segment files kept open for reading.
    pub files_max: usize,
    /// The scrub reads so many bytes a second; 0: there is none but when it is asked for.
    pub scrub_bytes_per_second: u64,
    /// Access records are delivered when the oldest has waited so long.
    pub log_interval: Duration,
    /// What a day is to inventories; shorter than one in tests.
    pub inventory_day: Duration,
    /// From the start of one scrub to that of the next, at least.
    pub scrub_interval: Duration,
    /// So many bytes of each disk are left free: bodies that would use them are refused, so that deleting
    /// goes on.
    pub disk_reserve_bytes: u64,
    /// How long a client may send nothing in the middle of a body.
    pub idle_max: Duration,
    /// Is told what is done to the disk; for tests.
    pub recorder: Option<&'static dyn Recorder>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes_max: 1 << 30,
            segment_extents_max: 500_000,
            buffered_bytes_max: 32 << 20,
            files_max: 512,
            scrub_bytes_per_second: 20 << 20,
            log_interval: Duration::from_secs(3600),
            inventory_day: Duration::from_secs(86_400),
            scrub_interval: Duration::from_secs(86_400),
            disk_reserve_bytes: 1 << 30,
            idle_max: Duration::from_secs(60),
            recorder: None,
        }
    }
}

/// The space that segments take, all copies together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Segment files.
    pub files: u64,
    /// Their lengths together, bytes.
    pub length: u64,
    /// What the file system has allocated for them, bytes.
    pub allocated: u64,
}

/// Why bytes could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No space, or no permission to use it.
    #[error("the disk takes no more bytes")]
    Full(#[source] io::Error),
    /// What is left of it is for rows and deletions.
    #[error("the disk has no more than its reserve left")]
    Reserved,
    /// Anything else that the disk says.
    #[error("the disk failed")]
    Io(#[source] io::Error),
    /// The bytes are not those that were written.
    #[error("segment {segment} is damaged at {start} ({len} bytes)")]
    Damaged { segment: u32, start: u32, len: u32 },
    /// The bytes are those that were written, but another key sealed them.
    #[error("segment {segment} does not open at {start} under the key of its row")]
    Closed { segment: u32, start: u32 },
    /// A backend does not answer, or not with what was asked of it.
    #[error("the backend {backend} is away")]
    Away { backend: String, doing: &'static str, cause: String },
    /// A row does not make sense.
    #[error("a stored row is damaged: {0}")]
    Row(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | ReadOnlyFilesystem => Self::Full(error),
            _ => Self::Io(error),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match &error {
            Error::Full(cause) => Self::new(&error::STORAGE_FULL).detail(cause),
            Error::Reserved => Self::new(&error::STORAGE_FULL).detail(&error),
            Error::Io(cause) => Self::internal(format!("{error}: {cause}")),
            Error::Away { doing, cause, .. } => {
                Self::new(&base::code::UNAVAILABLE).detail(format!("{error}: {doing}: {cause}"))
            }
            Error::Damaged { .. } | Error::Closed { .. } | Error::Row(_) => Self::internal(error),
        }
    }
}

/// The number that no segment has: they begin at 1.
const NO_SEGMENT: u32 = 0;

/// The data centres that hold a copy each, the first one first; never empty.
pub(crate) type Sites = Arc<[String]>;

/// The segments that take new bytes. Bytes of different data centres never share one, nor do small and large
/// bodies.
struct Lanes {
    /// The number of the next segment.
    next: u32,
    active: HashMap<Lane, Active>,
}

/// What shares a segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    sites: Sites,
    /// Of bodies that are synced together with the commits that refer to them: that is not to take as long as
    /// syncing what others wrote.
    small: bool,
}

/// A segment that takes new bytes.
struct Active {
    segment: Arc<Segment>,
    tail: u64,
    extents: u32,
}

/// A segment that takes no more bytes but may have some whose fate is open.
struct Rotated {
    segment: Arc<Segment>,
    length: u64,
}

/// A range that its writer gave up.
struct Condemned {
    segment: Arc<Segment>,
    range: Range,
}

/// All segments.
pub(crate) struct Blobs {
    db: Db,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    dirs: Dirs,
    pub(crate) limits: Limits,
    /// The size of a file-system block: what can be punched out.
    block: u64,
    lanes: Mutex<Lanes>,
    /// Stores outside of this program.
    stores: Stores,
    /// Where the copies are of the segments that have others than the first file.
    spread: Mutex<HashMap<u32, Spread>>,
    /// Segments in backends that a crash left open: what is there and has no row is still to be removed.
    suspects: Mutex<Vec<u32>>,
    /// Set by readers that found a copy missing.
    repair_wanted: AtomicBool,
    rotated: Mutex<Vec<Rotated>>,
    condemned: Mutex<Vec<Condemned>>,
    open: Mutex<HashMap<u32, Arc<Segment>>>,
    pub(crate) pins: Arc<Pins>,
    buffers: Arc<read::Buffers>,
    /// Digests large bodies side by side.
    md5: Md5Pool,
    /// Bytes of unfinished bodies in memory.
    buffered: Arc<AtomicUsize>,
    /// One reclaimer at a time.
    reclaiming: tokio::sync::Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Blobs {
    /// Opens the directory, recovers what a crash left, and begins a segment for `home` where there is such
    /// a data centre, so that a disk which takes no bytes is found now. Blocks.
    pub(crate) fn open(
        db: Db,
        (clock, rng): (Arc<dyn Clock>, Arc<dyn Rng>),
        (root, disks, backends): (&Path, Disks, Vec<Backend>),
        home: Option<&str>,
        limits: Limits,
    ) -> Result<Arc<Self>, ApiError> {
        sites::check(&db, &*rng, &disks)?;
        let homes = db.read_blocking(tables::disk::homes)?;
        let dirs = Dirs::new(root, disks, homes, disk::Disk(limits.recorder));
        dirs.make(NO_SEGMENT, &Spread::default()).map_err(Error::from)?;
        let stores = Stores::open(&db, &*rng, backends)?;
        let Recovered { next, spread, suspects } =
            recover::recover(&db, &dirs, stores.copies(&db)?)?;
        let block = fs::metadata(dirs.home()).map_err(Error::from)?.blksize().max(512);
        let blobs = Self {
            db,
            clock,
            rng,
            dirs,
            limits,
            block,
            lanes: Mutex::new(Lanes { next, active: HashMap::new() }),
            stores,
            spread: Mutex::new(spread),
            suspects: Mutex::new(suspects),
            repair_wanted: AtomicBool::new(false),
            rotated: Mutex::default(),
            condemned: Mutex::default(),
            open: Mutex::default(),
            pins: Arc::default(),
            buffers: Arc::default(),
            md5: Md5Pool::default(),
            buffered: Arc::default(),
            reclaiming: tokio::sync::Mutex::default(),
        };
        let near = |site: &&str| blobs.stores.of_site(site).is_none();
        if let Some(home) = home.filter(near) {
            let lane = Lane { sites: [home.to_owned()].into(), small: true };
            blobs.begin(&mut lock(&blobs.lanes), &lane)?;
        }
        Ok(Arc::new(blobs))
    }

    /// Room for an extent. Nobody else ever gets the same.
    fn reserve(&self, lane: &Lane, len: u32) -> Result<(Arc<Segment>, u32), Error> {
        self.check_room(&lane.sites)?;
        let mut lanes = lock(&self.lanes);
        let full = |active: &Active| {
            active.tail + u64::from(len) > self.limits.segment_bytes_max
                || active.extents >= self.limits.segment_extents_max
                || active.segment.failed()
        };
        if lanes.active.get(lane).is_none_or(full) {
            self.begin(&mut lanes, lane)?;
        }
        let active = lanes.active.get_mut(lane).expect("it was there or has just begun");
        let start = u32::try_from(active.tail)
            .map_err(|_| Error::Row("a segment beyond 4 GiB".to_owned()))?;
        active.tail += u64::from(len);
        active.extents += 1;
        Ok((Arc::clone(&active.segment), start))
    }

    /// Refuses where a disk that gets bytes, or rows of them, has no more left than its reserve.
    fn check_room(&self, sites: &Sites) -> Result<(), Error> {
        let reserve = self.limits.disk_reserve_bytes;
        if reserve == 0 {
            return Ok(());
        }
        let near = sites.iter().filter(|site| self.stores.of_site(site).is_none());
        for root in self.dirs.roots(near) {
            if !sites::has_room(root, reserve)? {
                return Err(Error::Reserved);
            }
        }
        Ok(())
    }

    /// Begins a new segment. It blocks for the creation of a file in each data centre, or for the commit that
    /// names the backend there, once in a gigabyte.
    fn begin(&self, lanes: &mut Lanes, lane: &Lane) -> Result<(), Error> {
        let sites = &lane.sites;
        let id = lanes.next;
        let next = id.checked_add(1).ok_or_else(used_up)?;
        if self.goes_far(sites) {
            // Should this fail, what was written down about the number must not be taken for another's.
            lanes.next = next;
        }
        let spread = self.spread_new(id, sites)?;
        self.dirs.leave(id); // an attempt before, for others, may have failed
        if let Some(home) = sites.first().filter(|_| spread.first().is_none()) {
            self.dirs.settle_in(id, home);
        }
        let segment = Arc::new(Segment::create(&self.dirs, id, spread.clone())?);
        lanes.next = next;
        if sites.len() > 1 || !spread.remote.is_empty() {
            lock(&self.spread).insert(id, spread);
        }
        self.keep_open(&segment);
        let new = Active { segment, tail: 0, extents: 0 };
        if let Some(old) = lanes.active.insert(lane.clone(), new) {
            lock(&self.rotated).push(Rotated { segment: old.segment, length: old.tail });
        }
        Ok(())
    }

    /// Where a segment's copies are.
    fn spread_of(&self, id: u32) -> Spread {
        lock(&self.spread).get(&id).cloned().unwrap_or_default()
    }

    /// A segment to read from or punch.
    fn segment(&self, id: u32) -> Result<Arc<Segment>, Error> {
        if let Some(segment) = lock(&self.open).get(&id) {
            return Ok(Arc::clone(segment));
        }
        let segment = Arc::new(Segment::open(&self.dirs, id, self.spread_of(id))?);
        self.keep_open(&segment);
        Ok(segment)
    }

    fn keep_open(&self, segment: &Arc<Segment>) {
        let mut open = lock(&self.open);
        if open.len() >= self.limits.files_max {
            // Any will do: it is opened again when it is needed.
            let victim = open.keys().copied().find(|id| *id != segment.id);
            victim.and_then(|id| open.remove(&id));
        }
        open.insert(segment.id, Arc::clone(segment));
    }

    /// How much space the segment files take, all copies together; not what is in backends.
    pub(crate) async fn space(self: &Arc<Self>) -> Result<Space, ApiError> {
        let blobs = Arc::clone(self);
        blocking(move || {
            let mut space = Space::default();
            for dir in blobs.dirs.all()? {
                for entry in fs::read_dir(dir)? {
                    let data = entry?.metadata()?;
                    space.files += 1;
                    space.length += data.len();
                    space.allocated += data.blocks() * 512;
                }
            }
            Ok(space)
        })
        .await
        .map_err(ApiError::from)
    }
}

fn used_up() -> Error {
    Error::Row("segment numbers are used up".to_owned())
}

/// Runs what may block on a thread for that.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(stopped) => Err(Error::Io(io::Error::other(stopped))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_takes_no_bytes_is_told_apart_from_one_that_fails() {
        let code = |kind: io::ErrorKind| ApiError::from(Error::from(io::Error::from(kind)));
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem] {
            assert_eq!((code(kind).code(), code(kind).status()), ("InsufficientStorage", 507));
        }
        assert_eq!(code(io::ErrorKind::NotFound).code(), "InternalError");
    }
}
