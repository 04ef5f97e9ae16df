//! One stream of an instance's log: from the server into pieces, acknowledged when they are durable.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::base::{AccountId, ApiError, Time};
use bytes::{Bytes, BytesMut};
use engine::meter::Meters;
use engine::ports::OnePiece;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::super::base::after_gap;
use super::super::replication::message::Streamed;
use super::super::replication::{Connection, Error, Next, System, Target};
use super::super::wal::{self, Lsn, Switch};
use super::super::{ARCHIVE_NAME, BACKUP_BYTES, Desk, arn, key};
use super::compact;
use super::plan::{Plan, plan};
use super::reach::Reach;
use crate::tables::wal::{self as spans, Span};

/// A piece is at most so long, bytes, unless more waits already.
const PIECE: usize = 1 << 20;
/// So much of the log is held in memory at most, bytes, and what one message brings.
const HELD_MAX: usize = 4 << 20;
/// The server is told at least this often how far everything is durable, and asked whether it is there.
const STATUS: Duration = Duration::from_secs(5);
/// Where nothing is written, up to which moment the archive has everything is noted this often.
const IDLE: Duration = Duration::from_secs(15);

/// Whose log is archived, and how.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) instance: String,
    pub(super) account: AccountId,
    pub(super) region: String,
    pub(super) target: Target,
    /// What came within this is written together.
    pub(super) write: Duration,
}

impl Job {
    /// Whether it is the same stream.
    pub(super) fn is(&self, other: &Self) -> bool {
        let place = |job: &Self| (job.target.host.clone(), job.target.port, job.write);
        place(self) == place(other)
            && self.target.server_name == other.target.server_name
            && self.target.password.expose() == other.target.password.expose()
    }
}

/// Why a stream ended that nobody stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Server(#[from] Error),
    #[error("the cloud: {0:?}")]
    Cloud(#[from] ApiError),
    #[error("the server is not to be archived: {0}")]
    Refused(String),
}

impl Broken {
    /// True where the server no longer has the log that the archive needs next.
    pub(super) fn is_log_gone(&self) -> bool {
        matches!(self, Self::Server(error) if error.is_log_gone())
    }
}

/// Archives from where the archive ends, until `stop` or the end of the timeline. `lost`: what comes next is gone, and
/// the archive goes on after a gap.
pub(super) async fn run(
    desk: &Arc<Desk>,
    job: &Job,
    lost: bool,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Broken> {
    let instance = find(desk, job).await?;
    let bucket = desk.bucket(&instance).await?;
    let mut connection = Connection::open(&job.target).await?;
    let system = connection.identify().await?;
    let history = keep_history(desk, job, &bucket, (&mut connection, &system)).await?;
    if lost {
        connection.drop_slot(ARCHIVE_NAME).await?;
    }
    let slot = connection.ensure_slot(ARCHIVE_NAME).await?;
    let id = job.instance.clone();
    let archived = desk.cloud.db.read(move |tx| spans::of_instance(tx, &id)).await?;
    let plan = match lost {
        true => Plan::anew(&system, slot.restart, true),
        false => plan(&archived, &system, &history, slot.restart).map_err(Broken::Refused)?,
    };
    if !connection.start(ARCHIVE_NAME, plan.from, plan.timeline).await? {
        return Ok(());
    }
    let span = begin_span(desk, job, (&system, &plan)).await?;
    if plan.gap {
        let from = plan.from;
        tracing::error!(instance = job.instance, %from, "the archive goes on after a gap, from a new base backup");
        after_gap(desk, &instance).await?;
    }
    let (compact, compacting) = compact::start(desk, &bucket, &span);
    let place =
        Place { desk: Arc::clone(desk), bucket, account: job.account, region: job.region.clone() };
    let is_newest = plan.timeline == system.timeline;
    let mut stream = Stream::new(place, span, job.write, compact, is_newest);
    let ended = stream.run(&mut connection, stop).await;
    drop(stream); // so that the compaction comes to its end
    if ended.is_ok() {
        connection.close().await;
    }
    if let Err(panic) = compacting.await {
        tracing::error!(%panic, "compact the log");
    }
    ended
}

async fn find(desk: &Desk, job: &Job) -> Result<crate::tables::instance::Instance, ApiError> {
    let id = job.instance.clone();
    let found = desk.cloud.db.read(move |tx| crate::tables::instance::find(tx, &id)).await?;
    found.ok_or_else(|| ApiError::new(&crate::errors::NO_INSTANCE))
}

/// Stores what the server's timeline came from, where it is not the first.
async fn keep_history(
    desk: &Desk,
    job: &Job,
    bucket: &str,
    (connection, system): (&mut Connection, &System),
) -> Result<Vec<Switch>, Broken> {
    if system.timeline <= 1 {
        return Ok(Vec::new());
    }
    let text = connection.history(system.timeline).await?;
    let switches = wal::history(&text).ok_or(Error::Malformed("a history file"))?;
    let name = wal::history_name(system.timeline);
    let key = key::file(&job.instance, system.cluster, &name);
    if desk.vault.get(bucket, &key).await?.is_none() {
        desk.vault.put(bucket, &key, Box::new(OnePiece::new(text))).await?;
    }
    Ok(switches)
}

/// The span that the stream makes longer, in the database.
async fn begin_span(
    desk: &Desk,
    job: &Job,
    (system, plan): (&System, &Plan),
) -> Result<Span, ApiError> {
    let span = Span {
        instance: job.instance.clone(),
        cluster: system.cluster,
        timeline: plan.timeline,
        start: plan.span,
        end: plan.from,
        bytes: 0,
        newest: spans::UNKNOWN,
    };
    let row = span.clone();
    desk.cloud.db.write(move |tx| spans::extend(tx, &row, row.end, 0)).await?;
    Ok(span)
}

/// Where pieces go.
#[derive(Clone)]
struct Place {
    desk: Arc<Desk>,
    bucket: String,
    account: AccountId,
    region: String,
}

type Writing = Pin<Box<dyn Future<Output = Result<Lsn, ApiError>> + Send>>;

/// The log on its way.
struct Stream {
    place: Place,
    span: Span,
    write: Duration,
    compact: mpsc::UnboundedSender<Lsn>,
    /// What came and is not on its way yet, from `held_from` on.
    held: BytesMut,
    held_from: Lsn,
    /// When what is held is to be written.
    due: Instant,
    /// Everything before it is durable.
    durable: Lsn,
    last_write: Instant,
    /// Up to which moment it has everything. Of an older timeline nothing is said: the server has more than its end.
    reach: Option<Reach>,
    /// When the server was asked whether it is there, unless something of the log came since.
    asked: Option<Time>,
    /// When a row said last up to which moment the archive is.
    noted: Option<Instant>,
}

impl Stream {
    fn new(
        place: Place,
        span: Span,
        write: Duration,
        compact: mpsc::UnboundedSender<Lsn>,
        is_newest: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            place,
            write,
            compact,
            held: BytesMut::new(),
            held_from: span.end,
            durable: span.end,
            due: now,
            last_write: now,
            reach: is_newest.then(Reach::default),
            asked: None,
            noted: None,
            span,
        }
    }

    async fn run(
        &mut self,
        connection: &mut Connection,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Broken> {
        let mut writing: Option<Writing> = None;
        let mut status = Instant::now();
        // What came is stored also where the connection breaks: it may be all that is left of it.
        let mut ended: Option<Result<(), Broken>> = None;
        loop {
            if *stop.borrow() && ended.is_none() {
                ended = Some(Ok(()));
            }
            if writing.is_none() && self.is_due(ended.is_some()) {
                writing = self.piece();
            }
            if writing.is_none()
                && let Some(ended) = ended.take()
            {
                ended?;
                return self.acknowledge(connection, false).await;
            }
            let hears = ended.is_none();
            let step = tokio::select! {
                durable = written(&mut writing), if writing.is_some() => {
                    writing = None;
                    self.written(durable?);
                    if hears { self.acknowledge(connection, false).await } else { Ok(()) }
                }
                next = connection.next(), if hears && self.held.len() < HELD_MAX => {
                    match next {
                        Ok(Next::End) => { ended = Some(Ok(())); Ok(()) }
                        Ok(Next::Said(said)) => self.heard(said, connection).await,
                        Err(error) => Err(error.into()),
                    }
                },
                () = sleep_until(self.due), if writing.is_none() && !self.held.is_empty() => Ok(()),
                () = sleep_until(status), if hears => {
                    status = Instant::now() + STATUS;
                    self.acknowledge(connection, true).await
                }
                _ = stop.changed(), if hears => Ok(()),
            };
            if let Err(broken) = step {
                ended = Some(Err(broken));
            }
        }
    }

    async fn heard(&mut self, said: Streamed, connection: &mut Connection) -> Result<(), Broken> {
        match said {
            Streamed::Log { start, end, at, bytes } => {
                let now = self.place.desk.cloud.clock.now();
                if let Some(reach) = &mut self.reach {
                    reach.seen(end, at.min(now));
                }
                self.take(start, bytes)
            }
            Streamed::Alive { end, at, reply } => {
                if reply {
                    self.acknowledge(connection, false).await?;
                }
                self.is_alive(end, at).await
            }
        }
    }

    /// Notes that the archive has all that there is, though nothing is written: the moment to which one can go back
    /// moves on. That is known from an answer only where nothing of the log came since the question.
    async fn is_alive(&mut self, end: Lsn, at: Time) -> Result<(), Broken> {
        let waits = end > self.durable || !self.held.is_empty();
        let lately = self.noted.is_some_and(|noted| noted.elapsed() < IDLE);
        let (Some(asked), Some(reach)) = (self.asked.take(), &mut self.reach) else {
            return Ok(());
        };
        if waits || lately {
            return Ok(());
        }
        let Some(newest) = reach.idle(self.durable, asked.min(at)) else { return Ok(()) };
        self.noted = Some(Instant::now());
        let cloud = &self.place.desk.cloud;
        let span = Span { end: self.durable, newest, ..self.span.clone() };
        Ok(cloud.db.write(move |tx| spans::extend(tx, &span, span.end, 0)).await?)
    }

    async fn acknowledge(&mut self, connection: &mut Connection, ask: bool) -> Result<(), Broken> {
        let now = self.place.desk.cloud.clock.now();
        if ask {
            self.asked = Some(now);
        }
        Ok(connection.acknowledge(self.durable, now, ask).await?)
    }

    fn take(&mut self, start: Lsn, bytes: Bytes) -> Result<(), Broken> {
        if start != self.held_from.plus(self.held.len()) {
            return Err(Error::Malformed("a log that leaves something out").into());
        }
        if self.held.is_empty() {
            // The first after a pause goes at once, what follows it together.
            self.due = (self.last_write + self.write).max(Instant::now());
        }
        self.held.extend_from_slice(&bytes);
        self.asked = None;
        Ok(())
    }

    fn is_due(&self, at_once: bool) -> bool {
        !self.held.is_empty() && (at_once || self.held.len() >= PIECE || Instant::now() >= self.due)
    }

    /// Sends a piece on its way: of what is held, what is of one segment.
    fn piece(&mut self) -> Option<Writing> {
        let room = usize::try_from(self.held_from.next_segment().0 - self.held_from.0).ok()?;
        let bytes = self.held.split_to(self.held.len().min(room)).freeze();
        let start = self.held_from;
        self.held_from = start.plus(bytes.len());
        self.last_write = Instant::now();
        self.due = self.last_write + self.write;
        let moment = self.reach.as_mut().and_then(|reach| reach.moment(self.held_from));
        if moment.is_some() {
            self.noted = Some(self.last_write);
        }
        let newest = moment.unwrap_or(spans::UNKNOWN);
        let span = Span { end: self.held_from, newest, ..self.span.clone() };
        Some(Box::pin(store(self.place.clone(), span, start, bytes)))
    }

    fn written(&mut self, durable: Lsn) {
        self.durable = durable;
        if durable.is_boundary() {
            // Nobody listens where the compaction ended early; the next stream compacts what is left.
            let _ = self.compact.send(Lsn(durable.0 - wal::SEGMENT));
        }
    }
}

async fn written(writing: &mut Option<Writing>) -> Result<Lsn, ApiError> {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

/// Stores a piece, then the row that says that it is there.
async fn store(place: Place, span: Span, start: Lsn, bytes: Bytes) -> Result<Lsn, ApiError> {
    let desk = &place.desk;
    let key = key::piece(&span.instance, span.cluster, span.timeline, start);
    let body = OnePiece::new(wal::pack(&bytes));
    let size = desk.vault.put(&place.bucket, &key, Box::new(body)).await?;
    let added = i64::try_from(size).unwrap_or(i64::MAX);
    let now = desk.cloud.clock.now();
    let end = span.end;
    let (account, arn) = (place.account, arn(&place.region, place.account, &span.instance));
    let note = move |tx: &mut store::Tx<'_>| {
        spans::extend(tx, &span, start, added)?;
        let mut meters = Meters::default();
        meters.level(account, &arn, BACKUP_BYTES, added);
        meters.write(tx, now)
    };
    desk.cloud.db.write(note).await?;
    Ok(end)
}
