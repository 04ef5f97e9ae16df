//! Backups that are never restored are hopes: once a day the newest of each instance is restored into a scratch member,
//! with the log behind it, and asked; what came of it is an audit entry of its owner's.
//!
//! How a scratch member is made and asked is for who implements [`Prover`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::base::{AccountId, ApiError, Time};
use engine::Cx;
use engine::task::{Machine, Next, Step, StepCx, StepError};
use store::Tx;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::restore::{From, window};
use super::schedule::session;
use super::{Desk, arn, instances};
use crate::tables::backup::{self, Backup, State};

/// How often is looked whether a test is due, or done.
const LOOK: Duration = Duration::from_secs(5);
/// How often is looked for what tests left that a crash ended: a copy of a tenant's data, and it runs.
const SWEEP: Duration = Duration::from_secs(180);
const ACTION: &str = "RestoreTest";

/// Restores into a scratch member.
#[async_trait::async_trait]
pub trait Prover: Send + Sync {
    /// Restores what `from` says into a member that nobody else reaches ([`super::restore::send`]), asks the server
    /// something that reads the data, and removes the member again, whatever came of it.
    ///
    /// # Errors
    /// Where any of that fails: then the test failed.
    async fn prove(&self, from: &From) -> Result<Proof, ApiError>;

    /// Removes what is left of tests that a crash ended. Called while none is under way.
    ///
    /// # Errors
    /// Where that cannot be found out.
    async fn sweep(&self) -> Result<(), ApiError>;
}

/// What a restored server said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How long it took until it answered.
    pub took: Duration,
    /// How many databases it has; all of each was read.
    pub databases: u64,
}

/// A test that is due.
#[derive(Clone, Debug)]
struct Test {
    backup: Backup,
    account: AccountId,
    arn: String,
    from: From,
}

type Running = (Test, JoinHandle<Result<Proof, ApiError>>);

/// Tests restores, one at a time, and sweeps up after tests that a crash ended: of a cloud, only the process that sweeps
/// tests, so that it knows which are under way.
pub struct RestoreTests {
    desk: Arc<Desk>,
    prover: Arc<dyn Prover>,
    running: Mutex<Option<Running>>,
    swept: Mutex<Option<Instant>>,
}

impl RestoreTests {
    /// Tests with this.
    pub fn new(desk: Arc<Desk>, prover: Arc<dyn Prover>) -> Self {
        Self { desk, prover, running: Mutex::default(), swept: Mutex::default() }
    }

    /// The test that came to its end; `Err(true)` while one is under way.
    fn ended(&self) -> Result<Running, bool> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = running.as_ref().is_some_and(|(_, job)| !job.is_finished());
        if busy { Err(true) } else { running.take().ok_or(false) }
    }

    /// Sweeps where it is time.
    async fn sweep(&self) -> Result<(), ApiError> {
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_some_and(|swept| swept.elapsed() < SWEEP) {
                return Ok(());
            }
            *swept = Some(Instant::now());
        }
        self.prover.sweep().await
    }

    fn start(&self, test: Test) {
        let (prover, from) = (Arc::clone(&self.prover), test.from.clone());
        let job = tokio::spawn(async move { prover.prove(&from).await });
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        *running = Some((test, job));
    }

    /// Writes down what came of a test.
    async fn note(&self, test: Test, proof: Result<Proof, ApiError>) -> Result<(), ApiError> {
        let cloud = &self.desk.cloud;
        let session = session(&self.desk, ACTION);
        let said = match &proof {
            Ok(proof) => {
                format!("{} databases read in {} ms", proof.databases, proof.took.as_millis())
            }
            Err(error) => {
                let (instance, backup) = (&test.backup.instance, &test.backup.id);
                tracing::error!(?error, instance, backup, "a restore test failed");
                cloud.audit_refusal(&session, &error.clone().about(test.account)).await;
                error.code().to_owned()
            }
        };
        let mut facts = test.backup.facts;
        facts.tested = cloud.clock.now().micros();
        facts.proof.clone_from(&said);
        let (id, account, arn) = (test.backup.id, test.account, test.arn);
        if proof.is_err() {
            return cloud.db.write(move |tx| backup::set_facts(tx, &id, &facts)).await;
        }
        let write = move |cx: &mut Cx<'_>| {
            cx.authorize(&arn)?;
            cx.audit_account(account);
            cx.audit_detail("backup", id.as_str());
            cx.audit_detail("result", said.as_str());
            backup::set_facts(cx.tx(), &id, &facts)
        };
        cloud.write(session, write).await
    }
}

impl Machine for RestoreTests {
    const KIND: &'static str = "rds.restore_tests";
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        match self.ended() {
            Err(true) => return Ok(Next::Wait(LOOK).into()),
            Err(false) => {}
            Ok((test, job)) => {
                let proof = job.await.unwrap_or_else(|panic| Err(ApiError::internal(panic)));
                self.note(test, proof).await?;
            }
        }
        self.sweep().await?;
        let (now, every) = (cx.cloud.clock.now(), self.desk.pace.restore_test);
        if every.is_zero() {
            return Ok(Next::Wait(LOOK).into());
        }
        if let Some(test) = cx.cloud.db.read(move |tx| due(tx, now, every)).await? {
            self.start(test);
        }
        Ok(Next::Wait(LOOK).into())
    }
}

/// The first test that is due.
fn due(tx: &mut Tx<'_>, now: Time, every: Duration) -> Result<Option<Test>, ApiError> {
    for instance in instances(tx)? {
        let backups = backup::of_instance(tx, &instance.id)?;
        let Some(newest) = untested(&backups, now, every) else { continue };
        // With the log, where there is any behind it.
        let until = window(tx, &instance.id)?.map(|(_, last)| last);
        let from = From {
            instance: instance.id.clone(),
            backup: Some(newest.id.clone()),
            until: until.filter(|until| newest.ended.is_some_and(|ended| ended <= *until)),
        };
        let arn = arn(&instance.region, instance.account, &instance.id);
        return Ok(Some(Test { backup: newest.clone(), account: instance.account, arn, from }));
    }
    Ok(None)
}

/// The newest successful backup, where none was tested lately.
fn untested(backups: &[Backup], now: Time, every: Duration) -> Option<&Backup> {
    let newest = backups.iter().rev().find(|it| it.status == State::Success)?;
    let last = backups.iter().map(|it| it.facts.tested).max().unwrap_or_default();
    (last == 0 || Time::from_micros(last).plus(every) <= now).then_some(newest)
}
