//! Takes an instance from what it is to what it is to be: one task for each, whose one state looks at the rows anew.
//!
//! A step tells each node that has a member the whole [`Spec`], and commits what they say. It never remembers what it
//! told: rows are what is wanted, nodes are what is, and a step that is repeated repeats the same words. Who is the
//! primary is decided elsewhere (`ha`), by rows too.

pub mod parts;
pub(crate) mod restore_table;
mod spec;
pub(crate) mod usage;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{ApiError, Time};
use engine::server::authority::{Authority, Purpose};
use engine::task::{Next, Step, StepCx, StepError};
use engine::{Cx, places};
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::backup::{restore, schedule};
use crate::model::{Origin, Status, Wanted};
use crate::node::api::{Observed, Phase, Spec};
use crate::nodes::{self, Hosts};
use crate::tables;
use crate::tables::instance::{self, Instance};
use crate::tables::member::{self, Member};
use spec::Loaded;
pub(crate) use spec::synchronous;

/// The kind of the task, as stored.
pub const KIND: &str = "rds.instance";
/// The state in which it looks at the rows anew, as stored.
pub const CONVERGE: &str = "\"Converge\"";

/// How long a node may take to settle before the step gives its lease back.
const WAIT: Duration = Duration::from_secs(8);
/// How soon is asked again what is on its way.
const SOON: Duration = Duration::from_millis(100);
/// How often one is looked at that starts again.
const STARTS: Duration = Duration::from_millis(250);
/// How often what is settled is looked at.
const REST: Duration = Duration::from_secs(60);
/// A node that is away is tried again after this.
const AWAY: Duration = Duration::from_secs(2);

/// Where the task of an instance can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Looks at the rows and makes them true.
    Converge,
}

/// The machine of all instances.
pub struct Instances {
    nodes: Arc<dyn Hosts>,
    authority: Arc<Authority>,
    seeds: restore::Restores,
    /// Instances whose node is away, so that it is said once.
    away: Mutex<HashSet<String>>,
}

impl Instances {
    /// With the nodes that it talks to, and what it restores from.
    pub fn new(nodes: Arc<dyn Hosts>, authority: Arc<Authority>, seeds: restore::Restores) -> Self {
        Self { nodes, authority, seeds, away: Mutex::default() }
    }

    async fn converge(&self, cx: &StepCx) -> Result<Step<State>, StepError> {
        let (id, cloud) = (cx.id.clone(), Arc::clone(&cx.cloud));
        let read = move |tx: &mut Tx<'_>| spec::load(tx, &cloud, &id);
        let Some(loaded) = cx.cloud.db.read(read).await? else { return Ok(Next::Done.into()) };
        if loaded.instance.wanted == Wanted::Gone {
            return self.remove(cx, &loaded).await;
        }
        if loaded.instance.status == Status::Switching {
            // Who is the primary is being decided: `ha` wakes this when it is.
            return Ok(Next::Wait(Duration::from_secs(1)).into());
        }
        if let Some(names) = spec::names_to_certify(&loaded, cx.cloud.clock.now()) {
            return self.certify(cx, loaded.instance, names).await;
        }
        let mut observed = Vec::new();
        for member in &loaded.members {
            // A standby copies from the primary that the step before this told of.
            if !member.primary && observed.iter().any(|seen: &Observed| seen.port == 0) {
                break;
            }
            let spec = spec::of(&loaded, member, &observed)?;
            let waits = format!("{} at {}", loaded.instance.id, member.site);
            match self.nodes.put(&member.site, &spec, WAIT).await {
                Ok(seen) => observed.push(seen),
                Err(error) => {
                    let wait = self.unheard(&waits, error)?;
                    // What the others said counts all the same: a primary must not wait for its standby's node.
                    let done = is_done(&loaded, &observed);
                    let (id, asked) = (cx.id.clone(), asked(&loaded));
                    let said = said(&loaded, observed);
                    return Ok(wait.with(move |cx| settle(cx, &id, asked, done, &said)));
                }
            }
            self.heard(&waits);
            if observed.last().is_some_and(|seen| seen.phase == Phase::Seeding) {
                return self.seed(&loaded, member).await;
            }
        }
        let reached = has_reached(&loaded, &observed, loaded.members.len());
        let (id, asked) = (cx.id.clone(), asked(&loaded));
        // One that starts again after its node did has reached what is wanted long ago, and does not serve yet.
        let next = match reached {
            true if observed
                .iter()
                .any(|seen| matches!(seen.phase, Phase::Working | Phase::Fenced)) =>
            {
                STARTS
            }
            true => REST,
            false => SOON,
        };
        let done = is_done(&loaded, &observed);
        let said = said(&loaded, observed);
        Ok(Next::Wait(next).with(move |cx| settle(cx, &id, asked, done, &said)))
    }

    /// A node that is away or silent is not a broken task: it is tried for as long as it takes.
    fn unheard(&self, id: &str, error: nodes::Error) -> Result<Next<State>, StepError> {
        match error {
            // The rows were changed meanwhile, and a newer step was there first.
            nodes::Error::Refused { status: 409, .. } => return Ok(Next::Wait(SOON)),
            nodes::Error::Refused { status: 400..=499, .. } => {
                return Err(StepError::broken(error));
            }
            _ => {}
        }
        if self.away.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned()) {
            tracing::warn!(instance = id, %error, "an instance waits for its node");
        }
        Ok(Next::Wait(AWAY))
    }

    fn heard(&self, id: &str) {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Signs what the server shows under the names that it has now.
    async fn certify(
        &self,
        cx: &StepCx,
        instance: Instance,
        names: Vec<String>,
    ) -> Result<Step<State>, StepError> {
        let issued = self.authority.issue(&names, Purpose::Server).map_err(StepError::broken)?;
        let issued = Arc::new(issued);
        let now = cx.cloud.clock.now();
        let id = instance.id;
        Ok(Next::Go(State::Converge).with(move |cx| {
            let Some(mut instance) = instance::find(cx.tx(), &id)? else { return Ok(()) };
            let seal = Arc::clone(&cx.cloud.seal);
            let mut secrets = instance.secrets(&seal)?;
            secrets.certificate.clone_from(&issued.certificate);
            secrets.key.clone_from(issued.key.expose());
            secrets.names.clone_from(&names);
            secrets.issued = now.micros();
            instance.set_secrets(&seal, &secrets)?;
            instance::save(cx.tx(), &instance)
        }))
    }

    /// Sends the node what a restored instance begins with: a job of its own, which this polls.
    async fn seed(&self, loaded: &Loaded, member: &Member) -> Result<Step<State>, StepError> {
        let Origin::Archive { instance, backup, until } = &loaded.instance.origin else {
            return Err(StepError::broken("a node waits for data that nobody has to send"));
        };
        let from = restore::From {
            instance: instance.clone(),
            backup: backup.clone(),
            until: until.map(Time::from_micros),
        };
        match self.seeds.poll(&from, &member.site, &loaded.instance.id).await {
            restore::Progress::Running => Ok(Next::Wait(SOON).into()),
            restore::Progress::Failed(reason) => Err(StepError::transient(reason)),
            restore::Progress::Sent => {
                let id = loaded.instance.id.clone();
                Ok(Next::Go(State::Converge).with(move |cx| {
                    let Some(mut instance) = instance::find(cx.tx(), &id)? else { return Ok(()) };
                    instance.options.seeded = true;
                    instance.generation += 1;
                    instance::save(cx.tx(), &instance)
                }))
            }
        }
    }

    /// Takes it off its nodes, then out of the rows and the bill.
    async fn remove(&self, cx: &StepCx, loaded: &Loaded) -> Result<Step<State>, StepError> {
        for member in &loaded.members {
            let gone = self.nodes.delete(&member.site, &cx.id, loaded.instance.term).await;
            if let Err(error) = gone {
                return Ok(self.unheard(&cx.id, error)?.into());
            }
        }
        self.heard(&cx.id);
        let id = cx.id.clone();
        Ok(Next::Done.with(move |cx| forget(cx, &id)))
    }
}

impl engine::task::Machine for Instances {
    const KIND: &'static str = KIND;
    const CONCURRENCY: usize = 16;
    type State = State;

    async fn step(&self, cx: &StepCx, State::Converge: State) -> Result<Step<State>, StepError> {
        self.converge(cx).await
    }
}

/// What the primary is told to end in order before another takes over; `None` where the instance is gone.
pub(crate) fn stopped_primary(
    tx: &mut Tx<'_>,
    cloud: &engine::Cloud,
    id: &str,
) -> Result<Option<Spec>, ApiError> {
    let Some(loaded) = spec::load(tx, cloud, id)? else { return Ok(None) };
    let Some(primary) = loaded.members.iter().find(|member| member.primary) else {
        return Ok(None);
    };
    let spec = spec::of(&loaded, primary, &[]).map_err(|error| ApiError::internal(error.reason))?;
    Ok(Some(Spec { running: false, ..spec }))
}

/// Of which term and generation it was that nodes were told.
fn asked(loaded: &Loaded) -> (i64, i64) {
    (loaded.instance.term, loaded.instance.generation)
}

/// What nodes said, with the data centre of each.
fn said(loaded: &Loaded, observed: Vec<Observed>) -> Vec<(String, Observed)> {
    loaded.members.iter().map(|member| member.site.clone()).zip(observed).collect()
}

/// Whether so many members, the primary first, have done everything that is wanted.
fn has_reached(loaded: &Loaded, observed: &[Observed], members: usize) -> bool {
    observed.len() >= members
        && observed[..members].iter().all(|seen| seen.generation >= loaded.instance.generation)
}

/// Whether an instance is what it is wanted to be, for its clients and its owner. Where it serves that is the primary's
/// to say: a standby that was there once comes after in its own time, which its lag shows. One that never was there is
/// what makes an instance highly available, and is waited for; so is a standby that is to end.
fn is_done(loaded: &Loaded, observed: &[Observed]) -> bool {
    let follower = |member: &Member| !member.primary && member.observed.generation > 0;
    let serves = loaded.instance.wanted == Wanted::Running
        && observed.first().is_some_and(|seen| seen.phase == Phase::Serving)
        && loaded.members.iter().skip(1).all(follower);
    has_reached(loaded, observed, if serves { 1 } else { loaded.members.len() })
}

/// Records what the nodes said, and where it is done, what the instance is now.
fn settle(
    cx: &mut Cx<'_>,
    id: &str,
    (term, generation): (i64, i64),
    done: bool,
    said: &[(String, Observed)],
) -> Result<(), ApiError> {
    // What was said to one primary is nothing that another did.
    let found = instance::find(cx.tx(), id)?.filter(|instance| instance.term == term);
    let Some(mut instance) = found else { return Ok(()) };
    let now = cx.now;
    for mut member in member::of(cx.tx(), id)? {
        let Some((_, seen)) = said.iter().find(|(site, _)| *site == member.site) else { continue };
        // Only where clients are led elsewhere: every instance is looked at each minute.
        let led = (&member.host, member.port, member.observed.phase, member.observed.generation);
        if led != (&seen.host, seen.port, seen.phase, seen.generation) {
            tables::route::changed(cx.tx());
        }
        member.host.clone_from(&seen.host);
        member.port = seen.port;
        let counted = std::mem::replace(&mut member.observed, seen.clone()).storage_bytes;
        if seen.storage_bytes == 0 {
            member.observed.storage_bytes = counted; // its node does not know yet
        }
        member.seen = now;
        member::put(cx.tx(), &member)?;
    }
    // What was asked meanwhile is the next step's.
    if !done || instance.generation != generation {
        return Ok(());
    }
    if instance.settled != generation {
        let refused = said.first().map(|(_, seen)| seen.refused.as_slice()).unwrap_or_default();
        parts::settle(cx.tx(), id, refused)?;
        instance.settled = generation;
        instance.status = match instance.wanted {
            Wanted::Running => Status::Running,
            Wanted::Stopped => Status::Stopped,
            Wanted::Gone => instance.status,
        };
        cx.audit_resource(format!("acs:rds:*:{}:dbinstance/{id}", instance.account));
        usage::keep(cx, &mut instance);
        instance::save(cx.tx(), &instance)?;
    }
    Ok(())
}

/// The last commit of an instance: its rows, its usage and its places end together.
pub(crate) fn forget(cx: &mut Cx<'_>, id: &str) -> Result<(), ApiError> {
    let Some(mut instance) = instance::find(cx.tx(), id)? else { return Ok(()) };
    let sites: Vec<String> =
        member::of(cx.tx(), id)?.into_iter().map(|member| member.site).collect();
    if schedule::release(cx, &instance)? {
        parts::retire(cx.tx(), id)?;
    } else {
        parts::remove(cx.tx(), id)?;
    }
    let_go(cx, &mut instance, &sites)
}

/// What ends with an instance, whoever kept it, besides what a clone of it would begin with: its usage, its places and
/// its rows.
pub(crate) fn let_go(
    cx: &mut Cx<'_>,
    instance: &mut Instance,
    sites: &[String],
) -> Result<(), ApiError> {
    usage::close(cx, instance);
    places::state_removed(cx, instance.account, instance.data_class, sites, "instances", -1);
    let id = &instance.id;
    tables::host::remove(cx.tx(), id)?;
    tables::ip_array::remove_all(cx.tx(), id)?;
    tables::tag::remove_all(cx.tx(), id)?;
    member::remove(cx.tx(), id)?;
    instance::remove(cx.tx(), id)
}

impl Spec {
    /// The same but for what must not be told: for logs.
    pub fn describe(&self) -> String {
        format!("{} generation {} term {} {:?}", self.id, self.generation, self.term, self.role)
    }
}
