//! Writing one body: gathered into extents, digested, sealed, written and synced. Until a commit settles it,
//! it is nobody's, and dropping it gives its space back.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base::ApiError;
use engine::places::{Place, Placement};
use store::{Prior, Tx};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use wire::object::checksum::crc64;

use super::extent::EXTENT_BYTES_MAX;
use super::seal::{OVERHEAD, SALT_LEN, TAG_LEN};
use super::{Blobs, BodyKey, Condemned, Error, Extent, Lane, Range, Segment, blocking, lock};
use crate::digest::{Coming, Digested, Digests};
use crate::tables;

/// Up to this size a body is digested and written right on the task: it takes microseconds, and
/// moving it to another thread would take more.
pub(super) const INLINE_BYTES_MAX: usize = 64 << 10;

/// The ranges of one body. Whoever is last to let go of it decides their fate: settled if the
/// transaction that refers to them committed, condemned otherwise. The commit may happen after the
/// client has gone, so it is the commit that says so, not the task that asked for it.
pub(crate) struct Held {
    blobs: Arc<Blobs>,
    ranges: Mutex<Vec<(Arc<Segment>, Range)>>,
    committed: AtomicBool,
}

impl Held {
    /// Notes a range before it is written, joined to the one before where they touch.
    fn add(&self, segment: &Arc<Segment>, range: Range) {
        let mut ranges = lock(&self.ranges);
        match ranges.last_mut() {
            // In a backend each extent is an object, and is given back by its own start.
            _ if segment.is_far() => ranges.push((Arc::clone(segment), range)),
            Some((_, last)) if last.segment == range.segment && last.end() == range.start => {
                last.len += range.len
            }
            _ => ranges.push((Arc::clone(segment), range)),
        }
    }

    fn segments(&self) -> Vec<Arc<Segment>> {
        let mut segments: Vec<Arc<Segment>> =
            lock(&self.ranges).iter().map(|(segment, _)| Arc::clone(segment)).collect();
        segments.sort_by_key(|segment| segment.id);
        segments.dedup_by_key(|segment| segment.id);
        segments
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let committed = self.committed.load(Ordering::Acquire);
        for (segment, range) in lock(&self.ranges).drain(..) {
            if committed {
                segment.settle(range.len);
            } else {
                lock(&self.blobs.condemned).push(Condemned { segment, range });
            }
        }
    }
}

/// Counts the memory of unfinished bodies.
struct Charge {
    total: Arc<AtomicUsize>,
    bytes: usize,
}

impl Charge {
    fn set(&mut self, bytes: usize) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What goes along with the bytes, on whichever thread they are worked on.
struct Work {
    blobs: Arc<Blobs>,
    lane: Lane,
    /// True where a copy goes to a backend: that takes a thread that may wait.
    far: bool,
    held: Arc<Held>,
    digests: Digests,
    key: BodyKey,
    extents: Vec<Extent>,
}

impl Work {
    /// Leave to use the disks and backends that get a copy.
    async fn permits(&self) -> Result<Vec<OwnedSemaphorePermit>, Error> {
        self.blobs.permits(&self.lane.sites).await
    }

    /// Digests, seals and writes what stands in `buffer` behind room for a salt.
    fn store(&mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let plain = buffer.get(SALT_LEN..).unwrap_or_default();
        let crc = crc64(plain);
        self.digests.update((buffer, SALT_LEN), crc, &self.blobs.md5);
        self.key.seal(buffer, &*self.blobs.rng)?;
        let bytes: &[u8] = buffer;
        let len = u32::try_from(bytes.len())
            .map_err(|_| Error::Row("an extent beyond 4 GiB".to_owned()))?;
        let (segment, start) = self.blobs.reserve(&self.lane, len)?;
        let extent =
            Extent { segment: segment.id, start, len, crc64: crc64(bytes), seal: self.key.number };
        self.held.add(&segment, extent.range());
        segment.write(bytes, start)?;
        self.extents.push(extent);
        Ok(())
    }
}

/// An extent that is being written; its memory comes back with the rest.
type Job = JoinHandle<Result<(Work, Vec<u8>), Error>>;

/// A body on its way to the disk. At most two extents of it are in memory: one that fills from the
/// network while the other is digested and written.
pub(crate) struct Writer {
    work: Option<Work>,
    job: Option<Job>,
    buffer: Vec<u8>,
    charge: Charge,
    /// Once the body is large.
    coming: Option<Coming>,
    blobs: Arc<Blobs>,
}

impl Blobs {
    /// Begins a body, of which each data centre of the placement gets a copy, sealed under `key`. No byte is
    /// written that nobody has decided about, and none in clear.
    pub(crate) fn writer(
        self: &Arc<Self>,
        placement: &Placement,
        digests: Digests,
        key: BodyKey,
    ) -> Writer {
        let held = Held {
            blobs: Arc::clone(self),
            ranges: Mutex::default(),
            committed: AtomicBool::new(false),
        };
        let (blobs, held) = (Arc::clone(self), Arc::new(held));
        let sites = placement.places().iter().map(Place::site).map(str::to_owned).collect();
        let lane = Lane { sites, small: false };
        let far = self.goes_far(&lane.sites);
        let work = Work { blobs, lane, far, held, digests, key, extents: Vec::new() };
        let charge = Charge { total: Arc::clone(&self.buffered), bytes: 0 };
        Writer {
            work: Some(work),
            job: None,
            buffer: Vec::new(),
            charge,
            coming: None,
            blobs: Arc::clone(self),
        }
    }

    /// The size at which a gathered extent is written: smaller when many bodies wait in memory for
    /// slow clients.
    fn extent_size(&self) -> usize {
        let crowded = self.buffered.load(Ordering::Relaxed) > self.limits.buffered_bytes_max;
        if crowded { INLINE_BYTES_MAX } else { EXTENT_BYTES_MAX }
    }
}

impl Writer {
    /// Takes the next bytes; waits where the disk is slower than the network.
    pub(crate) async fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.buffer.is_empty() {
                self.grow(SALT_LEN + bytes.len());
                self.buffer.resize(SALT_LEN, 0);
            }
            let room = (SALT_LEN + self.blobs.extent_size()).saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.grow(self.buffer.len() + now.len());
            self.buffer.extend_from_slice(now);
            self.charge.set(self.buffer.capacity());
            bytes = later;
            if now.len() == room {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Makes room for `len` bytes and a tag: small bodies as a vector grows by itself, larger ones in memory that is
    /// used again and holds the largest extent. Where memory is scarce, no more than is needed.
    fn grow(&mut self, len: usize) {
        let needed = (len + TAG_LEN).min(EXTENT_BYTES_MAX + OVERHEAD);
        if needed <= self.buffer.capacity() {
            return;
        }
        if needed > INLINE_BYTES_MAX + OVERHEAD && self.blobs.extent_size() == EXTENT_BYTES_MAX {
            self.coming.get_or_insert_with(|| self.blobs.md5.expect());
            let small = std::mem::replace(&mut self.buffer, self.blobs.buffers.empty());
            self.buffer.extend_from_slice(&small);
        } else {
            let capacity = (2 * self.buffer.capacity()).min(EXTENT_BYTES_MAX + OVERHEAD);
            self.buffer.reserve_exact(capacity.max(needed) - self.buffer.len());
        }
    }

    /// Waits for the extent that is being written, if any.
    async fn idle(&mut self) -> Result<Work, Error> {
        if let Some(work) = self.work.take() {
            return Ok(work);
        }
        let Some(job) = self.job.take() else {
            return Err(Error::Io(io::Error::other("the body failed before")));
        };
        let (work, spare) = job.await.map_err(|stopped| Error::Io(io::Error::other(stopped)))??;
        // The memory is used again, unless it is scarce.
        if self.blobs.extent_size() == EXTENT_BYTES_MAX {
            self.blobs.buffers.keep(spare);
        }
        Ok(work)
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let full = std::mem::take(&mut self.buffer);
        let mut work = self.idle().await?;
        let permits = work.permits().await?;
        self.job = Some(tokio::task::spawn_blocking(move || {
            let (mut full, _permits) = (full, permits);
            work.store(&mut full)?;
            full.clear();
            Ok((work, full))
        }));
        Ok(())
    }

    /// Writes what is left. A large body is durable then; a small one is when the priors of its commit are, with
    /// everything else that is committed at the same time.
    pub(crate) async fn finish(mut self) -> Result<(Written, Priors), Error> {
        let mut last = std::mem::take(&mut self.buffer);
        let mut work = self.idle().await?;
        let small = last.len() <= INLINE_BYTES_MAX && work.extents.is_empty() && !work.far;
        work.lane.small = small && self.blobs.dirs.beside_rows(&work.lane.sites);
        let inline = last.len() <= INLINE_BYTES_MAX && !work.far && self.blobs.is_calm(&work.lane);
        if !inline && !last.is_empty() {
            let permits = work.permits().await?;
            let store = move || {
                let _permits = permits;
                work.store(&mut last).map(|()| (work, last))
            };
            let (stored, spare) = blocking(store).await?;
            self.blobs.buffers.keep(spare);
            work = stored;
        } else if !last.is_empty() {
            work.store(&mut last)?;
        }
        let mut priors = Priors::new();
        for segment in work.held.segments() {
            if work.lane.small {
                priors.push(segment);
            } else {
                segment.sync().await?;
            }
        }
        let Work { digests, extents, held, .. } = work;
        Ok((Written { digested: digests.finish(), extents, held }, priors))
    }
}

/// What must be durable before the commit that refers to a body.
pub(crate) type Priors = Vec<Arc<dyn Prior>>;

/// A body that no row refers to yet; durable when its [`Priors`] are.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) digested: Digested,
    pub(crate) extents: Vec<Extent>,
    held: Arc<Held>,
}

impl Written {
    /// Makes the body part of a transaction: if it commits, the bytes are its.
    pub(crate) fn settle(&self, tx: &mut Tx<'_>) -> Result<(), ApiError> {
        for (_, range) in lock(&self.held.ranges).iter() {
            tables::space::settle(tx, range)?;
        }
        for segment in self.held.segments() {
            if let Some(site) = self.held.blobs.dirs.home_of(segment.id) {
                tables::disk::insert_home(tx, segment.id, &site)?;
            }
            for site in &segment.spread.mirrors {
                tables::space::insert_mirror(tx, segment.id, site)?;
            }
        }
        let held = Arc::clone(&self.held);
        tx.on_commit(move || held.committed.store(true, Ordering::Release));
        Ok(())
    }
}
