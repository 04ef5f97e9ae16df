//! Operations on buckets.

use base::{ApiError, Code};
use http::{HeaderMap, StatusCode};
use terms::clauses::DataClass;
use wire::object::body::{self, SMALL_BYTES_MAX};
use wire::object::{Dialect, address, error};

use super::call::{Call, Payload};
use super::headers::{self, BUCKET_TAGS_MAX, DATA_CLASS, SITE};
use super::render::{self, Style};
use super::respond::{empty, put, xml};
use super::{Answer, Storage, acl, retention};
use crate::acl::Ownership;
use crate::model::{Bucket, Redundancy, StorageClass};
use crate::ops::{BucketView, CreateBucket, Document, PAGE_MAX};

/// Whose the objects are that others write to a new bucket.
const OWNERSHIP: &str = "x-amz-object-ownership";

/// Whether an S3 client signed for AWS's first region, where a bucket may be made again by its owner; its
/// users rely on it.
fn is_of_us_east_1(call: &Call<'_>) -> bool {
    let scope = call.head.header("authorization").unwrap_or_default();
    scope.contains("/us-east-1/s3/") && !call.head.headers.contains_key("x-amz-acl")
}

static NO_SUCH_ACCESS_POINT: Code = Code::new("NoSuchAccessPoint", 404, "Accesspoint not found");

impl Storage {
    pub(super) async fn put_bucket(&self, call: &Call<'_>, payload: Payload) -> Answer {
        address::check_bucket(&call.bucket, call.dialect)?;
        headers::check_understood(call.head.headers, call.dialect)?;
        let wanted =
            body::create_bucket(&call.read(payload, SMALL_BYTES_MAX).await?, call.dialect)?;
        let told = |name: &str| call.head.header(name).map(str::to_owned);
        let class = wanted.storage_class.or_else(|| told("x-oss-storage-class"));
        let redundancy =
            wanted.redundancy.or_else(|| told(headers::names(call.dialect).redundancy));
        let list = acl::of_bucket(&call.head, call.dialect)?;
        let options = CreateBucket {
            acl: list.acl,
            grants: list.grants,
            s3: !call.is_oss(),
            ownership: read_word(call.head.header(OWNERSHIP), OWNERSHIP, |word| {
                Ownership::parse(word).map(Some)
            })?,
            storage_class: read_word(class.as_deref(), "StorageClass", StorageClass::parse)?,
            redundancy: read_word(redundancy.as_deref(), "DataRedundancyType", Redundancy::parse)?,
            class: read_word(call.head.header(DATA_CLASS), DATA_CLASS, |word| {
                DataClass::parse(word).map(Some)
            })?,
            region: wanted.location.map(|location| region(location, call.dialect)),
            site: told(SITE),
            repeatable: call.is_oss() || is_of_us_east_1(call),
            object_lock: retention::wanted_for_bucket(&call.head, call.dialect),
        };
        self.oss.create_bucket(&call.ctx, &call.bucket, options).await?;
        let mut response = empty(StatusCode::OK);
        put(response.headers_mut(), "location", &format!("/{}", call.bucket));
        Ok(response)
    }

    /// Requires that the bucket is of the account that the client takes for its owner (S3).
    ///
    /// Errors: `AccessDenied`, `NoSuchBucket`.
    pub(super) async fn check_owner(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let Some(expected) = call.head.header("x-amz-expected-bucket-owner") else {
            return Ok(());
        };
        let is_new = call.head.method == "PUT" && call.key.is_empty() && call.head.query.is_empty();
        if call.is_oss() || is_new || self.oss.owner(&call.bucket).await?.to_string() == expected {
            return Ok(());
        }
        Err(ApiError::new(&error::ACCESS_DENIED))
    }

    pub(super) async fn delete_bucket(&self, call: &Call<'_>) -> Answer {
        self.oss.delete_bucket(&call.ctx, &call.bucket, !call.is_oss()).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn head_bucket(&self, call: &Call<'_>) -> Answer {
        let bucket = self.oss.bucket(&call.ctx, &call.bucket, BucketView::Head).await?;
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        match call.dialect {
            Dialect::Oss => put(headers, "x-oss-bucket-region", self.place_of(&bucket).region),
            Dialect::S3 => put(headers, "x-amz-bucket-region", self.place_of(&bucket).region),
        }
        put_placement(headers, &bucket);
        Ok(response)
    }

    pub(super) async fn bucket_info(&self, call: &Call<'_>) -> Answer {
        let bucket = self.oss.bucket(&call.ctx, &call.bucket, BucketView::Info).await?;
        let mut response = xml(render::bucket_info(&self.place_of(&bucket), &bucket));
        put_placement(response.headers_mut(), &bucket);
        Ok(response)
    }

    pub(super) async fn bucket_stat(&self, call: &Call<'_>) -> Answer {
        let (_, stat) = self.oss.bucket_stat(&call.ctx, &call.bucket).await?;
        Ok(xml(render::bucket_stat(&stat)))
    }

    pub(super) async fn bucket_location(&self, call: &Call<'_>) -> Answer {
        let bucket = self.oss.bucket(&call.ctx, &call.bucket, BucketView::Location).await?;
        Ok(xml(render::location(Style::plain(call.dialect), &self.place_of(&bucket))))
    }

    pub(super) async fn bucket_tagging(&self, call: &Call<'_>) -> Answer {
        let tags = match self.oss.bucket_config(&call.ctx, &call.bucket, Document::Tagging).await {
            Ok(document) => body::tagging(document.as_bytes())?,
            Err(refused) if refused.is(&crate::error::NO_SUCH_CONFIGURATION) && call.is_oss() => {
                Vec::new()
            }
            Err(refused) if refused.is(&crate::error::NO_SUCH_CONFIGURATION) => {
                return Err(ApiError::new(&error::NO_SUCH_TAG_SET)
                    .field("BucketName", call.bucket.as_str()));
            }
            Err(refused) => return Err(refused),
        };
        Ok(xml(render::tagging(Style::plain(call.dialect), &tags)))
    }

    /// Keeps the tags in the form that no dialect marks as its own, since the other may read them.
    pub(super) async fn put_bucket_tagging(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let tags = body::tagging(&call.read(payload, SMALL_BYTES_MAX).await?)?;
        let tags = headers::check_tags(tags, BUCKET_TAGS_MAX)?;
        let document = render::tagging(Style::plain(Dialect::Oss), &tags);
        let document =
            String::from_utf8(document).map_err(|error| ApiError::internal(error.utf8_error()))?;
        self.oss
            .set_bucket_config(&call.ctx, &call.bucket, Document::Tagging, Some(document))
            .await?;
        Ok(empty(if call.is_oss() { StatusCode::OK } else { StatusCode::NO_CONTENT }))
    }

    /// All of them, or in OSS those whose keys stand in the request.
    pub(super) async fn delete_bucket_tagging(&self, call: &Call<'_>) -> Answer {
        let keys = call.text("tagging");
        if call.is_oss() && !keys.is_empty() {
            let keys = keys.split(',').map(str::to_owned).collect();
            self.oss.untag_bucket(&call.ctx, &call.bucket, keys).await?;
            return Ok(empty(StatusCode::NO_CONTENT));
        }
        self.oss.set_bucket_config(&call.ctx, &call.bucket, Document::Tagging, None).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// There are no access points, so that none has a block of its own.
    ///
    /// Errors: `NoSuchBucket`, `AccessDenied`; else `NoSuchAccessPoint`.
    pub(super) async fn no_access_point(&self, call: &Call<'_>) -> Answer {
        self.oss.bucket(&call.ctx, &call.bucket, BucketView::Info).await?;
        Err(ApiError::new(&NO_SUCH_ACCESS_POINT)
            .field("AccessPointName", call.text("x-oss-access-point-name")))
    }

    /// There are none, but clients ask before they delete a bucket.
    pub(super) async fn list_live_channels(&self, call: &Call<'_>) -> Answer {
        let limit = call.count("max-keys", 100, PAGE_MAX)?;
        self.oss.bucket(&call.ctx, &call.bucket, BucketView::Info).await?;
        Ok(xml(render::live_channels(call.text("prefix"), call.text("marker"), limit)))
    }
}

/// The region that a location names.
fn region(location: String, dialect: Dialect) -> String {
    match (dialect, location.strip_prefix("oss-")) {
        (Dialect::Oss, Some(region)) => region.to_owned(),
        _ => location,
    }
}

/// What a bucket's data is and where it lies.
fn put_placement(headers: &mut HeaderMap, bucket: &Bucket) {
    put(headers, DATA_CLASS, bucket.class.as_str());
    put(headers, SITE, &bucket.sites.join(","));
}

/// Reads a word of a request; the default where it is not there.
fn read_word<T: Default>(
    word: Option<&str>,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, ApiError> {
    let Some(word) = word else { return Ok(T::default()) };
    parse(word).ok_or_else(|| {
        let refused = error::INVALID_ARGUMENT.error(format!("The {name} is not valid."));
        refused.field("ArgumentName", name).field("ArgumentValue", word)
    })
}
