//! The right side of a growing log and the files that growing writes: what a log and a mirror of it
//! have in common. It signs nothing and writes no checkpoint.

use crate::edge::{Edge, levels};
use crate::publish::Error;
use crate::tile::{self, ENTRY_BYTES_MAX, HEIGHT, Kind, Tile, WIDTH};
use crate::{Checkpoint, Hash, Store, read};

/// How far before the end partial tiles are looked for that a crash kept from being removed.
pub(crate) const SWEPT_ENTRIES: u64 = 65_536;

/// The unfinished right side of the log: hashes, and the entries of the last bundle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    edge: Edge,
    bundle: Vec<u8>,
}

impl Tail {
    /// How many entries the log has.
    pub(crate) const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The root over them.
    pub(crate) fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The right side of the log of a checkpoint, read back and checked against it.
    pub(crate) fn restore(store: &impl Store, checkpoint: &Checkpoint) -> Result<Self, Error> {
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
    pub(crate) fn append(&mut self, entry: &[u8], store: &mut impl Store) -> Result<(), Error> {
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
    pub(crate) fn write_partials(
        &self,
        old_size: u64,
        store: &mut impl Store,
    ) -> Result<(), Error> {
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

/// Removes the partial forms of the tiles that became full while the log grew from `old` to `new`
/// entries.
pub(crate) fn remove_partials(store: &mut impl Store, old: u64, new: u64) -> Result<(), Error> {
    let hashes = levels(new).map(|level| (Kind::Hashes { level }, HEIGHT * level));
    for (kind, shift) in std::iter::once((Kind::Entries, 0)).chain(hashes) {
        let full = |size: u64| (size >> shift) / u64::from(WIDTH);
        for index in full(old)..full(new) {
            let tile = Tile { kind, index, width: WIDTH };
            store.remove_partials(tile).map_err(|source| Error::Io {
                path: format!("removing the partial forms of {tile}"),
                source,
            })?;
        }
    }
    Ok(())
}

/// Writes one file of the log.
pub(crate) fn put(store: &mut impl Store, path: &str, content: &[u8]) -> Result<(), Error> {
    store.put(path, content).map_err(|source| Error::Io { path: path.to_owned(), source })
}

/// Returns when all that was put is durable.
pub(crate) fn flush(store: &mut impl Store) -> Result<(), Error> {
    store.flush().map_err(|source| Error::Io { path: "the log's folders".to_owned(), source })
}
