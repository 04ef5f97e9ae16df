//! Names: what is in a directory or under a prefix, and how a key becomes a path and a path a key.
//! No path that is made here leads out of its directory, whatever the key is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use base::Time;

use super::glob::Filter;
use super::location::{Location, Url};
use super::plan::Item;
use super::transfer::Stores;
use crate::error::advise;
use crate::object::Listing;
use crate::output;

/// What a download is called until it is whole; such names are never taken for data.
const DRAFT: &str = ".awan-part";

/// Where a download of `to` gathers, and what it knows of it.
///
/// # Errors
/// Where the path names no file.
pub fn drafts(to: &Path) -> Result<(PathBuf, PathBuf)> {
    let name = to.file_name().with_context(|| format!("{} names no file", to.display()))?;
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(DRAFT);
    let mut facts = draft.clone();
    facts.push(".json");
    Ok((to.with_file_name(draft), to.with_file_name(facts)))
}

fn is_draft(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.starts_with('.') && last.trim_end_matches(".json").ends_with(DRAFT)
}

/// What is in a directory or under a prefix, by relative name. A destination need not exist yet.
/// Where `files` is true, keys that stand for directories are left out.
///
/// # Errors
/// Where the place cannot be read.
pub fn inventory(
    stores: &Stores,
    place: &Location,
    filter: &Filter,
    (may_be_missing, files): (bool, bool),
) -> Result<BTreeMap<String, Item>> {
    let mut items = BTreeMap::new();
    match place {
        Location::Local(dir) => {
            if may_be_missing && !dir.exists() {
                return Ok(items);
            }
            walk(dir, "", &mut |name, item| {
                items.insert(name, item);
            })?;
        }
        Location::Remote(url) => {
            let prefix = under(url, "").key;
            let listing = Listing { prefix: &prefix, ..Listing::default() };
            let walked = stores.of(url).walk(url.bucket()?, listing, |page| {
                for entry in page.entries {
                    let Some(name) = entry.key.strip_prefix(&prefix) else { continue };
                    if name.is_empty() || (files && name.ends_with('/')) {
                        continue;
                    }
                    let modified = Time::parse_iso(&entry.modified).unwrap_or_default();
                    let item = Item { size: entry.size, modified, etag: Some(entry.etag) };
                    items.insert(name.to_owned(), item);
                }
                Ok::<(), crate::error::Error>(())
            });
            walked.with_context(|| format!("list {url}"))?;
        }
    }
    items.retain(|name, _| filter.takes(name));
    Ok(items)
}

/// Calls `each` with the relative name and the facts of every file below `dir`.
fn walk(dir: &Path, prefix: &str, each: &mut dyn FnMut(String, Item)) -> Result<()> {
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
        } else if kind.is_file() && !is_draft(&name) {
            each(name, local_item(&entry.metadata()?));
        } else if !kind.is_file() {
            output::talk(format_args!(
                "skipped {}: neither a file nor a directory",
                entry.path().display()
            ));
        }
    }
    Ok(())
}

/// The facts of a file here.
fn local_item(meta: &fs::Metadata) -> Item {
    let since = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    // Rounded up: a copy of before the last part of a microsecond is not a copy of the file.
    let micros =
        since.map_or(0, |since| i64::try_from(since.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX));
    Item { size: meta.len(), modified: Time::from_micros(micros), etag: None }
}

/// A name below a url whose key stands for a directory.
pub fn under(url: &Url, name: &str) -> Url {
    let key = match url.key.as_str() {
        "" => name.to_owned(),
        key => format!("{}/{name}", key.strip_suffix('/').unwrap_or(key)),
    };
    Url { key, ..url.clone() }
}

/// The url itself, or where it stands for a directory, that name in it.
pub fn into(url: &Url, name: &str) -> Url {
    match url.key.as_str() {
        key if key.is_empty() || key.ends_with('/') => {
            Url { key: format!("{key}{name}"), ..url.clone() }
        }
        _ => url.clone(),
    }
}

/// A path for a key below a directory; a key that would lead out of it is refused.
///
/// # Errors
/// For a key that no file can stand for, or that has the name of an unfinished download.
pub fn below(dir: &Path, name: &str) -> Result<PathBuf> {
    let path = Path::new(name);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    // Components fold "a//b" and "a/./b" into "a/b": two keys must not meet in one file.
    let plain =
        path.components().map(|part| part.as_os_str().len() + 1).sum::<usize>() == name.len() + 1;
    if name.is_empty() || name.contains('\0') || !inside || !plain || is_draft(name) {
        return Err(advise(
            format!("the key {name:?} cannot be a file below {}", dir.display()),
            "`awan oss cat` reads it to standard output",
        ));
    }
    Ok(dir.join(path))
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
        assert_eq!(under(&url("oss://b/d//"), "x").key, "d//x");
    }

    #[test]
    fn a_key_cannot_leave_the_directory() {
        let dir = Path::new("/t");
        assert_eq!(below(dir, "a/b.json").unwrap(), Path::new("/t/a/b.json"));
        for name in [
            "",
            "..",
            "../x",
            "a/../../x",
            "/etc/x",
            "a/..",
            "./a",
            "a//b",
            "a/./b",
            "a/",
            "a\0b",
            "d/.a.awan-part",
            ".a.awan-part.json",
        ] {
            assert!(below(dir, name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_tree_is_walked_with_relative_names_and_without_unfinished_downloads() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/c"), "123").unwrap();
        fs::write(dir.path().join("d"), "").unwrap();
        let (draft, facts) = drafts(&dir.path().join("a/b/e")).unwrap();
        fs::write(draft, "half").unwrap();
        fs::write(facts, "{}").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("link")).unwrap();
        let mut found = BTreeMap::new();
        walk(dir.path(), "", &mut |name, item| {
            found.insert(name, item.size);
        })
        .unwrap();
        assert_eq!(found, BTreeMap::from([("a/b/c".to_owned(), 3), ("d".to_owned(), 0)]));
    }

    proptest! {
        #[test]
        fn no_key_leads_out_of_the_directory(name in "([a-z./\\\\ %+é🙂\0]|\\.\\.){0,12}") {
            if let Ok(path) = below(Path::new("/t"), &name) {
                prop_assert!(path.starts_with("/t"));
                prop_assert!(path.components().all(|part| part != Component::ParentDir));
                prop_assert_eq!(path.to_str().unwrap(), format!("/t/{name}"));
            }
        }
    }
}
