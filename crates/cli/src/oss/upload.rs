//! Sending one file: small ones in one request, large ones in parts on several connections. A large
//! upload that was interrupted goes on where it was: a checkpoint in the user's cache directory names
//! it, and the parts that the cloud has are compared with the file before they count. On success the
//! checksum of the whole file agrees with the cloud's.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::text::hex;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use wire::object::checksum::{Crc64, Md5, crc64, crc64_combine};

use super::location::Url;
use super::transfer::{Stores, content_type, verify};
use crate::error::{Error, advise};
use crate::object::{Body, Part, Store};
use crate::output;
use crate::parallel;
use crate::profile::{variable, write_private};

/// Files up to this size go in one request, and larger ones in parts of at least half of it.
pub const LARGE_BYTES: u64 = 16 << 20;
const PART_BYTES_MIN: u64 = 8 << 20;
/// The protocols allow 10,000 parts.
const PARTS_MAX: u64 = 9_000;
/// How often a part is sent when connections break.
const TRIES: u32 = 3;

/// How to find an interrupted upload again.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    upload: String,
    part_bytes: u64,
}

/// A part that is in the cloud, with what the checksum of the whole needs of it.
struct Done {
    part: Part,
    crc: u64,
}

/// A large file on its way.
struct Upload<'a> {
    store: &'a Store,
    to: &'a Url,
    file: File,
    size: u64,
    upload: String,
    part_bytes: u64,
    known: BTreeMap<u32, Part>,
}

/// Sends a file, with up to `jobs` connections if it is large.
///
/// # Errors
/// Where the file cannot be read or changes meanwhile, the cloud refuses, or the checksums differ.
pub fn upload(stores: &Stores, from: &Path, to: &Url, jobs: usize) -> Result<()> {
    let file = File::open(from).with_context(|| format!("open {}", from.display()))?;
    let meta = file.metadata()?;
    let done = if meta.len() <= LARGE_BYTES {
        small(stores, file, meta.len(), to)
    } else {
        large(stores, from, file, &meta, to, jobs)
    };
    done.with_context(|| format!("upload {} to {to}", from.display()))
}

fn small(stores: &Stores, file: File, size: u64, to: &Url) -> Result<()> {
    let (bucket, key) = to.object()?;
    // A file that grows meanwhile is cut at its first size, one that shrinks fails the request.
    let mut reader = file.take(size);
    stores.of(to).put(bucket, key, Body::Stream(&mut reader, size), content_type(key))?;
    Ok(())
}

fn large(
    stores: &Stores,
    from: &Path,
    file: File,
    meta: &Metadata,
    to: &Url,
    jobs: usize,
) -> Result<()> {
    let (bucket, key) = to.object()?;
    let store = stores.of(to);
    let path = checkpoint_path(from, meta, to, &stores.cloud)?;
    let (checkpoint, known) = match path.as_deref().and_then(|path| found(store, path, to)) {
        Some(found) => found,
        None => (begin(store, path.as_deref(), to, meta.len())?, Vec::new()),
    };
    if !known.is_empty() {
        let parts = meta.len().div_ceil(checkpoint.part_bytes);
        output::talk(format_args!("{to}: going on, {} of {parts} parts are there", known.len()));
    }
    let this = Upload {
        store,
        to,
        file,
        size: meta.len(),
        upload: checkpoint.upload,
        part_bytes: checkpoint.part_bytes,
        known: known.into_iter().map(|part| (part.number, part)).collect(),
    };
    let done = this.send_all(jobs)?;
    let forget = || path.as_deref().map(fs::remove_file);
    let now = this.file.metadata()?;
    if (now.len(), now.modified()?) != (meta.len(), meta.modified()?) {
        let _ = store.abort(bucket, key, &this.upload);
        forget();
        return Err(advise(
            "the file was changed while it was sent",
            "run the command again when nothing writes to it",
        ));
    }
    finish(store, to, &this.upload, &done)?;
    forget();
    verify(stores, to, whole(&done), this.size)
}

impl Upload<'_> {
    /// Sends what is missing; answers all parts in order.
    fn send_all(&self, jobs: usize) -> Result<Vec<Done>> {
        let count = u32::try_from(self.size.div_ceil(self.part_bytes))?;
        let gathered = parallel::run(
            jobs,
            |feed| (1..=count).try_for_each(|number| feed.put(number)),
            |done: &mut Vec<Done>, number| {
                done.push(self.send(number)?);
                Ok(())
            },
        )?;
        let mut done: Vec<Done> = gathered.into_iter().flatten().collect();
        done.sort_by_key(|done| done.part.number);
        Ok(done)
    }

    fn send(&self, number: u32) -> Result<Done> {
        let start = u64::from(number - 1) * self.part_bytes;
        let mut bytes = vec![0; usize::try_from(self.part_bytes.min(self.size - start))?];
        self.file.read_exact_at(&mut bytes, start).context("read the file")?;
        let crc = crc64(&bytes);
        // The ETag of a part is its MD5: one that is of other bytes is sent again.
        if let Some(part) = self.known.get(&number)
            && part.size == bytes.len() as u64
            && part.etag == md5_of(&bytes)
        {
            return Ok(Done { part: part.clone(), crc });
        }
        Ok(Done { part: send_part(self.store, self.to, &self.upload, number, &bytes)?, crc })
    }
}

/// Sends a part; a connection that breaks is tried again, since a part may be sent twice.
fn send_part(store: &Store, to: &Url, upload: &str, number: u32, bytes: &[u8]) -> Result<Part> {
    let mut tries = 0;
    loop {
        tries += 1;
        match store.upload_part(to.object()?, upload, number, bytes) {
            Err(Error::Transport { .. }) if tries < TRIES => {}
            done => return done.with_context(|| format!("send part {number}")),
        }
    }
}

fn md5_of(bytes: &[u8]) -> String {
    let mut sum = Md5::default();
    sum.update(bytes);
    hex(&sum.finish())
}

/// The checksum of all parts together.
fn whole(done: &[Done]) -> u64 {
    done.iter().fold(0, |crc, done| crc64_combine(crc, done.crc, done.part.size))
}

fn finish(store: &Store, to: &Url, upload: &str, done: &[Done]) -> Result<()> {
    let parts: Vec<Part> = done.iter().map(|done| done.part.clone()).collect();
    store.complete(to.object()?, upload, &parts).context("put the parts together")
}

fn begin(store: &Store, path: Option<&Path>, to: &Url, size: u64) -> Result<Checkpoint> {
    let (bucket, key) = to.object()?;
    let upload = store.initiate(bucket, key, content_type(key))?;
    let checkpoint = Checkpoint { upload, part_bytes: part_bytes(size) };
    if let Some(path) = path {
        write_private(path, &serde_json::to_vec(&checkpoint)?)?;
    }
    Ok(checkpoint)
}

/// The upload that a checkpoint names with its parts, if the cloud still has it.
fn found(store: &Store, path: &Path, to: &Url) -> Option<(Checkpoint, Vec<Part>)> {
    let (bucket, key) = to.object().ok()?;
    let checkpoint: Checkpoint = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    if checkpoint.part_bytes < PART_BYTES_MIN {
        return None;
    }
    let parts = store.parts(bucket, key, &checkpoint.upload).ok()?;
    Some((checkpoint, parts))
}

fn part_bytes(size: u64) -> u64 {
    size.div_ceil(PARTS_MAX).next_multiple_of(1 << 20).max(PART_BYTES_MIN)
}

/// Where the checkpoint of this upload is: another one for another file, state of it, or destination.
/// `None` where the user has no cache directory; then an upload starts anew.
fn checkpoint_path(from: &Path, meta: &Metadata, to: &Url, cloud: &str) -> Result<Option<PathBuf>> {
    let home = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")));
    let Some(home) = home else { return Ok(None) };
    let from = fs::canonicalize(from)?;
    let (secs, nanos) = (meta.mtime(), meta.mtime_nsec());
    let named = format!("{from:?}\n{}\n{secs}.{nanos}\n{cloud}\n{to}", meta.len());
    let name = hex(&digest(&SHA256, named.as_bytes()).as_ref()[..16]);
    Ok(Some(home.join("awan/uploads").join(format!("{name}.json"))))
}

/// Sends what a stream holds, in memory for one part: nobody knows its length before its end. It
/// cannot go on after an interruption, since what was read is gone.
///
/// # Errors
/// Where the stream cannot be read, the cloud refuses, or the checksums differ.
pub fn stream(stores: &Stores, from: &mut dyn Read, to: &Url) -> Result<()> {
    let (bucket, key) = to.object()?;
    let store = stores.of(to);
    let first = piece(from, PART_BYTES_MIN)?;
    if (first.len() as u64) < PART_BYTES_MIN {
        store.put(bucket, key, Body::Bytes(&first), content_type(key))?;
        return Ok(());
    }
    let upload = store.initiate(bucket, key, content_type(key))?;
    let sent = stream_parts(store, to, &upload, first, from);
    let (done, crc, size) = match sent {
        Ok(sent) => sent,
        Err(error) => {
            let _ = store.abort(bucket, key, &upload);
            return Err(error);
        }
    };
    finish(store, to, &upload, &done)?;
    verify(stores, to, crc, size)
}

fn stream_parts(
    store: &Store,
    to: &Url,
    upload: &str,
    first: Vec<u8>,
    from: &mut dyn Read,
) -> Result<(Vec<Done>, u64, u64)> {
    let (mut done, mut sum, mut size) = (Vec::new(), Crc64::default(), 0);
    let mut bytes = first;
    while !bytes.is_empty() {
        let number = u32::try_from(done.len() + 1)?;
        sum.update(&bytes);
        size += bytes.len() as u64;
        let part = send_part(store, to, upload, number, &bytes)?;
        done.push(Done { part, crc: crc64(&bytes) });
        // Longer parts later, so that 10,000 of them hold half a tebibyte.
        bytes = piece(from, PART_BYTES_MIN << (number / 2_000))?;
    }
    Ok((done, sum.value(), size))
}

/// The next bytes of a stream: fewer only at its end.
fn piece(from: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn any_size_fits_into_the_parts_that_the_protocol_allows() {
        for size in [LARGE_BYTES + 1, 1 << 30, 1 << 40, 48 << 40] {
            let part = part_bytes(size);
            assert!(part >= PART_BYTES_MIN && size.div_ceil(part) <= 10_000, "{size}");
        }
    }

    #[test]
    fn the_checksum_of_the_parts_is_that_of_the_file() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let done: Vec<Done> = bytes
            .chunks(300)
            .map(|piece| Done {
                part: Part { number: 1, etag: String::new(), size: piece.len() as u64 },
                crc: crc64(piece),
            })
            .collect();
        assert_eq!(whole(&done), crc64(&bytes));
    }

    #[test]
    fn a_checkpoint_is_of_one_state_of_one_file_and_one_destination() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "1").unwrap();
        let name = |to: &str, cloud: &str| {
            let meta = fs::metadata(&file).unwrap();
            checkpoint_path(&file, &meta, &to.parse().unwrap(), cloud).unwrap()
        };
        let first = name("oss://b/k", "c");
        assert_eq!(first, name("oss://b/k", "c"));
        assert_ne!(first, name("oss://b/l", "c"));
        assert_ne!(first, name("oss://b/k", "d"));
        fs::write(&file, "22").unwrap();
        assert_ne!(first, name("oss://b/k", "c"));
    }
}
