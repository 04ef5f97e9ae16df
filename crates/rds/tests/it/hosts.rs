//! Nodes that are a table in memory and fail on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rds::node::api::{LeaseGrant, Observed, Phase, Promote, Role, Spec, Tick};
use rds::nodes::{Error, Hosts};
use tokio::time::Instant;

/// From when the clock of all nodes counts.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What goes wrong with the call of that number (from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The node is not reached.
    Before(usize),
    /// The node does what it is asked, and nobody hears of it.
    After(usize),
    /// The node does what it is asked, and who asked dies before he can write it down.
    Crash(usize),
}

/// An instance on a node.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) spec: Spec,
    pub(crate) term: i64,
    /// As a primary of a highly available instance: until when it may serve.
    pub(crate) leased: Option<Instant>,
    pub(crate) promoted: bool,
}

impl Held {
    fn is_primary(&self) -> bool {
        self.promoted || self.spec.role == Role::Primary
    }

    /// Whether it would accept a write now.
    pub(crate) fn writable(&self) -> bool {
        let leased = self.leased.is_some_and(|until| Instant::now() < until);
        self.spec.running && self.is_primary() && (leased || !self.spec.leased)
    }
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) held: BTreeMap<(String, String), Held>,
    pub(crate) calls: usize,
    /// Nodes that do not answer, though what runs on them goes on.
    pub(crate) cut_off: Vec<String>,
    /// Nodes that answer nobody, and find what was sent to them when they wake.
    frozen: Vec<String>,
    queued: Vec<(String, LeaseGrant)>,
    /// Nodes that are well, while no server comes up on them.
    pub(crate) broken: Vec<String>,
}

/// The nodes.
pub(crate) struct Fakes {
    pub(crate) world: Mutex<World>,
    fault: Mutex<Fault>,
    pub(crate) crashed: AtomicBool,
}

impl Fakes {
    pub(crate) fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::default(),
            fault: Mutex::new(fault),
            crashed: AtomicBool::new(false),
        })
    }

    /// Does one call, with whatever goes wrong with it.
    async fn call<T>(
        &self,
        site: &str,
        effect: impl FnOnce(&mut World) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (outcome, fault, number) = {
            let mut world = self.world.lock().unwrap();
            world.calls += 1;
            let number = world.calls;
            let fault = *self.fault.lock().unwrap();
            if world.cut_off.iter().chain(&world.frozen).any(|cut| cut == site) {
                return Err(Error::Silent(site.to_owned(), "it is cut off".to_owned()));
            }
            if fault == Fault::Before(number) {
                return Err(Error::Away(site.to_owned(), "on demand".to_owned()));
            }
            (effect(&mut world), fault, number)
        };
        if fault == Fault::Crash(number) {
            self.crashed.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        if fault == Fault::After(number) {
            return Err(Error::Silent(site.to_owned(), "on demand".to_owned()));
        }
        outcome
    }

    pub(crate) fn calls(&self) -> usize {
        self.world.lock().unwrap().calls
    }

    pub(crate) fn cut_off(&self, site: &str) {
        self.world.lock().unwrap().cut_off.push(site.to_owned());
    }

    /// From now on a node answers nobody, and keeps what it is sent.
    pub(crate) fn freeze(&self, site: &str) {
        self.world.lock().unwrap().frozen.push(site.to_owned());
    }

    /// All nodes wake and read what they were sent meanwhile: so many grants of leases.
    pub(crate) fn wake(&self) -> usize {
        let mut world = self.world.lock().unwrap();
        world.frozen.clear();
        let queued = std::mem::take(&mut world.queued);
        for (site, grant) in &queued {
            world.grant(site, grant);
        }
        queued.len()
    }

    pub(crate) fn reach_all(&self) {
        self.world.lock().unwrap().cut_off.clear();
    }

    /// Whether servers of a node crash and come up no more.
    pub(crate) fn set_broken(&self, site: &str, broken: bool) {
        let mut world = self.world.lock().unwrap();
        world.broken.retain(|it| it != site);
        if broken {
            world.broken.push(site.to_owned());
        }
    }

    /// The sites where that instance would accept a write now.
    pub(crate) fn writable(&self, id: &str) -> Vec<String> {
        let world = self.world.lock().unwrap();
        let of = world
            .held
            .iter()
            .filter(|((site, held), _)| held == id && !world.broken.contains(site));
        of.filter(|(_, held)| held.writable()).map(|((site, _), _)| site.clone()).collect()
    }
}

/// Until when a lease lasts that counts from a reading.
fn until(from: Tick, ttl_ms: u64) -> Option<Instant> {
    (from.node == 1).then(|| *BEGAN + Duration::from_millis(from.ms + ttl_ms))
}

impl World {
    fn grant(&mut self, site: &str, grant: &LeaseGrant) {
        if let Ok(held) = found(self, site, &grant.id)
            && held.term == grant.term
        {
            held.leased = held.leased.max(until(grant.from, grant.ttl_ms));
        }
    }

    fn observed(&self, site: &str, held: &Held) -> Observed {
        let mut seen = observed(site, held);
        if seen.phase == Phase::Serving && self.broken.iter().any(|broken| broken == site) {
            (seen.phase, seen.pid, seen.writable) = (Phase::Working, 0, false);
        }
        seen
    }
}

fn observed(site: &str, held: &Held) -> Observed {
    let serves = held.spec.running && (!held.is_primary() || held.writable());
    Observed {
        id: held.spec.id.clone(),
        generation: held.spec.generation,
        term: held.term,
        phase: match (held.spec.running, serves) {
            (false, _) => Phase::Stopped,
            (true, true) => Phase::Serving,
            (true, false) => Phase::Fenced,
        },
        host: "127.0.0.1".to_owned(),
        port: 5000 + u16::from(site.as_bytes()[site.len() - 1]),
        pid: u32::from(serves),
        writable: held.writable(),
        lsn: 100,
        tick: Tick { node: 1, ms: u64::try_from(BEGAN.elapsed().as_millis()).unwrap() },
        ..Observed::default()
    }
}

#[async_trait]
impl Hosts for Fakes {
    async fn put(&self, site: &str, spec: &Spec, _: Duration) -> Result<Observed, Error> {
        self.call(site, |world| {
            let key = (site.to_owned(), spec.id.clone());
            let before = world.held.get(&key).cloned();
            if before.as_ref().is_some_and(|held| held.term > spec.term) {
                let reason = "an older term".to_owned();
                return Err(Error::Refused { site: site.to_owned(), status: 409, reason });
            }
            let newer = |held: &Held| held.spec.generation > spec.generation;
            if before.as_ref().is_some_and(|held| held.term == spec.term && newer(held)) {
                let reason = "an older generation".to_owned();
                return Err(Error::Refused { site: site.to_owned(), status: 409, reason });
            }
            let same = before.filter(|held| held.term == spec.term);
            let held = Held {
                spec: spec.clone(),
                term: spec.term,
                leased: same.as_ref().and_then(|held| held.leased),
                promoted: same.is_some_and(|held| held.promoted) && spec.role == Role::Primary,
            };
            let seen = world.observed(site, &held);
            world.held.insert(key, held);
            Ok(seen)
        })
        .await
    }

    async fn delete(&self, site: &str, id: &str, _: i64) -> Result<(), Error> {
        self.call(site, |world| {
            world.held.remove(&(site.to_owned(), id.to_owned()));
            Ok(())
        })
        .await
    }

    async fn observe(&self, site: &str, id: &str) -> Result<Observed, Error> {
        self.call(site, |world| {
            let held = found(world, site, id)?.clone();
            Ok(world.observed(site, &held))
        })
        .await
    }

    async fn observe_all(&self, site: &str) -> Result<Vec<Observed>, Error> {
        self.call(site, |world| {
            let of = world.held.iter().filter(|((at, _), _)| at == site);
            Ok(of.map(|(_, held)| world.observed(site, held)).collect())
        })
        .await
    }

    async fn lease(&self, site: &str, grants: Vec<LeaseGrant>) -> Result<Vec<Observed>, Error> {
        {
            let mut world = self.world.lock().unwrap();
            if world.frozen.iter().any(|frozen| frozen == site) {
                let late = grants.iter().map(|grant| (site.to_owned(), grant.clone()));
                world.queued.extend(late);
            }
        }
        self.call(site, |world| {
            let mut seen = Vec::new();
            for grant in grants {
                world.grant(site, &grant);
                let Ok(held) = found(world, site, &grant.id) else { continue };
                let held = held.clone();
                seen.push(world.observed(site, &held));
            }
            Ok(seen)
        })
        .await
    }

    async fn promote(&self, site: &str, id: &str, promote: &Promote) -> Result<Observed, Error> {
        self.call(site, |world| {
            let held = found(world, site, id)?;
            held.term = promote.term;
            held.promoted = true;
            held.leased = until(promote.from, promote.ttl_ms);
            let held = held.clone();
            Ok(world.observed(site, &held))
        })
        .await
    }

    async fn kill_here(&self, _: &str, _: &str) -> bool {
        false // as of another machine's
    }
}

fn found<'w>(world: &'w mut World, site: &str, id: &str) -> Result<&'w mut Held, Error> {
    let reason = "no such instance".to_owned();
    let unknown = Error::Refused { site: site.to_owned(), status: 404, reason };
    world.held.get_mut(&(site.to_owned(), id.to_owned())).ok_or(unknown)
}
