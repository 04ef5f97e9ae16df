//! Versions in requests and answers: which one is asked for, and what is told of it.

use base::ApiError;
use http::{HeaderMap, StatusCode};
use wire::object::body::{self, SMALL_BYTES_MAX};
use wire::object::error;

use super::call::{Call, Payload};
use super::headers::names;
use super::render::{self, Style};
use super::respond::{empty, put, xml};
use super::{Answer, Storage};
use crate::model::{At, VersionId, Versioning};
use crate::ops::{BucketView, Deleted};

/// Reads a version's id. An empty one is none.
///
/// Errors: `InvalidArgument`.
pub(super) fn parse(
    text: Option<&str>,
    argument: &'static str,
) -> Result<Option<VersionId>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    VersionId::parse(text).map(Some).ok_or_else(|| {
        error::INVALID_ARGUMENT
            .error("Invalid version id specified.")
            .field("ArgumentName", argument)
            .field("ArgumentValue", text)
    })
}

impl Call<'_> {
    /// The version that the request names.
    ///
    /// Errors: `InvalidArgument`.
    pub(super) fn version(&self) -> Result<Option<VersionId>, ApiError> {
        parse(self.query.get("versionId"), "versionId")
    }

    /// The key, or the version of it, that the request is about.
    ///
    /// Errors: as [`Self::version`].
    pub(super) fn at(&self) -> Result<At<'_>, ApiError> {
        Ok(At { key: &self.key, version: self.version()? })
    }

    /// Tells a version's id.
    pub(super) fn put_version(&self, headers: &mut HeaderMap, version: Option<VersionId>) {
        if let Some(version) = version {
            put(headers, names(self.dialect).version_id, &version.to_string());
        }
    }

    /// Tells the id of a version that a write made. S3 tells none while versioning is suspended.
    pub(super) fn put_written(&self, headers: &mut HeaderMap, version: Option<VersionId>) {
        self.put_version(headers, version.filter(|id| self.is_oss() || !id.is_null()));
    }

    /// Tells of which version a copy is.
    pub(super) fn put_source(&self, headers: &mut HeaderMap, version: Option<VersionId>) {
        if let Some(version) = version {
            put(headers, names(self.dialect).copy_source_version, &version.to_string());
        }
    }

    /// Tells what a deletion did.
    pub(super) fn put_deleted(&self, headers: &mut HeaderMap, deleted: &Deleted) {
        self.put_version(headers, deleted.version);
        if deleted.marker {
            put(headers, names(self.dialect).delete_marker, "true");
        }
    }
}

impl Storage {
    pub(super) async fn bucket_versioning(&self, call: &Call<'_>) -> Answer {
        let bucket = self.oss.bucket(&call.ctx, &call.bucket, BucketView::Versioning).await?;
        let style = Style::plain(call.dialect);
        Ok(xml(render::versioning(style, bucket.settings.versioning)))
    }

    pub(super) async fn put_bucket_versioning(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let document = call.read(payload, SMALL_BYTES_MAX).await?;
        let versioning = match body::versioning(&document)? {
            body::Versioning::Enabled => Versioning::Enabled,
            body::Versioning::Suspended => Versioning::Suspended,
        };
        self.oss.set_bucket_versioning(&call.ctx, &call.bucket, versioning).await?;
        Ok(empty(StatusCode::OK))
    }
}
