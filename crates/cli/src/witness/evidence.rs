//! The proof that a log showed two faces, kept in a file that anybody can check: both checkpoints, each
//! with the log's signature. The same proof is kept once.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tlog::witness::SplitView;

/// Proofs of one size that are kept; who signs more has proven enough.
const FILES_MAX: u32 = 100;

/// Writes the proof to `DIR/split-view-<size>.txt` (or `-2.txt` and so on, where another is there) and
/// returns where, and whether it is new.
///
/// # Errors
/// Where the directory does not take it.
pub fn keep(dir: &Path, split: &SplitView) -> io::Result<(PathBuf, bool)> {
    keep_as(dir, &format!("split-view-{}", split.size()), &split.to_string())
}

/// As [`keep`], for a proof in other words, under another name.
///
/// # Errors
/// As [`keep`].
pub fn keep_as(dir: &Path, name: &str, text: &str) -> io::Result<(PathBuf, bool)> {
    for number in 1..=FILES_MAX {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = dir.join(format!("{name}{suffix}.txt"));
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                fs::File::open(dir)?.sync_all()?;
                return Ok((path, true));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&path)? == text.as_bytes() {
                    return Ok((path, false));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{FILES_MAX} proofs of this size are kept already")))
}
