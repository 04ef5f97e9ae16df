//! When backups are made, and when what is kept goes: the newest successful backup never does, and never the log that a
//! kept backup needs, while the instance is there.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::base::{AccountId, ApiError, RequestId, Time};
use engine::meter::Meters;
use engine::ports::VaultBucket;
use engine::task::{Machine, Next, Step, StepCx, StepError};
use engine::{Caller, Cx, Meta, RequestInfo, Session};
use store::Tx;
use terms::clauses::DataClass;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::wal::{self, Lsn};
use super::{BACKUP_BYTES, Desk, PAGE, arn, base, instances, key, owner, remove_all};
use crate::machine::parts;
use crate::model::{BackupPolicy, Origin, Status, Wanted};
use crate::tables::backup::{self, Backup, Released, ReleasedFacts, State};
use crate::tables::instance::Instance;
use crate::tables::wal::{self as spans, Span};

const DAY: i64 = 86_400;
/// After a backup failed the next one waits so long.
const AGAIN: Duration = Duration::from_secs(300);
/// How often is looked whether a backup is due.
const LOOK: Duration = Duration::from_secs(2);
/// How often is looked what goes.
const TIDY: Duration = Duration::from_secs(60);

/// The cloud itself, doing something to a tenant's backups.
pub(super) fn session(desk: &Desk, action: &'static str) -> Arc<Session> {
    let id = RequestId::random(&*desk.cloud.rng);
    Arc::new(Session {
        meta: Meta::write("rds", "2014-08-15", action),
        caller: Caller::system(),
        request: RequestInfo { id, ..RequestInfo::default() },
    })
}

/// Whether a backup of an instance is to begin now. `backups` are all of it, oldest first.
pub(crate) fn is_due(instance: &Instance, backups: &[Backup], now: Time) -> bool {
    let writes = !instance.is_read_only()
        && instance.wanted == Wanted::Running
        && instance.status == Status::Running;
    let under_way = backups.iter().any(|backup| backup.status == State::Running);
    let failed_lately = backups.last().is_some_and(|last| {
        last.status == State::Failed && last.ended.is_some_and(|at| at.plus(AGAIN) > now)
    });
    if !writes || under_way || failed_lately {
        return false;
    }
    let Some(newest) = backups.iter().rev().find(|it| it.status == State::Success) else {
        return true;
    };
    // No backup of another major version can be taken forward.
    let rest = newest.build.strip_prefix(instance.major.as_str());
    let is_of_it = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    !is_of_it || last_window(&instance.options.backup, now).is_some_and(|at| newest.started < at)
}

/// When the last window for a backup began; `None` where the policy has none.
fn last_window(policy: &BackupPolicy, now: Time) -> Option<Time> {
    const NAMES: [&str; 7] =
        ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let begins = seconds_of_day(policy.time.split('-').next()?)?;
    let today = now.secs().div_euclid(DAY);
    (0..8).map(|back| today - back).find_map(|day| {
        // 1970 began with a Thursday.
        let name = NAMES[usize::try_from(day.rem_euclid(7)).ok()?];
        let at = Time::from_secs(day * DAY + begins);
        let is_one = policy.days.split(',').any(|it| it.trim().eq_ignore_ascii_case(name));
        (is_one && at <= now).then_some(at)
    })
}

/// `18:00Z` as seconds.
fn seconds_of_day(text: &str) -> Option<i64> {
    let (hours, minutes) = text.trim().strip_suffix('Z')?.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then(|| hours * 3600 + minutes * 60)
}

/// What goes of an instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expired {
    /// These backups.
    pub(crate) backups: Vec<String>,
    /// Of the log, what no kept backup needs: everything before this; all of it where `Some(None)`.
    pub(crate) log: Option<Option<Floor>>,
}

/// From where on the log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    cluster: u64,
    timeline: u32,
    start: Lsn,
    /// When the backup ended that this is the beginning of.
    ended: Option<Time>,
    /// The clusters of all backups that are kept, or being made.
    clusters: BTreeSet<u64>,
}

impl Floor {
    /// The beginning of a backup, of the `kept`.
    fn of<'a>(backup: &Backup, kept: impl Iterator<Item = &'a Backup>) -> Self {
        Self {
            cluster: backup.facts.cluster,
            timeline: backup.timeline,
            start: Lsn(backup.start_lsn).segment(),
            ended: backup.ended,
            clusters: kept.map(|it| it.facts.cluster).collect(),
        }
    }

    /// Whether a span has anything that is not kept. A major upgrade makes another cluster, whose positions say
    /// nothing about this one's: there the moments decide.
    fn is_behind(&self, span: &Span) -> bool {
        if span.cluster != self.cluster {
            let is_later =
                span.newest == spans::UNKNOWN || self.ended.is_none_or(|ended| span.newest > ended);
            return !is_later && !self.clusters.contains(&span.cluster);
        }
        (span.timeline, span.start) < (self.timeline, self.start)
    }

    /// Up to where what a span has goes.
    fn within(&self, span: &Span) -> Lsn {
        let same = (self.cluster, self.timeline) == (span.cluster, span.timeline);
        if same { self.start.min(span.end) } else { span.end }
    }
}

/// What a policy lets go of an instance that is there. `backups` are all of it, oldest first.
pub(crate) fn expired(policy: &BackupPolicy, backups: &[Backup], now: Time) -> Expired {
    let before = |days: u32| now.minus(Duration::from_secs(u64::from(days) * 86_400));
    let had_ended = |backup: &&Backup, by: Time| backup.ended.is_some_and(|at| at <= by);
    let whole = || backups.iter().filter(|backup| backup.status == State::Success);
    let cutoff = before(policy.retention_days);
    // The one that the first moment of the window needs stays; so the newest of all stays, however old it is.
    let needed = whole().filter(|it| had_ended(it, cutoff)).max_by_key(|it| it.ended);
    let stays = |backup: &Backup| needed.is_some_and(|needed| needed.id == backup.id);
    let old = |backup: &&Backup| had_ended(backup, cutoff) && !stays(backup);
    let gone: Vec<String> = backups.iter().filter(old).map(|it| it.id.clone()).collect();
    let kept = || whole().filter(|it| !gone.contains(&it.id));
    let log_cutoff = before(policy.log_retention_days.min(policy.retention_days));
    let from = kept().filter(|it| had_ended(it, log_cutoff)).max_by_key(|it| it.ended);
    let from = from.or_else(|| kept().min_by_key(|it| it.ended));
    let running = backups.iter().filter(|backup| backup.status == State::Running);
    let log = from.map(|it| Some(Floor::of(it, kept().chain(running))));
    Expired { log, backups: gone }
}

/// What goes of an instance that is gone.
pub(crate) fn expired_of_released(released: &Released, backups: &[Backup], now: Time) -> Expired {
    let ended = released.until <= now;
    let newest = backups.iter().rev().find(|backup| backup.status == State::Success);
    let stays = |backup: &Backup| match released.facts.policy.as_str() {
        _ if ended => false,
        "All" => true,
        "Lastest" => newest.is_some_and(|newest| newest.id == backup.id),
        _ => false,
    };
    let gone = backups.iter().filter(|it| !stays(it)).map(|it| it.id.clone()).collect();
    let keeps_log = !ended && released.facts.policy == "All";
    // The newest backup holds what log it needs itself.
    Expired { backups: gone, log: (!keeps_log).then_some(None) }
}

/// Notes that an instance goes, and what stays of it as its owner said: for as long as its policy kept backups. For
/// the commit that removes its row. Says whether something stays that can be restored.
///
/// # Errors
/// Those of the database.
pub(crate) fn release(cx: &mut Cx<'_>, instance: &Instance) -> Result<bool, ApiError> {
    let keep = Duration::from_secs(u64::from(instance.options.backup.retention_days) * 86_400);
    let policy = instance.options.released_keep_policy.clone();
    let until = if policy == "None" { cx.now } else { cx.now.plus(keep) };
    let facts = ReleasedFacts {
        policy,
        region: instance.region.clone(),
        data_class: instance.data_class.as_str().to_owned(),
        was: None,
    };
    let mut released =
        Released { instance: instance.id.clone(), account: instance.account, until, facts };
    let backups = backup::of_instance(cx.tx(), &instance.id)?;
    let gone = expired_of_released(&released, &backups, cx.now).backups;
    let stays = |it: &Backup| it.status == State::Success && !gone.contains(&it.id);
    let restorable = backups.iter().any(stays);
    released.facts.was = restorable.then(|| instance.was());
    backup::release(cx.tx(), &released)?;
    Ok(restorable)
}

/// Whose things go.
struct Owner {
    instance: String,
    account: AccountId,
    region: String,
    class: DataClass,
}

impl Owner {
    /// Where they are.
    fn bucket(&self) -> VaultBucket {
        VaultBucket {
            account: self.account,
            service: "rds",
            class: self.class,
            region: self.region.clone(),
        }
    }
}

/// Begins backups when they are due, and lets go what is old.
pub struct Schedule {
    desk: Arc<Desk>,
    tidying: Mutex<Tidying>,
}

#[derive(Default)]
struct Tidying {
    running: Option<JoinHandle<Result<(), ApiError>>>,
    last: Option<Instant>,
}

impl Schedule {
    /// Works with this.
    pub fn new(desk: Arc<Desk>) -> Self {
        Self { desk, tidying: Mutex::default() }
    }

    /// Starts to tidy when it is time and nobody does.
    fn tidy_sometimes(&self) {
        let mut tidying = self.tidying.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = tidying.running.as_ref().is_some_and(|running| !running.is_finished());
        if busy || tidying.last.is_some_and(|last| last.elapsed() < TIDY) {
            return;
        }
        tidying.last = Some(Instant::now());
        let desk = Arc::clone(&self.desk);
        let work = async move {
            let done = tidy(&desk).await;
            done.inspect_err(|error| tracing::error!(?error, "let old backups go"))
        };
        tidying.running = Some(tokio::spawn(work));
    }
}

impl Machine for Schedule {
    const KIND: &'static str = "rds.backups";
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        self.tidy_sometimes();
        let now = cx.cloud.clock.now();
        let due = cx.cloud.db.read(move |tx| due(tx, now)).await?;
        for instance in due {
            let write = move |cx: &mut Cx<'_>| {
                // It may have begun meanwhile.
                let backups = backup::of_instance(cx.tx(), &instance.id)?;
                cx.authorize(&arn(&instance.region, instance.account, &instance.id))?;
                cx.audit_account(instance.account);
                if is_due(&instance, &backups, cx.now) {
                    base::begin(cx, &instance, "Automated")?;
                }
                Ok(())
            };
            self.desk.cloud.write(session(&self.desk, "CreateBackup"), write).await?;
        }
        Ok(Next::Wait(LOOK).into())
    }
}

/// Removes a backup that its owner asked to be gone.
pub struct Removal {
    desk: Arc<Desk>,
}

impl Removal {
    /// Works with this.
    pub fn new(desk: Arc<Desk>) -> Self {
        Self { desk }
    }
}

/// The kind of the task that removes one backup, as stored; its id is the backup's.
pub const REMOVAL: &str = "rds.backup_removal";

impl Machine for Removal {
    const KIND: &'static str = REMOVAL;
    type State = ();

    async fn step(&self, cx: &StepCx, (): ()) -> Result<Step<()>, StepError> {
        let id = cx.id.clone();
        let find = move |tx: &mut Tx<'_>| match backup::find(tx, &id)? {
            Some(found) => owner(tx, &found.instance),
            None => Ok(None),
        };
        // Its bytes are metered under the region of its instance, which need not be the first.
        if let Some((_, region)) = cx.cloud.db.read(find).await? {
            remove(&self.desk, &region, &cx.id).await?;
        }
        Ok(Next::Done.into())
    }
}

fn due(tx: &mut Tx<'_>, now: Time) -> Result<Vec<Instance>, ApiError> {
    let mut due = Vec::new();
    for instance in instances(tx)? {
        let backups = backup::of_instance(tx, &instance.id)?;
        if is_due(&instance, &backups, now) {
            due.push(instance);
        }
    }
    Ok(due)
}

/// Lets go everything that is old.
///
/// # Errors
/// Those of the database. What cannot be removed is tried again the next time.
pub async fn tidy(desk: &Desk) -> Result<(), ApiError> {
    let now = desk.cloud.clock.now();
    let look = move |tx: &mut Tx<'_>| {
        let mut old = Vec::new();
        let there = instances(tx)?;
        let restored: HashSet<String> = there.iter().filter_map(being_restored).collect();
        for it in there {
            let backups = backup::of_instance(tx, &it.id)?;
            let expired = expired(&it.options.backup, &backups, now);
            let (instance, account, region) = (it.id, it.account, it.region);
            old.push((Owner { instance, account, region, class: it.data_class }, expired, false));
        }
        for it in released(tx)? {
            let backups = backup::of_instance(tx, &it.instance)?;
            let expired = expired_of_released(&it, &backups, now);
            let class = DataClass::parse(&it.facts.data_class).unwrap_or(DataClass::Internal);
            let (instance, account, region) = (it.instance, it.account, it.facts.region);
            old.push((Owner { instance, account, region, class }, expired, it.until <= now));
        }
        // Nothing goes from under somebody who reads it.
        old.retain(|(owner, ..)| !restored.contains(&owner.instance));
        Ok::<_, ApiError>(old)
    };
    for (owner, expired, ended) in desk.cloud.db.read(look).await? {
        if let Err(error) = end(desk, &owner, expired, ended).await {
            tracing::warn!(?error, instance = owner.instance, "let old backups go later");
        }
    }
    Ok(())
}

/// The instance whose archive is being sent to that one.
fn being_restored(instance: &Instance) -> Option<String> {
    let waits = !instance.options.seeded && instance.wanted != Wanted::Gone;
    match &instance.origin {
        Origin::Archive { instance: of, .. } if waits => Some(of.clone()),
        _ => None,
    }
}

/// Lets go what is old of an instance, and where that was the last of one that is gone, everything that is known of it.
async fn end(desk: &Desk, owner: &Owner, expired: Expired, ended: bool) -> Result<(), ApiError> {
    if !ended {
        return let_go(desk, owner, expired).await;
    }
    let id = owner.instance.clone();
    if !desk.cloud.db.read(move |tx| has_nothing(tx, &id)).await? {
        // With the histories of timelines, which no row counts, and whatever a crash left.
        let bucket = desk.vault.ensure(owner.bucket()).await?;
        remove_all(desk, &bucket, &format!("{}/", owner.instance)).await?;
    }
    let_go(desk, owner, expired).await?;
    let id = owner.instance.clone();
    let forget = move |tx: &mut Tx<'_>| {
        // A backup that ran is noted as failed first, and goes then.
        if has_nothing(tx, &id)? {
            parts::remove(tx, &id)?;
            backup::forget(tx, &id)?;
        }
        Ok::<_, ApiError>(())
    };
    desk.cloud.db.write(forget).await
}

/// Whether neither a backup nor any log of an instance is on record.
fn has_nothing(tx: &mut Tx<'_>, id: &str) -> Result<bool, ApiError> {
    Ok(backup::of_instance(tx, id)?.is_empty() && spans::of_instance(tx, id)?.is_empty())
}

fn released(tx: &mut Tx<'_>) -> Result<Vec<Released>, ApiError> {
    let mut all: Vec<Released> = Vec::new();
    loop {
        let after = all.last().map(|last| last.instance.clone()).unwrap_or_default();
        let page = backup::released(tx, &after, PAGE)?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

async fn let_go(desk: &Desk, owner: &Owner, expired: Expired) -> Result<(), ApiError> {
    for id in expired.backups {
        remove(desk, &owner.region, &id).await?;
    }
    match expired.log {
        Some(floor) => let_log_go(desk, owner, floor).await,
        None => Ok(()),
    }
}

/// Removes a backup for good: its bytes, then its row. One that still runs is left alone, and its absence is a
/// success. (`DeleteBackup` calls it from a task.)
///
/// # Errors
/// Those of the vault and of the database.
pub async fn remove(desk: &Desk, region: &str, id: &str) -> Result<(), ApiError> {
    let wanted = id.to_owned();
    let found = desk.cloud.db.read(move |tx| backup::find(tx, &wanted)).await?;
    let Some(found) = found.filter(|it| it.status != State::Running) else { return Ok(()) };
    if !found.facts.bucket.is_empty() {
        remove_all(desk, &found.facts.bucket, &key::base(&found.instance, &found.id)).await?;
    }
    let arn = arn(region, found.account, &found.instance);
    let forget = move |cx: &mut Cx<'_>| {
        cx.authorize(&arn)?;
        cx.audit_account(found.account);
        cx.audit_detail("backup", found.id.as_str());
        // Twice removed is once counted.
        if backup::find(cx.tx(), &found.id)?.is_some() {
            backup::remove(cx.tx(), &found.id)?;
            // Those that failed have no bytes.
            if found.bytes > 0 {
                cx.level(found.account, &arn, BACKUP_BYTES, -found.bytes);
            }
        }
        Ok(())
    };
    desk.cloud.write(session(desk, "DeleteBackup"), forget).await
}

async fn let_log_go(desk: &Desk, owner: &Owner, floor: Option<Floor>) -> Result<(), ApiError> {
    let id = owner.instance.clone();
    let spans = desk.cloud.db.read(move |tx| spans::of_instance(tx, &id)).await?;
    let is_old = |span: &Span| floor.as_ref().is_none_or(|floor| floor.is_behind(span));
    let old: Vec<Span> = spans.into_iter().filter(is_old).collect();
    if old.is_empty() {
        return Ok(());
    }
    let bucket = desk.vault.ensure(owner.bucket()).await?;
    for span in old {
        let until = floor.as_ref().map_or(span.end, |floor| floor.within(&span));
        shorten(desk, owner, &bucket, &span, until).await?;
    }
    Ok(())
}

/// Removes what a span has before a position, and the span where nothing is left of it.
async fn shorten(
    desk: &Desk,
    owner: &Owner,
    bucket: &str,
    span: &Span,
    until: Lsn,
) -> Result<(), ApiError> {
    let mut freed = 0;
    let mut segment = span.start.segment();
    let mut keys = Vec::new();
    while segment < until {
        let (instance, cluster, timeline) = (&span.instance, span.cluster, span.timeline);
        let file = key::file(instance, cluster, &wal::segment_name(timeline, segment));
        let pieces = key::pieces_of(instance, cluster, timeline, segment);
        for prefix in [file, pieces] {
            for kept in desk.keys(bucket, &prefix).await? {
                freed += i64::try_from(kept.size).unwrap_or(i64::MAX);
                keys.push(kept.key);
            }
        }
        if keys.len() >= PAGE / 2 {
            desk.vault.delete(bucket, std::mem::take(&mut keys)).await?;
        }
        segment = segment.next_segment();
    }
    for some in keys.chunks(PAGE) {
        desk.vault.delete(bucket, some.to_vec()).await?;
    }
    let (span, now) = (span.clone(), desk.cloud.clock.now());
    let (account, arn) = (owner.account, arn(&owner.region, owner.account, &owner.instance));
    let note = move |tx: &mut Tx<'_>| {
        let own = |it: &Span| {
            (it.cluster, it.timeline, it.start) == (span.cluster, span.timeline, span.start)
        };
        let found = spans::of_instance(tx, &span.instance)?.into_iter().find(own);
        let Some(found) = found else { return Ok(()) };
        let mut meters = Meters::default();
        if until >= found.end {
            spans::remove(tx, &found)?;
            meters.level(account, &arn, BACKUP_BYTES, -found.bytes);
        } else {
            let freed = freed.min(found.bytes);
            spans::cut(tx, &found, until, freed)?;
            meters.level(account, &arn, BACKUP_BYTES, -freed);
        }
        meters.write(tx, now)
    };
    desk.cloud.db.write(note).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::super::Facts;
    use super::*;
    use crate::model::Engine;

    fn at(day: i64, hour: i64) -> Time {
        Time::from_secs(day * DAY + hour * 3600)
    }

    fn backup(id: &str, status: State, day: i64) -> Backup {
        Backup {
            id: id.to_owned(),
            instance: "i".to_owned(),
            account: AccountId::new(1),
            status,
            mode: "Automated".to_owned(),
            engine: Engine::Postgres,
            build: "15.1".to_owned(),
            timeline: 1,
            start_lsn: day.unsigned_abs() * wal::SEGMENT + 5,
            end_lsn: 0,
            started: at(day, 18),
            ended: (status != State::Running).then(|| at(day, 19)),
            bytes: 1,
            facts: Facts { cluster: 7, ..Facts::default() },
        }
    }

    #[test]
    fn a_window_is_found_on_the_days_of_the_policy() {
        let policy = BackupPolicy { days: "Monday,Friday".to_owned(), ..BackupPolicy::default() };
        // 1970-01-02 was a Friday.
        assert_eq!(last_window(&policy, at(1, 17)), Some(at(-3, 18)));
        assert_eq!(last_window(&policy, at(1, 18)), Some(at(1, 18)));
        assert_eq!(last_window(&policy, at(3, 23)), Some(at(1, 18)));
        let never = BackupPolicy { days: String::new(), ..BackupPolicy::default() };
        assert_eq!(last_window(&never, at(1, 18)), None);
    }

    fn ids(expired: &Expired) -> Vec<&str> {
        expired.backups.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_is_older_than_the_policy_goes_but_what_its_first_moment_needs() {
        let policy = BackupPolicy::default();
        let mut all: Vec<_> =
            (0..10).map(|day| backup(&day.to_string(), State::Success, day)).collect();
        all.insert(2, backup("f", State::Failed, 1));
        let expired = expired(&policy, &all, at(10, 0));
        // Seven days back is the third: the backup of the second is the first that leads there.
        assert_eq!(ids(&expired), ["0", "1", "f"]);
        let kept = all.iter().filter(|it| !expired.backups.contains(&it.id));
        assert_eq!(expired.log, Some(Some(Floor::of(&all[3], kept))));
        assert_eq!(all[3].id, "2");
    }

    fn span(cluster: u64, start: u64, newest: Time) -> Span {
        let (start, end) = (Lsn(start * wal::SEGMENT), Lsn((start + 3) * wal::SEGMENT));
        Span { instance: "i".to_owned(), cluster, timeline: 1, start, end, bytes: 1, newest }
    }

    #[test]
    fn the_log_of_a_new_cluster_stays_while_the_backups_of_the_old_one_are_kept() {
        // A major upgrade on the eighth day.
        let mut all: Vec<_> =
            (0..8).map(|day| backup(&day.to_string(), State::Success, day)).collect();
        let of_nine = |id: &str, status, day| {
            let facts = Facts { cluster: 9, ..Facts::default() };
            Backup { start_lsn: 5, facts, ..backup(id, status, day) }
        };
        let is_old = |all: &[Backup], now: Time, span: &Span| {
            let expired = expired(&BackupPolicy::default(), all, now);
            expired.log.unwrap().unwrap().is_behind(span)
        };
        let old = span(7, 0, at(8, 1));
        let streamed = |now| span(9, 0, now);
        // Before the first backup of the new cluster, while it is made, and after it.
        assert!(!is_old(&all, at(8, 2), &streamed(at(8, 2))), "what is being streamed stays");
        assert!(!is_old(&all, at(8, 2), &streamed(spans::UNKNOWN)), "also while it catches up");
        for status in [State::Running, State::Success] {
            all.push(of_nine("8", status, 8));
            assert!(!is_old(&all, at(9, 2), &streamed(at(9, 2))));
            assert!(!is_old(&all, at(9, 2), &streamed(at(0, 2))), "its backup needs it");
            assert!(is_old(&all, at(9, 2), &old), "what is before the floor of its own goes");
            all.pop();
        }
        all.extend((8..30).map(|day| of_nine(&day.to_string(), State::Success, day)));
        assert!(is_old(&all, at(16, 2), &old), "no kept backup is of it");
        let policy = BackupPolicy { retention_days: 30, ..BackupPolicy::default() };
        let floor = expired(&policy, &all, at(16, 2)).log.unwrap().unwrap();
        assert!(floor.cluster == 9 && !floor.is_behind(&old), "kept backups are of it");
    }

    #[test]
    fn what_goes_of_a_span_is_what_is_before_the_floor_of_its_own_cluster() {
        let of = backup("5", State::Success, 5);
        let floor = Floor::of(&of, [&of].into_iter());
        assert_eq!(floor.within(&span(7, 3, at(6, 0))), Lsn(5 * wal::SEGMENT));
        assert_eq!(floor.within(&span(7, 0, at(6, 0))), Lsn(3 * wal::SEGMENT));
        assert_eq!(floor.within(&span(6, 4, at(1, 0))), Lsn(7 * wal::SEGMENT));
    }

    #[test]
    fn the_newest_successful_backup_never_goes() {
        let policy = BackupPolicy::default();
        let all = [
            backup("1", State::Success, 1),
            backup("2", State::Success, 2),
            backup("3", State::Failed, 3),
        ];
        assert_eq!(ids(&expired(&policy, &all, at(1000, 0))), ["1", "3"]);
        let none = expired(&policy, &[backup("3", State::Running, 3)], at(1000, 0));
        assert_eq!(none, Expired::default(), "without a backup no log goes");
    }

    #[test]
    fn what_stays_of_a_released_instance_is_what_its_owner_said_and_goes_in_the_end() {
        let all = [backup("1", State::Success, 1), backup("2", State::Success, 2)];
        let released = |policy: &str| Released {
            instance: "i".to_owned(),
            account: AccountId::new(1),
            until: at(9, 0),
            facts: ReleasedFacts { policy: policy.to_owned(), ..ReleasedFacts::default() },
        };
        let of = |policy, day| expired_of_released(&released(policy), &all, at(day, 0));
        assert_eq!(of("All", 5), Expired::default());
        assert_eq!((ids(&of("Lastest", 5)), of("Lastest", 5).log), (vec!["1"], Some(None)));
        assert_eq!(ids(&of("None", 5)), ["1", "2"]);
        for policy in ["All", "Lastest", "None"] {
            assert_eq!((ids(&of(policy, 9)), of(policy, 9).log), (vec!["1", "2"], Some(None)));
        }
    }

    proptest! {
        #[test]
        fn no_policy_is_too_strange(days in "\\PC{0,20}", time in "[0-9:Z -]{0,16}", now: i32) {
            let policy = BackupPolicy { days, time, ..BackupPolicy::default() };
            let _ = last_window(&policy, Time::from_secs(now.into()));
        }

        #[test]
        fn a_backup_that_the_window_needs_is_kept_whatever_the_policy(
            days in prop::collection::btree_set(0_i64..100, 1..20),
            keep in 0_u32..30,
            log in 0_u32..30,
        ) {
            let all: Vec<_> =
                days.iter().map(|day| backup(&day.to_string(), State::Success, *day)).collect();
            let policy = BackupPolicy {
                retention_days: keep, log_retention_days: log, ..BackupPolicy::default()
            };
            let expired = expired(&policy, &all, at(100, 0));
            prop_assert!(!expired.backups.contains(&all.last().unwrap().id));
            let floor = expired.log.unwrap().unwrap();
            let kept = all.iter().filter(|it| !expired.backups.contains(&it.id));
            let starts: Vec<_> = kept.map(|it| Lsn(it.start_lsn).segment()).collect();
            prop_assert!(starts.contains(&floor.start));
        }
    }
}
