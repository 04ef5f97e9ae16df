//! What a bucket's owner decides about others beside its ACL and its policy: whose the objects are that they
//! write, what is kept from being public, and who pays. All are settings of the bucket, read with it.

use base::ApiError;
use engine::ports::Decision;
use engine::{Cx, Meta};

use super::bucket::{require_on, require_own, require_to_read};
use super::{RequestCtx, find_bucket, meta};
use crate::access::Need;
use crate::acl::{AccessBlock, BUCKET_NOT_PRIVATE, Ownership};
use crate::meter::{GETS, PUTS};
use crate::model::{Acl, Bucket, Settings};
use crate::{Oss, tables};

impl Oss {
    /// Whose the objects are that others write; `None` where nobody said so.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn bucket_ownership(
        &self,
        ctx: &RequestCtx,
        name: &str,
    ) -> Result<Option<Ownership>, ApiError> {
        let settings = self.settings(ctx, name, meta::GET_BUCKET_OWNERSHIP).await?;
        Ok(settings.ownership)
    }

    /// Changes whose the objects are that others write. Those that there are become the bucket's owner's with
    /// `BucketOwnerEnforced`, and their writers' again without.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`; `InvalidBucketAclWithObjectOwnership` where the bucket's ACL grants
    /// others anything.
    pub async fn set_bucket_ownership(
        &self,
        ctx: &RequestCtx,
        name: &str,
        ownership: Option<Ownership>,
    ) -> Result<(), ApiError> {
        let meta = match ownership {
            Some(_) => meta::PUT_BUCKET_OWNERSHIP,
            None => meta::DELETE_BUCKET_OWNERSHIP,
        };
        let set = move |_: &mut Cx<'_>, bucket: &Bucket, settings: &mut Settings| {
            if ownership == Some(Ownership::BucketOwnerEnforced) {
                check_private(bucket)?;
            }
            settings.ownership = ownership;
            Ok(ownership.map_or("none", Ownership::as_str).to_owned())
        };
        self.change_settings(ctx, name, (meta, "ownership"), set).await
    }

    /// What a bucket keeps from being public; `None` where nobody said so.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn bucket_block(
        &self,
        ctx: &RequestCtx,
        name: &str,
    ) -> Result<Option<AccessBlock>, ApiError> {
        Ok(self.settings(ctx, name, meta::GET_BUCKET_BLOCK).await?.block)
    }

    /// Changes what a bucket keeps from being public.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn set_bucket_block(
        &self,
        ctx: &RequestCtx,
        name: &str,
        block: Option<AccessBlock>,
    ) -> Result<(), ApiError> {
        let meta = match block {
            Some(_) => meta::PUT_BUCKET_BLOCK,
            None => meta::DELETE_BUCKET_BLOCK,
        };
        let set = move |_: &mut Cx<'_>, _: &Bucket, settings: &mut Settings| {
            settings.block = block;
            Ok(text_of(block))
        };
        self.change_settings(ctx, name, (meta, "block"), set).await
    }

    /// What an account keeps from being public in all its buckets.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn account_block(&self, ctx: &RequestCtx) -> Result<AccessBlock, ApiError> {
        let find = |cx: &mut Cx<'_>| {
            require_own(cx, "*")?;
            let account = cx.account();
            Ok(tables::account::block(cx.tx(), account)?.unwrap_or_default())
        };
        self.0.cloud.read(ctx.session(meta::GET_ACCOUNT_BLOCK), find).await
    }

    /// Changes what an account keeps from being public in all its buckets.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn set_account_block(
        &self,
        ctx: &RequestCtx,
        block: Option<AccessBlock>,
    ) -> Result<(), ApiError> {
        let meta = match block {
            Some(_) => meta::PUT_ACCOUNT_BLOCK,
            None => meta::DELETE_ACCOUNT_BLOCK,
        };
        let set = move |cx: &mut Cx<'_>| {
            require_own(cx, "*")?;
            let account = cx.account();
            cx.audit_detail("block", text_of(block));
            tables::account::set_block(cx.tx(), account, block)
        };
        self.0.cloud.write(ctx.session(meta), set).await
    }

    /// Whether who asks pays.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn requester_pays(&self, ctx: &RequestCtx, name: &str) -> Result<bool, ApiError> {
        Ok(self.settings(ctx, name, meta::GET_BUCKET_PAYMENT).await?.requester_pays)
    }

    /// Changes who pays for requests and egress.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn set_requester_pays(
        &self,
        ctx: &RequestCtx,
        name: &str,
        requester: bool,
    ) -> Result<(), ApiError> {
        let set = move |_: &mut Cx<'_>, _: &Bucket, settings: &mut Settings| {
            settings.requester_pays = requester;
            Ok(if requester { "Requester" } else { "BucketOwner" }.to_owned())
        };
        self.change_settings(ctx, name, (meta::PUT_BUCKET_PAYMENT, "payer"), set).await
    }

    /// Whether a request that was answered, and that offered to pay, was at the caller's cost. It is told by
    /// a header that is no secret: who offers to pay is refused only where it may nothing.
    pub(crate) async fn was_charged(&self, ctx: &RequestCtx, name: &str) -> Result<bool, ApiError> {
        let (name, account) = (name.to_owned(), ctx.caller.account);
        let find = move |tx: &mut store::Tx<'_>| tables::bucket::find(tx, &name);
        let bucket = self.0.cloud.db.read(find).await?;
        Ok(bucket.is_some_and(|bucket| bucket.settings.requester_pays && bucket.owner != account))
    }

    /// The settings of a bucket, for whoever may read this one of them.
    pub(super) async fn settings(
        &self,
        ctx: &RequestCtx,
        name: &str,
        meta: Meta,
    ) -> Result<Settings, ApiError> {
        let asked = name.to_owned();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            Ok((bucket, ()))
        };
        Ok(self.read(ctx, (meta, GETS), name, find).await?.bucket.settings)
    }

    /// Changes a setting of a bucket; `set` answers what the audit says of it under `detail`.
    async fn change_settings(
        &self,
        ctx: &RequestCtx,
        name: &str,
        (meta, detail): (Meta, &'static str),
        set: impl Fn(&mut Cx<'_>, &Bucket, &mut Settings) -> Result<String, ApiError> + Send + 'static,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let change = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            let mut settings = bucket.settings.clone();
            let said = set(cx, &bucket, &mut settings)?;
            cx.audit_detail(detail, said);
            tables::bucket::set_settings(cx.tx(), bucket.id, &settings)?;
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(())
        };
        self.0.cloud.write(ctx.session(meta), change).await
    }
}

fn text_of(block: Option<AccessBlock>) -> String {
    let Some(AccessBlock { block_acls, ignore_acls, block_policy, restrict }) = block else {
        return "none".to_owned();
    };
    format!("acls {block_acls}/{ignore_acls} policy {block_policy}/{restrict}")
}

/// Requires that a bucket's ACL grants others nothing.
///
/// # Errors
/// `InvalidBucketAclWithObjectOwnership`.
pub(super) fn check_private(bucket: &Bucket) -> Result<(), ApiError> {
    let private = bucket.settings.grants.is_none()
        && matches!(bucket.acl, Acl::Private | Acl::BucketOwnerRead | Acl::BucketOwnerFullControl);
    if private { Ok(()) } else { Err(ApiError::new(&BUCKET_NOT_PRIVATE)) }
}

/// Refuses an account's new bucket that is public from the start where the account blocks that.
///
/// # Errors
/// `AccessDenied`.
pub(super) fn check_new(cx: &mut Cx<'_>, bucket: &Bucket) -> Result<(), ApiError> {
    if bucket.is_enforced() {
        check_private(bucket)?;
    }
    let blocked = tables::account::block(cx.tx(), bucket.owner)?.unwrap_or_default().block_acls;
    if blocked && bucket.list().is_public() {
        return Err(cx.denial("oss:PutBucketAcl", &bucket.arn(), Decision::ExplicitDeny));
    }
    Ok(())
}
