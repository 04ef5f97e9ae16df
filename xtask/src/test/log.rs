//! The public log under judgement: its checkpoints are kept while it grows, it is made long enough to
//! say something, and then outside verifiers must accept it, and refuse it once a byte is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Result;
use crate::lanes::{Counts, Lanes, Runner};
use crate::process::{succeeds, wait_for};
use crate::workspace::{make_dir, read, write};

/// How many entries the log shall have before it is judged: many full tiles, of two levels.
const ENTRIES_MIN: u64 = 5_000;

/// How many entries are asked for at once; a checkpoint falls between two rounds now and then.
const ROUND: u64 = 250;

/// How often is looked for a new checkpoint. They come once a second at most.
const POLL: Duration = Duration::from_millis(25);

/// Keeps each checkpoint that a log publishes, from now on until it is finished.
pub(super) struct Keeper {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
    kept: PathBuf,
}

impl Keeper {
    /// Watches the log in `log`; the checkpoints go to a folder of their own in `scratch`.
    pub(super) fn start(log: &Path, scratch: &Path) -> Result<Self> {
        let kept = scratch.join("checkpoints");
        make_dir(&kept)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (published, folder, end) = (log.join("checkpoint"), kept.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || keep(&published, &folder, &end));
        Ok(Self { stop, thread, kept })
    }

    /// Where the checkpoints are. An error if nothing grew: one alone proves nothing.
    pub(super) fn finish(self) -> Result<PathBuf> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the keeper of checkpoints panicked".to_owned())??;
        let number = fs::read_dir(&self.kept).map_or(0, Iterator::count);
        if number < 2 {
            return Err(format!("{number} checkpoints were published while the clients ran"));
        }
        Ok(self.kept)
    }
}

fn keep(published: &Path, folder: &Path, end: &AtomicBool) -> Result<()> {
    let mut last = String::new();
    let mut number = 0;
    loop {
        // Looked at once more after the end, so that the newest is among them.
        let ends = end.load(Ordering::Relaxed);
        let text = match read(published) {
            // A cloud answers before its first checkpoint is there.
            Err(_) if last.is_empty() && !ends => String::new(),
            text => text?,
        };
        if text != last {
            write(&folder.join(checkpoint_name(number)), &text)?;
            number += 1;
            last = text;
        }
        if ends {
            return Ok(());
        }
        thread::sleep(POLL);
    }
}

/// Sorts as the checkpoints came.
fn checkpoint_name(number: usize) -> String {
    format!("{number:06}")
}

/// The size that a checkpoint states in its second line.
fn size(checkpoint: &str) -> Option<u64> {
    checkpoint.lines().nth(1)?.parse().ok()
}

/// Makes entries until the log of the cloud in `data_dir` is long enough. `load` is the program that
/// makes them, without their number; it may be refused some for being too fast.
pub(super) fn grow(data_dir: &Path, load: impl Fn() -> Command) -> Result<Counts> {
    let published = data_dir.join("log/checkpoint");
    wait_for("a log that is long enough", Duration::from_secs(120), || {
        if size(&read(&published)?).is_some_and(|size| size >= ENTRIES_MIN) {
            return Ok(Some(super::ONE));
        }
        succeeds(load().args(["--requests", &ROUND.to_string()]));
        Ok(None)
    })
}

/// A log whose cloud has ended, and what was kept of it.
pub(super) struct Evidence {
    /// The log's folder.
    pub(super) log: PathBuf,
    /// Its verifier key.
    pub(super) key: String,
    /// The folder of its earlier checkpoints.
    pub(super) checkpoints: PathBuf,
}

impl Evidence {
    /// Two lanes: the verifier must accept the log, and refuse each forgery of it. `verifier` gives
    /// the program without its arguments.
    pub(super) fn judge(&self, lanes: &mut Lanes, name: &str, verifier: impl Fn() -> Command) {
        let command = || self.point(verifier());
        lanes.run(name, Runner::Plain, &mut command());
        lanes.add(&format!("{name}, forged"), || self.refuses_forgeries(command));
    }

    fn point(&self, mut verifier: Command) -> Command {
        verifier.arg(&self.log).arg(&self.key).arg(&self.checkpoints);
        verifier
    }

    fn refuses_forgeries(&self, command: impl Fn() -> Command) -> Result<Counts> {
        let mut counts = Counts::default();
        for forgery in self.forgeries()? {
            let accepted = forgery.while_in_place(|| Ok(succeeds(&mut command())))?;
            let (word, count) = if accepted {
                ("NOT SEEN", &mut counts.failed)
            } else {
                ("seen", &mut counts.passed)
            };
            *count += 1;
            println!("{word}: {}", forgery.name);
        }
        Ok(counts)
    }

    fn forgeries(&self) -> Result<[Forgery; 4]> {
        let earliest = self.checkpoints.join(checkpoint_name(0));
        Ok([
            Forgery::byte("a byte of an entry", self.log.join("tile/entries/000"))?,
            Forgery::byte("a byte of a tile", self.log.join("tile/0/000"))?,
            Forgery::byte("a byte of the checkpoint", self.log.join("checkpoint"))?,
            Forgery {
                name: "an earlier checkpoint as the newest",
                content: read_bytes(&earliest)?,
                file: self.log.join("checkpoint"),
            },
        ])
    }
}

/// Something put in the place of a file of the log.
struct Forgery {
    name: &'static str,
    file: PathBuf,
    content: Vec<u8>,
}

impl Forgery {
    /// One bit of the byte in the middle is turned.
    fn byte(name: &'static str, file: PathBuf) -> Result<Self> {
        let mut content = read_bytes(&file)?;
        let middle = content.len() / 2;
        let byte = content.get_mut(middle).ok_or_else(|| format!("{} is empty", file.display()))?;
        *byte ^= 1;
        Ok(Self { name, file, content })
    }

    /// What `judge` says while the forgery is in place; the true file is put back afterwards.
    fn while_in_place<T>(&self, judge: impl FnOnce() -> Result<T>) -> Result<T> {
        let truth = read_bytes(&self.file)?;
        write(&self.file, &self.content)?;
        let said = judge();
        write(&self.file, truth)?;
        said
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| format!("read {}: {e}", path.display()))
}

#[cfg(test)]
mod tests;
