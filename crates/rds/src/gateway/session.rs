//! One connection: who it is for, whether it may, the server that it gets, and its end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::doubts::{self, Turn};
use super::greeting::{Client, Ended, SSL_REQUEST_BYTES};
use super::shares::Share;
use super::workers::Place;
use super::{Quota, Refusal, Route, Shared, lobby, splice};
use crate::deployment::Settings;
use crate::dial;

/// How often a connection that waits looks whether its instance serves by now.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a look at the database may take before what is known is used.
const REFRESH_MAX: Duration = Duration::from_secs(2);

/// The most servers that a request to cancel is passed to.
const CANCELLED_MAX: usize = 16;

/// A peer that is not there any more is noticed after [`IDLE`] and so many probes.
const IDLE: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;
const UNACKNOWLEDGED_MS: u32 = 120_000;

/// Serves a connection to its end, or until it has to make room for another before it said where it goes.
pub(super) async fn run(shared: &Shared, stream: TcpStream, peer: IpAddr, place: Place) {
    if configure(&stream).is_err() {
        return;
    }
    let (guest, told) = place;
    tokio::select! {
        () = serve(shared, stream, peer, guest) => {}
        () = lobby::told_to_go(told) => shared.tally.refuse(Refusal::TooMany),
    }
}

async fn serve(shared: &Shared, stream: TcpStream, peer: IpAddr, guest: lobby::Guest) {
    let mut client = Client::new(stream);
    let mut visit = Visit { shared, peer, label: String::new(), guest: Some(guest), share: None };
    match visit.admit(&mut client).await {
        Ok((server, target)) => visit.serve(client, server, &target).await,
        Err(Ended::Refused(why)) => {
            shared.tally.refuse(why);
            tracing::debug!(%peer, name = visit.label, ?why, "a connection to PostgreSQL was refused");
            client.refuse(why).await;
        }
        Err(Ended::Cancel(request)) => visit.cancel(&request).await,
        Err(Ended::Gone) => {}
    }
}

/// Bytes go out at once, and peers that vanish are noticed.
fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, IDLE)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED_MS)?;
    Ok(())
}

/// The server that a session is with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    instance: String,
    address: SocketAddr,
    version: u64,
}

/// What a route comes to for this client.
enum Verdict {
    Wait(String, Quota),
    Dial(Target, Quota),
}

struct Visit<'a> {
    shared: &'a Shared,
    peer: IpAddr,
    /// The first label of the name that it asked for.
    label: String,
    /// Its place among those that have not said where they go. One that is refused keeps it while it is told so.
    guest: Option<lobby::Guest>,
    /// Its place among the connections that go on.
    share: Option<Share>,
}

impl Visit<'_> {
    /// From the first byte to a server that took its hello.
    async fn admit(&mut self, client: &mut Client) -> Result<(TcpStream, Target), Ended> {
        let limits = self.shared.limits;
        let greeted = timeout(limits.greeting, client.greet()).await;
        let (hello, bytes) = greeted.map_err(|_| Refusal::Slow)??;
        let name = hello.name.ok_or(Refusal::NoName)?;
        self.label = name.split('.').next().unwrap_or_default().to_owned();
        tokio::select! {
            reached = self.reach(&bytes) => Ok(reached?),
            () = client.gone() => Err(Ended::Gone),
        }
    }

    /// Finds the server and gives it the hello, waiting for it as long as the limit says.
    async fn reach(&mut self, hello: &[u8]) -> Result<(TcpStream, Target), Refusal> {
        let limits = self.shared.limits;
        let deadline = Instant::now() + limits.hold;
        let mut changes = self.shared.routes.changes();
        let (mut fresh, mut held) = (false, false);
        loop {
            changes.borrow_and_update();
            match self.verdict() {
                // What is known may be a moment old.
                Err(_) if !fresh => {
                    fresh = true;
                    self.refresh().await;
                    continue;
                }
                Err(why) => return Err(why),
                Ok(Verdict::Wait(instance, quota)) => self.take_share(&instance, quota)?,
                Ok(Verdict::Dial(target, quota)) => {
                    self.take_share(&target.instance, quota)?;
                    tokio::select! {
                        dialled = self.dial(&target, hello) => {
                            if let Some(server) = dialled {
                                return Ok((server, target));
                            }
                        }
                        () = self.moved(&mut changes, &target) => continue,
                    }
                }
            }
            if !std::mem::replace(&mut held, true) {
                self.shared.tally.held.fetch_add(1, Ordering::Relaxed);
            }
            if Instant::now() >= deadline {
                return Err(Refusal::Unavailable);
            }
            if timeout(LOOK_EVERY, changes.changed()).await.is_err() {
                self.refresh().await;
            }
        }
    }

    /// Gives the hello to a server; `None` where it does not take clients in at this moment.
    async fn dial(&self, target: &Target, hello: &[u8]) -> Option<TcpStream> {
        let (limit, address) = (self.shared.limits.dial, target.address);
        let reach = async {
            match self.shared.doubts.turn(address, Instant::now()) {
                Turn::Go => {}
                Turn::Wait => return Ok(None),
                Turn::Ask if doubts::serves(connect(address).await?).await? => {
                    self.shared.doubts.clear(address);
                }
                Turn::Ask => return Err(io::Error::other("it starts or stops")),
            }
            dial(address, hello).await.map(Some)
        };
        let reached = timeout(limit, reach).await.map_err(io::Error::from).flatten();
        reached.unwrap_or_else(|error| {
            self.shared.doubts.cast(address, Instant::now(), Duration::ZERO);
            tracing::debug!(instance = target.instance, %error, "a server takes no client");
            None
        })
    }

    async fn refresh(&self) {
        // A database that does not answer is no reason to refuse those whose instance is known.
        let _ = timeout(REFRESH_MAX, self.shared.routes.refresh()).await;
    }

    fn verdict(&self) -> Result<Verdict, Refusal> {
        match self.shared.routes.route(&self.label) {
            Route::Unknown => Err(Refusal::Unknown),
            Route::Stopped => Err(Refusal::Stopped),
            Route::Hold { allow, .. } | Route::To { allow, .. } if !allow.lets_in(self.peer) => {
                Err(Refusal::NotAllowed)
            }
            Route::Hold { instance, quota, .. } => Ok(Verdict::Wait(instance, quota)),
            Route::To { instance, address, version, quota, .. } => {
                Ok(Verdict::Dial(Target { instance, address, version }, quota))
            }
        }
    }

    fn take_share(&mut self, instance: &str, quota: Quota) -> Result<(), Refusal> {
        if self.share.as_ref().is_none_or(|share| share.instance != instance) {
            let share = self.shared.shares.take(instance, quota).ok_or(Refusal::TooMany)?;
            self.share = Some(share);
            self.guest = None;
        }
        Ok(())
    }

    /// Returns once the session with that server may not go on. An instance that is about to restart keeps its
    /// sessions until its server ends them.
    async fn moved(&self, changes: &mut watch::Receiver<u64>, target: &Target) {
        loop {
            changes.borrow_and_update();
            match self.verdict() {
                Ok(Verdict::Dial(now, _)) if now == *target => {}
                Ok(Verdict::Wait(instance, _)) if instance == target.instance => {}
                _ => return,
            }
            if changes.changed().await.is_err() {
                std::future::pending().await // nothing changes any more
            }
        }
    }

    /// Passes on a request to cancel. The client sees that it was done when its connection ends.
    async fn cancel(&self, request: &[u8]) {
        let servers = self.shared.sessions.servers(self.peer, CANCELLED_MAX);
        if servers.is_empty() {
            self.shared.tally.refuse(Refusal::Cancel);
        }
        for address in servers {
            match timeout(self.shared.limits.dial, pass_on(address, request)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%address, %error, "pass on a request to cancel"),
                Err(_) => tracing::debug!(%address, "a server takes no request to cancel"),
            }
        }
    }

    async fn serve(&self, client: Client, mut server: TcpStream, target: &Target) {
        self.shared.tally.total.fetch_add(1, Ordering::Relaxed);
        let _session = self.shared.sessions.enter(self.peer, target.address);
        let mut stream = client.stream;
        let mut changes = self.shared.routes.changes();
        tokio::select! {
            () = splice::splice(&mut stream, &mut server, self.shared.limits.half_closed, || {
                // Its client knows why, unless the server went down: who comes next finds out.
                self.shared.doubts.cast(target.address, Instant::now(), doubts::NOTICES);
            }) => {}
            () = self.moved(&mut changes, target) => {
                self.shared.tally.cut.fetch_add(1, Ordering::Relaxed);
                tracing::info!(peer = %self.peer, instance = target.instance, "ended a session of PostgreSQL");
            }
        }
    }
}

/// Connects to a server, which knows the gateway by its address.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let settings = Settings::told();
    let near = address.ip().is_loopback().then(|| settings.gateway());
    let server = dial::connect(address, settings.address.or(near)).await?;
    configure(&server)?;
    Ok(server)
}

/// Gives a server a request to cancel. It answers nothing; that it has read it is seen when it closes.
async fn pass_on(address: SocketAddr, request: &[u8]) -> io::Result<()> {
    let mut server = connect(address).await?;
    server.write_all(request).await?;
    server.read(&mut [0]).await.map(drop)
}

/// Connects to a server, makes it expect TLS, and gives it the client's hello. Also where the client began with TLS
/// at once: servers before 17 know no other way.
async fn dial(address: SocketAddr, hello: &[u8]) -> io::Result<TcpStream> {
    let mut server = connect(address).await?;
    server.write_all(&SSL_REQUEST_BYTES).await?;
    let mut answer = [0];
    server.read_exact(&mut answer).await?;
    if answer != *b"S" {
        return Err(io::Error::other("the server speaks no TLS"));
    }
    server.write_all(hello).await?;
    Ok(server)
}
