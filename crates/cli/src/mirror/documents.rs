//! The documents that a log names by their SHA-256: published agreements and their signatures. A log
//! holds the digest only, so a mirror without the documents would show that there was an agreement and
//! not what it said.
//!
//! What could not be got is remembered in a file until it is there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use terms::canonical::sha256;
use tlog::Fetch;

use super::Web;
use crate::profile::write_private;

/// The public facts of an entry that name documents.
const FACTS: [&str; 2] = ["document", "signatures"];
/// Where the names of those are that could not be got.
const MISSING: &str = "missing.txt";

/// The documents of one mirror.
pub(super) struct Documents {
    dir: PathBuf,
    source: Web,
    /// What is named and not here: digest, and the first entry that names it.
    wanted: BTreeMap<String, u64>,
}

impl Documents {
    /// Those below `dir/documents`, and where more of them are.
    pub(super) fn open(dir: &Path, source: Web) -> Result<Self> {
        let dir = dir.join("documents");
        fs::create_dir_all(&dir)?;
        let wanted = match fs::read_to_string(dir.join(MISSING)) {
            Ok(text) => text.lines().filter_map(parse_line).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { dir, source, wanted })
    }

    /// Notes what an entry names and is not here.
    pub(super) fn note(&mut self, index: u64, entry: &[u8]) {
        for name in named(entry) {
            if !self.file(&name).exists() {
                self.wanted.entry(name).or_insert(index);
            }
        }
    }

    /// Gets what is wanted; says what could not be got. Comes before the checkpoint that promises the
    /// entries, so that no document is forgotten by a crash between the two.
    pub(super) fn fetch(&mut self) -> Result<Vec<String>> {
        if self.wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut missing = BTreeMap::new();
        let mut defects = Vec::new();
        for (name, index) in &self.wanted {
            match self.get(name)? {
                Ok(bytes) => write(&self.file(name), &bytes)?,
                Err(why) => {
                    defects.push(format!("document {name}, which entry {index} names, {why}"));
                    missing.insert(name.clone(), *index);
                }
            }
        }
        self.wanted = missing;
        self.remember()?;
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all()).context("keep the documents")?;
        Ok(defects)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    /// The document of this digest, or why it is none.
    fn get(&self, name: &str) -> Result<Result<Vec<u8>, &'static str>, tlog::read::Error> {
        let path = format!("{name}.json");
        let fetched = self.source.fetch(&path);
        let bytes = fetched.map_err(|source| tlog::read::Error::Io {
            path: format!("{}/{path}", self.source.base),
            source,
        })?;
        Ok(match bytes {
            None => Err("is not published"),
            Some(bytes) if sha256(&bytes) == name => Ok(bytes),
            Some(_) => Err("was changed"),
        })
    }

    fn remember(&self) -> Result<()> {
        let file = self.dir.join(MISSING);
        if self.wanted.is_empty() {
            return match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            };
        }
        let mut text = String::new();
        for (name, index) in &self.wanted {
            let _ = writeln!(text, "{name} {index}");
        }
        write(&file, text.as_bytes())
    }
}

/// The digests that an entry names. An entry that is no JSON names none: what it is, is not the
/// mirror's affair.
fn named(entry: &[u8]) -> Vec<String> {
    let leaf: Value = serde_json::from_slice(entry).unwrap_or_default();
    let facts = FACTS.iter().filter_map(|fact| leaf["public"][*fact].as_str());
    // A name becomes a part of a path, so it must be a digest and nothing else.
    facts.filter(|name| is_digest(name)).map(str::to_owned).collect()
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn parse_line(line: &str) -> Option<(String, u64)> {
    let (name, index) = line.split_once(' ')?;
    is_digest(name).then_some((name.to_owned(), index.parse().ok()?))
}

/// Writes a file whole and durably, for anybody to read.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_private(path, bytes)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(path, mode).with_context(|| format!("write {}", path.display()))
}
