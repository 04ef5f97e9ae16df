//! Publishing: new entries in, tiles and a signed checkpoint out, crash-safe.
//!
//! The checkpoint is written last, when all that it promises is durable; a reader sees the old log or
//! the new one. Between the two there is time to show it to witnesses: [`Publisher::stage`] writes the
//! tiles and signs, [`Publisher::release`] puts the checkpoint in place. After a crash the directory holds the last checkpoint and perhaps files beyond it,
//! which the next `publish` writes again. So **the same index must always be given the same entry**;
//! whoever calls keeps the order in a database, and after any error asks [`Publisher::size`] where to
//! go on.
//!
//! Partial tiles are written for every published size. Those of a tile are removed when its full form
//! is in a published checkpoint, which c2sp.org/tlog-tiles permits; readers with an older checkpoint
//! then find the same hashes in the full tile. A full tile is never removed.

use std::io;

use crate::files::CHECKPOINT;
use crate::tail::{SWEPT_ENTRIES, Tail, flush, put, remove_partials};
use crate::tile::ENTRY_BYTES_MAX;
use crate::{Checkpoint, Note, Signer, Store, checkpoint, note, read};

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
    /// Nothing is staged, or another checkpoint is.
    #[error("the checkpoint to be published is not the one that was staged")]
    NotStaged,
    /// Writing failed. What was published before still is.
    #[error("{path}: cannot be written")]
    Io {
        /// The file, or what was done.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What is written and signed, and not published.
#[derive(Debug)]
struct Staged {
    tail: Tail,
    checkpoint: Checkpoint,
    note: Note,
}

/// The writer of one log.
#[derive(Debug)]
pub struct Publisher<S> {
    store: S,
    signer: Signer,
    tail: Tail,
    checkpoint: Option<Checkpoint>,
    staged: Option<Staged>,
}

impl<S: Store> Publisher<S> {
    /// Opens the log in `store`, or begins it. `published` is the size that the caller knows to be
    /// published, 0 for a new log: files that hold less are refused. They may hold more, if the caller
    /// died before noting it. The end of the log is read back and checked against the checkpoint.
    pub fn open(mut store: S, signer: Signer, published: u64) -> Result<Self, Error> {
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
        remove_partials(&mut store, found.saturating_sub(SWEPT_ENTRIES), found)?;
        Ok(Self { store, signer, tail, checkpoint, staged: None })
    }

    /// How many entries are published: the index of the next one.
    pub const fn size(&self) -> u64 {
        self.tail.size()
    }

    /// How many entries are published or staged: the index of the next one that is to be staged.
    pub fn staged_size(&self) -> u64 {
        self.staged.as_ref().map_or(self.size(), |staged| staged.checkpoint.size)
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
        if let Some(note) = self.stage(entries)?.cloned()
            && let Err(error) = self.release(&note).map(drop)
        {
            // The caller goes by what is published, and will give these entries again.
            self.staged = None;
            return Err(error);
        }
        Ok(self.checkpoint.as_ref().expect("one was published just now or before"))
    }

    /// Appends entries behind those that are staged, writes their tiles durably, and signs one
    /// checkpoint over all, which is returned and not published. Without entries it returns what is
    /// staged already; `None` where all is published. After an error what was staged before still is.
    pub fn stage<E: AsRef<[u8]>>(
        &mut self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<Option<&Note>, Error> {
        let old_size = self.staged_size();
        let mut tail = self.staged.as_ref().map_or(&self.tail, |staged| &staged.tail).clone();
        for entry in entries {
            tail.append(entry.as_ref(), &mut self.store)?;
        }
        let first = self.checkpoint.is_none() && self.staged.is_none();
        if first || tail.size() != old_size {
            tail.write_partials(old_size, &mut self.store)?;
            flush(&mut self.store)?;
            let origin = self.signer.verifier().name().to_owned();
            let checkpoint = Checkpoint { origin, size: tail.size(), root: tail.root() };
            let note = checkpoint.sign(&self.signer)?;
            self.staged = Some(Staged { tail, checkpoint, note });
        }
        Ok(self.staged.as_ref().map(|staged| &staged.note))
    }

    /// Publishes the staged checkpoint: `note` is what [`Publisher::stage`] returned, with the
    /// cosignatures that it got since.
    pub fn release(&mut self, note: &Note) -> Result<&Checkpoint, Error> {
        let old_size = self.size();
        let staged = self.staged.take_if(|staged| staged.note.text() == note.text());
        let Some(staged) = staged else { return Err(Error::NotStaged) };
        let signed = staged.note.clone().with_signatures(note.signatures().iter().cloned());
        let written = put(&mut self.store, CHECKPOINT, signed.to_string().as_bytes())
            .and_then(|()| flush(&mut self.store));
        if let Err(error) = written {
            self.staged = Some(staged);
            return Err(error);
        }
        self.tail = staged.tail;
        self.checkpoint = Some(staged.checkpoint);
        remove_partials(&mut self.store, old_size, self.tail.size())?;
        Ok(self.checkpoint.as_ref().expect("it was published just now"))
    }
}

#[cfg(test)]
mod tests;
