//! The shape of an RFC 6962 tree: roots, inclusion proofs and consistency proofs, made and verified.
//!
//! Nothing is stored here. Whoever makes a root or a proof gives a function that knows the hash of
//! every *complete* subtree ([`Node`]); the incomplete ones on the right edge are put together from
//! those. Verifying needs nothing but the proof.

use crate::Hash;

/// A complete subtree: `2^level` leaves from leaf `index * 2^level` on. A leaf is a node of level 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Height above the leaves.
    pub level: u8,
    /// Position among the nodes of this level, from the left.
    pub index: u64,
}

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The entry's index is not below the size of the tree.
    #[error("the tree of {size} entries has no entry {index}")]
    OutOfTree {
        /// Index asked for.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The tree cannot have grown to a smaller one.
    #[error("a tree of {old} entries cannot have grown to one of {new}")]
    Shrunk {
        /// Earlier size.
        old: u64,
        /// Later size.
        new: u64,
    },
    /// A proof between these positions has another number of hashes.
    #[error("the proof has the wrong length")]
    Length,
    /// The proof leads to another root than the one given.
    #[error("the proof does not lead to the root")]
    Root,
}

/// The largest power of two below `count`, which is at least 2: where RFC 6962 splits a tree.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The root of a complete tree over `hashes`, whose number is a power of two.
pub(crate) fn complete_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two(), "only a complete tree has one");
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| Hash::node(pair[0], pair[1])).collect();
    }
    row[0]
}

/// The hash over leaves `start..end`, a subtree that RFC 6962's splitting yields and not empty: its
/// complete subtrees, largest first, folded from the right.
fn range<E>(
    start: u64,
    end: u64,
    node: &mut impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let mut complete = Vec::new();
    let mut from = start;
    while from < end {
        let level = (end - from).ilog2();
        let level = u8::try_from(level).expect("a logarithm of a u64 is below 64");
        complete.push(node(Node { level, index: from >> level })?);
        from += 1 << level;
    }
    Ok(complete
        .into_iter()
        .rev()
        .reduce(|right, left| Hash::node(left, right))
        .unwrap_or_else(Hash::empty_tree))
}

/// The root of the tree of the first `size` leaves.
pub fn root<E>(size: u64, mut node: impl FnMut(Node) -> Result<Hash, E>) -> Result<Hash, E> {
    range(0, size, &mut node)
}

/// The proof that leaf `index` is in the tree of the first `size` leaves (RFC 6962, 2.1.1): the
/// siblings on the way up, the leaf's own first. `index` must be below `size`.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    assert!(index < size, "a proof is asked for entry {index} of a tree of {size}");
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range(start, middle, &mut node)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves (RFC 6962, 2.1.2).
/// Empty where nothing is to prove: `old` is 0 or equals `new`. `old` must not exceed `new`.
pub fn consistency<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(Node) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    assert!(old <= new, "a tree of {old} entries cannot have grown to one of {new}");
    let (mut start, mut end) = (0, new);
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range(middle, end, &mut node)?);
            end = middle;
        } else {
            proof.push(range(start, middle, &mut node)?);
            start = middle;
        }
    }
    // Where the old tree is itself one subtree of the new one, the verifier has its hash already.
    if start != 0 {
        proof.push(range(start, end, &mut node)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The way from a leaf to the root, as RFC 9162 walks it: the position of a node in its level, and
/// that of the level's last node.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    /// Whether the next hash of a proof belongs on the left.
    fn sibling_is_left(&self) -> bool {
        self.at & 1 == 1 || self.at == self.last
    }

    /// One level up; past all levels where a node on the right edge has no sibling.
    fn up(&mut self) {
        if self.sibling_is_left() {
            while self.at & 1 == 0 && self.at != 0 {
                self.at >>= 1;
                self.last >>= 1;
            }
        }
        self.at >>= 1;
        self.last >>= 1;
    }
}

/// Verifies that `leaf` is entry `index` of the tree of `size` entries with this `root`
/// (RFC 9162, 2.1.3.2).
///
/// The proof binds the leaf to the root. The size must come from where the root comes from (a signed
/// checkpoint): some neighbouring sizes share the form of a path, and no proof can tell them apart.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), Error> {
    if index >= size {
        return Err(Error::OutOfTree { index, size });
    }
    let mut climb = Climb { at: index, last: size - 1 };
    let mut hash = leaf;
    for &sibling in proof {
        if climb.last == 0 {
            return Err(Error::Length);
        }
        hash = if climb.sibling_is_left() {
            Hash::node(sibling, hash)
        } else {
            Hash::node(hash, sibling)
        };
        climb.up();
    }
    finish(&climb, hash == root)
}

/// Verifies that the tree of `new` entries begins with the tree of `old` entries (RFC 9162, 2.1.4.2).
/// The empty tree is the beginning of every tree; its proof is empty.
///
/// As with inclusion, each size must come from where its root comes from.
pub fn verify_consistency(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), Error> {
    if old > new {
        return Err(Error::Shrunk { old, new });
    }
    if old == new || old == 0 {
        let fits = if old == new { old_root == new_root } else { old_root == Hash::empty_tree() };
        return match (proof.is_empty(), fits) {
            (false, _) => Err(Error::Length),
            (true, false) => Err(Error::Root),
            (true, true) => Ok(()),
        };
    }
    let complete = (old - 1).trailing_ones();
    let mut climb = Climb { at: (old - 1) >> complete, last: (new - 1) >> complete };
    // A complete old tree is a node of the new one: the climb starts at it, not at a hash of the proof.
    let (start, rest) = match proof.split_first() {
        _ if climb.at == 0 => (old_root, proof),
        Some((&first, rest)) => (first, rest),
        None => return Err(Error::Length),
    };
    let (mut old_hash, mut new_hash) = (start, start);
    for &sibling in rest {
        if climb.last == 0 {
            return Err(Error::Length);
        }
        if climb.sibling_is_left() {
            old_hash = Hash::node(sibling, old_hash);
            new_hash = Hash::node(sibling, new_hash);
        } else {
            new_hash = Hash::node(new_hash, sibling);
        }
        climb.up();
    }
    finish(&climb, old_hash == old_root && new_hash == new_root)
}

fn finish(climb: &Climb, equal: bool) -> Result<(), Error> {
    match (climb.last == 0, equal) {
        (false, _) => Err(Error::Length),
        (true, false) => Err(Error::Root),
        (true, true) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
