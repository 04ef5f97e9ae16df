//! The doors: HTTP/1.1, plain and TLS on the same port, with a graceful drain.
//!
//! What a request means is the handler's business; here are connections, limits and timeouts. HTTP/2
//! is deliberately absent: none of the clients that Awan serves here speaks it.

pub mod authority;
pub mod control;
pub mod idle;
pub mod refusal;
pub mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::pipeline::Peer;

/// An answer's body: whole or streamed.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is whole in memory.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// How much of a body that nobody wants is read all the same, and for how long.
const LINGER_BYTES_MAX: u64 = 32 << 20;
const LINGER_TIME_MAX: Duration = Duration::from_secs(10);

/// Reads on, for a while, a body that nobody wants: a client that is still sending would otherwise
/// see a reset instead of its answer.
pub fn linger(mut incoming: Incoming) {
    let read = async move {
        let mut left = LINGER_BYTES_MAX;
        while let Some(Ok(frame)) = incoming.frame().await {
            let len = frame.data_ref().map_or(0, Bytes::len) as u64;
            match left.checked_sub(len) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // There is no runtime any more where the whole program is being torn down.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(tokio::time::timeout(LINGER_TIME_MAX, read));
    }
}

/// Answers requests. Every error is an answer too.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Response<Body>> + Send;

    /// The content type and body of a refusal that no handler made: of what is not even HTTP, or
    /// (status 500) after a panic.
    fn refuse(&self, status: u16) -> (&'static str, Vec<u8>);
}

/// What bounds one client.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// All headers of one request together, bytes.
    pub header_bytes_max: usize,
    /// Time to send the headers of a request, and how long an idle connection stays.
    pub header_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub idle: Duration,
    /// Time for running requests to finish when the program stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            header_bytes_max: 64 << 10,
            header_timeout: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(20),
        }
    }
}

/// A bound port.
pub struct Door {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
}

impl Door {
    /// Binds. With `tls`, a connection that begins with a TLS hello is served over TLS.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, tls, limits })
    }

    /// The address that was bound, with the real port.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `drain` turns true; then lets running requests finish, within the limit.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, mut drain: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.limits.connections_max));
        let mut connections = JoinSet::new();
        while !*drain.borrow() {
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                _ = drain.changed() => continue,
            };
            let Ok(slot) = slot else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = drain.changed() => continue,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        handler: Arc::clone(&handler),
                        tls: self.tls.clone(),
                        limits: self.limits,
                        drain: drain.clone(),
                    };
                    connections.spawn(async move {
                        connection.serve(stream, peer).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: wait for some to come back.
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        drop(self.listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.limits.drain, rest).await.is_err() {
            tracing::warn!("requests were still running when the time to drain was over");
        }
    }
}

struct Connection<H> {
    handler: Arc<H>,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    drain: watch::Receiver<bool>,
}

impl<H: Handler> Connection<H> {
    async fn serve(mut self, stream: TcpStream, peer: SocketAddr) {
        // Without this the kernel may hold a small answer back for 40 ms, waiting for an acknowledgement.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let ip = peer.ip().to_canonical().to_string();
        let hello = tokio::time::timeout(self.limits.header_timeout, self.open(stream));
        let Ok(Ok(stream)) = hello.await else { return };
        let peer = Peer { ip, secure: matches!(stream, Stream::Tls(_)) };
        let handler = Arc::clone(&self.handler);
        let service = service_fn(move |request| {
            let (handler, peer) = (Arc::clone(&handler), peer.clone());
            async move {
                let expects = expects_continue(&request);
                let answer = caught(handler.handle(request, peer)).await;
                let answer = answer.unwrap_or_else(|_| broken(&*handler));
                Ok::<_, Infallible>(if expects { refused_unread(answer) } else { answer })
            }
        });
        let stream = refusal::Refusals::new(
            idle::Idle::new(stream, self.limits.idle),
            Arc::clone(&self.handler),
        );
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_buf_size(self.limits.header_bytes_max)
            .max_headers(256)
            .half_close(true);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // What ends here ends the connection only: a client that left, or spoke no HTTP.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = self.drain.wait_for(|drain| *drain) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    /// Looks at the first byte: 0x16 begins a TLS record, and no HTTP method.
    async fn open(&mut self, stream: TcpStream) -> io::Result<Stream> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1
            && first[0] == 0x16
            && let Some(tls) = &self.tls
        {
            return Ok(Stream::Tls(Box::new(tls.accept(stream).await?)));
        }
        Ok(Stream::Plain(stream))
    }
}

/// True where the client sends its body only when it is told to go on.
fn expects_continue(request: &Request<Incoming>) -> bool {
    let expect = request.headers().get(http::header::EXPECT);
    expect.is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Ends the connection where a request was refused whose body may never come: the client may send its
/// next request in the place of that body (RFC 9110, 10.1.1), and must know that it cannot.
fn refused_unread(mut answer: Response<Body>) -> Response<Body> {
    if answer.status().is_client_error() || answer.status().is_server_error() {
        let close = http::HeaderValue::from_static("close");
        answer.headers_mut().insert(http::header::CONNECTION, close);
    }
    answer
}

/// A panic is that request's failure, not the connection's and not the program's.
async fn caught<T>(future: impl Future<Output = T>) -> std::thread::Result<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        polled.map_or_else(|panic| Poll::Ready(Err(panic)), |poll| poll.map(Ok))
    })
    .await
}

/// The answer to a request whose handler panicked. The panic itself is on standard error already.
fn broken(handler: &impl Handler) -> Response<Body> {
    tracing::error!("a handler panicked");
    let (content_type, body) = handler.refuse(500);
    let mut response = Response::new(full(body));
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

/// A connection, plain or TLS.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, out),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
