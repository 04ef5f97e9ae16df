//! What the tests of several modules share: a log in memory, a key, entries that all differ.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io;

use base::Secret;

use crate::tree::Node;
use crate::{
    Checkpoint, Cosigner, Fetch, Hash, Note, Publisher, Reader, Signer, Store, Tile, Verifier,
};

pub(crate) const LOG: &str = "log.example/awan";

pub(crate) fn signer() -> Signer {
    Signer::from_seed(LOG, Secret::new([7; 32])).unwrap()
}

pub(crate) fn verifier() -> Verifier {
    signer().verifier().clone()
}

/// A witness's key of its own.
pub(crate) fn cosigner(seed: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness-{seed}.example"), Secret::new([seed; 32])).unwrap()
}

/// The log's checkpoint of this size and root.
pub(crate) fn signed(size: u64, root: Hash) -> Note {
    Checkpoint { origin: LOG.to_owned(), size, root }.sign(&signer()).unwrap()
}

/// Entry number `index` of every test log.
pub(crate) fn entry(index: u64) -> Vec<u8> {
    format!("entry {index} {}", "-".repeat(usize::try_from(index % 40).unwrap())).into_bytes()
}

pub(crate) fn entries(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    range.map(entry).collect()
}

/// A log in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Fetch for Memory {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }
}

impl Store for Memory {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.files.insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn remove_partials(&mut self, full: Tile) -> io::Result<()> {
        let folder = format!("{full}.p/");
        let below = self.files.range(folder.clone()..).map(|(path, _)| path);
        let partials: Vec<_> =
            below.take_while(|path| path.starts_with(&folder)).cloned().collect();
        partials.iter().for_each(|path| drop(self.files.remove(path)));
        Ok(())
    }
}

impl Store for &mut Memory {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        (**self).put(path, content)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn remove_partials(&mut self, full: Tile) -> io::Result<()> {
        (**self).remove_partials(full)
    }
}

impl Fetch for &mut Memory {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        (**self).fetch(path)
    }
}

/// A log with a checkpoint at each of these sizes.
pub(crate) fn log_of(sizes: &[u64]) -> Memory {
    let mut log = Memory::default();
    let mut publisher = Publisher::open(&mut log, signer(), 0).unwrap();
    for &size in sizes {
        publisher.publish(entries(publisher.size()..size)).unwrap();
    }
    log
}

pub(crate) fn reader(log: &Memory) -> Reader<&Memory> {
    Reader::open(log, &verifier()).unwrap()
}

/// Every complete subtree of a tree, computed row by row.
pub(crate) struct Rows(Vec<Vec<Hash>>);

impl Rows {
    pub(crate) fn over(leaves: Vec<Hash>) -> Self {
        let mut rows = vec![leaves];
        while let Some(row) = rows.last().filter(|row| row.len() > 1) {
            let (pairs, _) = row.as_chunks::<2>();
            rows.push(pairs.iter().map(|&[left, right]| Hash::node(left, right)).collect());
        }
        Self(rows)
    }

    pub(crate) fn of_entries(size: u64) -> Self {
        Self::over(entries(0..size).iter().map(|entry| Hash::leaf(entry)).collect())
    }

    pub(crate) fn node(&self, node: Node) -> Result<Hash, std::convert::Infallible> {
        Ok(self.0[usize::from(node.level)][usize::try_from(node.index).unwrap()])
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        let Ok(root) = crate::tree::root(size, |node| self.node(node));
        root
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        let Ok(proof) = crate::tree::inclusion(index, size, |node| self.node(node));
        proof
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        let Ok(proof) = crate::tree::consistency(old, new, |node| self.node(node));
        proof
    }

    pub(crate) fn leaf(&self, index: u64) -> Hash {
        self.0[0][usize::try_from(index).unwrap()]
    }
}

/// The hash with one bit turned over.
pub(crate) fn flip(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}
