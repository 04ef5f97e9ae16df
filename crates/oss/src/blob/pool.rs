//! The disks below the segments, each with a bound of its own: so many threads at a time, and a known room. A disk
//! that hangs holds those who need it, and nobody else.
//!
//! Not here: which segment is on which disk ([`super::dirs`]).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::dirs::Dirs;
use super::disk::{Disk, DiskStep};
use super::{Blobs, Error, Lane, Sites, lock};
use crate::backend::Backend;

/// Threads that one disk may have, of the many that there are for all.
const CALLS_MAX: usize = 64;
/// How old a disk's room may be while it takes bytes. What is written meanwhile is taken off.
const ROOM_AGE: Duration = Duration::from_millis(250);

/// One disk.
pub(super) struct Pool {
    root: PathBuf,
    permits: Arc<Semaphore>,
    /// Bytes that were left when it was last asked, less those that were written since.
    room: AtomicI64,
    asked: Mutex<Asked>,
}

/// When a disk was last asked how much is left.
struct Asked {
    at: Instant,
    /// It has not answered yet.
    waiting: bool,
}

impl Pool {
    /// The disk below that directory. Asks it for its room, and blocks for that.
    pub(super) fn new(root: &Path) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            root: root.to_owned(),
            permits: Arc::new(Semaphore::new(CALLS_MAX)),
            room: AtomicI64::new(room(root)?),
            asked: Mutex::new(Asked { at: Instant::now(), waiting: false }),
        }))
    }

    /// Leave for one thread, for which is waited at most so long.
    async fn permit(&self, wait_max: Duration) -> Result<OwnedSemaphorePermit, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(wait_max, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.stuck()),
        }
    }

    fn stuck(&self) -> Error {
        Error::Stuck { disk: self.root.clone() }
    }

    /// Whether more is left than `reserve`, as far as is known; takes `len` off. Never waits for the disk.
    fn take(self: &Arc<Self>, len: u32, reserve: u64, disk: Disk) -> bool {
        self.ask(disk);
        let before = self.room.fetch_sub(len.into(), Ordering::Relaxed);
        u64::try_from(before).is_ok_and(|left| left > reserve)
    }

    /// Asks the disk for its room on another thread, unless it answered just now or has not answered yet.
    fn ask(self: &Arc<Self>, disk: Disk) {
        {
            let mut asked = lock(&self.asked);
            if asked.waiting || asked.at.elapsed() < ROOM_AGE {
                return;
            }
            asked.waiting = true;
        }
        let pool = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            disk.note(DiskStep::Asks(&pool.root));
            match room(&pool.root) {
                Ok(room) => pool.room.store(room, Ordering::Relaxed),
                // Whoever writes there learns of it.
                Err(error) => tracing::error!(disk = %pool.root.display(), %error, "ask for room"),
            }
            *lock(&pool.asked) = Asked { at: Instant::now(), waiting: false };
        });
    }
}

/// Bytes that are left on a file system for us.
fn room(path: &Path) -> Result<i64, Error> {
    let data = statvfs(path).map_err(std::io::Error::from)?;
    let left = data.f_bavail.saturating_mul(data.f_frsize);
    Ok(i64::try_from(left).unwrap_or(i64::MAX))
}

/// What a copy is reached through.
pub(super) enum Gate {
    Disk(Arc<Pool>),
    Backend(Arc<Backend>),
}

impl Gate {
    /// Leave to use a thread for it.
    pub(super) async fn permit(
        &self,
        wait_max: Duration,
    ) -> Result<Option<OwnedSemaphorePermit>, Error> {
        match self {
            Self::Disk(pool) => pool.permit(wait_max).await.map(Some),
            Self::Backend(backend) => Ok(Backend::permits(vec![Arc::clone(backend)]).await.pop()),
        }
    }

    /// Leave to use a thread for it, where that takes no waiting.
    pub(super) fn permit_now(&self) -> Option<Option<OwnedSemaphorePermit>> {
        match self {
            Self::Disk(pool) => Arc::clone(&pool.permits).try_acquire_owned().ok().map(Some),
            // It has time limits of its own.
            Self::Backend(_) => Some(None),
        }
    }

    /// Why it is not waited for any longer.
    pub(super) fn stuck(&self) -> Error {
        match self {
            Self::Disk(pool) => pool.stuck(),
            Self::Backend(backend) => Error::Away {
                backend: backend.name().to_owned(),
                doing: "get",
                cause: "it does not answer".to_owned(),
            },
        }
    }
}

/// The disks: that of the data directory first, and those of data centres with their own.
pub(super) struct Pools {
    shared: Arc<Pool>,
    own: Vec<(String, Arc<Pool>)>,
}

impl Pools {
    /// Asks each disk for its room. Blocks.
    pub(super) fn open(dirs: &Dirs) -> Result<Self, Error> {
        let own = dirs.disks().iter().map(|(site, root)| Ok((site.clone(), Pool::new(root)?)));
        let own = own.collect::<Result<Vec<_>, Error>>()?;
        Ok(Self { shared: Pool::new(dirs.root())?, own })
    }

    /// The disk that new copies of a data centre go to.
    fn of_site(&self, site: &str) -> &Arc<Pool> {
        self.own(site).unwrap_or(&self.shared)
    }

    fn own(&self, site: &str) -> Option<&Arc<Pool>> {
        self.own.iter().find(|(other, _)| other == site).map(|(_, pool)| pool)
    }
}

impl Blobs {
    /// Refuses where a disk that gets bytes, or rows of them, has no more left than its reserve.
    pub(super) fn check_room(&self, sites: &Sites, len: u32) -> Result<(), Error> {
        let (reserve, disk) = (self.limits.disk_reserve_bytes, self.dirs.disk);
        if reserve == 0 {
            return Ok(());
        }
        let near = sites.iter().filter(|site| self.stores.of_site(site).is_none());
        let own = near.filter_map(|site| self.pools.own(site));
        let has_room =
            std::iter::once(&self.pools.shared).chain(own).all(|it| it.take(len, reserve, disk));
        if has_room { Ok(()) } else { Err(Error::Reserved) }
    }

    /// Asks every disk how much is left on it. None is waited for.
    pub(crate) fn ask_for_room(&self) {
        for pool in self.pools.own.iter().map(|(_, pool)| pool).chain([&self.pools.shared]) {
            pool.ask(self.dirs.disk);
        }
    }

    /// Leave to write to each of these data centres: first the disks and then the backends, always in the same
    /// order, so that nobody waits for one who waits for him.
    pub(super) async fn permits(&self, sites: &Sites) -> Result<Vec<OwnedSemaphorePermit>, Error> {
        let (mut disks, mut backends) = (Vec::new(), Vec::new());
        for site in sites.iter() {
            match self.stores.of_site(site) {
                Some(backend) => backends.push(Arc::clone(backend)),
                None => disks.push(self.pools.of_site(site)),
            }
        }
        disks.sort_by(|one, other| one.root.cmp(&other.root));
        disks.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let mut permits = Vec::with_capacity(sites.len());
        for disk in disks {
            permits.push(disk.permit(self.limits.disk_wait_max).await?);
        }
        permits.append(&mut Backend::permits(backends).await);
        Ok(permits)
    }

    /// What each copy of a segment is reached through, the first one first.
    pub(super) fn gates(&self, id: u32) -> Vec<Gate> {
        let spread = self.spread_of(id);
        let first = match spread.first() {
            Some(copy) => Gate::Backend(Arc::clone(&copy.backend)),
            None => {
                let home = self.dirs.home_of(id);
                let own = home.and_then(|site| self.pools.own(&site));
                Gate::Disk(Arc::clone(own.unwrap_or(&self.pools.shared)))
            }
        };
        let further = spread.mirrors.iter().map(|site| match spread.at(site) {
            Some(copy) => Gate::Backend(Arc::clone(&copy.backend)),
            None => Gate::Disk(Arc::clone(self.pools.of_site(site))),
        });
        std::iter::once(first).chain(further).collect()
    }

    /// True where a small body can be written right on the task: its segment is open and none of its syncs is
    /// late. Anything else may take as long as the disk likes.
    pub(super) fn is_calm(&self, lane: &Lane) -> bool {
        let lanes = lock(&self.lanes);
        let calm = |active: &super::Active| {
            active.tail + super::write::INLINE_BYTES_MAX as u64 <= self.limits.segment_bytes_max
                && active.extents < self.limits.segment_extents_max
                && active.segment.is_well()
        };
        lanes.active.get(lane).is_some_and(calm)
    }
}
