//! Reading a log: entries and proofs, each verified against the signed checkpoint before it is handed
//! out. It trusts the key and nothing else; where the files come from is [`Fetch`]'s matter.
//!
//! A partial tile that is gone is looked for in its full tile, as c2sp.org/tlog-tiles asks of readers.

use std::collections::BTreeMap;
use std::io;

use crate::files::CHECKPOINT;
use crate::tile::{self, HEIGHT, Kind, Tile, WIDTH, node_hash};
use crate::tree::{self, Node};
use crate::{Checkpoint, Fetch, Hash, Note, Proof, Verifier, checkpoint, note};

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading the file failed.
    #[error("{path}: cannot be read")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file that the checkpoint promises is not there.
    #[error("{path}: missing")]
    Missing {
        /// The file.
        path: String,
    },
    /// The bytes of a tile or bundle are not of its form.
    #[error("{path}: malformed")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: tile::Error,
    },
    /// The checkpoint is not a note.
    #[error("{CHECKPOINT}: not a signed note")]
    Note(#[source] note::Error),
    /// The checkpoint is not a checkpoint of this log.
    #[error("{CHECKPOINT}: refused")]
    Checkpoint(#[from] checkpoint::Error),
    /// The log has no such entry, or had never that size.
    #[error("the log has {size} entries: {asked} is out of range")]
    OutOfRange {
        /// Index or size asked for.
        asked: u64,
        /// Size of the log.
        size: u64,
    },
    /// The tiles do not hash to the root that was signed.
    #[error("the tiles do not lead to the root of the checkpoint")]
    Root(#[source] tree::Error),
}

/// Why a log is not the one that was seen before.
#[derive(Debug, thiserror::Error)]
pub enum History {
    /// It has fewer entries than before: an old checkpoint, or entries taken away.
    #[error("the log had {seen} entries when it was seen before and now shows {now}: rolled back")]
    RolledBack {
        /// Size seen before.
        seen: u64,
        /// Size now.
        now: u64,
    },
    /// It signed two roots for one size: it shows different logs to different readers.
    #[error("a split view: the log signed two different roots for {size} entries")]
    SplitView {
        /// The size.
        size: u64,
    },
    /// What it had before is not the beginning of what it has now.
    #[error(
        "a fork: the {now} entries of the log do not begin with the {seen} that were seen before"
    )]
    Fork {
        /// Size seen before.
        seen: u64,
        /// Size now.
        now: u64,
    },
    /// The tiles that would tell cannot be read.
    #[error("whether the log only grew cannot be told")]
    Read(#[from] Error),
}

/// A log as it stood at one checkpoint.
#[derive(Clone, Debug)]
pub struct Reader<F> {
    fetch: F,
    note: Note,
    checkpoint: Checkpoint,
}

impl<F: Fetch> Reader<F> {
    /// Fetches the checkpoint and verifies that the log with this key signed it.
    pub fn open(fetch: F, log: &Verifier) -> Result<Self, Error> {
        let bytes = load(&fetch, CHECKPOINT)?
            .ok_or_else(|| Error::Missing { path: CHECKPOINT.to_owned() })?;
        Self::at(fetch, Note::parse(&bytes).map_err(Error::Note)?, log)
    }

    /// The log as it stood at this checkpoint, which may be another than the published one: one seen
    /// before, or one that is still to be published.
    pub fn at(fetch: F, note: Note, log: &Verifier) -> Result<Self, Error> {
        let checkpoint = Checkpoint::verify(&note, log)?;
        Ok(Self { fetch, note, checkpoint })
    }

    /// The checkpoint's note, with all its signatures.
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The checkpoint that everything here is verified against.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Checks that the tiles on the right edge hash to the checkpoint's root.
    pub fn check_root(&self) -> Result<(), Error> {
        let root = self.root(self.checkpoint.size)?;
        if root == self.checkpoint.root { Ok(()) } else { Err(Error::Root(tree::Error::Root)) }
    }

    /// Entry number `index`, proven to be in the log.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Error> {
        self.check_index(index)?;
        let bundle = Tile::in_tree(Kind::Entries, index / u64::from(WIDTH), self.checkpoint.size)
            .expect("an entry of the log is in one of its bundles");
        let (read, bytes) = self.fetch_tile(bundle)?;
        let entries = tile::parse_entries(&bytes, read.width)
            .map_err(|source| Error::Malformed { path: read.to_string(), source })?;
        let place = usize::try_from(index % u64::from(WIDTH)).expect("a remainder of 256");
        let entry = entries[place].to_vec();
        self.prove(index, Hash::leaf(&entry))?;
        Ok(entry)
    }

    /// The inclusion proof of entry number `index` in the checkpoint's tree.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, Error> {
        self.check_index(index)?;
        let leaf = self.nodes().hash(Node { level: 0, index })?;
        self.prove(index, leaf)
    }

    /// The file that proves entry number `index` to somebody without a network.
    pub fn proof(&self, index: u64) -> Result<Proof, Error> {
        let hashes = self.inclusion(index)?;
        Ok(Proof { extra: Vec::new(), index, hashes, checkpoint: self.note.clone() })
    }

    /// The root that the log had at an earlier size, or has now.
    pub fn root(&self, size: u64) -> Result<Hash, Error> {
        self.check_size(size)?;
        let mut nodes = self.nodes();
        tree::root(size, |node| nodes.hash(node))
    }

    /// The proof that the log of `new` entries begins with the log of `old` entries. Whoever checks
    /// it brings both roots from checkpoints; see [`tree::verify_consistency`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        self.check_size(new)?;
        if old > new {
            return Err(Error::OutOfRange { asked: old, size: new });
        }
        let mut nodes = self.nodes();
        tree::consistency(old, new, |node| nodes.hash(node))
    }

    /// Whether the log still begins with the log of a checkpoint that was seen (and verified) before.
    pub fn extends(&self, seen: &Checkpoint) -> Result<(), History> {
        let (old, now) = (seen.size, self.checkpoint.size);
        if old > now {
            return Err(History::RolledBack { seen: old, now });
        }
        if old == now {
            let same = seen.root == self.checkpoint.root;
            return if same { Ok(()) } else { Err(History::SplitView { size: now }) };
        }
        let proof = self.consistency(old, now)?;
        tree::verify_consistency(old, seen.root, now, self.checkpoint.root, &proof)
            .map_err(|_| History::Fork { seen: old, now })
    }

    /// Whether these leaf hashes are the ones of bundle number `index`, all of them. `nodes` are this
    /// reader's, kept from bundle to bundle.
    pub(crate) fn confirms_bundle(
        &self,
        index: u64,
        leaves: &[Hash],
        nodes: &mut Nodes<'_, F>,
    ) -> Result<bool, Error> {
        let Checkpoint { size, root, .. } = self.checkpoint;
        let first = index * u64::from(WIDTH);
        let until = size.min(first + u64::from(WIDTH));
        if u64::try_from(leaves.len()).ok() != until.checked_sub(first) {
            return Ok(false);
        }
        // The path of the first leaf goes through all the others, so it proves them too.
        let path = tree::inclusion(first, size, |node| {
            let start = node.index << node.level;
            if (first..until).contains(&start) && node.level < HEIGHT {
                let start = usize::try_from(start - first).expect("a place in a bundle");
                return Ok(node_hash(&leaves[start..start + (1 << node.level)]));
            }
            nodes.hash(node)
        })?;
        Ok(tree::verify_inclusion(leaves[0], first, size, &path, root).is_ok())
    }

    /// The inclusion proof of a leaf, verified.
    fn prove(&self, index: u64, leaf: Hash) -> Result<Vec<Hash>, Error> {
        let Checkpoint { size, root, .. } = self.checkpoint;
        let hashes = self.path(index)?;
        tree::verify_inclusion(leaf, index, size, &hashes, root).map_err(Error::Root)?;
        Ok(hashes)
    }

    /// What the tiles give as the inclusion proof of an entry, not verified.
    pub(crate) fn path(&self, index: u64) -> Result<Vec<Hash>, Error> {
        let mut nodes = self.nodes();
        tree::inclusion(index, self.checkpoint.size, |node| nodes.hash(node))
    }

    fn check_index(&self, index: u64) -> Result<(), Error> {
        let size = self.checkpoint.size;
        if index < size { Ok(()) } else { Err(Error::OutOfRange { asked: index, size }) }
    }

    fn check_size(&self, asked: u64) -> Result<(), Error> {
        let size = self.checkpoint.size;
        if asked <= size { Ok(()) } else { Err(Error::OutOfRange { asked, size }) }
    }

    /// The bytes of a tile or bundle, or of its full form where the partial one is gone; and which.
    pub(crate) fn fetch_tile(&self, tile: Tile) -> Result<(Tile, Vec<u8>), Error> {
        fetch_tile(&self.fetch, tile)
    }

    /// The hashes of a tile.
    pub(crate) fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, Error> {
        hashes(&self.fetch, tile)
    }

    pub(crate) fn nodes(&self) -> Nodes<'_, F> {
        Nodes { fetch: &self.fetch, size: self.checkpoint.size, tiles: BTreeMap::new() }
    }
}

/// The nodes of a tree, from its tiles. A proof needs several nodes of one tile, so it keeps them.
pub(crate) struct Nodes<'a, F> {
    fetch: &'a F,
    size: u64,
    tiles: BTreeMap<Tile, Vec<Hash>>,
}

impl<F: Fetch> Nodes<'_, F> {
    fn hash(&mut self, node: Node) -> Result<Hash, Error> {
        let (tile, held) = Tile::of_node(node, self.size)
            .expect("roots and proofs are made of the tree's own nodes");
        if !self.tiles.contains_key(&tile) {
            self.tiles.insert(tile, hashes(self.fetch, tile)?);
        }
        Ok(node_hash(&self.tiles[&tile][held]))
    }
}

fn load(fetch: &impl Fetch, path: &str) -> Result<Option<Vec<u8>>, Error> {
    fetch.fetch(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}

pub(crate) fn fetch_tile(fetch: &impl Fetch, tile: Tile) -> Result<(Tile, Vec<u8>), Error> {
    for tile in [tile, tile.full()] {
        if let Some(bytes) = load(fetch, &tile.to_string())? {
            return Ok((tile, bytes));
        }
    }
    Err(Error::Missing { path: tile.to_string() })
}

/// The hashes of a tile, as many as its width says.
pub(crate) fn hashes(fetch: &impl Fetch, tile: Tile) -> Result<Vec<Hash>, Error> {
    let (read, bytes) = fetch_tile(fetch, tile)?;
    let mut hashes = tile::parse_hashes(&bytes, read.width)
        .map_err(|source| Error::Malformed { path: read.to_string(), source })?;
    hashes.truncate(usize::from(tile.width));
    Ok(hashes)
}

#[cfg(test)]
mod tests;
