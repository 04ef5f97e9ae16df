//! How fast the public log is: entries appended to its files in batches, and the time from the commit of
//! a change to the checkpoint that promises it. `cargo xtask bench log` runs this in a release build.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark ends where something fails, and prints what it found"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::{AccountId, RequestId, SystemRng};
use engine::sequencer::Sequencer;
use engine::task::Runner;
use engine::{Meta, RequestInfo, Session, audit};
use testkit::TestCloud;
use tlog::files::CHECKPOINT;
use tlog::{Checkpoint, Directory, DirectoryWriter, Fetch, Note, Publisher, Reader, Signer};
use tokio::sync::watch;

/// Entries that are appended, about as long as a leaf with public facts, and how many at once.
const ENTRIES: u64 = 200_000;
const ENTRY_BYTES: usize = 250;
const BATCH: u64 = 4_096;
/// Changes that are committed in a second, and for how long.
const CHANGES_PER_SECOND: u32 = 1_000;
const SECONDS: u32 = 20;
const META: Meta = Meta::write("bench", "2026-01-01", "Change").public();

fn main() {
    append();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(publish());
}

fn signer() -> Signer {
    Signer::generate(&SystemRng, "bench.local/log").unwrap()
}

/// Appends entries in batches, each durable before the next; prints the rate and the cost.
fn append() {
    let home = testkit::Home::new();
    let entry = |index: u64| format!("{index:0ENTRY_BYTES$}");
    let (began, cpu) = (Instant::now(), cpu_ticks());
    let store = DirectoryWriter::open(home.path()).unwrap();
    let mut publisher = Publisher::open(store, signer(), 0).unwrap();
    while publisher.size() < ENTRIES {
        let from = publisher.size();
        publisher.publish((from..ENTRIES.min(from + BATCH)).map(entry)).unwrap();
    }
    let (took, cpu) = (began.elapsed(), cpu_ticks() - cpu);
    let millis = u64::try_from(took.as_millis()).unwrap().max(1);
    println!(
        "append   {ENTRIES} entries of {ENTRY_BYTES} bytes in batches of {BATCH}: {} entries/s, \
         {:.1} µs of CPU each (goal: 10000 entries/s)",
        ENTRIES * 1_000 / millis,
        cpu * 10_000.0 / f64::from(u32::try_from(ENTRIES).unwrap()),
    );
}

/// The CPU time of this process so far, in the kernel's hundredths of a second.
fn cpu_ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum()
}

/// Commits changes at a steady pace while the sequencer runs as in the program; prints how long each
/// waited for its checkpoint.
async fn publish() {
    let test = testkit::cloud(&[], &[]);
    test.keys.add(&testkit::root(1));
    let dir = test.home.path().join("log");
    let signer = signer();
    let runner = Runner::new(Arc::clone(&test.cloud))
        .with_one(Sequencer::new(dir.clone(), &signer), &())
        .await
        .unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner.run(stopped));
    let ticking = tokio::spawn(tick(Arc::clone(&test.clock)));
    let seen = Watcher::start(dir.clone());
    let committed = load(&test).await;
    let total = u64::try_from(committed.len()).unwrap();
    while published(&dir) < total {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seen = seen.stop();
    stop.send(true).unwrap();
    running.await.unwrap();
    ticking.abort();
    let places = places(&test).await;
    let waited = committed.iter().map(|(request, at)| {
        let (_, size_at) = seen.iter().find(|(size, _)| *size > places[request]).unwrap();
        size_at.saturating_duration_since(*at)
    });
    let mut waited: Vec<Duration> = waited.collect();
    waited.sort_unstable();
    let at = |percent: usize| waited[(waited.len() - 1) * percent / 100].as_millis();
    println!(
        "publish  {} changes at {CHANGES_PER_SECOND}/s: p50 {} ms, p99 {} ms, max {} ms from commit to \
         published checkpoint (goal: p99 2000 ms); {} checkpoints",
        waited.len(),
        at(50),
        at(99),
        at(100),
        seen.len(),
    );
    let audit = Reader::open(Directory::new(&dir), signer.verifier()).unwrap().verify_all();
    assert!(audit.is_clean(), "{:?}", audit.faults);
}

/// Turns the test cloud's clock as fast as time passes.
async fn tick(clock: Arc<testkit::FakeClock>) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let now = Instant::now();
        clock.pass(now - last);
        last = now;
    }
}

/// Makes the changes; when each was committed.
async fn load(test: &TestCloud) -> Vec<(String, Instant)> {
    let mut every = tokio::time::interval(Duration::from_secs(1) / CHANGES_PER_SECOND);
    let mut changes = tokio::task::JoinSet::new();
    for _ in 0..CHANGES_PER_SECOND * SECONDS {
        every.tick().await;
        let cloud = Arc::clone(&test.cloud);
        let id = RequestId::random(&SystemRng);
        let request = RequestInfo { id, ..RequestInfo::default() };
        let request_id = request.id.to_string();
        let session = Arc::new(Session { meta: META, caller: testkit::root(1), request });
        changes.spawn(async move {
            cloud.write(session, |_| Ok(())).await.unwrap();
            (request_id, Instant::now())
        });
    }
    changes.join_all().await
}

/// The place in the log of each request.
async fn places(test: &TestCloud) -> HashMap<String, u64> {
    let mut places = HashMap::new();
    let mut before = i64::MAX;
    loop {
        let page = test.cloud.db.read(move |tx| audit::list(tx, AccountId::new(1), before, 5_000));
        let page = page.await.unwrap();
        let Some(last) = page.last() else { return places };
        before = last.id;
        places.extend(
            page.into_iter()
                .map(|entry| (entry.request_id, u64::try_from(entry.log_index.unwrap()).unwrap())),
        );
    }
}

/// How many entries the published checkpoint promises.
fn published(dir: &Path) -> u64 {
    let bytes = Directory::new(dir).fetch(CHECKPOINT).unwrap();
    let note = bytes.map(|bytes| Note::parse(&bytes).unwrap());
    note.map_or(0, |note| Checkpoint::parse(note.text()).unwrap().size)
}

/// Looks at the checkpoint all the time, as a reader would.
struct Watcher {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<(u64, Instant)>>>,
    thread: std::thread::JoinHandle<()>,
}

impl Watcher {
    fn start(dir: PathBuf) -> Self {
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            let mut last = 0;
            while !stopped.load(Ordering::Relaxed) {
                let size = published(&dir);
                if size > last {
                    noted.lock().unwrap().push((size, Instant::now()));
                    last = size;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, seen, thread }
    }

    /// Every size that was seen, and when first. The last one was published before this is called.
    fn stop(self) -> Vec<(u64, Instant)> {
        std::thread::sleep(Duration::from_millis(50));
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        let mut seen = self.seen.lock().unwrap();
        std::mem::take(&mut *seen)
    }
}
