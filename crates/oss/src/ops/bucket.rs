//! Buckets: make, delete, list, describe, ACL.

use base::ApiError;
use engine::ports::Decision;
use engine::{Cx, Meta};

use super::{PAGE_MAX, RequestCtx, find_bucket, meta};
use crate::access::{Ask, Need, require};
use crate::meter::{GETS, LISTS, PUTS, Payer};
use crate::model::{Acl, Bucket, BucketStat, Redundancy, StorageClass};
use crate::{Oss, error, place, tables};

/// Buckets of one account, at most.
const BUCKETS_MAX: u64 = 1000;

/// What a new bucket is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct CreateBucket {
    /// Its ACL; private where not told.
    pub acl: Option<Acl>,
    /// The class of objects that name none.
    pub storage_class: StorageClass,
    /// Over how many zones it is to be spread.
    pub redundancy: Redundancy,
    /// Where the caller has it already: a success that only sets the ACL, if one is given (OSS),
    /// rather than `BucketAlreadyOwnedByYou` (S3).
    pub repeatable: bool,
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
    /// Whether it is there: S3's HeadBucket, allowed to whoever may list it.
    Head,
}

impl BucketView {
    const fn meta(self) -> (Meta, Need) {
        match self {
            Self::Info => (meta::GET_BUCKET_INFO, Need::Own),
            Self::Location => (meta::GET_BUCKET_LOCATION, Need::Own),
            Self::Acl => (meta::GET_BUCKET_ACL, Need::Own),
            Self::Head => (meta::LIST_OBJECTS, Need::Read),
        }
    }
}

/// Requires a permission within the caller's own account, on a bucket that need not exist.
fn require_own(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
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
    /// `InvalidBucketName`.
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
        let create = move |cx: &mut Cx<'_>| {
            require_own(cx, &name)?;
            match tables::bucket::find(cx.tx(), &name)? {
                None => insert(cx, &name, options).map(Created::New),
                Some(bucket) => existing(cx, bucket, options).map(Created::Already),
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
            if tables::object::any(cx.tx(), bucket.id)? {
                return Err(
                    ApiError::new(&error::BUCKET_NOT_EMPTY).field("BucketName", name.as_str())
                );
            }
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
        self.0.cloud.write(ctx.session(meta::DELETE_BUCKET), delete).await
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
            let account = cx.account();
            tables::bucket::list(cx.tx(), account, &query.prefix, &query.after, limit + 1)
        };
        let mut buckets = self.0.cloud.read(ctx.session(meta::LIST_BUCKETS), list).await?;
        let more = buckets.len() > limit;
        buckets.truncate(limit);
        let next = buckets.last().filter(|_| more).map(|last| last.name.clone());
        Ok(BucketPage { buckets, next })
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
        let name = name.to_owned();
        let (meta, need) = view.meta();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, need)?;
            Ok(bucket)
        };
        let bucket = self.0.cloud.read(ctx.session(meta), find).await?;
        self.0.reads.count(&Payer::of(&bucket), GETS, 1);
        Ok(bucket)
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
        let name = name.to_owned();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            let stat = tables::bucket::stat(cx.tx(), bucket.id)?;
            Ok((bucket, stat))
        };
        let (bucket, stat) = self.0.cloud.read(ctx.session(meta::GET_BUCKET_STAT), find).await?;
        self.0.reads.count(&Payer::of(&bucket), LISTS, 1);
        Ok((bucket, stat))
    }

    /// Changes a bucket's ACL. (Read it with [`BucketView::Acl`].)
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn set_bucket_acl(
        &self,
        ctx: &RequestCtx,
        name: &str,
        acl: Acl,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            cx.audit_detail("acl", acl.as_str());
            tables::bucket::set_acl(cx.tx(), bucket.id, acl)?;
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(())
        };
        self.0.cloud.write(ctx.session(meta::PUT_BUCKET_ACL), set).await
    }
}

/// Requires the operation's own permission on a bucket.
pub(super) fn require_on(cx: &mut Cx<'_>, bucket: &Bucket, need: Need) -> Result<(), ApiError> {
    let action = cx.meta.permission();
    require(cx, bucket, Ask::new(&action, need))
}

fn insert(cx: &mut Cx<'_>, name: &str, options: CreateBucket) -> Result<Bucket, ApiError> {
    let owner = cx.account();
    if tables::bucket::count(cx.tx(), owner)? >= BUCKETS_MAX {
        return Err(ApiError::new(&error::TOO_MANY_BUCKETS));
    }
    let bucket = Bucket {
        id: 0,
        name: name.to_owned(),
        owner,
        site: place::home(&cx.cloud.region)?,
        created: cx.now,
        acl: options.acl.unwrap_or_default(),
        storage_class: options.storage_class,
        redundancy: options.redundancy,
    };
    let bucket = tables::bucket::insert(cx.tx(), &bucket)?;
    cx.audit_detail("acl", bucket.acl.as_str());
    cx.audit_detail("site", bucket.site.as_str());
    cx.count(owner, &bucket.arn(), PUTS, 1);
    Ok(bucket)
}

fn existing(
    cx: &mut Cx<'_>,
    mut bucket: Bucket,
    options: CreateBucket,
) -> Result<Bucket, ApiError> {
    let taken = |code| Err(ApiError::new(code).field("BucketName", bucket.name.as_str()));
    if bucket.owner != cx.account() {
        return taken(&error::BUCKET_ALREADY_EXISTS);
    }
    if !options.repeatable {
        return taken(&error::BUCKET_ALREADY_OWNED);
    }
    if let Some(acl) = options.acl.filter(|acl| *acl != bucket.acl) {
        // Else who may make buckets could open those that are there.
        require(cx, &bucket, Ask::new("oss:PutBucketAcl", Need::Own))?;
        tables::bucket::set_acl(cx.tx(), bucket.id, acl)?;
        cx.audit_detail("acl", acl.as_str());
        bucket.acl = acl;
    }
    cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
    Ok(bucket)
}
