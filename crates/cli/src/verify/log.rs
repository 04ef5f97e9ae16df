//! The log that is verified: where its files are, under which key, and its entries in order. Every
//! byte is held against the signed checkpoint, which is read once.

use std::convert::Infallible;
use std::io;

use anyhow::{Context, Result};
use tlog::edge::Edge;
use tlog::files::CHECKPOINT;
use tlog::tile::{self, Kind, WIDTH};
use tlog::{Checkpoint, Directory, Fetch, Hash, Note, Reader, Tile, Verifier};

use crate::error::advise;
use crate::http::Http;
use crate::profile::Profile;

/// Where the files of a log are.
#[derive(Clone)]
pub(super) enum Files {
    Directory(Directory),
    Web { http: Http, base: String },
}

impl Fetch for Files {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Directory(directory) => directory.fetch(path),
            Self::Web { http, base } => match http.fetch(&format!("{base}/{path}")) {
                Ok((200, bytes)) => Ok(Some(bytes)),
                Ok((404, _)) => Ok(None),
                Ok((status, _)) => Err(io::Error::other(format!("HTTP {status}"))),
                Err(error) => Err(io::Error::other(error)),
            },
        }
    }
}

/// A log whose checkpoint was read once: what is remembered is then what was checked, however fast the
/// log grows meanwhile.
#[derive(Clone)]
pub(super) struct Pinned {
    files: Files,
    checkpoint: Vec<u8>,
}

impl Fetch for Pinned {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        if path == CHECKPOINT { Ok(Some(self.checkpoint.clone())) } else { self.files.fetch(path) }
    }
}

/// A log that can be read from a directory or over HTTP, at one signed checkpoint.
pub struct Log {
    pub(super) reader: Reader<Pinned>,
    files: Pinned,
    key: Verifier,
}

/// A checkpoint that the log's key did not sign, or that is none: a defect of the log, and not a
/// trouble on the way to it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Refused(tlog::read::Error);

/// Finds the log and verifies its checkpoint's signature.
///
/// # Errors
/// Where it cannot be found; [`Refused`] where the signature is not the key's.
pub fn open(profile: &Profile, log: Option<&str>, key: Option<&str>) -> Result<Log> {
    let key = verifier(profile, key)?;
    let (files, shown) = match (log, &profile.cloud) {
        (Some(url), _) if is_address(url) => {
            let base = url.trim_end_matches('/').to_owned();
            let http = Http::to(&[&base], profile.ca_cert.as_deref(), 1)?;
            (Files::Web { http, base: base.clone() }, base)
        }
        (Some(dir), _) => (Files::Directory(Directory::new(dir)), dir.to_owned()),
        (None, Some((dir, _))) => {
            let dir = dir.join("log");
            (Files::Directory(Directory::new(&dir)), dir.display().to_string())
        }
        (None, None) => {
            return Err(advise(
                "which log is not known",
                "give --log DIR or --log URL, or --data-dir DIR of a cloud",
            ));
        }
    };
    Log::read(files, key).with_context(|| format!("open the log in {shown}"))
}

/// True for `http://…` and `https://…`.
pub(super) fn is_address(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// The log's key: what was given, else what the cloud's file says.
///
/// # Errors
/// Where neither names one, or it is no key.
pub fn verifier(profile: &Profile, key: Option<&str>) -> Result<Verifier> {
    let named = profile.cloud.as_ref().and_then(|(_, cloud)| cloud.log_key.as_deref());
    let text = key.or(named).ok_or_else(|| {
        advise(
            "the log's key is not known",
            "give --log-key KEY; get it from more than one place that you trust",
        )
    })?;
    text.parse().with_context(|| format!("\"{text}\" is not a log key"))
}

impl Log {
    pub(super) fn read(files: Files, key: Verifier) -> Result<Self> {
        let checkpoint = files.fetch(CHECKPOINT).context("read the checkpoint")?;
        let checkpoint = checkpoint.ok_or_else(|| {
            advise(
                "there is no checkpoint",
                "a cloud publishes its first one within seconds of its start",
            )
        })?;
        let files = Pinned { files, checkpoint };
        let reader = Reader::open(files.clone(), &key).map_err(Refused)?;
        Ok(Self { reader, files, key })
    }

    /// The checkpoint that everything is verified against.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.reader.checkpoint()
    }

    /// The key that signed it.
    pub fn key(&self) -> &Verifier {
        &self.key
    }

    /// The checkpoint with all its signatures, byte for byte.
    pub(super) fn note_bytes(&self) -> &[u8] {
        &self.files.checkpoint
    }

    /// The checkpoint with all its signatures.
    pub(super) fn note(&self) -> Note {
        Note::parse(&self.files.checkpoint).expect("it was read when the log was opened")
    }

    /// The file that proves an entry to somebody without a network.
    ///
    /// # Errors
    /// Where the log has no such entry, or its files do not prove it.
    pub fn proof(&self, index: u64) -> Result<tlog::Proof, tlog::read::Error> {
        self.reader.proof(index)
    }

    /// Hands every entry to `each`, first to last, and proves at the end that they were those of the
    /// checkpoint: what was concluded before that counts only then.
    ///
    /// # Errors
    /// In words, which file is missing or malformed, or that the entries are others.
    pub fn each(&self, mut each: impl FnMut(u64, &[u8])) -> Result<(), String> {
        let size = self.checkpoint().size;
        let mut edge = Edge::default();
        for bundle in 0..size.div_ceil(u64::from(WIDTH)) {
            let tile = Tile::in_tree(Kind::Entries, bundle, size).expect("no bundle is empty");
            let (read, bytes) = self.bundle(tile)?;
            let entries = tile::parse_entries(&bytes, read.width)
                .map_err(|error| format!("{read}: {error}"))?;
            for entry in entries.into_iter().take(usize::from(tile.width)) {
                each(edge.size(), entry);
                let Ok(()) = edge.push(Hash::leaf(entry), |_, _| Ok::<_, Infallible>(()));
            }
        }
        if edge.root() == self.checkpoint().root {
            return Ok(());
        }
        Err("the entries are not those that the checkpoint was signed for".to_owned())
    }

    /// The bytes of a bundle, or of its full form where the partial one is gone; and which.
    fn bundle(&self, tile: Tile) -> Result<(Tile, Vec<u8>), String> {
        for tile in [tile, tile.full()] {
            let path = tile.to_string();
            let found = self.files.fetch(&path);
            if let Some(bytes) = found.map_err(|error| format!("{path}: {error}"))? {
                return Ok((tile, bytes));
            }
        }
        Err(format!("{tile}: missing"))
    }
}
