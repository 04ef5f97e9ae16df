//! A copy of a log: every entry is verified against the signed checkpoint before it is kept, tiles are
//! computed from the entries and not believed, and the new checkpoint is put in place only when all that
//! it promises is here, durable, and a continuation of what was here before.
//!
//! Where the files come from is a [`Fetch`]'s matter. A copy that was cut short goes on with the full
//! bundles that it has already, each verified again.

use std::io;

use crate::files::CHECKPOINT;
use crate::publish;
use crate::read::{self, History, Nodes};
use crate::tail::{SWEPT_ENTRIES, Tail, flush, put, remove_partials};
use crate::tile::{self, Kind, Tile, WIDTH};
use crate::witness::SplitView;
use crate::{Checkpoint, Fetch, Hash, Note, Reader, Store, Verifier};

/// Bundles below one tile of level 1: so long the tiles of a log are kept in memory.
const BUNDLES_AT_ONCE: u64 = WIDTH as u64;

/// Why nothing new was mirrored. What was mirrored before is still here and whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The copy cannot be written, or what it has is damaged.
    #[error("the copy")]
    Copy(#[from] publish::Error),
    /// The log cannot be read.
    #[error("the log")]
    Log(#[from] read::Error),
    /// The log is not the one that was mirrored before.
    #[error("the log contradicts what it showed before")]
    History(#[source] History),
    /// Entries are not the ones that the checkpoint promises.
    #[error("{0}")]
    Entries(String),
}

/// A log that is being mirrored.
#[derive(Debug)]
pub struct Mirror<S> {
    store: S,
    log: Verifier,
    tail: Tail,
    held: Option<(Note, Checkpoint)>,
}

/// Entries that are copied and not yet promised by the mirror's checkpoint.
#[derive(Debug)]
pub struct Copied {
    tail: Tail,
    note: Note,
    checkpoint: Checkpoint,
}

impl Copied {
    /// The checkpoint that [`Mirror::place`] will put in place.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl<S: Store> Mirror<S> {
    /// Opens the mirror in `store` of the log with this key, or begins it. Its end is read back and
    /// checked.
    pub fn open(mut store: S, log: Verifier) -> Result<Self, Error> {
        let path = CHECKPOINT.to_owned();
        let io = |source: io::Error| read::Error::Io { path, source };
        let (tail, held) =
            match store.fetch(CHECKPOINT).map_err(io).map_err(publish::Error::Read)? {
                None => (Tail::default(), None),
                Some(bytes) => {
                    let note = Note::parse(&bytes).map_err(publish::Error::Note)?;
                    let checkpoint =
                        Checkpoint::verify(&note, &log).map_err(publish::Error::Checkpoint)?;
                    (Tail::restore(&store, &checkpoint)?, Some((note, checkpoint)))
                }
            };
        let size = tail.size();
        remove_partials(&mut store, size.saturating_sub(SWEPT_ENTRIES), size)?;
        Ok(Self { store, log, tail, held })
    }

    /// How many entries are mirrored.
    pub const fn size(&self) -> u64 {
        self.tail.size()
    }

    /// The checkpoint up to which the log is mirrored, as its note has it.
    pub fn note(&self) -> Option<&Note> {
        self.held.as_ref().map(|(note, _)| note)
    }

    /// The mirrored log, to be read as any other. `None` before anything was mirrored.
    ///
    /// # Errors
    /// Those of [`Reader::at`].
    pub fn reader(&self) -> Result<Option<Reader<&S>>, Error> {
        let Some((note, _)) = &self.held else { return Ok(None) };
        Ok(Some(Reader::at(&self.store, note.clone(), &self.log)?))
    }

    /// Copies what the log has beyond the mirror; `None` where that is nothing. `seen` is handed each
    /// new entry with its index, verified. The copy counts only after [`Mirror::place`].
    ///
    /// # Errors
    /// What is wrong with the log, or with this copy of it.
    pub fn copy<F: Fetch>(
        &mut self,
        log: &Reader<F>,
        mut seen: impl FnMut(u64, &[u8]),
    ) -> Result<Option<Copied>, Error> {
        let new = log.checkpoint();
        if let Some((_, held)) = &self.held {
            self.check_history(log, held).map_err(Error::History)?;
            if held.size == new.size {
                return Ok(None);
            }
        }
        let old = self.tail.size();
        let mut tail = self.tail.clone();
        let mut nodes = log.nodes();
        let width = u64::from(WIDTH);
        for index in old / width..new.size.div_ceil(width) {
            if index % BUNDLES_AT_ONCE == 0 {
                nodes = log.nodes();
            }
            let bytes = self.bundle(log, index, &mut nodes)?;
            for (at, entry) in (index * width..).zip(parse(&bytes)) {
                if at >= old {
                    seen(at, entry);
                    tail.append(entry, &mut self.store)?;
                }
            }
        }
        if tail.root() != new.root {
            return Err(Error::Entries(format!(
                "the {} entries do not lead to the root of the checkpoint",
                new.size
            )));
        }
        tail.write_partials(old, &mut self.store)?;
        flush(&mut self.store)?;
        Ok(Some(Copied { tail, note: log.note().clone(), checkpoint: new.clone() }))
    }

    /// Puts the checkpoint of what was copied in place.
    ///
    /// # Errors
    /// Where it cannot be written; the mirror stays where it was.
    pub fn place(&mut self, copied: Copied) -> Result<(), Error> {
        let old = self.tail.size();
        put(&mut self.store, CHECKPOINT, copied.note.to_string().as_bytes())?;
        flush(&mut self.store)?;
        self.tail = copied.tail;
        self.held = Some((copied.note, copied.checkpoint));
        Ok(remove_partials(&mut self.store, old, self.tail.size())?)
    }

    /// The proof of a split view, where the log's checkpoint and the mirror's are one.
    pub fn split_view(&self, other: &Note) -> Option<SplitView> {
        self.note().and_then(|held| SplitView::of(held, other))
    }

    /// Whether the checkpoint that another reader of this log was shown (and that is verified) belongs
    /// to the log that is mirrored here. One that is larger than the mirror cannot be judged and passes.
    ///
    /// # Errors
    /// [`History`], told from the other reader's side.
    pub fn agrees(&self, other: &Checkpoint) -> Result<(), History> {
        match &self.held {
            Some((note, held)) if other.size <= held.size => {
                Reader::at(&self.store, note.clone(), &self.log)?.extends(other)
            }
            _ => Ok(()),
        }
    }

    /// Whether the log still begins with what is mirrored. What is here already can say more of a
    /// smaller log than the log itself.
    fn check_history<F: Fetch>(&self, log: &Reader<F>, held: &Checkpoint) -> Result<(), History> {
        let new = log.checkpoint();
        if new.size < held.size {
            self.agrees(new).map_err(|_| History::Fork { seen: held.size, now: new.size })?;
        }
        log.extends(held)
    }

    /// The bundle's bytes, verified: from what is here already, or from the log.
    fn bundle<F: Fetch>(
        &self,
        log: &Reader<F>,
        index: u64,
        nodes: &mut Nodes<'_, F>,
    ) -> Result<Vec<u8>, Error> {
        let size = log.checkpoint().size;
        let tile = Tile::in_tree(Kind::Entries, index, size).expect("no bundle is empty");
        let path = tile.to_string();
        if tile.is_full()
            && let Ok(Some(bytes)) = self.store.fetch(&path)
            && log.confirms_bundle(index, &leaves(&bytes, tile.width), nodes)?
        {
            return Ok(bytes);
        }
        let (read, mut bytes) = log.fetch_tile(tile)?;
        let entries = tile::parse_entries(&bytes, read.width)
            .map_err(|source| read::Error::Malformed { path: read.to_string(), source })?;
        let wanted =
            entries.iter().take(usize::from(tile.width)).map(|entry| 2 + entry.len()).sum();
        bytes.truncate(wanted);
        if log.confirms_bundle(index, &leaves(&bytes, tile.width), nodes)? {
            return Ok(bytes);
        }
        let faults = log.bundle_faults(index);
        let what = faults.first().map(ToString::to_string);
        Err(Error::Entries(what.unwrap_or_else(|| {
            format!(
                "{path}: its entries and the tiles above do not lead to the root of the checkpoint"
            )
        })))
    }
}

/// The entries of a bundle that was verified.
fn parse(bundle: &[u8]) -> impl Iterator<Item = &[u8]> {
    tile::Entries::new(bundle).map_while(Result::ok)
}

/// The leaf hashes of a bundle that holds this many entries; none where it does not.
fn leaves(bundle: &[u8], width: u16) -> Vec<Hash> {
    let entries = tile::parse_entries(bundle, width).unwrap_or_default();
    entries.into_iter().map(Hash::leaf).collect()
}

#[cfg(test)]
mod tests;
