//! The sweep: removes from the backends what no row refers to.
//!
//! What is freed while the program runs, [`super::reclaim`] deletes by name. What is left over is what a crash,
//! or a request that was given up and arrived after all, put there: objects beyond the end or in the holes of a
//! segment, and whole folders without a row. Numbers and folders are never used twice, so that what is garbage
//! once is garbage for ever, and it does not matter how old a listing is.

use std::sync::Arc;

use base::ApiError;

use super::{Blobs, Error, blocking, lock};
use crate::backend::{Backend, Counts};
use crate::tables::remote;

/// Objects judged on one snapshot.
const BATCH: usize = 1000;

impl Blobs {
    /// True where anything is configured that may have to be swept.
    pub(crate) fn has_backends(&self) -> bool {
        self.stores.all().next().is_some()
    }

    /// Of how many backends the last call failed, and what all calls of all of them came to; `None` where there are none.
    pub(crate) fn backend_counts(&self) -> Option<(u64, Counts)> {
        let counts =
            self.stores.all().map(|(backend, _)| (backend.failed_last(), backend.counts()));
        counts.map(|(away, counts)| (u64::from(away), counts)).reduce(|(away, sum), (one, more)| {
            let Counts { calls, failures, sent, fetched } = more;
            let sum = Counts {
                calls: sum.calls + calls,
                failures: sum.failures + failures,
                sent: sum.sent + sent,
                fetched: sum.fetched + fetched,
            };
            (away + one, sum)
        })
    }

    /// Removes garbage from every backend that answers; says how many objects. Folders without a row are looked
    /// at in any case, and of the others `all`, or those that a crash left open.
    pub(crate) async fn sweep(self: &Arc<Self>, all: bool) -> Result<u64, ApiError> {
        let mut removed = 0;
        for (backend, root) in self.stores.all() {
            match self.sweep_one(backend, root, all).await {
                Ok(count) => removed += count,
                // One that is away must not keep the others from being swept.
                Err(error) if error.is(&base::code::UNAVAILABLE) => {}
                Err(error) => return Err(error),
            }
        }
        if removed > 0 {
            tracing::info!(removed, "swept the backends");
        }
        Ok(removed)
    }

    async fn sweep_one(
        self: &Arc<Self>,
        backend: &Arc<Backend>,
        root: &Arc<str>,
        all: bool,
    ) -> Result<u64, ApiError> {
        let (listing, below) = (Arc::clone(backend), Arc::clone(root));
        let folders = blocking(move || listing.folders(&[&below])).await?;
        let mut removed = 0;
        for folder in folders {
            // After the listing: a row is written before its folder is, so that none means garbage.
            let named = folder.clone();
            let segment = self.db.read(move |tx| remote::segment_of(tx, &named)).await?;
            let suspect = |id: &u32| all || lock(&self.suspects).contains(id);
            if segment.as_ref().is_none_or(suspect) {
                removed += self.sweep_folder(backend, (root, folder), segment).await?;
            }
        }
        Ok(removed)
    }

    async fn sweep_folder(
        &self,
        backend: &Arc<Backend>,
        (root, folder): (&Arc<str>, String),
        segment: Option<u32>,
    ) -> Result<u64, ApiError> {
        let (listing, place) = (Arc::clone(backend), (Arc::clone(root), folder.clone()));
        let names = blocking(move || listing.names(&[&place.0, &place.1])).await?;
        let mut removed = 0;
        for batch in names.chunks(BATCH) {
            let mut garbage = batch.to_vec();
            if let Some(id) = segment {
                garbage = self
                    .db
                    .read(move |tx| {
                        let mut found = Vec::new();
                        for start in &garbage {
                            if remote::is_garbage(tx, id, *start)? {
                                found.push(*start);
                            }
                        }
                        Ok::<_, ApiError>(found)
                    })
                    .await?;
            }
            removed += garbage.len() as u64;
            let (backend, place) = (Arc::clone(backend), (Arc::clone(root), folder.clone()));
            let delete = move || {
                let delete = |start: &u64| backend.delete(&[&place.0, &place.1], *start);
                garbage.iter().try_for_each(delete)
            };
            blocking::<()>(delete).await.map_err(|error: Error| ApiError::from(error))?;
        }
        Ok(removed)
    }
}
