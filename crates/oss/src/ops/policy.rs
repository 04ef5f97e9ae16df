//! A bucket's policy: stored as it was sent, once it is known to be one. What it says of requests is
//! asked in `access`.

use base::ApiError;
use engine::Cx;
use engine::ports::Decision;

use super::bucket::{require_on, require_to_read};
use super::{RequestCtx, find_bucket, meta};
use crate::access::{Need, block_of, compile};
use crate::meter::{GETS, PUTS};
use crate::model::Bucket;
use crate::{Oss, error, tables};

impl Oss {
    /// Whether a bucket's policy lets anybody in, and whether its ACL does.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn bucket_is_public(
        &self,
        ctx: &RequestCtx,
        name: &str,
    ) -> Result<(bool, bool), ApiError> {
        let asked = name.to_owned();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let block = block_of(cx, &bucket)?;
            let policy = match &bucket.settings.policy {
                Some(text) if !block.restrict => {
                    compile(&bucket, text).map_err(ApiError::internal)?.is_public()
                }
                _ => false,
            };
            let acl = !block.ignore_acls && !bucket.is_enforced() && bucket.list().is_public();
            Ok((bucket, (policy, acl)))
        };
        let meta = meta::get_document("GetBucketPolicyStatus");
        Ok(self.read(ctx, (meta, GETS), name, find).await?.found)
    }

    /// A bucket's policy as it was sent.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchBucketPolicy`, `AccessDenied`.
    pub async fn bucket_policy(&self, ctx: &RequestCtx, name: &str) -> Result<String, ApiError> {
        let asked = name.to_owned();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let text = bucket.settings.policy.clone().ok_or_else(|| {
                ApiError::new(&error::NO_SUCH_BUCKET_POLICY)
                    .field("BucketName", bucket.name.as_str())
            })?;
            Ok((bucket, text))
        };
        let meta = meta::get_document("GetBucketPolicy");
        Ok(self.read(ctx, (meta, GETS), name, find).await?.found)
    }

    /// Stores a bucket's policy in place of the one before.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, `MalformedPolicy`.
    pub async fn set_bucket_policy(
        &self,
        ctx: &RequestCtx,
        name: &str,
        document: &str,
    ) -> Result<(), ApiError> {
        let (name, document) = (name.to_owned(), document.to_owned());
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            let policy = compile(&bucket, &document)
                .map_err(|reason| error::MALFORMED_POLICY.error(reason.to_string()))?;
            if policy.is_public() && block_of(cx, &bucket)?.block_policy {
                let (action, arn) = (cx.meta.permission(), bucket.arn());
                return Err(cx.denial(&action, &arn, Decision::ExplicitDeny));
            }
            store(cx, &bucket, Some(document.clone()))
        };
        let meta = meta::put_document("PutBucketPolicy");
        self.0.cloud.write(ctx.session(meta), set).await
    }

    /// Deletes a bucket's policy, whether there is one or not.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn delete_bucket_policy(&self, ctx: &RequestCtx, name: &str) -> Result<(), ApiError> {
        let name = name.to_owned();
        let delete = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            store(cx, &bucket, None)
        };
        let meta = meta::put_document("DeleteBucketPolicy");
        self.0.cloud.write(ctx.session(meta), delete).await
    }
}

fn store(cx: &mut Cx<'_>, bucket: &Bucket, policy: Option<String>) -> Result<(), ApiError> {
    cx.audit_account(bucket.owner);
    cx.audit_resource(bucket.arn());
    if let Some(policy) = &policy {
        cx.audit_detail("policy", policy.as_str());
    }
    let mut settings = bucket.settings.clone();
    settings.policy = policy;
    tables::bucket::set_settings(cx.tx(), bucket.id, &settings)?;
    cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
    Ok(())
}
