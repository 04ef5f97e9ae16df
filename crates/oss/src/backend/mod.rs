//! Backends: stores outside of this program (Ceph, Garage, anything that speaks S3) that hold bytes in its
//! place, erasure-coded or in as many copies as their own operators think right.
//!
//! A backend stands in one data centre. What it is given is sealed already, small (at most one extent to an
//! object) and never written twice under one name. Each call waits, is tried again with growing pauses, and
//! ends in one of two ways: done, or [`Error::Away`]. After such an end further calls fail at once for a
//! moment, so that nobody queues up behind a store that does not answer.
//!
//! Not here: which segment is where ([`crate::blob`]), and the HTTP below ([`agent`]).

mod agent;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use base::Secret;

use crate::blob::Error;

/// Calls under way at a time, each of which has a thread: far fewer than there are threads, so that a slow
/// store never keeps a disk waiting.
const CALLS_MAX: usize = 64;
/// After a call that failed, others fail at once for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// A call is tried again so often.
const RETRIES_MAX: usize = 3;
/// And for so long.
const RETRY_TIME: Duration = Duration::from_secs(10);

/// Where an S3 store is, and who we are there.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `http://HOST:PORT` or `https://HOST`.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket, which is there already.
    pub bucket: String,
    /// What every name in the bucket begins with; may be empty.
    pub prefix: String,
    /// The access key's id.
    pub key_id: Secret<String>,
    /// Its secret.
    pub secret: Secret<String>,
    /// A PEM file with the authorities to trust instead of the machine's.
    pub ca_cert: Option<PathBuf>,
}

/// What all calls so far came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls.
    pub(crate) calls: u64,
    /// Those that failed.
    pub(crate) failures: u64,
    /// Bytes sent.
    pub(crate) sent: u64,
    /// Bytes fetched.
    pub(crate) fetched: u64,
}

#[derive(Default)]
struct Counters {
    calls: AtomicU64,
    failures: AtomicU64,
    sent: AtomicU64,
    fetched: AtomicU64,
}

/// A store outside of this program.
pub struct Backend {
    name: String,
    site: String,
    retired: bool,
    prefix: Path,
    store: Arc<dyn ObjectStore>,
    permits: Arc<Semaphore>,
    /// Until when no call is tried, where the last one failed.
    paused: Mutex<Option<Instant>>,
    counters: Counters,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backend({})", self.name)
    }
}

impl Backend {
    /// The store `name`, which stands in the data centre `site`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// In words, where the address or the authorities are of no use.
    pub fn s3(name: &str, site: &str, s3: &S3) -> Result<Self, String> {
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIME,
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(s3.endpoint.trim_end_matches('/'))
            .with_allow_http(true)
            .with_region(&s3.region)
            .with_bucket_name(&s3.bucket)
            .with_access_key_id(s3.key_id.expose())
            .with_secret_access_key(s3.secret.expose())
            // Not every store has the call that deletes many.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(agent::Connector::new(&s3.endpoint, s3.ca_cert.as_deref())?)
            .build()
            .map_err(|error| error.to_string())?;
        let prefix = Path::parse(&s3.prefix).map_err(|error| error.to_string())?;
        Ok(Self { prefix, ..Self::over(name, site, Arc::new(store)) })
    }

    /// A backend over any store that does what an S3 store does.
    pub fn over(name: &str, site: &str, store: Arc<dyn ObjectStore>) -> Self {
        Self {
            name: name.to_owned(),
            site: site.to_owned(),
            retired: false,
            prefix: Path::ROOT,
            store,
            permits: Arc::new(Semaphore::new(CALLS_MAX)),
            paused: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// The same, from which is only read and deleted: it gets no new bodies.
    #[must_use]
    pub fn retired(self) -> Self {
        Self { retired: true, ..self }
    }

    /// What the configuration calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The data centre that it stands in.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// True where it gets new bodies.
    pub(crate) fn takes_new(&self) -> bool {
        !self.retired
    }

    /// Leave for one call of each, which is waited for before a thread is taken: always in the same order, so
    /// that nobody waits for one who waits for him.
    pub(crate) async fn permits(mut backends: Vec<Arc<Self>>) -> Vec<OwnedSemaphorePermit> {
        backends.sort_by(|one, other| one.name.cmp(&other.name));
        let mut permits = Vec::with_capacity(backends.len());
        for backend in backends {
            // None of them is ever closed.
            permits.extend(Arc::clone(&backend.permits).acquire_owned().await);
        }
        permits
    }

    /// True for a moment after a call failed.
    pub(crate) fn is_away(&self) -> bool {
        self.paused().is_some_and(|until| Instant::now() < until)
    }

    /// True from a call that failed to the next one that did not.
    pub(crate) fn failed_last(&self) -> bool {
        self.paused().is_some()
    }

    /// What all calls so far came to.
    pub(crate) fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { calls, failures, sent, fetched } = &self.counters;
        Counts { calls: of(calls), failures: of(failures), sent: of(sent), fetched: of(fetched) }
    }

    fn paused(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `prefix/folders…/name`.
    fn path(&self, folders: &[&str], name: Option<u64>) -> Path {
        let below = folders.iter().fold(self.prefix.clone(), |path, part| path.join(*part));
        match name {
            // So that names sort as numbers do.
            Some(name) => below.join(format!("{name:010}")),
            None => below,
        }
    }

    /// Runs one call to its end. On a thread that may block.
    fn call<T>(
        &self,
        doing: &'static str,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Option<T>, Error> {
        let away = |cause: String| Error::Away { backend: self.name.clone(), doing, cause };
        if self.is_away() {
            return Err(away("it did not answer a moment ago".to_owned()));
        }
        self.counters.calls.fetch_add(1, Ordering::Relaxed);
        match Handle::current().block_on(call) {
            Ok(done) => {
                *self.paused() = None;
                Ok(Some(done))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => {
                self.counters.failures.fetch_add(1, Ordering::Relaxed);
                *self.paused() = Some(Instant::now() + PAUSE);
                tracing::warn!(backend = self.name, doing, %error, "a backend failed");
                Err(away(error.to_string()))
            }
        }
    }

    /// Stores an object; when this returns, the backend has acknowledged it. Blocks.
    pub(crate) fn put(&self, folders: &[&str], name: u64, bytes: Bytes) -> Result<(), Error> {
        let (path, len) = (self.path(folders, Some(name)), bytes.len() as u64);
        let put = self.call("put", self.store.put(&path, bytes.into()))?;
        self.counters.sent.fetch_add(len, Ordering::Relaxed);
        match put {
            Some(_) => Ok(()),
            // What is not found is the bucket.
            None => Err(Error::Away {
                backend: self.name.clone(),
                doing: "put",
                cause: "there is no such bucket".to_owned(),
            }),
        }
    }

    /// An object whole; `None` where there is none. Blocks.
    pub(crate) fn get(&self, folders: &[&str], name: u64) -> Result<Option<Bytes>, Error> {
        let path = self.path(folders, Some(name));
        let get = async { self.store.get(&path).await?.bytes().await };
        let bytes = self.call("get", get)?;
        let len = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.counters.fetched.fetch_add(len, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Deletes an object; there being none is as good. Blocks.
    pub(crate) fn delete(&self, folders: &[&str], name: u64) -> Result<(), Error> {
        let path = self.path(folders, Some(name));
        self.call("delete", self.store.delete(&path)).map(drop)
    }

    /// The names of the folders in one. Blocks.
    pub(crate) fn folders(&self, folders: &[&str]) -> Result<Vec<String>, Error> {
        let path = self.path(folders, None);
        let listed = self.call("list", self.store.list_with_delimiter(Some(&path)))?;
        let prefixes = listed.into_iter().flat_map(|listed| listed.common_prefixes);
        Ok(prefixes.filter_map(|path| path.filename().map(str::to_owned)).collect())
    }

    /// The names of the objects in a folder; those that are no numbers are not ours. Blocks.
    pub(crate) fn names(&self, folders: &[&str]) -> Result<Vec<u64>, Error> {
        let path = self.path(folders, None);
        let list = self.store.list(Some(&path)).map_ok(|object| object.location);
        let names = list.map_ok(|path| path.filename().and_then(|name| name.parse().ok()));
        let listed = self.call("list", names.try_collect::<Vec<Option<u64>>>())?;
        Ok(listed.into_iter().flatten().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn s3(endpoint: &str, prefix: &str) -> S3 {
        S3 {
            endpoint: endpoint.to_owned(),
            region: "us-east-1".to_owned(),
            bucket: "bytes".to_owned(),
            prefix: prefix.to_owned(),
            key_id: Secret::new("id".to_owned()),
            secret: Secret::new("keep-it-quiet".to_owned()),
            ca_cert: None,
        }
    }

    #[test]
    fn names_lie_below_the_prefix_and_sort_as_numbers() {
        let backend = Backend::s3("garage", "jkt-1", &s3("http://127.0.0.1:1", "a/b")).unwrap();
        let path = |name| backend.path(&["cloud", "segment"], Some(name)).to_string();
        assert_eq!(path(7), "a/b/cloud/segment/0000000007");
        assert!(path(9) < path(10) && path(10) < path(u64::from(u32::MAX)));
    }

    #[test]
    fn no_secret_shows_in_what_is_printed() {
        let config = s3("http://127.0.0.1:1", "");
        assert!(!format!("{config:?}").contains("keep-it-quiet"));
        let backend = Backend::s3("garage", "jkt-1", &config).unwrap();
        assert_eq!(format!("{backend:?}"), "Backend(garage)");
    }

    #[test]
    fn a_store_that_nobody_listens_at_is_away_and_then_at_once() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let backend = Backend::s3("garage", "jkt-1", &s3("http://127.0.0.1:1", "")).unwrap();
        runtime.block_on(async {
            let tried = tokio::task::spawn_blocking(move || {
                let first = backend.get(&["x"], 1);
                let begun = Instant::now();
                let second = backend.get(&["x"], 1);
                (first, second, begun.elapsed(), backend.counts())
            });
            let (first, second, took, counts) = tried.await.unwrap();
            assert!(matches!(first, Err(Error::Away { .. })), "{first:?}");
            assert!(matches!(second, Err(Error::Away { .. })), "{second:?}");
            assert!(took < Duration::from_millis(50), "{took:?}");
            assert_eq!((counts.calls, counts.failures), (1, 1));
        });
    }
}
