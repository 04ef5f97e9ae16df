//! Checking a whole log: the root is derived again from every entry, and every tile on the way is
//! compared with its file. It says which file is wrong and at which entry, and goes on.
//!
//! It looks at the files that the checkpoint promises, not at partial tiles of earlier sizes.

use std::fmt;

use crate::edge::Edge;
use crate::files::CHECKPOINT;
use crate::read::{Error, Reader};
use crate::tile::{Entries, HEIGHT, Kind, Tile, WIDTH};
use crate::{Fetch, Hash, tree};

/// The most faults that are listed; a log that was damaged in more places is beyond listing.
pub const FAULTS_MAX: usize = 100;

/// One thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: String,
    /// The first entry that it concerns, where that is known.
    pub entry: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// The outcome of checking a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Entries that the log has.
    pub entries: u64,
    /// Files that were read.
    pub files: u64,
    /// What is wrong, at most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub unlisted: u64,
}

impl Audit {
    /// Whether every entry and tile is what the checkpoint promises.
    pub const fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, path: impl fmt::Display, entry: Option<u64>, what: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { path: path.to_string(), entry, what: what.into() });
        } else {
            self.unlisted += 1;
        }
    }

    /// Lists a file that cannot be used.
    fn unusable(&mut self, tile: Tile, error: &Error) {
        let what = match error {
            Error::Missing { .. } => "missing".to_owned(),
            Error::Malformed { source, .. } => source.to_string(),
            Error::Io { source, .. } => format!("cannot be read: {source}"),
            other => other.to_string(),
        };
        self.fault(tile, Some(first_entry(tile, 0)), what);
    }
}

/// The first entry below the hash (or the entry) at a place of a tile.
fn first_entry(tile: Tile, place: usize) -> u64 {
    let place = tile.index * u64::from(WIDTH)
        + u64::try_from(place).expect("a place in a tile is below 256");
    match tile.kind {
        Kind::Entries => place,
        Kind::Hashes { level } => place << (HEIGHT * level),
    }
}

impl<F: Fetch> Reader<F> {
    /// Checks every entry and every tile against the checkpoint, whose signature was verified when the
    /// reader was opened.
    pub fn verify_all(&self) -> Audit {
        let size = self.checkpoint().size;
        let mut audit = Audit { entries: size, files: 1, ..Audit::default() };
        let mut edge = Edge::default();
        for index in 0..size.div_ceil(u64::from(WIDTH)) {
            for leaf in self.check_bundle(index, &mut audit) {
                let Ok(()) = edge.push(leaf, |tile, hashes| {
                    self.check_tile(tile, hashes, &mut audit);
                    Ok::<_, std::convert::Infallible>(())
                });
            }
        }
        for (tile, hashes) in edge.partial_tiles() {
            self.check_tile(tile, hashes, &mut audit);
        }
        if edge.root() != self.checkpoint().root {
            audit.fault(CHECKPOINT, None, format!("its root is not that of the {size} entries"));
        }
        audit
    }

    /// What is wrong with one bundle, as far as its tile of level 0 and the checkpoint tell.
    pub(crate) fn bundle_faults(&self, index: u64) -> Vec<Fault> {
        let mut audit = Audit::default();
        self.check_bundle(index, &mut audit);
        audit.faults
    }

    /// Compares a bundle with its tile of level 0, and returns the leaf hashes to go on with: where
    /// the two differ, those of the one that the checkpoint confirms, so that one fault is one fault.
    fn check_bundle(&self, index: u64, audit: &mut Audit) -> Vec<Hash> {
        let in_tree =
            |kind| Tile::in_tree(kind, index, self.checkpoint().size).expect("no bundle is empty");
        let (bundle, tile) = (in_tree(Kind::Entries), in_tree(Kind::Hashes { level: 0 }));
        let leaves = self.bundle_leaves(bundle, audit);
        audit.files += 1;
        let hashes = self.hashes(tile).unwrap_or_else(|error| {
            audit.unusable(tile, &error);
            Vec::new()
        });
        if hashes.is_empty() {
            return filled(leaves, bundle.width);
        }
        let differing: Vec<_> =
            (0..leaves.len()).filter(|&place| leaves[place] != hashes[place]).collect();
        let Some(&place) = differing.first() else { return hashes };
        let entry = first_entry(bundle, place);
        let also = match differing.len() {
            1 => String::new(),
            count => format!(" ({count} entries of the file differ)"),
        };
        if self.confirms(entry, hashes[place]) {
            audit.fault(
                bundle,
                Some(entry),
                format!("entry {entry} is not the one that was logged{also}"),
            );
            return hashes;
        }
        if self.confirms(entry, leaves[place]) {
            audit.fault(tile, Some(entry), format!("the hash of entry {entry} is wrong{also}"));
        } else {
            let what = format!(
                "entry {entry} and its hash in {tile} differ, and the checkpoint confirms neither{also}"
            );
            audit.fault(bundle, Some(entry), what);
        }
        filled(leaves, bundle.width)
    }

    /// The leaf hashes of the entries of a bundle, as many as there are.
    fn bundle_leaves(&self, bundle: Tile, audit: &mut Audit) -> Vec<Hash> {
        audit.files += 1;
        let (read, bytes) = match self.fetch_tile(bundle) {
            Ok(found) => found,
            Err(error) => {
                audit.unusable(bundle, &error);
                return Vec::new();
            }
        };
        let mut leaves = Vec::new();
        for entry in Entries::new(&bytes) {
            match entry {
                Ok(entry) => leaves.push(Hash::leaf(entry)),
                Err(error) => {
                    audit.fault(read, Some(first_entry(read, leaves.len())), error.to_string())
                }
            }
        }
        if leaves.len() != usize::from(read.width) {
            let what = format!("holds {} entries where {} belong", leaves.len(), read.width);
            audit.fault(read, Some(first_entry(read, 0)), what);
        }
        leaves.truncate(usize::from(bundle.width));
        leaves
    }

    /// Compares a tile above level 0 with the hashes that the entries give.
    fn check_tile(&self, tile: Tile, derived: &[Hash], audit: &mut Audit) {
        let Kind::Hashes { level: 1.. } = tile.kind else { return };
        audit.files += 1;
        match self.hashes(tile) {
            Ok(stored) => {
                if let Some(place) =
                    (0..derived.len()).find(|&place| derived[place] != stored[place])
                {
                    let entry = first_entry(tile, place);
                    let what = format!("hash {place} is not that of the entries from {entry} on");
                    audit.fault(tile, Some(entry), what);
                }
            }
            Err(error) => audit.unusable(tile, &error),
        }
    }

    /// Whether the checkpoint, over the other tiles, confirms this hash of an entry.
    fn confirms(&self, entry: u64, leaf: Hash) -> bool {
        let checkpoint = self.checkpoint();
        self.path(entry).is_ok_and(|path| {
            tree::verify_inclusion(leaf, entry, checkpoint.size, &path, checkpoint.root).is_ok()
        })
    }
}

/// As many leaves as belong in the bundle, so that those after it stay at their indices; what is
/// missing was listed, and the root cannot come out right without it.
fn filled(mut leaves: Vec<Hash>, width: u16) -> Vec<Hash> {
    leaves.resize(usize::from(width), Hash::empty_tree());
    leaves
}

#[cfg(test)]
mod tests;
