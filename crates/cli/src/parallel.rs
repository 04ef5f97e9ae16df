//! Work for several threads: one thread makes items, a bounded queue holds them back, workers take
//! them. The first error stops everything. Threads and blocking I/O are all that a client needs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Result, anyhow};

/// Items that wait per worker: enough that none starves, few enough that memory stays small.
const QUEUE_PER_WORKER: usize = 4;

/// Where the producer puts its items.
pub struct Feed<'a, T> {
    queue: SyncSender<T>,
    stopped: &'a AtomicBool,
}

impl<T> Feed<'_, T> {
    /// Hands an item over; waits while the queue is full.
    ///
    /// # Errors
    /// Where a worker failed, so that nothing more is wanted. The producer passes it on.
    pub fn put(&self, item: T) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(anyhow!("stopped by another error"));
        }
        self.queue.send(item).map_err(|_| anyhow!("stopped by another error"))
    }
}

/// Runs `produce` on this thread and `work` on `jobs` others; answers what each worker gathered.
///
/// # Errors
/// The first worker's error, else the producer's.
pub fn run<T: Send, S: Default + Send>(
    jobs: usize,
    produce: impl FnOnce(&Feed<'_, T>) -> Result<()>,
    work: impl Fn(&mut S, T) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let jobs = jobs.max(1);
    let stopped = AtomicBool::new(false);
    let (queue, items) = sync_channel(jobs * QUEUE_PER_WORKER);
    // Each worker holds the queue's other end, so that the producer is freed when the last one leaves.
    let items = Arc::new(Mutex::new(items));
    thread::scope(|scope| {
        let spawn = |_| {
            let (items, work, stopped) = (Arc::clone(&items), &work, &stopped);
            scope.spawn(move || {
                let done = labour(&items, work, stopped);
                stopped.fetch_or(done.is_err(), Ordering::Relaxed);
                done
            })
        };
        let workers: Vec<_> = (0..jobs).map(spawn).collect();
        drop(items);
        let produced = produce(&Feed { queue, stopped: &stopped });
        let mut gathered = Vec::with_capacity(jobs);
        let mut failure = None;
        for worker in workers {
            match worker.join() {
                Ok(Ok(state)) => gathered.push(state),
                Ok(Err(error)) => failure = failure.or(Some(error)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => produced.map(|()| gathered),
        }
    })
}

fn labour<T, S: Default>(
    items: &Mutex<Receiver<T>>,
    work: &(impl Fn(&mut S, T) -> Result<()> + Sync),
    stopped: &AtomicBool,
) -> Result<S> {
    let mut state = S::default();
    while !stopped.load(Ordering::Relaxed) {
        let next = items.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(item) => work(&mut state, item)?,
            Err(_) => break,
        }
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_item_is_worked_on_once() {
        let sums = run(
            3,
            |feed| (1..=1000_u64).try_for_each(|item| feed.put(item)),
            |sum: &mut u64, item| {
                *sum += item;
                Ok(())
            },
        );
        let sums = sums.unwrap();
        assert_eq!((sums.len(), sums.iter().sum::<u64>()), (3, 500_500));
    }

    #[test]
    fn a_workers_error_stops_the_producer_and_is_the_one_reported() {
        // The producer would never end by itself.
        let done = run(
            2,
            |feed| loop {
                feed.put(7)?;
            },
            |(): &mut (), _| Err(anyhow!("disk full")),
        );
        assert_eq!(done.unwrap_err().to_string(), "disk full");
    }

    #[test]
    fn a_producers_error_ends_the_work() {
        let done = run(2, |_: &Feed<'_, u8>| Err(anyhow!("bad archive")), |(): &mut (), _| Ok(()));
        assert_eq!(done.unwrap_err().to_string(), "bad archive");
    }
}
