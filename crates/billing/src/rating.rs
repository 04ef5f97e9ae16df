//! The rating task: looks at every account that ever used anything, once a minute. For each it closes
//! the hours that can be closed, commits to the days that are whole, makes bills final that are due,
//! tells the agreement what the month has come to, and raises the alarms of budgets.
//!
//! Each of these is one transaction that leaves nothing half done, so a crash or a repeat costs time
//! and nothing else. An account that cannot be billed does not keep the others from it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::{AccountId, ApiError};
use engine::task::{Machine, Next, Step, StepCx, StepError};
use engine::{Cloud, meter, places};

use crate::invoice::Due;
use crate::tables::account::{self, State};
use crate::{budget, close, commitment, estimate, invoice};

/// How often accounts are looked at.
const PERIOD: Duration = Duration::from_secs(60);
/// How long a step may take; far less than a quarter of its lease.
const STEP_MAX: Duration = Duration::from_secs(8);

/// The rating task of one process.
#[derive(Default)]
pub struct Rating {
    /// The account that was looked at last, while a round is under way. A restart begins a new round.
    after: Mutex<Option<AccountId>>,
}

impl Rating {
    /// Looks at all accounts once.
    ///
    /// # Errors
    /// Where the accounts cannot be found; what is wrong with one account is logged.
    pub async fn round(&self, cloud: &Arc<Cloud>) -> Result<(), ApiError> {
        while self.turn(cloud).await? {}
        Ok(())
    }

    /// Looks at accounts for a while; true where the round goes on.
    async fn turn(&self, cloud: &Arc<Cloud>) -> Result<bool, ApiError> {
        let started = Instant::now();
        while started.elapsed() < STEP_MAX {
            let after = *self.after.lock().unwrap_or_else(PoisonError::into_inner);
            let next = cloud.db.read(move |tx| meter::next_account(tx, after)).await?;
            *self.after.lock().unwrap_or_else(PoisonError::into_inner) = next;
            let Some(account) = next else { return Ok(false) };
            if let Err(error) = look_at(cloud, account).await {
                tracing::error!(?error, %account, "bill an account");
            }
        }
        Ok(true)
    }
}

impl Machine for Rating {
    const KIND: &'static str = "billing.rating";
    const CONCURRENCY: usize = 1;
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        let more = self.turn(&cx.cloud).await?;
        Ok(if more { Next::Go(()) } else { Next::Wait(PERIOD) }.into())
    }
}

/// Does what is due for one account.
async fn look_at(cloud: &Arc<Cloud>, account: AccountId) -> Result<(), ApiError> {
    close_hours(cloud, account).await?;
    close_bills(cloud, account).await?;
    commit_days(cloud, account).await?;
    note_spending(cloud, account).await
}

async fn close_hours(cloud: &Arc<Cloud>, account: AccountId) -> Result<(), ApiError> {
    let now = cloud.clock.now();
    if !cloud.db.read(move |tx| close::due(tx, account, now)).await? {
        return Ok(());
    }
    loop {
        let covenant = Arc::clone(&cloud.covenant);
        let more = cloud.db.write(move |tx| close::close(tx, &*covenant, account, now)).await?;
        if !more {
            return Ok(());
        }
    }
}

async fn close_bills(cloud: &Arc<Cloud>, account: AccountId) -> Result<(), ApiError> {
    loop {
        let now = cloud.clock.now();
        match cloud.db.read(move |tx| invoice::due(tx, account, now)).await? {
            Due::Nothing => return Ok(()),
            Due::PassTo(month) => {
                cloud.db.write(move |tx| invoice::pass_to(tx, account, month)).await?;
            }
            Due::Close(month) => {
                let covenant = Arc::clone(&cloud.covenant);
                cloud
                    .db
                    .write(move |tx| close::look_through(tx, &*covenant, account, month, now))
                    .await?;
                let covenant = Arc::clone(&cloud.covenant);
                cloud.db.read(move |tx| invoice::reconcile(tx, &*covenant, account, month)).await?;
                let session = places::system(cloud, invoice::META);
                cloud.write(session, move |cx| invoice::close(cx, account, month)).await?;
            }
        }
    }
}

async fn commit_days(cloud: &Arc<Cloud>, account: AccountId) -> Result<(), ApiError> {
    let due = move |tx: &mut store::Tx<'_>| {
        let Some(state) = account::find(tx, account)? else { return Ok(None) };
        let whole = crate::month::day_of(state.closed);
        crate::tables::commitment::due(tx, account, whole)
    };
    while let Some(day) = cloud.db.read::<_, ApiError>(due).await? {
        let session = places::system(cloud, commitment::META);
        cloud.write(session, move |cx| commitment::commit(cx, account, day)).await?;
    }
    Ok(())
}

async fn note_spending(cloud: &Arc<Cloud>, account: AccountId) -> Result<(), ApiError> {
    let now = cloud.clock.now();
    let covenant = Arc::clone(&cloud.covenant);
    let found = cloud
        .db
        .read::<_, ApiError>(move |tx| {
            let estimate = estimate::so_far(tx, &*covenant, account, now)?;
            let alarms = budget::due(tx, account, &estimate, now)?;
            let known = account::find(tx, account)?.map(|state| state.spent);
            Ok((estimate, alarms, known))
        })
        .await?;
    let (estimate, alarms, known) = found;
    let spent = (estimate.month.start(), estimate.amount);
    if known.is_some_and(|known| known != spent) {
        let covenant = Arc::clone(&cloud.covenant);
        cloud
            .db
            .write::<_, ApiError>(move |tx| {
                let Some(state) = account::find(tx, account)? else { return Ok(()) };
                account::store(tx, account, &State { spent, ..state })?;
                covenant.spent(tx, account, base::Time::from_secs(spent.0), spent.1)
            })
            .await?;
    }
    for alarm in alarms {
        let session = places::system(cloud, budget::META);
        cloud.write(session, move |cx| budget::raise(cx, account, &alarm)).await?;
    }
    Ok(())
}
