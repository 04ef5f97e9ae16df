//! Object storage: one engine, on which the OSS and S3 dialects are thin skins.
//!
//! # The parts
//! | module | owns | does not |
//! |---|---|---|
//! | `actions` | what the operator asks over the control API | serve clients |
//! | `ops` | what a request does: authorization, conditions, the one commit, streaming bodies | speak a dialect |
//! | `model` | the words: what goes in and comes out of an operation | know SQL or bytes |
//! | [`digest`] | the checksums of a body | decide which are wanted |
//! | [`access`] | who may: policies, then ACLs, then the owner's agreement | parse policies |
//! | `access_log` | what a request to a logged bucket is recorded as | deliver records |
//! | [`acl`] | what access control lists say, and what else of a bucket decides about them | ask them |
//! | `config` | what configurations of a bucket say that are acted upon, and their XML | store them |
//! | `blob` | bytes: append-only segments, group sync, verified reads, giving space back | know buckets or keys |
//! | [`backend`] | stores outside of this program: one call each, retried, or away | know segments |
//! | `tables` | rows: every statement of this crate | decide |
//! | [`http`] | both dialects, as thin skins over [`ops`] | decide |
//! | `image` | processing of images, within bounds | read or store them |
//! | `dns` | what the records of a name say | what they prove |
//! | `outbound` | requests of our own to addresses that clients name | know what for |
//! | [`meter`] | the usage of reads | the usage of writes, which is in their commits |
//!
//! # How a write goes
//! The operation authorizes on a snapshot and asks [`engine::places::decide`] for a
//! [`engine::places::Placement`]; without one no byte can be written. The body streams into extents of a segment in constant
//! memory, digested and sealed off the network's path (each extent under a key of its own, made of the account's). `fdatasync` makes them durable, one call for everybody
//! who waits, in every data centre of the placement. Then **one** transaction authorizes and decides
//! again, checks conditions against the current row, writes rows, counters, usage and audit entry (whose
//! leaf states in public where how many objects are more or fewer), and hands the replaced body to the
//! reclaimer. Until
//! that commit nothing refers to the new bytes; whatever ends before it, they are dead space and are
//! given back.
//!
//! # How a read goes
//! Authorization and look-up share one snapshot. A pin taken before it keeps the reclaimer off the
//! body until the stream is dropped, so a reader sees the bytes of its snapshot whole, whatever is
//! overwritten meanwhile. Every extent is read whole, its CRC-64 verified, and opened in place
//! before a byte leaves.
//!
//! # Invariants
//! - No byte of a body is written in clear.
//! - A row refers only to bytes that were synced, in every copy, before the row was committed.
//! - Every byte of a sealed segment is either referred to, waiting in `oss_free`, or in `oss_hole`.
//! - `oss_object` is what a plain read or listing sees: the current version of each key. A key with rows in
//!   `oss_version` and none there has a delete marker as its newest.
//! - `oss_bucket_stat` and the usage level change in the commit that changes the rows they sum.

pub mod access;
pub(crate) mod access_log;
pub mod acl;
mod actions;
pub mod backend;
pub(crate) mod blob;
pub(crate) mod config;
pub mod digest;
mod dns;
pub mod error;
pub mod http;
mod image;
pub mod meter;
mod model;
mod ops;
mod outbound;
pub(crate) mod tables;
mod vault;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::ApiError;
use engine::Cloud;

pub use actions::ACTIONS;
pub use backend::Backend;
pub use blob::{DiskStep, Limits, Recorder, Space};
pub use digest::{Algorithm, Checksum, Coverage};
pub use model::*;
pub use ops::*;
pub use outbound::Network;

/// The tables of object storage.
pub const MIGRATIONS: store::MigrationSet = store::MigrationSet {
    name: "oss",
    steps: &[
        include_str!("../schema/0001.sql"),
        include_str!("../schema/0002.sql"),
        include_str!("../schema/0003.sql"),
        include_str!("../schema/0004.sql"),
        include_str!("../schema/0005.sql"),
        include_str!("../schema/0006.sql"),
        include_str!("../schema/0007.sql"),
        include_str!("../schema/0009.sql"),
        include_str!("../schema/0010.sql"),
        include_str!("../schema/0011.sql"),
        include_str!("../schema/0012.sql"),
        include_str!("../schema/0013.sql"),
        include_str!("../schema/0014.sql"),
        include_str!("../schema/0015.sql"),
        include_str!("../schema/0016.sql"),
    ],
};

/// How many buckets have data in each data centre: objects, or uploads under way. Those without are not
/// there.
///
/// # Errors
/// Those of the database.
pub fn sites_in_use(tx: &mut store::Tx<'_>) -> Result<BTreeMap<String, u64>, ApiError> {
    let mut buckets = BTreeMap::new();
    for site in tables::bucket::sites_of_data(tx)?.into_iter().flatten() {
        *buckets.entry(site).or_default() += 1;
    }
    Ok(buckets)
}

/// Seconds between two looks for lost copies.
const REPAIR_ROUNDS: u32 = 60;
/// From the start of the program to that of the first scrub, which is not to slow a start down.
const SCRUB_AFTER: Duration = Duration::from_secs(600);

/// Sweeps of the backends after a start, and how far apart: together longer than any request may be on its way.
const SWEEPS_AT_FIRST: u32 = 10;
const SWEEP_AT_FIRST_EVERY: Duration = Duration::from_secs(60);
/// From one sweep of everything to the next.
const SWEEP_EVERY: Duration = Duration::from_secs(86_400);

/// What a storage may be opened with.
#[derive(Debug, Default)]
pub struct Options {
    /// Sizes and times.
    pub limits: Limits,
    /// How fast days go by.
    pub pace: Pace,
    /// Directories of their own, by data centre.
    pub disks: BTreeMap<String, PathBuf>,
    /// New bytes of the data centres that these stand in go there and not into files.
    pub backends: Vec<Backend>,
}

impl From<Limits> for Options {
    fn from(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }
}

/// The object storage of one data directory. Clones share it.
#[derive(Clone)]
pub struct Oss(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) blobs: Arc<blob::Blobs>,
    pub(crate) reads: Arc<meter::ReadMeter>,
    pub(crate) access_log: access_log::AccessLog,
    pub(crate) keys: ops::Keys,
    pub(crate) accesses: ops::Accesses,
    pub(crate) pace: Pace,
    /// What all rounds of the scrub came to. Whoever holds it scrubs.
    scrubbed: tokio::sync::Mutex<ScrubReport>,
}

impl Oss {
    /// Opens the storage under the cloud's data directory (`oss/segments`, and for further copies
    /// `oss/mirror/<site>/segments`): finds what a crash left behind, gives it back, and opens a new segment. Blocks; for start-up, on a thread that drives
    /// no asynchronous tasks. The database is migrated already.
    ///
    /// # Errors
    /// Where the directory or the database cannot be used.
    pub fn open(cloud: Arc<Cloud>) -> Result<Self, ApiError> {
        Self::open_with(cloud, Options::default())
    }

    /// As [`Self::open`], with other options than the usual ones. Nothing is asked of the backends yet.
    ///
    /// # Errors
    /// As [`Self::open`]; where a directory of a data centre is not the one that it was; where a backend that
    /// holds data is not among them, or stands elsewhere.
    pub fn open_with(cloud: Arc<Cloud>, options: Options) -> Result<Self, ApiError> {
        let Options { limits, pace, disks, backends } = options;
        let db = cloud.db.clone();
        let doors = (Arc::clone(&cloud.clock), Arc::clone(&cloud.rng));
        let home = cloud.region.centres(&cloud.region.id).next().map(|centre| centre.site.as_str());
        let blobs = blob::Blobs::open(
            db,
            doors,
            (&cloud.data_dir.join("oss"), disks, backends),
            home,
            limits,
        )?;
        let reads = Arc::new(meter::ReadMeter::default());
        let (keys, scrubbed) = (ops::Keys::default(), tokio::sync::Mutex::default());
        let (access_log, accesses) = (access_log::AccessLog::default(), ops::Accesses::default());
        Ok(Self(Arc::new(Inner {
            cloud,
            blobs,
            reads,
            access_log,
            keys,
            accesses,
            pace,
            scrubbed,
        })))
    }

    /// What the whole program shares.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.0.cloud
    }

    /// Flushes the usage of reads and gives freed space back, every second until `stop`; then flushes
    /// once more. Lost copies are made anew at once, then every minute and where a reader found one
    /// missing. Everything is scrubbed once a day, as slowly as the limits say, and what the lifecycles of buckets say is done. The program runs this beside its listeners and waits for it when it drains.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = self.keep_up(stop) => {}
            () = self.tend() => {}
            // Nothing is lost where it ends in between: the next one begins anew.
            () = self.scrub_daily() => {}
            () = self.live() => {}
            () = self.keep_records() => {}
            () = self.sweep_often() => {}
        }
    }

    async fn keep_up(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let more = tokio::time::sleep(std::time::Duration::from_secs(1));
            let ended = tokio::select! {
                () = &mut stop => true,
                () = more => false,
            };
            self.flush_reads().await;
            self.flush_accesses().await;
            self.flush_access_log().await;
            self.show_backends();
            self.0.blobs.ask_for_room();
            if ended {
                return; // what is left to give back, the next start gives back
            }
        }
    }

    /// Gives space back and makes lost copies anew. A disk that hangs may hold this up, and nothing beside it.
    async fn tend(&self) {
        let mut rounds = 0_u32;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if let Err(error) = self.reclaim().await {
                tracing::error!(?error, "give freed space back");
            }
            if rounds.is_multiple_of(REPAIR_ROUNDS) || self.0.blobs.repair_wanted() {
                self.repair().await.unwrap_or_else(|error| {
                    tracing::error!(?error, "make lost copies anew");
                    0
                });
            }
            rounds = rounds.wrapping_add(1);
        }
    }

    /// Writes the usage of reads so far into the usage tables.
    pub async fn flush_reads(&self) {
        self.0.reads.flush(&self.0.cloud).await;
    }

    /// Gives back what no row refers to and no reader reads. What a reader holds is left for the next
    /// call.
    ///
    /// # Errors
    /// Where the database or the disk refuses.
    pub async fn reclaim(&self) -> Result<(), ApiError> {
        self.0.blobs.reclaim().await
    }

    /// Makes copies of sealed segments that were lost anew from those that are there; says how many.
    ///
    /// # Errors
    /// Where the database or a disk refuses.
    pub async fn repair(&self) -> Result<usize, ApiError> {
        self.0.blobs.repair().await
    }

    /// Delivers access records and writes reports when they are due, looking every second.
    async fn keep_records(&self) {
        loop {
            if let Err(error) = self.find_logged().await {
                tracing::error!(?error, "find out which buckets are logged");
            }
            if let Err(error) = self.deliver_access_logs().await {
                tracing::error!(?error, "deliver access records");
            }
            if let Err(error) = self.write_due_inventories().await {
                tracing::error!(?error, "write inventories");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Scrubs for ever, unless the limits say that nobody does.
    async fn scrub_daily(&self) {
        let Some(rate) = NonZeroU64::new(self.0.blobs.limits.scrub_bytes_per_second) else {
            return std::future::pending().await;
        };
        let mut begin = tokio::time::Instant::now() + SCRUB_AFTER;
        loop {
            tokio::time::sleep_until(begin).await;
            begin += self.0.blobs.limits.scrub_interval;
            if let Err(error) = self.scrub_at(Some(rate)).await {
                tracing::error!(?error, "scrub; the next round begins anew");
            }
            begin = begin.max(tokio::time::Instant::now());
        }
    }

    /// Reads every copy of everything that is stored, at once and as fast as it goes: mends bad copies from
    /// good ones, and records what no copy has.
    ///
    /// # Errors
    /// Where the database or a disk refuses.
    pub async fn scrub(&self) -> Result<ScrubReport, ApiError> {
        self.scrub_at(None).await
    }

    async fn scrub_at(&self, rate: Option<NonZeroU64>) -> Result<ScrubReport, ApiError> {
        let mut totals = self.0.scrubbed.lock().await;
        let before = *totals;
        let progress = |report: &ScrubReport| {
            totals.bytes = before.bytes + report.bytes;
            totals.damaged = before.damaged + report.damaged;
            totals.mended = before.mended + report.mended;
            self.show_scrub(&totals);
        };
        let report = self.0.blobs.scrub(rate, progress).await?;
        let cloud = &self.0.cloud;
        cloud.metrics.gauge(
            "awan_oss_scrub_finished_seconds",
            "When the last scrub that came to its end did, Unix time.",
            cloud.clock.now().secs(),
        );
        cloud.metrics.gauge(
            "awan_oss_scrub_lost",
            "Pieces of bodies that the last whole scrub found in no copy, and rows that do not read.",
            tables::int(report.lost + report.rows),
        );
        tracing::info!(?report, "scrubbed");
        Ok(report)
    }

    /// Sweeps the backends for ever: at first what a crash left, for a while, since what was on its way may
    /// still arrive; then, once a day, everything.
    async fn sweep_often(&self) {
        if !self.0.blobs.has_backends() {
            return std::future::pending().await;
        }
        let mut rounds = 0_u32;
        loop {
            let all = rounds >= SWEEPS_AT_FIRST;
            if let Err(error) = self.0.blobs.sweep(all).await {
                tracing::error!(?error, "sweep the backends; the next round begins anew");
            }
            tokio::time::sleep(if all { SWEEP_EVERY } else { SWEEP_AT_FIRST_EVERY }).await;
            rounds = rounds.saturating_add(1);
        }
    }

    /// Removes from the backends what no row refers to; says how many objects.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sweep(&self) -> Result<u64, ApiError> {
        self.0.blobs.sweep(true).await
    }

    fn show_backends(&self) {
        let metrics = &self.0.cloud.metrics;
        let Some((away, counts)) = self.0.blobs.backend_counts() else { return };
        for (name, help, value) in [
            ("awan_oss_backends_away", "Backends whose last call failed.", away),
            ("awan_oss_backend_calls_total", "Calls of backends.", counts.calls),
            ("awan_oss_backend_failures_total", "Calls of backends that failed.", counts.failures),
            ("awan_oss_backend_sent_bytes_total", "Bytes sent to backends.", counts.sent),
            ("awan_oss_backend_fetched_bytes_total", "Bytes read from backends.", counts.fetched),
        ] {
            metrics.gauge(name, help, tables::int(value));
        }
    }

    fn show_scrub(&self, totals: &ScrubReport) {
        let metrics = &self.0.cloud.metrics;
        for (name, help, value) in [
            ("awan_oss_scrub_bytes_total", "Bytes that scrubs read.", totals.bytes),
            ("awan_oss_scrub_damaged_total", "Bad copies that scrubs found.", totals.damaged),
            ("awan_oss_scrub_mended_total", "Copies that scrubs mended.", totals.mended),
        ] {
            metrics.gauge(name, help, tables::int(value));
        }
    }

    /// What scrubs found in no copy and is still so, at most so many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn damage(&self, limit: usize) -> Result<Vec<Damage>, ApiError> {
        self.0.cloud.db.read(move |tx| tables::damage::list(tx, limit)).await
    }

    /// How much space the segments take, all copies together.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub async fn space(&self) -> Result<Space, ApiError> {
        self.0.blobs.space().await
    }
}
