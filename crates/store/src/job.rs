//! A closure on its way to a thread that runs transactions, with its types erased, and the answer on
//! its way back. It knows no engine; when and how often a job runs is theirs to decide.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{Error, Tx};

/// Something outside of the database that a write refers to, such as a file
/// ([`Db::write_after`](crate::Db::write_after)).
pub trait Prior: Send + Sync {
    /// Returns once what was written to it before the call is durable. Blocks.
    ///
    /// # Errors
    /// Why it is not; nothing that refers to it is committed then.
    fn make_durable(&self) -> Result<(), Error>;
}

/// One transaction that somebody waits for.
pub(crate) trait Job: Send {
    /// What must be durable before it runs.
    fn priors(&self) -> &[Arc<dyn Prior>];

    /// Runs the closure, keeping what it returned (or its panic) in place of what an earlier run
    /// returned. True where it wishes to commit.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;

    /// Answers the caller: with what the last run returned, or with why its transaction failed.
    fn answer(self: Box<Self>, ended: Result<(), Error>);
}

/// Makes durable what a job refers to. A panic there is a failure like any other: whoever runs it serves others.
pub(crate) fn make_durable(prior: &dyn Prior) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| prior.make_durable()))
        .unwrap_or_else(|_| Err(Error::Other("what a write refers to panicked".to_owned())))
}

type Returned<R> = Result<R, Box<dyn Any + Send>>;

struct Task<F, T, E> {
    closure: F,
    priors: Vec<Arc<dyn Prior>>,
    returned: Option<Returned<Result<T, E>>>,
    caller: oneshot::Sender<Returned<Result<T, E>>>,
}

impl<F, T, E> Job for Task<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn priors(&self) -> &[Arc<dyn Prior>] {
        &self.priors
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // What a panic leaves half done is rolled back, and the panic goes on at the caller.
        let returned = catch_unwind(AssertUnwindSafe(|| (self.closure)(tx)));
        let kept = matches!(returned, Ok(Ok(_)));
        self.returned = Some(returned);
        kept
    }

    fn answer(self: Box<Self>, ended: Result<(), Error>) {
        let returned = match ended {
            Ok(()) => self.returned,
            Err(error) => Some(Ok(Err(E::from(error)))),
        };
        if let Some(returned) = returned {
            // A caller that has gone away is no error: its write is committed all the same.
            let _ = self.caller.send(returned);
        }
    }
}

/// The caller's end of a job.
pub(crate) struct Answer<T, E>(oneshot::Receiver<Returned<Result<T, E>>>);

/// Makes a job of a closure, and of what must be durable before it runs.
pub(crate) fn new<F, T, E>(closure: F, priors: Vec<Arc<dyn Prior>>) -> (Box<dyn Job>, Answer<T, E>)
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (Box::new(Task { closure, priors, returned: None, caller }), Answer(answer))
}

impl<T, E: From<Error>> Answer<T, E> {
    /// Waits for the answer; a panic of the closure continues here.
    pub(crate) async fn wait(self) -> Result<T, E> {
        settle(self.0.await)
    }

    /// As [`Answer::wait`], blocking. Panics on a thread that drives asynchronous tasks.
    pub(crate) fn wait_blocking(self) -> Result<T, E> {
        settle(self.0.blocking_recv())
    }
}

fn settle<T, E, Gone>(received: Result<Returned<Result<T, E>>, Gone>) -> Result<T, E>
where
    E: From<Error>,
{
    match received {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => Err(Error::Unavailable("it is closed".to_owned()).into()),
    }
}
