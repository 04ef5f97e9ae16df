//! Publishing: new entries in, tiles and a signed checkpoint out, crash-safe.
//!
//! The checkpoint is written last, when all that it promises is durable; a reader sees the old log or
//! the new one. After a crash the directory holds the last checkpoint and perhaps files beyond it,
//! which the next `publish` writes again. So **the same index must always be given the same entry**;
//! whoever calls keeps the order in a database, and after any error asks [`Publisher::size`] where to
//! go on.
//!
//! Partial tiles are written for every published size. Those of a tile are removed when its full form
//! is in a published checkpoint, which c2sp.org/tlog-tiles permits; readers with an older checkpoint
//! then find the same hashes in the full tile. A full tile is never removed.

use std::io;

use crate::edge::{Edge, levels};
use crate::files::CHECKPOINT;
use crate::tile::{self, ENTRY_BYTES_MAX, HEIGHT, Kind, Tile, WIDTH};
use crate::{Checkpoint, Hash, Note, Signer, Store, checkpoint, note, read};

/// How far before the end partial tiles are looked for that a crash kept from being removed.
const SWEPT_ENTRIES: u64 = 65_536;

/// Why nothing was published, or a log could not be opened for publishing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The length of an entry is written in 16 bits.
    #[error("entry {index} is {bytes} bytes long; the limit is {ENTRY_BYTES_MAX}")]
    EntryTooLong {
        /// Index that the entry would have.
        index: u64,
        /// Its length.
        bytes: usize,
    },
    /// The files are older than what the caller knows to be published. Going on from them could
    /// contradict a checkpoint that somebody holds.
    #[error("the log was published with {published} entries but its files hold {found}")]
    RolledBack {
        /// Size that the caller knows of.
        published: u64,
        /// Size of the checkpoint found.
        found: u64,
    },
    /// The files at the end of the log are damaged.
    #[error("the end of the log cannot be read")]
    Read(#[from] read::Error),
    /// The checkpoint in the directory is not one of this log.
    #[error("the checkpoint is refused")]
    Checkpoint(#[from] checkpoint::Error),
    /// The checkpoint in the directory is not a note, or a new one cannot be signed.
    #[error("the checkpoint is not a note")]
    Note(#[from] note::Error),
    /// The tiles at the end of the log do not belong to its checkpoint.
    #[error("the tiles and entries at the end of the log do not belong to its checkpoint")]
    Inconsistent,
    /// Writing failed. What was published before still is.
    #[error("{path}: cannot be written")]
    Io {
        /// The file, or what was done.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The unfinished right side of the log: hashes, and the entries of the last bundle.
#[derive(Clone, Debug, Default)]
struct Tail {
    edge: Edge,
    bundle: Vec<u8>,
}

/// The writer of one log.
#[derive(Debug)]
pub struct Publisher<S> {
    store: S,
    signer: Signer,
    tail: Tail,
    checkpoint: Option<Checkpoint>,
}

impl<S: Store> Publisher<S> {
    /// Opens the log in `store`, or begins it. `published` is the size that the caller knows to be
    /// published, 0 for a new log: files that hold less are refused. They may hold more, if the caller
    /// died before noting it. The end of the log is read back and checked against the checkpoint.
    pub fn open(store: S, signer: Signer, published: u64) -> Result<Self, Error> {
        let path = CHECKPOINT.to_owned();
        let bytes = store.fetch(CHECKPOINT).map_err(|source| read::Error::Io { path, source })?;
        let checkpoint = match bytes {
            Some(bytes) => Some(Checkpoint::verify(&Note::parse(&bytes)?, signer.verifier())?),
            None => None,
        };
        let found = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        if found < published {
            return Err(Error::RolledBack { published, found });
        }
        let tail = match &checkpoint {
            Some(checkpoint) => Tail::restore(&store, checkpoint)?,
            None => Tail::default(),
        };
        let mut publisher = Self { store, signer, tail, checkpoint };
        publisher.remove_partials(found.saturating_sub(SWEPT_ENTRIES))?;
        Ok(publisher)
    }

    /// How many entries are published: the index of the next one.
    pub const fn size(&self) -> u64 {
        self.tail.edge.size()
    }

    /// The last published checkpoint; a new log has none.
    pub const fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Appends entries and publishes one checkpoint over all. They become durable together: give many
    /// at once. Without entries it only makes sure that there is a checkpoint. After an error
    /// [`Publisher::size`] says what is published, and the publisher may be used again.
    pub fn publish<E: AsRef<[u8]>>(
        &mut self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<&Checkpoint, Error> {
        let old_size = self.size();
        let mut tail = self.tail.clone();
        for entry in entries {
            tail.append(entry.as_ref(), &mut self.store)?;
        }
        if self.checkpoint.is_none() || tail.edge.size() != old_size {
            tail.write_partials(old_size, &mut self.store)?;
            flush(&mut self.store)?;
            self.checkpoint = Some(self.sign(&tail.edge)?);
            self.tail = tail;
            self.remove_partials(old_size)?;
        }
        Ok(self.checkpoint.as_ref().expect("one was published just now or before"))
    }

    fn sign(&mut self, edge: &Edge) -> Result<Checkpoint, Error> {
        let origin = self.signer.verifier().name().to_owned();
        let checkpoint = Checkpoint { origin, size: edge.size(), root: edge.root() };
        let note = checkpoint.sign(&self.signer)?;
        put(&mut self.store, CHECKPOINT, note.to_string().as_bytes())?;
        flush(&mut self.store)?;
        Ok(checkpoint)
    }

    /// Removes the partial forms of the tiles that became full since the log had `old_size` entries.
    fn remove_partials(&mut self, old_size: u64) -> Result<(), Error> {
        let size = self.size();
        let hashes = levels(size).map(|level| (Kind::Hashes { level }, HEIGHT * level));
        for (kind, shift) in std::iter::once((Kind::Entries, 0)).chain(hashes) {
            let full = |size: u64| (size >> shift) / u64::from(WIDTH);
            for index in full(old_size)..full(size) {
                let tile = Tile { kind, index, width: WIDTH };
                self.store.remove_partials(tile).map_err(|source| Error::Io {
                    path: format!("removing the partial forms of {tile}"),
                    source,
                })?;
            }
        }
        Ok(())
    }
}

impl Tail {
    fn restore(store: &impl Store, checkpoint: &Checkpoint) -> Result<Self, Error> {
        let edge = Edge::restore(checkpoint.size, |tile| read::hashes(store, tile))?;
        if edge.root() != checkpoint.root {
            return Err(Error::Inconsistent);
        }
        let mut tail = Self { edge, bundle: Vec::new() };
        let size = checkpoint.size;
        if let Some(bundle) = Tile::in_tree(Kind::Entries, size / u64::from(WIDTH), size) {
            tail.bundle = tail.restore_bundle(store, bundle)?;
        }
        Ok(tail)
    }

    /// The entries of the last bundle, checked against the hashes of their tile.
    fn restore_bundle(&self, store: &impl Store, tile: Tile) -> Result<Vec<u8>, Error> {
        let (read, bytes) = read::fetch_tile(store, tile)?;
        let entries = tile::parse_entries(&bytes, read.width)
            .map_err(|source| read::Error::Malformed { path: read.to_string(), source })?;
        let mut bundle = Vec::new();
        let mut leaves = Vec::new();
        for entry in entries.into_iter().take(usize::from(tile.width)) {
            leaves.push(Hash::leaf(entry));
            tile::push_entry(&mut bundle, entry);
        }
        let hashes = self.edge.partial_tiles().next().map(|(_, hashes)| hashes);
        if hashes == Some(&leaves) { Ok(bundle) } else { Err(Error::Inconsistent) }
    }

    /// Appends one entry and writes what it completes.
    fn append(&mut self, entry: &[u8], store: &mut impl Store) -> Result<(), Error> {
        let index = self.edge.size();
        if entry.len() > ENTRY_BYTES_MAX {
            return Err(Error::EntryTooLong { index, bytes: entry.len() });
        }
        tile::push_entry(&mut self.bundle, entry);
        if (index + 1).is_multiple_of(u64::from(WIDTH)) {
            let bundle =
                Tile { kind: Kind::Entries, index: index / u64::from(WIDTH), width: WIDTH };
            put(store, &bundle.to_string(), &self.bundle)?;
            self.bundle.clear();
        }
        self.edge.push(Hash::leaf(entry), |tile, hashes| {
            put(store, &tile.to_string(), &tile::write_hashes(hashes))
        })
    }

    /// Writes the partial tiles that are not those of the log of `old_size` entries.
    fn write_partials(&self, old_size: u64, store: &mut impl Store) -> Result<(), Error> {
        let size = self.edge.size();
        if let Some(bundle) = Tile::in_tree(Kind::Entries, size / u64::from(WIDTH), size) {
            put(store, &bundle.to_string(), &self.bundle)?;
        }
        for (tile, hashes) in self.edge.partial_tiles() {
            if Tile::in_tree(tile.kind, tile.index, old_size) != Some(tile) {
                put(store, &tile.to_string(), &tile::write_hashes(hashes))?;
            }
        }
        Ok(())
    }
}

fn put(store: &mut impl Store, path: &str, content: &[u8]) -> Result<(), Error> {
    store.put(path, content).map_err(|source| Error::Io { path: path.to_owned(), source })
}

fn flush(store: &mut impl Store) -> Result<(), Error> {
    store.flush().map_err(|source| Error::Io { path: "the log's folders".to_owned(), source })
}

#[cfg(test)]
mod tests;
