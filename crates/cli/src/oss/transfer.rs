//! `awan oss cp` and `awan oss sync`: what to move, and moving it. Small objects share the connections,
//! each large one has them all. What fails is named and the rest is done.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use wire::object::checksum::Crc64;

use super::download::download;
use super::glob::Filter;
use super::location::{Location, Url};
use super::plan::{at_a_glance, plan};
use super::tree::{below, into, inventory, under};
use super::upload::{self, LARGE_BYTES, upload};
use crate::error::{advise, report};
use crate::object::{Dialect, Store};
use crate::output;
use crate::parallel;
use crate::progress::Progress;

/// One object to move.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Upload { from: PathBuf, to: Url, size: u64 },
    Download { from: Url, to: PathBuf, size: u64 },
    Copy { from: Url, to: Url, size: u64 },
}

impl Step {
    const fn size(&self) -> u64 {
        match self {
            Self::Upload { size, .. } | Self::Download { size, .. } | Self::Copy { size, .. } => {
                *size
            }
        }
    }
}

/// Stores in both dialects, so that a url's scheme decides.
pub struct Stores {
    /// OSS.
    pub oss: Store,
    /// S3.
    pub s3: Store,
    /// Which cloud they reach: its address.
    pub cloud: String,
}

impl Stores {
    /// The one that speaks the url's dialect.
    pub const fn of(&self, url: &Url) -> &Store {
        match url.dialect {
            Dialect::Oss => &self.oss,
            Dialect::S3 => &self.s3,
        }
    }
}

/// What went wrong so far; each failure is named when it happens.
#[derive(Default)]
pub struct Failures(AtomicUsize);

impl Failures {
    /// Names a failure and goes on.
    pub fn note(&self, done: Result<()>) -> bool {
        if let Err(error) = &done {
            report(error);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        done.is_ok()
    }

    /// The verb's outcome.
    ///
    /// # Errors
    /// Where anything failed.
    pub fn end(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            failed => Err(advise(
                format!("{failed} of them failed, each named above; the rest is done"),
                "the same command again tries them again",
            )),
        }
    }
}

/// How a sync compares and what it may do.
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    /// Remove what the source does not have.
    pub delete: bool,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Compare the bytes' checksums, whatever times say.
    pub checksum: bool,
    /// Which names take part.
    pub filter: Filter,
}

/// Copies one object, or with `recursive` everything under a directory or prefix.
///
/// # Errors
/// Where the source cannot be read, or anything was not copied.
pub fn copy(
    stores: &Stores,
    from: &Location,
    to: &Location,
    recursive: bool,
    jobs: usize,
) -> Result<()> {
    let failures = Failures::default();
    match (from, to) {
        (Location::Local(path), Location::Remote(to)) if path.as_os_str() == "-" => {
            return upload::stream(stores, &mut io::stdin().lock(), to)
                .with_context(|| format!("upload the standard input to {to}"));
        }
        (Location::Remote(from), Location::Local(path)) if path.as_os_str() == "-" => {
            let (bucket, key) = from.object()?;
            let mut out = io::stdout().lock();
            stores.of(from).get(bucket, key, &mut out).with_context(|| format!("read {from}"))?;
            return Ok(out.flush()?);
        }
        _ => {}
    }
    let steps = if recursive {
        let files = matches!((from, to), (Location::Local(_), _) | (_, Location::Local(_)));
        let items = inventory(stores, from, &Filter::default(), (false, files))?;
        let sizes = items.into_iter().map(|(name, item)| (name, item.size));
        steps(from, to, sizes, &failures)
    } else {
        vec![single(stores, from, to)?]
    };
    perform(stores, steps, "copy", jobs, &failures);
    failures.end()
}

/// Makes `to` hold what `from` holds: copies what is missing or differs and, with `delete`, removes
/// what `from` does not have.
///
/// # Errors
/// Where a side cannot be read, or anything was not done.
pub fn sync(
    stores: &Stores,
    from: &Location,
    to: &Location,
    options: &SyncOptions,
    jobs: usize,
) -> Result<()> {
    let failures = Failures::default();
    let files = matches!((from, to), (Location::Local(_), _) | (_, Location::Local(_)));
    let source = inventory(stores, from, &options.filter, (false, files))?;
    let there = inventory(stores, to, &options.filter, (true, files))?;
    let plan = plan(&source, &there, |name, ours, theirs| {
        match at_a_glance(ours, theirs).filter(|_| !options.checksum) {
            Some(same) => Ok(same),
            None => Ok(sum_of(stores, from, name)? == sum_of(stores, to, name)?),
        }
    })?;
    if options.dry_run {
        for name in &plan.transfer {
            output::line(format_args!("would copy {name}"))?;
        }
        for name in plan.surplus.iter().filter(|_| options.delete) {
            output::line(format_args!("would remove {name}"))?;
        }
        return Ok(());
    }
    let sizes = plan.transfer.iter().map(|name| (name.clone(), source[name].size));
    perform(stores, steps(from, to, sizes, &failures), "sync", jobs, &failures);
    let mut removed = 0_u64;
    for name in plan.surplus.iter().filter(|_| options.delete) {
        removed += u64::from(failures.note(remove(stores, to, name)));
    }
    let unchanged = output::count(plan.unchanged.len() as u64);
    output::talk(format_args!("{unchanged} were already there, {removed} removed"));
    if !options.delete && !plan.surplus.is_empty() {
        let surplus = plan.surplus.len();
        output::hint(format_args!(
            "{surplus} exist only in the destination; --delete removes them"
        ));
    }
    failures.end()
}

/// The CRC-64 of one item: a file's is computed, an object's is kept by the cloud.
fn sum_of(stores: &Stores, place: &Location, name: &str) -> Result<Option<u64>> {
    match place {
        Location::Local(dir) => {
            let path = dir.join(name);
            let mut file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
            let (mut sum, mut buffer) = (Crc64::default(), vec![0; 256 << 10]);
            loop {
                match file.read(&mut buffer).with_context(|| format!("read {}", path.display()))? {
                    0 => return Ok(Some(sum.value())),
                    read => sum.update(&buffer[..read]),
                }
            }
        }
        Location::Remote(url) => Ok(kept(stores, &under(url, name))?.0),
    }
}

/// The CRC-64 and the size that the cloud keeps. Only the OSS dialect tells the CRC-64.
fn kept(stores: &Stores, url: &Url) -> Result<(Option<u64>, u64)> {
    let (bucket, key) = url.object()?;
    let meta = stores.oss.head(bucket, key).with_context(|| format!("look at {url}"))?;
    let crc = meta.headers.get("x-oss-hash-crc64ecma").and_then(|crc| crc.to_str().ok());
    Ok((crc.and_then(|crc| crc.parse().ok()), meta.size))
}

/// Compares what was moved with what the cloud keeps.
///
/// # Errors
/// Where they differ, or the cloud keeps no checksum.
pub fn verify(stores: &Stores, url: &Url, crc: u64, size: u64) -> Result<()> {
    match kept(stores, url)? {
        (Some(theirs), length) if (theirs, length) == (crc, size) => Ok(()),
        (theirs, length) => Err(advise(
            format!(
                "{url} does not hold what was moved: {size} bytes with CRC-64 {crc} here, {length} with {theirs:?} in the cloud"
            ),
            "run the command again; did something else write there at the same time?",
        )),
    }
}

/// Moves everything, with a bar; failures are noted.
fn perform(
    stores: &Stores,
    steps: Vec<Step>,
    title: &'static str,
    jobs: usize,
    failures: &Failures,
) {
    let progress = Progress::new(title, "files", steps.len() as u64);
    let (large, small): (Vec<Step>, Vec<Step>) =
        steps.into_iter().partition(|step| step.size() > LARGE_BYTES);
    let ran = parallel::run(
        jobs,
        |feed| small.into_iter().try_for_each(|step| feed.put(step)),
        |(): &mut (), step| {
            if failures.note(one(stores, &step, 1)) {
                progress.advance(step.size());
            }
            Ok(())
        },
    );
    failures.note(ran.map(drop));
    for step in large {
        if failures.note(one(stores, &step, jobs)) {
            progress.advance(step.size());
        }
    }
    progress.finish();
}

fn one(stores: &Stores, step: &Step, jobs: usize) -> Result<()> {
    match step {
        Step::Upload { from, to, .. } => upload(stores, from, to, jobs),
        Step::Download { from, to, .. } => download(stores, from, to, jobs),
        Step::Copy { from, to, .. } => {
            let done = stores.of(to).copy(from.object()?, to.object()?);
            done.with_context(|| format!("copy {from} to {to}"))?;
            let (crc, size) = kept(stores, from)?;
            crc.map_or(Ok(()), |crc| verify(stores, to, crc, size))
        }
    }
}

/// The step for one object; a destination that is a directory keeps the last part of the name.
fn single(stores: &Stores, from: &Location, to: &Location) -> Result<Step> {
    match (from, to) {
        (Location::Local(path), Location::Remote(url)) => {
            let meta = fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
            if meta.is_dir() {
                return Err(advise(
                    format!("{} is a directory", path.display()),
                    "--recursive copies what is in it",
                ));
            }
            url.bucket()?;
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .context("the file's name is not UTF-8")?;
            Ok(Step::Upload { from: path.clone(), to: into(url, name), size: meta.len() })
        }
        (Location::Remote(url), to) => single_of_cloud(stores, url, to),
        (Location::Local(_), Location::Local(_)) => {
            Err(advise("both places are on this machine", "use cp"))
        }
    }
}

fn single_of_cloud(stores: &Stores, url: &Url, to: &Location) -> Result<Step> {
    let (bucket, key) = url.object()?;
    if key.ends_with('/') {
        return Err(advise(
            format!("{url} looks like a directory"),
            "--recursive copies what is in it",
        ));
    }
    let name = key.rsplit('/').next().unwrap_or(key);
    let size = stores.of(url).head(bucket, key).with_context(|| format!("look at {url}"))?.size;
    Ok(match to {
        Location::Remote(to) => Step::Copy { from: url.clone(), to: into(to, name), size },
        Location::Local(path)
            if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") =>
        {
            Step::Download { from: url.clone(), to: below(path, name)?, size }
        }
        Location::Local(path) => Step::Download { from: url.clone(), to: path.clone(), size },
    })
}

/// The step for each name; a key that no path can stand for is a failure.
fn steps(
    from: &Location,
    to: &Location,
    names: impl Iterator<Item = (String, u64)>,
    failures: &Failures,
) -> Vec<Step> {
    let mut steps = BTreeMap::new();
    for (name, size) in names {
        let step = match (from, to) {
            (Location::Local(dir), Location::Remote(to)) => {
                Step::Upload { from: dir.join(&name), to: under(to, &name), size }
            }
            (Location::Remote(url), Location::Local(dir)) => match below(dir, &name) {
                Ok(path) => Step::Download { from: under(url, &name), to: path, size },
                Err(error) => {
                    failures.note(Err(error));
                    continue;
                }
            },
            (Location::Remote(url), Location::Remote(to)) => {
                Step::Copy { from: under(url, &name), to: under(to, &name), size }
            }
            (Location::Local(_), Location::Local(_)) => continue,
        };
        steps.insert(name, step);
    }
    steps.into_values().collect()
}

fn remove(stores: &Stores, place: &Location, name: &str) -> Result<()> {
    match place {
        Location::Local(dir) => {
            let path = below(dir, name)?;
            fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
        }
        Location::Remote(url) => {
            let url = under(url, name);
            let (bucket, key) = url.object()?;
            stores.of(&url).delete(bucket, key).with_context(|| format!("remove {url}"))
        }
    }
}

/// The media type by the name's ending, for what browsers should show.
pub fn content_type(key: &str) -> Option<&'static str> {
    let (_, ending) = key.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        "css" => "text/css",
        "js" => "text/javascript",
        "csv" => "text/csv",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}
