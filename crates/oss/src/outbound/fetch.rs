//! Fetching what is as large as it likes: its head first, then its bytes as they come, a few at a time.
//!
//! Not here: which addresses may be called, which is the same for all requests (`super`).

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use ureq::http::HeaderMap;
use ureq::{Agent, Timeout};

use super::Outbound;

/// Fetches under way at a time.
pub(super) const SLOTS: usize = 32;
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
        let slot = Arc::clone(&self.fetches).acquire_owned();
        let Ok(Ok(slot)) = tokio::time::timeout(SILENCE_MAX, slot).await else {
            return Err("too much is being fetched".to_owned());
        };
        let (tell, told) = oneshot::channel();
        let agent = self.agent.clone();
        tokio::task::spawn_blocking(move || {
            let _slot = slot;
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
