//! Failovers and planned switches over nodes for which things take time, or do not go as they should.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base::ApiError;
use rds::node::api::{LeaseGrant, Observed, Promote, Spec};
use rds::nodes::{Error, Hosts};
use store::params;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::hosts::{Fakes, Fault};
use crate::machine::Play;

/// How often a slow node looks whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// How nodes are.
#[derive(Clone, Default)]
struct Manner {
    /// How long a promotion takes, through all of which there has to be a lease, or it begins anew.
    promotion: Duration,
    /// How long a primary takes to stop, which it does in order only under a lease.
    stop: Duration,
    /// Primaries do not end in order, whatever there is.
    unclean: bool,
    /// Standbys have the log only so far.
    standby_lsn: Option<u64>,
    /// What nodes are told to do they do, and say so only once they may.
    mute: bool,
}

/// A member of an instance: site and id.
type Key = (String, String);

/// What happened on nodes.
#[derive(Default)]
struct Past {
    leases: HashMap<Key, Instant>,
    /// Promotions under way, since when.
    promoting: HashMap<Key, Instant>,
    promoted: Vec<Promote>,
    /// How many waited, or wait, to say what they did.
    waiting: usize,
}

/// Nodes of some manner.
struct Slow {
    fakes: Arc<Fakes>,
    manner: Mutex<Manner>,
    past: Mutex<Past>,
    /// How many may speak.
    word: Semaphore,
}

impl Slow {
    fn manner(&self) -> Manner {
        self.manner.lock().unwrap().clone()
    }

    /// Whether the lease of a member has ended: what was under way there is over with it.
    fn lapsed(&self, key: &Key) -> bool {
        let mut past = self.past.lock().unwrap();
        let lapsed = past.leases.get(key).is_some_and(|until| *until < Instant::now());
        if lapsed {
            past.promoting.remove(key);
        }
        lapsed
    }

    fn grant(&self, key: &Key, ttl_ms: u64) {
        self.lapsed(key);
        let until = Instant::now() + Duration::from_millis(ttl_ms);
        self.past.lock().unwrap().leases.insert(key.clone(), until);
    }
}

#[async_trait]
impl Hosts for Slow {
    async fn put(&self, site: &str, spec: &Spec, wait: Duration) -> Result<Observed, Error> {
        let mut seen = self.fakes.put(site, spec, wait).await?;
        if self.manner().mute {
            self.past.lock().unwrap().waiting += 1;
            self.word.acquire().await.unwrap().forget();
        }
        if spec.running {
            return Ok(seen);
        }
        let (manner, key) = (self.manner(), (site.to_owned(), spec.id.clone()));
        let until = Instant::now() + manner.stop;
        let mut in_order = !manner.unclean;
        while Instant::now() < until {
            in_order &= !self.lapsed(&key);
            tokio::time::sleep(LOOK).await;
        }
        if !in_order {
            seen.lsn = 0;
        }
        Ok(seen)
    }

    async fn delete(&self, site: &str, id: &str, term: i64) -> Result<(), Error> {
        self.fakes.delete(site, id, term).await
    }

    async fn observe_all(&self, site: &str) -> Result<Vec<Observed>, Error> {
        self.fakes.observe_all(site).await
    }

    async fn observe(&self, site: &str, id: &str) -> Result<Observed, Error> {
        let mut seen = self.fakes.observe(site, id).await?;
        seen.lsn = self.manner().standby_lsn.unwrap_or(seen.lsn);
        Ok(seen)
    }

    async fn lease(&self, site: &str, grants: Vec<LeaseGrant>) -> Result<Vec<Observed>, Error> {
        for grant in &grants {
            self.grant(&(site.to_owned(), grant.id.clone()), grant.ttl_ms);
        }
        self.fakes.lease(site, grants).await
    }

    /// Says nothing more after four seconds, whatever goes on.
    async fn promote(&self, site: &str, id: &str, promote: &Promote) -> Result<Observed, Error> {
        let key = (site.to_owned(), id.to_owned());
        self.grant(&key, promote.ttl_ms);
        let now = Instant::now();
        let began = *self.past.lock().unwrap().promoting.entry(key.clone()).or_insert(now);
        while began.elapsed() < self.manner().promotion {
            if self.lapsed(&key) {
                let reason = "the lease has ended".to_owned();
                return Err(Error::Refused { site: site.to_owned(), status: 503, reason });
            }
            if now.elapsed() > Duration::from_secs(4) {
                return Err(Error::Silent(site.to_owned(), "it took too long".to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
        self.past.lock().unwrap().promoted.push(promote.clone());
        self.fakes.promote(site, id, promote).await
    }

    async fn kill_here(&self, site: &str, id: &str) -> bool {
        self.fakes.kill_here(site, id).await
    }
}

/// A highly available instance on nodes of that manner, and the site of its primary.
async fn pair(manner: Manner) -> (Play, Arc<Slow>, String, String) {
    let fakes = Fakes::new(Fault::None);
    let manner = Mutex::new(manner);
    let (word, past) = (Semaphore::new(0), Mutex::default());
    let slow = Arc::new(Slow { fakes: Arc::clone(&fakes), manner, past, word });
    let mut play = Play::over(fakes, Arc::clone(&slow) as Arc<dyn Hosts>, true).await;
    let (id, first) = play.pair().await;
    (play, slow, id, first)
}

async fn switch(play: &mut Play, id: &str, standby: &str) {
    play.insist("SwitchDBInstanceHA", &[("DBInstanceId", id), ("NodeId", standby)]).await;
}

#[tokio::test]
async fn an_instance_that_takes_its_time_costs_no_other_its_lease() {
    let slow = Manner { stop: Duration::from_secs(5), ..Manner::default() };
    let (mut play, _, id, first) = pair(slow).await;
    let (other, serves) = play.pair().await;
    let standby = play.other(&id, &first);
    switch(&mut play, &id, &standby).await;
    let began = Instant::now();
    while play.fakes.writable(&id) != [standby.clone()] {
        assert_eq!(play.one_writer(&other).await.as_ref(), Some(&serves), "its lease ended");
        assert!(began.elapsed() < Duration::from_secs(18), "it is not switched");
    }
}

/// Each call for it ends before it does, too.
#[tokio::test]
async fn a_promotion_may_take_longer_than_a_lease() {
    let slow = Manner { promotion: Duration::from_secs(6), ..Manner::default() };
    let (play, _, id, first) = pair(slow).await;
    play.fakes.cut_off(&first);
    play.succeeded(&id, &first).await;
}

#[tokio::test]
async fn a_planned_switch_waits_for_a_primary_that_takes_longer_than_a_lease_to_end_in_order() {
    let slow = Manner { stop: Duration::from_secs(5), ..Manner::default() };
    let (mut play, _, id, first) = pair(slow).await;
    let standby = play.other(&id, &first);
    switch(&mut play, &id, &standby).await;
    assert_eq!(play.succeeded(&id, &first).await, standby);
}

#[tokio::test]
async fn a_planned_switch_from_a_primary_that_was_killed_while_it_stopped_is_given_up() {
    let (mut play, _, id, first) = pair(Manner { unclean: true, ..Manner::default() }).await;
    let standby = play.other(&id, &first);
    switch(&mut play, &id, &standby).await;
    let began = Instant::now();
    while play.status(&id).await.as_deref() != Some("Running")
        || play.fakes.writable(&id) != [first.clone()]
    {
        let site = play.one_writer(&id).await;
        assert_ne!(site.as_ref(), Some(&standby), "it may lack what was acknowledged");
        assert!(began.elapsed() < Duration::from_secs(18), "the primary does not come back");
    }
}

#[tokio::test]
async fn a_planned_switch_waits_until_the_standby_has_everything() {
    let (mut play, slow, id, first) = pair(Manner::default()).await;
    let standby = play.other(&id, &first);
    slow.manner.lock().unwrap().standby_lsn = Some(99);
    switch(&mut play, &id, &standby).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert_ne!(play.one_writer(&id).await.as_ref(), Some(&standby), "it lacks something");
    }
    slow.manner.lock().unwrap().standby_lsn = None;
    assert_eq!(play.succeeded(&id, &first).await, standby);
}

#[tokio::test]
async fn a_synchronous_instance_has_commits_wait_from_the_promotion_on() {
    let (mut play, slow, id, first) = pair(Manner::default()).await;
    let sync = [("DBInstanceId", id.as_str()), ("HAMode", "RPO"), ("SyncMode", "Sync")];
    play.insist("ModifyDBInstanceHAConfig", &sync).await;
    play.rest(&id, Some("Running")).await;
    let standby = play.other(&id, &first);
    switch(&mut play, &id, &standby).await;
    play.succeeded(&id, &first).await;
    let member = format!("awan_{id}_{first}").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let promoted = slow.past.lock().unwrap().promoted.clone();
    assert!(!promoted.is_empty());
    assert!(promoted.iter().all(|it| it.synchronous == member.to_lowercase()), "{promoted:?}");
}

/// Where each member listens, by its site.
async fn ports(play: &Play, id: &str) -> Vec<(String, i64)> {
    let id = id.to_owned();
    let look = move |tx: &mut store::Tx<'_>| {
        let sql = "SELECT site, port FROM rds_member WHERE instance = ?1 ORDER BY site";
        let rows = tx.query(sql, params![&id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok::<_, ApiError>(rows)
    };
    play.test.cloud.db.read(look).await.unwrap()
}

/// Until so many nodes waited to say what they did.
async fn waiting(play: &Play, slow: &Slow, id: &str, number: usize) {
    for _ in 0..2000 {
        if slow.past.lock().unwrap().waiting >= number {
            return;
        }
        play.test.cloud.wakes.wake("rds.instance");
        play.one_writer(id).await;
    }
    panic!("nodes are told nothing");
}

/// A take-over comes between the moment when nodes speak and the moment when that is written down.
#[tokio::test]
async fn what_members_said_is_never_written_down_of_one_another() {
    let (mut play, slow, id, _) = pair(Manner::default()).await;
    let before = ports(&play, &id).await;
    assert!(before[0].1 != before[1].1 && before.iter().all(|(_, port)| *port > 0));
    slow.manner.lock().unwrap().mute = true;
    play.insist("RestartDBInstance", &[("DBInstanceId", id.as_str())]).await;
    waiting(&play, &slow, &id, 1).await;
    let instance = id.clone();
    let take_over = move |tx: &mut store::Tx<'_>| {
        let roles = "UPDATE rds_member SET role = CASE role WHEN 'primary' THEN 'standby' ELSE 'primary' END
            WHERE instance = ?1";
        tx.execute(roles, params![&instance])?;
        let term =
            "UPDATE rds_instance SET term = term + 1, generation = generation + 1 WHERE id = ?1";
        tx.execute(term, params![&instance])?;
        Ok::<_, ApiError>(())
    };
    play.test.cloud.db.write(take_over).await.unwrap();
    // Both members of the old roles speak; that is written down before the first of the new ones is told anything.
    slow.word.add_permits(2);
    waiting(&play, &slow, &id, 3).await;
    assert_eq!(ports(&play, &id).await, before);
    slow.manner.lock().unwrap().mute = false;
    slow.word.add_permits(9);
}
