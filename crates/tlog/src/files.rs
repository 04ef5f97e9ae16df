//! Where the files of a log live. A log is read through [`Fetch`] and written through [`Store`], so
//! that a caller can put another place (HTTP, an object store) below the same code; a directory is
//! what comes with it. Nothing here looks into a file.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::tile::{FILE_BYTES_MAX, Tile};

/// The name of the checkpoint's file.
pub const CHECKPOINT: &str = "checkpoint";
/// Every file is written here first and then renamed: one name, so that a crash leaves at most one.
const UNFINISHED: &str = ".new";
/// Held by the one writer.
const LOCK: &str = ".lock";

/// Reads the files of a log.
pub trait Fetch {
    /// The file at a path below the log's prefix (`checkpoint`, or as [`Tile`] writes it), `None`
    /// where there is none.
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
}

impl<F: Fetch + ?Sized> Fetch for &F {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        (**self).fetch(path)
    }
}

/// Writes the files of a log. There must be one writer at a time.
pub trait Store: Fetch {
    /// Writes a file whole: whatever happens, it then holds the old content or the new one.
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()>;
    /// Returns when all that was put is durable.
    fn flush(&mut self) -> io::Result<()>;
    /// Removes the partial forms of a full tile, if there are any.
    fn remove_partials(&mut self, full: Tile) -> io::Result<()>;
}

/// A log in a directory, to read. It answers to the names of a log's files and to no other, so a path
/// from outside may be handed to it.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The log in this directory, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Fetch for Directory {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        if path != CHECKPOINT && Tile::parse(path).is_none() {
            return Ok(None);
        }
        let file = match File::open(self.path.join(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let limit = u64::try_from(FILE_BYTES_MAX).expect("a limit in megabytes");
        let mut content = Vec::new();
        file.take(limit + 1).read_to_end(&mut content)?;
        if content.len() > FILE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "longer than any file of a log",
            ));
        }
        Ok(Some(content))
    }
}

/// A log in a directory, to write. While it lives no other process can have one for the same directory.
#[derive(Debug)]
pub struct DirectoryWriter {
    files: Directory,
    /// Directories whose entries changed since the last flush.
    changed: BTreeSet<PathBuf>,
    _lock: File,
}

impl DirectoryWriter {
    /// Makes the directory if needed and takes the writer's lock.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        let path = path.canonicalize()?;
        // Else a power failure could take the directory itself, with all that was made durable in it.
        if let Some(above) = path.parent() {
            File::open(above)?.sync_all()?;
        }
        let lock = File::create(path.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::ResourceBusy, "another process writes this log")
            }
            TryLockError::Error(error) => error,
        })?;
        missing_is_fine(fs::remove_file(path.join(UNFINISHED)))?;
        Ok(Self { files: Directory::new(path), changed: BTreeSet::new(), _lock: lock })
    }
}

impl Fetch for DirectoryWriter {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.files.fetch(path)
    }
}

impl Store for DirectoryWriter {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let root = &self.files.path;
        let unfinished = root.join(UNFINISHED);
        let mut file = File::create(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        let target = root.join(path);
        let folder = target.parent().unwrap_or(root);
        fs::create_dir_all(folder)?;
        fs::rename(&unfinished, &target)?;
        // The folders above may be new, or left unflushed by a process that died: all are flushed.
        let above = folder.ancestors().take_while(|above| above.starts_with(root));
        self.changed.extend(above.map(Path::to_path_buf));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        for folder in &self.changed {
            File::open(folder)?.sync_all()?;
        }
        self.changed.clear();
        Ok(())
    }

    fn remove_partials(&mut self, full: Tile) -> io::Result<()> {
        let folder = self.files.path.join(format!("{}.p", full.full()));
        self.changed.remove(&folder);
        missing_is_fine(fs::remove_dir_all(folder))
    }
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
