//! Checkpoints (c2sp.org/tlog-checkpoint): what a log commits to when it signs. Cosignatures of
//! witnesses travel in the note and are not looked at here: see [`crate::cosign`].

use std::fmt;

use crate::Hash;
use crate::note::{self, Note, Signer, Verifier};

/// The head of a log: its identity, how many entries it has, and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's identity, a URL without scheme; also the name of the key that signs for it.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Why a checkpoint was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The note around it is bad or not signed by the log.
    #[error("not a note signed by the log")]
    Note(#[from] note::Error),
    /// The text is not that of a checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// It gives no entries a root that nothing has.
    #[error("not a checkpoint: an empty tree has the empty root")]
    EmptyRoot,
    /// It is the checkpoint of another log.
    #[error("a checkpoint of {0}, another log")]
    Origin(String),
}

impl Checkpoint {
    /// Reads the text of a checkpoint, without its signatures. Extension lines are accepted and
    /// dropped: nobody can audit them, so nothing may depend on them.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let checkpoint = Self::parse_text(text)?;
        if checkpoint.size == 0 && checkpoint.root != Hash::empty_tree() {
            return Err(Error::EmptyRoot);
        }
        Ok(checkpoint)
    }

    /// Reads the text and leaves open whether the root can be that of so many entries: a witness
    /// must say by its answer which of the two is wrong.
    pub(crate) fn parse_text(text: &str) -> Result<Self, Error> {
        let body = text.strip_suffix('\n').ok_or(Error::Malformed("it ends in a newline"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::Malformed("it has three lines"));
        };
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(Error::Malformed("no line is empty"));
        }
        let size = decimal(size).ok_or(Error::Malformed("the size is a decimal number"))?;
        let root =
            Hash::from_base64(root).ok_or(Error::Malformed("the root is base64 of 32 bytes"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The checkpoint in a note, after the log's signature and its origin were verified.
    pub fn verify(note: &Note, log: &Verifier) -> Result<Self, Error> {
        note.verify(&[log])?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin == log.name() {
            Ok(checkpoint)
        } else {
            Err(Error::Origin(checkpoint.origin))
        }
    }

    /// Signs the checkpoint with the log's key.
    pub fn sign(&self, signer: &Signer) -> Result<Note, note::Error> {
        Note::sign(self.to_string(), &[signer])
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

/// Reads an ASCII decimal number without sign and without leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
