//! One segment: append-only, synced in groups, and the same file in each data centre that it belongs to.
//!
//! Many writers write at offsets of their own at the same time; one `fdatasync` covers everybody
//! whose bytes were written before it began.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::dirs::Dirs;
use super::disk::Disk;

pub(crate) struct Segment {
    pub(crate) id: u32,
    /// The data centres of the further copies.
    pub(crate) mirrors: Vec<String>,
    disk: Disk,
    /// The files, the first copy first; `None` where one could not be opened.
    copies: Vec<Option<File>>,
    /// Bytes whose fate is decided; equals the length once nobody writes any more.
    pub(crate) settled: AtomicU64,
    group: Mutex<Group>,
    synced: Notify,
}

/// Who waits for which `fdatasync`. They are numbered from 1.
#[derive(Default)]
struct Group {
    /// The last one that began.
    begun: u64,
    /// The last one that ended well.
    ended: u64,
    /// The last one that somebody waits for.
    wanted: u64,
    running: bool,
    /// Set for ever by the first failure: the kernel drops the dirty pages of a failed sync, so that
    /// a later one would succeed without them.
    failed: Option<io::ErrorKind>,
}

pub(crate) fn path(dir: &Path, id: u32) -> PathBuf {
    dir.join(format!("{id}.seg"))
}

impl Segment {
    /// Makes a new, empty segment whose names survive a power loss.
    pub(super) fn create(dirs: &Dirs, id: u32, mirrors: &[String]) -> io::Result<Self> {
        dirs.make(id, mirrors)?;
        let files = dirs.files(id, mirrors);
        let made: io::Result<Vec<_>> =
            files.iter().map(|path| dirs.disk.create(path).map(Some)).collect();
        if made.is_err() {
            // Otherwise the next try would find the number taken.
            files.iter().for_each(|path| drop(fs::remove_file(path)));
        }
        Ok(Self::new(dirs, id, mirrors, made?))
    }

    /// Opens one that is there: as many copies as can be, only for reading where the file system is
    /// read-only.
    ///
    /// # Errors
    /// The first copy's, where there is none.
    pub(super) fn open(dirs: &Dirs, id: u32, mirrors: &[String]) -> io::Result<Self> {
        let (mut copies, mut failed) = (Vec::new(), None);
        for path in dirs.files(id, mirrors) {
            let both = OpenOptions::new().read(true).write(true).open(&path);
            match both.or_else(|_| File::open(&path)) {
                Ok(file) => copies.push(Some(file)),
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
                Ok(Self::new(dirs, id, mirrors, copies))
            }
            None => Ok(Self::new(dirs, id, mirrors, copies)),
        }
    }

    fn new(dirs: &Dirs, id: u32, mirrors: &[String], copies: Vec<Option<File>>) -> Self {
        let (settled, group, synced) = (AtomicU64::new(0), Mutex::default(), Notify::new());
        let (disk, mirrors) = (dirs.disk, mirrors.to_vec());
        Self { id, mirrors, disk, copies, settled, group, synced }
    }

    /// The copies, the first one first; `None` for one that could not be opened.
    pub(super) fn copies(&self) -> impl Iterator<Item = Option<&File>> {
        self.copies.iter().map(Option::as_ref)
    }

    /// All files, for what must be done to every copy.
    fn files(&self) -> io::Result<Vec<&File>> {
        let missing = || io::Error::other("a copy of the segment is missing");
        self.copies().map(|copy| copy.ok_or_else(missing)).collect()
    }

    /// Writes into every copy.
    pub(crate) fn write(&self, bytes: &[u8], start: u32) -> io::Result<()> {
        let files = self.files()?;
        files.iter().try_for_each(|file| self.disk.write(file, bytes, start.into()))
    }

    pub(crate) fn settle(&self, bytes: u64) {
        self.settled.fetch_add(bytes, Ordering::AcqRel);
    }

    /// True once a sync failed: the segment takes no more bytes.
    pub(crate) fn failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Returns when everything written to this segment before the call is durable in every copy.
    pub(crate) async fn sync(self: &Arc<Self>) -> io::Result<()> {
        let mine = {
            let mut group = self.lock();
            let mine = group.begun + 1;
            group.wanted = group.wanted.max(mine);
            if !group.running {
                group.running = true;
                group.begun = mine;
                let segment = Arc::clone(self);
                tokio::task::spawn_blocking(move || segment.run_syncs());
            }
            mine
        };
        loop {
            // Registered before the state is looked at, so that no wake-up is lost.
            let mut woken = std::pin::pin!(self.synced.notified());
            woken.as_mut().enable();
            {
                let group = self.lock();
                if let Some(kind) = group.failed {
                    return Err(kind.into());
                }
                if group.ended >= mine {
                    return Ok(());
                }
            }
            woken.await;
        }
    }

    /// Syncs until nobody waits. On a thread that may block.
    fn run_syncs(&self) {
        loop {
            let result = self.sync_copies();
            let mut group = self.lock();
            match result {
                Ok(()) => group.ended = group.begun,
                Err(error) => {
                    tracing::error!(segment = self.id, %error, "sync a segment; it takes no more bytes");
                    group.failed = Some(error.kind());
                }
            }
            group.running = group.failed.is_none() && group.wanted > group.ended;
            if group.running {
                group.begun += 1;
            }
            let again = group.running;
            drop(group);
            self.synced.notify_waiters();
            if !again {
                return;
            }
        }
    }

    /// Syncs every copy, all at the same time: they are on different disks.
    fn sync_copies(&self) -> io::Result<()> {
        let files = self.files()?;
        let Some((first, further)) = files.split_first() else { return Ok(()) };
        if further.is_empty() {
            return self.disk.sync(first);
        }
        std::thread::scope(|scope| {
            let begun: Vec<_> =
                further.iter().map(|file| scope.spawn(|| self.disk.sync(file))).collect();
            let stopped = |_| Err(io::Error::other("the thread of a sync stopped"));
            let done = begun.into_iter().map(|sync| sync.join().unwrap_or_else(stopped));
            // Each is waited for, whatever the others say.
            std::iter::once(self.disk.sync(first)).chain(done).fold(Ok(()), Result::and)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
