//! Where the copies of a segment are: the first in `segments`, further ones in `mirror/<site>/segments`, all
//! below the data directory; of a data centre that has a disk of its own, in `segments` and `mirror` there; of
//! one that has a backend, in that ([`super::remote`]).
//! What was stored before it had one stays where it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base::text::{percent_decode, percent_encode};

use super::disk::Disk;
use super::lock;
use super::remote::{Remote, Spread};
use super::segment::path;
use super::sites::Disks;

/// Where one copy of a segment is.
pub(super) enum Spot {
    File(PathBuf),
    Remote(Remote),
}

/// The directories of object storage.
pub(super) struct Dirs {
    root: PathBuf,
    disks: Disks,
    pub(super) disk: Disk,
    /// The data centres of first copies that are on a disk of their own.
    homes: Mutex<HashMap<u32, String>>,
}

impl Dirs {
    /// Below this one, but for the data centres with disks of their own; `homes` are the segments that begin
    /// on such a disk.
    pub(super) fn new(root: &Path, disks: Disks, homes: HashMap<u32, String>, disk: Disk) -> Self {
        Self { root: root.to_owned(), disks, disk, homes: Mutex::new(homes) }
    }

    /// Where the first copies are of those data centres that have no disk of their own.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// The root of each disk that takes bytes for these data centres: rows go to the first.
    pub(super) fn roots<'a>(
        &'a self,
        sites: impl Iterator<Item = &'a String>,
    ) -> impl Iterator<Item = &'a Path> {
        let own = sites.filter_map(|site| self.disks.get(site));
        std::iter::once(&self.root).chain(own).map(PathBuf::as_path)
    }

    /// True where all copies are in the data directory, on the disk of the rows: none has a disk of its own.
    pub(super) fn beside_rows(&self, sites: &[String]) -> bool {
        sites.iter().all(|site| !self.disks.contains_key(site))
    }

    /// Where first copies are on the disks of data centres that have their own.
    pub(super) fn own_homes(&self) -> BTreeMap<String, PathBuf> {
        let home = |(site, disk): (&String, &PathBuf)| (site.clone(), disk.join("segments"));
        self.disks.iter().map(home).collect()
    }

    /// Notes where a new segment begins. Nothing is kept for those in the data directory.
    pub(super) fn settle_in(&self, id: u32, site: &str) {
        if self.disks.contains_key(site) {
            lock(&self.homes).insert(id, site.to_owned());
        }
    }

    /// Forgets a segment that is no more.
    pub(super) fn leave(&self, id: u32) {
        lock(&self.homes).remove(&id);
    }

    /// The data centre on whose own disk a segment begins.
    pub(super) fn home_of(&self, id: u32) -> Option<String> {
        lock(&self.homes).get(&id).cloned()
    }

    fn first(&self, id: u32) -> PathBuf {
        let site = self.home_of(id);
        let disk = site.and_then(|site| self.disks.get(&site));
        disk.map_or_else(|| self.home(), |disk| disk.join("segments"))
    }

    /// Where a data centre's further copies are that has no disk of its own, or had none when they were made.
    fn shared_mirror(&self, site: &str) -> PathBuf {
        // A name is an operator's own choice; it must neither leave the directory nor hide in it.
        let name = percent_encode(site).replace('.', "%2E");
        self.root.join("mirror").join(name).join("segments")
    }

    fn own_mirror(&self, site: &str) -> Option<PathBuf> {
        self.disks.get(site).map(|disk| disk.join("mirror"))
    }

    /// Where a data centre's new further copies are made.
    fn mirror(&self, site: &str) -> PathBuf {
        self.own_mirror(site).unwrap_or_else(|| self.shared_mirror(site))
    }

    /// Every directory in which a data centre's further copies can be.
    pub(super) fn mirrors(&self, site: &str) -> Vec<PathBuf> {
        [self.shared_mirror(site)].into_iter().chain(self.own_mirror(site)).collect()
    }

    /// The data centres that have a directory for further copies.
    pub(super) fn sites(&self) -> io::Result<BTreeSet<String>> {
        let mut sites: BTreeSet<String> = self.disks.keys().cloned().collect();
        sites.append(&mut self.shared_sites()?);
        Ok(sites)
    }

    fn shared_sites(&self) -> io::Result<BTreeSet<String>> {
        let entries = match fs::read_dir(self.root.join("mirror")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
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
    pub(super) fn make(&self, id: u32, spread: &Spread) -> io::Result<()> {
        // A disk that is not mounted any more is an empty directory, in which nothing may be made.
        let home = self.home_of(id);
        let further = spread.mirrors.iter().filter(|site| spread.at(site).is_none());
        for disk in home.iter().chain(further).filter_map(|site| self.disks.get(site)) {
            fs::metadata(disk.join(super::sites::MARK))?;
        }
        make_durable(&self.first(id), 2)?;
        let mut near = spread.mirrors.iter().filter(|site| spread.at(site).is_none());
        near.try_for_each(|site| make_durable(&self.mirror(site), 4))
    }

    /// Where each copy of a segment is, the first one first.
    pub(super) fn spots(&self, id: u32, spread: &Spread) -> Vec<Spot> {
        let spot = |remote: Option<&Remote>, dir: &dyn Fn() -> PathBuf| match remote {
            Some(remote) => Spot::Remote(remote.clone()),
            None => Spot::File(path(&dir(), id)),
        };
        let first = spot(spread.first(), &|| self.first(id));
        let further =
            spread.mirrors.iter().map(|site| spot(spread.at(site), &|| self.further(id, site)));
        std::iter::once(first).chain(further).collect()
    }

    /// Where a data centre's further copy of a segment is, or is to be made.
    fn further(&self, id: u32, site: &str) -> PathBuf {
        // One that was made before the data centre had its disk is still where it was.
        let old = self.shared_mirror(site);
        let is_old = self.disks.contains_key(site) && path(&old, id).exists();
        if is_old { old } else { self.mirror(site) }
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
        dirs.extend(self.own_homes().into_values());
        dirs.extend(self.sites()?.iter().flat_map(|site| self.mirrors(site)));
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
            let dirs =
                Dirs::new(Path::new("/data/oss"), Disks::new(), HashMap::new(), Disk::default());
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
