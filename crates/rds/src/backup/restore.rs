//! What a restore needs, in order: a base backup, and the log from there on.
//!
//! It sends at least as much of the log as the moment asks for, and often more: the server stops by itself at the
//! first commit that is later. Where there is none, it ends at the end of the log, which is then as exact: what is not
//! known to have everything that was committed until that moment is not sent at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::base::{ApiError, Time};
use engine::ports::Pieces;
use store::Tx;
use tokio::task::JoinHandle;

use super::archive::assemble;
use super::base::Tar;
use super::wal::{self, Lsn, SEGMENT, Switch};
use super::{Desk, key};
use crate::tables::backup::{self, Backup, State};
use crate::tables::wal::{self as spans, Span};

/// By so much the clocks of servers and the cloud may differ.
const SKEW: Duration = Duration::from_secs(120);
/// A segment as stored is at most so long, bytes.
const PACKED_MAX: usize = (SEGMENT as usize) + (1 << 20);
/// A history file is at most so long, bytes.
const HISTORY_MAX: usize = 1 << 20;

/// Takes what a restore needs, for a new data directory of an instance at a data centre.
#[async_trait::async_trait]
pub trait Seeds: Send + Sync {
    /// The data directory: a tar, as LZ4 frames.
    async fn seed(&self, site: &str, id: &str, tar: Box<dyn Pieces>) -> Result<(), ApiError>;

    /// A file of the log, as it must be found by that name: a segment (24 hexadecimal digits), or a timeline's
    /// history (`00000002.history`). One LZ4 frame.
    async fn wal(&self, site: &str, id: &str, file: &str, frame: Vec<u8>) -> Result<(), ApiError>;
}

/// What to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// Whose archive.
    pub instance: String,
    /// The backup to begin with; the newest fitting one where `None`.
    pub backup: Option<String>,
    /// What was committed later is not to be there. `None`: the end of the backup.
    pub until: Option<Time>,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The backup that it begins with.
    pub backup: String,
    /// How many files of the log were sent.
    pub files: u32,
}

/// Sends everything that a restore needs.
///
/// # Errors
/// `InvalidBackup.NotFound` where there is no such backup; where the log has a gap before the moment, or does not reach
/// it yet; those of the vault and of the taker.
pub async fn send(
    desk: &Arc<Desk>,
    from: &From,
    (seeds, site, id): (&dyn Seeds, &str, &str),
) -> Result<Sent, ApiError> {
    let (wanted, now) = (from.clone(), desk.cloud.clock.now());
    let find = move |tx: &mut Tx<'_>| {
        let backup = choose(tx, &wanted, now)?;
        let backups = backup::of_instance(tx, &wanted.instance)?;
        Ok::<_, ApiError>((backup, backups, spans::of_instance(tx, &wanted.instance)?))
    };
    let (backup, backups, spans) = desk.cloud.db.read(find).await?;
    let bucket = backup.facts.bucket.clone();
    let tar = Tar::new(Arc::clone(desk), &bucket, &backup, backup.facts.parts);
    seeds.seed(site, id, Box::new(tar)).await?;
    let mut sent = Sent { backup: backup.id.clone(), files: 0 };
    let Some(until) = from.until else { return Ok(sent) };
    let way = way(desk, &bucket, &backup, &spans, (seeds, site, id)).await?;
    let end = way.as_ref().and_then(|way| enough(way, &backup, &backups, &spans, until));
    let (Some(way), Some(end)) = (way, end) else {
        let why = format!("the archive of {} does not reach {}", backup.instance, until.iso());
        return Err(ApiError::internal(why));
    };
    let mut segment = Lsn(backup.start_lsn).segment();
    while segment < end {
        let Some(found) = file(desk, &bucket, &backup, &way, (segment, end)).await? else {
            // The backup holds its own log itself.
            if segment <= Lsn(backup.end_lsn) {
                segment = segment.next_segment();
                continue;
            }
            let why = format!("the archive of {} has a gap at {segment}", backup.instance);
            return Err(ApiError::internal(why));
        };
        seeds.wal(site, id, &found.name, found.frame).await?;
        sent.files += 1;
        segment = segment.next_segment();
    }
    Ok(sent)
}

fn choose(tx: &mut Tx<'_>, from: &From, now: Time) -> Result<Backup, ApiError> {
    let none = || crate::errors::NO_BACKUP.error("There is no backup that ended before that.");
    let found = match &from.backup {
        Some(id) => backup::find(tx, id)?
            .filter(|it| it.instance == from.instance && it.status == State::Success),
        None => backup::newest_before(tx, &from.instance, from.until.unwrap_or(now))?,
    };
    found.ok_or_else(none)
}

/// The way of the log from a backup on.
struct Way {
    /// The timelines before the last one, and where they ended.
    switches: Vec<Switch>,
    /// The last one.
    timeline: u32,
    /// Where the archive ends.
    end: Lsn,
}

impl Way {
    /// The timeline whose file has a segment: the last one that has any of it.
    fn timeline(&self, segment: Lsn) -> u32 {
        let ended = self.switches.iter().position(|switch| switch.at.segment() > segment);
        ended.map_or(self.timeline, |at| self.switches[at].timeline)
    }

    /// Where it leaves a timeline; `None` of one that it does not go along.
    fn leaves(&self, timeline: u32) -> Option<Lsn> {
        let left = self.switches.iter().find(|switch| switch.timeline == timeline);
        let last = (timeline == self.timeline).then_some(self.end);
        left.map(|switch| switch.at).or(last)
    }
}

/// A position before which everything is that was committed until a moment, the first that is known; `None` where
/// none is, because the archive has not come so far.
///
/// When something was stored does not tell: what was written before may be stored at any time later.
fn enough(
    way: &Way,
    from: &Backup,
    backups: &[Backup],
    spans: &[Span],
    until: Time,
) -> Option<Lsn> {
    let own = |cluster| cluster == from.facts.cluster;
    let archived = spans
        .iter()
        .filter(|span| own(span.cluster) && span.newest >= until)
        .filter_map(|span| Some(span.end.min(way.leaves(span.timeline)?)));
    // A backup begins with a checkpoint that is made for it: all that was committed before is before that.
    let begun = backups
        .iter()
        .filter(|it| it.status == State::Success && own(it.facts.cluster))
        .filter(|it| it.started > until.plus(SKEW))
        .map(|it| (it.timeline, Lsn(it.start_lsn)))
        .filter(|(timeline, start)| way.leaves(*timeline).is_some_and(|end| *start <= end))
        .filter_map(|(_, start)| (start <= way.end).then_some(start));
    archived.chain(begun).min()
}

/// Finds the way of the log, and sends the histories that the server finds it by.
async fn way(
    desk: &Desk,
    bucket: &str,
    backup: &Backup,
    spans: &[Span],
    (seeds, site, id): (&dyn Seeds, &str, &str),
) -> Result<Option<Way>, ApiError> {
    let own = spans.iter().filter(|span| span.cluster == backup.facts.cluster);
    let Some(last) = own.max_by_key(|span| (span.timeline, span.end)) else { return Ok(None) };
    let mut switches = Vec::new();
    for timeline in backup.timeline + 1..=last.timeline {
        let name = wal::history_name(timeline);
        let key = key::file(&backup.instance, backup.facts.cluster, &name);
        let Some(text) = desk.whole(bucket, &key, HISTORY_MAX).await? else { continue };
        seeds.wal(site, id, &name, wal::pack(&text)).await?;
        if timeline == last.timeline {
            let text = String::from_utf8_lossy(&text);
            switches = wal::history(&text)
                .ok_or_else(|| ApiError::internal(format!("{key} does not read")))?;
        }
    }
    let from_backup = switches.iter().any(|switch| switch.timeline == backup.timeline);
    if last.timeline != backup.timeline && !from_backup {
        let why = format!("timeline {} does not come from backup {}", last.timeline, backup.id);
        return Err(ApiError::internal(why));
    }
    Ok(Some(Way { switches, timeline: last.timeline, end: last.end }))
}

/// A file of the log on its way to a server.
struct File {
    name: String,
    frame: Vec<u8>,
}

/// The file that has a segment: as it is stored, or put together of its pieces, which have to go to `end`.
async fn file(
    desk: &Desk,
    bucket: &str,
    backup: &Backup,
    way: &Way,
    (segment, end): (Lsn, Lsn),
) -> Result<Option<File>, ApiError> {
    let (instance, cluster) = (&backup.instance, backup.facts.cluster);
    let timeline = way.timeline(segment);
    let name = wal::segment_name(timeline, segment);
    let key = key::file(instance, cluster, &name);
    if let Some(frame) = desk.whole(bucket, &key, PACKED_MAX).await? {
        return Ok(Some(File { name, frame }));
    }
    let prefix = key::pieces_of(instance, cluster, timeline, segment);
    let assembled = assemble(desk, bucket, &prefix, segment).await?;
    // Zeros follow only where nothing is needed any more.
    let needed = end.min(segment.next_segment()).0 - segment.0;
    if assembled.filled < needed {
        return Ok(None);
    }
    Ok(Some(File { name, frame: wal::pack(&assembled.bytes) }))
}

/// The first and the last moment that an instance can be taken back to; `None` where there is none.
///
/// # Errors
/// Those of the database.
pub fn window(tx: &mut Tx<'_>, instance: &str) -> Result<Option<(Time, Time)>, ApiError> {
    let backups = backup::of_instance(tx, instance)?;
    let spans = spans::of_instance(tx, instance)?;
    Ok(bounds(&backups, &spans))
}

fn bounds(backups: &[Backup], spans: &[Span]) -> Option<(Time, Time)> {
    let chain = chain(spans);
    let newest = chain.first()?.newest;
    let reaches = |backup: &&Backup| {
        chain.iter().any(|span| {
            // The backup holds its own log, to the end of the segment in which it ended.
            span.cluster == backup.facts.cluster
                && span.timeline == backup.timeline
                && span.start <= Lsn(backup.end_lsn).next_segment()
        })
    };
    let whole = backups.iter().filter(|backup| backup.status == State::Success);
    let first = whole.filter(reaches).filter_map(|backup| backup.ended).min()?;
    (first <= newest).then_some((first, newest))
}

/// The spans that follow each other without a gap up to the newest, that one first.
fn chain(spans: &[Span]) -> Vec<&Span> {
    let mut chain: Vec<&Span> = Vec::new();
    let mut next = spans.iter().max_by_key(|span| (span.newest, span.timeline, span.end));
    while let Some(span) = next {
        chain.push(span);
        next = spans
            .iter()
            .filter(|it| it.cluster == span.cluster && it.timeline < span.timeline)
            .filter(|it| it.start <= span.start && it.end >= span.start)
            .max_by_key(|it| it.timeline);
    }
    chain
}

/// Restores under way, each a job of this process that is asked how far it is.
#[derive(Clone, Default)]
pub struct Restores(Option<Arc<Sending>>);

struct Sending {
    desk: Arc<Desk>,
    seeds: Arc<dyn Seeds>,
    jobs: Mutex<HashMap<String, JoinHandle<Result<Sent, ApiError>>>>,
}

/// How far a restore is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is being sent.
    Running,
    /// Everything was sent.
    Sent,
    /// It came to nothing; asked again, it begins anew.
    Failed(String),
}

impl Restores {
    /// From that desk's vault, to those nodes.
    pub fn new(desk: Arc<Desk>, seeds: Arc<dyn Seeds>) -> Self {
        Self(Some(Arc::new(Sending { desk, seeds, jobs: Mutex::default() })))
    }

    /// Where this process has no vault.
    pub fn none() -> Self {
        Self(None)
    }

    /// Starts the restore into an instance at a data centre where it does not run, and says how far it is. A crash
    /// forgets it: then it begins anew, and what arrives twice is the same.
    pub async fn poll(&self, from: &From, site: &str, id: &str) -> Progress {
        let Some(sending) = &self.0 else {
            return Progress::Failed(
                "this process has no object storage to restore from".to_owned(),
            );
        };
        let done = {
            let mut jobs = sending.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            match jobs.remove(id) {
                Some(job) if job.is_finished() => job,
                running => {
                    let start = || {
                        let (sending, from) = (Arc::clone(sending), from.clone());
                        let (site, id) = (site.to_owned(), id.to_owned());
                        tokio::spawn(async move {
                            send(&sending.desk, &from, (&*sending.seeds, &site, &id)).await
                        })
                    };
                    jobs.insert(id.to_owned(), running.unwrap_or_else(start));
                    return Progress::Running;
                }
            }
        };
        match done.await {
            Ok(Ok(sent)) => {
                tracing::info!(
                    id,
                    backup = sent.backup,
                    files = sent.files,
                    "sent what a restore needs"
                );
                Progress::Sent
            }
            Ok(Err(error)) => Progress::Failed(format!("{error:?}")),
            Err(panic) => Progress::Failed(panic.to_string()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use base::AccountId;
    use proptest::prelude::*;

    use super::super::Facts;
    use super::*;
    use crate::model::Engine;

    pub(super) fn ended(id: &str, timeline: u32, end: u64, at: i64) -> Backup {
        Backup {
            id: id.to_owned(),
            instance: "i".to_owned(),
            account: AccountId::new(1),
            status: State::Success,
            mode: "Automated".to_owned(),
            engine: Engine::Postgres,
            build: "15.1".to_owned(),
            timeline,
            start_lsn: end,
            end_lsn: end,
            started: Time::from_secs(at - 1),
            ended: Some(Time::from_secs(at)),
            bytes: 1,
            facts: Facts { cluster: 7, ..Facts::default() },
        }
    }

    fn span(timeline: u32, start: u64, end: u64, newest: i64) -> Span {
        let (start, end) = (Lsn(start), Lsn(end));
        let newest = Time::from_secs(newest);
        Span { instance: "i".to_owned(), cluster: 7, timeline, start, end, bytes: 0, newest }
    }

    const S: u64 = SEGMENT;
    const AT: fn(i64) -> Time = Time::from_secs;

    #[test]
    fn the_window_is_from_the_first_backup_that_the_log_goes_on_from_to_the_newest_of_the_log() {
        let backups = [ended("1", 1, S, 10), ended("2", 1, 5 * S, 20), ended("3", 1, 9 * S, 30)];
        assert_eq!(bounds(&backups, &[]), None);
        assert_eq!(bounds(&backups, &[span(1, S, 12 * S, 40)]), Some((AT(10), AT(40))));
        // A gap: what is before it does not lead to now.
        let gap = [span(1, S, 3 * S, 15), span(1, 6 * S, 12 * S, 40)];
        assert_eq!(bounds(&backups, &gap), Some((AT(20), AT(40))));
        let gap = [span(1, S, 3 * S, 15), span(1, 8 * S, 12 * S, 40)];
        assert_eq!(bounds(&backups, &gap), Some((AT(30), AT(40))));
    }

    #[test]
    fn the_window_goes_across_a_failover() {
        let backups = [ended("1", 1, S, 10)];
        let whole = [span(1, S, 4 * S + 9, 30), span(2, 4 * S, 6 * S, 40)];
        assert_eq!(bounds(&backups, &whole), Some((AT(10), AT(40))));
        let gap = [span(1, S, 3 * S, 30), span(2, 4 * S, 6 * S, 40)];
        assert_eq!(bounds(&backups, &gap), None);
    }

    #[test]
    fn no_window_is_offered_before_the_archive_has_caught_up_with_the_backup() {
        let backups = [ended("1", 1, S, 10)];
        assert_eq!(bounds(&backups, &[span(1, S, 12 * S, 9)]), None);
        let unknown = Span { newest: spans::UNKNOWN, ..span(1, S, 12 * S, 0) };
        assert_eq!(bounds(&backups, &[unknown]), None);
    }

    #[test]
    fn a_moment_is_reached_only_by_what_is_known_to_have_it() {
        let way = |timeline, switches: &[(u32, u64)], end| {
            let switch = |(timeline, at): &(u32, u64)| Switch { timeline: *timeline, at: Lsn(*at) };
            let switches = switches.iter().map(switch).collect();
            Way { switches, timeline, end: Lsn(end) }
        };
        let first = ended("1", 1, S, 10);
        let of = |way: &Way, backups: &[Backup], spans: &[Span], until| {
            enough(way, &first, backups, spans, AT(until)).map(|it| it.0)
        };
        let one = way(1, &[], 12 * S);
        let spans = [span(1, S, 12 * S, 40)];
        assert_eq!(of(&one, &[], &spans, 40), Some(12 * S));
        assert_eq!(of(&one, &[], &spans, 41), None, "it has not come so far");
        // A day later the log before the next backup is enough, and before that it may not be.
        let day = |end, at| Backup { started: AT(at), ..ended("2", 1, end, at + 5) };
        assert_eq!(of(&one, &[day(5 * S, 161)], &[span(1, S, 12 * S, 400)], 40), Some(5 * S));
        assert_eq!(of(&one, &[day(5 * S, 160)], &[span(1, S, 12 * S, 400)], 40), Some(12 * S));
        assert_eq!(of(&one, &[day(13 * S, 161)], &[span(1, S, 12 * S, 9)], 40), None);
        // Before a gap, and across a failover: of the old timeline what the new one went on from.
        let gap = [span(1, S, 3 * S, 40), span(1, 8 * S, 12 * S, 60)];
        assert_eq!((of(&one, &[], &gap, 40), of(&one, &[], &gap, 41)), (Some(3 * S), Some(12 * S)));
        let two = way(2, &[(1, 4 * S + 9)], 6 * S);
        let whole = [span(1, S, 5 * S, 40), span(2, 4 * S, 6 * S, 50)];
        assert_eq!(of(&two, &[], &whole, 40), Some(4 * S + 9));
        assert_eq!(of(&two, &[], &whole, 41), Some(6 * S));
        let lost = Backup { timeline: 1, ..day(5 * S, 161) };
        assert_eq!(of(&two, &[lost], &whole, 40), Some(4 * S + 9), "it is on no way");
    }

    proptest! {
        #[test]
        fn each_segment_is_of_the_last_timeline_that_has_any_of_it(
            ends in prop::collection::vec(0..32 * S, 0..5),
            at in 0..32_u64,
        ) {
            let mut ends = ends;
            ends.sort_unstable();
            let switches: Vec<_> =
                (1..).zip(&ends).map(|(timeline, at)| Switch { timeline, at: Lsn(*at) }).collect();
            let last = u32::try_from(ends.len()).unwrap() + 1;
            let way = Way { switches, timeline: last, end: Lsn(32 * S) };
            let timeline = way.timeline(Lsn(at * S));
            // It began at or before the end of the segment, and no later one did.
            let begins = |timeline: u32| timeline.checked_sub(2).map_or(0, |it| ends[it as usize]);
            prop_assert!(begins(timeline) < (at + 1) * S || timeline == 1);
            prop_assert!(timeline == last || begins(timeline + 1) >= (at + 1) * S);
        }
    }
}
