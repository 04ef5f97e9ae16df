//! The task runner: steps, waits, failures, fences, drain.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::ApiError;
use engine::task::{Machine, Next, Runner, Step, StepCx, StepError};
use serde::{Deserialize, Serialize};
use store::params;
use tokio::sync::watch;

use crate::path::cloud;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Begin,
    Middle,
    End,
}

/// Walks through its states, notes each step, and fails its middle step the first times.
struct Walk {
    seen: Arc<Mutex<Vec<(String, State)>>>,
    failures: AtomicU32,
}

impl Machine for Walk {
    const KIND: &'static str = "test.walk";
    type State = State;

    async fn step(&self, cx: &StepCx, state: State) -> Result<Step<State>, StepError> {
        self.seen.lock().unwrap().push((cx.id.clone(), state));
        match state {
            State::Begin => Ok(Next::Go(State::Middle).into()),
            State::Middle if self.failures.fetch_sub(1, Ordering::SeqCst) > 0 => {
                Err(StepError::transient("not yet"))
            }
            State::Middle => Ok(Next::Go(State::End).with(|cx| {
                cx.tx().execute("INSERT INTO note (name, size) VALUES ('walked', 0)", &[])?;
                Ok(())
            })),
            State::End => Ok(Next::Done.into()),
        }
    }
}

async fn until(mut reached: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if reached().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come about within five seconds");
}

#[tokio::test]
async fn a_task_walks_to_its_end_through_failures_and_its_commit_comes_with_the_state() {
    let test = cloud();
    let seen = Arc::default();
    let machine = Walk { seen: Arc::clone(&seen), failures: AtomicU32::new(2) };
    let runner = Runner::new(test.cloud.clone()).with_one(machine, &State::Begin).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner.run(stopped));
    let clock = test.clock.clone();
    let cloud = test.cloud.clone();
    until(async || {
        clock.pass(Duration::from_secs(1)); // the backoff is on the cloud's clock
        cloud.wakes.wake("test.other");
        let left = cloud.db.read(|tx| {
            tx.query_opt("SELECT 1 FROM task WHERE kind = 'test.walk'", &[], |row| {
                row.get::<i64>(0)
            })
        });
        let left: Result<Option<i64>, store::Error> = left.await;
        left.unwrap().is_none()
    })
    .await;
    stop.send(true).unwrap();
    running.await.unwrap();
    let states: Vec<_> = seen.lock().unwrap().iter().map(|(_, state)| *state).collect();
    assert_eq!(states, [State::Begin, State::Middle, State::Middle, State::Middle, State::End]);
    let walked: Result<Option<i64>, store::Error> = test
        .cloud
        .db
        .read(|tx| {
            tx.query_opt("SELECT size FROM note WHERE name = 'walked'", &[], |row| row.get(0))
        })
        .await;
    assert_eq!(walked.unwrap(), Some(0));
}

/// Holds its first step until told, so that its lease can be lost meanwhile.
struct Slow(Arc<tokio::sync::Notify>);

impl Machine for Slow {
    const KIND: &'static str = "test.slow";
    type State = u32;

    async fn step(&self, _: &StepCx, state: u32) -> Result<Step<u32>, StepError> {
        self.0.notified().await;
        Ok(Next::Go(state + 100).into())
    }
}

#[tokio::test]
async fn a_step_whose_lease_was_lost_cannot_overwrite_its_successor() {
    let test = cloud();
    let gate = Arc::new(tokio::sync::Notify::new());
    let runner =
        Runner::new(test.cloud.clone()).with_one(Slow(Arc::clone(&gate)), &1).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner.run(stopped));
    let cloud = test.cloud.clone();
    let row = async move || {
        let sql = "SELECT state, lease_epoch FROM task WHERE kind = 'test.slow'";
        let row: Result<Option<(String, i64)>, ApiError> = cloud
            .db
            .read(move |tx| Ok(tx.query_opt(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?))
            .await;
        row.unwrap().unwrap()
    };
    until(async || row().await.1 == 1).await;
    // Another runner took the lease over and moved the task on.
    let taken: Result<u64, store::Error> = test
        .cloud
        .db
        .write(|tx| {
            tx.execute(
                "UPDATE task SET lease_epoch = 7, state = '5', due_at = ?1",
                params![i64::MAX],
            )
        })
        .await;
    assert_eq!(taken.unwrap(), 1);
    stop.send(true).unwrap();
    gate.notify_one();
    running.await.unwrap();
    assert_eq!(row().await, ("5".to_owned(), 7));
}

/// Looks at a counter, then holds its step until told; the counter may have moved on meanwhile.
struct Looker {
    seen: Arc<Mutex<Vec<u32>>>,
    counter: Arc<AtomicU32>,
    gate: Arc<tokio::sync::Semaphore>,
}

impl Machine for Looker {
    const KIND: &'static str = "test.looker";
    type State = ();

    async fn step(&self, _: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        let looked = self.counter.load(Ordering::SeqCst);
        self.seen.lock().unwrap().push(looked);
        self.gate.acquire().await.unwrap().forget();
        Ok(Next::Wait(Duration::from_secs(3600)).into())
    }
}

#[tokio::test]
async fn a_wake_that_comes_while_the_step_runs_is_not_lost() {
    let test = cloud();
    let (seen, counter) = (Arc::<Mutex<Vec<u32>>>::default(), Arc::<AtomicU32>::default());
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let machine =
        Looker { seen: Arc::clone(&seen), counter: Arc::clone(&counter), gate: Arc::clone(&gate) };
    let runner = Runner::new(test.cloud.clone()).with_one(machine, &()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner.run(stopped));
    until(async || seen.lock().unwrap().len() == 1).await;
    // It has looked, and is still at work when there is something to see. The clock stands still but
    // for a moment: not even the end of an hour's wait may be needed.
    test.clock.pass(Duration::from_millis(1));
    counter.store(7, Ordering::SeqCst);
    test.cloud.wakes.wake("test.looker");
    let cloud = test.cloud.clone();
    let due = async move || {
        let sql = "SELECT due_at FROM task WHERE kind = 'test.looker'";
        let due: Result<Option<i64>, ApiError> =
            cloud.db.read(move |tx| Ok(tx.query_opt(sql, &[], |row| row.get(0))?)).await;
        due.unwrap().unwrap()
    };
    let now = test.cloud.clock.now().micros();
    until(async || due().await == now).await;
    gate.add_permits(1);
    until(async || *seen.lock().unwrap() == [0, 7]).await;
    // Nothing woke it again: now it waits its hour.
    gate.add_permits(1);
    let hour = 3_600_000_000;
    until(async || due().await == now + hour).await;
    stop.send(true).unwrap();
    running.await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 7]);
}

#[tokio::test]
async fn the_lease_of_a_killed_process_does_not_hold_up_the_next_start() {
    let test = cloud();
    let begin = async || {
        let seen = Arc::<Mutex<Vec<u32>>>::default();
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let machine =
            Looker { seen: Arc::clone(&seen), counter: Arc::default(), gate: Arc::clone(&gate) };
        let runner = Runner::new(test.cloud.clone()).with_one(machine, &()).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(runner.run(stopped));
        until(async || seen.lock().unwrap().len() == 1).await;
        (running, stop, gate)
    };
    // The first dies in the middle of its step, with its lease; the clock stands still.
    let (killed, _stop, _gate) = begin().await;
    killed.abort();
    let (running, stop, gate) = begin().await;
    gate.add_permits(1);
    stop.send(true).unwrap();
    running.await.unwrap();
}
