//! Doing what the lifecycles of buckets say: rounds through everything in them, page by page. Each action is one
//! commit, which looks at its version and at the rules anew, and changes the same rows and sums as a client's
//! deletion does. A round that is broken off goes on where it was.
//!
//! Not here: what the rules say (`config::lifecycle`).

use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, RequestId, Time};
use engine::{Caller, Cx, Meta, RequestInfo, Session};
use store::Tx;
use tokio::task::JoinSet;

use super::accesses::last_access;
use super::class::reclassify;
use super::commit::{apply, apply_removal};
use super::retention::may_remove;
use super::version::{remove, stays};
use super::{DeleteKey, PAGE_MAX, meta};
use crate::config::lifecycle::{Action, DAY_SECONDS, Lifecycle, Place, Rule, Subject};
use crate::config::{Config, restore};
use crate::model::{Bucket, Expiry, ObjectInfo, Settings, StorageClass, VersionId};
use crate::tables::lifecycle::{Due, Line};
use crate::tables::object::Object;
use crate::tables::upload::Upload;
use crate::{Oss, error, tables};

/// How long the days of lifecycles and restores are.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Seconds of a day. Another number than 86,400 is for tests: such days begin when they are counted from, and
    /// rounds follow each other five times in a day.
    pub day_seconds: i64,
    /// Seconds from when a restore is asked for to when the object can be read.
    pub restore_seconds: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { day_seconds: DAY_SECONDS, restore_seconds: 60 }
    }
}

impl Pace {
    /// So many days, seconds.
    pub(super) fn days(self, days: u32) -> i64 {
        i64::from(days).saturating_mul(self.day_seconds)
    }

    /// The beginning of the day of that moment, Unix seconds.
    pub(super) fn day_of(self, now: Time) -> i64 {
        let day = self.day_seconds.max(1);
        now.secs().div_euclid(day).saturating_mul(day)
    }

    /// Seconds from the end of a round to the next.
    fn rest(self) -> u64 {
        let seconds =
            if self.day_seconds == DAY_SECONDS { DAY_SECONDS } else { self.day_seconds / 5 };
        seconds.max(1).cast_unsigned()
    }
}

/// What rounds of lifecycles came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LifecycleReport {
    /// Buckets whose round came to its end.
    pub buckets: u64,
    /// Versions, delete markers and uploads that were ended.
    pub ended: u64,
    /// Versions that were given another class.
    pub moved: u64,
}

/// Actions of one bucket that run at once, so that they share commits.
const AT_ONCE: usize = 16;
/// How often it is looked whose turn it is, seconds.
const LOOK_SECONDS: u64 = 60;

/// Something that the rules want something done with, and what they saw of it.
#[derive(Clone, Debug)]
enum Target {
    Version { key: String, age: i64 },
    Upload { key: String, id: String },
}

/// When the bucket's rules will end an object that is current.
pub(super) fn expiry(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    info: &ObjectInfo,
) -> Result<Option<Expiry>, ApiError> {
    if !bucket.settings.lifecycle {
        return Ok(None);
    }
    let rules = rules(cx.tx(), bucket.id)?;
    Ok(rules.and_then(|rules| rules.expiry(&subject_of(info, &bucket.settings, Place::Current))))
}

/// Tells with an object that was found what its rows do not say.
pub(super) fn tell(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    info: &mut ObjectInfo,
    is_current: bool,
) -> Result<(), ApiError> {
    info.facts.last_access = last_access(&bucket.settings, info);
    if is_current {
        info.facts.expires = expiry(cx, bucket, info)?;
    }
    Ok(())
}

fn rules(tx: &mut Tx<'_>, bucket: i64) -> Result<Option<Lifecycle>, ApiError> {
    let kept = tables::bucket::document(tx, bucket, Lifecycle::DOCUMENT.name())?;
    kept.as_deref().map(restore).transpose()
}

fn subject_of<'a>(info: &'a ObjectInfo, settings: &Settings, place: Place) -> Subject<'a> {
    Subject {
        key: &info.key,
        size: info.size,
        tags: &info.tags,
        class: info.storage_class,
        modified: info.modified,
        accessed: last_access(settings, info),
        visited: info.facts.accessed.is_some(),
        place,
    }
}

impl Line {
    fn subject(&self, settings: &Settings, place: Place) -> Subject<'_> {
        let since = |monitored: i64| {
            let noted = monitored.max(self.facts.accessed.unwrap_or(0));
            Time::from_secs(noted.max(self.modified.secs()))
        };
        Subject {
            key: &self.key,
            size: self.size,
            tags: &self.tags,
            class: self.storage_class,
            modified: self.modified,
            accessed: settings.access_monitor.map(since),
            visited: self.facts.accessed.is_some(),
            place,
        }
    }
}

impl Line {
    /// Whether retention keeps the bytes that ending it would take away.
    fn is_kept(&self, bucket: &Bucket, place: Place, now: Time) -> bool {
        let only_marked = place == Place::Current && stays(bucket, self.version);
        let may_go = || may_remove(bucket, self.facts.lock, self.modified, now);
        !self.marker && !only_marked && !may_go()
    }
}

fn upload_subject(upload: &Upload) -> Subject<'_> {
    Subject {
        key: &upload.key,
        size: 0,
        tags: &upload.tags,
        class: upload.storage_class,
        modified: upload.created,
        accessed: None,
        visited: false,
        place: Place::Upload,
    }
}

/// The walk through the versions of keys, each key's newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Walk {
    key: String,
    /// Versions of this key that were passed and are not its newest.
    behind: u32,
}

impl Walk {
    /// Where the first `count` lines stand, and the walk past them. This one stays where it is: what looks at a page
    /// is run again where its snapshot is given up.
    fn past(&self, lines: &[Line], count: usize) -> (Vec<Place>, Self) {
        let mut walk = self.clone();
        let place = |(at, line)| walk.place(line, lines.get(at + 1));
        let places = lines.iter().enumerate().take(count).map(place).collect();
        (places, walk)
    }

    /// Where a line stands; `next` is the line after it.
    fn place(&mut self, line: &Line, next: Option<&Line>) -> Place {
        if self.key != line.key {
            self.key.clone_from(&line.key);
            self.behind = 0;
            let alone = next.is_none_or(|next| next.key != line.key);
            return if line.marker { Place::Marker { alone } } else { Place::Current };
        }
        let newer = self.behind;
        self.behind += 1;
        Place::Noncurrent { since: line.superseded, newer, marker: line.marker }
    }
}

/// A page of a bucket, and what is to be done with what is on it.
struct Page {
    targets: Vec<Target>,
    /// The last line, where there are more.
    last: Option<(String, i64)>,
}

impl Oss {
    /// Goes round the buckets with rules for ever, each once a day.
    pub(crate) async fn live(&self) {
        let look = Duration::from_secs(self.0.pace.rest().min(LOOK_SECONDS));
        loop {
            tokio::time::sleep(look).await;
            match self.run_lifecycles().await {
                Ok(report) if report.ended + report.moved > 0 => {
                    tracing::info!(?report, "did what lifecycles say");
                }
                Ok(_) => {}
                Err(error) => tracing::error!(?error, "do what lifecycles say; it goes on later"),
            }
        }
    }

    /// Does what the rules of all buckets say whose turn it is.
    ///
    /// # Errors
    /// Those of the database. What is done stays so, and the next call goes on from there.
    pub async fn run_lifecycles(&self) -> Result<LifecycleReport, ApiError> {
        let now = self.0.cloud.clock.now();
        let ended_by = now.minus(Duration::from_secs(self.0.pace.rest()));
        let mut report = LifecycleReport::default();
        let mut above = 0;
        loop {
            let page = move |tx: &mut Tx<'_>| tables::lifecycle::due(tx, above, ended_by, PAGE_MAX);
            let due: Vec<Due> = self.0.cloud.db.read(page).await?;
            let Some(last) = due.last() else { return Ok(report) };
            above = last.bucket;
            for due in &due {
                self.round(due, &mut report).await?;
                report.buckets += 1;
            }
        }
    }

    /// One round through a bucket, from where it was broken off.
    async fn round(&self, due: &Due, report: &mut LifecycleReport) -> Result<(), ApiError> {
        let bucket = due.bucket;
        if due.next_key.is_empty() {
            self.round_of_uploads(due, report).await?;
        }
        let mut walk = Walk::default();
        let mut after = (due.next_key.clone(), i64::MIN);
        loop {
            let (Page { targets, last }, walked) = self.page(due, after, walk).await?;
            walk = walked;
            self.act_on_all(due, targets, report).await?;
            let Some((key, age)) = last else { break };
            let key = key.into_bytes();
            after = (key.clone(), age);
            // A round that is broken off looks at this key's versions from the newest on again.
            let note = move |tx: &mut Tx<'_>| tables::lifecycle::note(tx, bucket, &key);
            self.0.cloud.db.write(note).await?;
        }
        let now = self.0.cloud.clock.now();
        let end = move |tx: &mut Tx<'_>| tables::lifecycle::end(tx, bucket, now);
        self.0.cloud.db.write(end).await
    }

    async fn page(
        &self,
        due: &Due,
        after: (Vec<u8>, i64),
        walk: Walk,
    ) -> Result<(Page, Walk), ApiError> {
        let (due, day, now) = (due.clone(), self.0.pace.day_seconds, self.0.cloud.clock.now());
        let look = move |tx: &mut Tx<'_>| {
            let mut page = Page { targets: Vec::new(), last: None };
            let Some((bucket, rules)) = ruled(tx, &due)? else {
                return Ok((page, Walk::default()));
            };
            let at = (after.0.as_slice(), after.1);
            let lines = tables::lifecycle::versions(tx, bucket.id, at, PAGE_MAX + 1)?;
            let (places, walked) = walk.past(&lines, PAGE_MAX);
            for (line, place) in lines.iter().zip(places) {
                let subject = line.subject(&bucket.settings, place);
                if rules.action(&subject, now, day).is_some() {
                    page.targets.push(Target::Version { key: line.key.clone(), age: line.age });
                }
            }
            if lines.len() > PAGE_MAX {
                page.last = lines.get(PAGE_MAX - 1).map(|line| (line.key.clone(), line.age));
            }
            Ok::<_, ApiError>((page, walked))
        };
        self.0.cloud.db.read(look).await
    }

    async fn round_of_uploads(
        &self,
        due: &Due,
        report: &mut LifecycleReport,
    ) -> Result<(), ApiError> {
        let (day, mut after) = (self.0.pace.day_seconds, (String::new(), String::new()));
        loop {
            let (due_, now, from) = (due.clone(), self.0.cloud.clock.now(), after.clone());
            let look = move |tx: &mut Tx<'_>| {
                let Some((bucket, rules)) = ruled(tx, &due_)? else {
                    return Ok((Vec::new(), None));
                };
                let after = (from.0.as_bytes(), from.1.as_str());
                let uploads = tables::upload::list(tx, bucket.id, b"", after, PAGE_MAX)?;
                let last = uploads.last().map(|last| (last.key.clone(), last.id.clone()));
                let due =
                    |upload: &Upload| rules.action(&upload_subject(upload), now, day).is_some();
                let targets = uploads.into_iter().filter(due);
                let targets = targets.map(|Upload { key, id, .. }| Target::Upload { key, id });
                Ok::<_, ApiError>((targets.collect::<Vec<_>>(), last))
            };
            let (targets, last) = self.0.cloud.db.read(look).await?;
            self.act_on_all(due, targets, report).await?;
            let Some(last) = last else { return Ok(()) };
            after = last;
        }
    }

    async fn act_on_all(
        &self,
        due: &Due,
        targets: Vec<Target>,
        report: &mut LifecycleReport,
    ) -> Result<(), ApiError> {
        let mut targets = targets.into_iter();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(target) = targets.next()
            {
                let (oss, due) = (self.clone(), due.clone());
                under_way.spawn(async move { oss.act_on(&due, target).await });
            }
            let Some(done) = under_way.join_next().await else { return Ok(()) };
            match done.map_err(ApiError::internal)?? {
                Some(Action::End) => report.ended += 1,
                Some(Action::Move(_)) => report.moved += 1,
                None => {}
            }
        }
    }

    /// Does what the rules say of one thing by now, in one commit. Says what it was, if anything.
    async fn act_on(&self, due: &Due, target: Target) -> Result<Option<Action>, ApiError> {
        let (cloud, day) = (&self.0.cloud, self.0.pace.day_seconds);
        let (due_, target_) = (due.clone(), target.clone());
        let now = cloud.clock.now();
        let look = move |tx: &mut Tx<'_>| {
            let Some((bucket, rules)) = ruled(tx, &due_)? else { return Ok(None) };
            let seen = see(tx, &bucket, &target_)?;
            Ok::<_, ApiError>(seen.and_then(|seen| Some(seen.action(&bucket, &rules, now, day)?.0)))
        };
        let Some(action) = cloud.db.read(look).await? else { return Ok(None) };
        let meta = match (action, &target) {
            (Action::Move(_), _) => meta::TRANSITION_OBJECT,
            (Action::End, Target::Upload { .. }) => meta::ABORT_MULTIPART_UPLOAD,
            (Action::End, Target::Version { .. }) => meta::DELETE_OBJECT,
        };
        let due = due.clone();
        let act = move |cx: &mut Cx<'_>| act(cx, (&due, &target), action, day);
        match cloud.write(self.system(meta), act).await {
            // It was changed, or locked, in between; the next round looks again.
            Err(other)
                if other.is(&error::OPERATION_ABORTED) || other.is(&error::FILE_IMMUTABLE) =>
            {
                Ok(None)
            }
            done => done.map(|()| Some(action)),
        }
    }

    fn system(&self, meta: Meta) -> Arc<Session> {
        let id = RequestId::random(&*self.0.cloud.rng);
        let request = RequestInfo { id, ..RequestInfo::default() };
        Arc::new(Session { meta, caller: Caller::system(), request })
    }
}

/// The bucket whose turn it is with its rules, if both are still there.
fn ruled(tx: &mut Tx<'_>, due: &Due) -> Result<Option<(Bucket, Lifecycle)>, ApiError> {
    let found = tables::bucket::find(tx, &due.name)?.filter(|bucket| bucket.id == due.bucket);
    let Some(bucket) = found else { return Ok(None) };
    Ok(rules(tx, bucket.id)?.map(|rules| (bucket, rules)))
}

/// What is at a target by now.
enum Seen {
    Version(Line, Place),
    Upload(Upload),
}

impl Seen {
    fn action<'r>(
        &self,
        bucket: &Bucket,
        rules: &'r Lifecycle,
        now: Time,
        day_seconds: i64,
    ) -> Option<(Action, &'r Rule)> {
        let subject = match self {
            Self::Version(line, place) => line.subject(&bucket.settings, *place),
            Self::Upload(upload) => upload_subject(upload),
        };
        let found = rules.action(&subject, now, day_seconds);
        // What retention keeps is passed over: its turn comes when it is free.
        found.filter(|(action, _)| match self {
            Self::Version(line, place) if *action == Action::End => {
                !line.is_kept(bucket, *place, now)
            }
            _ => true,
        })
    }
}

fn see(tx: &mut Tx<'_>, bucket: &Bucket, target: &Target) -> Result<Option<Seen>, ApiError> {
    let (key, age) = match target {
        Target::Upload { key, id } => {
            return Ok(tables::upload::find(tx, bucket.id, key, id)?.map(Seen::Upload));
        }
        Target::Version { key, age } => (key, *age),
    };
    let at = (key.as_bytes(), age.saturating_sub(1));
    let mut lines = tables::lifecycle::versions(tx, bucket.id, at, 2)?.into_iter();
    let Some(line) = lines.next().filter(|line| line.key == *key && line.age == age) else {
        return Ok(None);
    };
    let newer = tables::lifecycle::count_newer(tx, bucket.id, key, age)?;
    let visible = tables::object::find(tx, bucket.id, key)?.is_some();
    let place = if line.current {
        Place::Current
    } else if !visible && newer == 0 {
        Place::Marker { alone: lines.next().is_none_or(|next| next.key != *key) }
    } else {
        // Where nothing is current, the newest of these is the marker that hides the others.
        let newer = if visible { newer } else { newer - 1 };
        Place::Noncurrent { since: line.superseded, newer, marker: line.marker }
    };
    Ok(Some(Seen::Version(line, place)))
}

fn find_line(tx: &mut Tx<'_>, bucket: &Bucket, line: &Line) -> Result<Option<Object>, ApiError> {
    if line.current {
        tables::object::find(tx, bucket.id, &line.key)
    } else {
        Ok(tables::version::of_age(tx, bucket.id, &line.key, line.age)?.map(|it| it.object))
    }
}

/// Does one action, if the rules still say so.
fn act(
    cx: &mut Cx<'_>,
    (due, target): (&Due, &Target),
    wanted: Action,
    day_seconds: i64,
) -> Result<(), ApiError> {
    let changed = || ApiError::new(&error::OPERATION_ABORTED);
    let now = cx.now;
    let (bucket, rules) = ruled(cx.tx(), due)?.ok_or_else(changed)?;
    let seen = see(cx.tx(), &bucket, target)?.ok_or_else(changed)?;
    let found = seen.action(&bucket, &rules, now, day_seconds);
    let (action, rule) = found.filter(|(action, _)| *action == wanted).ok_or_else(changed)?;
    cx.audit_account(bucket.owner);
    cx.audit_detail("lifecycle", rule.id.as_str());
    match (seen, action) {
        (Seen::Upload(upload), _) => super::multipart::abort(cx, &bucket, &upload),
        (Seen::Version(line, place), Action::End) => end(cx, &bucket, &line, place),
        (Seen::Version(line, _), Action::Move(class)) => reclass(cx, &bucket, &line, class),
    }
}

/// Deletes what a client would delete: the key where it is current, else the one version.
fn end(cx: &mut Cx<'_>, bucket: &Bucket, line: &Line, place: Place) -> Result<(), ApiError> {
    let version = (place != Place::Current).then(|| VersionId::of(line.version));
    let key = DeleteKey { key: line.key.clone(), version, ..DeleteKey::default() };
    let current = tables::object::find(cx.tx(), bucket.id, &line.key)?;
    cx.audit_resource(bucket.object_arn(&line.key));
    let removed = remove(cx, bucket, &key, current)?;
    if let Some(info) = &removed.info {
        cx.audit_detail("size", info.size.to_string());
        cx.audit_detail("etag", info.etag.lower());
    }
    if let Some(version) = removed.deleted.version {
        cx.audit_detail("version", version.to_string());
    }
    apply_removal(cx, bucket, removed.change)
}

/// Gives a version another class: the same bytes, metered otherwise from this commit on.
fn reclass(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    line: &Line,
    class: StorageClass,
) -> Result<(), ApiError> {
    let found = find_line(cx.tx(), bucket, line)?;
    let mut object = found.ok_or_else(|| ApiError::new(&error::OPERATION_ABORTED))?;
    let before = object.info.storage_class;
    let change = reclassify(&mut object.info, class);
    tables::object::set_class(cx.tx(), bucket.id, &object, class)?;
    tables::object::set_facts(cx.tx(), bucket.id, &object, &object.info.facts)?;
    apply(cx, bucket, change)?;
    cx.audit_resource(bucket.object_arn(&line.key));
    cx.audit_detail("from", before.as_str());
    cx.audit_detail("to", class.as_str());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Facts, Tags};

    #[test]
    fn a_page_that_is_looked_at_again_has_the_same_places() {
        let line = |key: &str, age: i64| Line {
            key: key.to_owned(),
            age,
            version: -age,
            current: age == 0,
            marker: false,
            modified: Time::from_secs(1),
            superseded: Time::from_secs(2),
            size: 1,
            tags: Tags::default(),
            storage_class: StorageClass::Standard,
            facts: Facts::default(),
        };
        let lines = [line("k", 0), line("k", 1), line("k", 2), line("k", 3)];
        let behind = |newer| Place::Noncurrent { since: Time::from_secs(2), newer, marker: false };
        let (first, walk) = Walk::default().past(&lines, 2);
        assert_eq!(first, [Place::Current, behind(0)]);
        // The second page goes on within the key, each time that it is looked at.
        let looked = walk.past(&lines[2..], 2);
        assert_eq!(looked.0, [behind(1), behind(2)]);
        assert_eq!(walk.past(&lines[2..], 2), looked);
    }
}
