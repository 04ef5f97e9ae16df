//! The right edge of a growing tree: the unfinished tile of every level. It is all that appending
//! needs, whatever the size of the log. It writes nothing: whoever appends is handed each tile as it
//! fills up.

use std::convert::Infallible;

use crate::Hash;
use crate::tile::{HEIGHT, Kind, Tile, WIDTH, node_hash};
use crate::tree::{self, complete_root};

/// The unfinished tiles of a tree, level by level; at most 255 hashes each.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    tiles: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the tree of `size` entries, from its partial tiles.
    pub fn restore<E>(
        size: u64,
        mut read: impl FnMut(Tile) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut tiles = Vec::new();
        for level in levels(size) {
            tiles.push(partial(level, size).map_or_else(|| Ok(Vec::new()), &mut read)?);
        }
        Ok(Self { size, tiles })
    }

    /// How many entries the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf and hands over each tile that it completes, lowest level first. After an
    /// error of `full` the edge is of no use.
    pub fn push<E>(
        &mut self,
        leaf: Hash,
        mut full: impl FnMut(Tile, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            let at = usize::from(level);
            if self.tiles.len() == at {
                self.tiles.push(Vec::with_capacity(usize::from(WIDTH)));
            }
            let tile = &mut self.tiles[at];
            tile.push(hash);
            if tile.len() < usize::from(WIDTH) {
                break;
            }
            let index = (self.size >> (HEIGHT * (level + 1))) - 1;
            full(Tile { kind: Kind::Hashes { level }, index, width: WIDTH }, tile)?;
            hash = complete_root(tile);
            tile.clear();
        }
        Ok(())
    }

    /// The unfinished tiles, lowest level first; empty ones are left out.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        levels(self.size)
            .zip(&self.tiles)
            .filter_map(|(level, hashes)| Some((partial(level, self.size)?, &hashes[..])))
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let Ok(root) = tree::root(self.size, |node| {
            let hashes = &self.tiles[usize::from(node.level / HEIGHT)];
            let (_, held) =
                Tile::of_node(node, self.size).expect("a root is made of nodes of its own tree");
            Ok::<_, Infallible>(node_hash(&hashes[held]))
        });
        root
    }
}

/// The levels of tiles that a tree of `size` entries has.
pub(crate) fn levels(size: u64) -> impl Iterator<Item = u8> {
    (0..u8::try_from(u64::BITS).expect("64 fits") / HEIGHT)
        .take_while(move |level| size >> (HEIGHT * level) > 0)
}

/// The partial tile of a level, `None` where the level ends with a full one.
fn partial(level: u8, size: u64) -> Option<Tile> {
    let held = size >> (HEIGHT * level);
    Tile::in_tree(Kind::Hashes { level }, held / u64::from(WIDTH), size)
}

#[cfg(test)]
mod tests;
