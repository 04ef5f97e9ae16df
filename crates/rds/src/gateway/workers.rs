//! The threads that connections run on. Each has a runtime of its own and keeps a connection to its end: handing a
//! message from one thread to another costs half as much again as passing it on.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Shared, lobby, session};

/// A connection that was accepted.
pub(super) struct Visitor {
    pub(super) stream: tokio::net::TcpStream,
    pub(super) peer: IpAddr,
    /// Its place among those that have not said where they go, and what tells it to leave that.
    pub(super) place: Place,
}

/// What [`lobby::Lobby::enter`] gives.
pub(super) type Place = (lobby::Guest, tokio::sync::oneshot::Receiver<()>);

/// The threads. When this is dropped they end their connections, and themselves.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    visitors: mpsc::UnboundedSender<(TcpStream, IpAddr, Place)>,
    /// How many connections it has.
    busy: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Starts that many.
    ///
    /// # Errors
    /// Where the system has no thread or no file descriptor to give.
    pub(super) fn start(count: usize, shared: &Arc<Shared>) -> io::Result<Self> {
        (0..count.max(1))
            .map(|_| Worker::start(Arc::clone(shared)))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Gives a connection to the one that has the fewest.
    ///
    /// # Errors
    /// Where the connection cannot leave this runtime.
    pub(super) fn take(&self, visitor: Visitor) -> io::Result<()> {
        let least = self.0.iter().min_by_key(|worker| worker.busy.load(Ordering::Relaxed));
        let Some(worker) = least else { return Ok(()) };
        let stream = visitor.stream.into_std()?;
        worker.busy.fetch_add(1, Ordering::Relaxed);
        let sent = worker.visitors.send((stream, visitor.peer, visitor.place));
        sent.map_err(|_| io::Error::other("a thread of the gateway ended"))
    }

    /// Ends all connections and waits for the threads.
    pub(super) async fn end(self) {
        let threads: Vec<_> = self.0.into_iter().map(|worker| worker.thread).collect();
        let joined = tokio::task::spawn_blocking(|| {
            threads.into_iter().for_each(|thread| drop(thread.join()));
        });
        let _ = joined.await; // fails only where the whole program is being torn down
    }
}

impl Worker {
    fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (visitors, mut waiting) = mpsc::unbounded_channel::<(TcpStream, IpAddr, Place)>();
        let busy = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&busy);
        let work = async move {
            let mut connections = JoinSet::new();
            loop {
                let visitor = tokio::select! {
                    visitor = waiting.recv() => visitor,
                    Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                };
                let Some((stream, peer, place)) = visitor else { break };
                let guest = Guest { shared: Arc::clone(&shared), count: Arc::clone(&count) };
                guest.shared.tally.now.fetch_add(1, Ordering::Relaxed);
                connections.spawn(async move {
                    if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                        session::run(&guest.shared, stream, peer, place).await;
                    }
                });
            }
            connections.shutdown().await;
        };
        let name = "rds-gateway".to_owned();
        let thread =
            std::thread::Builder::new().name(name).spawn(move || runtime.block_on(work))?;
        Ok(Self { visitors, busy, thread })
    }
}

/// Counts a connection's end, whichever way it ends.
struct Guest {
    shared: Arc<Shared>,
    count: Arc<AtomicUsize>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.shared.tally.now.fetch_sub(1, Ordering::Relaxed);
    }
}
