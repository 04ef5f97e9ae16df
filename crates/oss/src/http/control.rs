//! What a bucket's owner decides about others: whose their objects are, what is kept from being public, who
//! pays; and what a request says that policies and payment ask for.

use base::ApiError;
use engine::server::Body;
use http::{Response, StatusCode};
use wire::Head;
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;

use super::call::{Call, Payload};
use super::respond::{empty, put, xml};
use super::route::{Operation, Query};
use super::{Answer, Storage};
use crate::access::{GIVEN_TAGS, PAYER};
use crate::acl::AccessBlock;
use crate::config::control::{
    NO_BLOCK, NO_OWNERSHIP, read_block, read_ownership, read_payment, tell_block, tell_ownership,
    tell_payment,
};

/// What follows the protocol's prefix in a header, in OSS and in S3, and the condition key that asks for it.
const TOLD: [(&str, &str, &str); 14] = [
    ("request-payer", "request-payer", PAYER.0),
    ("tagging", "tagging", GIVEN_TAGS),
    ("object-acl", "acl", "oss:x-oss-acl"),
    ("copy-source", "copy-source", "oss:x-oss-copy-source"),
    ("metadata-directive", "metadata-directive", "oss:x-oss-metadata-directive"),
    ("storage-class", "storage-class", "oss:x-oss-storage-class"),
    ("server-side-encryption", "server-side-encryption", "oss:x-oss-server-side-encryption"),
    (
        "server-side-encryption-key-id",
        "server-side-encryption-aws-kms-key-id",
        "oss:x-oss-server-side-encryption-key-id",
    ),
    (
        "",
        "server-side-encryption-customer-algorithm",
        "oss:x-oss-server-side-encryption-customer-algorithm",
    ),
    ("", "grant-full-control", "oss:x-oss-grant-full-control"),
    ("", "grant-read", "oss:x-oss-grant-read"),
    ("", "grant-read-acp", "oss:x-oss-grant-read-acp"),
    ("", "grant-write", "oss:x-oss-grant-write"),
    ("", "grant-write-acp", "oss:x-oss-grant-write-acp"),
];

/// What a request's headers say under condition keys. OSS lets a signed URL say who pays.
pub(super) fn told(
    head: &Head<'_>,
    dialect: Dialect,
    query: &Query,
) -> Vec<(&'static str, String)> {
    let prefix = match dialect {
        Dialect::Oss => "x-oss-",
        Dialect::S3 => "x-amz-",
    };
    let referer = head.header("referer").map(|page| ("acs:Referer", page.to_owned()));
    let mut told = Vec::from_iter(referer);
    for name in head.headers.keys() {
        // What the operations read: the first of that name, where it is text.
        let Some(value) = head.header(name.as_str()) else { continue };
        let Some(name) = name.as_str().strip_prefix(prefix).filter(|name| !name.is_empty()) else {
            continue;
        };
        let known = TOLD.iter().find(|(oss, s3, _)| match dialect {
            Dialect::Oss => *oss == name,
            Dialect::S3 => *s3 == name,
        });
        if let Some((_, _, key)) = known {
            // A source is named with a slash before it or without.
            let value = if name == "copy-source" { plain_source(value) } else { value.to_owned() };
            told.push((*key, value));
        }
    }
    if let (Dialect::Oss, Some(payer)) = (dialect, query.get("x-oss-request-payer")) {
        told.push((PAYER.0, payer.to_owned()));
    }
    told
}

fn plain_source(value: &str) -> String {
    let decoded = base::text::percent_decode(value, false);
    let text = String::from_utf8(decoded).unwrap_or_else(|_| value.to_owned());
    text.strip_prefix('/').map(str::to_owned).unwrap_or(text)
}

impl Storage {
    /// The operations that are about who may, and at whose cost; and what keeps objects ([`Self::retention`]).
    ///
    /// Errors: theirs; `MethodNotAllowed` for others.
    pub(super) async fn control(
        &self,
        operation: Operation,
        call: &Call<'_>,
        payload: Payload,
    ) -> Answer {
        use Operation as Op;
        match operation {
            Op::GetBucketAcl => self.bucket_acl(call).await,
            Op::PutBucketAcl => self.put_bucket_acl(call, payload).await,
            Op::GetBucketPolicy => self.bucket_policy(call).await,
            Op::GetBucketPolicyStatus => self.bucket_policy_status(call).await,
            Op::PutBucketPolicy => self.put_bucket_policy(call, payload).await,
            Op::DeleteBucketPolicy => self.delete_bucket_policy(call).await,
            Op::GetObjectAcl => self.object_acl(call).await,
            Op::PutObjectAcl => self.put_object_acl(call, payload).await,
            Op::GetBucketOwnershipControls => self.bucket_ownership(call).await,
            Op::PutBucketOwnershipControls => self.put_bucket_ownership(call, payload).await,
            Op::DeleteBucketOwnershipControls => self.delete_bucket_ownership(call).await,
            Op::GetBucketPublicAccessBlock => self.bucket_block(call).await,
            Op::PutBucketPublicAccessBlock => self.put_bucket_block(call, payload).await,
            Op::DeleteBucketPublicAccessBlock => self.delete_bucket_block(call).await,
            Op::GetPublicAccessBlock => self.account_block(call).await,
            Op::PutPublicAccessBlock => self.put_account_block(call, payload).await,
            Op::DeletePublicAccessBlock => self.delete_account_block(call).await,
            Op::GetBucketRequestPayment => self.request_payment(call).await,
            Op::PutBucketRequestPayment => self.put_request_payment(call, payload).await,
            other => self.retention(other, call, payload).await,
        }
    }

    /// Tells who offered to pay that it did.
    ///
    /// Errors: those of the database.
    pub(super) async fn put_charged(
        &self,
        call: &Call<'_>,
        response: &mut Response<Body>,
    ) -> Result<(), ApiError> {
        let offers = call.ctx.request.told(PAYER.0) == Some(PAYER.1);
        if !offers || call.ctx.caller.is_anonymous() || call.bucket.is_empty() {
            return Ok(());
        }
        if self.oss.was_charged(&call.ctx, &call.bucket).await? {
            let name = match call.dialect {
                Dialect::Oss => "x-oss-request-charged",
                Dialect::S3 => "x-amz-request-charged",
            };
            put(response.headers_mut(), name, PAYER.1);
        }
        Ok(())
    }

    pub(super) async fn bucket_ownership(&self, call: &Call<'_>) -> Answer {
        let ownership = self.oss.bucket_ownership(&call.ctx, &call.bucket).await?;
        let ownership = ownership.ok_or_else(|| {
            ApiError::new(&NO_OWNERSHIP).field("BucketName", call.bucket.as_str())
        })?;
        Ok(xml(tell_ownership(ownership)))
    }

    pub(super) async fn put_bucket_ownership(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let ownership = read_ownership(&call.read(payload, SMALL_BYTES_MAX).await?)?;
        self.oss.set_bucket_ownership(&call.ctx, &call.bucket, Some(ownership)).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_bucket_ownership(&self, call: &Call<'_>) -> Answer {
        self.oss.set_bucket_ownership(&call.ctx, &call.bucket, None).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// OSS tells of a bucket that never said anything that its switch is off.
    pub(super) async fn bucket_block(&self, call: &Call<'_>) -> Answer {
        match self.oss.bucket_block(&call.ctx, &call.bucket).await? {
            Some(block) => Ok(xml(tell_block(block, call.dialect))),
            None if call.is_oss() => Ok(xml(tell_block(AccessBlock::default(), call.dialect))),
            None => Err(ApiError::new(&NO_BLOCK).field("BucketName", call.bucket.as_str())),
        }
    }

    pub(super) async fn put_bucket_block(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let block = read_block(&call.read(payload, SMALL_BYTES_MAX).await?, call.dialect)?;
        self.oss.set_bucket_block(&call.ctx, &call.bucket, Some(block)).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_bucket_block(&self, call: &Call<'_>) -> Answer {
        self.oss.set_bucket_block(&call.ctx, &call.bucket, None).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn account_block(&self, call: &Call<'_>) -> Answer {
        Ok(xml(tell_block(self.oss.account_block(&call.ctx).await?, call.dialect)))
    }

    pub(super) async fn put_account_block(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let block = read_block(&call.read(payload, SMALL_BYTES_MAX).await?, call.dialect)?;
        self.oss.set_account_block(&call.ctx, Some(block)).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_account_block(&self, call: &Call<'_>) -> Answer {
        self.oss.set_account_block(&call.ctx, None).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn request_payment(&self, call: &Call<'_>) -> Answer {
        let requester = self.oss.requester_pays(&call.ctx, &call.bucket).await?;
        Ok(xml(tell_payment(requester, call.dialect)))
    }

    pub(super) async fn put_request_payment(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let requester = read_payment(&call.read(payload, SMALL_BYTES_MAX).await?)?;
        self.oss.set_requester_pays(&call.ctx, &call.bucket, requester).await?;
        Ok(empty(StatusCode::OK))
    }
}
