//! The archive of the log: one stream for each instance that writes, into its owner's bucket, as it is written.
//!
//! The server is told that something is safe only when it is durable in the bucket and the row says so; so a slot keeps
//! on the server exactly what the archive has not, and a commit that waits for `awan_archive` waits for the bucket.
//! Nothing here reads the log.

mod compact;
mod plan;
mod reach;
mod stream;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ::base::ApiError;
use store::Tx;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::stream::Job;
use super::replication::{self, Connection, Target};
use super::{ARCHIVE_NAME, Desk, instances, is_archived, waits_for_archive, writes_log};

pub(super) use compact::assemble;

/// The longest wait after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// The first wait after a failure.
const BACKOFF: Duration = Duration::from_millis(100);

/// Restarts and failovers are shorter: a server that cannot be archived for longer is the operator's business.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// Keeps one stream for each instance whose log is to be archived.
pub struct Archiver {
    desk: Arc<Desk>,
    /// Instances whose log nobody archives, and whose servers know it.
    freed: HashSet<String>,
}

/// What is to be done now.
#[derive(Default)]
struct Jobs {
    streams: HashMap<String, Job>,
    /// Servers that are to keep their log for nobody: their owners switched the archive off.
    free: HashMap<String, Target>,
}

/// A stream that goes on until it is told.
struct Running {
    job: Job,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Archiver {
    /// An archiver. One process of the cloud runs it; should two, the servers' slots let one of them in.
    pub fn new(desk: Arc<Desk>) -> Self {
        Self { desk, freed: HashSet::new() }
    }

    /// Archives until `stop` turns true; then ends every stream with all that it received durable.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut streams: HashMap<String, Running> = HashMap::new();
        while !*stop.borrow() {
            match self.jobs().await {
                Ok(jobs) => {
                    self.adjust(&mut streams, jobs.streams);
                    self.free(&streams, jobs.free).await;
                }
                Err(error) => tracing::error!(?error, "find out what is to be archived"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.desk.pace.look) => {}
                _ = stop.changed() => {}
            }
        }
        for running in streams.values() {
            running.stop.send_replace(true);
        }
        for (instance, running) in streams {
            if let Err(panic) = running.task.await {
                tracing::error!(%panic, instance, "archive");
            }
        }
    }

    /// What is to be archived now, and what no longer.
    async fn jobs(&self) -> Result<Jobs, ApiError> {
        let desk = Arc::clone(&self.desk);
        let find = move |tx: &mut Tx<'_>| {
            let mut jobs = Jobs::default();
            for instance in instances(tx)?.into_iter().filter(writes_log) {
                let Some(target) = desk.target(tx, &instance, ARCHIVE_NAME)? else { continue };
                let write = match waits_for_archive(&instance) {
                    true => desk.pace.write_synchronous,
                    false => desk.pace.write,
                };
                let id = instance.id.clone();
                if !is_archived(&instance) {
                    jobs.free.insert(id, target);
                    continue;
                }
                let (account, region) = (instance.account, instance.region);
                let job = Job { instance: instance.id, account, region, target, write };
                jobs.streams.insert(id, job);
            }
            Ok::<_, ApiError>(jobs)
        };
        self.desk.cloud.db.read(find).await
    }

    /// Removes the slots of servers whose log is not archived any more: their disks would fill.
    async fn free(&mut self, streams: &HashMap<String, Running>, targets: HashMap<String, Target>) {
        self.freed.retain(|id| targets.contains_key(id));
        for (id, target) in targets {
            if streams.contains_key(&id) || self.freed.contains(&id) {
                continue;
            }
            match drop_slot(&target).await {
                Ok(()) => drop(self.freed.insert(id)),
                Err(error) => {
                    tracing::warn!(%error, instance = id, "free a server of its slot later")
                }
            }
        }
    }

    /// Starts and ends streams so that they are those of the jobs.
    fn adjust(&self, streams: &mut HashMap<String, Running>, jobs: HashMap<String, Job>) {
        for (id, running) in &*streams {
            if !jobs.get(id).is_some_and(|job| job.is(&running.job)) {
                running.stop.send_replace(true);
            }
        }
        // The next stream of an instance begins when the one before it wrote its last: two would write over
        // each other's pieces.
        streams.retain(|_, running| !running.task.is_finished());
        for (id, job) in jobs {
            streams.entry(id).or_insert_with(|| {
                let (stop, stopped) = watch::channel(false);
                let task = tokio::spawn(keep(Arc::clone(&self.desk), job.clone(), stopped));
                Running { job, stop, task }
            });
        }
    }
}

/// Streams until it is stopped, and again after every failure.
async fn keep(desk: Arc<Desk>, job: Job, mut stop: watch::Receiver<bool>) {
    let mut wait = BACKOFF;
    let mut lost = false;
    let mut outage = Outage::default();
    while !*stop.borrow() {
        let began = tokio::time::Instant::now();
        let ended = stream::run(&desk, &job, lost, &mut stop).await;
        lost = ended.as_ref().is_err_and(stream::Broken::is_log_gone);
        if began.elapsed() > BACKOFF_MAX {
            outage = Outage::default(); // it streamed in between
        }
        match ended {
            Ok(()) => {}
            Err(error) if outage.lasts() && !*stop.borrow() => {
                tracing::warn!(%error, instance = job.instance, "the log of an instance is not archived");
            }
            Err(error) => {
                tracing::info!(%error, instance = job.instance, "an archive's stream ended");
            }
        }
        wait = if began.elapsed() > BACKOFF_MAX { BACKOFF } else { (wait * 2).min(BACKOFF_MAX) };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Streams of an instance that broke one after the other.
#[derive(Default)]
struct Outage {
    since: Option<tokio::time::Instant>,
    told: bool,
}

impl Outage {
    /// Notes that one broke. True once, when they do so for too long.
    fn lasts(&mut self) -> bool {
        let since = *self.since.get_or_insert_with(tokio::time::Instant::now);
        since.elapsed() > AWAY_MAX && !std::mem::replace(&mut self.told, true)
    }
}

async fn drop_slot(target: &Target) -> Result<(), replication::Error> {
    let mut connection = Connection::open(target).await?;
    connection.drop_slot(ARCHIVE_NAME).await?;
    connection.close().await;
    Ok(())
}
