//! Copies of segments that are not files: in a backend an extent is an object of its own, named by where it
//! begins, below the folder of the copy.
//!
//! A segment there is no more than a run of numbers, so that everything above is the same for both kinds of
//! copies: what is reserved, settled, freed and sealed. The one difference is that a backend acknowledges each
//! write, where a file is synced.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use base::{ApiError, Code, Rng};
use bytes::Bytes;
use store::Db;

use super::{Blobs, Error, Extent, Range, Sites, lock};
use crate::backend::Backend;
use crate::tables::remote::{self, Known, Row};

/// `OperationConflict.Backend`, status 409: a backend that holds data is not where it was, or is gone. The
/// operator reads it, at a start.
const BACKEND_IN_USE: Code = Code::new("OperationConflict.Backend", 409, "The backend holds data.");

/// A copy of a segment in a backend.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// The data centre whose copy it is.
    pub(super) site: String,
    /// True for the copy that would be in the first directory.
    first: bool,
    pub(super) backend: Arc<Backend>,
    /// What all of ours in the backend lies below.
    root: Arc<str>,
    /// The copy's own folder below that.
    pub(super) folder: String,
}

impl Remote {
    fn folders(&self) -> [&str; 2] {
        [&self.root, &self.folder]
    }

    /// Stores an extent; it is durable when this returns. Blocks, as all of these do.
    pub(super) fn put(&self, bytes: &[u8], start: u32) -> Result<(), Error> {
        self.backend.put(&self.folders(), start.into(), Bytes::copy_from_slice(bytes))
    }

    /// The bytes of an extent; `None` where there is no such object.
    pub(super) fn get(&self, extent: &Extent) -> Result<Option<Bytes>, Error> {
        self.backend.get(&self.folders(), extent.start.into())
    }

    /// Deletes what begins there.
    pub(super) fn delete(&self, start: u64) -> Result<(), Error> {
        self.backend.delete(&self.folders(), start)
    }
}

/// In which data centres a segment has copies, other than in the first directory alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    /// The data centres of the further copies.
    pub(super) mirrors: Vec<String>,
    /// The copies that are in backends, the first one's or further ones.
    pub(super) remote: Vec<Remote>,
}

impl Spread {
    /// The first copy, where that is in a backend.
    pub(super) fn first(&self) -> Option<&Remote> {
        self.remote.iter().find(|copy| copy.first)
    }

    /// The further copy of a data centre, where that is in a backend.
    pub(super) fn at(&self, site: &str) -> Option<&Remote> {
        self.remote.iter().find(|copy| !copy.first && copy.site == site)
    }
}

/// A configured backend, and what it is called inside.
struct Store {
    backend: Arc<Backend>,
    root: Arc<str>,
}

/// All backends of the configuration.
#[derive(Default)]
pub(super) struct Stores(HashMap<String, Store>);

impl Stores {
    /// Compares the configuration with what is known, and writes down what is new. Blocks.
    ///
    /// # Errors
    /// `BACKEND_IN_USE` where a backend that holds data is not configured, or stands in another data centre:
    /// the log says where the data is.
    pub(super) fn open(db: &Db, rng: &dyn Rng, backends: Vec<Backend>) -> Result<Self, ApiError> {
        let known = db.read_blocking(remote::backends)?;
        for Known { name, .. } in known.iter().filter(|known| known.used) {
            if !backends.iter().any(|backend| backend.name() == name) {
                return Err(BACKEND_IN_USE.error(format!(
                    "The backend {name} is no longer in the configuration, but holds data. Put it back; \
                     with retired = true it gets nothing new."
                )));
            }
        }
        let mut stores = HashMap::new();
        for backend in backends {
            let before = known.iter().find(|known| known.name == backend.name());
            let root = before.map_or_else(|| rng.alphanumeric(24), |known| known.folder.clone());
            if let Some(Known { site, .. }) =
                before.filter(|known| known.used && known.site != backend.site())
            {
                return Err(BACKEND_IN_USE.error(format!(
                    "The backend {} holds data that the log says is in {site}, and the configuration says {}.",
                    backend.name(),
                    backend.site()
                )));
            }
            let (name, site, folder) =
                (backend.name().to_owned(), backend.site().to_owned(), root.clone());
            db.write_blocking(move |tx| remote::put_backend(tx, &name, &site, &folder))?;
            let name = backend.name().to_owned();
            stores.insert(name, Store { backend: Arc::new(backend), root: root.into() });
        }
        Ok(Self(stores))
    }

    /// The copy that a row tells of.
    fn copy(&self, row: Row) -> Result<Remote, ApiError> {
        let Row { site, first, backend, folder, .. } = row;
        let store = self.0.get(&backend).ok_or_else(|| ApiError::new(&BACKEND_IN_USE))?;
        let (backend, root) = (Arc::clone(&store.backend), Arc::clone(&store.root));
        Ok(Remote { site, first, backend, root, folder })
    }

    /// The copies of all segments. Blocks.
    pub(super) fn copies(&self, db: &Db) -> Result<HashMap<u32, Vec<Remote>>, ApiError> {
        let mut copies: HashMap<u32, Vec<Remote>> = HashMap::new();
        for row in db.read_blocking(remote::all)? {
            let segment = row.segment;
            copies.entry(segment).or_default().push(self.copy(row)?);
        }
        Ok(copies)
    }

    /// Each of them, and what it is called inside.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Arc<Backend>, &Arc<str>)> {
        self.0.values().map(|store| (&store.backend, &store.root))
    }

    /// The one that new bytes of a data centre go to.
    pub(super) fn of_site(&self, site: &str) -> Option<&Arc<Backend>> {
        let mut stores = self.all().map(|(backend, _)| backend);
        stores.find(|backend| backend.takes_new() && backend.site() == site)
    }
}

impl Blobs {
    /// True where new bytes of any of these data centres go to a backend.
    pub(super) fn goes_far(&self, sites: &Sites) -> bool {
        sites.iter().any(|site| self.stores.of_site(site).is_some())
    }

    /// Says where the copies of a new segment will be, and writes down those in backends first. Blocks where
    /// there are any.
    pub(super) fn spread_new(&self, id: u32, sites: &Sites) -> Result<Spread, Error> {
        let mut rows = Vec::new();
        for (at, site) in sites.iter().enumerate() {
            if let Some(backend) = self.stores.of_site(site) {
                rows.push(Row {
                    segment: id,
                    site: site.clone(),
                    first: at == 0,
                    backend: backend.name().to_owned(),
                    folder: format!("{id:010}-{}", self.rng.alphanumeric(12)),
                });
            }
        }
        let failed = |error: ApiError| Error::Row(format!("write down where bytes go: {error:?}"));
        if !rows.is_empty() {
            let rows = rows.clone();
            let written = self.db.write_blocking(move |tx| {
                remote::remove(tx, id)?;
                rows.iter().try_for_each(|row| remote::insert(tx, row))
            });
            written.map_err(failed)?;
        }
        let copies = rows.into_iter().map(|row| self.stores.copy(row).map_err(failed));
        let mirrors = sites.get(1..).unwrap_or_default().to_vec();
        Ok(Spread { mirrors, remote: copies.collect::<Result<_, _>>()? })
    }

    /// Which of a segment's copies are in backends.
    pub(super) fn remote_of(&self, id: u32) -> Vec<Remote> {
        lock(&self.spread).get(&id).map(|spread| spread.remote.clone()).unwrap_or_default()
    }

    /// Deletes what begins where a range begins out of every backend that has a copy.
    pub(super) fn delete_far(&self, range: &Range) -> Result<(), Error> {
        self.remote_of(range.segment).iter().try_for_each(|copy| copy.delete(range.start))
    }

    /// The segments of which a backend that is away has a copy. `away` are those that failed already.
    pub(super) fn segments_away(&self, away: &BTreeSet<String>) -> BTreeSet<u32> {
        let is_away = |copy: &Remote| copy.backend.is_away() || away.contains(copy.backend.name());
        let spread = lock(&self.spread);
        let segments = spread.iter().filter(|(_, spread)| spread.remote.iter().any(is_away));
        segments.map(|(id, _)| *id).collect()
    }
}
