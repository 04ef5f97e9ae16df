//! Reading extents: whole, verified, opened in place, without a thread where the page cache has them.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use wire::object::checksum::crc64;

use super::disk::Disk;
use super::extent::EXTENT_BYTES_MAX;
use super::pins::Pin;
use super::seal::{OVERHEAD, SALT_LEN, TAG_LEN};
use super::segment::Copy;
use super::{Blobs, BodyKey, Error, Extent, Segment, blocking, lock};

/// Memory for large extents, used again: getting a megabyte from the system and clearing it costs as
/// much as reading it from the page cache.
#[derive(Default)]
pub(super) struct Buffers {
    spare: Mutex<Vec<Vec<u8>>>,
    /// Bytes in extents that readers hold.
    read: AtomicUsize,
}

/// Buffers kept for later, at most.
const SPARE_MAX: usize = 16;
/// Smaller ones come from the allocator, which is fast enough.
const POOLED_BYTES_MIN: usize = 64 << 10;

pub(super) struct Pooled {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.home.read.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        self.home.keep(std::mem::take(&mut self.bytes));
    }
}

impl Buffers {
    /// An empty one, with room for the largest extent.
    pub(super) fn empty(&self) -> Vec<u8> {
        let spare = lock(&self.spare).pop();
        let mut bytes = spare.unwrap_or_else(|| Vec::with_capacity(EXTENT_BYTES_MAX + OVERHEAD));
        bytes.clear();
        bytes
    }

    /// Keeps one for later, if it is large and not too many are kept.
    pub(super) fn keep(&self, bytes: Vec<u8>) {
        let mut spare = lock(&self.spare);
        if spare.len() < SPARE_MAX && bytes.capacity() >= EXTENT_BYTES_MAX + OVERHEAD {
            spare.push(bytes);
        }
    }

    pub(super) fn take(self: &Arc<Self>, len: usize) -> Pooled {
        let spare = if len >= POOLED_BYTES_MIN { lock(&self.spare).pop() } else { None };
        let mut bytes = spare.unwrap_or_else(|| {
            Vec::with_capacity(if len >= POOLED_BYTES_MIN {
                EXTENT_BYTES_MAX + OVERHEAD
            } else {
                len
            })
        });
        // What an earlier reader left in it is overwritten or never shown.
        bytes.resize(len, 0);
        self.read.fetch_add(len, Ordering::Relaxed);
        Pooled { bytes, home: Arc::clone(self) }
    }
}

impl Blobs {
    /// True where readers hold so many extents that a slow one is to hold no whole one.
    pub(crate) fn is_crowded(&self) -> bool {
        self.buffers.read.load(Ordering::Relaxed) > self.limits.read_bytes_max
    }

    /// The extent, if the page cache has its first copy; never waits for the disk. Whatever is wrong with
    /// it, [`Self::read`] finds out, and turns to the other copies.
    pub(crate) fn read_cached(&self, extent: &Extent, key: Option<&BodyKey>) -> Option<Bytes> {
        // To open it may take as long as the disk likes.
        let segment = lock(&self.open).get(&extent.segment).map(Arc::clone)?;
        let Some(Some(Copy::File(file))) = segment.copies().next() else { return None };
        let mut buffer = self.buffers.take(extent.len as usize);
        let read = read_nowait(file, &mut buffer.bytes, extent.start.into()).unwrap_or(false);
        if read && fits(extent, &buffer) { open(buffer, extent, key).ok() } else { None }
    }

    /// The extent from the first copy that has it whole. Those before it that do not are mended; one whose disk or
    /// backend does not answer is passed over. The pin of its body is held until every disk is done with it, also
    /// where nobody waits for that any more: bytes are mended that are still the body's.
    pub(crate) async fn read(
        self: &Arc<Self>,
        extent: Extent,
        key: Option<BodyKey>,
        pin: Option<Arc<Pin>>,
    ) -> Result<Bytes, Error> {
        let (gates, wait_max) = (self.gates(extent.segment), self.limits.disk_wait_max);
        let (mut bad, mut failed) = (Vec::new(), None);
        for (at, gate) in gates.iter().enumerate() {
            let permit = match gate.permit(wait_max).await {
                Ok(permit) => permit,
                Err(error) => {
                    failed = failed.or(Some(error));
                    continue;
                }
            };
            let (blobs, key, pin) = (Arc::clone(self), key.clone(), pin.clone());
            // What is busy with others, or hangs, is not waited for: the scrub finds what is left.
            let free = |at: &usize| Some((*at, gates.get(*at)?.permit_now()?));
            let to_mend: Vec<_> = bad.iter().filter_map(free).collect();
            let reading = blocking(move || {
                let _pin = pin;
                let segment = blobs.segment(extent.segment)?;
                let buffer = blobs.read_at(at, &segment, &extent)?;
                drop(permit);
                let bad: Vec<_> =
                    to_mend.iter().filter_map(|(at, _)| segment.copies().nth(*at)).collect();
                blobs.mend(&segment, &bad, &extent, &buffer.bytes);
                open(buffer, &extent, key.as_ref())
            });
            let read = if at + 1 == gates.len() {
                reading.await
            } else {
                let late = |_| Err(gate.stuck());
                tokio::time::timeout(wait_max, reading).await.unwrap_or_else(late)
            };
            match read {
                Ok(bytes) => return Ok(bytes),
                // Another copy is sealed under the same.
                Err(error @ Error::Closed { .. }) => return Err(error),
                Err(error) => {
                    // What does not answer is not bad for that.
                    if !matches!(error, Error::Away { .. } | Error::Stuck { .. }) {
                        bad.push(at);
                    }
                    failed = failed.or(Some(error));
                }
            }
        }
        Err(failed.unwrap_or_else(|| Error::Row("a segment without copies".to_owned())))
    }

    /// The extent from one copy. Blocks.
    fn read_at(&self, at: usize, segment: &Segment, extent: &Extent) -> Result<Pooled, Error> {
        let mut buffer = self.buffers.take(extent.len as usize);
        read_copy(self.dirs.disk, segment.copies().nth(at).flatten(), extent, &mut buffer)?;
        Ok(buffer)
    }

    /// Writes an extent anew into the copies that do not have it. Nobody reclaims it meanwhile: the reader
    /// holds its body. A copy whose file is missing is left to [`super::repair`]. Says how many it mended.
    pub(super) fn mend(
        &self,
        segment: &Segment,
        bad: &[Option<&Copy>],
        extent: &Extent,
        bytes: &[u8],
    ) -> usize {
        let (id, start, mut mended) = (segment.id, extent.start, 0);
        for copy in bad {
            let Some(copy) = copy else {
                self.repair_wanted.store(true, Ordering::Release);
                continue;
            };
            match segment.mend(copy, bytes, start) {
                Ok(()) => {
                    mended += 1;
                    tracing::warn!(segment = id, start, "mended a copy of a segment from another");
                }
                Err(error) => {
                    tracing::error!(segment = id, start, %error, "mend a copy of a segment")
                }
            }
        }
        mended
    }
}

/// Reads an extent out of one copy.
pub(super) fn read_copy(
    disk: Disk,
    copy: Option<&Copy>,
    extent: &Extent,
    buffer: &mut Pooled,
) -> Result<(), Error> {
    let file = match copy.ok_or_else(|| Error::Io(io::ErrorKind::NotFound.into()))? {
        Copy::File(file) => file,
        Copy::Remote(remote) => {
            let bytes = remote.get(extent)?.filter(|bytes| bytes.len() == buffer.bytes.len());
            buffer.bytes.copy_from_slice(&bytes.ok_or_else(|| damaged(extent))?);
            return if fits(extent, buffer) { Ok(()) } else { Err(damaged(extent)) };
        }
    };
    match disk.read(file, &mut buffer.bytes, extent.start.into()) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(damaged(extent)),
        Err(error) => {
            tracing::error!(segment = extent.segment, start = extent.start, %error, "read a segment");
            Err(error.into())
        }
        Ok(()) if fits(extent, buffer) => Ok(()),
        Ok(()) => Err(damaged(extent)),
    }
}

/// True where all of it could be read at once.
fn read_nowait(file: &File, buffer: &mut [u8], start: u64) -> Result<bool, Error> {
    let mut done = 0;
    while done < buffer.len() {
        let rest = &mut buffer[done..];
        match preadv2(
            file,
            &mut [IoSliceMut::new(rest)],
            start + done as u64,
            ReadWriteFlags::NOWAIT,
        ) {
            // The end of the file: the blocking read will say what is wrong.
            Ok(0) | Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL) => return Ok(false),
            Ok(read) => done += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
    Ok(true)
}

/// The plain bytes of an extent that was verified.
fn open(mut buffer: Pooled, extent: &Extent, key: Option<&BodyKey>) -> Result<Bytes, Error> {
    match key {
        None if extent.seal == 0 => Ok(Bytes::from_owner(buffer)),
        Some(key) if extent.seal == key.number => {
            key.open(&mut buffer.bytes, extent)?;
            let plain = SALT_LEN..buffer.bytes.len() - TAG_LEN;
            Ok(Bytes::from_owner(buffer).slice(plain))
        }
        _ => Err(Error::Closed { segment: extent.segment, start: extent.start }),
    }
}

fn fits(extent: &Extent, buffer: &Pooled) -> bool {
    crc64(&buffer.bytes) == extent.crc64
}

fn damaged(extent: &Extent) -> Error {
    let Extent { segment, start, len, .. } = *extent;
    tracing::error!(segment, start, len, "bytes read are not those that were written");
    Error::Damaged { segment, start, len }
}
