//! Retention: the one answer to whether a version may go, and setting what it goes by. Versions are kept by a
//! legal hold or a retention of their own (object lock), or by that of their bucket (WORM).
//!
//! Whatever deletes or replaces a body asks [`check`] in its own transaction (or, where nobody is there to
//! be refused, [`may_remove`]) before it changes a row. Delete markers are never kept: there is nothing in
//! them.

use base::{ApiError, Denied, Time};
use engine::{Cx, Meta};
use serde_json::json;

use super::bucket::require_on;
use super::object::find_object;
use super::{RequestCtx, check_key, find_bucket, meta};
use crate::access::{Ask, Need, require};
use crate::meter::{GETS, PUTS};
use crate::model::{
    At, Bucket, Facts, Lock, LockMode, ObjectInfo, ObjectLock, Period, Retention, Settings,
    VersionId, Versioning, Worm,
};
use crate::{Oss, error, tables};

/// The longest retention of a bucket, days (70 years).
const WORM_DAYS_MAX: u32 = 25_550;
const BYPASS: &str = "oss:BypassGovernanceRetention";

/// What keeps a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    LegalHold,
    Own(Retention),
    Worm(Time),
}

impl Held {
    const fn word(self) -> &'static str {
        match self {
            Self::LegalHold => "legal hold",
            Self::Own(Retention { mode, .. }) => mode.as_str(),
            Self::Worm(_) => "WORM",
        }
    }

    const fn until(self) -> Option<Time> {
        match self {
            Self::LegalHold => None,
            Self::Own(retention) => Some(retention.until()),
            Self::Worm(until) => Some(until),
        }
    }
}

/// What keeps a version now. Governance comes last: where anything else keeps it too, nobody gets by.
fn held(settings: &Settings, lock: Lock, stored: Time, now: Time) -> Option<Held> {
    let Lock { retention, legal_hold } = lock;
    if legal_hold == Some(true) {
        return Some(Held::LegalHold);
    }
    let retention = retention.filter(|retention| retention.holds(now));
    let compliance = retention.filter(|retention| retention.mode == LockMode::Compliance);
    let worm = settings.worm_at(now).map(|worm| worm.until(stored));
    compliance
        .map(Held::Own)
        .or_else(|| worm.filter(|until| now < *until).map(Held::Worm))
        .or_else(|| retention.map(Held::Own))
}

/// Whether a version in this bucket with that lock, which was stored then, may be deleted or replaced now:
/// what a task asks that acts for nobody. Not to be asked of delete markers, which may always go.
pub(crate) fn may_remove(bucket: &Bucket, lock: Lock, stored: Time, now: Time) -> bool {
    held(&bucket.settings, lock, stored, now).is_none()
}

/// Requires that a version may be deleted or replaced now; `bypass` where the caller asks that governance
/// does not stand in the way.
///
/// # Errors
/// `FileImmutable`, with what its public record says; `AccessDenied` for a bypass without the permission.
pub(super) fn check(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    info: &ObjectInfo,
    bypass: bool,
) -> Result<(), ApiError> {
    match held(&bucket.settings, info.facts.lock, info.modified, cx.now) {
        None => Ok(()),
        Some(Held::Own(Retention { mode: LockMode::Governance, .. })) if bypass => {
            pass_by(cx, bucket, &info.key)
        }
        Some(held) => Err(refusal(cx, bucket, info, held)),
    }
}

/// Lets the caller by a governance retention, on record.
fn pass_by(cx: &mut Cx<'_>, bucket: &Bucket, key: &str) -> Result<(), ApiError> {
    require(cx, bucket, Ask::new(BYPASS, Need::Own).on(key))?;
    cx.public("tenant", bucket.owner.to_string());
    cx.public("bypassed", LockMode::Governance.as_str());
    Ok(())
}

fn refusal(cx: &Cx<'_>, bucket: &Bucket, info: &ObjectInfo, held: Held) -> ApiError {
    let until = held.until().map(|until| format!(" until {}", until.iso())).unwrap_or_default();
    let message = format!("The object is immutable: it is kept by {}{until}.", held.word());
    let error = error::FILE_IMMUTABLE.error(message).field("Key", info.key.as_str());
    recorded(error, cx, bucket, (&info.key, held))
}

/// A refusal with what its record says: in the owner's trail which object it is about, in public what keeps it.
fn recorded(error: ApiError, cx: &Cx<'_>, bucket: &Bucket, (key, held): (&str, Held)) -> ApiError {
    let mut facts = json!({ "tenant": bucket.owner.to_string(), "kept": held.word() });
    if let Some(until) = held.until() {
        facts["until"] = until.iso().into();
    }
    let denied = Denied {
        action: cx.meta.permission(),
        resource: bucket.object_arn(key),
        principal_type: cx.caller.principal_type().to_owned(),
        principal_name: cx.caller.display_name(),
        principal_owner: cx.caller.account.to_string(),
        explicit: true,
    };
    error.denied(denied).public(facts.to_string()).about(bucket.owner)
}

fn no_object_lock() -> ApiError {
    error::INVALID_REQUEST.error("The bucket has no object lock configuration.")
}

/// Requires that versions in a bucket can be locked as it is asked for.
///
/// # Errors
/// `InvalidRequest` where they cannot at all, `InvalidArgument` for a date that is past.
pub(super) fn check_wanted(bucket: &Bucket, lock: Lock, now: Time) -> Result<(), ApiError> {
    if lock != Lock::default() && bucket.settings.object_lock.is_none() {
        return Err(no_object_lock());
    }
    lock.retention.map_or(Ok(()), |retention| check_future(retention, now))
}

fn check_future(retention: Retention, now: Time) -> Result<(), ApiError> {
    if retention.holds(now) {
        return Ok(());
    }
    Err(error::INVALID_ARGUMENT.error("The retain until date must be in the future."))
}

/// Gives a new version the lock that it came with, or else its bucket's default, and states it.
///
/// # Errors
/// `InvalidRequest` where the bucket does not lock any more: it was made anew while the body came.
pub(super) fn settle(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    info: &mut ObjectInfo,
) -> Result<(), ApiError> {
    let lock = &mut info.facts.lock;
    let Some(rule) = bucket.settings.object_lock else {
        return if *lock == Lock::default() { Ok(()) } else { Err(no_object_lock()) };
    };
    lock.retention = lock.retention.or_else(|| rule.default.map(|default| default.from(cx.now)));
    state(cx, bucket, *lock);
    Ok(())
}

/// States in public what keeps a version.
fn state(cx: &mut Cx<'_>, bucket: &Bucket, lock: Lock) {
    if lock == Lock::default() {
        return;
    }
    cx.public("tenant", bucket.owner.to_string());
    cx.public("class", bucket.class.as_str());
    if let Some(retention) = lock.retention {
        let (mode, until) = (retention.mode.as_str(), retention.until().iso());
        cx.audit_detail("retention", format!("{mode} until {until}"));
        cx.public("retention", json!({ "mode": mode, "until": until }));
    }
    if let Some(on) = lock.legal_hold {
        cx.audit_detail("legalHold", on_off(on));
        cx.public("legalHold", on_off(on));
    }
}

const fn on_off(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// Requires that a version's retention may become another.
///
/// # Errors
/// `AccessDenied` for one that would end earlier, or be weaker or of another mode, without the leave.
fn check_change(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    info: &ObjectInfo,
    (wanted, bypass): (Option<Retention>, bool),
) -> Result<(), ApiError> {
    let now = cx.now;
    let Some(current) = info.facts.lock.retention.filter(|current| current.holds(now)) else {
        return Ok(());
    };
    let keeps =
        |wanted: Retention| wanted.mode == current.mode && wanted.until() >= current.until();
    if wanted.is_some_and(keeps) {
        return Ok(());
    }
    if current.mode == LockMode::Governance && bypass {
        return pass_by(cx, bucket, &info.key);
    }
    let error =
        error::ACCESS_DENIED.error("The object's retention cannot be shortened or changed.");
    Err(recorded(error, cx, bucket, (&info.key, Held::Own(current))))
}

/// Requires that a bucket's versioning may be set so: what keeps versions needs it.
///
/// # Errors
/// `InvalidBucketState`.
pub(super) fn check_versioning(
    bucket: &Bucket,
    wanted: Versioning,
    now: Time,
) -> Result<(), ApiError> {
    let settings = &bucket.settings;
    if wanted != Versioning::Enabled
        && (settings.object_lock.is_some() || settings.worm_at(now).is_some())
    {
        return Err(error::INVALID_BUCKET_STATE
            .error("A bucket with retention cannot have its versioning suspended."));
    }
    Ok(())
}

fn conflict(message: &str) -> ApiError {
    error::INVALID_BUCKET_STATE.error(message)
}

fn no_such_worm() -> ApiError {
    ApiError::new(&error::NO_SUCH_WORM)
}

impl Oss {
    /// Whether versions of a bucket can be locked, and how they are by default.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn object_lock(
        &self,
        ctx: &RequestCtx,
        name: &str,
    ) -> Result<Option<ObjectLock>, ApiError> {
        let meta = meta::get_document("GetBucketObjectWormConfiguration");
        Ok(self.settings(ctx, name, meta).await?.object_lock)
    }

    /// The retention of a whole bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchWORMConfiguration`, `AccessDenied`.
    pub async fn bucket_worm(&self, ctx: &RequestCtx, name: &str) -> Result<Worm, ApiError> {
        let settings = self.settings(ctx, name, meta::get_document("GetBucketWorm")).await?;
        settings.worm_at(self.0.cloud.clock.now()).cloned().ok_or_else(no_such_worm)
    }

    /// Lets versions of a bucket be locked, for good, and sets how they are by default: new ones only.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`; `InvalidBucketState` where it keeps no versions, or has a retention of
    /// its own.
    pub async fn set_object_lock(
        &self,
        ctx: &RequestCtx,
        name: &str,
        wanted: ObjectLock,
    ) -> Result<(), ApiError> {
        let meta = meta::put_document("PutBucketObjectWormConfiguration");
        self.set_retention(ctx, name, meta, move |cx, settings| {
            if settings.versioning != Versioning::Enabled {
                return Err(conflict("Versioning must be enabled to lock objects."));
            }
            if settings.worm_at(cx.now).is_some() {
                return Err(conflict("The bucket has a retention of its own."));
            }
            settings.object_lock = Some(wanted);
            state_object_lock(cx, wanted);
            Ok(())
        })
        .await
    }

    /// Sets a retention for all of a bucket, which must be locked within a day; answers its id.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `InvalidArgument`, `InvalidBucketState`; `InvalidWORMConfiguration` or
    /// `WORMConfigurationLocked` where there is one.
    pub async fn initiate_worm(
        &self,
        ctx: &RequestCtx,
        name: &str,
        days: u32,
    ) -> Result<String, ApiError> {
        check_days(days)?;
        let meta = meta::put_document("InitiateBucketWorm");
        self.set_retention(ctx, name, meta, move |cx, settings| {
            match settings.worm_at(cx.now) {
                Some(worm) if worm.locked => return Err(ApiError::new(&error::WORM_LOCKED)),
                Some(_) => return Err(ApiError::new(&error::INVALID_WORM)),
                None => {}
            }
            if settings.object_lock.is_some() {
                return Err(conflict("The objects of the bucket have retentions of their own."));
            }
            if settings.versioning == Versioning::Suspended {
                return Err(conflict("The versioning of the bucket is suspended."));
            }
            let id = base::text::hex_upper(&cx.rng().bytes::<16>());
            let worm = Worm::new(id.clone(), days, cx.now);
            state_worm(cx, &worm);
            settings.worm = Some(worm);
            Ok(id)
        })
        .await
    }

    /// Locks the retention of a bucket, for good.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `NoSuchWORMConfiguration`, `WORMConfigurationLocked`.
    pub async fn complete_worm(
        &self,
        ctx: &RequestCtx,
        name: &str,
        id: &str,
    ) -> Result<(), ApiError> {
        let id = id.to_owned();
        let meta = meta::put_document("CompleteBucketWorm");
        self.set_retention(ctx, name, meta, move |cx, settings| {
            let mut worm = named(settings, &id, cx.now)?;
            if worm.locked {
                return Err(ApiError::new(&error::WORM_LOCKED));
            }
            worm.locked = true;
            state_worm(cx, &worm);
            settings.worm = Some(worm);
            Ok(())
        })
        .await
    }

    /// Makes the locked retention of a bucket longer.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `InvalidArgument`, `NoSuchWORMConfiguration`; `InvalidWORMConfiguration`
    /// where it is not locked, or is that long already.
    pub async fn extend_worm(
        &self,
        ctx: &RequestCtx,
        name: &str,
        id: &str,
        days: u32,
    ) -> Result<(), ApiError> {
        check_days(days)?;
        let id = id.to_owned();
        let meta = meta::put_document("ExtendBucketWorm");
        self.set_retention(ctx, name, meta, move |cx, settings| {
            let mut worm = named(settings, &id, cx.now)?;
            if !worm.locked || days <= worm.days {
                return Err(error::INVALID_WORM
                    .error("Only a locked retention can be extended, and only to more days."));
            }
            worm.days = days;
            state_worm(cx, &worm);
            settings.worm = Some(worm);
            Ok(())
        })
        .await
    }

    /// Gives up the retention of a bucket, which is not locked.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `NoSuchWORMConfiguration`, `WORMConfigurationLocked`.
    pub async fn abort_worm(&self, ctx: &RequestCtx, name: &str) -> Result<(), ApiError> {
        let meta = meta::put_document("AbortBucketWorm");
        self.set_retention(ctx, name, meta, move |cx, settings| {
            let worm = settings.worm_at(cx.now).ok_or_else(no_such_worm)?;
            if worm.locked {
                return Err(ApiError::new(&error::WORM_LOCKED));
            }
            cx.public("worm", json!({ "state": "Aborted" }));
            settings.worm = None;
            Ok(())
        })
        .await
    }

    /// Changes what of a bucket's settings is about retention, in public.
    async fn set_retention<T: Send + 'static>(
        &self,
        ctx: &RequestCtx,
        name: &str,
        meta: Meta,
        change: impl Fn(&mut Cx<'_>, &mut Settings) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let name = name.to_owned();
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            cx.public("tenant", bucket.owner.to_string());
            cx.public("class", bucket.class.as_str());
            let mut settings = bucket.settings.clone();
            let changed = change(cx, &mut settings).map_err(|error| error.about(bucket.owner))?;
            tables::bucket::set_settings(cx.tx(), bucket.id, &settings)?;
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(changed)
        };
        self.0.cloud.write(ctx.session(meta), set).await
    }

    /// What keeps a version by itself, and the version's id.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `AccessDenied`; `InvalidRequest` where the bucket locks no
    /// objects.
    pub async fn lock_of(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        view: LockView,
    ) -> Result<(Lock, Option<VersionId>), ApiError> {
        let at = at.into();
        check_key(at.key)?;
        let (name, key, version) = (bucket.to_owned(), at.key.to_owned(), at.version);
        let find = move |cx: &mut Cx<'_>| {
            let at = At { key: &key, version };
            let (bucket, object) = find_object(cx, &name, at, Need::Own, true)?;
            if bucket.settings.object_lock.is_none() {
                return Err(no_object_lock());
            }
            Ok((bucket, (object.info.facts.lock, object.info.version)))
        };
        Ok(self.read(ctx, (view.get(), GETS), bucket, find).await?.found)
    }

    /// Changes how long a version is kept; `None` for no more. `bypass` asks that governance does not stand
    /// in the way, which takes `oss:BypassGovernanceRetention`.
    ///
    /// # Errors
    /// As [`Self::lock_of`]; `InvalidArgument` for a date that is past; `AccessDenied` for what would keep it
    /// less than it is kept.
    pub async fn set_object_retention(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        (wanted, bypass): (Option<Retention>, bool),
    ) -> Result<(), ApiError> {
        let change = move |cx: &mut Cx<'_>, bucket: &Bucket, info: &ObjectInfo| {
            wanted.map_or(Ok(()), |wanted| check_future(wanted, cx.now))?;
            check_change(cx, bucket, info, (wanted, bypass))?;
            if wanted.is_none() {
                cx.public("tenant", bucket.owner.to_string());
                cx.public("retention", "none");
            }
            state(cx, bucket, Lock { retention: wanted, legal_hold: None });
            Ok(Lock { retention: wanted, ..info.facts.lock })
        };
        self.set_lock(ctx, bucket, at.into(), (LockView::Retention, change)).await
    }

    /// Puts a version under a legal hold, or ends it.
    ///
    /// # Errors
    /// As [`Self::lock_of`].
    pub async fn set_legal_hold(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        on: bool,
    ) -> Result<(), ApiError> {
        let change = move |cx: &mut Cx<'_>, bucket: &Bucket, info: &ObjectInfo| {
            state(cx, bucket, Lock { retention: None, legal_hold: Some(on) });
            Ok(Lock { legal_hold: Some(on), ..info.facts.lock })
        };
        self.set_lock(ctx, bucket, at.into(), (LockView::LegalHold, change)).await
    }

    async fn set_lock(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: At<'_>,
        (view, change): (
            LockView,
            impl Fn(&mut Cx<'_>, &Bucket, &ObjectInfo) -> Result<Lock, ApiError> + Send + 'static,
        ),
    ) -> Result<(), ApiError> {
        let change = move |cx: &mut Cx<'_>, bucket: &Bucket, object: &tables::object::Object| {
            if bucket.settings.object_lock.is_none() {
                return Err(no_object_lock());
            }
            let lock = change(cx, bucket, &object.info)?;
            let facts = Facts { lock, ..object.info.facts.clone() };
            tables::object::set_facts(cx.tx(), bucket.id, object, &facts)
        };
        self.change(ctx, (view.put(), Need::Own), bucket, at, change).await
    }
}

/// Which of the two that keep a version by itself; each has permissions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockView {
    /// How long.
    Retention,
    /// The legal hold.
    LegalHold,
}

impl LockView {
    const fn get(self) -> Meta {
        match self {
            Self::Retention => meta::get_document("GetObjectRetention"),
            Self::LegalHold => meta::get_document("GetObjectLegalHold"),
        }
    }

    const fn put(self) -> Meta {
        match self {
            Self::Retention => meta::put_document("PutObjectRetention"),
            Self::LegalHold => meta::put_document("PutObjectLegalHold"),
        }
    }
}

fn check_days(days: u32) -> Result<(), ApiError> {
    if (1..=WORM_DAYS_MAX).contains(&days) {
        return Ok(());
    }
    let message = format!("The retention period must be 1 to {WORM_DAYS_MAX} days.");
    Err(error::INVALID_ARGUMENT.error(message).field("ArgumentName", "RetentionPeriodInDays"))
}

/// The bucket's retention, by its id.
fn named(settings: &Settings, id: &str, now: Time) -> Result<Worm, ApiError> {
    settings.worm_at(now).filter(|worm| worm.id == id).cloned().ok_or_else(no_such_worm)
}

fn state_worm(cx: &mut Cx<'_>, worm: &Worm) {
    cx.audit_detail("worm", format!("{} {} {} days", worm.id, worm.state(), worm.days));
    cx.public("worm", json!({ "state": worm.state(), "days": worm.days }));
}

/// States that a bucket locks objects, and how by default.
pub(super) fn state_object_lock(cx: &mut Cx<'_>, lock: ObjectLock) {
    let fact = match lock.default {
        None => json!({ "default": null }),
        Some(default) => {
            let (unit, number) = match default.period {
                Period::Days(days) => ("days", days),
                Period::Years(years) => ("years", years),
            };
            json!({ "default": { "mode": default.mode.as_str(), unit: number } })
        }
    };
    cx.audit_detail("objectLock", fact.to_string());
    cx.public("objectLock", fact);
}

#[cfg(test)]
mod tests;
