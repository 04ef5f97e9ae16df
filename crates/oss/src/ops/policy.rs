//! A bucket's policy: stored as it was sent, once it is known to be one. What it says of requests is
//! asked in `access`.

use base::ApiError;
use engine::{Cx, Meta};

use super::bucket::{require_on, require_to_read};
use super::{RequestCtx, find_bucket, meta};
use crate::access::{Need, compile};
use crate::meter::{GETS, PUTS};
use crate::model::Bucket;
use crate::{Oss, error, tables};

/// What of a bucket's policy is asked for; each has a permission of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyView {
    /// `GetBucketPolicy`.
    Document,
    /// `GetBucketPolicyStatus`.
    Status,
}

impl PolicyView {
    const fn meta(self) -> Meta {
        match self {
            Self::Document => meta::get_document("GetBucketPolicy"),
            Self::Status => meta::get_document("GetBucketPolicyStatus"),
        }
    }
}

impl Oss {
    /// A bucket's policy as it was sent, and whether it lets anybody in.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchBucketPolicy`, `AccessDenied`.
    pub async fn bucket_policy(
        &self,
        ctx: &RequestCtx,
        name: &str,
        view: PolicyView,
    ) -> Result<(String, bool), ApiError> {
        let asked = name.to_owned();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let text = bucket.settings.policy.clone().ok_or_else(|| {
                ApiError::new(&error::NO_SUCH_BUCKET_POLICY)
                    .field("BucketName", bucket.name.as_str())
            })?;
            let public = compile(&bucket, &text).map_err(ApiError::internal)?.is_public();
            Ok((bucket, (text, public)))
        };
        Ok(self.read(ctx, (view.meta(), GETS), name, find).await?.found)
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
            compile(&bucket, &document)
                .map_err(|reason| error::MALFORMED_POLICY.error(reason.to_string()))?;
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
