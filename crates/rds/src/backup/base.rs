//! Base backups: from the server into parts of an object, read back and checked; and the task that makes one.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::base::{ApiError, Time};
use bytes::Bytes;
use engine::Cx;
use engine::ports::{OnePiece, Pending, Pieces};
use engine::task::{Machine, Next, Step, StepCx, StepError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::manifest::{self, Checked, Sum};
use super::replication::{BaseBackup, BaseEnd, Connection, Error, Part};
use super::wal::Lsn;
use super::{BACKUP_BYTES, BEGIN, Desk, Facts, KIND, arn, key, remove_all};
use crate::model::Engine;
use crate::tables::backup::{self, Backup, State};
use crate::tables::instance::{self, Instance};
use crate::tables::member;

/// A part of a backup's tar is at most so long, bytes.
const PART_MAX: u64 = 1 << 30;
/// A manifest is at most so long, bytes: a line of some 200 bytes for each file.
pub(super) const MANIFEST_MAX: usize = 256 << 20;
/// Pieces that wait between server and vault.
const QUEUE: usize = 16;

/// Where a physical backup comes from: a server that speaks the replication protocol, or a node that sends one.
#[async_trait::async_trait]
pub trait PhysicalSource: Send {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Part>, ApiError>;
    /// The engine's exact version.
    fn version(&self) -> String;
    /// What is known of it, after its last piece.
    async fn finish(self: Box<Self>) -> Result<BaseEnd, ApiError>;
}

struct FromServer(BaseBackup);

#[async_trait::async_trait]
impl PhysicalSource for FromServer {
    async fn next(&mut self) -> Result<Option<Part>, ApiError> {
        self.0.next().await.map_err(unavailable)
    }

    fn version(&self) -> String {
        self.0.version().to_owned()
    }

    async fn finish(self: Box<Self>) -> Result<BaseEnd, ApiError> {
        self.0.finish().await.map_err(unavailable)
    }
}

/// Gives physical backups of engines that make them on their node only.
#[async_trait::async_trait]
pub trait Copies: Send + Sync {
    /// Begins one of an instance at a data centre: what comes is what [`super::restore::Seeds::seed`] takes.
    async fn copy(&self, site: &str, id: &str) -> Result<Box<dyn Pieces>, ApiError>;
}

/// A backup that a node sends. Its manifest is ours: what was sent is one stream, with one sum.
struct FromNode {
    pieces: Box<dyn Pieces>,
    version: String,
    sum: Option<Sum>,
}

#[async_trait::async_trait]
impl PhysicalSource for FromNode {
    async fn next(&mut self) -> Result<Option<Part>, ApiError> {
        if let Some(sum) = &mut self.sum
            && let Some(piece) = self.pieces.next().await?
        {
            sum.add(&piece);
            return Ok(Some(Part::Tar(piece)));
        }
        Ok(self.sum.take().map(|sum| Part::Manifest(sum.manifest().into())))
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    /// Nothing is replayed after it.
    async fn finish(self: Box<Self>) -> Result<BaseEnd, ApiError> {
        Ok(BaseEnd { timeline: 1, start: Lsn(0), end: Lsn(0) })
    }
}

async fn from_node(desk: &Desk, instance: &Instance) -> Result<FromNode, ApiError> {
    let unavailable = |why: &str| ApiError::new(&::base::code::UNAVAILABLE).detail(why);
    let id = instance.id.clone();
    let members = desk.cloud.db.read(move |tx| member::of(tx, &id)).await?;
    let primary = members.into_iter().find(|it| it.primary && it.port != 0);
    let primary = primary.ok_or_else(|| unavailable("it has no primary now"))?;
    let nodes = desk.nodes.as_ref().ok_or_else(|| unavailable("no node is known here"))?;
    let pieces = nodes.copy(&primary.site, &instance.id).await?;
    Ok(FromNode { pieces, version: primary.observed.build, sum: Some(Sum::default()) })
}

fn unavailable(error: Error) -> ApiError {
    ApiError::new(&::base::code::UNAVAILABLE).detail(error.to_string())
}

/// Notes that a backup of an instance is to be made, and starts its task when this commits; answers its id.
///
/// # Errors
/// Those of the database.
pub fn begin(cx: &mut Cx<'_>, instance: &Instance, mode: &str) -> Result<String, ApiError> {
    let now = cx.now;
    let id = new_id(cx)?;
    let row = Backup {
        id: id.clone(),
        instance: instance.id.clone(),
        account: instance.account,
        status: State::Running,
        mode: mode.to_owned(),
        engine: instance.engine,
        build: instance.major.clone(),
        timeline: 0,
        start_lsn: 0,
        end_lsn: 0,
        started: now,
        ended: None,
        bytes: 0,
        facts: Facts::default(),
    };
    backup::insert(cx.tx(), &row)?;
    cx.spawn(KIND, id.clone(), BEGIN, now);
    Ok(id)
}

/// Nine digits, since clients read them as a number of 32 bits.
fn new_id(cx: &mut Cx<'_>) -> Result<String, ApiError> {
    loop {
        let digits = cx.rng().string(b"0123456789", 8);
        let id = format!("{}{digits}", cx.rng().string(b"123456789", 1));
        if backup::find(cx.tx(), &id)?.is_none() {
            return Ok(id);
        }
    }
}

/// As [`begin`], because only a new backup can go on from where the archive is now.
pub(super) async fn after_gap(desk: &Desk, instance: &Instance) -> Result<(), ApiError> {
    let of = instance.clone();
    let write = move |cx: &mut Cx<'_>| {
        cx.authorize(&arn(&of.region, of.account, &of.id))?;
        cx.audit_account(of.account);
        cx.audit_detail("reason", "the log has a gap");
        begin(cx, &of, "Automated")
    };
    desk.cloud.write(super::schedule::session(desk, "CreateBackup"), write).await.map(drop)
}

/// What came of a backup.
#[derive(Clone, Debug)]
struct Made {
    end: BaseEnd,
    version: String,
    cluster: u64,
    bytes: u64,
    parts: u32,
    bucket: String,
    checked: Checked,
}

/// Makes a backup and checks what was stored. Where that fails, nothing of it stays.
async fn make(desk: Arc<Desk>, backup: Backup, instance: Instance) -> Result<Made, ApiError> {
    let bucket = desk.bucket(&instance).await?;
    // Before the first byte, so that whoever removes it knows from where.
    let (id, facts) = (backup.id.clone(), Facts { bucket: bucket.clone(), ..backup.facts.clone() });
    desk.cloud.db.write(move |tx| backup::set_facts(tx, &id, &facts)).await?;
    let all = key::base(&instance.id, &backup.id);
    // What an attempt left that a crash ended.
    remove_all(&desk, &bucket, &all).await?;
    let made = stored(&desk, &backup, &instance, &bucket).await;
    if made.is_err()
        && let Err(error) = remove_all(&desk, &bucket, &all).await
    {
        // It goes with the row, when that is old.
        tracing::warn!(?error, backup = backup.id, "remove what there is of a failed backup");
    }
    made
}

async fn stored(
    desk: &Arc<Desk>,
    backup: &Backup,
    instance: &Instance,
    bucket: &str,
) -> Result<Made, ApiError> {
    let (mut source, cluster) = open(desk, instance).await?;
    let place = Place { desk, bucket, instance: &instance.id, backup: &backup.id };
    let Stored { bytes, parts } = store(&place, &mut *source).await?;
    let version = source.version();
    let end = source.finish().await?;
    let checked = check(desk, bucket, backup, parts).await?;
    let bucket = bucket.to_owned();
    Ok(Made { end, version, cluster, bytes, parts, bucket, checked })
}

/// Opens the source of a backup of an instance.
async fn open(
    desk: &Arc<Desk>,
    instance: &Instance,
) -> Result<(Box<dyn PhysicalSource>, u64), ApiError> {
    if instance.engine == Engine::MariaDb {
        return Ok((Box::new(from_node(desk, instance).await?), 0));
    }
    let (at, of) = (Arc::clone(desk), instance.clone());
    let find = move |tx: &mut store::Tx<'_>| at.target(tx, &of, "awan_backup");
    let target = desk.cloud.db.read(find).await?;
    let nowhere = || ApiError::new(&::base::code::UNAVAILABLE).detail("it has no primary now");
    let target = target.ok_or_else(nowhere)?;
    let mut connection = Connection::open(&target).await.map_err(unavailable)?;
    let system = connection.identify().await.map_err(unavailable)?;
    let backup = BaseBackup::begin(connection).await.map_err(unavailable)?;
    Ok((Box::new(FromServer(backup)), system.cluster))
}

/// Where a backup goes.
struct Place<'a> {
    desk: &'a Arc<Desk>,
    bucket: &'a str,
    instance: &'a str,
    backup: &'a str,
}

/// How much that is.
struct Stored {
    bytes: u64,
    parts: u32,
}

async fn store(place: &Place<'_>, source: &mut dyn PhysicalSource) -> Result<Stored, ApiError> {
    let Place { desk, bucket, instance, backup } = *place;
    let mut stored = Stored { bytes: 0, parts: 0 };
    let mut part: Option<Writing> = None;
    let mut manifest = Vec::new();
    while let Some(piece) = source.next().await? {
        match piece {
            Part::Manifest(bytes) if manifest.len() + bytes.len() > MANIFEST_MAX => {
                return Err(ApiError::internal("a manifest is too long"));
            }
            Part::Manifest(bytes) => manifest.extend_from_slice(&bytes),
            Part::Tar(bytes) => {
                let writing = match part.take() {
                    Some(writing) => writing,
                    None => {
                        let key = key::part(instance, backup, stored.parts);
                        stored.parts += 1;
                        Writing::begin(desk, bucket, key)
                    }
                };
                part = writing.push(bytes, &mut stored.bytes).await?;
            }
        }
    }
    if let Some(writing) = part {
        stored.bytes += writing.finish().await?;
    }
    let key = key::manifest(instance, backup);
    stored.bytes += desk.vault.put(bucket, &key, Box::new(OnePiece::new(manifest))).await?;
    Ok(stored)
}

/// A part on its way into the vault.
struct Writing {
    pieces: mpsc::Sender<Option<Bytes>>,
    put: JoinHandle<Result<u64, ApiError>>,
    length: u64,
}

impl Writing {
    fn begin(desk: &Arc<Desk>, bucket: &str, key: String) -> Self {
        let (pieces, queue) = mpsc::channel(QUEUE);
        let (desk, bucket) = (Arc::clone(desk), bucket.to_owned());
        let put = async move { desk.vault.put(&bucket, &key, Box::new(Queue(queue))).await };
        Self { pieces, put: tokio::spawn(put), length: 0 }
    }

    /// Adds a piece; `None` where the part is full with it, whose stored size is added then.
    async fn push(mut self, bytes: Bytes, stored: &mut u64) -> Result<Option<Self>, ApiError> {
        self.length += bytes.len() as u64;
        if self.pieces.send(Some(bytes)).await.is_err() {
            // It ended before its end: with an error.
            self.finish().await?;
            return Err(ApiError::internal("a part ended early"));
        }
        if self.length < PART_MAX {
            return Ok(Some(self));
        }
        *stored += self.finish().await?;
        Ok(None)
    }

    async fn finish(self) -> Result<u64, ApiError> {
        // Without this word the vault takes the part for broken off.
        let _ = self.pieces.send(None).await;
        self.put.await.map_err(ApiError::internal)?
    }
}

/// Pieces as they come; an end that is not told is an error.
struct Queue(mpsc::Receiver<Option<Bytes>>);

impl Pieces for Queue {
    fn next(&mut self) -> Pending<'_, Option<Bytes>> {
        Box::pin(async {
            let piece = self.0.recv().await;
            piece.ok_or_else(|| ApiError::internal("the backup broke off"))
        })
    }
}

/// Reads what was stored back, and compares it with the server's manifest.
async fn check(
    desk: &Arc<Desk>,
    bucket: &str,
    backup: &Backup,
    parts: u32,
) -> Result<Checked, ApiError> {
    let key = key::manifest(&backup.instance, &backup.id);
    let manifest = desk.whole(bucket, &key, MANIFEST_MAX).await?;
    let manifest = manifest.ok_or_else(|| ApiError::internal("the manifest is not there"))?;
    let (pieces, queue) = mpsc::channel(QUEUE);
    let blocking = tokio::task::spawn_blocking(move || {
        manifest::check(&manifest, Blocking { queue, piece: Bytes::new() })
    });
    let mut tar = Tar::new(Arc::clone(desk), bucket, backup, parts);
    while let Some(piece) = tar.next().await? {
        if pieces.send(piece).await.is_err() {
            break; // it knows enough
        }
    }
    drop(pieces);
    let checked = blocking.await.map_err(ApiError::internal)?;
    checked.map_err(|error| ApiError::internal(format!("check a backup: {error}")))
}

/// Pieces for a reader that blocks.
struct Blocking {
    queue: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl io::Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.queue.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

/// The tar of a backup, all its parts one after another.
pub(super) struct Tar {
    desk: Arc<Desk>,
    bucket: String,
    keys: std::vec::IntoIter<String>,
    part: Option<Box<dyn Pieces>>,
}

impl Tar {
    pub(super) fn new(desk: Arc<Desk>, bucket: &str, backup: &Backup, parts: u32) -> Self {
        let key = |part| key::part(&backup.instance, &backup.id, part);
        let keys: Vec<_> = (0..parts).map(key).collect();
        Self { desk, bucket: bucket.to_owned(), keys: keys.into_iter(), part: None }
    }
}

impl Pieces for Tar {
    fn next(&mut self) -> Pending<'_, Option<Bytes>> {
        Box::pin(async {
            loop {
                if let Some(part) = &mut self.part
                    && let Some(piece) = part.next().await?
                {
                    return Ok(Some(piece));
                }
                let Some(key) = self.keys.next() else { return Ok(None) };
                let part = self.desk.vault.get(&self.bucket, &key).await?;
                let missing = || ApiError::internal(format!("{key} is not there"));
                self.part = Some(part.ok_or_else(missing)?);
            }
        })
    }
}

/// A backup under way in this process.
type Running = JoinHandle<Result<Made, ApiError>>;

/// Makes backups: one task for each.
pub struct Backups {
    desk: Arc<Desk>,
    running: Mutex<HashMap<String, Running>>,
}

impl Backups {
    /// Makes them with this.
    pub fn new(desk: Arc<Desk>) -> Self {
        Self { desk, running: Mutex::default() }
    }

    /// What came of it, if it is done; started where it is not under way.
    fn poll(&self, backup: &Backup, instance: Instance) -> Option<Running> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get(&backup.id) {
            Some(job) if job.is_finished() => running.remove(&backup.id),
            Some(_) => None,
            None => {
                let job = tokio::spawn(make(Arc::clone(&self.desk), backup.clone(), instance));
                running.insert(backup.id.clone(), job);
                None
            }
        }
    }
}

impl Backups {
    /// Ends one that is under way.
    fn end(&self, id: &str) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = running.remove(id) {
            job.abort();
        }
    }
}

/// How often a backup under way is looked at.
const POLL: Duration = Duration::from_millis(200);

impl Machine for Backups {
    const KIND: &'static str = KIND;
    const CONCURRENCY: usize = 4;
    type State = ();

    fn deadline(_: &()) -> Option<Duration> {
        Some(Duration::from_secs(24 * 3600))
    }

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        let id = cx.id.clone();
        let find = move |tx: &mut store::Tx<'_>| {
            let Some(backup) = backup::find(tx, &id)? else { return Ok(None) };
            let instance = instance::find(tx, &backup.instance)?;
            Ok::<_, ApiError>(Some((backup, instance)))
        };
        let Some((backup, instance)) = cx.cloud.db.read(find).await? else {
            return Ok(Next::Done.into());
        };
        if backup.status != State::Running {
            return Ok(Next::Done.into());
        }
        let now = cx.cloud.clock.now();
        let Some(instance) = instance else {
            self.end(&backup.id);
            return Ok(failed(backup.id, "its instance is gone".to_owned(), now));
        };
        let region = instance.region.clone();
        let Some(done) = self.poll(&backup, instance) else { return Ok(Next::Wait(POLL).into()) };
        let made = done.await.map_err(StepError::broken)?;
        Ok(match made {
            Ok(made) => succeeded(backup, made, region, now),
            Err(error) => {
                // One whose server stopped under it is told to its owner, and another comes in time.
                if error.is(&::base::code::UNAVAILABLE) {
                    tracing::info!(
                        ?error,
                        instance = backup.instance,
                        backup = backup.id,
                        "back up"
                    );
                } else {
                    tracing::error!(
                        ?error,
                        instance = backup.instance,
                        backup = backup.id,
                        "back up"
                    );
                }
                failed(backup.id, error.code().to_owned(), now)
            }
        })
    }
}

fn failed(id: String, reason: String, now: Time) -> Step<()> {
    Next::Done.with(move |cx| {
        cx.authorize("acs:rds:*:*:backup")?;
        backup::fail(cx.tx(), &id, &reason, now).map(drop)
    })
}

fn succeeded(mut backup: Backup, made: Made, region: String, now: Time) -> Step<()> {
    backup.status = State::Success;
    backup.build = made.version;
    backup.timeline = made.end.timeline;
    backup.start_lsn = made.end.start.0;
    backup.end_lsn = made.end.end.0;
    backup.ended = Some(now);
    backup.bytes = i64::try_from(made.bytes).unwrap_or(i64::MAX);
    backup.facts = Facts {
        bucket: made.bucket,
        cluster: made.cluster,
        parts: made.parts,
        data_bytes: made.checked.bytes,
        checked_files: made.checked.files,
        ..backup.facts
    };
    Next::Done.with(move |cx| {
        let arn = arn(&region, backup.account, &backup.instance);
        cx.authorize(&arn)?;
        cx.audit_account(backup.account);
        if backup::finish(cx.tx(), &backup)? {
            cx.level(backup.account, &arn, BACKUP_BYTES, backup.bytes);
        }
        Ok(())
    })
}
