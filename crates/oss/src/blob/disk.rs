//! The few calls on which durability rests, in one place: a test can record which bytes were synced when, and
//! rebuild what a loss of power would leave.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Something that is done to the disk. What was written is durable once a sync that began after the write
/// ended has ended well.
#[derive(Clone, Copy, Debug)]
pub enum DiskStep<'a> {
    /// A disk is about to be asked how much is left on it.
    Asks(&'a Path),
    /// An empty file is about to be made.
    Creates(&'a Path),
    /// An empty file was made; its name is not durable yet.
    Created(&'a Path),
    /// The names in this directory are durable.
    Named(&'a Path),
    /// So many bytes are about to be written from that offset on.
    Writes(&'a File, u64, usize),
    /// They were.
    Wrote(&'a File, u64, usize),
    /// So many bytes are about to be read from that offset on, by a thread that waits for the disk.
    Reads(&'a File, u64, usize),
    /// A sync of this file begins.
    Syncs(&'a File),
    /// It ended well.
    Synced(&'a File),
}

/// Is told of every step, on the thread that takes it. For tests.
pub trait Recorder: fmt::Debug + Send + Sync {
    /// The step is taken.
    fn note(&self, step: DiskStep<'_>);

    /// With what a step fails that is about to be taken.
    fn fails(&self, _: DiskStep<'_>) -> Option<io::Error> {
        None
    }
}

/// How segments reach the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Disk(pub(super) Option<&'static dyn Recorder>);

impl Disk {
    pub(super) fn note(self, step: DiskStep<'_>) {
        if let Some(recorder) = self.0 {
            recorder.note(step);
        }
    }

    /// Notes a step that is about to be taken, unless it is to fail.
    fn begin(self, step: DiskStep<'_>) -> io::Result<()> {
        self.note(step);
        self.0.and_then(|recorder| recorder.fails(step)).map_or(Ok(()), Err)
    }

    /// Makes an empty file whose name survives a power loss.
    pub(super) fn create(self, path: &Path) -> io::Result<File> {
        self.begin(DiskStep::Creates(path))?;
        let parent = path.parent().unwrap_or(Path::new("."));
        // Opened first: it must not be what fails once the file is there.
        let folder = File::open(parent)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        self.note(DiskStep::Created(path));
        folder.sync_all()?;
        self.note(DiskStep::Named(parent));
        Ok(file)
    }

    /// Writes all of `bytes` from `start` on.
    pub(super) fn write(self, file: &File, bytes: &[u8], start: u64) -> io::Result<()> {
        self.begin(DiskStep::Writes(file, start, bytes.len()))?;
        file.write_all_at(bytes, start)?;
        self.note(DiskStep::Wrote(file, start, bytes.len()));
        Ok(())
    }

    /// Reads as many bytes as there is room for from `start` on.
    pub(super) fn read(self, file: &File, buffer: &mut [u8], start: u64) -> io::Result<()> {
        self.begin(DiskStep::Reads(file, start, buffer.len()))?;
        file.read_exact_at(buffer, start)
    }

    /// Makes what was written to a file before durable.
    pub(super) fn sync(self, file: &File) -> io::Result<()> {
        self.begin(DiskStep::Syncs(file))?;
        file.sync_data()?;
        self.note(DiskStep::Synced(file));
        Ok(())
    }
}
