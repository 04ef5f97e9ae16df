//! The one task that asks the clusters: every second it writes down who leads, and passes on what was asked of an
//! instance. It promotes nobody and fences nobody: that is Patroni's.
//!
//! Where no member answers, the rows stay as they are, and the gateway goes on with the server that led last: Patroni
//! itself sees to it that one which must not take writes does not. Where a member answers that nobody leads, new
//! connections are held.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Time};
use engine::Cx;
use engine::task::{Machine, Next, Step, StepCx, StepError};
use store::Tx;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::client::{Client, Error, Seen, View};
use super::{Cluster, adopt, session};
use crate::model::Status;
use crate::node::api::{Observed, Phase};
use crate::tables::instance::{self, Instance};
use crate::tables::member::Member;
use crate::tables::patroni;

/// How often clusters are asked.
const ROUND: Duration = Duration::from_secs(1);
/// How long a step of the watch lasts: well below a quarter of a task's lease, and no longer than a drain can wait.
const WATCH: Duration = Duration::from_secs(4);
/// How often what the configuration no longer has is looked for where it has none at all.
const REST: Duration = Duration::from_secs(60);
/// How often a server's row is written though nothing about it changed: its times are told to clients.
const FRESH: Duration = Duration::from_secs(10);
/// How long a wish waits for a leader whom it could be told.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the new leader may take to be seen after the cluster said that it leads.
const SEEN: Duration = Duration::from_secs(15);
/// The status of what an agreement refuses.
const REFUSED: u16 = 403;
/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(1);

/// The watch over all clusters of the configuration.
pub struct Watch {
    clusters: Vec<Kept>,
    names: BTreeSet<String>,
}

/// A cluster, and what the watch remembers of it.
struct Kept {
    cluster: Cluster,
    client: Result<Arc<Client>, Error>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The instance is what the configuration says, since this process started.
    conforms: bool,
    /// Who led last.
    leader: Option<String>,
    /// The version of its leader, by the leader's name.
    version: Option<(String, String)>,
    /// What was said about it last, so that it is said once.
    said: String,
    /// What it is being asked for.
    work: Option<Work>,
}

/// A wish that was passed on.
struct Work {
    generation: i64,
    asked: JoinHandle<Result<(), Error>>,
    /// Since when the cluster says that it is done.
    done: Option<Instant>,
}

/// A server as the next row of it has it.
struct Fact {
    name: String,
    seen: Option<Seen>,
    /// Where it is dialled; nowhere where its name is not known.
    host: String,
}

impl Watch {
    /// Over those clusters. Reads the files that they name; asks nobody.
    pub fn new(clusters: &[Cluster]) -> Self {
        let kept = |cluster: &Cluster| Kept {
            client: Client::new(&cluster.members, &cluster.access).map(Arc::new),
            cluster: cluster.clone(),
            known: Mutex::default(),
        };
        let names = clusters.iter().map(|cluster| cluster.name.clone()).collect();
        Self { clusters: clusters.iter().map(kept).collect(), names }
    }

    /// Lets go what is an instance and not in the configuration.
    async fn sweep(&self, cx: &StepCx) -> Result<(), StepError> {
        for (name, id) in cx.cloud.db.read(patroni::all).await? {
            if !self.names.contains(&name) {
                tracing::info!(name, id, "a cluster is not in the configuration any more");
                let_go(cx, id).await?;
            }
        }
        Ok(())
    }

    async fn round(&self, cx: &StepCx) {
        let looked = self.clusters.iter().map(|kept| async {
            let mut known = kept.known.lock().await;
            let name = &kept.cluster.name;
            match kept.look(cx, &mut known).await {
                Ok(()) if known.said.is_empty() => {}
                Ok(()) => {
                    known.said.clear();
                    tracing::info!(name, "a cluster under Patroni is well again");
                }
                Err(why) if known.said == why.reason => {}
                Err(why) => {
                    tracing::warn!(name, reason = why.reason, "a cluster under Patroni");
                    known.said = why.reason;
                }
            }
        });
        futures_util::future::join_all(looked).await;
    }
}

impl Machine for Watch {
    const KIND: &'static str = "rds.patroni";
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        let until = Instant::now() + WATCH;
        self.sweep(cx).await?;
        if self.clusters.is_empty() {
            return Ok(Next::Wait(REST).into());
        }
        while Instant::now() < until {
            let began = Instant::now();
            self.round(cx).await;
            tokio::time::sleep_until(began + ROUND).await;
        }
        Ok(Next::Wait(Duration::ZERO).into())
    }
}

impl Kept {
    /// One look at the cluster.
    async fn look(&self, cx: &StepCx, known: &mut Known) -> Result<(), StepError> {
        let client = self.client.as_ref().map_err(StepError::broken)?;
        let name = self.cluster.name.clone();
        let id = cx.cloud.db.read(move |tx| patroni::instance(tx, &name)).await?;
        if let Some(id) = &id {
            self.conform(cx, known, id).await?;
        }
        let told = client.view().await.map_err(StepError::transient);
        let Some(id) = id else {
            self.know_version(client, known, &told?).await;
            return self.adopt(cx, known).await;
        };
        if let Ok(view) = &told {
            self.know_version(client, known, view).await;
            self.record(cx, known, &id, view).await?;
        }
        // Also where nobody answers: a wish must come to an end.
        let nobody = View::default();
        self.carry_out(cx, known, client, (&id, told.as_ref().unwrap_or(&nobody))).await?;
        self.complain(&told?)
    }

    /// The leader's version, asked for once as long as it leads.
    async fn know_version(&self, client: &Client, known: &mut Known, view: &View) {
        let Some(leader) = view.leader() else { return };
        if known.version.as_ref().is_none_or(|(name, _)| *name != leader.name)
            && let Some(version) = client.version(&leader.name).await
        {
            known.version = Some((leader.name.clone(), version));
        }
    }

    /// Makes it an instance. Only once somebody leads: before, its version is not known.
    async fn adopt(&self, cx: &StepCx, known: &Known) -> Result<(), StepError> {
        let Some((_, version)) = &known.version else {
            return Err(StepError::transient("nobody leads, or no configured member does"));
        };
        self.placeable(cx, known).await?;
        let (cluster, major) = (self.cluster.clone(), major(version).to_owned());
        let name = &cluster.name.clone();
        cx.cloud
            .write(session("AdoptDBInstance"), move |cx| adopt::adopt(cx, &cluster, &major))
            .await?;
        tracing::info!(name, version, "a cluster under Patroni is an instance now");
        Ok(())
    }

    /// A refusal is in the log once: what would be refused for the same reason again is not tried.
    async fn placeable(&self, cx: &StepCx, known: &Known) -> Result<(), StepError> {
        let (cluster, cloud) = (self.cluster.clone(), Arc::clone(&cx.cloud));
        let probe = move |tx: &mut Tx<'_>| adopt::judge(tx, &cloud, &cluster).map(drop);
        match cx.cloud.db.read(probe).await {
            Err(error) if known.said == StepError::from(error.clone()).reason => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Brings the instance to what the configuration says, which changes only between two starts. One whose place the
    /// agreement does not allow any more is let go.
    async fn conform(&self, cx: &StepCx, known: &mut Known, id: &str) -> Result<(), StepError> {
        if known.conforms {
            return Ok(());
        }
        let (cluster, of) = (self.cluster.clone(), id.to_owned());
        let differs = move |tx: &mut Tx<'_>| adopt::differs(tx, &cluster, &of);
        if cx.cloud.db.read(differs).await? {
            let (cluster, of) = (self.cluster.clone(), id.to_owned());
            let change = move |cx: &mut Cx<'_>| adopt::conform(cx, &cluster, &of);
            let changed = cx.cloud.write(session("AdoptDBInstance"), change).await;
            if changed.as_ref().is_err_and(|error| error.status() == REFUSED) {
                let_go(cx, id.to_owned()).await?;
            }
            changed?;
        }
        known.conforms = true;
        Ok(())
    }

    /// Writes down how its servers are. A new leader is a new term, so that no session stays with the old one.
    async fn record(
        &self,
        cx: &StepCx,
        known: &mut Known,
        id: &str,
        view: &View,
    ) -> Result<(), StepError> {
        let mut facts = Vec::new();
        for seat in &self.cluster.members {
            let seen = view.member(&seat.name).cloned();
            let host = match &seen {
                Some(seen) => resolve(&seen.host, seen.port()).await,
                None => String::new(),
            };
            facts.push(Fact { name: seat.name.clone(), seen, host });
        }
        let leader = view.leader().map(|leader| leader.name.clone());
        let of = id.to_owned();
        let (_, before) = cx.cloud.db.read(move |tx| load(tx, &of)).await?;
        let now = cx.cloud.clock.now();
        let version = known.version.as_ref().map(|(_, version)| version.clone());
        let after: Vec<_> = before
            .iter()
            .map(|(name, member)| {
                let fact = facts.iter().find(|fact| fact.name == *name);
                let led = leader.as_deref() == Some(name.as_str());
                (name.clone(), next(member, fact, led, version.as_deref(), now))
            })
            .collect();
        let fresh = |((_, old), (_, new)): (&(_, Member), &(_, Member))| is_news(old, new);
        if !before.iter().zip(&after).any(fresh) {
            return Ok(());
        }
        let leads = |members: &[(String, Member)]| {
            members.iter().find(|(_, member)| member.primary).map(|(name, _)| name.clone())
        };
        let synchronous = view.members.iter().any(Seen::is_synchronous);
        let news = News { members: after, synchronous, version };
        let of = id.to_owned();
        let new = leads(&news.members);
        let last = known.leader.take().or_else(|| leads(&before));
        known.leader = new.clone().or_else(|| last.clone());
        // The first that is heard of took over from nobody.
        if last.is_none() || new.is_none() || last == new {
            cx.cloud.db.write(move |tx| write_down(tx, &of, &news, false).map(drop)).await?;
            return Ok(());
        }
        tracing::info!(id, leader = new, "a cluster under Patroni has another leader");
        cx.cloud.write(session("Failover"), move |cx| follow(cx, &of, &news)).await?;
        Ok(())
    }

    /// What its operator should see to.
    fn complain(&self, view: &View) -> Result<(), StepError> {
        let Some(leader) = view.leader() else {
            return Err(StepError::transient("nobody leads: connections are held"));
        };
        if !self.cluster.members.iter().any(|seat| seat.name == leader.name) {
            // Nothing is sent to a server whose data centre nobody declared.
            let name = &leader.name;
            let why = format!("{name} leads and is not in the configuration: connections are held");
            return Err(StepError::transient(why));
        }
        Ok(())
    }

    /// Passes on what was asked of the instance, and sees what came of it. The talk has a task of its own: who leads
    /// must be looked for meanwhile.
    async fn carry_out(
        &self,
        cx: &StepCx,
        known: &mut Known,
        client: &Arc<Client>,
        (id, view): (&str, &View),
    ) -> Result<(), StepError> {
        let of = id.to_owned();
        let (instance, _) = cx.cloud.db.read(move |tx| load(tx, &of)).await?;
        let Some(instance) = instance.filter(|it| it.settled < it.generation) else {
            return Ok(());
        };
        let came = match instance.status {
            Status::Switching | Status::Rebooting => {
                pass_on(known, client, &instance, (view, cx.cloud.clock.now())).await
            }
            _ => Came::True, // a white list: the gateway's
        };
        let given_up = match came {
            Came::NotYet => return Ok(()),
            Came::True => None,
            Came::ToNothing => Some(instance.options.asked),
        };
        known.work = None;
        settle(cx, id, instance.generation, given_up).await
    }
}

/// What came of a wish.
enum Came {
    NotYet,
    True,
    ToNothing,
}

/// Begins to ask, or looks what came of it.
async fn pass_on(
    known: &mut Known,
    client: &Arc<Client>,
    instance: &Instance,
    (view, now): (&View, Time),
) -> Came {
    let generation = instance.generation;
    let candidate =
        (instance.status == Status::Switching).then_some(instance.options.switch_to.as_str());
    let leader = view.leader().map(|leader| leader.name.as_str());
    if candidate.is_some() && candidate == leader {
        return Came::True;
    }
    let Some(work) = known.work.as_mut().filter(|work| work.generation == generation) else {
        let Some(leader) = leader else {
            let waited = now.since(Time::from_micros(instance.options.asked_at));
            return if waited > PATIENCE { Came::ToNothing } else { Came::NotYet };
        };
        let asked = ask(Arc::clone(client), view, leader, candidate);
        known.work = Some(Work { generation, asked, done: None });
        return Came::NotYet;
    };
    match work.done {
        Some(done) if done.elapsed() > SEEN => return Came::ToNothing,
        Some(_) => return Came::NotYet,
        None if !work.asked.is_finished() => return Came::NotYet,
        None => {}
    }
    let outcome = (&mut work.asked).await.map_err(|error| error.to_string());
    match outcome.and_then(|outcome| outcome.map_err(|error| error.to_string())) {
        Ok(()) if candidate.is_none() => Came::True,
        Ok(()) => {
            work.done = Some(Instant::now());
            Came::NotYet
        }
        Err(error) => {
            let (id, asked) = (&instance.id, &instance.options.asked);
            tracing::warn!(
                id,
                asked,
                error,
                "a cluster under Patroni did not do what it was asked"
            );
            Came::ToNothing
        }
    }
}

/// Asks the cluster to switch over to `candidate`, or without one to restart: those that follow first. A process that
/// dies meanwhile asks anew: a switch-over that is done is then seen, a restart is repeated.
fn ask(
    client: Arc<Client>,
    view: &View,
    leader: &str,
    candidate: Option<&str>,
) -> JoinHandle<Result<(), Error>> {
    let (leader, candidate) = (leader.to_owned(), candidate.map(str::to_owned));
    let others = view.members.iter().filter(|seen| seen.follows() && client.knows(&seen.name));
    let others: Vec<_> = others.map(|seen| seen.name.clone()).collect();
    tokio::spawn(async move {
        if let Some(candidate) = candidate {
            return client.switch(&leader, &candidate).await;
        }
        for member in others.iter().chain([&leader]) {
            client.restart(member).await?;
        }
        Ok(())
    })
}

async fn let_go(cx: &StepCx, id: String) -> Result<(), StepError> {
    cx.cloud.write(session("ReleaseDBInstance"), move |cx| adopt::let_go(cx, &id)).await?;
    Ok(())
}

/// What was asked is done, or was refused.
async fn settle(
    cx: &StepCx,
    id: &str,
    generation: i64,
    given_up: Option<String>,
) -> Result<(), StepError> {
    let id = id.to_owned();
    let done = move |tx: &mut Tx<'_>| {
        let found = instance::find(tx, &id)?.filter(|it| it.generation == generation);
        let Some(mut instance) = found else { return Ok(()) };
        instance.settled = generation;
        instance.status = Status::Running;
        instance.options.switch_to = String::new();
        instance.options.given_up = given_up.clone().unwrap_or_default();
        instance::save(tx, &instance)
    };
    Ok(cx.cloud.db.write(done).await?)
}

type Rows = (Option<Instance>, Vec<(String, Member)>);

fn load(tx: &mut Tx<'_>, id: &str) -> Result<Rows, ApiError> {
    Ok((instance::find(tx, id)?, patroni::members(tx, id)?))
}

/// What a look at a cluster found.
struct News {
    members: Vec<(String, Member)>,
    /// Whether commits wait for a standby.
    synchronous: bool,
    /// The leader's version.
    version: Option<String>,
}

/// Gives the instance as it is then; `None` where it is gone.
fn write_down(
    tx: &mut Tx<'_>,
    id: &str,
    news: &News,
    another: bool,
) -> Result<Option<Instance>, ApiError> {
    let Some(mut instance) = instance::find(tx, id)? else { return Ok(None) };
    for (name, member) in &news.members {
        patroni::put(tx, name, member)?;
    }
    let mode = if news.synchronous { "Sync" } else { "Async" };
    let major = news.version.as_deref().map_or(instance.major.as_str(), major).to_owned();
    if another || instance.options.sync_mode != mode || instance.major != major {
        instance.term += i64::from(another);
        mode.clone_into(&mut instance.options.sync_mode);
        instance.major = major;
        instance::save(tx, &instance)?;
    }
    Ok(Some(instance))
}

/// Another server leads.
fn follow(cx: &mut Cx<'_>, id: &str, news: &News) -> Result<(), ApiError> {
    cx.audit_resource(format!("acs:rds:*:*:dbinstance/{id}"));
    let Some(instance) = write_down(cx.tx(), id, news, true)? else { return Ok(()) };
    cx.audit_account(instance.account);
    if let Some((name, member)) = news.members.iter().find(|(_, member)| member.primary) {
        cx.audit_detail("Member", name);
        cx.audit_detail("Site", &member.site);
    }
    Ok(())
}

/// The major version: `15` of `15.18`.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// How a server's row goes on.
fn next(
    before: &Member,
    fact: Option<&Fact>,
    leads: bool,
    version: Option<&str>,
    now: Time,
) -> Member {
    let Some((fact, seen)) = fact.and_then(|fact| Some((fact, fact.seen.as_ref()?))) else {
        let observed = Observed { id: before.instance.clone(), ..Observed::default() };
        let nowhere = Member { primary: false, host: String::new(), port: 0, ..before.clone() };
        return Member { observed, seen: now, ..nowhere };
    };
    let lag_seconds = match seen.lag {
        Some(0) => 0.0,
        _ if leads => 0.0,
        // When it last had everything is what is known.
        _ => before.observed.lag_seconds + now.since(before.seen).as_secs_f64(),
    };
    let well = leads || seen.follows();
    let observed = Observed {
        id: before.instance.clone(),
        phase: if well { Phase::Serving } else { Phase::Working },
        trouble: if well { String::new() } else { seen.state.clone() },
        host: fact.host.clone(),
        port: seen.port(),
        writable: leads,
        build: version.filter(|_| leads).unwrap_or(&before.observed.build).to_owned(),
        timeline: seen.timeline(),
        lag_seconds,
        ..Observed::default()
    };
    let (host, port) = (fact.host.clone(), seen.port());
    Member { primary: leads, host, port, observed, seen: now, ..before.clone() }
}

/// Whether a row is to be written: something about the server changed, or its times are old.
fn is_news(old: &Member, new: &Member) -> bool {
    let lag_seconds = old.observed.lag_seconds;
    let steady = Observed { lag_seconds, ..new.observed.clone() };
    old.observed != steady
        || (old.primary, &old.host, old.port) != (new.primary, &new.host, new.port)
        || new.seen.since(old.seen) > FRESH
}

/// The address of a host; empty where nobody knows it.
async fn resolve(host: &str, port: u16) -> String {
    if host.is_empty() || host.parse::<IpAddr>().is_ok() {
        return host.to_owned();
    }
    let asked = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((host, port))).await;
    let found = asked.ok().and_then(Result::ok).and_then(|mut found| found.next());
    found.map(|address| address.ip().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn member() -> Member {
        Member {
            instance: "pgm-1".to_owned(),
            site: "jkt-a".to_owned(),
            zone: "ap-southeast-5a".to_owned(),
            primary: false,
            host: String::new(),
            port: 0,
            observed: Observed::default(),
            seen: Time::from_secs(1_000),
        }
    }

    fn fact(told: &str) -> Fact {
        let seen: Seen = serde_json::from_str(told).unwrap();
        Fact { name: seen.name.clone(), host: seen.host.clone(), seen: Some(seen) }
    }

    const LEADER: &str =
        r#"{"name": "a", "role": "leader", "state": "running", "host": "10.0.0.1", "port": 5432}"#;
    const BEHIND: &str = r#"{"name": "a", "role": "replica", "state": "streaming", "host": "10.0.0.1", "port": 5432, "lag": 9}"#;

    #[test]
    fn a_server_that_leads_serves_and_one_that_nobody_tells_of_is_nowhere() {
        let now = Time::from_secs(1_001);
        let led = next(&member(), Some(&fact(LEADER)), true, Some("15.18"), now);
        assert!(led.primary && led.observed.writable && led.observed.phase == Phase::Serving);
        assert_eq!(
            (led.host.as_str(), led.port, led.observed.build.as_str()),
            ("10.0.0.1", 5432, "15.18")
        );
        let silent = Fact { name: "a".to_owned(), seen: None, host: String::new() };
        for nothing in [None, Some(&silent)] {
            let gone = next(&led, nothing, false, None, now);
            assert!(!gone.primary && gone.observed.phase == Phase::Absent);
            assert_eq!((gone.host.as_str(), gone.port), ("", 0));
        }
    }

    #[test]
    fn a_lag_grows_from_when_a_server_last_had_everything() {
        let at = |secs: i64| Time::from_secs(1_000 + secs);
        let whole = BEHIND.replace("9", "0");
        let first = next(&member(), Some(&fact(&whole)), false, None, at(2));
        assert_eq!(first.observed.lag_seconds, 0.0);
        let second = next(&first, Some(&fact(BEHIND)), false, None, at(5));
        let third = next(&second, Some(&fact(BEHIND)), false, None, at(6));
        assert_eq!((second.observed.lag_seconds, third.observed.lag_seconds), (3.0, 4.0));
        assert_eq!(third.observed.phase, Phase::Serving);
    }

    #[test]
    fn a_row_is_written_when_something_changed_or_it_is_old() {
        let at = |secs: i64| Time::from_secs(1_000 + secs);
        let first = next(&member(), Some(&fact(BEHIND)), false, None, at(0));
        let news = |told: &str, leads, secs| {
            is_news(&first, &next(&first, Some(&fact(told)), leads, None, at(secs)))
        };
        assert!(!news(BEHIND, false, 3), "its lag alone is no news");
        assert!(news(BEHIND, false, 11));
        assert!(news(LEADER, true, 1));
        assert!(news(&BEHIND.replace("5432", "5433"), false, 1));
        assert!(news(&BEHIND.replace("streaming", "stopped"), false, 1));
    }

    #[test]
    fn a_major_version_is_what_is_before_the_point() {
        assert_eq!((major("15.18"), major("17")), ("15", "17"));
    }
}
