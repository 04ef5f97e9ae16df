//! Bytes: append-only segment files, one of them taking new bytes at a time.
//!
//! A writer reserves room, writes extents of at most 1 MiB at offsets of its own, and shares its
//! `fdatasync` with everybody else ([`segment`]). A reader gets whole extents whose CRC-64 fits
//! ([`read`]). Freed bytes are punched out of the files once nobody reads them, and a segment that is
//! dead altogether is removed ([`reclaim`], [`recover`]). Offsets are never used twice.
//!
//! Not here: what the bytes are. Buckets, keys and permissions are unknown on this side.

pub(crate) mod extent;
pub(crate) mod pins;
mod read;
mod reclaim;
mod recover;
pub(crate) mod segment;
mod write;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{ApiError, Clock};
use store::Db;

pub(crate) use extent::{Extent, Range};
pub(crate) use pins::Pins;
pub(crate) use segment::Segment;
pub(crate) use write::Written;

use crate::error;

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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes_max: 1 << 30,
            segment_extents_max: 500_000,
            buffered_bytes_max: 32 << 20,
            files_max: 512,
        }
    }
}

/// The space that segments take.
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
    /// Anything else that the disk says.
    #[error("the disk failed")]
    Io(#[source] io::Error),
    /// The bytes are not those that were written.
    #[error("segment {segment} is damaged at {start} ({len} bytes)")]
    Damaged { segment: u32, start: u32, len: u32 },
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
            Error::Io(cause) => Self::internal(format!("{error}: {cause}")),
            Error::Damaged { .. } | Error::Row(_) => Self::internal(error),
        }
    }
}

/// The segment that takes new bytes.
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

/// All segments of one directory.
pub(crate) struct Blobs {
    db: Db,
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    limits: Limits,
    /// The size of a file-system block: what can be punched out.
    block: u64,
    active: Mutex<Active>,
    rotated: Mutex<Vec<Rotated>>,
    condemned: Mutex<Vec<Condemned>>,
    open: Mutex<HashMap<u32, Arc<Segment>>>,
    pub(crate) pins: Arc<Pins>,
    buffers: Arc<read::Buffers>,
    /// Bytes of unfinished bodies in memory.
    buffered: Arc<AtomicUsize>,
    /// One reclaimer at a time.
    reclaiming: tokio::sync::Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a directory, two levels of it at most, whose names survive a power loss.
fn make_durable(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for made in dir.ancestors().skip(1).take(2).filter(|made| !made.as_os_str().is_empty()) {
        fs::File::open(made)?.sync_all()?;
    }
    Ok(())
}

impl Blobs {
    /// Opens the directory, recovers what a crash left, and begins a new segment. Blocks.
    pub(crate) fn open(
        db: Db,
        clock: Arc<dyn Clock>,
        dir: &Path,
        limits: Limits,
    ) -> Result<Arc<Self>, ApiError> {
        make_durable(dir).map_err(Error::from)?;
        let next = recover::recover(&db, dir)?;
        let segment = Arc::new(Segment::create(dir, next).map_err(Error::from)?);
        let block = segment.file.metadata().map_err(Error::from)?.blksize().max(512);
        let open = HashMap::from([(next, Arc::clone(&segment))]);
        Ok(Arc::new(Self {
            db,
            clock,
            dir: dir.to_owned(),
            limits,
            block,
            active: Mutex::new(Active { segment, tail: 0, extents: 0 }),
            rotated: Mutex::default(),
            condemned: Mutex::default(),
            open: Mutex::new(open),
            pins: Arc::default(),
            buffers: Arc::default(),
            buffered: Arc::default(),
            reclaiming: tokio::sync::Mutex::default(),
        }))
    }

    /// Room for an extent. Nobody else ever gets the same.
    fn reserve(&self, len: u32) -> Result<(Arc<Segment>, u32), Error> {
        let mut active = lock(&self.active);
        let full = active.tail + u64::from(len) > self.limits.segment_bytes_max
            || active.extents >= self.limits.segment_extents_max;
        if full || active.segment.failed() {
            self.rotate(&mut active)?;
        }
        let start = u32::try_from(active.tail)
            .map_err(|_| Error::Row("a segment beyond 4 GiB".to_owned()))?;
        active.tail += u64::from(len);
        active.extents += 1;
        Ok((Arc::clone(&active.segment), start))
    }

    /// Begins a new segment. It blocks for one file creation, once in a gigabyte.
    fn rotate(&self, active: &mut Active) -> Result<(), Error> {
        let id = active.segment.id + 1;
        let segment = Arc::new(Segment::create(&self.dir, id)?);
        self.keep_open(&segment);
        let old = std::mem::replace(active, Active { segment, tail: 0, extents: 0 });
        lock(&self.rotated).push(Rotated { segment: old.segment, length: old.tail });
        Ok(())
    }

    /// A segment to read from or punch.
    fn segment(&self, id: u32) -> Result<Arc<Segment>, Error> {
        if let Some(segment) = lock(&self.open).get(&id) {
            return Ok(Arc::clone(segment));
        }
        let segment = Arc::new(Segment::open(&self.dir, id)?);
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

    /// How much space the segments take.
    pub(crate) async fn space(self: &Arc<Self>) -> Result<Space, ApiError> {
        let dir = self.dir.clone();
        blocking(move || {
            let mut space = Space::default();
            for entry in fs::read_dir(dir)? {
                let data = entry?.metadata()?;
                space.files += 1;
                space.length += data.len();
                space.allocated += data.blocks() * 512;
            }
            Ok(space)
        })
        .await
        .map_err(ApiError::from)
    }
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
