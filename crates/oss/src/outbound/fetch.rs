//! Fetching what is as large as it likes: its head first, then its bytes as they come, a few at a time.
//!
//! Not here: which addresses may be called, which is the same for all requests (`super`).

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use base::AccountId;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use ureq::http::header::{ACCEPT_ENCODING, LOCATION};
use ureq::http::{HeaderMap, HeaderName, Request, Response, Uri};
use ureq::{Agent, Body, Timeout};

use super::Outbound;

/// Fetches under way at a time.
const SLOTS: usize = 32;
/// Those for the same account: slow origins of one keep no other waiting.
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
const REDIRECTS_MAX: u32 = 10;

/// What to get.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    /// Whether it may lead to another address.
    pub(crate) follows: bool,
    /// For whose bucket.
    pub(crate) account: AccountId,
}

/// Leave to fetch, of which each account has a share at most.
pub(super) struct Slots {
    all: Arc<Semaphore>,
    of_accounts: Mutex<HashMap<AccountId, Weak<Semaphore>>>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(SLOTS)), of_accounts: Mutex::default() }
    }
}

impl Slots {
    /// Waits for one, at most so long.
    async fn take(
        &self,
        account: AccountId,
        wait_max: Duration,
    ) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = self.of_account(account);
        let both = async {
            let own = own.acquire_owned().await.ok()?;
            Some([own, Arc::clone(&self.all).acquire_owned().await.ok()?])
        };
        tokio::time::timeout(wait_max, both).await.ok().flatten()
    }

    fn of_account(&self, account: AccountId) -> Arc<Semaphore> {
        let mut slots = self.of_accounts.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slots| slots.strong_count() > 0);
        let found = slots.get(&account).and_then(Weak::upgrade);
        found.unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(SLOTS_OF_ONE));
            slots.insert(account, Arc::downgrade(&new));
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
        let Some(slots) = self.fetches.take(fetch.account, SILENCE_MAX).await else {
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
        Err(error) => return drop(tell.send(Err(error))),
    };
    let (sender, receiver) = mpsc::channel(PIECES);
    let (parts, body) = response.into_parts();
    let head =
        Fetched { status: parts.status.as_u16(), headers: parts.headers, body: Pieces(receiver) };
    if tell.send(Ok(head)).is_err() {
        return;
    }
    let mut reader = body.into_reader();
    let mut piece = vec![0; PIECE_BYTES];
    // Until nobody wants the rest, also where the origin sends a byte now and then.
    while !sender.is_closed() {
        let sent = match reader.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => sender.blocking_send(Ok(Bytes::copy_from_slice(&piece[..read]))),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return drop(sender.blocking_send(Err(error.to_string()))),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Asks, and asks where that leads to, as often as it may. What is sent to one host is not for another.
fn begin(agent: &Agent, fetch: Fetch) -> Result<Response<Body>, String> {
    let until = Instant::now() + WHOLE_MAX;
    let mut uri: Uri = fetch.url.parse().map_err(|_| no_address(&fetch.url))?;
    let mut headers = fetch.headers;
    let mut left = if fetch.follows { REDIRECTS_MAX } else { 0 };
    loop {
        let response = ask(agent, &uri, headers.clone(), until).map_err(|error| words(&error))?;
        let leads = matches!(response.status().as_u16(), 301..=303 | 307 | 308);
        let Some(location) = response.headers().get(LOCATION).filter(|_| leads && left > 0) else {
            return Ok(response);
        };
        let next = resolve(&uri, &String::from_utf8_lossy(location.as_bytes()))?;
        if host(&next) != host(&uri) {
            headers = less_own(headers);
        }
        uri = next;
        left -= 1;
    }
}

fn ask(
    agent: &Agent,
    uri: &Uri,
    headers: HeaderMap,
    until: Instant,
) -> Result<Response<Body>, ureq::Error> {
    let mut request = Request::get(uri.clone()).body(())?;
    *request.headers_mut() = headers;
    let request = agent
        .configure_request(request)
        .max_redirects(0)
        .timeout_global(Some(until.saturating_duration_since(Instant::now())))
        .timeout_connect(Some(CONNECT_MAX))
        .timeout_recv_response(Some(SILENCE_MAX))
        .timeout_per_read(Some(SILENCE_MAX))
        .user_agent("awan-oss-mirror")
        .accept_encoding("identity")
        .build();
    agent.run(request)
}

/// The headers that any host may see: by whom the request was passed on, and how the answer may be encoded.
fn less_own(mut headers: HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [HeaderName::from_static("cdn-loop"), ACCEPT_ENCODING] {
        if let Some(value) = headers.remove(&name) {
            kept.insert(name, value);
        }
    }
    kept
}

/// Who is asked: scheme, name and port.
fn host(uri: &Uri) -> (Option<&str>, Option<String>, u16) {
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let name = uri.host().map(str::to_ascii_lowercase);
    (uri.scheme_str(), name, uri.port_u16().unwrap_or(usual))
}

/// Where a `Location` leads from an address: elsewhere, or to another path of the same host.
///
/// Errors: what to tell the client.
fn resolve(from: &Uri, location: &str) -> Result<Uri, String> {
    let refused = || no_address(location);
    let (scheme, authority) = from.scheme_str().zip(from.authority()).ok_or_else(refused)?;
    let to = location.split('#').next().unwrap_or_default();
    let path = from.path();
    let text = if to.is_empty() {
        return Err(refused());
    } else if to.starts_with("//") {
        format!("{scheme}:{to}")
    } else if to.starts_with('/') {
        format!("{scheme}://{authority}{to}")
    } else if to.starts_with('?') {
        format!("{scheme}://{authority}{path}{to}")
    } else if has_scheme(to) {
        to.to_owned()
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{to}")
    };
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    // Who would sign in with what an answer says?
    let named = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if web && named { Ok(uri) } else { Err(refused()) }
}

/// Whether a reference names its scheme, as a path with a colon in its first segment must not seem to (RFC 3986,
/// section 4.2).
fn has_scheme(reference: &str) -> bool {
    reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'))
}

fn no_address(text: &str) -> String {
    format!("it leads to what is no web address: {text:?}")
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
    async fn an_account_has_a_share_of_the_slots_and_no_more() {
        let (slots, moment) = (Slots::default(), Duration::from_millis(5));
        let (slow, other) = (AccountId::from_i64(1), AccountId::from_i64(2));
        let mut held = Vec::new();
        for _ in 0..SLOTS_OF_ONE {
            held.push(slots.take(slow, moment).await.expect("there is one left"));
        }
        assert!(slots.take(slow, moment).await.is_none(), "its share is used up");
        assert!(slots.take(other, moment).await.is_some());
        held.pop();
        assert!(slots.take(slow, moment).await.is_some());
        held.clear();
        drop(slots.take(other, moment).await);
        assert_eq!(slots.of_account(slow).available_permits(), SLOTS_OF_ONE);
    }

    #[test]
    fn a_location_is_resolved_against_where_it_came_from() {
        let from = Uri::from_static("http://a.id:81/b/c?d");
        for (location, to) in [
            ("/x?y#z", "http://a.id:81/x?y"),
            ("x", "http://a.id:81/b/x"),
            ("x/y:z", "http://a.id:81/b/x/y:z"),
            ("?x", "http://a.id:81/b/c?x"),
            ("//b.id/x", "http://b.id/x"),
            ("https://b.id/x", "https://b.id/x"),
        ] {
            assert_eq!(resolve(&from, location).map(|uri| uri.to_string()), Ok(to.to_owned()));
        }
        for wrong in
            ["", "#x", "file:///etc/passwd", "mailto:a", "http://", "http://a:b@c.id/", "//"]
        {
            assert!(resolve(&from, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn another_scheme_name_or_port_is_another_host() {
        let same = |one: &'static str, other: &'static str| {
            host(&Uri::from_static(one)) == host(&Uri::from_static(other))
        };
        assert!(same("http://a.id/x", "http://A.id:80/y"));
        assert!(same("https://a.id/", "https://a.id:443/"));
        for other in ["https://a.id/", "http://b.a.id/", "http://a.id:81/"] {
            assert!(!same("http://a.id/", other), "{other}");
        }
    }
}
