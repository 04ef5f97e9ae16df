//! Names and bytes of the files of a log, as c2sp.org/tlog-tiles lays them down: tiles of 256 hashes
//! and bundles of 256 entries. Parsing is strict and bounded; reading and writing files is elsewhere.

use std::fmt;

use crate::Hash;
use crate::checkpoint::decimal;
use crate::tree::{Node, complete_root};

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u16 = 256;
/// Levels of the tree that one tile spans: `2^8 = 256`.
pub const HEIGHT: u8 = 8;
/// The longest entry: its length is written in 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// The longest file: a full bundle of the longest entries.
pub const FILE_BYTES_MAX: usize = WIDTH as usize * (2 + ENTRY_BYTES_MAX);
/// The highest level that the format can name.
const LEVEL_MAX: u8 = 63;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The entries themselves: a bundle.
    Entries,
    /// Hashes. At level 0 those of the entries; at level L + 1 the roots of the full tiles of level L.
    Hashes {
        /// Level in tiles, not in tree levels.
        level: u8,
    },
}

/// The name of a tile or an entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub kind: Kind,
    /// Position among those of its kind, from the left.
    pub index: u64,
    /// How many hashes or entries it holds: 1 to 256; below 256 it is a partial tile.
    pub width: u16,
}

impl Tile {
    /// Number `index` of a kind as it stands in a tree of `size` entries, `None` where it is empty.
    pub fn in_tree(kind: Kind, index: u64, size: u64) -> Option<Self> {
        let held = match kind {
            Kind::Entries => size,
            Kind::Hashes { level } => {
                size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0)
            }
        };
        let left = held.checked_sub(index.checked_mul(u64::from(WIDTH))?)?;
        let width = u16::try_from(left).map_or(WIDTH, |left| left.min(WIDTH));
        (width > 0).then_some(Self { kind, index, width })
    }

    /// The tile of hashes that holds what a [`Node`] of a tree of `size` entries is made of, and the
    /// first of those hashes and their number.
    pub(crate) fn of_node(node: Node, size: u64) -> Option<(Self, std::ops::Range<usize>)> {
        let (level, inner) = (node.level / HEIGHT, node.level % HEIGHT);
        let first = node.index << inner;
        let tile = Self::in_tree(Kind::Hashes { level }, first >> HEIGHT, size)?;
        let start = usize::try_from(first % u64::from(WIDTH)).ok()?;
        let hashes = start..start + (1 << inner);
        (hashes.end <= usize::from(tile.width)).then_some((tile, hashes))
    }

    /// Whether it is 256 wide and so will never change.
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The same tile when it is full.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }

    /// Reads a path as [`Tile`] writes it, and nothing else.
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => Kind::Hashes {
                level: u8::try_from(decimal(level)?).ok().filter(|level| *level <= LEVEL_MAX)?,
            },
        };
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, u16::try_from(decimal(width)?).ok()?),
            None => (rest, WIDTH),
        };
        let mut index = 0_u64;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let value: u64 = digits.parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(value)?;
        }
        // Writing it again settles all the rest: group lengths, x prefixes, leading zeroes.
        let tile = Self { kind, index, width };
        ((1..=WIDTH).contains(&tile.width) && tile.to_string() == path).then_some(tile)
    }
}

/// The path below the log's prefix: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => f.write_str("tile/entries/")?,
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Why the bytes of a tile or bundle were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A tile is 32 bytes for each hash.
    #[error("holds {found} bytes where {expected} belong")]
    Bytes {
        /// Length of the file.
        found: usize,
        /// Length that its name promises.
        expected: usize,
    },
    /// A bundle's last entry is cut short.
    #[error("ends inside the entry at place {place} of the bundle")]
    Cut {
        /// Place in the bundle, from 0.
        place: usize,
    },
    /// A bundle has another number of entries than its name says.
    #[error("holds {found} entries where {expected} belong")]
    Entries {
        /// Entries in the file.
        found: usize,
        /// Entries that its name promises.
        expected: usize,
    },
}

/// The hashes of a tile of this width.
pub fn parse_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, Error> {
    let expected = usize::from(width) * Hash::BYTES;
    if bytes.len() != expected {
        return Err(Error::Bytes { found: bytes.len(), expected });
    }
    let (hashes, _) = bytes.as_chunks::<{ Hash::BYTES }>();
    Ok(hashes.iter().copied().map(Hash::from_bytes).collect())
}

/// The bytes of a tile.
pub fn write_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(Hash::as_bytes).copied().collect()
}

/// The hash of a node, from the hashes of its tile that [`Tile::of_node`] names.
pub(crate) fn node_hash(hashes: &[Hash]) -> Hash {
    complete_root(hashes)
}

/// Appends one entry to a bundle. The entry must not be longer than [`ENTRY_BYTES_MAX`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length = u16::try_from(entry.len()).expect("the caller has checked the entry's length");
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// The entries of a bundle, one by one; an error ends them.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
    place: usize,
}

impl<'a> Entries<'a> {
    /// Reads a bundle from its first byte.
    pub const fn new(bundle: &'a [u8]) -> Self {
        Self { rest: bundle, place: 0 }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = self.rest.split_first_chunk::<2>();
        let entry = split.and_then(|(length, rest)| {
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        });
        let place = self.place;
        self.place += 1;
        match entry {
            Some((entry, rest)) => {
                self.rest = rest;
                Some(Ok(entry))
            }
            None => {
                self.rest = &[];
                Some(Err(Error::Cut { place }))
            }
        }
    }
}

/// The entries of a bundle of this width.
pub fn parse_entries(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, Error> {
    let entries = Entries::new(bundle).collect::<Result<Vec<_>, _>>()?;
    if entries.len() == usize::from(width) {
        Ok(entries)
    } else {
        Err(Error::Entries { found: entries.len(), expected: usize::from(width) })
    }
}

#[cfg(test)]
mod tests;
