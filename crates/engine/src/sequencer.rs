//! The sequencer: committed audit rows become leaves of the public log.
//!
//! Places are assigned here and not when a row is written, because the order in which transactions
//! commit is known only afterwards. Each turn gives the waiting rows their places in one commit, then
//! publishes them as tiles and a signed checkpoint. A crash between the two publishes the same leaves
//! again, byte for byte. The database decides the order; the files can be rebuilt from it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{ApiError, Secret, Time};
use store::{Tx, params};
use tlog::{DirectoryWriter, Publisher, Signer};

use crate::task::{Machine, Next, Step, StepCx, StepError};
use crate::{Cloud, audit};

/// The task's kind, which every committed audit row wakes.
pub const KIND: &str = "engine.sequencer";

/// Leaves in one checkpoint at most, so that a turn stays short.
const BATCH: i64 = 4096;
/// The least time between two checkpoints: one for each request would be all `fsync` and no leaves.
const PERIOD: Duration = Duration::from_millis(200);
/// Without a wake, look again after this.
const IDLE: Duration = Duration::from_secs(60);

/// Publishes the log of one cloud.
pub struct Sequencer {
    dir: PathBuf,
    key: Secret<String>,
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    publisher: Option<Publisher<DirectoryWriter>>,
    last: Option<Time>,
}

impl Sequencer {
    /// Publishes below `dir`, signed by `signer`.
    pub fn new(dir: PathBuf, signer: &Signer) -> Arc<Self> {
        Arc::new(Self { dir, key: signer.text(), turn: Mutex::default() })
    }

    /// Publishes everything that is committed now.
    ///
    /// # Errors
    /// Where the database or the log's directory does not take it; nothing is lost then, and the next
    /// turn begins where this one failed.
    pub async fn publish_pending(self: &Arc<Self>, cloud: &Arc<Cloud>) -> Result<(), StepError> {
        while self.turn(cloud).await? {}
        Ok(())
    }

    /// One checkpoint over what is committed now, as much as fits; true where more waits.
    async fn turn(self: &Arc<Self>, cloud: &Arc<Cloud>) -> Result<bool, StepError> {
        let assigned = cloud.db.write(assign).await?;
        let published = self.publish(cloud, assigned).await?;
        let size = i64::try_from(published).unwrap_or(i64::MAX);
        cloud.metrics.gauge("awan_log_leaves", "Leaves in the published log.", size);
        Ok(!cloud.db.read(move |tx| audit::unsequenced(tx, 1)).await?.is_empty())
    }

    /// Publishes the leaves up to `assigned`; says how many are published then.
    async fn publish(
        self: &Arc<Self>,
        cloud: &Arc<Cloud>,
        assigned: i64,
    ) -> Result<u64, StepError> {
        let noted = cloud.db.read(|tx| state(tx, "published")).await?;
        let mut size = self.with_publisher(noted, |publisher| Ok(publisher.size())).await?;
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
            size = self
                .with_publisher(noted, move |publisher| {
                    publisher.publish(leaves).map_err(StepError::transient)?;
                    Ok(publisher.size())
                })
                .await?;
            if until >= assigned {
                break;
            }
        }
        let published = i64::try_from(size).map_err(StepError::broken)?;
        if published > noted {
            cloud.db.write(move |tx| set_published(tx, published)).await?;
        }
        Ok(size)
    }

    /// Runs `work` with the publisher on a blocking thread; opens it the first time.
    async fn with_publisher<T: Send + 'static>(
        self: &Arc<Self>,
        published: i64,
        work: impl FnOnce(&mut Publisher<DirectoryWriter>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StepError> {
        let this = Arc::clone(self);
        let run = move || {
            let mut turn = this.turn.lock().expect("a publisher that panicked is not used again");
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
            let mut turn = self.turn.lock().expect("a publisher that panicked is not used again");
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
        let more = self.turn(&cx.cloud).await?;
        Ok(if more { Next::Go(()) } else { Next::Wait(IDLE) }.into())
    }
}

/// Gives waiting rows the next places; returns how many places are given now.
fn assign(tx: &mut Tx<'_>) -> Result<i64, ApiError> {
    let mut assigned = state(tx, "assigned")?;
    let waiting = audit::unsequenced(tx, BATCH)?;
    if waiting.is_empty() {
        return Ok(assigned);
    }
    for id in waiting {
        audit::sequence(tx, id, assigned)?;
        assigned += 1;
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
