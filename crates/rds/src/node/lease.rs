//! Leases: the right of a primary to serve, for a while. One thread watches them, by the monotonic clock, and kills
//! the servers of those that ended, whatever else goes on in the process.
//!
//! Whether an instance needs a lease, and what happens after, is the keeper's business.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use base::{Rng as _, SystemRng};
use rustix::process::Pid;
use tokio::sync::Notify;

use super::api::Tick;
use super::error::Result;
use super::process::kill_tree;

/// How long the watch sleeps where nothing ends sooner.
const SLEEP: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Lease {
    /// For the primary of this term.
    term: i64,
    /// Until then; `None` where there never was one.
    until: Option<Instant>,
    /// The server that is killed when it ends.
    server: Option<Pid>,
    /// Woken by every grant and by every end.
    changed: Arc<Notify>,
}

impl Lease {
    fn holds(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[derive(Default)]
struct Watch {
    leases: Mutex<BTreeMap<String, Lease>>,
    changed: Condvar,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills what has no lease any more; answers when to look again.
    fn end(&self, leases: &mut BTreeMap<String, Lease>) -> Duration {
        let now = Instant::now();
        let mut next = SLEEP;
        for (id, lease) in leases.iter_mut().filter(|(_, lease)| lease.server.is_some()) {
            if lease.holds(now) {
                let left = lease.until.map(|until| until.duration_since(now));
                next = next.min(left.unwrap_or(SLEEP));
            } else if let Some(server) = lease.server.take() {
                kill_tree(server);
                lease.changed.notify_waiters();
                tracing::warn!(instance = %id, term = lease.term, "the lease ended: the server was killed");
            }
        }
        next
    }
}

/// The leases of a node.
#[derive(Clone)]
pub struct Leases {
    watch: Arc<Watch>,
    /// Which process this is, and when it began.
    node: u64,
    began: Instant,
}

impl Leases {
    /// Starts the watch. It ends when the last clone is dropped.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn new() -> Result<Self> {
        let watch = Arc::new(Watch::default());
        let weak: Weak<Watch> = Arc::downgrade(&watch);
        std::thread::Builder::new().name("db-leases".to_owned()).spawn(move || {
            while let Some(watch) = weak.upgrade() {
                let mut leases = watch.lock();
                let wait = watch.end(&mut leases);
                let waited = watch.changed.wait_timeout(leases, wait);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        })?;
        let mut drawn = [0; 8];
        SystemRng.fill(&mut drawn);
        let node = u64::from_ne_bytes(drawn).max(1);
        Ok(Self { watch, node, began: Instant::now() })
    }

    /// The clock by which leases end, now. Never later than it is.
    pub fn tick(&self) -> Tick {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Tick { node: self.node, ms }
    }

    /// The moment of a reading that this process gave; `None` of any other.
    pub fn moment(&self, tick: Tick) -> Option<Instant> {
        let at = self.began.checked_add(Duration::from_millis(tick.ms))?;
        (tick.node == self.node && at <= Instant::now()).then_some(at)
    }

    /// Grants a lease that counts from `from`. One of an older term than was granted before is not granted: false.
    pub fn grant(&self, id: &str, term: i64, from: Instant, ttl: Duration) -> bool {
        let mut leases = self.watch.lock();
        let lease = leases.entry(id.to_owned()).or_default();
        if term < lease.term {
            return false;
        }
        let until = from + ttl;
        lease.until = Some(match lease.until {
            Some(before) if lease.term == term => before.max(until),
            _ => until,
        });
        lease.term = term;
        lease.changed.notify_waiters();
        self.watch.changed.notify_all();
        true
    }

    /// True while the primary of that term may serve.
    pub fn holds(&self, id: &str, term: i64) -> bool {
        let leases = self.watch.lock();
        leases.get(id).is_some_and(|lease| lease.term == term && lease.holds(Instant::now()))
    }

    /// From now on that server dies with the lease of that term. False, and nothing is watched, where there is none.
    #[must_use]
    pub fn watch(&self, id: &str, term: i64, server: Pid) -> bool {
        let mut leases = self.watch.lock();
        let lease = leases.entry(id.to_owned()).or_default();
        let holds = lease.term == term && lease.holds(Instant::now());
        lease.server = holds.then_some(server);
        self.watch.changed.notify_all();
        holds
    }

    /// That instance's server has ended, or needs no lease any more.
    pub fn unwatch(&self, id: &str) {
        if let Some(lease) = self.watch.lock().get_mut(id) {
            lease.server = None;
        }
    }

    /// Ends the lease of any older term: there is another primary.
    pub fn supersede(&self, id: &str, term: i64) {
        let mut leases = self.watch.lock();
        let lease = leases.entry(id.to_owned()).or_default();
        if lease.term < term {
            lease.term = term;
            lease.until = None;
        }
        self.watch.changed.notify_all();
    }

    /// Forgets an instance.
    pub fn forget(&self, id: &str) {
        self.watch.lock().remove(id);
    }

    /// What is notified whenever the instance's lease is granted or ends.
    pub fn changed(&self, id: &str) -> Arc<Notify> {
        Arc::clone(&self.watch.lock().entry(id.to_owned()).or_default().changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_of_one_term_and_ends() -> Result<()> {
        let leases = Leases::new()?;
        let now = Instant::now();
        assert!(leases.grant("a", 2, now, Duration::from_secs(60)));
        assert!(leases.holds("a", 2));
        assert!(!leases.holds("a", 1));
        assert!(!leases.grant("a", 1, now, Duration::from_secs(60)), "an older term");
        leases.supersede("a", 3);
        assert!(!leases.holds("a", 2), "there is another primary");
        assert!(leases.grant("a", 3, now, Duration::ZERO));
        assert!(!leases.holds("a", 3), "it has ended");
        Ok(())
    }

    #[test]
    fn only_readings_of_this_process_that_were_given_are_moments() -> Result<()> {
        let (leases, other) = (Leases::new()?, Leases::new()?);
        let (before, tick) = (Instant::now(), leases.tick());
        let moment = leases.moment(tick);
        assert!(moment.is_some_and(|at| at <= Instant::now()));
        assert!(moment.is_some_and(|at| before.duration_since(at) < Duration::from_millis(2)));
        assert_eq!(leases.moment(other.tick()), None, "it was started again since");
        assert_eq!(leases.moment(Tick::default()), None);
        let never = Tick { ms: tick.ms + 60_000, ..tick };
        assert_eq!(leases.moment(never), None, "nobody can have been told of it");
        assert_eq!(leases.moment(Tick { ms: u64::MAX, ..tick }), None);
        Ok(())
    }

    #[test]
    fn a_shorter_grant_that_comes_late_takes_nothing_back() -> Result<()> {
        let leases = Leases::new()?;
        let now = Instant::now();
        leases.grant("a", 1, now, Duration::from_secs(60));
        leases.grant("a", 1, now, Duration::ZERO);
        assert!(leases.holds("a", 1));
        Ok(())
    }
}
