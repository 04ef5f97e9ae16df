//! Reading the log on, in the background: from where the last look ended up to the published
//! checkpoint, and what was read counts only when the entries lead to the root that was signed.
//!
//! Every entry is hashed, as an auditor would, so a page never shows what the log does not prove. What
//! goes wrong is kept and shown; the pages then stay at what was proven last.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base::Time;
use tlog::edge::Edge;
use tlog::files::CHECKPOINT;
use tlog::tile::{self, Kind, WIDTH};
use tlog::{Checkpoint, Fetch, Hash, Note, Tile, Verifier};

use crate::model::Model;

/// How many checkpoints are remembered.
pub const CHECKPOINTS_MAX: usize = 30;

/// Why the log could not be read on. Shown to the public.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing is published yet.
    #[error("no checkpoint is published yet")]
    Nothing,
    /// A file cannot be read, or is not of its form.
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The checkpoint is not one of this log's.
    #[error("the checkpoint is refused: {0}")]
    Checkpoint(String),
    /// The log has fewer entries than it had.
    #[error("the log had {had} entries and its checkpoint now says {says}")]
    Shrunk {
        /// Entries that were proven.
        had: u64,
        /// What the checkpoint says.
        says: u64,
    },
    /// The entries do not lead to the root that was signed.
    #[error("the entries do not lead to the root of the checkpoint of {size} entries")]
    Root {
        /// Size of that checkpoint.
        size: u64,
    },
}

/// A checkpoint that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When this portal saw it first.
    pub at: Time,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note around it, with all signatures.
    pub note: Note,
}

/// What the pages are made of: all of one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What the proven entries say.
    pub model: Arc<Model>,
    /// The checkpoints that were seen since this portal started and whose entries were proven, oldest
    /// first.
    pub checkpoints: VecDeque<Seen>,
    /// Why the last look failed.
    pub fault: Option<Fault>,
}

/// What a reader and the pages share.
#[derive(Debug, Default)]
pub struct Shared {
    view: RwLock<Arc<View>>,
    reading: AtomicU64,
    target: AtomicU64,
}

impl Shared {
    /// What is known now.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many entries are read, and how many there are to read.
    pub fn progress(&self) -> (u64, u64) {
        (self.reading.load(Ordering::Relaxed), self.target.load(Ordering::Relaxed))
    }

    fn set(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

/// Reads one log on.
#[derive(Debug)]
pub struct Follower {
    key: Verifier,
    shared: Arc<Shared>,
    edge: Edge,
    last: Vec<u8>,
}

impl Follower {
    /// Reads the log with this key, from its beginning.
    pub fn new(key: Verifier) -> Self {
        Self { key, shared: Arc::default(), edge: Edge::default(), last: Vec::new() }
    }

    /// What it knows, for the pages.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Reads up to the checkpoint that is published now. Blocks; long only where much is new.
    pub fn look(&mut self, log: &dyn Fetch, now: Time) -> Result<(), Fault> {
        let result = self.read_on(log, now);
        if let Err(fault) = &result {
            let view = self.shared.view();
            if view.fault.as_ref() != Some(fault) {
                self.shared.set(View { fault: Some(fault.clone()), ..View::clone(&view) });
            }
        }
        result
    }

    fn read_on(&mut self, log: &dyn Fetch, now: Time) -> Result<(), Fault> {
        let bytes = fetch(log, CHECKPOINT)?.ok_or(Fault::Nothing)?;
        let view = self.shared.view();
        if bytes == self.last && view.fault.is_none() {
            return Ok(());
        }
        let refused = |error: &dyn std::error::Error| Fault::Checkpoint(chain(error));
        let note = Note::parse(&bytes).map_err(|error| refused(&error))?;
        let checkpoint = Checkpoint::verify(&note, &self.key).map_err(|error| refused(&error))?;
        let had = view.model.size;
        if checkpoint.size < had {
            return Err(Fault::Shrunk { had, says: checkpoint.size });
        }
        // What is not proven is thrown away: edge and model go on from copies.
        let (mut edge, mut model) = (self.edge.clone(), Model::clone(&view.model));
        self.shared.target.store(checkpoint.size, Ordering::Relaxed);
        while edge.size() < checkpoint.size {
            read_bundle(log, checkpoint.size, &mut edge, &mut model)?;
            self.shared.reading.store(edge.size(), Ordering::Relaxed);
        }
        if edge.root() != checkpoint.root {
            self.shared.reading.store(had, Ordering::Relaxed);
            return Err(Fault::Root { size: checkpoint.size });
        }
        let mut checkpoints = view.checkpoints.clone();
        // Witnesses sign a checkpoint after it was made: the same head again, with more signatures.
        let again = checkpoints.pop_back_if(|seen| seen.checkpoint == checkpoint);
        let at = again.map_or(now, |seen| seen.at);
        checkpoints.push_back(Seen { at, checkpoint, note });
        if checkpoints.len() > CHECKPOINTS_MAX {
            checkpoints.pop_front();
        }
        self.edge = edge;
        self.last = bytes;
        self.shared.set(View { model: Arc::new(model), checkpoints, fault: None });
        Ok(())
    }
}

/// Reads the rest of the bundle in which the edge ends.
fn read_bundle(
    log: &dyn Fetch,
    size: u64,
    edge: &mut Edge,
    model: &mut Model,
) -> Result<(), Fault> {
    let width = u64::from(WIDTH);
    let (index, done) = (edge.size() / width, edge.size() % width);
    let bundle = Tile::in_tree(Kind::Entries, index, size).expect("the caller asks below the size");
    // A partial bundle goes away when the full one is published.
    let (read, bytes) = match fetch(log, &bundle.to_string())? {
        Some(bytes) => (bundle, bytes),
        None => {
            let full = bundle.full();
            let bytes = fetch(log, &full.to_string())?;
            (full, bytes.ok_or_else(|| file(bundle, "missing"))?)
        }
    };
    let entries = tile::parse_entries(&bytes, read.width).map_err(|error| file(read, error))?;
    let wanted = usize::from(bundle.width);
    let done = usize::try_from(done).expect("a remainder of 256");
    for entry in entries.into_iter().take(wanted).skip(done) {
        let Ok(()) = edge.push(Hash::leaf(entry), |_, _| Ok::<_, std::convert::Infallible>(()));
        model.apply(entry);
    }
    Ok(())
}

fn fetch(log: &dyn Fetch, path: &str) -> Result<Option<Vec<u8>>, Fault> {
    // What the system says can name a path of this machine, which is nobody's business.
    log.fetch(path).map_err(|error| {
        tracing::warn!(%error, path, "read a file of the log");
        Fault::File { path: path.to_owned(), what: "cannot be read".to_owned() }
    })
}

fn file(tile: Tile, what: impl ToString) -> Fault {
    Fault::File { path: tile.to_string(), what: what.to_string() }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests;
