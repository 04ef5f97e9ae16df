//! Long-running work: a row for each thing that is on its way to its desired state, and the runner
//! that takes the next step of what is due.
//!
//! A step performs at most one outside effect, harmless when repeated; its state (and what its
//! `commit` writes) is committed after it, so a crash between the two repeats the effect. A step
//! holds a lease; the lease's epoch is checked by that commit, so that a runner that was paused past
//! its lease cannot overwrite its successor. Wakes are hints that save waiting; the scan of due rows
//! is the truth.
//!
//! A claimed row is due when its lease ends. So a row that is due *before* that was woken while its step
//! ran, and stays due when the step is settled: no wake is lost to a step that had looked already.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{ApiError, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Tx, params};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::context::NewTask;
use crate::{Caller, Cloud, Cx, Meta, RequestInfo};

/// How long a claimed step may take before another runner may claim it.
const LEASE: Duration = Duration::from_secs(60);
/// How often the due rows are scanned when nothing wakes the runner.
const SCAN: Duration = Duration::from_secs(1);
/// The longest wait after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Rows claimed in one go.
const CLAIM_MAX: i64 = 64;

/// What a step acts with.
pub struct StepCx {
    /// What the whole program shares.
    pub cloud: Arc<Cloud>,
    /// The resource.
    pub id: String,
    /// Travels with every outside effect; hosts refuse an older one.
    pub epoch: i64,
}

/// Writes that belong into the commit of a step's new state.
pub type Commit = Box<dyn FnMut(&mut Cx<'_>) -> Result<(), ApiError> + Send>;

/// Where a task goes after a step.
pub enum Next<S> {
    /// To another state, at once.
    Go(S),
    /// Nowhere, until so much time has passed or something wakes it.
    Wait(Duration),
    /// Away: the row is deleted.
    Done,
}

/// What a step leaves behind.
pub struct Step<S> {
    next: Next<S>,
    commit: Option<Commit>,
}

impl<S> From<Next<S>> for Step<S> {
    fn from(next: Next<S>) -> Self {
        Self { next, commit: None }
    }
}

impl<S> Next<S> {
    /// Adds writes to the commit of the new state: usage spans, rows.
    pub fn with(
        self,
        commit: impl FnMut(&mut Cx<'_>) -> Result<(), ApiError> + Send + 'static,
    ) -> Step<S> {
        Step { next: self, commit: Some(Box::new(commit)) }
    }
}

/// Why a step failed. The task stays and tries again, later each time.
#[derive(Debug)]
pub struct StepError {
    /// True where trying again may help (an outside system is down); false where a human must look.
    pub transient: bool,
    /// What went wrong.
    pub reason: String,
}

impl StepError {
    /// Something outside failed; trying again may help.
    pub fn transient(reason: impl std::fmt::Display) -> Self {
        Self { transient: true, reason: reason.to_string() }
    }

    /// Something is broken that time does not mend.
    pub fn broken(reason: impl std::fmt::Display) -> Self {
        Self { transient: false, reason: reason.to_string() }
    }
}

impl From<ApiError> for StepError {
    fn from(error: ApiError) -> Self {
        Self { transient: true, reason: format!("{error:?}") }
    }
}

/// A kind of task.
pub trait Machine: Send + Sync + 'static {
    /// Stored in every row, so it is never renamed.
    const KIND: &'static str;
    /// How many run at once.
    const CONCURRENCY: usize = 8;
    /// Where a task can be; stored as JSON text, so old forms must stay readable.
    type State: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// How long a task may stay in a state before somebody must be told.
    fn deadline(_state: &Self::State) -> Option<Duration> {
        None
    }

    /// Takes one step. It must last less than a quarter of the lease; longer work is started by name
    /// and then polled.
    fn step(
        &self,
        cx: &StepCx,
        state: Self::State,
    ) -> impl Future<Output = Result<Step<Self::State>, StepError>> + Send;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A machine with its state type erased.
trait AnyMachine: Send + Sync {
    fn step<'a>(&'a self, cx: &'a StepCx, state: &'a str) -> Boxed<'a, Result<AnyStep, StepError>>;
}

struct AnyStep {
    next: Next<(String, Option<Duration>)>,
    commit: Option<Commit>,
}

impl<M: Machine> AnyMachine for M {
    fn step<'a>(&'a self, cx: &'a StepCx, state: &'a str) -> Boxed<'a, Result<AnyStep, StepError>> {
        Box::pin(async move {
            let state = serde_json::from_str(state).map_err(|error| {
                StepError::broken(format!("state {state:?} is not readable: {error}"))
            })?;
            let Step { next, commit } = Machine::step(self, cx, state).await?;
            let next = match next {
                Next::Go(state) => Next::Go((encode(&state)?, M::deadline(&state))),
                Next::Wait(time) => Next::Wait(time),
                Next::Done => Next::Done,
            };
            Ok(AnyStep { next, commit })
        })
    }
}

fn encode<S: Serialize>(state: &S) -> Result<String, StepError> {
    serde_json::to_string(state).map_err(StepError::broken)
}

/// Wakes the runner before the next scan.
#[derive(Default)]
pub struct Wakes(Arc<Woken>);

#[derive(Default)]
struct Woken {
    kinds: Mutex<BTreeSet<&'static str>>,
    notify: Notify,
}

impl Wakes {
    /// Makes all tasks of a kind due.
    pub fn wake(&self, kind: &'static str) {
        self.0.wake(kind);
    }

    /// As [`Self::wake`], when the transaction commits.
    pub fn wake_on_commit(&self, tx: &mut Tx<'_>, kind: &'static str) {
        let woken = Arc::clone(&self.0);
        tx.on_commit(move || woken.wake(kind));
    }

    /// Looks for due tasks at once when the transaction commits.
    fn look_on_commit(&self, tx: &mut Tx<'_>) {
        let woken = Arc::clone(&self.0);
        tx.on_commit(move || woken.notify.notify_one());
    }

    fn take(&self) -> Vec<&'static str> {
        let mut kinds = self.0.kinds.lock().expect("nothing panics while it holds this lock");
        std::mem::take(&mut *kinds).into_iter().collect()
    }
}

impl Woken {
    fn wake(&self, kind: &'static str) {
        let new = self.kinds.lock().expect("nothing panics while it holds this lock").insert(kind);
        if new {
            self.notify.notify_one();
        }
    }
}

/// Writes a task row; a task that is there already goes to the new state.
pub(crate) fn upsert(tx: &mut Tx<'_>, cloud: &Arc<Cloud>, new: &NewTask) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO task (kind, id, state, due_at, lease_until, lease_epoch, attempt, deadline_at)
         VALUES (?1, ?2, ?3, ?4, 0, 0, 0, NULL)
         ON CONFLICT (kind, id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at,
             attempt = 0, lease_epoch = task.lease_epoch + 1, lease_until = 0",
        params![new.kind, &new.id, &new.state, new.due],
    )?;
    // The row says itself when it is due; others of its kind need not be looked at for it.
    cloud.wakes.look_on_commit(tx);
    Ok(())
}

/// Makes sure that the one task of a housekeeping kind is there.
pub fn ensure(tx: &mut Tx<'_>, kind: &str, state: &str, due: Time) -> Result<(), ApiError> {
    tx.execute(
        "INSERT INTO task (kind, id, state, due_at, lease_until, lease_epoch, attempt, deadline_at)
         VALUES (?1, '', ?2, ?3, 0, 0, 0, NULL) ON CONFLICT (kind, id) DO NOTHING",
        params![kind, state, due],
    )?;
    Ok(())
}

/// A claimed row.
struct Claim {
    kind: String,
    id: String,
    state: String,
    epoch: i64,
    attempt: i64,
}

/// Runs machines until it is told to drain.
pub struct Runner {
    cloud: Arc<Cloud>,
    machines: HashMap<&'static str, (Arc<dyn AnyMachine>, Arc<Semaphore>)>,
}

impl Runner {
    /// A runner without machines.
    pub fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud, machines: HashMap::new() }
    }

    /// Adds a kind.
    #[must_use]
    pub fn with<M: Machine>(mut self, machine: M) -> Self {
        self.machines
            .insert(M::KIND, (Arc::new(machine), Arc::new(Semaphore::new(M::CONCURRENCY))));
        self
    }

    /// Adds a kind of which there is exactly one task, beginning at `state`. It is due at once, and no
    /// lease holds it up: the one that a killed process left behind would for a minute. Should the
    /// other process live, its epoch fences its step.
    ///
    /// # Errors
    /// Where the row cannot be written.
    pub async fn with_one<M: Machine>(
        self,
        machine: M,
        state: &M::State,
    ) -> Result<Self, ApiError> {
        let state = encode(state).map_err(|error| ApiError::internal(error.reason))?;
        let now = self.cloud.clock.now();
        let began = move |tx: &mut Tx<'_>| {
            ensure(tx, M::KIND, &state, now)?;
            let sql = "UPDATE task SET due_at = ?2, lease_until = 0 WHERE kind = ?1 AND id = ''";
            tx.execute(sql, params![M::KIND, now])?;
            Ok::<_, ApiError>(())
        };
        self.cloud.db.write(began).await?;
        Ok(self.with(machine))
    }

    /// Takes steps until `drain` turns true; then finishes the steps that are under way.
    pub async fn run(self, mut drain: watch::Receiver<bool>) {
        let runner = Arc::new(self);
        let mut steps = JoinSet::new();
        while !*drain.borrow() {
            runner.clone().start_due(&mut steps).await;
            while steps.try_join_next().is_some() {}
            tokio::select! {
                () = runner.cloud.wakes.0.notify.notified() => {}
                () = tokio::time::sleep(SCAN) => {}
                _ = drain.changed() => {}
            }
        }
        while steps.join_next().await.is_some() {}
    }

    async fn start_due(self: Arc<Self>, steps: &mut JoinSet<()>) {
        match self.claim().await {
            Ok(claims) => {
                for claim in claims {
                    let runner = Arc::clone(&self);
                    steps.spawn(async move { runner.step(claim).await });
                }
            }
            Err(error) => tracing::error!(?error, "claim due tasks"),
        }
    }

    /// Takes every due task that can be run now. A scan that finds nothing writes nothing, and so does
    /// a wake of a task that is due already.
    async fn claim(&self) -> Result<Vec<Claim>, ApiError> {
        let now = self.cloud.clock.now();
        let woken = self.cloud.wakes.take();
        let kinds: Vec<&'static str> = self.machines.keys().copied().collect();
        let looked_for = woken.clone();
        if !self.cloud.db.read(move |tx| is_any_due(tx, &looked_for, now)).await? {
            return Ok(Vec::new());
        }
        self.cloud.db.write(move |tx| claim(tx, &kinds, &woken, now)).await
    }

    async fn step(&self, claim: Claim) {
        let Some((machine, permits)) = self.machines.get(claim.kind.as_str()) else { return };
        let Ok(_permit) = permits.acquire().await else { return };
        let cx =
            StepCx { cloud: Arc::clone(&self.cloud), id: claim.id.clone(), epoch: claim.epoch };
        let machine = Arc::clone(machine);
        let state = claim.state.clone();
        // A panic in a step is that task's failure, not the runner's.
        let outcome = tokio::spawn(async move { machine.step(&cx, &state).await }).await;
        let outcome = outcome.unwrap_or_else(|panic| Err(StepError::broken(panic)));
        if let Err(error) = self.settle(claim, outcome).await {
            tracing::error!(?error, "commit a task's step");
        }
    }

    async fn settle(
        &self,
        claim: Claim,
        outcome: Result<AnyStep, StepError>,
    ) -> Result<(), ApiError> {
        let now = self.cloud.clock.now();
        let cloud = Arc::clone(&self.cloud);
        let (next, mut commit) = match outcome {
            Ok(step) => (Settled::from(step.next), step.commit),
            Err(error) => {
                let wait = self.backoff(claim.attempt);
                let Claim { kind, id, state, attempt, .. } = &claim;
                if error.transient && *attempt < 5 {
                    tracing::warn!(
                        kind,
                        id,
                        state,
                        attempt,
                        reason = error.reason,
                        "a task's step failed"
                    );
                } else {
                    tracing::error!(
                        kind,
                        id,
                        state,
                        attempt,
                        reason = error.reason,
                        "a task's step keeps failing"
                    );
                }
                (Settled { state: None, due: Some(wait), deadline: None, failed: true }, None)
            }
        };
        self.cloud
            .db
            .write(move |tx| {
                if !store_step(tx, &claim, &next, now)? {
                    return Ok(()); // another runner holds the lease now; its work stands
                }
                match &mut commit {
                    Some(commit) => within(&cloud, tx, commit),
                    None => Ok(()),
                }
            })
            .await?;
        // It may be due again: by its own wish, or because it was woken meanwhile.
        self.cloud.wakes.0.notify.notify_one();
        Ok(())
    }

    /// Doubles from 100 ms to a minute, with half of it random so that failures do not march in step.
    fn backoff(&self, attempt: i64) -> Duration {
        let base = Duration::from_millis(100)
            * 2u32.saturating_pow(u32::try_from(attempt.clamp(0, 16)).unwrap_or(16));
        let base = base.min(BACKOFF_MAX);
        let [random] = self.cloud.rng.bytes::<1>();
        base / 2 + base / 2 * u32::from(random) / 255
    }
}

/// What is stored after a step. `due: None` deletes the row.
struct Settled {
    state: Option<String>,
    due: Option<Duration>,
    deadline: Option<Duration>,
    failed: bool,
}

impl From<Next<(String, Option<Duration>)>> for Settled {
    fn from(next: Next<(String, Option<Duration>)>) -> Self {
        let (state, due, deadline) = match next {
            Next::Go((state, deadline)) => (Some(state), Some(Duration::ZERO), deadline),
            Next::Wait(time) => (None, Some(time), None),
            Next::Done => (None, None, None),
        };
        Self { state, due, deadline, failed: false }
    }
}

/// Whether a task is due, or would be after these wakes.
fn is_any_due(tx: &mut Tx<'_>, woken: &[&str], now: Time) -> Result<bool, ApiError> {
    let one = |row: &store::Row<'_>| row.get::<i64>(0);
    let due = "SELECT 1 FROM task WHERE due_at <= ?1 AND lease_until <= ?1 LIMIT 1";
    if tx.query_opt(due, params![now], one)?.is_some() {
        return Ok(true);
    }
    for kind in woken {
        let asleep = "SELECT 1 FROM task WHERE kind = ?1 AND due_at > ?2 LIMIT 1";
        if tx.query_opt(asleep, params![*kind, now], one)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn claim(
    tx: &mut Tx<'_>,
    kinds: &[&str],
    woken: &[&str],
    now: Time,
) -> Result<Vec<Claim>, ApiError> {
    for kind in woken {
        tx.execute(
            "UPDATE task SET due_at = ?2 WHERE kind = ?1 AND due_at > ?2",
            params![*kind, now],
        )?;
    }
    let due = tx.query(
        "SELECT kind, id, state, lease_epoch, attempt FROM task WHERE due_at <= ?1 AND lease_until <= ?1
         ORDER BY due_at LIMIT ?2",
        params![now, CLAIM_MAX],
        |row| {
            Ok(Claim { kind: row.get(0)?, id: row.get(1)?, state: row.get(2)?, epoch: row.get(3)?, attempt: row.get(4)? })
        },
    )?;
    let mut claims = Vec::new();
    for mut claim in due.into_iter().filter(|claim| kinds.contains(&claim.kind.as_str())) {
        claim.epoch += 1;
        tx.execute(
            "UPDATE task SET due_at = ?3, lease_until = ?3, lease_epoch = ?4 WHERE kind = ?1 AND id = ?2",
            params![&claim.kind, &claim.id, now.plus(LEASE), claim.epoch],
        )?;
        claims.push(claim);
    }
    Ok(claims)
}

/// Stores where a task went. False where the lease is another's by now. A task that was woken during its
/// step is due at once, unless the step failed: then it waits its time and looks anew anyway.
fn store_step(tx: &mut Tx<'_>, claim: &Claim, next: &Settled, now: Time) -> Result<bool, ApiError> {
    let Some(due) = next.due else {
        let sql = "DELETE FROM task WHERE kind = ?1 AND id = ?2 AND lease_epoch = ?3";
        return Ok(tx.execute(sql, params![&claim.kind, &claim.id, claim.epoch])? == 1);
    };
    let attempt = if next.failed { claim.attempt + 1 } else { 0 };
    let state = next.state.as_ref().unwrap_or(&claim.state);
    let deadline = next.deadline.map(|time| now.plus(time));
    let stored = tx.execute(
        "UPDATE task SET state = ?4, attempt = ?6, lease_until = 0,
             due_at = CASE WHEN ?9 = 0 AND due_at < lease_until AND due_at < ?5 THEN due_at ELSE ?5 END,
             deadline_at = CASE WHEN ?7 = 1 THEN ?8 ELSE deadline_at END
         WHERE kind = ?1 AND id = ?2 AND lease_epoch = ?3",
        params![
            &claim.kind,
            &claim.id,
            claim.epoch,
            state,
            now.plus(due),
            attempt,
            i64::from(next.state.is_some()),
            deadline,
            i64::from(next.failed)
        ],
    )?;
    Ok(stored == 1)
}

/// Runs a step's commit with everything a handler's commit has.
fn within(cloud: &Arc<Cloud>, tx: &mut Tx<'_>, commit: &mut Commit) -> Result<(), ApiError> {
    const META: Meta = Meta::write("awan", "2026-01-01", "Task").public();
    crate::cloud::enter(cloud, tx, &META, &Caller::system(), &RequestInfo::default(), commit)
}

/// Tasks that have been in their state for longer than they should: kind, id and state of each.
pub fn overdue(tx: &mut Tx<'_>, now: Time) -> Result<Vec<(String, String, String)>, ApiError> {
    let sql = "SELECT kind, id, state FROM task WHERE deadline_at IS NOT NULL AND deadline_at < ?1 LIMIT 100";
    Ok(tx.query(sql, params![now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
}

/// Housekeeping of the shared path: forgets expired nonces and client tokens, and tells of tasks that
/// missed their deadline.
pub struct Housekeeping;

impl Machine for Housekeeping {
    const KIND: &'static str = "engine.housekeeping";
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        let now = cx.cloud.clock.now();
        cx.cloud.db.write(move |tx| crate::replay::purge(tx, now)).await?;
        let late = cx.cloud.db.read(move |tx| overdue(tx, now)).await?;
        for (kind, id, state) in &late {
            tracing::error!(kind, id, state, "a task missed its deadline");
        }
        let count = i64::try_from(late.len()).unwrap_or(i64::MAX);
        cx.cloud.metrics.gauge(
            "awan_tasks_overdue",
            "Tasks that missed their deadline (counted to 100).",
            count,
        );
        Ok(Next::Wait(Duration::from_secs(60)).into())
    }
}
