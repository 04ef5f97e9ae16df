//! Single objects: put, get, head, delete, ACL, tags.

use std::sync::Arc;

use base::{AccountId, ApiError};
use engine::places::Placement;
use engine::{Cx, Kind, Meta, Session};

use super::class::check_readable;
use super::commit::{Commit, apply_removal, receive};
use super::encryption::{check_customer, resolve};
use super::lifecycle::tell;
use super::read::Seen;
use super::stream::{ObjectStream, Opening};
use super::symlink::follow;
use super::version::{remove, seek, stays};
use super::{
    CopySource, Deleted, Origin, PAGE_MAX, PUT_BYTES_MAX, RequestCtx, Source, check_key, decide,
    find_bucket, meta, no_such_key, retention,
};
use crate::access::{Ask, Gives, Need, payer, require, require_write};
use crate::acl::AccessList;
use crate::blob::Body;
use crate::meter::{GETS, PUTS};
use crate::model::{
    At, Bucket, Matching, ObjectInfo, PutOptions, RangeSpec, ReadConditions, Stored, Tags,
    VersionId, Wanted, WriteConditions,
};
use crate::tables::bucket::Change;
use crate::tables::object::Object;
use crate::{Oss, error, tables};

/// What to read of an object.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// Which bytes; all of them where not told.
    pub range: Option<RangeSpec>,
    /// A range that cannot be satisfied is `InvalidRange` (S3; OSS on request); else it is ignored.
    pub strict_range: bool,
    /// Conditions.
    pub conditions: ReadConditions,
}

/// What came of a read.
pub enum Fetched {
    /// The object and the body, or the part of it that was asked for.
    Found {
        /// The object.
        info: ObjectInfo,
        /// First byte and number of bytes of the body that follow, where a range was asked for and
        /// is satisfied (status 206).
        range: Option<(u64, u64)>,
        /// The bytes.
        body: Box<ObjectStream>,
    },
    /// `If-None-Match` or `If-Modified-Since` say that the client has it (status 304).
    NotModified(ObjectInfo),
}

/// A key to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteKey {
    /// The key.
    pub key: String,
    /// One version or delete marker of it, for good; without one the key, of which versions stay where the
    /// bucket keeps them.
    pub version: Option<VersionId>,
    /// Delete only what is so.
    pub matching: Matching,
    /// A retention in governance mode is not to stand in the way, which takes
    /// `oss:BypassGovernanceRetention`.
    pub bypass_governance: bool,
}

impl Oss {
    /// Stores an object. Returns once it is durable.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, those of [`engine::places::decide`], of the conditions and of the
    /// promised digests,
    /// `IncompleteBody`, `EntityTooLarge` (above 5 GiB), `InsufficientStorage`, and what the source
    /// fails with. After any error, or when the future is dropped, nothing is stored.
    pub async fn put(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        key: &str,
        options: PutOptions,
        body: impl Source,
    ) -> Result<Stored, ApiError> {
        check_key(key)?;
        let session = ctx.session(meta::PUT_OBJECT);
        let (tags, lock) = (!options.tags.is_empty(), options.lock);
        let list = AccessList { acl: options.acl, grants: options.grants.clone() };
        let gives = Gives { list, tags, lock };
        let (placement, home) =
            self.admit(&session, bucket, key, gives, &options.conditions).await?;
        let wanted = options.encryption.as_ref();
        let encryption = resolve(wanted, &home.settings, &*self.0.cloud.rng);
        let customer = wanted.and_then(Wanted::customer);
        let sealing = self.sealing_key(home.owner, &encryption, customer).await?;
        let sealed = (&placement, sealing);
        let (written, priors) =
            receive(&self.0.blobs, sealed, &options.expected, PUT_BYTES_MAX, body).await?;
        let commit = Commit::of_put(bucket, key, options, written, (placement, encryption));
        self.0.cloud.write_after(session, priors, move |cx| commit.run(cx)).await
    }

    /// Requires that the caller may put the key: for a request that is refused whoever sent it, so that who may
    /// not learns no more.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, and the others of [`Self::put`] that do not depend on what is put.
    pub(crate) async fn require_put(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        key: &str,
    ) -> Result<(), ApiError> {
        check_key(key)?;
        let (session, gives) = (ctx.session(meta::PUT_OBJECT), Gives::default());
        self.admit(&session, bucket, key, gives, &WriteConditions::default()).await.map(drop)
    }

    /// Requires that the caller may read the key, whether it is there or not, and says whose the bucket is. No
    /// privilege takes the place of that.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub(crate) async fn require_get(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        key: &str,
    ) -> Result<AccountId, ApiError> {
        check_key(key)?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let look = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &bucket)?;
            let action = cx.meta.permission();
            require(cx, &bucket, Ask::new(&action, Need::Read).on(&key).reading())?;
            Ok(bucket.owner)
        };
        self.0.cloud.read(ctx.session(meta::GET_OBJECT), look).await
    }

    /// Checks before the body is taken what the commit checks again, so that no bytes flow in vain,
    /// and decides where they go; says also what the bucket is. A refusal is audited as the commit's would be.
    pub(super) async fn admit(
        &self,
        session: &Arc<Session>,
        bucket: &str,
        key: &str,
        gives: Gives,
        conditions: &WriteConditions,
    ) -> Result<(Placement, Bucket), ApiError> {
        let (bucket, key, conditions) = (bucket.to_owned(), key.to_owned(), conditions.clone());
        let admitted = self
            .0
            .cloud
            .read(admission(session), move |cx| {
                let bucket = find_bucket(cx, &bucket)?;
                let current = require_write(cx, &bucket, &key, &gives)?;
                check_write(&conditions, &key, current.as_ref().map(|object| &object.info))?;
                if current.is_some() {
                    super::overwrite::check(cx, &bucket, &key)?;
                }
                retention::check_wanted(&bucket, gives.lock, cx.now)?;
                if let Some(current) = current.filter(|current| !stays(&bucket, current.version)) {
                    retention::check(cx, &bucket, &current.info, false)?;
                }
                Ok((decide(cx, &bucket)?, bucket))
            })
            .await;
        if let Err(error) = &admitted {
            self.0.cloud.audit_refusal(session, error).await;
        }
        admitted
    }

    /// Reads an object: what it is, and a stream of its bytes.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`, `PreconditionFailed`, `InvalidRange`.
    pub async fn get(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        options: GetOptions,
    ) -> Result<Fetched, ApiError> {
        // Before the snapshot, so that whatever it shows cannot be reclaimed.
        let look_up = self.0.blobs.pins.look_up();
        let Seen { bucket, found, payer } = self.look_up(ctx, bucket, at.into()).await?;
        let Object { info, body, ordinal, .. } = found;
        if !is_fresh(&options.conditions, &info)? {
            return Ok(Fetched::NotModified(info));
        }
        check_readable(&bucket, &info, self.0.cloud.clock.now())?;
        self.note_access(&bucket, &info, ordinal);
        let range = options.range.map(|range| range.within(info.size));
        if range == Some(None) && options.strict_range {
            return Err(ApiError::new(&error::INVALID_RANGE)
                .field("ActualObjectSize", info.size.to_string()));
        }
        let range = range.flatten();
        let (from, len) = range.unwrap_or((0, info.size));
        let pin = look_up.hold(&body);
        let opening = Opening::of(&info, &options.conditions);
        let body = ObjectStream::new(self.clone(), (body, opening), (from, len), pin, payer);
        let body = Box::new(body.start().await?);
        Ok(Fetched::Found { info, range, body })
    }

    /// What an object is, without its body; `Ok(Err(info))` where the conditions say that the client
    /// has it (status 304).
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn head(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        conditions: &ReadConditions,
    ) -> Result<Result<ObjectInfo, ObjectInfo>, ApiError> {
        let object = self.look_up(ctx, bucket, at.into()).await?.found;
        let fresh = is_fresh(conditions, &object.info)?;
        Ok(if fresh { Ok(object.info) } else { Err(object.info) })
    }

    /// Finds an object that the caller may read, on one snapshot.
    async fn look_up(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: At<'_>,
    ) -> Result<Seen<Object>, ApiError> {
        check_key(at.key)?;
        let meta = of_version(at.version, meta::GET_OBJECT, meta::GET_OBJECT_VERSION);
        let (name, key, version) = (bucket.to_owned(), at.key.to_owned(), at.version);
        let find = move |cx: &mut Cx<'_>| {
            let at = At { key: &key, version };
            let (bucket, object) = find_object(cx, &name, at, Need::Read, true)?;
            let mut object = follow(cx, &bucket, object)?;
            tell(cx, &bucket, &mut object.info, version.is_none())?;
            Ok((bucket, object))
        };
        self.read(ctx, (meta, GETS), bucket, find).await
    }

    /// Whether the caller may delete or put whatever it likes in a bucket. `false` where there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn may_write_any(
        &self,
        ctx: &RequestCtx,
        name: &str,
    ) -> Result<bool, ApiError> {
        let name = name.to_owned();
        let look = move |cx: &mut Cx<'_>| {
            let Some(bucket) = tables::bucket::find(cx.tx(), &name)? else { return Ok(false) };
            for action in ["oss:DeleteObject", "oss:PutObject"] {
                if require(cx, &bucket, Ask::new(action, Need::Write).on("*")).is_ok() {
                    return Ok(true);
                }
            }
            // It was asked and refused.
            Ok(false)
        };
        let session = ctx.session(Meta { kind: Kind::Read, ..meta::DELETE_OBJECT });
        self.0.cloud.read(session, look).await
    }

    /// Deletes an object. There being none is a success.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `PreconditionFailed`; `FileImmutable` for what is kept.
    pub async fn delete(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        key: DeleteKey,
    ) -> Result<Deleted, ApiError> {
        check_key(&key.key)?;
        let meta = of_version(key.version, meta::DELETE_OBJECT, meta::DELETE_OBJECT_VERSION);
        let bucket = bucket.to_owned();
        let delete = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &bucket)?;
            let current = require_delete(cx, &bucket, &key)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.object_arn(&key.key));
            let removed = remove(cx, &bucket, &key, current)?;
            if let Some(info) = &removed.info {
                cx.audit_detail("size", info.size.to_string());
                cx.audit_detail("etag", info.etag.lower());
            }
            if let Some(version) = removed.deleted.version {
                cx.audit_detail("version", version.to_string());
            }
            apply_removal(cx, &bucket, removed.change)?;
            cx.count(payer(cx, &bucket), &bucket.arn(), PUTS, 1);
            Ok(removed.deleted)
        };
        self.0.cloud.write(ctx.session(meta), delete).await
    }

    /// Deletes up to 1,000 objects in one commit. Each key is authorized on its own, and one that is
    /// refused does not keep the others.
    ///
    /// # Errors
    /// `NoSuchBucket`; `InvalidArgument` for too many keys; the first key's refusal where all are
    /// refused.
    pub async fn delete_many(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        keys: Vec<DeleteKey>,
    ) -> Result<Vec<(String, Result<Deleted, ApiError>)>, ApiError> {
        if keys.is_empty() || keys.len() > PAGE_MAX {
            return Err(error::INVALID_ARGUMENT
                .error(format!("1 to {PAGE_MAX} keys can be deleted at a time.")));
        }
        let bucket = bucket.to_owned();
        self.0
            .cloud
            .write(ctx.session(meta::DELETE_OBJECT), move |cx| delete_all(cx, &bucket, &keys))
            .await
    }

    /// An object's tags (in [`ObjectInfo::tags`]).
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`.
    pub async fn object_tags(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
    ) -> Result<ObjectInfo, ApiError> {
        let at = at.into();
        let meta =
            of_version(at.version, meta::GET_OBJECT_TAGGING, meta::GET_OBJECT_VERSION_TAGGING);
        Ok(self.describe(ctx, (meta, Need::Own), bucket, at).await?.1)
    }

    /// What is known about an object itself, not about what it links to, for whoever may know it.
    pub(super) async fn describe(
        &self,
        ctx: &RequestCtx,
        (meta, need): (Meta, Need),
        bucket: &str,
        at: At<'_>,
    ) -> Result<(Bucket, ObjectInfo), ApiError> {
        check_key(at.key)?;
        let (name, key, version) = (bucket.to_owned(), at.key.to_owned(), at.version);
        let find =
            move |cx: &mut Cx<'_>| find_object(cx, &name, At { key: &key, version }, need, true);
        let seen = self.read(ctx, (meta, GETS), bucket, find).await?;
        Ok((seen.bucket, seen.found.info))
    }

    /// Replaces an object's tags; none at all deletes them. The skins check their form.
    ///
    /// # Errors
    /// As [`Self::object_tags`].
    pub async fn set_object_tags(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        tags: Tags,
    ) -> Result<(), ApiError> {
        let at = at.into();
        let (plain, version) = if tags.is_empty() {
            (meta::DELETE_OBJECT_TAGGING, meta::DELETE_OBJECT_VERSION_TAGGING)
        } else {
            (meta::PUT_OBJECT_TAGGING, meta::PUT_OBJECT_VERSION_TAGGING)
        };
        let meta = of_version(at.version, plain, version);
        let change = move |cx: &mut Cx<'_>, bucket: &Bucket, object: &Object| {
            cx.audit_detail("tags", tags.len().to_string());
            tables::object::set_tags(cx.tx(), bucket.id, object, &tags)
        };
        self.change(ctx, (meta, Need::Own), bucket, at, change).await
    }

    /// Changes something about an object that is there.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        ctx: &RequestCtx,
        (meta, need): (Meta, Need),
        bucket: &str,
        at: At<'_>,
        change: impl Fn(&mut Cx<'_>, &Bucket, &Object) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        check_key(at.key)?;
        let (name, key, version) = (bucket.to_owned(), at.key.to_owned(), at.version);
        let run = move |cx: &mut Cx<'_>| {
            let at = At { key: &key, version };
            let (bucket, object) = find_object(cx, &name, at, need, false)?;
            if let Some(version) = version {
                cx.audit_detail("version", version.to_string());
            }
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.object_arn(&key));
            let changed = change(cx, &bucket, &object)?;
            cx.count(payer(cx, &bucket), &bucket.arn(), PUTS, 1);
            Ok(changed)
        };
        self.0.cloud.write(ctx.session(meta), run).await
    }
}

/// A write's session for the look on a snapshot that comes before it: same permission, no effect.
pub(super) fn admission(session: &Session) -> Arc<Session> {
    let Session { meta, caller, request } = session.clone();
    Arc::new(Session { meta: Meta { kind: Kind::Read, ..meta }, caller, request })
}

/// The permission for a key, or that for one version of it.
pub(super) fn of_version(version: Option<VersionId>, plain: Meta, of_one: Meta) -> Meta {
    if version.is_some() { of_one } else { plain }
}

/// Finds an object and requires the operation's own permission on it; `reads` where a privilege will do.
pub(super) fn find_object(
    cx: &mut Cx<'_>,
    bucket: &str,
    at: At<'_>,
    need: Need,
    reads: bool,
) -> Result<(Bucket, Object), ApiError> {
    let bucket = find_bucket(cx, bucket)?;
    let found = seek(cx, &bucket, at)?;
    let action = cx.meta.permission();
    let ask = Ask { reads, ..Ask::new(&action, need).on(at.key).object(found.info()) };
    let allowed = require(cx, &bucket, ask);
    match (allowed, found.object(&bucket, at)) {
        (Ok(()), object) => Ok((bucket, object?)),
        // Who may list the key can find out anyway that it is not there.
        (Err(_), Err(missing)) if missing.is(&error::NO_SUCH_KEY) && lists(cx, &bucket, at.key) => {
            Err(missing)
        }
        (Err(refused), _) => Err(refused),
    }
}

/// Whether the caller may list exactly that key of a bucket.
fn lists(cx: &mut Cx<'_>, bucket: &Bucket, key: &str) -> bool {
    let conditions = [("oss:Prefix", key)];
    let ask = Ask { conditions: &conditions, ..Ask::new("oss:ListObjects", Need::Read) };
    require(cx, bucket, ask).is_ok()
}

/// Requires that the caller may delete the key or the version. Answers the current object.
fn require_delete(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &DeleteKey,
) -> Result<Option<Object>, ApiError> {
    if key.version.is_none() {
        return require_write(cx, bucket, &key.key, &Gives::default());
    }
    // Also within a deletion of many, which is an operation of one name. What is deleted so is gone for good,
    // so no ACL grants it.
    let ask = Ask::new("oss:DeleteObjectVersion", Need::Own).on(&key.key);
    require(cx, bucket, ask)?;
    tables::object::find(cx.tx(), bucket.id, &key.key)
}

type DeletedMany = Vec<(String, Result<Deleted, ApiError>)>;

fn delete_all(cx: &mut Cx<'_>, bucket: &str, keys: &[DeleteKey]) -> Result<DeletedMany, ApiError> {
    let bucket = find_bucket(cx, bucket)?;
    let mut outcomes = DeletedMany::with_capacity(keys.len());
    let mut total = Change::default();
    let (mut removed, mut kept): (Vec<&str>, Vec<&str>) = Default::default();
    for key in keys {
        let allowed = check_key(&key.key)
            .and_then(|()| require_delete(cx, &bucket, key))
            .and_then(|current| remove(cx, &bucket, key, current));
        let outcome = match allowed {
            Ok(one) => {
                removed.extend(one.deleted.existed.then_some(key.key.as_str()));
                total.add(one.change);
                Ok(one.deleted)
            }
            // A refusal of one key; anything else is a failure of all.
            Err(error) if error.status() < 500 => {
                kept.extend(error.is(&error::FILE_IMMUTABLE).then_some(key.key.as_str()));
                Err(error)
            }
            Err(error) => return Err(error),
        };
        outcomes.push((key.key.clone(), outcome));
    }
    let refused = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err());
    let (count, first) = (refused.clone().count(), refused.clone().next());
    if let Some(first) = first
        && count == outcomes.len()
    {
        // Nothing was done: a refusal, not a deletion of nothing, is what the audit is to tell.
        return Err(first.clone());
    }
    cx.audit_account(bucket.owner);
    cx.audit_resource(format!("{}/*", bucket.arn()));
    if count > 0 {
        cx.audit_detail("refused", count.to_string());
    }
    cx.audit_detail("keys", serde_json::to_string(&removed).unwrap_or_default());
    if !kept.is_empty() {
        // That somebody wanted them gone is on record as where nothing else was to be deleted.
        cx.audit_detail("kept", serde_json::to_string(&kept).unwrap_or_default());
        cx.public("tenant", bucket.owner.to_string());
        cx.public("kept", kept.len());
    }
    apply_removal(cx, &bucket, total)?;
    cx.count(payer(cx, &bucket), &bucket.arn(), PUTS, 1);
    Ok(outcomes)
}

/// True where the object is to be sent, false where the client has it (RFC 9110, section 13.2.2).
///
/// # Errors
/// `PreconditionFailed`; those of [`check_customer`].
pub(super) fn is_fresh(conditions: &ReadConditions, info: &ObjectInfo) -> Result<bool, ApiError> {
    let failed = |condition: &str| {
        Err(ApiError::new(&error::PRECONDITION_FAILED).field("Condition", condition))
    };
    check_customer(info.facts.encryption.as_ref(), conditions.customer_key.as_ref())?;
    let modified = info.modified.secs();
    match (&conditions.if_match, conditions.if_unmodified_since) {
        (Some(tags), _) if !tags.fits(&info.etag) => return failed("If-Match"),
        (None, Some(since)) if modified > since.secs() => return failed("If-Unmodified-Since"),
        _ => {}
    }
    Ok(match (&conditions.if_none_match, conditions.if_modified_since) {
        (Some(tags), _) => !tags.fits(&info.etag),
        (None, Some(since)) => modified > since.secs(),
        (None, None) => true,
    })
}

/// Checks a write's conditions against the current object.
pub(super) fn check_write(
    conditions: &WriteConditions,
    key: &str,
    current: Option<&ObjectInfo>,
) -> Result<(), ApiError> {
    let failed = |condition: &str| {
        Err(ApiError::new(&error::PRECONDITION_FAILED).field("Condition", condition))
    };
    let Some(current) = current else {
        return if conditions.if_match.is_some() { Err(no_such_key(key)) } else { Ok(()) };
    };
    if conditions.forbid_overwrite {
        return Err(ApiError::new(&error::FILE_ALREADY_EXISTS));
    }
    if conditions.if_match.as_ref().is_some_and(|tags| !tags.fits(&current.etag)) {
        return failed("If-Match");
    }
    if conditions.if_none_match.as_ref().is_some_and(|tags| tags.fits(&current.etag)) {
        return failed("If-None-Match");
    }
    Ok(())
}

/// The body of an object that the caller may read, for a copy.
pub(super) struct Opened {
    pub(super) info: ObjectInfo,
    pub(super) origin: Origin,
    pub(super) body: Body,
    pub(super) pin: Option<crate::blob::pins::Pin>,
}

impl Oss {
    /// Opens the source of a copy: a read with its own permission, which no privilege takes the place of,
    /// since the bytes go on to another place. Conditions that do not hold are `PreconditionFailed`, also
    /// those that would be a 304 on a read. Its owner's agreement must allow its bytes where `placement` is;
    /// that it does not is a refusal of `session`, the write that wants them there. Where its `tags` go along
    /// they are read too.
    pub(super) async fn open_source(
        &self,
        ctx: &RequestCtx,
        (session, placement): (&Arc<Session>, &Placement),
        source: &CopySource,
        tags: bool,
    ) -> Result<Opened, ApiError> {
        let look_up = self.0.blobs.pins.look_up();
        check_key(&source.key)?;
        let (bucket, key, version) = (source.bucket.clone(), source.key.clone(), source.version);
        let target = placement.clone();
        let find = move |cx: &mut Cx<'_>| {
            let (bucket, object) =
                find_object(cx, &bucket, At { key: &key, version }, Need::Read, false)?;
            check_readable(&bucket, &object.info, cx.now)?;
            if tags && !object.info.tags.is_empty() {
                let plain = "oss:GetObjectTagging";
                let action = version.map_or(plain, |_| "oss:GetObjectVersionTagging");
                let ask = Ask::new(action, Need::Own).on(&key).object(Some(&object.info));
                require(cx, &bucket, ask)?;
            }
            let origin = Origin::of(&bucket);
            origin.decide(cx, &target)?;
            Ok((origin, object))
        };
        let meta = of_version(version, meta::GET_OBJECT, meta::GET_OBJECT_VERSION);
        let found = self.0.cloud.read(ctx.session(meta), find).await;
        if let Err(error) = &found
            && !error.public_facts().is_empty()
        {
            self.0.cloud.audit_refusal(session, error).await;
        }
        let (origin, Object { info, body, .. }) = found?;
        if !is_fresh(&source.conditions, &info)? {
            return Err(ApiError::new(&error::PRECONDITION_FAILED));
        }
        let pin = look_up.hold(&body);
        Ok(Opened { info, origin, body, pin })
    }
}
