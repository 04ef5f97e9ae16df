//! The public port of PostgreSQL: one address for every instance. A client says by the host name in its TLS hello
//! which one it means; its bytes go there and back as they are. TLS ends in the instance's own server, so that
//! `sslmode=verify-full` and `channel_binding=require` hold from end to end, and this process sees no password and no row.
//!
//! | module | owns |
//! |---|---|
//! | [`hello`] | the name in the first message of a TLS client |
//! | [`net`] | networks of white lists |
//! | [`door`] | who is let in, by address |
//! | [`book`] | where the instances are, from the cloud's database |
//! | `greeting` | what is said before TLS begins, and how a client is refused |
//! | `session` | one connection, from its hello to its end |
//! | `doubts` | which servers are asked whether they serve before a client is given to them |
//! | `sessions` | which addresses have sessions with which servers |
//! | `lobby` | those that have not said where they go: how many, and who makes room |
//! | `shares` | how many go on at once, in all, of an account and to an instance |
//! | `slots` | counting them |
//! | `splice` | bytes both ways |
//! | `workers` | the threads that connections run on |
//!
//! # What a client may begin with
//! - `SSLRequest`: answered `S`, then its hello is read. `GSSENCRequest`: answered `N`, and it may go on.
//! - A hello at once (`sslnegotiation=direct`), which must offer `postgresql` by ALPN.
//! - Anything without TLS names no instance: a start-up is told so by an `ErrorResponse`.
//! - A `CancelRequest` without TLS (what psql sends at Ctrl-C) names no instance either. It is passed to the servers that
//!   the client's address has sessions with through this gateway, which are few: the one that it is for knows its key,
//!   and nobody can try keys where it could not also connect. Libraries that cancel over TLS are routed as always.
//!
//! A refusal after `S` is a TLS alert, because that is what the client reads then: `unrecognized_name` where no
//! instance has the name, `missing_extension` where none was given, `access_denied` where the client's address is not on
//! the white list or a rule refuses it, `internal_error` where the instance does not serve, or serves as many as it may.
//!
//! # Invariants
//! - No server is dialled for an address that the instance does not let in; a session ends when its address is not let in
//!   any more, when the instance goes, and when another primary takes over.
//! - What waits is bounded: clients that have not said where they want to go, in all and by network, and the time
//!   they take; those that are held while an instance restarts; the memory of each.
//! - Nobody is kept out by clients that have not said where they go, nor by one account's connections.
//!
//! Deliberately absent: pooling, reading SQL, splitting reads from writes, MariaDB (its server speaks first: no name).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use base::AccountId;
use tokio::net::TcpListener;
use tokio::sync::watch;

use workers::Visitor;

pub mod book;
pub mod door;
pub(crate) mod doubts;
mod greeting;
pub mod hello;
mod lobby;
pub mod net;
mod session;
mod sessions;
mod shares;
mod slots;
mod splice;
mod workers;

pub use book::Book;
pub use door::Door;

/// What bounds the connections to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Whose it is: all instances of an account have a share together.
    pub account: AccountId,
    /// How many its server takes of tenants.
    pub connections: usize,
}

/// Where connections to a host name go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// No instance has that name.
    Unknown,
    /// There is one, and it is not to serve.
    Stopped,
    /// There is one that will serve soon: wait.
    Hold {
        /// Which.
        instance: String,
        /// Who may reach it.
        allow: Arc<Door>,
        /// How many may.
        quota: Quota,
    },
    /// To this server.
    To {
        /// Of which instance.
        instance: String,
        /// Where it listens.
        address: SocketAddr,
        /// Who may reach it.
        allow: Arc<Door>,
        /// How many may.
        quota: Quota,
        /// Sessions of another version are of a primary that is none any more.
        version: u64,
    },
}

/// Knows where instances are.
#[async_trait::async_trait]
pub trait Routes: Send + Sync + 'static {
    /// Where the first label of a host name, in lower case, leads. Called for each connection and never waits.
    fn route(&self, name: &str) -> Route;

    /// Changes whenever the answer of [`Self::route`] may have changed.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Looks again at where the truth is; returns once what [`Self::route`] says is no older than this call.
    async fn refresh(&self);
}

/// What bounds clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads that connections run on.
    pub threads: usize,
    /// Connections at once that have said where they go, those that are held among them.
    pub connections_max: usize,
    /// As many of them are of one account at most.
    pub account_max: usize,
    /// Connections to one instance beyond those that its server takes: which wait, or take another's place.
    pub instance_spare: usize,
    /// Connections at once that have not said yet where they go. Where more come, the oldest are ended.
    pub greetings_max: usize,
    /// As many of them are from one address at most; of IPv6 from one network of 48 bits.
    pub greeting_max: usize,
    /// Time to say it.
    pub greeting: Duration,
    /// How long a connection waits for an instance that restarts or fails over.
    pub hold: Duration,
    /// How long a server may take to accept a connection, before it is looked up and tried again.
    pub dial: Duration,
    /// How long the other side may go on after one side has ended.
    pub half_closed: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // The servers behind it need the processors more.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads: processors.div_ceil(2).min(8),
            connections_max: 8192,
            account_max: 4096,
            instance_spare: 64,
            greetings_max: 2048,
            greeting_max: 128,
            greeting: Duration::from_secs(10),
            hold: Duration::from_secs(15),
            dial: Duration::from_secs(3),
            half_closed: Duration::from_secs(60),
        }
    }
}

/// Why a client was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It spoke without TLS.
    Plain,
    /// It asked to cancel, without TLS, and has no session.
    Cancel,
    /// What it said is no beginning of a connection.
    Malformed,
    /// It took too long to say where it wants to go.
    Slow,
    /// It gave no host name.
    NoName,
    /// It began with TLS at once and did not offer `postgresql`.
    NoProtocol,
    /// No instance has the name.
    Unknown,
    /// The instance is stopped.
    Stopped,
    /// Its address is not in the white list.
    NotAllowed,
    /// As many as may be are connected, or on their way.
    TooMany,
    /// The instance did not serve in time.
    Unavailable,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Cancel,
        Self::Malformed,
        Self::Slow,
        Self::NoName,
        Self::NoProtocol,
        Self::Unknown,
        Self::Stopped,
        Self::NotAllowed,
        Self::TooMany,
        Self::Unavailable,
    ];

    /// The name of its metric, and what that counts.
    fn metric(self) -> (&'static str, &'static str) {
        macro_rules! refused {
            ($word:literal, $why:literal) => {
                (
                    concat!("awan_rds_gateway_refused_", $word, "_total"),
                    concat!("Connections that the PostgreSQL gateway refused: ", $why, "."),
                )
            };
        }
        match self {
            Self::Plain => refused!("plain", "without TLS"),
            Self::Cancel => {
                refused!("cancel", "a request to cancel from where there is no session")
            }
            Self::Malformed => refused!("malformed", "not the beginning of a connection"),
            Self::Slow => refused!("slow", "no name in time"),
            Self::NoName => refused!("no_name", "no host name"),
            Self::NoProtocol => refused!("no_protocol", "another protocol than postgresql"),
            Self::Unknown => refused!("unknown", "no instance of that name"),
            Self::Stopped => refused!("stopped", "the instance is stopped"),
            Self::NotAllowed => refused!("not_allowed", "not in the white list"),
            Self::TooMany => refused!("too_many", "too many at once"),
            Self::Unavailable => refused!("unavailable", "the instance did not serve in time"),
        }
    }
}

/// What the gateway did since it was started.
#[derive(Debug, Default)]
pub struct Tally {
    now: AtomicI64,
    total: AtomicU64,
    held: AtomicU64,
    cut: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl Tally {
    /// Connections at this moment, of any kind.
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Connections that reached a server.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Connections that waited for an instance.
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Sessions that were ended, because they may not be any more.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// Connections that were refused so.
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }

    /// Sets the gauges of the gateway.
    pub fn publish(&self, metrics: &engine::metrics::Metrics) {
        let int = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let now = "Connections to the PostgreSQL gateway.";
        metrics.gauge("awan_rds_gateway_connections", now, self.now());
        let total = "Connections that the PostgreSQL gateway took to a server.";
        metrics.gauge("awan_rds_gateway_connections_total", total, int(self.total()));
        let held = "Connections that the PostgreSQL gateway held while an instance did not serve.";
        metrics.gauge("awan_rds_gateway_held_total", held, int(self.held()));
        let cut = "Sessions that the PostgreSQL gateway ended.";
        metrics.gauge("awan_rds_gateway_cut_total", cut, int(self.cut()));
        for why in Refusal::ALL {
            let (name, help) = why.metric();
            metrics.gauge(name, help, int(self.refused(why)));
        }
    }

    fn refuse(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// What all connections share.
struct Shared {
    routes: Arc<dyn Routes>,
    limits: Limits,
    tally: Arc<Tally>,
    /// How many connections go on.
    shares: shares::Shares,
    /// Sessions by the client's address.
    sessions: sessions::Sessions,
    /// Servers that may be starting or stopping.
    doubts: doubts::Doubts,
}

/// Serves until `stop` turns true; then ends all sessions, because those of PostgreSQL last as long as their clients
/// like. What it does is counted in `tally`.
///
/// # Errors
/// Where the system has no threads for it.
pub async fn serve(
    listener: TcpListener,
    routes: Arc<dyn Routes>,
    limits: Limits,
    tally: Arc<Tally>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let shared = Arc::new(Shared {
        routes,
        limits,
        tally,
        shares: shares::Shares::new(&limits),
        sessions: sessions::Sessions::default(),
        doubts: doubts::Doubts::default(),
    });
    let workers = workers::Workers::start(limits.threads, &shared)?;
    let lobby = lobby::Lobby::new(limits.greetings_max, limits.greeting_max);
    let stopped = stop.wait_for(|stop| *stop);
    tokio::pin!(stopped);
    loop {
        let accept = async {
            let (stream, peer) = listener.accept().await?;
            let peer = peer.ip().to_canonical();
            workers.take(Visitor { stream, peer, place: lobby.enter(peer) })
        };
        let accepted = tokio::select! {
            accepted = accept => accepted,
            _ = &mut stopped => break,
        };
        if let Err(error) = accepted {
            // Out of file descriptors, most likely: wait for some to come back.
            tracing::warn!(%error, "accept a connection to PostgreSQL");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    drop(listener);
    workers.end().await;
    Ok(())
}
