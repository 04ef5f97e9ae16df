//! The `.tlog-proof` file (c2sp.org/tlog-proof): all that somebody without a network needs to see that
//! an entry is in the log. How an entry is made from what the reader knows is the application's part.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{self, decimal};
use crate::note::{self, NOTE_BYTES_MAX};
use crate::policy::{Policy, Unsatisfied};
use crate::tree;
use crate::{Checkpoint, Hash, Note, Verifier};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// The longest file that is read: a note, and as much again for the rest.
const PROOF_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX;
/// A path in a tree of 2^64 leaves has no more hashes.
const HASHES_MAX: usize = 64;

/// A proof that an entry is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Data of the application, empty if none. It is not authenticated.
    pub extra: Vec<u8>,
    /// Index of the entry.
    pub index: u64,
    /// Inclusion proof, the leaf's sibling first.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint whose tree the entry is in, with the cosignatures that it has.
    pub checkpoint: Note,
}

/// Why a proof was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not such a file.
    #[error("not a proof file: {0}")]
    Malformed(&'static str),
    /// The part that should be a note is none.
    #[error("the checkpoint cannot be read")]
    Note(#[source] note::Error),
    /// The checkpoint is not the log's.
    #[error("the checkpoint is refused")]
    Checkpoint(#[from] checkpoint::Error),
    /// The checkpoint does not count for whoever holds this policy.
    #[error("the checkpoint does not meet the policy")]
    Policy(#[from] Unsatisfied),
    /// The hashes do not connect the entry and the checkpoint.
    #[error("the entry is not proven to be in the log")]
    Inclusion(#[from] tree::Error),
}

impl Proof {
    /// Reads a proof file. It proves nothing until verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(Error::Malformed("it is too long"));
        }
        let text = str::from_utf8(bytes).map_err(|_| Error::Malformed("it is UTF-8"))?;
        let (head, note) =
            text.split_once("\n\n").ok_or(Error::Malformed("an empty line ends the proof"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(Error::Malformed("it begins with c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => parse_extra(&line["extra ".len()..])?,
            None => Vec::new(),
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(Error::Malformed("it has an index line"))?;
        let hashes: Option<Vec<_>> = lines.take(HASHES_MAX + 1).map(Hash::from_base64).collect();
        let hashes =
            hashes.ok_or(Error::Malformed("every line of the path is base64 of 32 bytes"))?;
        if hashes.len() > HASHES_MAX {
            return Err(Error::Malformed("it has at most 64 hashes"));
        }
        let checkpoint = Note::parse(note.as_bytes()).map_err(Error::Note)?;
        Ok(Self { extra, index, hashes, checkpoint })
    }

    /// Verifies, without a network, that the entry with this leaf hash is at [`Proof::index`] of the
    /// log with this key, and returns the checkpoint that says so.
    pub fn verify(&self, leaf: Hash, log: &Verifier) -> Result<Checkpoint, Error> {
        self.lead_to(Checkpoint::verify(&self.checkpoint, log)?, leaf)
    }

    /// As [`Proof::verify`], for whoever trusts a policy: one of its logs must have signed the
    /// checkpoint, and enough of its witnesses must have cosigned it.
    pub fn verify_with_policy(&self, leaf: Hash, policy: &Policy) -> Result<Checkpoint, Error> {
        self.lead_to(policy.verify(&self.checkpoint)?, leaf)
    }

    fn lead_to(&self, checkpoint: Checkpoint, leaf: Hash) -> Result<Checkpoint, Error> {
        tree::verify_inclusion(leaf, self.index, checkpoint.size, &self.hashes, checkpoint.root)?;
        Ok(checkpoint)
    }
}

fn parse_extra(encoded: &str) -> Result<Vec<u8>, Error> {
    match STANDARD.decode(encoded) {
        Ok(extra) if !extra.is_empty() => Ok(extra),
        _ => Err(Error::Malformed("extra data is base64")),
    }
}

/// The form that [`Proof::parse`] reads, byte for byte.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
