//! Reading extents: whole, verified, without a thread where the page cache has them.

use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use wire::object::checksum::crc64;

use super::extent::EXTENT_BYTES_MAX;
use super::{Blobs, Error, Extent, Segment, blocking, lock};

/// Memory for large extents, used again: getting a megabyte from the system and clearing it costs as
/// much as reading it from the page cache.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

/// Buffers kept for later, at most.
const SPARE_MAX: usize = 16;
/// Smaller ones come from the allocator, which is fast enough.
const POOLED_BYTES_MIN: usize = 64 << 10;

struct Pooled {
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
        let mut spare = lock(&self.home.0);
        if spare.len() < SPARE_MAX && self.bytes.capacity() >= POOLED_BYTES_MIN {
            spare.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl Buffers {
    fn take(self: &Arc<Self>, len: usize) -> Pooled {
        let spare = if len >= POOLED_BYTES_MIN { lock(&self.0).pop() } else { None };
        let mut bytes = spare.unwrap_or_else(|| {
            Vec::with_capacity(if len >= POOLED_BYTES_MIN { EXTENT_BYTES_MAX } else { len })
        });
        // What an earlier reader left in it is overwritten or never shown.
        bytes.resize(len, 0);
        Pooled { bytes, home: Arc::clone(self) }
    }
}

impl Blobs {
    /// The extent, if the page cache has it; never waits for the disk.
    pub(crate) fn read_cached(&self, extent: &Extent) -> Result<Option<Bytes>, Error> {
        let segment = self.segment(extent.segment)?;
        let mut buffer = self.buffers.take(extent.len as usize);
        if read_nowait(&segment, &mut buffer.bytes, extent.start.into())? {
            verified(extent, buffer).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The extent, from wherever it is.
    pub(crate) async fn read(self: &Arc<Self>, extent: Extent) -> Result<Bytes, Error> {
        let blobs = Arc::clone(self);
        blocking(move || {
            let segment = blobs.segment(extent.segment)?;
            let mut buffer = blobs.buffers.take(extent.len as usize);
            match segment.file.read_exact_at(&mut buffer.bytes, extent.start.into()) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(damaged(&extent)),
                Err(error) => Err(error.into()),
                Ok(()) => verified(&extent, buffer),
            }
        })
        .await
    }
}

/// True where all of it could be read at once.
fn read_nowait(segment: &Segment, buffer: &mut [u8], start: u64) -> Result<bool, Error> {
    let mut done = 0;
    while done < buffer.len() {
        let rest = &mut buffer[done..];
        match preadv2(
            &segment.file,
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

fn verified(extent: &Extent, buffer: Pooled) -> Result<Bytes, Error> {
    if crc64(&buffer.bytes) == extent.crc64 {
        Ok(Bytes::from_owner(buffer))
    } else {
        Err(damaged(extent))
    }
}

fn damaged(extent: &Extent) -> Error {
    let Extent { segment, start, len, .. } = *extent;
    tracing::error!(segment, start, len, "bytes read are not those that were written");
    Error::Damaged { segment, start, len }
}
