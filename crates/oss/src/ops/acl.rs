//! The access control lists of buckets and objects. Who may read and change one is [`crate::access`]'s
//! matter, what one says [`crate::acl`]'s.

use base::ApiError;
use engine::{Cx, Meta};

use super::bucket::require_on;
use super::object::of_version;
use super::{RequestCtx, find_bucket, meta};
use crate::access::{Need, check_public};
use crate::acl::AccessList;
use crate::meter::PUTS;
use crate::model::{At, Bucket, ObjectInfo};
use crate::tables::object::Object;
use crate::{Oss, tables};

impl Oss {
    /// Changes a bucket's ACL. (Read it with [`super::BucketView::Acl`].)
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `AccessControlListNotSupported`.
    pub async fn set_bucket_acl(
        &self,
        ctx: &RequestCtx,
        name: &str,
        list: impl Into<AccessList>,
    ) -> Result<(), ApiError> {
        let (name, list) = (name.to_owned(), list.into());
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::WriteAcl)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            change_bucket_acl(cx, &bucket, list.clone())?;
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(())
        };
        self.0.cloud.write(ctx.session(meta::PUT_BUCKET_ACL), set).await
    }

    /// An object's own ACL (in [`ObjectInfo`]; none where the bucket's applies), and the bucket that decides
    /// what it comes to.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`.
    pub async fn object_access(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
    ) -> Result<(Bucket, ObjectInfo), ApiError> {
        let at = at.into();
        let meta = of_version(at.version, meta::GET_OBJECT_ACL, meta::GET_OBJECT_VERSION_ACL);
        self.describe(ctx, (meta, Need::ReadAcl), bucket, at).await
    }

    /// As [`Self::object_access`], the object alone.
    ///
    /// # Errors
    /// The same.
    pub async fn object_acl(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
    ) -> Result<ObjectInfo, ApiError> {
        Ok(self.object_access(ctx, bucket, at).await?.1)
    }

    /// Gives an object an ACL of its own, or (`None`) that of its bucket.
    ///
    /// # Errors
    /// As [`Self::object_access`]; `AccessControlListNotSupported`.
    pub async fn set_object_acl(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        at: impl Into<At<'_>>,
        list: impl Into<AccessList>,
    ) -> Result<(), ApiError> {
        let (at, list) = (at.into(), list.into());
        let meta: Meta = of_version(at.version, meta::PUT_OBJECT_ACL, meta::PUT_OBJECT_VERSION_ACL);
        let change = move |cx: &mut Cx<'_>, bucket: &Bucket, object: &Object| {
            bucket.check_supported(&list)?;
            let action = cx.meta.permission();
            check_public(cx, bucket, &list, &action)?;
            cx.audit_detail("acl", list.text());
            let owner = bucket.owner_of(&object.info);
            let (_, list) = bucket.newborn(Some(owner), list.clone());
            tables::object::set_acl(cx.tx(), bucket.id, object, list)
        };
        self.change(ctx, (meta, Need::WriteAcl), bucket, at, change).await
    }
}

/// Changes the ACL of a bucket for a caller who may.
///
/// # Errors
/// `AccessControlListNotSupported`; `AccessDenied` for one that is public where that is blocked.
pub(super) fn change_bucket_acl(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    list: AccessList,
) -> Result<(), ApiError> {
    bucket.check_supported(&list)?;
    check_public(cx, bucket, &list, "oss:PutBucketAcl")?;
    cx.audit_detail("acl", list.text());
    let list = list.plainest(bucket.owner);
    let mut settings = bucket.settings.clone();
    settings.grants = list.grants;
    tables::bucket::set_acl(cx.tx(), bucket.id, list.acl.unwrap_or_default(), &settings)
}
