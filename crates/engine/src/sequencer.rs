//! The sequencer: committed audit rows become leaves of the public log.
//!
//! Places are assigned here and not when a row is written, because the order in which transactions
//! commit is known only afterwards. Each turn gives the waiting rows their places in one commit, then
//! publishes them as tiles and a signed checkpoint. A crash between the two publishes the same leaves
//! again, byte for byte. The database decides the order; the files can be rebuilt from it.
//!
//! With witnesses ([`Witnesses`]) the tiles are written first, and the checkpoint is published when
//! enough of them have cosigned it; until then readers see the one before, and the next turn tries again
//! over what has come meanwhile. So nobody is ever shown a checkpoint that the witnesses have not seen.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{ApiError, Secret, Time};
use store::{Tx, params};
use tlog::{DirectoryWriter, Note, Policy, Publisher, Signer};

use crate::task::{Machine, Next, Step, StepCx, StepError};
use crate::{Cloud, audit};

mod cosigners;

use cosigners::Cosigners;
pub use cosigners::Witnesses;

/// The task's kind, which every committed audit row wakes.
pub const KIND: &str = "engine.sequencer";

/// Leaves in one checkpoint at most, so that a turn stays short.
const BATCH: i64 = 4096;
/// The least time between two checkpoints: one for each request would be all `fsync` and no leaves.
const PERIOD: Duration = Duration::from_millis(200);
/// Without a wake, look again after this.
const IDLE: Duration = Duration::from_secs(60);
/// Look again after this where a checkpoint waits for witnesses.
const WAITING: Duration = Duration::from_secs(1);

/// Publishes the log of one cloud.
pub struct Sequencer {
    dir: PathBuf,
    key: Secret<String>,
    cosigners: Option<Arc<Cosigners>>,
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    publisher: Option<Publisher<DirectoryWriter>>,
    last: Option<Time>,
    /// Since when a checkpoint waits for witnesses.
    waiting: Option<Time>,
}

/// What a turn left behind.
struct Outcome {
    /// Committed rows have no place yet.
    more: bool,
    /// A checkpoint waits for witnesses.
    waits: bool,
}

impl Sequencer {
    /// Publishes below `dir`, signed by `signer`.
    pub fn new(dir: PathBuf, signer: &Signer) -> Arc<Self> {
        Arc::new(Self::build(dir, signer, None))
    }

    /// As [`Sequencer::new`], but publishes only what the witnesses of a policy have cosigned; they are
    /// asked over `witnesses`.
    ///
    /// # Errors
    /// Where the policy cannot be met, in words for the operator.
    pub fn witnessed(
        dir: PathBuf,
        signer: &Signer,
        policy: Policy,
        witnesses: Arc<dyn Witnesses>,
    ) -> Result<Arc<Self>, String> {
        let cosigners = Cosigners::new(policy, witnesses, dir.clone(), signer.verifier())?;
        Ok(Arc::new(Self::build(dir, signer, Some(cosigners))))
    }

    fn build(dir: PathBuf, signer: &Signer, cosigners: Option<Arc<Cosigners>>) -> Self {
        Self { dir, key: signer.text(), cosigners, turn: Mutex::default() }
    }

    /// Publishes everything that is committed now, as far as the witnesses let it.
    ///
    /// # Errors
    /// Where the database or the log's directory does not take it; nothing is lost then, and the next
    /// turn begins where this one failed.
    pub async fn publish_pending(self: &Arc<Self>, cloud: &Arc<Cloud>) -> Result<(), StepError> {
        while self.turn(cloud).await?.more {}
        Ok(())
    }

    /// One checkpoint over what is committed now, as much as fits.
    async fn turn(self: &Arc<Self>, cloud: &Arc<Cloud>) -> Result<Outcome, StepError> {
        let assigned = cloud.db.write(assign).await?;
        let noted = cloud.db.read(|tx| state(tx, "published")).await?;
        let staged = self.stage(cloud, noted, assigned).await?;
        let waits = match staged {
            Some(note) => !self.release(cloud, noted, note).await?,
            None => false,
        };
        let published = self.with_publisher(noted, |publisher| Ok(publisher.size())).await?;
        let published = i64::try_from(published).map_err(StepError::broken)?;
        if published > noted {
            cloud.db.write(move |tx| set_published(tx, published)).await?;
        }
        cloud.metrics.gauge("awan_log_leaves", "Leaves in the published log.", published);
        cloud.metrics.gauge(
            "awan_log_waiting_leaves",
            "Leaves that have a place in the log and are not published yet.",
            assigned - published,
        );
        let more = !cloud.db.read(move |tx| audit::unsequenced(tx, 1)).await?.is_empty();
        Ok(Outcome { more, waits })
    }

    /// Writes the tiles of the leaves up to `assigned`; the signed checkpoint over them, unless it is
    /// published already.
    async fn stage(
        self: &Arc<Self>,
        cloud: &Arc<Cloud>,
        noted: i64,
        assigned: i64,
    ) -> Result<Option<Note>, StepError> {
        let mut size = self.with_publisher(noted, |publisher| Ok(publisher.staged_size())).await?;
        if i64::try_from(size).map_err(StepError::broken)? > assigned {
            return Err(StepError::broken(format!(
                "the log has {size} leaves and the database knows of {assigned}: \
                 it is older than the log, and its rows cannot be given places that others have"
            )));
        }
        loop {
            let from = i64::try_from(size).map_err(StepError::broken)?;
            let until = assigned.min(from + BATCH);
            let entries = cloud.db.read(move |tx| audit::sequenced(tx, from, until)).await?;
            if i64::try_from(entries.len()).map_err(StepError::broken)? != (until - from).max(0) {
                return Err(StepError::broken(format!(
                    "the log's rows {from}..{until} are not all there"
                )));
            }
            let leaves: Vec<_> = entries.iter().map(audit::Entry::leaf).collect();
            let (reached, staged) = self
                .with_publisher(noted, move |publisher| {
                    let staged = publisher.stage(leaves).map_err(StepError::transient)?.cloned();
                    Ok((publisher.staged_size(), staged))
                })
                .await?;
            size = reached;
            if until >= assigned {
                return Ok(staged);
            }
        }
    }

    /// Publishes the staged checkpoint, if the witnesses let it; says whether they did.
    async fn release(
        self: &Arc<Self>,
        cloud: &Arc<Cloud>,
        noted: i64,
        note: Note,
    ) -> Result<bool, StepError> {
        let note = match &self.cosigners {
            None => note,
            Some(cosigners) => {
                let (cosigned, met) = cosigners.gather(note, &cloud.clock).await;
                match met {
                    Ok(count) => self.witnessed_by(cloud, count),
                    Err(unmet) => {
                        self.waits_for(cloud, &unmet);
                        return Ok(false);
                    }
                }
                cosigned
            }
        };
        self.with_publisher(noted, move |publisher| {
            publisher.release(&note).map(|_| true).map_err(StepError::transient)
        })
        .await
    }

    /// Notes that a checkpoint is let through by so many witnesses.
    fn witnessed_by(&self, cloud: &Cloud, count: usize) {
        if let Some(since) = self.lock().waiting.take() {
            let seconds = cloud.clock.now().since(since).as_secs();
            tracing::info!(seconds, "enough witnesses cosign again; the log is published on");
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let help = "Witnesses that cosigned the published checkpoint.";
        cloud.metrics.gauge("awan_log_cosignatures", help, count);
        cloud.metrics.gauge(WAITING_METRIC, WAITING_HELP, 0);
    }

    /// Says once that publishing waits, and for whom; the metric says for how long.
    fn waits_for(&self, cloud: &Cloud, unmet: &tlog::policy::Unmet) {
        let now = cloud.clock.now();
        let mut turn = self.lock();
        if turn.waiting.is_none() {
            tracing::warn!(%unmet, "the log waits for its witnesses and publishes nothing meanwhile");
        }
        let seconds = now.since(*turn.waiting.get_or_insert(now)).as_secs();
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).max(1);
        cloud.metrics.gauge(WAITING_METRIC, WAITING_HELP, seconds);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Turn> {
        self.turn.lock().expect("a publisher that panicked is not used again")
    }

    /// Runs `work` with the publisher on a blocking thread; opens it the first time.
    async fn with_publisher<T: Send + 'static>(
        self: &Arc<Self>,
        published: i64,
        work: impl FnOnce(&mut Publisher<DirectoryWriter>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StepError> {
        let this = Arc::clone(self);
        let run = move || {
            let mut turn = this.lock();
            if turn.publisher.is_none() {
                let store = DirectoryWriter::open(&this.dir).map_err(StepError::transient)?;
                let size = u64::try_from(published).map_err(StepError::broken)?;
                let signer = Signer::parse(&this.key).map_err(StepError::broken)?;
                turn.publisher =
                    Some(Publisher::open(store, signer, size).map_err(StepError::broken)?);
            }
            work(turn.publisher.as_mut().expect("it was opened just now"))
        };
        tokio::task::spawn_blocking(run).await.map_err(StepError::broken)?
    }

    /// Waits until the last turn is a period ago.
    async fn pace(&self, now: Time) {
        let wait = {
            let mut turn = self.lock();
            let wait =
                turn.last.map_or(Duration::ZERO, |last| PERIOD.saturating_sub(now.since(last)));
            turn.last = Some(now.plus(wait));
            wait
        };
        tokio::time::sleep(wait).await;
    }
}

impl Machine for Arc<Sequencer> {
    const KIND: &'static str = KIND;
    const CONCURRENCY: usize = 1;
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        self.pace(cx.cloud.clock.now()).await;
        // One turn a step: the pace holds, and the lease is renewed, however much is written.
        let Outcome { more, waits } = self.turn(&cx.cloud).await?;
        Ok(match (more, waits) {
            (true, _) => Next::Go(()),
            (false, true) => Next::Wait(WAITING),
            (false, false) => Next::Wait(IDLE),
        }
        .into())
    }
}

const WAITING_METRIC: &str = "awan_log_witness_wait_seconds";
const WAITING_HELP: &str =
    "How long a checkpoint has waited for its witnesses, counted from one; 0 where none waits.";

/// Gives waiting rows the next places; returns how many places are given now.
fn assign(tx: &mut Tx<'_>) -> Result<i64, ApiError> {
    let before = state(tx, "assigned")?;
    let given = i64::try_from(audit::sequence(tx, before, BATCH)?).map_err(ApiError::internal)?;
    let assigned = before + given;
    if given == 0 {
        return Ok(assigned);
    }
    tx.execute("UPDATE log_state SET assigned = ?1 WHERE id = 1", params![assigned])?;
    Ok(assigned)
}

fn state(tx: &mut Tx<'_>, column: &'static str) -> Result<i64, ApiError> {
    let sql = format!("SELECT {column} FROM log_state WHERE id = 1");
    let value = tx.query_opt(&sql, &[], |row| row.get(0))?;
    value.ok_or_else(|| ApiError::internal("the log's state row is gone"))
}

fn set_published(tx: &mut Tx<'_>, size: i64) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE log_state SET published = ?1 WHERE id = 1 AND published < ?1",
        params![size],
    )?;
    Ok(())
}
