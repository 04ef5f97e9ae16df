//! `awan verify`: checks the public transparency log without trusting its operator. Needs nothing but
//! the log's files and its key; with `--trail` also that an account's own audit entries are in it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use base::text::hex;
use clap::Args;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tlog::files::CHECKPOINT;
use tlog::{Checkpoint, Directory, Fetch, Note, Reader, Verifier, tree};

use crate::api::Api;
use crate::error::advise;
use crate::http::Http;
use crate::output;
use crate::profile::{PlaceArgs, Profile, write_private};

/// Arguments of `awan verify`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  awan verify --data-dir ./cloud\n  \
    awan verify --log https://portal.awan.example/log --log-key awan.example+1a2b3c4d+AbC… --seen awan.checkpoint\n\n\
    The exit code is 1 where the log is not what its checkpoint promises.")]
pub struct VerifyArgs {
    /// The log's files: a directory or an address; of the data directory unless given
    #[arg(long, value_name = "DIR|URL")]
    log: Option<String>,
    /// The log's key; of cloud.json unless given
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    /// A checkpoint seen before: the log must still begin with it. Replaced by today's when all is well
    #[arg(long, value_name = "FILE")]
    seen: Option<PathBuf>,
    /// Also look for the newest N audit entries of the account in the log
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1000")]
    trail: Option<usize>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Where the files of a log are.
enum Files {
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
struct Pinned {
    files: Files,
    checkpoint: Vec<u8>,
}

impl Fetch for Pinned {
    fn fetch(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        if path == CHECKPOINT { Ok(Some(self.checkpoint.clone())) } else { self.files.fetch(path) }
    }
}

/// What was found: how much was checked, and every defect in words.
#[derive(Debug, Default)]
pub struct Findings {
    /// Lines for a person: what was checked.
    pub checked: Vec<String>,
    /// What is wrong; empty where all is well.
    pub defects: Vec<String>,
}

/// Checks the log and says what was checked.
///
/// # Errors
/// Where the log or its key cannot be found, or its checkpoint is not signed by that key.
pub fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let profile = Profile::resolve(&args.place)?;
    let log = open(&profile, args.log.as_deref(), args.log_key.as_deref())?;
    let mut findings = check(&log);
    if let Some(file) = &args.seen {
        check_seen(&log, &verifier(&profile, args.log_key.as_deref())?, file, &mut findings)?;
    }
    if let Some(limit) = args.trail {
        let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
        check_trail(&api, &log, limit, &mut findings)?;
    }
    show(&findings)
}

/// Prints the findings; the exit code says whether the log is sound.
///
/// # Errors
/// Where stdout does not take it.
pub fn show(findings: &Findings) -> Result<ExitCode> {
    for line in &findings.checked {
        output::line(line)?;
    }
    for defect in &findings.defects {
        output::line(format_args!("DEFECT    {defect}"))?;
    }
    if findings.defects.is_empty() {
        output::line("verified  the log is what its checkpoint promises")?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format_args!(
        "REFUSED   {} defects: the log is not what was signed",
        findings.defects.len()
    ))?;
    Ok(ExitCode::FAILURE)
}

/// A log that can be read from a directory or over HTTP, with the bytes of its checkpoint.
pub struct Log {
    reader: Reader<Pinned>,
    note: Vec<u8>,
}

/// Finds the log and verifies its checkpoint's signature.
///
/// # Errors
/// Where it cannot be found or the signature is not the key's.
pub fn open(profile: &Profile, log: Option<&str>, key: Option<&str>) -> Result<Log> {
    let key = verifier(profile, key)?;
    let (files, shown) = match (log, &profile.cloud) {
        (Some(url), _) if url.starts_with("http://") || url.starts_with("https://") => {
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
    read(files, &key).with_context(|| format!("open the log in {shown}"))
}

fn read(files: Files, key: &Verifier) -> Result<Log> {
    let note = files.fetch(CHECKPOINT).context("read the checkpoint")?;
    let note = note.ok_or_else(|| {
        advise(
            "there is no checkpoint",
            "a cloud publishes its first one within seconds of its start",
        )
    })?;
    let reader = Reader::open(Pinned { files, checkpoint: note.clone() }, key)?;
    Ok(Log { reader, note })
}

fn verifier(profile: &Profile, key: Option<&str>) -> Result<Verifier> {
    let named = profile.cloud.as_ref().and_then(|(_, cloud)| cloud.log_key.as_deref());
    let text = key.or(named).ok_or_else(|| {
        advise(
            "the log's key is not known",
            "give --log-key KEY; get it from more than one place that you trust",
        )
    })?;
    text.parse().with_context(|| format!("\"{text}\" is not a log key"))
}

/// Checks every entry and tile against the signed checkpoint.
pub fn check(log: &Log) -> Findings {
    let checkpoint = log.reader.checkpoint();
    let audit = log.reader.verify_all();
    let mut findings = Findings::default();
    findings.checked.extend([
        format!("log       {}", checkpoint.origin),
        format!(
            "signature the checkpoint of {} entries is signed by the log's key",
            output::count(checkpoint.size)
        ),
        format!("root      {}", checkpoint.root),
        format!(
            "entries   {} checked in {} files",
            output::count(audit.entries),
            output::count(audit.files)
        ),
    ]);
    findings.defects.extend(audit.faults.iter().map(ToString::to_string));
    if audit.unlisted > 0 {
        findings.defects.push(format!("and {} more", output::count(audit.unlisted)));
    }
    findings
}

/// Checks that the log still begins with what was seen before, then remembers today's checkpoint.
fn check_seen(log: &Log, key: &Verifier, file: &Path, findings: &mut Findings) -> Result<()> {
    let now = log.reader.checkpoint();
    match std::fs::read(file) {
        Ok(bytes) => {
            let note = Note::parse(&bytes)
                .with_context(|| format!("{} is not a checkpoint", file.display()))?;
            let old = Checkpoint::verify(&note, key)
                .with_context(|| format!("{} is not a checkpoint of this log", file.display()))?;
            match extends(log, &old, now) {
                Ok(()) => findings.checked.push(format!(
                    "history   begins with the {} entries that were seen before",
                    output::count(old.size)
                )),
                Err(why) => findings.defects.push(format!("history: {why}")),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    }
    if findings.defects.is_empty() {
        write_private(file, &log.note)?;
        findings.checked.push(format!(
            "seen      {} remembers {} entries",
            file.display(),
            output::count(now.size)
        ));
    }
    Ok(())
}

fn extends(log: &Log, old: &Checkpoint, now: &Checkpoint) -> Result<(), String> {
    if old.size > now.size {
        return Err(format!("{} entries were seen before, now there are {}", old.size, now.size));
    }
    let proof = log.reader.consistency(old.size, now.size).map_err(|error| error.to_string())?;
    tree::verify_consistency(old.size, old.root, now.size, now.root, &proof)
        .map_err(|_| format!("the first {} entries are not those that were seen before", old.size))
}

/// Looks for the newest audit entries of the account in the log: each row's statement and salt must
/// open the commitment of the public entry at its place.
///
/// # Errors
/// Where the trail cannot be read.
pub fn check_trail(api: &Api, log: &Log, limit: usize, findings: &mut Findings) -> Result<()> {
    let size = log.reader.checkpoint().size;
    let (mut proven, mut waiting) = (0_u64, 0_u64);
    let read = crate::audit::read(api, limit, |entry| match entry["LogIndex"].as_u64() {
        // Entries younger than the checkpoint are published with the next one.
        None => waiting += 1,
        Some(index) if index >= size => waiting += 1,
        Some(index) => match opens(log, index, entry) {
            Ok(()) => proven += 1,
            Err(why) => findings.defects.push(format!(
                "audit entry of request {}: {why}",
                output::plain(&entry["RequestId"])
            )),
        },
    });
    read.context("list the audit trail")?;
    findings.checked.push(format!(
        "trail     {} audit entries are in the log, {} wait for the next checkpoint",
        output::count(proven),
        output::count(waiting)
    ));
    Ok(())
}

fn opens(log: &Log, index: u64, row: &Value) -> Result<(), String> {
    let leaf = log.reader.entry(index).map_err(|error| error.to_string())?;
    let leaf: Value =
        serde_json::from_slice(&leaf).map_err(|_| format!("entry {index} is not JSON"))?;
    let ours = commitment(row).ok_or("the row lacks its statement or its salt")?;
    if leaf["commitment"] == ours.as_str() {
        Ok(())
    } else {
        Err(format!("entry {index} of the log commits to something else"))
    }
}

/// SHA-256(salt ‖ statement), in lower-case hexadecimal.
fn commitment(row: &Value) -> Option<String> {
    let mut bytes = base::text::unhex(row["Salt"].as_str()?)?;
    bytes.extend_from_slice(row["Statement"].as_str()?.as_bytes());
    Some(hex(digest(&SHA256, &bytes).as_ref()))
}

#[cfg(test)]
mod tests;
