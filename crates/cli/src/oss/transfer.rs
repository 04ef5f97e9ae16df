//! `awan oss cp` and `awan oss sync`: plans what to move, then moves it on several connections. Each
//! object is compared with its checksum on the way; a download appears under its name only when it is
//! whole. It never writes outside the directory it was given, whatever the keys are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use base::text::hex;
use wire::object::checksum::Md5;

use super::location::{Location, Url};
use crate::error::advise;
use crate::object::{Body, Dialect, Listing, PUT_BYTES_MAX, Store};
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

/// Copies one object, or with `recursive` everything under a directory or prefix.
///
/// # Errors
/// The first that occurs; what was moved before stays.
pub fn copy(
    stores: &Stores,
    from: &Location,
    to: &Location,
    recursive: bool,
    jobs: usize,
) -> Result<()> {
    let steps = match (from, to, recursive) {
        (Location::Local(_), Location::Local(_), _) => {
            return Err(advise(
                "both places are on this machine",
                "one of them must start with oss:// or s3://",
            ));
        }
        (from, to, true) => pair_all(stores, from, to)?.into_values().collect(),
        (from, to, false) => vec![single(stores, from, to)?],
    };
    perform(stores, steps, "copy", jobs)
}

/// Makes `to` hold what `from` holds: copies what is missing or differs and, with `delete`, removes
/// what `from` does not have.
///
/// # Errors
/// The first that occurs; what was moved before stays.
pub fn sync(
    stores: &Stores,
    from: &Location,
    to: &Location,
    delete: bool,
    jobs: usize,
) -> Result<()> {
    if let (Location::Local(_), Location::Local(_)) = (from, to) {
        return Err(advise(
            "both places are on this machine",
            "one of them must start with oss:// or s3://",
        ));
    }
    let wanted = pair_all(stores, from, to)?;
    let there = inventory(stores, to, true)?;
    let surplus: Vec<&String> = there.keys().filter(|name| !wanted.contains_key(*name)).collect();
    let surplus_count = surplus.len();
    let mut steps = Vec::new();
    for (name, step) in &wanted {
        if !same(stores, step, there.get(name))? {
            steps.push(step.clone());
        }
    }
    let unchanged = wanted.len() - steps.len();
    perform(stores, steps, "sync", jobs)?;
    if delete {
        for name in surplus {
            remove(stores, to, name)?;
        }
        output::talk(format_args!(
            "{} were already there, {} removed",
            output::count(unchanged as u64),
            surplus_count
        ));
    } else {
        output::talk(format_args!("{} were already there", output::count(unchanged as u64)));
        if surplus_count > 0 {
            output::hint(format_args!(
                "{surplus_count} exist only in the destination; --delete removes them"
            ));
        }
    }
    Ok(())
}

/// Moves everything, in parallel, with a bar.
fn perform(stores: &Stores, steps: Vec<Step>, title: &'static str, jobs: usize) -> Result<()> {
    let progress = Progress::new(title, "files", steps.len() as u64);
    parallel::run(
        jobs,
        |feed| steps.into_iter().try_for_each(|step| feed.put(step)),
        |(): &mut (), step| {
            one(stores, &step)?;
            progress.advance(step.size());
            Ok(())
        },
    )?;
    progress.finish();
    Ok(())
}

fn one(stores: &Stores, step: &Step) -> Result<()> {
    match step {
        Step::Upload { from, to, size } => upload(stores.of(to), from, to, *size),
        Step::Download { from, to, .. } => download(stores.of(from), from, to),
        Step::Copy { from, to, .. } => {
            let done = stores.of(to).copy(from.object()?, to.object()?);
            done.with_context(|| format!("copy {from} to {to}"))
        }
    }
}

fn upload(store: &Store, from: &Path, to: &Url, size: u64) -> Result<()> {
    if size > PUT_BYTES_MAX {
        return Err(advise(
            format!(
                "{} is larger than one request can carry ({})",
                from.display(),
                output::size(PUT_BYTES_MAX)
            ),
            "use a client that uploads in parts, such as `aws s3 cp`",
        ));
    }
    let (bucket, key) = to.object()?;
    let file = File::open(from).with_context(|| format!("open {}", from.display()))?;
    // A file that grows meanwhile is cut at its first size, one that shrinks fails the request.
    let mut reader = file.take(size);
    let sent = store.put(bucket, key, Body::Stream(&mut reader, size), content_type(key));
    sent.map(drop).with_context(|| format!("upload {} to {to}", from.display()))
}

fn download(store: &Store, from: &Url, to: &Path) -> Result<()> {
    let (bucket, key) = from.object()?;
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir).with_context(|| format!("make the directory {}", dir.display()))?;
    let name = to.file_name().with_context(|| format!("{} names no file", to.display()))?;
    let draft = dir.join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let done = fetch(store, bucket, key, &draft).and_then(|()| Ok(fs::rename(&draft, to)?));
    if done.is_err() {
        let _ = fs::remove_file(&draft);
    }
    done.with_context(|| format!("download {from} to {}", to.display()))
}

fn fetch(store: &Store, bucket: &str, key: &str, draft: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(draft)?);
    store.get(bucket, key, &mut out)?;
    out.flush()?;
    Ok(())
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
        (Location::Remote(url), to) => {
            let (bucket, key) = url.object()?;
            if key.ends_with('/') {
                return Err(advise(
                    format!("{url} looks like a directory"),
                    "--recursive copies what is in it",
                ));
            }
            let name = key.rsplit('/').next().unwrap_or(key);
            let size =
                stores.of(url).head(bucket, key).with_context(|| format!("look at {url}"))?.size;
            Ok(match to {
                Location::Remote(to) => Step::Copy { from: url.clone(), to: into(to, name), size },
                Location::Local(path)
                    if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") =>
                {
                    Step::Download { from: url.clone(), to: below(path, name)?, size }
                }
                Location::Local(path) => {
                    Step::Download { from: url.clone(), to: path.clone(), size }
                }
            })
        }
        (Location::Local(_), Location::Local(_)) => {
            Err(advise("both places are on this machine", "use cp"))
        }
    }
}

fn into(url: &Url, name: &str) -> Url {
    match url.key.as_str() {
        key if key.is_empty() || key.ends_with('/') => {
            Url { key: format!("{key}{name}"), ..url.clone() }
        }
        _ => url.clone(),
    }
}

/// Every object under `from` with its step, by its name relative to `from`.
fn pair_all(stores: &Stores, from: &Location, to: &Location) -> Result<BTreeMap<String, Step>> {
    let mut steps = BTreeMap::new();
    for (name, item) in inventory(stores, from, false)? {
        let size = item.size;
        let step = match (from, to) {
            (Location::Local(dir), Location::Remote(to)) => {
                Step::Upload { from: dir.join(&name), to: under(to, &name), size }
            }
            (Location::Remote(url), Location::Local(dir)) => {
                Step::Download { from: under(url, &name), to: below(dir, &name)?, size }
            }
            (Location::Remote(url), Location::Remote(to)) => {
                Step::Copy { from: under(url, &name), to: under(to, &name), size }
            }
            (Location::Local(_), Location::Local(_)) => continue,
        };
        steps.insert(name, step);
    }
    Ok(steps)
}

/// What an inventory knows of one item: its size, and in the cloud its ETag.
struct Item {
    size: u64,
    etag: Option<String>,
}

/// What is in a directory or under a prefix, by relative name. A destination need not exist yet.
fn inventory(
    stores: &Stores,
    place: &Location,
    may_be_missing: bool,
) -> Result<BTreeMap<String, Item>> {
    let mut items = BTreeMap::new();
    match place {
        Location::Local(dir) => {
            if may_be_missing && !dir.exists() {
                return Ok(items);
            }
            walk(dir, "", &mut |name, size| {
                items.insert(name, Item { size, etag: None });
            })?;
        }
        Location::Remote(url) => {
            let prefix = under(url, "").key;
            let listing = Listing { prefix: &prefix, ..Listing::default() };
            let walked = stores.of(url).walk(url.bucket()?, listing, |page| {
                // A key that is the prefix itself, or ends in a slash, stands for a directory.
                let files = page.entries.into_iter().filter(|entry| !entry.key.ends_with('/'));
                items.extend(files.filter_map(|entry| {
                    let name = entry.key.strip_prefix(&prefix)?.to_owned();
                    Some((name, Item { size: entry.size, etag: Some(entry.etag) }))
                }));
                Ok::<(), crate::error::Error>(())
            });
            walked.with_context(|| format!("list {url}"))?;
        }
    }
    Ok(items)
}

/// Calls `each` with the relative name and size of every file below `dir`.
fn walk(dir: &Path, prefix: &str, each: &mut dyn FnMut(String, u64)) -> Result<()> {
    for entry in
        fs::read_dir(dir).with_context(|| format!("read the directory {}", dir.display()))?
    {
        let entry = entry?;
        let name = entry.file_name();
        let name =
            name.to_str().with_context(|| format!("{} is not UTF-8", entry.path().display()))?;
        let name = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{name}/"), each)?;
        } else if kind.is_file() {
            each(name, entry.metadata()?.len());
        } else {
            output::talk(format_args!(
                "skipped {}: neither a file nor a directory",
                entry.path().display()
            ));
        }
    }
    Ok(())
}

/// A name below a url whose key stands for a directory.
fn under(url: &Url, name: &str) -> Url {
    let key = match url.key.as_str() {
        "" => name.to_owned(),
        key => format!("{}/{name}", key.trim_end_matches('/')),
    };
    Url { key, ..url.clone() }
}

/// A path for a key below a directory; a key that would lead out of it is refused.
fn below(dir: &Path, name: &str) -> Result<PathBuf> {
    let path = Path::new(name);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    // Components fold "a//b" and "a/./b" into "a/b": two keys must not meet in one file.
    let plain =
        path.components().map(|part| part.as_os_str().len() + 1).sum::<usize>() == name.len() + 1;
    if name.is_empty() || name.contains('\0') || !inside || !plain {
        return Err(advise(
            format!("the key {name:?} cannot be a file below {}", dir.display()),
            "`awan oss cat` reads it to standard output",
        ));
    }
    Ok(dir.join(path))
}

/// True where the destination holds the same bytes already: same size and same MD5. An ETag that is
/// no MD5 (an object put together from parts) proves nothing, so the object is copied again.
fn same(stores: &Stores, step: &Step, there: Option<&Item>) -> Result<bool> {
    let Some(there) = there.filter(|there| there.size == step.size()) else { return Ok(false) };
    let remote = |url: &Url| -> Result<String> {
        let (bucket, key) = url.object()?;
        Ok(stores.of(url).head(bucket, key)?.etag)
    };
    let (ours, theirs) = match step {
        Step::Upload { from, .. } => (md5_of(from)?, there.etag.clone().unwrap_or_default()),
        Step::Download { from, to, .. } => (md5_of(to)?, remote(from)?),
        Step::Copy { from, .. } => (remote(from)?, there.etag.clone().unwrap_or_default()),
    };
    Ok(ours == theirs)
}

fn md5_of(path: &Path) -> Result<String> {
    let mut sum = Md5::default();
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer).with_context(|| format!("read {}", path.display()))? {
            0 => return Ok(hex(&sum.finish())),
            read => sum.update(&buffer[..read]),
        }
    }
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
fn content_type(key: &str) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_destination_that_ends_in_a_slash_keeps_the_name() {
        assert_eq!(into(&url("oss://b"), "a.json").to_string(), "oss://b/a.json");
        assert_eq!(into(&url("oss://b/d/"), "a.json").to_string(), "oss://b/d/a.json");
        assert_eq!(into(&url("oss://b/other"), "a.json").to_string(), "oss://b/other");
    }

    #[test]
    fn a_prefix_stands_for_a_directory() {
        assert_eq!(under(&url("oss://b"), "x/y").key, "x/y");
        assert_eq!(under(&url("oss://b/d"), "x").key, "d/x");
        assert_eq!(under(&url("oss://b/d/"), "x").key, "d/x");
        assert_eq!(under(&url("oss://b/d"), "").key, "d/");
    }

    #[test]
    fn a_key_cannot_leave_the_directory() {
        let dir = Path::new("/t");
        assert_eq!(below(dir, "a/b.json").unwrap(), Path::new("/t/a/b.json"));
        for name in
            ["", "..", "../x", "a/../../x", "/etc/x", "a/..", "./a", "a//b", "a/./b", "a/", "a\0b"]
        {
            assert!(below(dir, name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_tree_is_walked_with_relative_names() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/c"), "123").unwrap();
        fs::write(dir.path().join("d"), "").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("link")).unwrap();
        let mut found = BTreeMap::new();
        walk(dir.path(), "", &mut |name, size| {
            found.insert(name, size);
        })
        .unwrap();
        assert_eq!(found, BTreeMap::from([("a/b/c".to_owned(), 3), ("d".to_owned(), 0)]));
    }

    proptest! {
        #[test]
        fn no_key_leads_out_of_the_directory(name in "([a-z./\\\\]|\\.\\.){0,12}") {
            if let Ok(path) = below(Path::new("/t"), &name) {
                prop_assert!(path.starts_with("/t"));
                prop_assert_eq!(path.to_str().unwrap(), format!("/t/{name}"));
            }
        }
    }
}
