//! Retention in both dialects: headers, the documents' requests, and the WORM of OSS's buckets.

use base::{ApiError, Code};
use http::{HeaderMap, StatusCode};
use wire::Head;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::{Dialect, error};

use super::call::{Call, Payload};
use super::respond::{empty, put, xml};
use super::route::Operation;
use super::{Answer, Storage};
use crate::config::retention as documents;
use crate::model::Lock;
use crate::ops::LockView;

static NO_OSS_CONFIGURATION: Code =
    Code::new("NoSuchObjectWormConfiguration", 404, "There is no such configuration.");

/// What a protocol calls its headers.
struct Names {
    mode: &'static str,
    until: &'static str,
    legal_hold: &'static str,
    bypass: &'static str,
}

const fn names(dialect: Dialect) -> Names {
    match dialect {
        Dialect::Oss => Names {
            mode: "x-oss-object-worm-mode",
            until: "x-oss-object-worm-retain-until-date",
            legal_hold: "x-oss-object-worm-legal-hold",
            bypass: "x-oss-bypass-governance-retention",
        },
        Dialect::S3 => Names {
            mode: "x-amz-object-lock-mode",
            until: "x-amz-object-lock-retain-until-date",
            legal_hold: "x-amz-object-lock-legal-hold",
            bypass: "x-amz-bypass-governance-retention",
        },
    }
}

/// What the headers say is to keep a new version.
///
/// Errors: `InvalidArgument`.
pub(super) fn lock(head: &Head<'_>, dialect: Dialect) -> Result<Lock, ApiError> {
    let Names { mode, until, legal_hold, .. } = names(dialect);
    documents::lock(head.header(mode), head.header(until), head.header(legal_hold))
}

fn is_true(word: Option<&str>) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case("true"))
}

/// Whether the request asks that governance does not stand in its way.
pub(super) fn bypass(head: &Head<'_>, dialect: Dialect) -> bool {
    is_true(head.header(names(dialect).bypass))
}

/// Whether S3's CreateBucket asks for a bucket that locks objects. OSS has no such header.
pub(super) fn wanted_for_bucket(head: &Head<'_>, dialect: Dialect) -> bool {
    dialect == Dialect::S3 && is_true(head.header("x-amz-bucket-object-lock-enabled"))
}

/// Tells what keeps a version.
pub(super) fn put_lock(headers: &mut HeaderMap, dialect: Dialect, lock: Lock) {
    let Names { mode, until, legal_hold, .. } = names(dialect);
    if let Some(retention) = lock.retention {
        put(headers, mode, retention.mode.as_str());
        put(headers, until, &retention.until().iso_millis());
    }
    if let Some(on) = lock.legal_hold {
        put(headers, legal_hold, if on { "ON" } else { "OFF" });
    }
}

/// That a version has no such lock.
fn unlocked(call: &Call<'_>) -> ApiError {
    ApiError::new(if call.is_oss() { &NO_OSS_CONFIGURATION } else { &error::NO_SUCH_OBJECT_LOCK })
}

impl Storage {
    /// The operations that are about what keeps objects.
    ///
    /// Errors: theirs; `MethodNotAllowed` for others.
    pub(super) async fn retention(
        &self,
        operation: Operation,
        call: &Call<'_>,
        payload: Payload,
    ) -> Answer {
        use Operation as Op;
        match operation {
            Op::GetObjectLock => self.object_lock(call).await,
            Op::PutObjectLock => self.put_object_lock(call, payload).await,
            Op::GetBucketWorm => self.bucket_worm(call).await,
            Op::InitiateBucketWorm => self.initiate_worm(call, payload).await,
            Op::CompleteBucketWorm => self.complete_worm(call).await,
            Op::ExtendBucketWorm => self.extend_worm(call, payload).await,
            Op::AbortBucketWorm => self.abort_worm(call).await,
            Op::GetObjectRetention => self.object_retention(call).await,
            Op::PutObjectRetention => self.put_object_retention(call, payload).await,
            Op::GetObjectLegalHold => self.legal_hold(call).await,
            Op::PutObjectLegalHold => self.put_legal_hold(call, payload).await,
            // A form is answered before: who asks stands in its body.
            _ => Err(ApiError::new(&error::METHOD_NOT_ALLOWED)),
        }
    }

    pub(super) async fn object_lock(&self, call: &Call<'_>) -> Answer {
        let found = self.oss.object_lock(&call.ctx, &call.bucket).await?.ok_or_else(|| {
            let code =
                if call.is_oss() { &NO_OSS_CONFIGURATION } else { &error::OBJECT_LOCK_NOT_FOUND };
            ApiError::new(code).field("BucketName", call.bucket.as_str())
        })?;
        Ok(xml(documents::render_object_lock(&found, call.dialect)))
    }

    pub(super) async fn put_object_lock(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let document = call.read(payload, SMALL_BYTES_MAX).await?;
        let wanted = documents::object_lock(&document, call.dialect)?;
        self.oss.set_object_lock(&call.ctx, &call.bucket, wanted).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn object_retention(&self, call: &Call<'_>) -> Answer {
        let view = LockView::Retention;
        let (lock, version) = self.oss.lock_of(&call.ctx, &call.bucket, call.at()?, view).await?;
        let retention = lock.retention.ok_or_else(|| unlocked(call))?;
        let mut response = xml(documents::render_retention(&retention, call.dialect));
        call.put_version(response.headers_mut(), version);
        Ok(response)
    }

    pub(super) async fn put_object_retention(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let wanted = documents::retention(&call.read(payload, SMALL_BYTES_MAX).await?)?;
        let wanted = (wanted, bypass(&call.head, call.dialect));
        self.oss.set_object_retention(&call.ctx, &call.bucket, call.at()?, wanted).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn legal_hold(&self, call: &Call<'_>) -> Answer {
        let view = LockView::LegalHold;
        let (lock, version) = self.oss.lock_of(&call.ctx, &call.bucket, call.at()?, view).await?;
        let on = lock.legal_hold.ok_or_else(|| unlocked(call))?;
        let mut response = xml(documents::render_legal_hold(on, call.dialect));
        call.put_version(response.headers_mut(), version);
        Ok(response)
    }

    pub(super) async fn put_legal_hold(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let on = documents::legal_hold(&call.read(payload, SMALL_BYTES_MAX).await?)?;
        self.oss.set_legal_hold(&call.ctx, &call.bucket, call.at()?, on).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn bucket_worm(&self, call: &Call<'_>) -> Answer {
        let worm = self.oss.bucket_worm(&call.ctx, &call.bucket).await?;
        Ok(xml(documents::render_worm(&worm)))
    }

    pub(super) async fn initiate_worm(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let document = call.read(payload, SMALL_BYTES_MAX).await?;
        let days = documents::worm_days(&document, "InitiateWormConfiguration")?;
        let id = self.oss.initiate_worm(&call.ctx, &call.bucket, days).await?;
        let mut response = empty(StatusCode::OK);
        put(response.headers_mut(), "x-oss-worm-id", &id);
        Ok(response)
    }

    pub(super) async fn complete_worm(&self, call: &Call<'_>) -> Answer {
        self.oss.complete_worm(&call.ctx, &call.bucket, call.text("wormId")).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn extend_worm(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let document = call.read(payload, SMALL_BYTES_MAX).await?;
        let days = documents::worm_days(&document, "ExtendWormConfiguration")?;
        self.oss.extend_worm(&call.ctx, &call.bucket, call.text("wormId"), days).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn abort_worm(&self, call: &Call<'_>) -> Answer {
        self.oss.abort_worm(&call.ctx, &call.bucket).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }
}
