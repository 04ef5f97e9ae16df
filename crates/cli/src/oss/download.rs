//! Fetching one object into a file. It gathers under a temporary name and appears under its own only
//! when it is whole, its checksum agrees with the cloud's, and it is on disk. A large one comes in
//! ranges on several connections; what came before an interruption is verified and kept.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base::Time;
use serde::{Deserialize, Serialize};
use wire::object::checksum::{Crc64, crc64, crc64_combine};

use super::location::Url;
use super::transfer::{Stores, verify};
use super::tree::drafts;
use super::upload::LARGE_BYTES;
use crate::error::{Error, advise};
use crate::object::{Meta, Store};
use crate::output;
use crate::parallel;
use crate::profile::write_private;

/// What one request fetches.
const PIECE_BYTES: u64 = 8 << 20;
/// How often a piece is fetched when connections break.
const TRIES: u32 = 3;

/// What came of an object so far.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    etag: String,
    size: u64,
    /// The CRC-64 of each piece that is on disk, by its place.
    done: BTreeMap<u64, u64>,
}

/// Fetches an object into a file, with up to `jobs` connections if it is large.
///
/// # Errors
/// Where the cloud refuses, the file cannot be written, or the checksums differ.
pub fn download(stores: &Stores, from: &Url, to: &Path, jobs: usize) -> Result<()> {
    let done = fetch(stores, from, to, jobs);
    done.with_context(|| format!("download {from} to {}", to.display()))
}

fn fetch(stores: &Stores, from: &Url, to: &Path, jobs: usize) -> Result<()> {
    let (bucket, key) = from.object()?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
    let store = stores.of(from);
    let meta = store.head(bucket, key)?;
    let (draft, facts) = drafts(to)?;
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&draft)?;
    if file.try_lock().is_err() {
        return Err(advise(
            format!("{} is being written by another process", draft.display()),
            "wait until it has ended",
        ));
    }
    if meta.size <= LARGE_BYTES {
        small(stores, from, &file).inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })?;
    } else {
        let crc = Pieces::open(store, from, &file, &facts, &meta)?.fetch_all(jobs)?;
        let verified = verify(stores, from, crc, meta.size);
        if verified.is_err() {
            let _ = fs::remove_file(&facts);
        }
        verified?;
    }
    if let Some(modified) = modified(&meta) {
        file.set_modified(modified)?;
    }
    file.sync_all()?;
    fs::rename(&draft, to)?;
    let _ = fs::remove_file(&facts);
    File::open(dir)?.sync_all()?;
    Ok(())
}

fn modified(meta: &Meta) -> Option<SystemTime> {
    let time = Time::parse_http(meta.headers.get("last-modified")?.to_str().ok()?)?;
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(time.secs()).ok()?))
}

/// A writer that sums what passes.
struct Summed<W> {
    inner: W,
    sum: Crc64,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn small(stores: &Stores, from: &Url, file: &File) -> Result<()> {
    let (bucket, key) = from.object()?;
    file.set_len(0)?;
    let mut out = Summed { inner: BufWriter::new(file), sum: Crc64::default() };
    let size = stores.of(from).get(bucket, key, &mut out)?;
    out.flush()?;
    // The OSS dialect compares the CRC-64 itself; S3 has only an ETag, which need not be an MD5.
    if from.dialect == crate::object::Dialect::S3 {
        verify(stores, from, out.sum.value(), size)?;
    }
    Ok(())
}

/// A large object that gathers in a file.
struct Pieces<'a> {
    store: &'a Store,
    from: &'a Url,
    file: &'a File,
    facts: &'a Path,
    checkpoint: Mutex<Checkpoint>,
    etag: String,
    size: u64,
}

impl<'a> Pieces<'a> {
    /// Takes up what is there, if it is of the same object and as it was written.
    fn open(
        store: &'a Store,
        from: &'a Url,
        file: &'a File,
        facts: &'a Path,
        meta: &Meta,
    ) -> Result<Self> {
        let (etag, size) = (meta.etag.clone(), meta.size);
        let read = fs::read(facts).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let before = read.filter(|it: &Checkpoint| it.etag == etag && it.size == size);
        let mut done = before.map(|it| it.done).unwrap_or_default();
        let recorded = done.len();
        done.retain(|&piece, crc| read_piece(file, size, piece).is_ok_and(|it| crc64(&it) == *crc));
        if recorded > done.len() {
            let bad = recorded - done.len();
            output::talk(format_args!("{from}: {bad} pieces on disk are damaged and come again"));
        }
        if !done.is_empty() {
            let (have, all) = (done.len(), size.div_ceil(PIECE_BYTES));
            output::talk(format_args!("{from}: going on, {have} of {all} pieces are there"));
        }
        file.set_len(size)?;
        let checkpoint = Mutex::new(Checkpoint { etag: etag.clone(), size, done });
        Ok(Self { store, from, file, facts, checkpoint, etag, size })
    }

    /// Fetches what is missing; answers the checksum of the whole.
    fn fetch_all(self, jobs: usize) -> Result<u64> {
        let there = |piece: &u64| self.checkpoint().done.contains_key(piece);
        let missing: Vec<u64> =
            (0..self.size.div_ceil(PIECE_BYTES)).filter(|it| !there(it)).collect();
        parallel::run(
            jobs,
            |feed| missing.into_iter().try_for_each(|piece| feed.put(piece)),
            |(): &mut (), piece| self.fetch(piece),
        )?;
        let done = std::mem::take(&mut self.checkpoint().done);
        let combine = |crc, (piece, one)| crc64_combine(crc, one, piece_size(self.size, piece));
        Ok(done.into_iter().fold(0, combine))
    }

    fn checkpoint(&self) -> std::sync::MutexGuard<'_, Checkpoint> {
        self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch(&self, piece: u64) -> Result<()> {
        let start = piece * PIECE_BYTES;
        let range = (start, start + piece_size(self.size, piece) - 1);
        let bytes = get_range(self.store, self.from, &self.etag, range)?;
        self.file.write_all_at(&bytes, start).context("write what was read")?;
        let mut checkpoint = self.checkpoint();
        checkpoint.done.insert(piece, crc64(&bytes));
        write_private(self.facts, &serde_json::to_vec(&*checkpoint)?)
    }
}

const fn piece_size(size: u64, piece: u64) -> u64 {
    let rest = size.saturating_sub(piece.saturating_mul(PIECE_BYTES));
    if rest < PIECE_BYTES { rest } else { PIECE_BYTES }
}

fn read_piece(file: &File, size: u64, piece: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(piece_size(size, piece))?];
    if bytes.is_empty() {
        bail!("there is no such piece");
    }
    file.read_exact_at(&mut bytes, piece * PIECE_BYTES)?;
    Ok(bytes)
}

/// Fetches a range; a connection that breaks is tried again.
fn get_range(store: &Store, from: &Url, etag: &str, range: (u64, u64)) -> Result<Vec<u8>> {
    let mut tries = 0;
    loop {
        tries += 1;
        match store.get_range(from.object()?, etag, range) {
            Err(Error::Transport { .. }) if tries < TRIES => {}
            done => return Ok(done?),
        }
    }
}

/// Writes bytes `first` to `last` (to the end where `None`) of an object to `out`.
///
/// # Errors
/// Where the object ends before `first`, the cloud refuses, or `out` does not take it.
pub fn range(
    stores: &Stores,
    from: &Url,
    (first, last): (u64, Option<u64>),
    out: &mut dyn Write,
) -> Result<()> {
    let store = stores.of(from);
    let (bucket, key) = from.object()?;
    let meta = store.head(bucket, key)?;
    if first >= meta.size {
        return Err(advise(
            format!("byte {first} is beyond the end: the object has {} bytes", meta.size),
            "the first byte is number 0",
        ));
    }
    let end = last.map_or(meta.size, |last| last.saturating_add(1).min(meta.size));
    let mut at = first;
    while at < end {
        let next = end.min(at + PIECE_BYTES);
        out.write_all(&get_range(store, from, &meta.etag, (at, next - 1))?)?;
        at = next;
    }
    Ok(())
}
