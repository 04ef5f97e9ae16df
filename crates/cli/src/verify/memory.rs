//! What this user saw of each log: the newest checkpoint, in a file. A log may only ever grow, so
//! every later checkpoint must continue it; one that does not is kept beside it as evidence.
//!
//! Logs are told apart by their keys: a new cloud of an old name is another log.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::text::percent_encode;
use tlog::read::History;
use tlog::{Checkpoint, Note, Verifier};

use super::findings::Findings;
use super::log::Log;
use crate::error::advise;
use crate::output;
use crate::profile::{variable, write_private};

/// Where a checkpoint that was seen is kept.
pub(super) struct Memory {
    /// The file of the newest checkpoint.
    file: PathBuf,
    /// The directory of checkpoints that contradict each other.
    evidence: PathBuf,
}

/// How what was seen before and what is shown now go together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The log begins with what was seen.
    Continues,
    /// It does not: one of the two is no honest checkpoint. In words.
    Contradicts(String),
    /// The files do not allow to say.
    Unproven(String),
}

impl Memory {
    /// Of the user, for the log with this key.
    ///
    /// # Errors
    /// Where the user has no home.
    pub fn of_user(key: &Verifier) -> Result<Self> {
        let state = variable("XDG_STATE_HOME").map(PathBuf::from);
        let state = state
            .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/state")))
            .ok_or_else(|| {
                advise(
                    "there is no place to remember checkpoints in",
                    "set HOME or XDG_STATE_HOME, or give --no-memory",
                )
            })?;
        Ok(Self::below(&state.join("awan"), key))
    }

    /// In a directory, for the log with this key.
    pub fn below(dir: &Path, key: &Verifier) -> Self {
        let text = key.to_string();
        // Name and key id; the key itself would only make the file's name long.
        let name = text.rsplit_once('+').map_or(text.as_str(), |(name, _)| name);
        let file = dir.join("checkpoints").join(percent_encode(name));
        Self { file, evidence: dir.join("evidence") }
    }

    /// In one file that the user named.
    pub fn in_file(file: &Path, key: &Verifier) -> Result<Self> {
        let evidence = Self::of_user(key).map(|memory| memory.evidence);
        Ok(Self {
            file: file.to_owned(),
            evidence: evidence.unwrap_or_else(|_| file.with_extension("evidence")),
        })
    }

    /// Holds the log against what was seen, and remembers it where all is well.
    ///
    /// # Errors
    /// Where the memory cannot be read or written.
    pub fn check(&self, log: &Log, findings: &mut Findings) -> Result<()> {
        let _lock = self.lock()?;
        if let Some((bytes, old)) = self.recall(log.key())? {
            match compare(log, findings.is_sound(), &old) {
                Verdict::Continues => findings.checked(
                    "history",
                    format_args!(
                        "begins with the {} entries that were seen before",
                        output::count(old.size)
                    ),
                ),
                Verdict::Unproven(why) => findings.defect(why),
                Verdict::Contradicts(why) => {
                    let (seen, shown) = self.keep(&bytes, log.note_bytes())?;
                    findings.defect(format!(
                        "{why}; both checkpoints are signed by the log's key and kept as evidence: \
                         {} (seen before), {} (shown now)",
                        seen.display(),
                        shown.display()
                    ));
                }
            }
        }
        if findings.is_sound() {
            write_private(&self.file, log.note_bytes())?;
            let size = output::count(log.checkpoint().size);
            findings
                .checked("seen", format_args!("{} remembers {size} entries", self.file.display()));
        }
        Ok(())
    }

    /// Holds a checkpoint that came without its log (in a receipt) against what was seen. Without
    /// the log's files only a checkpoint of the same size can be told right or wrong.
    ///
    /// # Errors
    /// Where the memory cannot be read or written.
    pub fn check_alone(
        &self,
        note: &Note,
        now: &Checkpoint,
        key: &Verifier,
        findings: &mut Findings,
    ) -> Result<()> {
        let Some((bytes, old)) = self.recall(key)? else { return Ok(()) };
        if old.size != now.size {
            let (old, now) = (output::count(old.size), output::count(now.size));
            findings.checked("history", format_args!(
                "a checkpoint of {old} entries was seen before; that it and this one of {now} are one history is proven by `awan verify` with the log"
            ));
        } else if old.root == now.root {
            findings.checked("history", "this very checkpoint was seen before");
        } else {
            let (seen, shown) = self.keep(&bytes, note.to_string().as_bytes())?;
            findings.defect(format!(
                "{}; both are kept as evidence: {}, {}",
                History::SplitView { size: now.size },
                seen.display(),
                shown.display()
            ));
        }
        Ok(())
    }

    /// The checkpoint that was seen, with its bytes.
    fn recall(&self, key: &Verifier) -> Result<Option<(Vec<u8>, Checkpoint)>> {
        let bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("read {}", self.file.display()));
            }
        };
        let note = Note::parse(&bytes)
            .with_context(|| format!("{} is not a checkpoint", self.file.display()))?;
        let old = Checkpoint::verify(&note, key)
            .with_context(|| format!("{} is not a checkpoint of this log", self.file.display()))?;
        Ok(Some((bytes, old)))
    }

    /// Keeps two checkpoints that contradict each other, under a name of their own.
    fn keep(&self, seen: &[u8], shown: &[u8]) -> Result<(PathBuf, PathBuf)> {
        let name = terms::canonical::sha256(&[seen, shown].concat());
        let dir = self.evidence.join(&name[..16]);
        let (before, now) = (dir.join("seen.checkpoint"), dir.join("shown.checkpoint"));
        write_private(&before, seen)?;
        write_private(&now, shown)?;
        Ok((before, now))
    }

    /// Two checks at once must not put an older checkpoint over a newer one.
    fn lock(&self) -> Result<File> {
        let mut path = self.file.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let locked = fs::create_dir_all(dir).and_then(|()| File::create(&path));
        let locked = locked.and_then(|file| file.lock().map(|()| file));
        locked.with_context(|| format!("lock {}", path.display()))
    }
}

/// Whether the log continues an older checkpoint of its own. `intact` says that every file was checked
/// and is right: only then do the files tell a fork from damage.
pub(super) fn compare(log: &Log, intact: bool, old: &Checkpoint) -> Verdict {
    match log.reader.extends(old) {
        Ok(()) => Verdict::Continues,
        Err(History::Fork { seen, .. }) if !intact => Verdict::Unproven(format!(
            "whether the log begins with the {seen} entries that were seen before cannot be told while its files are damaged"
        )),
        Err(History::Read(error)) => Verdict::Unproven(format!(
            "whether the log begins with the {} entries that were seen before cannot be told: {error}",
            old.size
        )),
        Err(contradiction) => Verdict::Contradicts(contradiction.to_string()),
    }
}
