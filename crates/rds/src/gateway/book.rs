//! Where the instances are, as the cloud's database says: read when this process changed it, when a client asks for what
//! is not in it, and for changes of other processes twice a second. Reads only; serves no connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::ApiError;
use store::Db;
use tokio::sync::{Notify, watch};

use super::{Door, Quota, Route, Routes};
use crate::classes;
use crate::model::{Status, Wanted};
use crate::node::api::Phase;
use crate::tables::route::{self, Place};

/// How often it is read without being asked.
const READ_EVERY: Duration = Duration::from_millis(500);
/// The least time between two reads, so that clients who ask for names that are not there cost no more than this.
const READ_AGAIN: Duration = Duration::from_millis(10);

type Routing = HashMap<String, Route>;

/// The routes of a cloud. [`Book::run`] keeps it true.
pub struct Book {
    db: Db,
    known: RwLock<Arc<Routing>>,
    changes: watch::Sender<u64>,
    /// How many reads were asked for, and up to which of these that is done.
    asked: watch::Sender<u64>,
    done: watch::Sender<u64>,
    /// Somebody asked.
    wake: Notify,
}

impl Book {
    /// Of that database. It is empty until [`Self::run`] has read for the first time.
    pub fn new(db: Db) -> Arc<Self> {
        Arc::new(Self {
            db,
            known: RwLock::default(),
            changes: watch::channel(0).0,
            asked: watch::channel(0).0,
            done: watch::channel(0).0,
            wake: Notify::new(),
        })
    }

    /// Reads until `stop` turns true.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut version = None;
        let mut changes = route::changes();
        let work = async {
            loop {
                changes.borrow_and_update();
                let asked = *self.asked.borrow();
                if let Err(error) = self.read(&mut version).await {
                    tracing::warn!(%error, "read where the databases are");
                }
                self.done.send_replace(asked);
                tokio::time::sleep(READ_AGAIN).await;
                tokio::select! {
                    () = tokio::time::sleep(READ_EVERY) => {}
                    () = self.wake.notified() => {}
                    Ok(()) = changes.changed() => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Reads, unless nothing was committed since `version`.
    async fn read(&self, version: &mut Option<u64>) -> Result<(), ApiError> {
        let now = self.db.version();
        if now.is_some() && now == *version {
            return Ok(());
        }
        let places = self.db.read(route::all).await?;
        let routing: Routing = places.into_iter().flat_map(routes).collect();
        *version = now;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if **known != routing {
            *known = Arc::new(routing);
            drop(known); // whoever is told may look at once
            self.changes.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Routes for Book {
    fn route(&self, name: &str) -> Route {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().unwrap_or(Route::Unknown)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    async fn refresh(&self) {
        let mut done = self.done.subscribe();
        let mut mine = 0;
        self.asked.send_modify(|count| {
            *count += 1;
            mine = *count;
        });
        self.wake.notify_one();
        // It fails only when the book is gone, and nobody asks it then.
        let _ = done.wait_for(|done| *done >= mine).await;
    }
}

/// An instance under each of its names.
fn routes(place: Place) -> impl Iterator<Item = (String, Route)> {
    let route = decide(&place);
    place.names.into_iter().map(move |name| (name.to_ascii_lowercase(), route.clone()))
}

/// Where connections to an instance go.
fn decide(place: &Place) -> Route {
    let allow = Arc::new(Door::new(&place.addresses, &place.rules));
    let instance = place.instance.clone();
    let class = classes::find(&place.class);
    let connections = class.map_or(0, |class| class.connections as usize);
    let quota = Quota { account: place.account, connections };
    // What its server has done is not undone by a standby, or by the node of one, that has not.
    let serves = place.phase == Phase::Serving && place.reached;
    match (place.wanted, place.status) {
        (Wanted::Gone, _) | (_, Status::Deleting | Status::Released) => return Route::Unknown,
        (Wanted::Stopped, _) | (_, Status::Stopping | Status::Stopped) => return Route::Stopped,
        (_, Status::Creating | Status::Restoring | Status::Switching) => {
            return Route::Hold { instance, allow, quota };
        }
        // What is about to end would only be ended.
        (
            _,
            Status::Rebooting
            | Status::Starting
            | Status::ClassChanging
            | Status::EngineVersionUpgrading,
        ) if !serves => return Route::Hold { instance, allow, quota },
        (Wanted::Running, _) => {}
    }
    match address(&place.host, place.port) {
        Some(address) if place.phase == Phase::Serving => {
            Route::To { instance, address, allow, quota, version: place.term.unsigned_abs() }
        }
        _ => Route::Hold { instance, allow, quota },
    }
}

/// Where a server that listens there is dialled; `None` until it listens.
fn address(host: &str, port: u16) -> Option<SocketAddr> {
    let ip = match host.parse().ok()? {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (port != 0).then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(status: Status, phase: Phase) -> Place {
        Place {
            instance: "pgm-1".to_owned(),
            names: vec!["pgm-1".to_owned(), "Umum".to_owned()],
            status,
            wanted: Wanted::Running,
            term: 3,
            host: "127.0.0.1".to_owned(),
            port: 5433,
            phase,
            reached: false,
            account: base::AccountId::new(1_234_567_890_123_456),
            class: "pg.n2.2c.2m".to_owned(),
            addresses: vec!["10.0.0.0/8,bogus".to_owned(), "127.0.0.1".to_owned()],
            rules: Vec::new(),
        }
    }

    #[test]
    fn an_instance_that_serves_is_reached_by_each_of_its_names() {
        let routing: Routing = routes(place(Status::Running, Phase::Serving)).collect();
        assert_eq!(routing.len(), 2);
        let Some(Route::To { address, allow, version, quota, .. }) = routing.get("umum") else {
            panic!("{routing:?}");
        };
        assert_eq!(quota.connections, 400, "as its class has");
        assert_eq!((address.to_string().as_str(), *version), ("127.0.0.1:5433", 3));
        assert_eq!(**allow, Door::open_to(&["10.0.0.0/8", "127.0.0.1"]));
    }

    #[test]
    fn a_primary_that_has_done_all_is_reached_whatever_its_standby_has_not() {
        for status in [
            Status::Rebooting,
            Status::Starting,
            Status::ClassChanging,
            Status::EngineVersionUpgrading,
        ] {
            let is = |phase| decide(&Place { reached: true, ..place(status, phase) });
            assert!(matches!(is(Phase::Serving), Route::To { .. }), "{status:?}");
            assert!(matches!(is(Phase::Working), Route::Hold { .. }), "{status:?}");
        }
        // Who the primary is, is being decided.
        let switching = Place { reached: true, ..place(Status::Switching, Phase::Serving) };
        assert!(matches!(decide(&switching), Route::Hold { .. }));
    }

    #[test]
    fn one_that_restarts_holds_one_that_is_stopped_says_so_and_one_that_goes_is_unknown() {
        let is = |status, phase| decide(&place(status, phase));
        assert!(matches!(is(Status::Rebooting, Phase::Serving), Route::Hold { .. }));
        assert!(matches!(is(Status::Switching, Phase::Serving), Route::Hold { .. }));
        assert!(matches!(is(Status::Running, Phase::Working), Route::Hold { .. }));
        assert!(matches!(is(Status::ClassChanging, Phase::Serving), Route::Hold { .. }));
        assert!(matches!(is(Status::SslModifying, Phase::Serving), Route::To { .. }));
        assert_eq!(is(Status::Stopped, Phase::Stopped), Route::Stopped);
        assert_eq!(is(Status::Deleting, Phase::Serving), Route::Unknown);
        let gone = Place { wanted: Wanted::Gone, ..place(Status::Running, Phase::Serving) };
        assert_eq!(decide(&gone), Route::Unknown);
        let silent = Place { port: 0, ..place(Status::Running, Phase::Serving) };
        assert!(matches!(decide(&silent), Route::Hold { .. }));
    }
}
