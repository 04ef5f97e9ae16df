//! What a witness cosigned last, for each log a folder with one file: `<hash of the origin>/checkpoint`.
//! A file is replaced whole and synced before the cosignature leaves, and each folder is locked, so that
//! two programs cannot cosign two histories with one key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result};
use terms::canonical::sha256;
use tlog::files::CHECKPOINT;
use tlog::witness::State;
use tlog::{Checkpoint, DirectoryWriter, Fetch, Note, Store, Verifier};

/// The memory of one witness.
pub(super) struct Memory {
    /// By origin.
    logs: BTreeMap<String, Mutex<Kept>>,
}

struct Kept {
    files: DirectoryWriter,
    note: Option<Note>,
}

/// How a log is named in paths: SHA-256 of its origin, in hexadecimal.
pub(crate) fn origin_hash(origin: &str) -> String {
    sha256(origin.as_bytes())
}

impl Memory {
    /// Reads back what is kept of these logs below `dir`.
    ///
    /// # Errors
    /// Where another witness runs there, or what is kept is not signed by the log: a witness that
    /// cannot read what it cosigned must not go on.
    pub(super) fn open(dir: &Path, logs: &[Verifier]) -> Result<Self> {
        let mut kept = BTreeMap::new();
        for log in logs {
            if kept.contains_key(log.name()) {
                continue;
            }
            let folder = dir.join(origin_hash(log.name()));
            let keys: Vec<_> = logs.iter().filter(|key| key.name() == log.name()).collect();
            let opened = Kept::open(&folder, &keys).with_context(|| {
                format!("open {}, what is kept of {}", folder.display(), log.name())
            })?;
            kept.insert(log.name().to_owned(), Mutex::new(opened));
        }
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.with_context(|| format!("write to {}", dir.display()))?;
        Ok(Self { logs: kept })
    }

    /// The note that was cosigned last of the log with this origin.
    pub(super) fn latest(&self, origin: &str) -> Option<Note> {
        let kept = self.logs.get(origin)?.lock().expect("nothing panics while it holds this lock");
        kept.note.clone()
    }
}

impl Kept {
    fn open(folder: &Path, keys: &[&Verifier]) -> Result<Self> {
        let files = DirectoryWriter::open(folder)?;
        let note = match files.fetch(CHECKPOINT)? {
            None => None,
            Some(bytes) => {
                let note = Note::parse(&bytes)?;
                note.verify(keys)?;
                Checkpoint::parse(note.text())?;
                Some(note)
            }
        };
        Ok(Self { files, note })
    }
}

impl State for Memory {
    fn exchange(
        &self,
        origin: &str,
        next: &mut dyn FnMut(Option<&Note>) -> Option<Note>,
    ) -> io::Result<()> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "a log that is not watched");
        let kept = self.logs.get(origin).ok_or_else(unknown)?;
        // Held until the new note is durable: the check and the change are one.
        let mut kept = kept.lock().expect("nothing panics while it holds this lock");
        if let Some(note) = next(kept.note.as_ref()) {
            kept.files.put(CHECKPOINT, note.to_string().as_bytes())?;
            kept.files.flush()?;
            kept.note = Some(note);
        }
        Ok(())
    }
}
