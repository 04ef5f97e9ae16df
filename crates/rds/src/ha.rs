//! Leases, fencing and failover of highly available instances.
//!
//! One task of the cloud holds the watch. Twice a second it grants the primary of each such instance a lease and hears
//! how its members are. A node stops a primary whose lease ran out by the node's own monotonic clock, so a primary that
//! was granted nothing for a lease's length serves nobody: that is when another may become the primary, and not
//! sooner. On this machine a server whose node does not answer is killed besides: frozen processes wake up, and a
//! node that is frozen beside its server cannot stop it.
//!
//! A lease counts from a reading of the node's clock ([`Tick`]) that the node gave before it was granted, and that the
//! grant names; never from when the grant arrives. So, with *R* the moment at which a reading came here: the node read
//! its clock before *R*, and every lease that names this reading is over a lease's length after *R*, also where the
//! grant is kept for hours by a frozen machine or a network and arrives when another is the primary. No two clocks are
//! compared; they need only run alike, to [`MARGIN`] within a lease.
//!
//! Who is the primary is a row, changed under a higher `term` **before** the promotion: a crash in between is taken up
//! by the next watch, which promotes again, harmlessly. Nodes refuse whatever comes with an older term.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Time};
use engine::task::{Machine, Next, Step, StepCx, StepError};
use engine::{Cloud, Cx};
use store::Tx;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::machine;
use crate::model::{Category, Engine, Status, Wanted};
use crate::node::api::{LeaseGrant, Observed, Phase, Promote, Tick};
use crate::nodes::Hosts;
use crate::tables::instance::{self, Instance};
use crate::tables::member::{self, Member};

/// How long a lease lasts from the reading that it names.
const LEASE: Duration = Duration::from_secs(3);
/// How often it is renewed.
const ROUND: Duration = Duration::from_millis(500);
/// What clocks of two machines may run apart within a lease, and more.
const MARGIN: Duration = Duration::from_millis(200);
/// A primary whose node is well but which does not come back by itself is given up after this.
const DOWN: Duration = Duration::from_secs(6);
/// A planned switch-over that the standby does not come to is given up after this, and the old primary goes on.
const HANDING: Duration = Duration::from_secs(20);
/// How long a step of the watch lasts: well below a quarter of a task's lease.
const WATCH: Duration = Duration::from_secs(10);
/// The most that an asynchronous standby may lack for taking over by itself, bytes (as other services have it).
const LAG_BYTES_MAX: u64 = 80 << 20;

/// The watch over all highly available instances.
#[derive(Clone)]
pub struct Watch {
    nodes: Arc<dyn Hosts>,
    known: Arc<Mutex<HashMap<String, Kept>>>,
}

/// What is known of an instance, locked while it is looked at; `None` before the first look.
type Kept = Arc<Mutex<Option<Known>>>;

/// What the watch remembers of an instance.
struct Known {
    /// Of which term the rest is.
    term: i64,
    /// The primary may serve until then.
    leased_until: Instant,
    /// When it was last seen serving.
    serving: Instant,
    /// How its standby was last, and when.
    standby: Option<(Observed, Instant)>,
    /// The end of the primary's log, as last seen.
    lsn: u64,
    /// Of a synchronous instance: since when commits wait for the standby, as an end of the primary's log.
    waited_from: Option<u64>,
    /// The standby has reached that, and with it everything that was ever acknowledged.
    has_all: bool,
    /// The newest reading of the clock of the primary's node, and when it came here.
    tick: Option<(Tick, Instant)>,
    /// It was said already that nobody can take over.
    helpless: bool,
    /// Since when a planned switch-over is under way.
    handing: Option<Instant>,
}

impl Known {
    /// Of an instance that nobody watched so far: somebody may have granted a lease by a reading that came just now.
    fn new(term: i64) -> Self {
        let now = Instant::now();
        Self {
            term,
            leased_until: now + LEASE,
            serving: now,
            standby: None,
            lsn: 0,
            waited_from: None,
            has_all: false,
            tick: None,
            helpless: false,
            handing: None,
        }
    }

    /// Takes note of how far both are. Commits of a synchronous instance wait for the standby from when the primary's
    /// node has done all that is wanted (`settled`); whoever has the log up to any later end of it lacks nothing that
    /// was acknowledged before, and will lack nothing.
    fn compare(&mut self, settled: bool, primary: Option<u64>) {
        if !settled {
            (self.waited_from, self.has_all) = (None, false);
            return;
        }
        self.waited_from = self.waited_from.or(primary);
        let standby = self.standby.as_ref().map_or(0, |(standby, _)| standby.lsn);
        self.has_all |= self.waited_from.is_some_and(|from| standby >= from);
    }
}

/// An instance with both members.
struct Pair {
    instance: Instance,
    primary: Member,
    standby: Member,
}

impl Watch {
    /// Over the instances on those nodes.
    pub fn new(nodes: Arc<dyn Hosts>) -> Self {
        Self { nodes, known: Arc::default() }
    }

    /// Begins a look at every instance that is not being looked at. Nobody waits for it: an instance whose nodes take
    /// their time would cost all others their leases. Answers how many instances there are.
    async fn round(&self, cloud: &Arc<Cloud>) -> Result<usize, StepError> {
        let ids: Vec<String> = cloud
            .db
            .read(|tx| instance::of_category(tx, Category::HighAvailability))
            .await?
            .into_iter()
            .map(|instance| instance.id)
            .collect();
        let mut all = self.known.lock().await;
        all.retain(|id, known| ids.contains(id) || known.try_lock().is_err());
        for id in &ids {
            let Ok(mut known) = Arc::clone(all.entry(id.clone()).or_default()).try_lock_owned()
            else {
                continue;
            };
            let (watch, cloud, id) = (self.clone(), Arc::clone(cloud), id.clone());
            tokio::spawn(async move {
                if let Err(error) = watch.look(&cloud, &id, &mut known).await {
                    tracing::warn!(
                        id,
                        reason = error.reason,
                        "watch over a highly available instance"
                    );
                }
            });
        }
        Ok(ids.len())
    }

    /// One look. The rows are read under the lock of what is known: what the look before this one decided is in them.
    async fn look(
        &self,
        cloud: &Arc<Cloud>,
        id: &str,
        known: &mut Option<Known>,
    ) -> Result<(), StepError> {
        let of = id.to_owned();
        let Some(pair) = cloud.db.read(move |tx| pair(tx, &of)).await? else { return Ok(()) };
        let term = pair.instance.term;
        let known = match known {
            Some(known) if known.term == term => known,
            other => other.insert(Known::new(term)),
        };
        if pair.instance.status != Status::Running {
            known.serving = Instant::now(); // whether it should serve is not known then
        }
        if pair.instance.status == Status::Switching {
            self.switch(cloud, &pair, known).await
        } else {
            self.keep(cloud, &pair, known).await
        }
    }

    /// Renews the lease, and decides whether the primary is lost. One that does not come back though its node is well
    /// is granted nothing any more before another takes over: it might come back just then.
    async fn keep(
        &self,
        cloud: &Arc<Cloud>,
        pair: &Pair,
        known: &mut Known,
    ) -> Result<(), StepError> {
        known.handing = None;
        let settled = pair.instance.settled > 0 && pair.instance.wanted == Wanted::Running;
        let down = known.serving.elapsed() > DOWN;
        let given_up = settled && down && obstacle(pair, known, cloud.clock.now()).is_none();
        let began = Instant::now();
        let (renewed, standby) = tokio::join!(
            async { !given_up && self.renew(pair, known).await },
            self.nodes.observe(&pair.standby.site, &pair.instance.id)
        );
        let now = Instant::now();
        if let Ok(standby) = standby
            && standby.phase == Phase::Serving
        {
            known.standby = Some((standby, now));
        }
        // MariaDB has no commits that wait.
        let waits = pair.instance.engine == Engine::Postgres
            && pair.instance.options.sync_mode == "Sync"
            && pair.instance.settled == pair.instance.generation;
        let primary = (known.lsn > 0 && known.serving > began).then_some(known.lsn);
        known.compare(waits, primary);
        let dead = !renewed && now > known.leased_until + MARGIN;
        let down = now.duration_since(known.serving) > DOWN;
        if !settled || !(dead || down) {
            known.helpless = false;
            return Ok(());
        }
        let (id, site) = (&pair.instance.id, &pair.primary.site);
        if let Some(reason) = obstacle(pair, known, cloud.clock.now()) {
            if !std::mem::replace(&mut known.helpless, true) {
                tracing::warn!(
                    id,
                    site,
                    reason,
                    "the primary is lost, and its standby does not take over"
                );
            }
            return Ok(());
        }
        if !dead {
            return Ok(());
        }
        tracing::warn!(id, site, "the primary is lost; its standby takes over");
        self.appoint(cloud, pair).await
    }

    /// Grants the lease; true where the node answered. A node whose clock is not known yet, or was started again, is
    /// asked twice: by the first answer it tells a reading.
    async fn renew(&self, pair: &Pair, known: &mut Known) -> bool {
        for _ in 0..2 {
            let named = known.tick;
            let grant = LeaseGrant {
                id: pair.instance.id.clone(),
                term: pair.instance.term,
                from: named.map(|(tick, _)| tick).unwrap_or_default(),
                ttl_ms: u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX),
            };
            if let Some((_, came)) = named {
                known.leased_until = known.leased_until.max(came + LEASE); // answered or not
            }
            let answer = self.nodes.lease(&pair.primary.site, vec![grant]).await;
            let Ok(seen) = answer else { return false };
            let now = Instant::now();
            let Some(own) = seen.iter().find(|seen| seen.id == pair.instance.id) else { break };
            known.tick = Some((own.tick, now));
            if own.phase == Phase::Serving {
                (known.serving, known.lsn) = (now, own.lsn);
            }
            if named.is_some_and(|(tick, _)| tick.node == own.tick.node) {
                break;
            }
        }
        true
    }

    /// Renews the lease for as long as something takes that only a primary under a lease goes through. The instance is
    /// switching: nobody else is granted anything of this term.
    async fn under_lease<T>(
        &self,
        pair: &Pair,
        known: &mut Known,
        work: impl Future<Output = T>,
    ) -> T {
        let renewing = async {
            loop {
                self.renew(pair, known).await;
                tokio::time::sleep(ROUND).await;
            }
        };
        let done = tokio::select! {
            done = work => done,
            never = renewing => never,
        };
        // A grant may be on its way.
        known.leased_until = Instant::now() + LEASE;
        done
    }

    /// Writes who the primary is from now on.
    async fn appoint(&self, cloud: &Arc<Cloud>, pair: &Pair) -> Result<(), StepError> {
        let (id, site) = (pair.instance.id.clone(), pair.standby.site.clone());
        let seen = (pair.instance.term, pair.instance.generation);
        let session = Arc::new(engine::Session {
            meta: engine::Meta::write("rds", "2014-08-15", "Failover").public(),
            caller: engine::Caller::system(),
            request: engine::RequestInfo::default(),
        });
        cloud.write(session, move |cx| take_over(cx, &id, seen, &site)).await?;
        Ok(())
    }

    /// Carries out what the rows say: the primary of this term is to be promoted. Planned: the old one is stopped
    /// first, and the new one has everything.
    async fn switch(
        &self,
        cloud: &Arc<Cloud>,
        pair: &Pair,
        known: &mut Known,
    ) -> Result<(), StepError> {
        if !pair.instance.options.switch_to.is_empty() {
            return self.hand_over(cloud, pair, known).await;
        }
        // After a take-over `standby` is the member that was the primary.
        let killed = self.nodes.kill_here(&pair.standby.site, &pair.instance.id).await;
        tracing::info!(id = pair.instance.id, killed, "the former primary is fenced");
        let standby = self.nodes.observe(&pair.primary.site, &pair.instance.id).await?;
        known.leased_until = known.leased_until.max(Instant::now() + LEASE);
        let promote = Promote {
            term: pair.instance.term,
            from: standby.tick,
            ttl_ms: u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX),
            synchronous: machine::synchronous(&pair.instance, &pair.standby),
        };
        // It starts, replays and promotes for as long as it takes. Where that is longer than the call may be, the next
        // look asks for the same again.
        let promoting = self.nodes.promote(&pair.primary.site, &pair.instance.id, &promote);
        let seen = self.under_lease(pair, known, promoting).await?;
        if !seen.writable {
            return Err(StepError::transient("the promoted standby does not take writes yet"));
        }
        let now = Instant::now();
        known.tick = Some((seen.tick, now));
        (known.serving, known.lsn) = (now, seen.lsn);
        known.standby = None;
        let (id, term) = (pair.instance.id.clone(), pair.instance.term);
        cloud.db.write(move |tx| served(tx, &id, term, &seen)).await?;
        self.wake(cloud, &pair.instance.id).await
    }

    /// A planned switch-over: the old primary ends in order, under leases for as long as that takes, and its standby has
    /// all that it wrote. A standby that is not well or does not come to have everything, and a primary that does not
    /// end in order, leave the primary what it is.
    async fn hand_over(
        &self,
        cloud: &Arc<Cloud>,
        pair: &Pair,
        known: &mut Known,
    ) -> Result<(), StepError> {
        let began = *known.handing.get_or_insert_with(Instant::now);
        let standby = self.nodes.observe(&pair.standby.site, &pair.instance.id).await;
        let well = standby.is_ok_and(|standby| standby.phase == Phase::Serving);
        let wanted = &pair.instance.options.switch_to;
        if *wanted != pair.standby.site || began.elapsed() > HANDING {
            let reason =
                if well { "the standby lacks something" } else { "the standby is not well" };
            return self.give_up(cloud, pair, known, reason).await;
        }
        if !well {
            // The primary serves meanwhile.
            self.renew(pair, known).await;
            return Err(StepError::transient("the standby is not well"));
        }
        let (id, own) = (pair.instance.id.clone(), Arc::clone(cloud));
        let spec = cloud.db.read(move |tx| machine::stopped_primary(tx, &own, &id)).await?;
        let Some(spec) = spec else { return Ok(()) };
        let stopping = self.nodes.put(&pair.primary.site, &spec, Duration::from_secs(8));
        let stopped = self.under_lease(pair, known, stopping).await?;
        if stopped.phase != Phase::Stopped || stopped.pid != 0 {
            return Err(StepError::transient("the old primary has not stopped yet"));
        }
        if stopped.lsn == 0 {
            // Nobody can tell what it had acknowledged last.
            return self.give_up(cloud, pair, known, "the primary did not end in order").await;
        }
        let standby = self.nodes.observe(&pair.standby.site, &pair.instance.id).await?;
        if standby.lsn < stopped.lsn {
            return Err(StepError::transient("the standby does not have everything yet"));
        }
        known.leased_until = Instant::now();
        self.appoint(cloud, pair).await
    }

    /// Ends a planned switch-over: the primary goes on.
    async fn give_up(
        &self,
        cloud: &Arc<Cloud>,
        pair: &Pair,
        known: &mut Known,
        reason: &str,
    ) -> Result<(), StepError> {
        let id = pair.instance.id.clone();
        tracing::warn!(id, site = pair.standby.site, reason, "a planned switch-over is given up");
        known.handing = None;
        cloud.db.write(move |tx| give_up_switch(tx, &id)).await?;
        self.wake(cloud, &pair.instance.id).await
    }

    /// Has the machine of the instance look at the rows.
    async fn wake(&self, cloud: &Arc<Cloud>, id: &str) -> Result<(), StepError> {
        let id = id.to_owned();
        let session = Arc::new(engine::Session {
            meta: engine::Meta::write("rds", "2014-08-15", "Failover").public(),
            caller: engine::Caller::system(),
            request: engine::RequestInfo::default(),
        });
        let wake = move |cx: &mut Cx<'_>| {
            cx.audit_resource(format!("acs:rds:*:*:dbinstance/{id}"));
            let now = cx.now;
            cx.spawn(machine::KIND, id.clone(), machine::CONVERGE, now);
            Ok(())
        };
        cloud.write(session, wake).await?;
        Ok(())
    }
}

impl Machine for Watch {
    const KIND: &'static str = "rds.ha";
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        let until = Instant::now() + WATCH;
        loop {
            let began = Instant::now();
            let watched = self.round(&cx.cloud).await?;
            if watched == 0 {
                return Ok(Next::Wait(Duration::from_secs(1)).into());
            }
            if Instant::now() > until {
                return Ok(Next::Wait(Duration::ZERO).into());
            }
            tokio::time::sleep_until(began + ROUND).await;
        }
    }
}

/// Why the standby does not take over by itself; `None` where it does.
fn obstacle(pair: &Pair, known: &Known, now: Time) -> Option<&'static str> {
    let options = &pair.instance.options;
    let by_hand = Time::parse_iso(&options.manual_ha_until).is_some_and(|until| now < until);
    if options.ha_switch != "Auto" || by_hand {
        return Some("its owner wants to switch by hand");
    }
    unfit(known, Instant::now())
}

/// Why a standby may not take over; `None` where it may.
fn unfit(known: &Known, now: Instant) -> Option<&'static str> {
    let Some((standby, seen)) = &known.standby else {
        return Some("it was never seen well");
    };
    if now.duration_since(*seen) > DOWN {
        // Appointed, it would keep the former primary from coming back.
        return Some("it is not well itself");
    }
    if known.has_all {
        return None;
    }
    (known.lsn.saturating_sub(standby.lsn) > LAG_BYTES_MAX).then_some("it lacks too much")
}

/// A highly available instance; `None` where it is to go or has not both members.
fn pair(tx: &mut Tx<'_>, id: &str) -> Result<Option<Pair>, ApiError> {
    let found = instance::find(tx, id)?.filter(|instance| instance.wanted != Wanted::Gone);
    let Some(instance) = found else { return Ok(None) };
    let (primaries, standbys): (Vec<_>, Vec<_>) =
        member::of(tx, id)?.into_iter().partition(|it| it.primary);
    let (primary, standby) = (primaries.into_iter().next(), standbys.into_iter().next());
    Ok(primary.zip(standby).map(|(primary, standby)| Pair { instance, primary, standby }))
}

/// The standby is the primary of the next term. Nothing happens where the instance is not of the term and generation
/// that were `seen` any more: what was found out was about another primary, or about one that was told to go on.
fn take_over(cx: &mut Cx<'_>, id: &str, seen: (i64, i64), site: &str) -> Result<(), ApiError> {
    cx.audit_resource(format!("acs:rds:*:*:dbinstance/{id}"));
    let found = instance::find(cx.tx(), id)?.filter(|it| (it.term, it.generation) == seen);
    let Some(mut instance) = found else { return Ok(()) };
    cx.audit_account(instance.account);
    cx.audit_detail("Site", site);
    for mut member in member::of(cx.tx(), id)? {
        member.primary = member.site == site;
        if !member.primary {
            // How it was as the primary says nothing of how it follows.
            member.observed.phase = Phase::Working;
        }
        member::put(cx.tx(), &member)?;
    }
    instance.term += 1;
    instance.generation += 1;
    instance.status = Status::Switching;
    instance.options.switch_to = String::new();
    instance::save(cx.tx(), &instance)
}

/// The new primary serves: what is left is the machine's.
fn served(tx: &mut Tx<'_>, id: &str, term: i64, seen: &Observed) -> Result<(), ApiError> {
    let Some(mut instance) = instance::find(tx, id)?.filter(|it| it.term == term) else {
        return Ok(());
    };
    for mut member in member::of(tx, id)? {
        if member.primary {
            (member.host, member.port) = (seen.host.clone(), seen.port);
            // It takes writes: whatever its node still has to do for it keeps nobody out.
            member.observed = Observed { phase: Phase::Serving, ..seen.clone() };
            member::put(tx, &member)?;
        }
    }
    instance.status = Status::Running;
    instance::save(tx, &instance)
}

/// The primary remains what it is; it may have been stopped already, and is told anew.
fn give_up_switch(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    let Some(mut instance) = instance::find(tx, id)? else { return Ok(()) };
    instance.status = Status::Running;
    instance.generation += 1;
    instance.options.switch_to = String::new();
    instance::save(tx, &instance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_standby_that_was_seen_well_lately_and_lacks_little_takes_over() {
        let mut known = Known::new(1);
        let now = Instant::now();
        known.lsn = 200 << 20;
        let standby = |lsn: u64| Observed { lsn, ..Observed::default() };
        assert_eq!(unfit(&known, now), Some("it was never seen well"));
        known.standby = Some((standby(120 << 20), now));
        assert_eq!(unfit(&known, now), None);
        known.standby = Some((standby((120 << 20) - 1), now));
        assert_eq!(unfit(&known, now), Some("it lacks too much"));
        let later = now + DOWN + Duration::from_millis(1);
        assert_eq!(unfit(&known, later), Some("it is not well itself"));
    }

    #[test]
    fn a_synchronous_standby_is_trusted_once_it_had_what_was_there_when_commits_waited_for_it() {
        let mut known = Known::new(1);
        let now = Instant::now();
        known.lsn = 200 << 20;
        let behind = Observed { lsn: 100 << 20, ..Observed::default() };
        known.standby = Some((behind.clone(), now));
        known.compare(true, Some(known.lsn));
        assert_eq!(unfit(&known, now), Some("it lacks too much"), "what was acknowledged alone");
        known.standby = Some((Observed { lsn: 200 << 20, ..behind.clone() }, now));
        known.compare(true, Some(210 << 20));
        // What it lacks from now on nobody was told of.
        (known.lsn, known.standby) = (900 << 20, Some((behind, now)));
        known.compare(true, Some(known.lsn));
        assert_eq!(unfit(&known, now), None);
        known.compare(false, Some(known.lsn));
        assert_eq!(unfit(&known, now), Some("it lacks too much"), "commits may not wait any more");
        known.compare(true, None);
        assert_eq!(unfit(&known, now), Some("it lacks too much"), "the primary was not seen since");
    }
}
