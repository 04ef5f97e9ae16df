//! A bucket's policy, in JSON in both dialects.

use engine::server::full;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use wire::object::error;

use super::call::{Call, Payload};
use super::render::{self, Style};
use super::respond::{empty, xml};
use super::{Answer, Storage};

/// The longest policy in bytes, by the dialect it comes in.
const OSS_BYTES_MAX: usize = 16 << 10;
const S3_BYTES_MAX: usize = 20 << 10;

impl Storage {
    pub(super) async fn bucket_policy(&self, call: &Call<'_>) -> Answer {
        let text = self.oss.bucket_policy(&call.ctx, &call.bucket).await?;
        let mut response = Response::new(full(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// OSS tells of the policy alone, S3 of the ACL too. A bucket with neither is not public.
    pub(super) async fn bucket_policy_status(&self, call: &Call<'_>) -> Answer {
        let (policy, acl) = self.oss.bucket_is_public(&call.ctx, &call.bucket).await?;
        let word = if policy || acl && !call.is_oss() { "true" } else { "false" };
        let style = Style::plain(call.dialect);
        Ok(xml(render::default_configuration(style, "PolicyStatus", &[("IsPublic", word)])))
    }

    pub(super) async fn put_bucket_policy(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let bytes_max = if call.is_oss() { OSS_BYTES_MAX } else { S3_BYTES_MAX };
        let body = call.read(payload, bytes_max).await.map_err(|refused| {
            if refused.is(&error::TOO_LONG_BODY) {
                let why = format!("A policy may have {bytes_max} bytes at most.");
                return error::MALFORMED_POLICY.error(why);
            }
            refused
        })?;
        let text = String::from_utf8(body)
            .map_err(|_| error::MALFORMED_POLICY.error("The policy is not UTF-8."))?;
        self.oss.set_bucket_policy(&call.ctx, &call.bucket, &text).await?;
        Ok(empty(if call.is_oss() { StatusCode::OK } else { StatusCode::NO_CONTENT }))
    }

    pub(super) async fn delete_bucket_policy(&self, call: &Call<'_>) -> Answer {
        self.oss.delete_bucket_policy(&call.ctx, &call.bucket).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }
}
