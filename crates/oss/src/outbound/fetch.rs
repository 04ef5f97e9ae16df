//! Fetching what is as large as it likes: its head first, then its bytes as they come, a few at a time.
//!
//! Not here: which addresses may be called, which is the same for all requests (`super`).

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use ureq::http::HeaderMap;
use ureq::{Agent, Timeout};

use super::Outbound;

/// Fetches under way at a time.
const SLOTS: usize = 32;
/// Those for the same bucket: a slow origin of one keeps no other waiting.
const SLOTS_OF_ONE: usize = 8;
/// Until there is a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Until the head of the answer is there, that nothing comes, or that a fetch waits for its turn.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(10);
/// From the beginning to the last byte.
const WHOLE_MAX: Duration = Duration::from_secs(600);
/// Bytes that are read at a time; this many pieces wait at most.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 2;
/// Addresses that one leads to in turn, at most.
pub(crate) const REDIRECTS_MAX: u32 = 10;

/// What to get.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    /// Whether it may lead to another address.
    pub(crate) follows: bool,
    /// For which bucket.
    pub(crate) bucket: String,
}

/// Leave to fetch, of which each bucket has a share at most.
pub(super) struct Slots {
    all: Arc<Semaphore>,
    of_buckets: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(SLOTS)), of_buckets: Mutex::default() }
    }
}

impl Slots {
    /// Waits for one, at most so long.
    async fn take(&self, bucket: &str, wait_max: Duration) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = self.of_bucket(bucket);
        let both = async {
            let own = own.acquire_owned().await.ok()?;
            Some([own, Arc::clone(&self.all).acquire_owned().await.ok()?])
        };
        tokio::time::timeout(wait_max, both).await.ok().flatten()
    }

    fn of_bucket(&self, bucket: &str) -> Arc<Semaphore> {
        let mut slots = self.of_buckets.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slots| slots.strong_count() > 0);
        let found = slots.get(bucket).and_then(Weak::upgrade);
        found.unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(SLOTS_OF_ONE));
            slots.insert(bucket.to_owned(), Arc::downgrade(&new));
            new
        })
    }
}

/// What came.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Pieces,
}

/// A body as it comes. Dropped before its end, the rest is not read.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Receiver<Result<Bytes, String>>);

impl Pieces {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// Why there is no more though it is not the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, String> {
        self.0.recv().await.transpose()
    }
}

/// The answer's head, and what sends its body.
type Head = Result<Fetched, String>;

impl Outbound {
    /// Gets, and answers once the head is there; any status is an answer.
    ///
    /// # Errors
    /// What to tell the client: that there is no such address, or no answer in time.
    pub(crate) async fn fetch(&self, fetch: Fetch) -> Result<Fetched, String> {
        let Some(slots) = self.fetches.take(&fetch.bucket, SILENCE_MAX).await else {
            return Err("too much is being fetched".to_owned());
        };
        let (tell, told) = oneshot::channel();
        let agent = self.agent.clone();
        tokio::task::spawn_blocking(move || {
            let _slots = slots;
            run(&agent, fetch, tell);
        });
        told.await.unwrap_or_else(|_| Err("the fetch stopped".to_owned()))
    }
}

fn run(agent: &Agent, fetch: Fetch, tell: oneshot::Sender<Head>) {
    let response = match begin(agent, fetch) {
        Ok(response) => response,
        Err(error) => return drop(tell.send(Err(words(&error)))),
    };
    let (sender, receiver) = mpsc::channel(PIECES);
    let (parts, body) = response.into_parts();
    let head =
        Fetched { status: parts.status.as_u16(), headers: parts.headers, body: Pieces(receiver) };
    if tell.send(Ok(head)).is_err() {
        return;
    }
    let mut reader = body.into_reader();
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = reader.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
        let sent = match read {
            Ok(0) => return,
            Ok(_) => sender.blocking_send(Ok(piece.into())),
            Err(error) => return drop(sender.blocking_send(Err(error.to_string()))),
        };
        if sent.is_err() {
            // Nobody wants the rest.
            return;
        }
    }
}

fn begin(agent: &Agent, fetch: Fetch) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let mut request = ureq::http::Request::get(fetch.url.as_str()).body(())?;
    *request.headers_mut() = fetch.headers;
    let request = agent
        .configure_request(request)
        .max_redirects(if fetch.follows { REDIRECTS_MAX } else { 0 })
        .timeout_global(Some(WHOLE_MAX))
        .timeout_connect(Some(CONNECT_MAX))
        .timeout_recv_response(Some(SILENCE_MAX))
        .timeout_per_read(Some(SILENCE_MAX))
        .user_agent("awan-oss-mirror")
        .accept_encoding("identity")
        .build();
    agent.run(request)
}

fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Global | Timeout::RecvResponse | Timeout::Connect) => {
            "there was no answer in time".to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bucket_has_a_share_of_the_slots_and_no_more() {
        let (slots, moment) = (Slots::default(), Duration::from_millis(5));
        let mut held = Vec::new();
        for _ in 0..SLOTS_OF_ONE {
            held.push(slots.take("slow", moment).await.expect("there is one left"));
        }
        assert!(slots.take("slow", moment).await.is_none(), "its share is used up");
        assert!(slots.take("other", moment).await.is_some());
        held.pop();
        assert!(slots.take("slow", moment).await.is_some());
        held.clear();
        drop(slots.take("other", moment).await);
        assert_eq!(slots.of_bucket("slow").available_permits(), SLOTS_OF_ONE);
    }
}
