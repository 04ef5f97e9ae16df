//! The witness over HTTP: `POST /add-checkpoint`, `GET /<hash of an origin>/checkpoint`, and a page for
//! people at `/`. It bounds what a client can cost and decides nothing.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::Clock;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tlog::witness::{Answer, REQUEST_BYTES_MAX};
use tlog::{Checkpoint, Witness};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::evidence;
use super::memory::{Memory, origin_hash};
use crate::output;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// Time to send the head of a request, and how long an idle connection stays.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time to send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for running requests to finish when the witness stops.
const DRAIN: Duration = Duration::from_secs(3);
const TEXT: &str = "text/plain; charset=utf-8";

/// What answers requests.
pub(super) struct Service {
    witness: Witness<Memory>,
    /// Where evidence is kept.
    dir: PathBuf,
    clock: Box<dyn Clock>,
}

/// An answer before it is HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Page {
    fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, kind: TEXT, body: body.into() }
    }
}

impl Service {
    pub(super) fn new(witness: Witness<Memory>, dir: PathBuf, clock: Box<dyn Clock>) -> Self {
        Self { witness, dir, clock }
    }

    /// Answers one request. It writes to the disk, so it blocks.
    pub(super) fn answer(&self, method: &Method, path: &str, body: &[u8]) -> Page {
        match (method, path) {
            (&Method::POST, "/add-checkpoint") => self.add_checkpoint(body),
            (&Method::GET | &Method::HEAD, "/") => Page::text(200, self.about()),
            (&Method::GET | &Method::HEAD, path) => self.checkpoint(path),
            _ => Page::text(405, "POST /add-checkpoint, or GET /\n"),
        }
    }

    fn add_checkpoint(&self, body: &[u8]) -> Page {
        match self.witness.add_checkpoint(body, self.clock.now()) {
            Ok(answer) => {
                self.tell(&answer);
                Page { status: answer.status(), kind: answer.content_type(), body: answer.body() }
            }
            Err(error) => {
                output::talk(format_args!("error: a checkpoint could not be kept: {error}"));
                Page::text(500, "this witness cannot keep what it would cosign\n")
            }
        }
    }

    /// Says at the terminal what somebody should look at, and keeps the proof where there is one.
    fn tell(&self, answer: &Answer) {
        if let Some(split) = answer.split_view() {
            match evidence::keep(&self.dir, split) {
                Ok((file, true)) => output::talk(format_args!(
                    "SPLIT VIEW: {} signed two different roots for {} entries; both are kept in {}",
                    split.origin(),
                    split.size(),
                    file.display()
                )),
                Ok((_, false)) => {}
                Err(error) => output::talk(format_args!(
                    "error: the proof of a split view could not be kept: {error}\n{split}"
                )),
            }
        } else if let Answer::Inconsistent { what, .. } = answer {
            output::talk(format_args!("refused a checkpoint that a log signed: {what}"));
        }
    }

    /// What was cosigned last, for those who watch the log.
    fn checkpoint(&self, path: &str) -> Page {
        let hash = path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint"));
        let known =
            self.witness.logs().iter().find(|log| Some(origin_hash(log.name()).as_str()) == hash);
        match known.and_then(|log| self.witness.state().latest(log.name())) {
            Some(note) => Page::text(200, note.to_string()),
            None => Page::text(404, "there is nothing here; GET / says what there is\n"),
        }
    }

    fn about(&self) -> String {
        let mut out = format!(
            "A witness of transparency logs (c2sp.org/tlog-witness).\n\n\
             It cosigns a checkpoint if the log only grew since the one that it cosigned before.\n\
             Logs send theirs with POST /add-checkpoint.\n\n\
             Its key:\n  {}\n\nThe logs that it watches, and where to read what it cosigned last:\n",
            self.witness.cosigner().key()
        );
        let mut origins: Vec<&str> = self.witness.logs().iter().map(|log| log.name()).collect();
        origins.dedup();
        for origin in origins {
            let size = self.size(origin).map_or_else(
                || "nothing yet".to_owned(),
                |size| format!("{} entries", output::count(size)),
            );
            let _ = writeln!(out, "  {origin}: {size}\n    /{}/checkpoint", origin_hash(origin));
        }
        out
    }

    fn size(&self, origin: &str) -> Option<u64> {
        let note = self.witness.state().latest(origin)?;
        Checkpoint::parse(note.text()).ok().map(|checkpoint| checkpoint.size)
    }

    /// What a person reads when the witness starts.
    fn summary(&self, address: SocketAddr) -> String {
        let mut out =
            format!("witness  {}\nlisten   http://{address}\n", self.witness.cosigner().key());
        for log in self.witness.logs() {
            let size = output::count(self.size(log.name()).unwrap_or(0));
            let _ = writeln!(out, "log      {} ({size} entries cosigned)", log.name());
        }
        out
    }
}

/// Listens, says so, and serves until SIGTERM or SIGINT.
pub(super) async fn serve(listen: SocketAddr, service: Arc<Service>) -> Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
    output::line(service.summary(listener.local_addr()?).trim_end())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve_until(listener, service, stop).await;
    Ok(())
}

/// Serves until told to stop; then lets running requests finish.
pub(super) async fn serve_until(
    listener: TcpListener,
    service: Arc<Service>,
    stop: impl Future<Output = ()>,
) {
    let mut stop = std::pin::pin!(stop);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let (stopping, stopped) = watch::channel(());
    loop {
        let accept = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accept => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (service, stopped) = (Arc::clone(&service), stopped.clone());
                connections.spawn(async move {
                    let _slot = slot;
                    connection(stream, service, stopped).await;
                });
            }
            // Out of file descriptors, most likely: those who wait are served when others have gone.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(stopping);
    let drained = async { while connections.join_next().await.is_some() {} };
    // Whatever is cut off here was kept before it was cosigned, and may be asked for again.
    let _ = tokio::time::timeout(DRAIN, drained).await;
}

/// Serves one connection; ends it after the request that is under way when `stopped` closes.
async fn connection(stream: TcpStream, service: Arc<Service>, mut stopped: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let handler = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(handle(request, service).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(16 << 10);
    let mut served = std::pin::pin!(http.serve_connection(TokioIo::new(stream), handler));
    // A client that breaks off or talks no HTTP is its own affair.
    tokio::select! {
        _ = &mut served => {}
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

async fn handle(request: Request<Incoming>, service: Arc<Service>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, REQUEST_BYTES_MAX).collect());
    let page = match body.await {
        Err(_) => Page::text(408, "the request took too long\n"),
        Ok(Err(_)) => Page::text(413, "the request is too long or broke off\n"),
        Ok(Ok(body)) => {
            let body = body.to_bytes();
            let answer = move || service.answer(&head.method, head.uri.path(), &body);
            let failed = |_| Page::text(500, "this witness failed\n");
            tokio::task::spawn_blocking(answer).await.unwrap_or_else(failed)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(page.body)));
    *response.status_mut() =
        StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
