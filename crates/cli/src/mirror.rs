//! `awan mirror`: keeps a verified copy of a whole log, and of the documents that it names, in a
//! directory that any web server can serve and that `awan verify --log` reads. It trusts the log's key
//! and nothing else: every entry is proven before it is kept, and a log that contradicts what it showed
//! before is not followed, but told on.
//!
//! The copying itself is `tlog::mirror`'s part, the documents are [`documents`]'.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tlog::mirror::{Copied, Error};
use tlog::read::{self, History};
use tlog::witness::SplitView;
use tlog::{Checkpoint, DirectoryWriter, Fetch, Mirror, Note, Reader, Verifier};

use crate::error::report;
use crate::http::Http;
use crate::output;
use crate::progress::Progress;
use crate::witness::evidence;
use crate::witness::memory::origin_hash;

mod documents;

use documents::Documents;

/// Arguments of `awan mirror`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  \
    awan mirror --log https://portal.awan.example/log --log-key KEY --dir ./mirror\n  \
    awan mirror --log https://portal.awan.example/log --log-key KEY --dir ./mirror --once\n  \
    awan mirror … --witness http://witness.kampus.example:7180    also hold the log against a witness\n\n\
    The exit code is 1 where the log is not what it promised; what it showed is kept in --dir.")]
pub struct MirrorArgs {
    /// The address of the log
    #[arg(long, value_name = "URL")]
    log: String,
    /// The log's key; get it from more than one place that you trust
    #[arg(long, value_name = "KEY")]
    log_key: Verifier,
    /// Where the copy is kept
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Copy what is there now and end
    #[arg(long)]
    once: bool,
    /// How often to look for more
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Also compare with what this witness cosigned last; may be given several times
    #[arg(long, value_name = "URL")]
    witness: Vec<String>,
    /// Certificate authority to trust for https, a PEM file
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
}

/// Entries that take long enough for somebody to want to see them go by.
const SHOWN_FROM: u64 = 10_000;

/// A place that is read over HTTP.
#[derive(Clone)]
struct Web {
    http: Http,
    base: String,
}

impl Fetch for Web {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match self.http.fetch(&format!("{}/{path}", self.base)) {
            Ok((200, bytes)) => Ok(Some(bytes)),
            Ok((404, _)) => Ok(None),
            Ok((status, _)) => Err(io::Error::other(format!("HTTP {status}"))),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// What one look at the log came to.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// All is well; so many entries are mirrored, so many of them new.
    Mirrored { entries: u64, new: u64 },
    /// The log, or what it names, is not what it promised. In words.
    Refused(Vec<String>),
}

/// Mirrors until it is told to stop, or once.
///
/// # Errors
/// Where the log cannot be reached (with `--once`) or the directory cannot be used.
pub fn run(args: &MirrorArgs) -> Result<ExitCode> {
    let mut copy = Copy::open(args)?;
    loop {
        match copy.turn() {
            Ok(Turn::Mirrored { entries, new }) => {
                if args.once || new > 0 {
                    let (entries, new) = (output::count(entries), output::count(new));
                    output::line(format_args!("mirrored  {entries} entries, {new} of them new"))?;
                }
                if args.once {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Ok(Turn::Refused(defects)) => {
                for defect in defects {
                    output::line(format_args!("DEFECT    {defect}"))?;
                }
                return Ok(ExitCode::FAILURE);
            }
            Err(error) if args.once || !is_passing(&error) => return Err(error),
            Err(error) => report(&error),
        }
        thread::sleep(Duration::from_secs(args.every));
    }
}

/// Whether the trouble was on the way to the log, or before its beginning, and may be over the next time.
fn is_passing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(read::Error::Io { .. } | read::Error::Missing { .. }))
        || matches!(error.downcast_ref(), Some(Error::Log(read::Error::Io { .. })))
}

/// The copy of one log.
struct Copy {
    mirror: Mirror<DirectoryWriter>,
    log: Web,
    key: Verifier,
    witnesses: Vec<Web>,
    documents: Documents,
    dir: PathBuf,
}

impl Copy {
    fn open(args: &MirrorArgs) -> Result<Self> {
        let web = |address: &str| -> Result<Web> {
            let base = address.trim_end_matches('/').to_owned();
            let http = Http::to(&[&base], args.ca_cert.as_deref(), 1)?;
            Ok(Web { http, base })
        };
        let log = web(&args.log)?;
        let beside = log.base.strip_suffix("/log").unwrap_or(&log.base);
        let source = Web { http: log.http.clone(), base: format!("{beside}/documents") };
        let here = || format!("keep a mirror in {}", args.dir.display());
        let store = DirectoryWriter::open(&args.dir).with_context(here)?;
        let mirror = Mirror::open(store, args.log_key.clone()).with_context(here)?;
        Ok(Self {
            mirror,
            log,
            key: args.log_key.clone(),
            witnesses: args.witness.iter().map(|url| web(url)).collect::<Result<_>>()?,
            documents: Documents::open(&args.dir, source).with_context(here)?,
            dir: args.dir.clone(),
        })
    }

    /// Looks at the log once and copies what is new.
    fn turn(&mut self) -> Result<Turn> {
        let log = match Reader::open(self.log.clone(), &self.key) {
            Ok(log) => log,
            Err(error @ read::Error::Io { .. }) => return Err(error.into()),
            // One that only just began. A log that had entries and shows none is another matter.
            Err(error @ read::Error::Missing { .. }) if self.mirror.note().is_none() => {
                return Err(error).context("the log has published nothing yet");
            }
            Err(error) => return Ok(Turn::Refused(vec![words(&error)])),
        };
        let had = self.mirror.size();
        let copied = match self.copy(&log) {
            Ok(copied) => copied,
            Err(Error::History(history)) => return self.contradicted(log.note(), &history),
            Err(error @ (Error::Copy(_) | Error::Log(read::Error::Io { .. }))) => {
                return Err(error.into());
            }
            Err(error) => return Ok(Turn::Refused(vec![words(&error)])),
        };
        let mut defects = self.documents.fetch()?;
        if let Some(copied) = copied {
            self.mirror.place(copied)?;
        }
        for at in 0..self.witnesses.len() {
            defects.extend(self.compare(at)?);
        }
        if !defects.is_empty() {
            return Ok(Turn::Refused(defects));
        }
        let entries = self.mirror.size();
        Ok(Turn::Mirrored { entries, new: entries - had })
    }

    fn copy(&mut self, log: &Reader<Web>) -> Result<Option<Copied>, Error> {
        let new = log.checkpoint().size.saturating_sub(self.mirror.size());
        let progress = (new >= SHOWN_FROM).then(|| Progress::new("mirror", "entries", new));
        let documents = &mut self.documents;
        let copied = self.mirror.copy(log, |index, entry| {
            documents.note(index, entry);
            if let Some(progress) = &progress {
                progress.advance(u64::try_from(entry.len()).unwrap_or(0));
            }
        });
        if let (Some(progress), Ok(Some(_))) = (progress, &copied) {
            progress.finish();
        }
        copied
    }

    /// Keeps both checkpoints of a log that contradicts what it showed before.
    fn contradicted(&self, shown: &Note, history: &History) -> Result<Turn> {
        if let History::Read(error) = history {
            return Ok(Turn::Refused(vec![words(error)]));
        }
        let mut defects = vec![words(history)];
        if let (false, Some(held)) =
            (matches!(history, History::RolledBack { .. }), self.mirror.note())
        {
            let file = self.keep(held, shown).context("keep the two checkpoints")?;
            defects.push(format!("both signed checkpoints are kept in {}", file.display()));
        }
        Ok(Turn::Refused(defects))
    }

    /// Writes down two checkpoints that no log that only grows can have signed both.
    fn keep(&self, held: &Note, shown: &Note) -> io::Result<PathBuf> {
        if let Some(split) = SplitView::of(held, shown) {
            return evidence::keep(&self.dir, &split).map(|(file, _)| file);
        }
        let text = format!(
            "The log signed two histories of which neither is the beginning of the other.\n\n\
             --- mirrored\n{held}\n--- shown\n{shown}"
        );
        let size = Checkpoint::parse(shown.text()).map_or(0, |checkpoint| checkpoint.size);
        evidence::keep_as(&self.dir, &format!("fork-{size}"), &text).map(|(file, _)| file)
    }

    /// Holds what a witness cosigned last against the mirror: both must have been shown one log.
    fn compare(&self, at: usize) -> Result<Vec<String>> {
        let witness = &self.witnesses[at];
        let hash = origin_hash(self.key.name());
        let path = format!("{hash}/checkpoint");
        let bytes = match witness.fetch(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                return Ok(vec![format!("the witness at {} has not seen this log", witness.base)]);
            }
            Err(source) => {
                return Err(
                    read::Error::Io { path: format!("{}/{path}", witness.base), source }.into()
                );
            }
        };
        let read = Note::parse(&bytes).map_err(read::Error::Note);
        let read = read.and_then(|note| Ok((Checkpoint::verify(&note, &self.key)?, note)));
        let (checkpoint, note) = match read {
            Ok(read) => read,
            Err(error) => {
                return Ok(vec![format!("the witness at {}: {}", witness.base, words(&error))]);
            }
        };
        match (self.mirror.agrees(&checkpoint), self.mirror.note()) {
            (Ok(()), _) | (_, None) => Ok(Vec::new()),
            (Err(history), Some(held)) => {
                let file = self.keep(held, &note).context("keep the two checkpoints")?;
                Ok(vec![
                    format!(
                        "the witness at {} was shown another log: {}",
                        witness.base,
                        words(&history)
                    ),
                    format!("both signed checkpoints are kept in {}", file.display()),
                ])
            }
        }
    }
}

/// An error with what is behind it, on one line.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        out += &format!(": {cause}");
        next = cause.source();
    }
    out
}

#[cfg(test)]
mod tests;
