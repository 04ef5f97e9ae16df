//! One fetch of a key at a time: whoever asks meanwhile waits for what comes of it.
//!
//! Not here: what a fetch is. Other processes of the same cloud have turns of their own; what they store first
//! stays (`ops::origin`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base::ApiError;

use super::Came;

/// Bucket and key.
type Name = (String, String);

/// How the last fetch ended, where it says the same to all who waited for it, and when.
#[derive(Default)]
struct Last(Option<(Instant, Result<bool, ApiError>)>);

type Shared = Arc<tokio::sync::Mutex<Last>>;

/// The fetches under way.
#[derive(Default)]
pub(in super::super) struct Turns(Mutex<HashMap<Name, Shared>>);

/// A place in the line for one key.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    name: Name,
    shared: Shared,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, bucket: &str, key: &str) -> Turn<'_> {
        let name = (bucket.to_owned(), key.to_owned());
        let shared = Arc::clone(self.lock().entry(name.clone()).or_default());
        Turn { turns: self, name, shared }
    }
}

impl Turn<'_> {
    /// Fetches, or takes what the fetch came to that was under way. One that is given up leaves the turn to the
    /// next who waits.
    ///
    /// Errors: those of the fetch.
    pub(super) async fn take<F>(&self, fetch: impl FnOnce() -> F) -> Result<Came, ApiError>
    where
        F: Future<Output = Result<Came, ApiError>>,
    {
        let asked = Instant::now();
        let mut last = self.shared.lock().await;
        if let Some((ended, came)) = &last.0
            && asked < *ended
        {
            return came.clone().map(|stored| if stored { Came::Stored } else { Came::Missing });
        }
        let came = fetch().await;
        let told = match &came {
            Ok(Came::Handed(_)) => None,
            Ok(Came::Stored) => Some(Ok(true)),
            Ok(Came::Missing) => Some(Ok(false)),
            Err(refused) => Some(Err(refused.clone())),
        };
        last.0 = told.map(|told| (Instant::now(), told));
        came
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.turns.lock();
        // The map's and this one; others are made and dropped under the lock.
        if Arc::strong_count(&self.shared) == 2 {
            turns.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_asks_while_a_key_is_fetched_waits_for_it_and_who_asks_later_does_not() {
        let (turns, fetched) = (Turns::default(), AtomicU32::new(0));
        let fetch = || async {
            fetched.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            Err::<Came, _>(super::super::failed("no".to_owned()))
        };
        let ask = || async { turns.of("b", "k").take(fetch).await };
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        assert!(one.is_err() && two.is_err() && three.is_err());
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        assert!(turns.lock().is_empty());
        assert!(ask().await.is_err());
        assert_eq!(fetched.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_fetch_that_is_given_up_is_the_next_ones() {
        let turns = Turns::default();
        let turn = turns.of("b", "k");
        let endless = turn.take(|| async { std::future::pending().await });
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(5), endless).await;
        assert!(given_up.is_err());
        let next = turns.of("b", "k");
        assert!(matches!(next.take(|| async { Ok(Came::Missing) }).await, Ok(Came::Missing)));
        drop((turn, next));
        assert!(turns.lock().is_empty());
    }
}
