//! Buckets: make, delete, list, describe.

use std::sync::Arc;

use base::{AccountId, ApiError};
use engine::places;
use engine::ports::Decision;
use engine::{CallerKind, Cx, Meta};
use serde_json::json;
use terms::clauses::DataClass;

use super::acl::change_bucket_acl;
use super::control::check_new;
use super::read::Seen;
use super::{PAGE_MAX, RequestCtx, decide, find_bucket, meta, retention};
use crate::access::{Ask, Need, require};
use crate::acl::{AccessList, Grant, Ownership};
use crate::meter::{GETS, LISTS, PUTS};
use crate::model::{
    Acl, Bucket, BucketStat, ObjectLock, Redundancy, Settings, StorageClass, Versioning,
};
use crate::vault::is_vault;
use crate::{Oss, error, tables};

/// Buckets of one account, at most.
const BUCKETS_MAX: u64 = 1000;

/// What a new bucket is to be.
#[derive(Clone, Debug, Default)]
pub struct CreateBucket {
    /// Its ACL; private where not told.
    pub acl: Option<Acl>,
    /// The grants of its ACL, where no canned word says them.
    pub grants: Option<Vec<Grant>>,
    /// Whether it obeys the rules of S3 for ACLs and owners (see [`crate::acl`]).
    pub s3: bool,
    /// Whose the objects are that others write, where it is said.
    pub ownership: Option<Ownership>,
    /// The class of objects that name none.
    pub storage_class: StorageClass,
    /// In how many zones a copy is to be.
    pub redundancy: Redundancy,
    /// How sensitive what is in it may be; what the owner's agreement says of data of which nobody says
    /// anything where not told.
    pub class: Option<DataClass>,
    /// The region that it is to be in; the cloud's own where not told.
    pub region: Option<String>,
    /// The data centre that is to hold it (the first copy of it); one of the region where not told.
    pub site: Option<String>,
    /// Where the caller has it already: a success that only sets the ACL, if one is given (OSS),
    /// rather than `BucketAlreadyOwnedByYou` (S3).
    pub repeatable: bool,
    /// Whether its versions can be locked, for good; it keeps versions then.
    pub object_lock: bool,
}

/// What came of making a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New(Bucket),
    /// The caller had it already.
    Already(Bucket),
}

/// Which buckets to list.
#[derive(Clone, Debug, Default)]
pub struct ListBuckets {
    /// Names that begin so.
    pub prefix: String,
    /// Names after this one.
    pub after: String,
    /// At most so many; no more than 1,000.
    pub limit: usize,
    /// Only those with all these tags; of any value, where none is told.
    pub tags: Vec<(String, Option<String>)>,
    /// Only those of this group of resources.
    pub resource_group: Option<String>,
}

/// A page of buckets, by name.
#[derive(Clone, Debug, Default)]
pub struct BucketPage {
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// The last name, where there are more.
    pub next: Option<String>,
}

/// What of a bucket is asked for; each has a permission of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketView {
    /// `GetBucketInfo`.
    Info,
    /// `GetBucketLocation`.
    Location,
    /// `GetBucketAcl`.
    Acl,
    /// `GetBucketVersioning`.
    Versioning,
    /// Whether it is there: S3's HeadBucket, allowed to whoever may list it.
    Head,
}

impl BucketView {
    const fn meta(self) -> (Meta, Need) {
        match self {
            Self::Info => (meta::GET_BUCKET_INFO, Need::Own),
            Self::Location => (meta::GET_BUCKET_LOCATION, Need::Own),
            Self::Acl => (meta::GET_BUCKET_ACL, Need::ReadAcl),
            Self::Versioning => (meta::GET_BUCKET_VERSIONING, Need::Own),
            Self::Head => (meta::LIST_OBJECTS, Need::Read),
        }
    }
}

/// Requires a permission within the caller's own account, on a bucket that need not exist.
pub(super) fn require_own(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
    let (action, account) = (cx.meta.permission(), cx.account());
    let resource = format!("acs:oss:*:{account}:{name}");
    cx.audit_resource(resource.as_str());
    let decision = cx.decide(&action, &resource, account, &[])?;
    if decision != Decision::Allow {
        return Err(cx.denial(&action, &resource, decision));
    }
    cx.require_agreement(account)
}

impl Oss {
    /// Makes a bucket of the caller's account. Names are one space for all accounts; their form is
    /// checked by the skin (`wire::object::address::check_bucket`), since the dialects differ.
    ///
    /// # Errors
    /// `BucketAlreadyExists`, `BucketAlreadyOwnedByYou`, `TooManyBuckets`, `AccessDenied`,
    /// `InvalidBucketName`, `InvalidLocationConstraint`, `InvalidArgument` for a data centre that there is
    /// not, and those of [`engine::places::decide`].
    pub async fn create_bucket(
        &self,
        ctx: &RequestCtx,
        name: &str,
        options: CreateBucket,
    ) -> Result<Created, ApiError> {
        if name.is_empty() || name.len() > 63 || name.contains(['/', '\0']) {
            return Err(ApiError::new(&error::INVALID_BUCKET_NAME).field("BucketName", name));
        }
        let name = name.to_owned();
        let reserved = is_vault(&name) && ctx.caller.kind != CallerKind::System;
        let create = move |cx: &mut Cx<'_>| {
            require_own(cx, &name)?;
            if reserved {
                return Err(
                    ApiError::new(&error::BUCKET_ALREADY_EXISTS).field("BucketName", name.as_str())
                );
            }
            match tables::bucket::find(cx.tx(), &name)? {
                None => insert(cx, &name, &options).map(Created::New),
                Some(bucket) => existing(cx, bucket, &options).map(Created::Already),
            }
        };
        self.0.cloud.write(ctx.session(meta::PUT_BUCKET), create).await
    }

    /// Deletes an empty bucket. Uploads under way are in the way of OSS's DeleteBucket and not of
    /// S3's: `abort_uploads` ends them first.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`, `AccessDenied`.
    pub async fn delete_bucket(
        &self,
        ctx: &RequestCtx,
        name: &str,
        abort_uploads: bool,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let delete = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            if tables::object::any(cx.tx(), bucket.id)? || tables::version::any(cx.tx(), bucket.id)?
            {
                return Err(
                    ApiError::new(&error::BUCKET_NOT_EMPTY).field("BucketName", name.as_str())
                );
            }
            state_bucket(cx, &bucket);
            if abort_uploads {
                super::multipart::abort_all(cx, &bucket)?;
            } else if tables::upload::any(cx.tx(), bucket.id)? {
                let uploads = "The bucket you tried to delete has multipart uploads under way.";
                return Err(error::BUCKET_NOT_EMPTY
                    .error(uploads)
                    .field("BucketName", name.as_str()));
            }
            tables::bucket::delete(cx.tx(), bucket.id)?;
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(())
        };
        self.0.cloud.write(ctx.session(meta::DELETE_BUCKET), delete).await?;
        // Whoever makes a bucket of that name next is not recorded for this one's owner.
        self.find_logged().await
    }

    /// The caller's account's buckets.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn list_buckets(
        &self,
        ctx: &RequestCtx,
        query: ListBuckets,
    ) -> Result<BucketPage, ApiError> {
        let limit = query.limit.min(PAGE_MAX);
        let list = move |cx: &mut Cx<'_>| {
            require_own(cx, "*")?;
            list_own(cx, &query, limit + 1)
        };
        let mut buckets = self.0.cloud.read(ctx.session(meta::LIST_BUCKETS), list).await?;
        let more = buckets.len() > limit;
        buckets.truncate(limit);
        let next = buckets.last().filter(|_| more).map(|last| last.name.clone());
        Ok(BucketPage { buckets, next })
    }

    /// Who owns a bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn owner(&self, name: &str) -> Result<AccountId, ApiError> {
        let name = name.to_owned();
        let found = self.0.cloud.db.read(move |tx| {
            let found = tables::bucket::find(tx, &name)?;
            found.ok_or_else(|| {
                ApiError::new(&error::NO_SUCH_BUCKET).field("BucketName", name.as_str())
            })
        });
        Ok(found.await?.owner)
    }

    /// A bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn bucket(
        &self,
        ctx: &RequestCtx,
        name: &str,
        view: BucketView,
    ) -> Result<Bucket, ApiError> {
        let asked = name.to_owned();
        let (meta, need) = view.meta();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, need)?;
            Ok((bucket, ()))
        };
        Ok(self.read(ctx, (meta, GETS), name, find).await?.bucket)
    }

    /// What is in a bucket, as of the last commit.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn bucket_stat(
        &self,
        ctx: &RequestCtx,
        name: &str,
    ) -> Result<(Bucket, BucketStat), ApiError> {
        let asked = name.to_owned();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let stat = tables::bucket::stat(cx.tx(), bucket.id)?;
            Ok((bucket, stat))
        };
        let Seen { bucket, found: stat, .. } =
            self.read(ctx, (meta::GET_BUCKET_STAT, LISTS), name, find).await?;
        Ok((bucket, stat))
    }
}

/// Requires the operation's own permission on a bucket.
pub(super) fn require_on(cx: &mut Cx<'_>, bucket: &Bucket, need: Need) -> Result<(), ApiError> {
    let action = cx.meta.permission();
    require(cx, bucket, Ask::new(&action, need))
}

/// As [`require_on`], for an operation that only reads.
pub(crate) fn require_to_read(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    need: Need,
) -> Result<(), ApiError> {
    let action = cx.meta.permission();
    require(cx, bucket, Ask::new(&action, need).reading())
}

fn insert(cx: &mut Cx<'_>, name: &str, options: &CreateBucket) -> Result<Bucket, ApiError> {
    let owner = cx.account();
    if tables::bucket::count(cx.tx(), owner)? >= BUCKETS_MAX {
        return Err(ApiError::new(&error::TOO_MANY_BUCKETS));
    }
    let class = match options.class {
        Some(class) => class,
        None => default_class(cx)?,
    };
    let list = AccessList { acl: options.acl, grants: options.grants.clone() }.plainest(owner);
    let settings = Settings {
        s3: options.s3,
        grants: list.grants,
        ownership: options.ownership,
        ..settings(options)
    };
    let bucket = Bucket {
        id: 0,
        name: name.to_owned(),
        owner,
        sites: sites(cx, class, options)?,
        class,
        created: cx.now,
        acl: list.acl.unwrap_or_default(),
        storage_class: options.storage_class,
        redundancy: options.redundancy,
        settings,
    };
    check_new(cx, &bucket)?;
    // So that nobody gets a bucket into which nothing may be put.
    decide(cx, &bucket)?;
    let bucket = tables::bucket::insert(cx.tx(), &bucket)?;
    if let Some(lock) = bucket.settings.object_lock {
        // Else who may make buckets could lock what is put into them.
        let permission = "oss:PutBucketObjectWormConfiguration";
        require(cx, &bucket, Ask::new(permission, Need::Own))?;
        retention::state_object_lock(cx, lock);
    }
    cx.audit_detail("acl", bucket.list().text());
    cx.audit_detail("class", bucket.class.as_str());
    cx.audit_detail("site", bucket.sites.join(" "));
    state_bucket(cx, &bucket);
    cx.count(owner, &bucket.arn(), PUTS, 1);
    Ok(bucket)
}

fn settings(options: &CreateBucket) -> Settings {
    if !options.object_lock {
        return Settings::default();
    }
    let object_lock = Some(ObjectLock::default());
    Settings { versioning: Versioning::Enabled, object_lock, ..Settings::default() }
}

fn existing(
    cx: &mut Cx<'_>,
    mut bucket: Bucket,
    options: &CreateBucket,
) -> Result<Bucket, ApiError> {
    let taken = |code| Err(ApiError::new(code).field("BucketName", bucket.name.as_str()));
    if bucket.owner != cx.account() {
        return taken(&error::BUCKET_ALREADY_EXISTS);
    }
    if !options.repeatable || differs(cx, &bucket, options) {
        return taken(&error::BUCKET_ALREADY_OWNED);
    }
    let list = AccessList { acl: options.acl, grants: options.grants.clone() };
    let list = list.plainest(bucket.owner);
    if list.is_given() && list != bucket.list() {
        // Else who may make buckets could open those that are there.
        require(cx, &bucket, Ask::new("oss:PutBucketAcl", Need::Own))?;
        change_bucket_acl(cx, &bucket, list.clone())?;
        bucket.acl = list.acl.unwrap_or_default();
        bucket.settings.grants = list.grants;
    }
    cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
    Ok(bucket)
}

/// Whether a bucket that is there is another than the one asked for: class and place stay what they are, and
/// nobody is to believe otherwise.
fn differs(cx: &Cx<'_>, bucket: &Bucket, options: &CreateBucket) -> bool {
    let at = |region: &String| {
        let mut centres = cx.cloud.region.centres(region);
        centres.any(|centre| bucket.sites.contains(&centre.site))
    };
    options.class.is_some_and(|class| class != bucket.class)
        || options.site.as_ref().is_some_and(|site| bucket.sites.first() != Some(site))
        || options.region.as_ref().is_some_and(|region| !at(region))
        || options.redundancy == Redundancy::Zones && bucket.redundancy != Redundancy::Zones
        || options.object_lock && bucket.settings.object_lock.is_none()
}

/// The class of data of which nobody says anything.
fn default_class(cx: &mut Cx<'_>) -> Result<DataClass, ApiError> {
    let (owner, now, covenant) = (cx.account(), cx.now, Arc::clone(&cx.cloud.covenant));
    let in_force = covenant.in_force(cx.tx(), owner, now)?;
    Ok(in_force.map_or(DataClass::Internal, |bound| bound.terms.residency.default_class))
}

/// The data centres of a new bucket.
fn sites(
    cx: &mut Cx<'_>,
    class: DataClass,
    options: &CreateBucket,
) -> Result<Vec<String>, ApiError> {
    let (cloud, owner, now) = (cx.cloud, cx.account(), cx.now);
    let zones = match options.redundancy {
        Redundancy::Local => 1,
        Redundancy::Zones => zones_min(cx, class)?.max(2),
    };
    let region = options.region.as_ref().unwrap_or(&cloud.region.id);
    if options.region.is_some() && cloud.region.centres(region).next().is_none() {
        return Err(ApiError::new(&error::INVALID_LOCATION).field("LocationConstraint", region));
    }
    let Some(site) = &options.site else {
        return places::choose(cx.tx(), cloud, owner, class, (region, zones), now);
    };
    if cloud.region.centre(site).is_none() {
        let unknown = error::INVALID_ARGUMENT.error("There is no such data centre.");
        return Err(unknown.field("ArgumentName", "x-awan-site").field("ArgumentValue", site));
    }
    if options.region.is_some() && !cloud.region.centres(region).any(|one| one.site == *site) {
        let elsewhere = error::INVALID_LOCATION.error("The data centre is in another region.");
        return Err(elsewhere.field("LocationConstraint", region));
    }
    places::choose_beside(cx.tx(), cloud, owner, class, (site, zones), now)
}

/// The zones in which the owner's agreement demands a copy.
fn zones_min(cx: &mut Cx<'_>, class: DataClass) -> Result<usize, ApiError> {
    let (owner, now, covenant) = (cx.account(), cx.now, Arc::clone(&cx.cloud.covenant));
    let in_force = covenant.in_force(cx.tx(), owner, now)?;
    let rule = in_force.as_ref().and_then(|bound| bound.terms.residency.rule(class));
    Ok(rule.map_or(1, |rule| rule.zones_min as usize))
}

/// States in the leaf where a bucket is made, or was.
fn state_bucket(cx: &mut Cx<'_>, bucket: &Bucket) {
    let cloud = cx.cloud;
    cx.public("tenant", bucket.owner.to_string());
    cx.public("class", bucket.class.as_str());
    if let Some((home, mirrors)) = bucket.sites.split_first() {
        cx.public("site", home.as_str());
        cx.public("country", places::country(cloud, home));
        if !mirrors.is_empty() {
            let mirror =
                |site: &String| json!({ "site": site, "country": places::country(cloud, site) });
            cx.public("mirrors", mirrors.iter().map(mirror).collect::<Vec<_>>());
        }
    }
}

/// The first so many of the caller's account's buckets that are asked for.
fn list_own(cx: &mut Cx<'_>, query: &ListBuckets, limit: usize) -> Result<Vec<Bucket>, ApiError> {
    let (account, mut after) = (cx.account(), query.after.clone());
    let mut found = Vec::new();
    while found.len() < limit {
        let wanted = limit - found.len();
        let page = tables::bucket::list(cx.tx(), account, &query.prefix, &after, wanted)?;
        let (last, count) = (page.last().map(|last| last.name.clone()), page.len());
        let group = query.resource_group.as_deref();
        for bucket in page {
            if group.is_none_or(|group| group == bucket.resource_group())
                && has_tags(cx, &bucket, &query.tags)?
            {
                found.push(bucket);
            }
        }
        match last {
            Some(last) if count == wanted => after = last,
            _ => break,
        }
    }
    Ok(found)
}

fn has_tags(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    wanted: &[(String, Option<String>)],
) -> Result<bool, ApiError> {
    if wanted.is_empty() {
        return Ok(true);
    }
    let document = tables::bucket::document(cx.tx(), bucket.id, super::Document::Tagging.name())?;
    let tags = document.map(|document| wire::object::body::tagging(document.as_bytes()));
    let tags = tags.transpose()?.unwrap_or_default();
    Ok(wanted.iter().all(|(key, value)| {
        let fits = |tag: &(String, String)| {
            tag.0 == *key && value.as_ref().is_none_or(|value| tag.1 == *value)
        };
        tags.iter().any(fits)
    }))
}
