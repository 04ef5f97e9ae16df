//! Where the copies of a segment are: the first in `segments`, further ones in `mirror/<site>/segments`, and
//! those of a data centre with a backend of its own there ([`super::remote`]).
//!
//! So far all of them are below one directory; where a data centre's own lies is for its operator to mount.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base::text::{percent_decode, percent_encode};

use super::remote::{Remote, Spread};
use super::segment::path;

/// Where one copy of a segment is.
pub(super) enum Spot {
    File(PathBuf),
    Remote(Remote),
}

/// The directories of object storage.
pub(super) struct Dirs(PathBuf);

impl Dirs {
    /// Below this one.
    pub(super) fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// Where the first copies are.
    pub(super) fn home(&self) -> PathBuf {
        self.0.join("segments")
    }

    /// Where a data centre's further copies are.
    pub(super) fn mirror(&self, site: &str) -> PathBuf {
        // A name is an operator's own choice; it must neither leave the directory nor hide in it.
        let name = percent_encode(site).replace('.', "%2E");
        self.0.join("mirror").join(name).join("segments")
    }

    /// The data centres that have a directory for further copies.
    pub(super) fn sites(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.0.join("mirror")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let site = |entry: io::Result<fs::DirEntry>| {
            let name = entry?.file_name();
            let name = percent_decode(name.to_str().unwrap_or_default(), false);
            Ok(String::from_utf8_lossy(&name).into_owned())
        };
        entries.map(site).collect()
    }

    /// Makes the directories of a segment's copies.
    pub(super) fn make(&self, spread: &Spread) -> io::Result<()> {
        make_durable(&self.home(), 2)?;
        let mut near = spread.mirrors.iter().filter(|site| spread.at(site).is_none());
        near.try_for_each(|site| make_durable(&self.mirror(site), 4))
    }

    /// Where each copy of a segment is, the first one first.
    pub(super) fn spots(&self, id: u32, spread: &Spread) -> Vec<Spot> {
        let spot = |remote: Option<&Remote>, dir: &dyn Fn() -> PathBuf| match remote {
            Some(remote) => Spot::Remote(remote.clone()),
            None => Spot::File(path(&dir(), id)),
        };
        let first = spot(spread.first(), &|| self.home());
        let further =
            spread.mirrors.iter().map(|site| spot(spread.at(site), &|| self.mirror(site)));
        std::iter::once(first).chain(further).collect()
    }

    /// The files of a segment, one for each copy that is a file, the first one first.
    pub(super) fn files(&self, id: u32, spread: &Spread) -> Vec<PathBuf> {
        let file = |spot| match spot {
            Spot::File(file) => Some(file),
            Spot::Remote(_) => None,
        };
        self.spots(id, spread).into_iter().filter_map(file).collect()
    }

    /// Every directory that there is.
    pub(super) fn all(&self) -> io::Result<Vec<PathBuf>> {
        let mut dirs = vec![self.home()];
        dirs.extend(self.sites()?.iter().map(|site| self.mirror(site)));
        dirs.retain(|dir| dir.exists());
        Ok(dirs)
    }
}

/// Makes a directory whose name, and those of so many above it, survive a power loss.
fn make_durable(dir: &Path, levels: usize) -> io::Result<()> {
    if dir.exists() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    for made in dir.ancestors().skip(1).take(levels).filter(|made| !made.as_os_str().is_empty()) {
        fs::File::open(made)?.sync_all()?;
    }
    Ok(())
}

/// The numbers of the segments in a directory. What is left of a copy that was being made is removed.
pub(super) fn segments(dir: &Path) -> io::Result<BTreeSet<u32>> {
    let mut ids = BTreeSet::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ids),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let numbered = |kind: &str| name.to_str()?.strip_suffix(kind)?.parse::<u32>().ok();
        match numbered(".seg") {
            Some(id) => drop(ids.insert(id)),
            None if numbered(".new").is_some() => fs::remove_file(entry.path())?,
            None => tracing::warn!(?name, "a file among the segments that is none"),
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_name_of_a_data_centre_is_one_plain_component(site in "[^\\x00]{1,40}|[.]{1,3}|(/|[.])*") {
            prop_assume!(!site.is_empty());
            let dirs = Dirs::new(Path::new("/data/oss"));
            let dir = dirs.mirror(&site);
            let rest = dir.strip_prefix("/data/oss/mirror").map(Path::to_owned);
            let parts: Vec<_> = rest.iter().flat_map(|rest| rest.components()).collect();
            prop_assert_eq!(parts.len(), 2);
            prop_assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))));
            let name = parts[0].as_os_str().to_str().unwrap_or_default();
            prop_assert_eq!(percent_decode(name, false), site.as_bytes());
        }
    }
}
