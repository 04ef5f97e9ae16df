//! One segment file: append-only, synced in groups.
//!
//! Many writers write at offsets of their own at the same time; one `fdatasync` covers everybody
//! whose bytes were written before it began.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

pub(crate) struct Segment {
    pub(crate) id: u32,
    pub(crate) file: File,
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
    /// Makes a new, empty segment whose name survives a power loss.
    pub(crate) fn create(dir: &Path, id: u32) -> io::Result<Self> {
        // Opened first: it must not be what fails once the file is there.
        let folder = File::open(dir)?;
        let path = path(dir, id);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        if let Err(error) = folder.sync_all() {
            // Otherwise the next try would find the number taken.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self::new(id, file))
    }

    /// Opens one that is there; only for reading where the file system is read-only.
    pub(crate) fn open(dir: &Path, id: u32) -> io::Result<Self> {
        let path = path(dir, id);
        let file =
            OpenOptions::new().read(true).write(true).open(&path).or_else(|_| File::open(&path))?;
        Ok(Self::new(id, file))
    }

    fn new(id: u32, file: File) -> Self {
        let (settled, group, synced) = (AtomicU64::new(0), Mutex::default(), Notify::new());
        Self { id, file, settled, group, synced }
    }

    pub(crate) fn write(&self, bytes: &[u8], start: u32) -> io::Result<()> {
        self.file.write_all_at(bytes, start.into())
    }

    pub(crate) fn settle(&self, bytes: u64) {
        self.settled.fetch_add(bytes, Ordering::AcqRel);
    }

    /// True once a sync failed: the segment takes no more bytes.
    pub(crate) fn failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Returns when everything written to this segment before the call is durable.
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
            let result = self.file.sync_data();
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
