//! One segment: append-only, synced in groups, and the same in each data centre that it belongs to: a file, or
//! objects in a backend, which acknowledges each write by itself.
//!
//! Many writers write at offsets of their own at the same time; one `fdatasync` covers everybody
//! whose bytes were written before it began. Whoever waits and finds none running begins the next.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use store::Prior;
use tokio::sync::Notify;

use super::Error;
use super::dirs::{Dirs, Spot};
use super::disk::Disk;
use super::remote::{Remote, Spread};

/// A sync that takes longer may be one that never ends.
const LATE: Duration = Duration::from_millis(100);

/// One copy of a segment.
pub(super) enum Copy {
    File(File),
    Remote(Remote),
}

pub(crate) struct Segment {
    pub(crate) id: u32,
    /// In which data centres its copies are.
    pub(super) spread: Spread,
    disk: Disk,
    /// The copies, the first one first; `None` where a file could not be opened.
    copies: Vec<Option<Copy>>,
    /// Bytes whose fate is decided; equals the length once nobody writes any more.
    pub(crate) settled: AtomicU64,
    group: Mutex<Group>,
    /// Held from the beginning of a sync until what came of it is noted: of two syncs of a file the kernel
    /// tells only one that bytes were lost.
    syncing: Mutex<()>,
    /// Wakes tasks.
    synced: Notify,
    /// Wakes threads.
    synced_here: Condvar,
}

/// Which `fdatasync` is running. They are numbered from 1, one after another.
#[derive(Default)]
struct Group {
    /// The last one that began.
    begun: u64,
    /// The last one that ended well; the one that began is running where this is less.
    ended: u64,
    /// Since when the last one that began runs.
    since: Option<Instant>,
    /// Set for ever by the first failure: the kernel drops the dirty pages of a failed sync, so that
    /// a later one would succeed without them.
    failed: Option<io::ErrorKind>,
}

pub(crate) fn path(dir: &Path, id: u32) -> PathBuf {
    dir.join(format!("{id}.seg"))
}

impl Segment {
    /// Makes a new, empty segment whose names survive a power loss.
    pub(super) fn create(dirs: &Dirs, id: u32, spread: Spread) -> io::Result<Self> {
        dirs.make(id, &spread)?;
        let make = |spot: Spot| match spot {
            Spot::File(path) => dirs.disk.create(&path).map(Copy::File),
            Spot::Remote(remote) => Ok(Copy::Remote(remote)),
        };
        let spots = dirs.spots(id, &spread).into_iter();
        let made: io::Result<Vec<_>> = spots.map(|spot| make(spot).map(Some)).collect();
        if made.is_err() {
            // Otherwise the next try would find the number taken.
            dirs.files(id, &spread).iter().for_each(|path| drop(fs::remove_file(path)));
        }
        Ok(Self::new(dirs, id, spread, made?))
    }

    /// Opens one that is there: as many copies as can be, only for reading where the file system is
    /// read-only.
    ///
    /// # Errors
    /// The first copy's, where there is none.
    pub(super) fn open(dirs: &Dirs, id: u32, spread: Spread) -> io::Result<Self> {
        let (mut copies, mut failed) = (Vec::new(), None);
        for spot in dirs.spots(id, &spread) {
            let path = match spot {
                Spot::File(path) => path,
                Spot::Remote(remote) => {
                    copies.push(Some(Copy::Remote(remote)));
                    continue;
                }
            };
            let both = OpenOptions::new().read(true).write(true).open(&path);
            match both.or_else(|_| File::open(&path)) {
                Ok(file) => copies.push(Some(Copy::File(file))),
                Err(error) => {
                    copies.push(None);
                    failed = failed.or(Some(error));
                }
            }
        }
        match failed {
            Some(error) if copies.iter().all(Option::is_none) => Err(error),
            Some(error) => {
                tracing::error!(segment = id, %error, "a copy of a segment cannot be opened");
                Ok(Self::new(dirs, id, spread, copies))
            }
            None => Ok(Self::new(dirs, id, spread, copies)),
        }
    }

    fn new(dirs: &Dirs, id: u32, spread: Spread, copies: Vec<Option<Copy>>) -> Self {
        let (settled, group, syncing) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        let (synced, synced_here) = (Notify::new(), Condvar::new());
        Self { id, spread, disk: dirs.disk, copies, settled, group, syncing, synced, synced_here }
    }

    /// The copies, the first one first; `None` for one that could not be opened.
    pub(super) fn copies(&self) -> impl Iterator<Item = Option<&Copy>> {
        self.copies.iter().map(Option::as_ref)
    }

    /// All copies, for what must be done to every one.
    fn present(&self) -> io::Result<Vec<&Copy>> {
        let missing = || io::Error::other("a copy of the segment is missing");
        self.copies().map(|copy| copy.ok_or_else(missing)).collect()
    }

    /// True where a copy is in a backend.
    pub(super) fn is_far(&self) -> bool {
        !self.spread.remote.is_empty()
    }

    /// Writes into every copy. What is in a backend is durable then.
    pub(super) fn write(&self, bytes: &[u8], start: u32) -> Result<(), Error> {
        self.present()?.iter().try_for_each(|copy| copy.write(self.disk, bytes, start))
    }

    pub(crate) fn settle(&self, bytes: u64) {
        self.settled.fetch_add(bytes, Ordering::AcqRel);
    }

    /// True once a sync failed: the segment takes no more bytes.
    pub(crate) fn failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// True where no sync failed or takes longer than a disk does that is well.
    pub(super) fn is_well(&self) -> bool {
        let group = self.lock();
        let late = |since: Instant| since.elapsed() > LATE;
        group.failed.is_none() && !(group.begun > group.ended && group.since.is_some_and(late))
    }

    /// Returns when everything written to this segment before the call is durable in every copy.
    pub(crate) async fn sync(self: &Arc<Self>) -> io::Result<()> {
        let mine = self.lock().begun + 1;
        loop {
            // Registered before the state is looked at, so that no wake-up is lost.
            let mut woken = std::pin::pin!(self.synced.notified());
            woken.as_mut().enable();
            match self.lock().turn(mine) {
                Turn::Over(result) => return result,
                Turn::Mine => {
                    let segment = Arc::clone(self);
                    // By itself: a task that is cancelled must not leave the others waiting.
                    tokio::task::spawn_blocking(move || segment.run_sync());
                }
                Turn::Wait => {}
            }
            woken.await;
        }
    }

    /// As [`Self::sync`], on a thread that may block.
    fn sync_here(&self) -> io::Result<()> {
        let mut group = self.lock();
        let mine = group.begun + 1;
        loop {
            match group.turn(mine) {
                Turn::Over(result) => return result,
                Turn::Mine => {
                    drop(group);
                    self.run_sync();
                    group = self.lock();
                }
                Turn::Wait => {
                    group = self.synced_here.wait(group).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Runs the sync that has begun.
    fn run_sync(&self) {
        let alone = self.sync_alone();
        let run = AssertUnwindSafe(|| self.sync_copies());
        // Whoever waits must learn of its end, whatever that is.
        let stopped = |_| Err(io::Error::other("a sync panicked"));
        let result = catch_unwind(run).unwrap_or_else(stopped);
        let mut group = self.lock();
        match result {
            Ok(()) => group.ended = group.begun,
            Err(error) => group.fail(self.id, &error),
        }
        drop((group, alone));
        self.wake();
    }

    fn wake(&self) {
        self.synced.notify_waiters();
        self.synced_here.notify_all();
    }

    /// Writes an extent anew into one copy, durably. Where its sync fails, the segment takes no more bytes, and
    /// none is acknowledged of those that were written to it and not synced: whoever asks next would be told
    /// that all is well.
    pub(super) fn mend(&self, copy: &Copy, bytes: &[u8], start: u32) -> Result<(), Error> {
        let before = self.lock().failed;
        copy.write(self.disk, bytes, start)?;
        let _alone = self.sync_alone();
        if let Err(error) = copy.sync(self.disk) {
            self.lock().fail(self.id, &error);
            self.wake();
            return Err(error.into());
        }
        // Another sync may have been told that these bytes were lost, in place of this one.
        match self.lock().failed {
            Some(kind) if before.is_none() => Err(io::Error::from(kind).into()),
            _ => Ok(()),
        }
    }

    fn sync_alone(&self) -> std::sync::MutexGuard<'_, ()> {
        self.syncing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs every copy, all at the same time: they are on different disks.
    fn sync_copies(&self) -> io::Result<()> {
        let present = self.present()?;
        let files: Vec<&File> = present.into_iter().filter_map(Copy::file).collect();
        let Some((first, further)) = files.split_first() else { return Ok(()) };
        if further.is_empty() {
            return self.disk.sync(first);
        }
        thread::scope(|scope| {
            let mut begun = Vec::with_capacity(further.len());
            for &file in further {
                let sync = thread::Builder::new().spawn_scoped(scope, || self.disk.sync(file));
                begun.push((file, sync));
            }
            let stopped = |_| Err(io::Error::other("the thread of a sync stopped"));
            let done = begun.into_iter().map(|(file, sync)| match sync {
                Ok(sync) => sync.join().unwrap_or_else(stopped),
                // There are no more threads: here, then.
                Err(_) => self.disk.sync(file),
            });
            // Each is waited for, whatever the others say.
            std::iter::once(self.disk.sync(first)).chain(done).fold(Ok(()), Result::and)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn fail(&mut self, segment: u32, error: &io::Error) {
        tracing::error!(segment, %error, "sync a segment; it takes no more bytes");
        self.failed.get_or_insert(error.kind());
    }

    /// What somebody is to do who waits for a sync.
    fn turn(&mut self, mine: u64) -> Turn {
        if let Some(kind) = self.failed {
            Turn::Over(Err(kind.into()))
        } else if self.ended >= mine {
            Turn::Over(Ok(()))
        } else if self.begun > self.ended {
            Turn::Wait
        } else {
            self.begun += 1;
            self.since = Some(Instant::now());
            Turn::Mine
        }
    }
}

enum Turn {
    /// It has ended.
    Over(io::Result<()>),
    /// Run the one that has just begun.
    Mine,
    /// One is running.
    Wait,
}

impl Prior for Segment {
    fn make_durable(&self) -> Result<(), store::Error> {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        self.sync_here().map_err(|error| match error.kind() {
            StorageFull | QuotaExceeded | ReadOnlyFilesystem => {
                store::Error::Full(error.to_string())
            }
            _ => store::Error::Other(format!("sync a segment: {error}")),
        })
    }
}

impl Copy {
    fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::Remote(_) => None,
        }
    }

    /// Writes an extent.
    fn write(&self, disk: Disk, bytes: &[u8], start: u32) -> Result<(), Error> {
        match self {
            Self::File(file) => Ok(disk.write(file, bytes, start.into())?),
            Self::Remote(remote) => remote.put(bytes, start),
        }
    }

    /// Makes what was written durable, where the writing did not.
    fn sync(&self, disk: Disk) -> io::Result<()> {
        match self {
            Self::File(file) => disk.sync(file),
            Self::Remote(_) => Ok(()),
        }
    }
}
